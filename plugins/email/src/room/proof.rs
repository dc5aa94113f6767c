//! Whether our own mail server says who sent a mail (RFC 8601).

use mail_parser::{HeaderValue, Message};

use crate::address::Address;

/// Whether the topmost `Authentication-Results`, which our own server put there, says that the sender's domain stands for this mail.
pub(super) fn is_proven(mail: &Message<'_>, sender: &Address, trusted: &str) -> bool {
    let Some(results) = topmost(mail) else { return false };
    let mut parts = results.split(';').map(str::trim);
    let server = parts.next().and_then(|first| first.split_ascii_whitespace().next());
    server.is_some_and(|server| server.eq_ignore_ascii_case(trusted))
        && parts.any(|result| speaks_for(result, sender.domain()))
}

fn topmost(mail: &Message<'_>) -> Option<String> {
    let header =
        mail.headers().iter().find(|header| header.name().eq_ignore_ascii_case("Authentication-Results"))?;
    match header.value() {
        HeaderValue::Text(text) => Some(without_comments(text)),
        _ => {
            let (start, end) =
                (usize::try_from(header.offset_start()).ok()?, usize::try_from(header.offset_end()).ok()?);
            Some(without_comments(&String::from_utf8_lossy(mail.raw_message().get(start..end)?)))
        }
    }
}

/// Text in brackets may say anything.
fn without_comments(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' if depth > 0 => {
                    depth -= 1;
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// Whether one result is a pass that names this domain: DMARC for the sender's domain, or a signature of the very domain.
fn speaks_for(result: &str, domain: &str) -> bool {
    let mut words = result.split_ascii_whitespace();
    let (Some(method), words) = (words.next(), words) else { return false };
    let named = match method.to_ascii_lowercase().as_str() {
        "dmarc=pass" => "header.from=",
        "dkim=pass" => "header.d=",
        _ => return false,
    };
    let found =
        words.map(str::to_ascii_lowercase).find_map(|word| word.strip_prefix(named).map(str::to_owned));
    found.is_some_and(|found| found.trim_matches('"') == domain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn proven(headers: &str) -> bool {
        let mail = format!("{headers}From: ann@one.test\r\nSubject: x\r\n\r\nx");
        let mail = crate::parse::parse(mail.as_bytes()).unwrap();
        is_proven(&mail, &Address::parse("ann@one.test").unwrap(), "mx.two.test")
    }

    #[test]
    fn our_own_server_alone_is_believed() {
        for (headers, is) in [
            ("", false),
            ("Authentication-Results: mx.two.test; dkim=pass header.d=one.test\r\n", true),
            (
                "Authentication-Results: MX.two.test 1;\r\n spf=none;\r\n dmarc=pass (p=none) header.from=one.test\r\n",
                true,
            ),
            ("Authentication-Results: mx.two.test; dkim=fail header.d=one.test\r\n", false),
            ("Authentication-Results: mx.two.test; dkim=pass header.d=evil.test\r\n", false),
            ("Authentication-Results: mx.two.test; dkim=pass header.d=one.test.evil.test\r\n", false),
            ("Authentication-Results: mx.evil.test; dkim=pass header.d=one.test\r\n", false),
            ("Authentication-Results: mx.two.test; none (; dkim=pass header.d=one.test)\r\n", false),
            ("Authentication-Results: mx.two.test; spf=pass smtp.mailfrom=one.test\r\n", false),
            (
                "Authentication-Results: mx.two.test; dkim=none\r\nAuthentication-Results: mx.two.test; dkim=pass header.d=one.test\r\n",
                false,
            ),
        ] {
            assert_eq!(proven(headers), is, "{headers}");
        }
    }
}
