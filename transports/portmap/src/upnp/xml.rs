//! As much of XML as gateways' descriptions and answers have: elements found by their local name, without their attributes. It reads what it is given
//! once per name and never copies more than one text.

/// The text of the first element called `name`, trimmed, with the five entities of XML resolved.
pub(super) fn text(document: &str, name: &str) -> Option<String> {
    let (content, _) = next(document, name)?;
    let mut text = content.trim().to_owned();
    for (entity, character) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
    {
        if text.contains(entity) {
            text = text.replace(entity, character);
        }
    }
    Some(text)
}

/// What is in each element called `name`. They must not be within one another.
pub(super) fn all<'a>(document: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = document;
    std::iter::from_fn(move || {
        let (content, after) = next(rest, name)?;
        rest = after;
        Some(content)
    })
}

/// What is in the first element called `name`, and what comes after it.
fn next<'a>(document: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let mut rest = document;
    loop {
        let (_, opened) = rest.split_once('<')?;
        let (tag, after) = opened.split_once('>')?;
        rest = after;
        if local_name(tag) != name {
            continue;
        }
        if tag.ends_with('/') {
            return Some(("", after));
        }
        // The end tag has the same prefix, if any.
        let whole = tag.split_ascii_whitespace().next()?;
        let end = format!("</{whole}");
        let mut from = 0;
        loop {
            let at = from + after.get(from..)?.find(&end)?;
            let (closing, behind) = after.get(at + end.len()..)?.split_once('>')?;
            if closing.trim().is_empty() {
                return Some((after.get(..at)?, behind));
            }
            from = at + end.len();
        }
    }
}

/// Of `p:name attribute="…"`, and of `name/`: `name`. Of an end tag or a comment: something that is no name.
fn local_name(tag: &str) -> &str {
    let whole = tag.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
    let whole = whole.strip_suffix('/').unwrap_or(whole);
    whole.rsplit_once(':').filter(|(prefix, _)| !prefix.starts_with('/')).map_or(whole, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_name() {
        let document = "<?xml version=\"1.0\"?><a><b:c x=\"1\"> 7 &amp; 8 </b:c ><cc>no</cc><d/><e></e></a>";
        assert_eq!(text(document, "c").as_deref(), Some("7 & 8"));
        assert_eq!(text(document, "cc").as_deref(), Some("no"));
        assert_eq!(text(document, "d").as_deref(), Some(""));
        assert_eq!(text(document, "e").as_deref(), Some(""));
        assert_eq!(text(document, "f"), None);
    }

    #[test]
    fn an_element_ends_with_its_own_name() {
        let document = "<service><serviceType>x</serviceType></service><service>y</service>";
        assert_eq!(all(document, "service").collect::<Vec<_>>(), ["<serviceType>x</serviceType>", "y"]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(document in "[<>/ab: &;x=é!?-]{0,80}") {
            let _ = (text(&document, "a"), all(&document, "b").count());
        }
    }

    #[test]
    fn a_long_document_is_read_soon() {
        for piece in ["<a>", "<a></ab>", "<", "<b/>", "</a"] {
            let document = format!("<a>{}", piece.repeat(64 * 1024 / piece.len()));
            let began = std::time::Instant::now();
            let _ = (text(&document, "a"), all(&document, "a").count(), all(&document, "b").count());
            assert!(began.elapsed() < std::time::Duration::from_secs(2), "{piece}");
        }
    }

    #[test]
    fn broken_documents_have_nothing_in_them() {
        for document in
            ["", "<", "<a", "<a>", "<a></b>", "</a>", "<a></a", "<:a/", "a>b", "<a>é</", "<\u{e9}:a>"]
        {
            assert_eq!(text(document, "a"), None, "{document}");
            assert_eq!(all(document, "a").count(), 0, "{document}");
        }
    }
}
