//! What a person wrote, without what their program put around it.

use wayside_bridge::Incoming;

/// The text without quotes, signature and a list's footer, cut to what is handed on.
pub(super) fn said(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in text.lines() {
        let line = line.trim_end();
        if is_end(line) {
            break;
        }
        if line.trim_start().starts_with('>') {
            // "On Monday Bob wrote:" stands before what is quoted, in one line or two.
            while kept.last().is_some_and(|last| last.is_empty() || last.ends_with(':')) {
                kept.pop();
            }
            continue;
        }
        kept.push(line);
    }
    cut(kept.join("\n").trim(), Incoming::MAX_TEXT).to_owned()
}

/// A signature (RFC 3676, section 4.3, loses its blank on the way), a footer's rule, or a whole mail quoted below.
fn is_end(line: &str) -> bool {
    let rule = |c: char| line.len() >= 10 && line.chars().all(|found| found == c);
    line == "--" || rule('_') || rule('-') || line.starts_with("-----Original Message")
}

/// The longest part of at most so many bytes that ends between two characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_is_left() {
        for (mail, left) in [
            ("join\r\n", "join"),
            ("!meet bob@two.test\r\n\r\n-- \r\nAnn\r\n", "!meet bob@two.test"),
            ("yes\n\nOn Mon, Bob wrote:\n> hello\n> there\n", "yes"),
            ("yes\n\n> hello\n\nreally\n", "yes\n\nreally"),
            ("join\n_______________________________________________\nteam mailing list\n", "join"),
            ("no\n-----Original Message-----\nFrom: x\n!join\n", "no"),
            ("> !join\n", ""),
            ("", ""),
        ] {
            let found = said(mail).replace("\n\n\n", "\n\n");
            assert_eq!(found, left, "{mail:?}");
        }
        let long = "ä".repeat(Incoming::MAX_TEXT);
        assert_eq!(said(&long).len(), Incoming::MAX_TEXT);
        assert_eq!(said(&format!("x{long}")).len(), Incoming::MAX_TEXT - 1);
    }
}
