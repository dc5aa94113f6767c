//! A note in text: base64 between two lines that people and programs recognise.
//!
//! List software adds footers, wraps lines anew, makes HTML of text and joins paragraphs. So white space does not matter, not even in the two lines,
//! and the note's own check tells whether it is whole. A block that is quoted (`> `) is none: a person's answer to a note is theirs.

use data_encoding::BASE64;

use crate::note::Note;

const BEGIN: &str = "-----BEGIN WAYSIDE NOTE-----";
const END: &str = "-----END WAYSIDE NOTE-----";
/// As RFC 7468, section 2, wraps.
const WIDTH: usize = 64;
/// The most blocks that are tried in one text.
const MOST_BLOCKS: usize = 4;

/// The block for these bytes, with line ends as mail has them.
pub(crate) fn block(note: &[u8]) -> String {
    let encoded = BASE64.encode(note);
    let mut text = format!("{BEGIN}\r\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: any position is between two characters.
        let (line, more) = rest.split_at(WIDTH.min(rest.len()));
        text.push_str(line);
        text.push_str("\r\n");
        rest = more;
    }
    text.push_str(END);
    text.push_str("\r\n");
    text
}

/// The first whole note in a text.
pub(crate) fn find(text: &str) -> Option<Note> {
    let packed: String = text.chars().filter(|c| !c.is_whitespace() && *c != '\u{a0}').collect();
    let (begin, end) = (packed_marker(BEGIN), packed_marker(END));
    packed.split(&begin).skip(1).take(MOST_BLOCKS).find_map(|rest| {
        let (encoded, _) = rest.split_once(&end)?;
        Note::decode(&BASE64.decode(encoded.as_bytes()).ok()?)
    })
}

fn packed_marker(marker: &str) -> String {
    marker.replace(' ', "")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use wayside_bridge::{Class, Key, Record, Slot, Timestamp};

    use super::*;
    use crate::note::Id;

    fn sample(len: usize) -> (Note, String) {
        let key = Key::Slot(Slot([7; 16]));
        let bytes: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let record = Record::new(key, Class::Meeting, Timestamp::from_secs(1_800_000_000), bytes);
        let note = Note::Record { id: Id([3; 16]), record };
        let text = block(&note.encode().unwrap());
        (note, text)
    }

    #[test]
    fn what_goes_in_comes_out() {
        for len in [0, 1, 376, 960, 16 * 1024] {
            let (note, text) = sample(len);
            assert_eq!(find(&text), Some(note));
            assert!(text.lines().all(|line| line.len() <= 76));
        }
    }

    #[test]
    fn what_lists_do_to_it_does_not_matter() {
        let (note, text) = sample(960);
        let words = text.replace("\r\n", " ");
        for changed in [
            text.replace("\r\n", "\n"),
            text.replace("\r\n", "\r\n\r\n"),
            text.replace("\r\n", " \u{a0}\r\n"),
            format!("Hello,\n{text}\n_______________\nteam mailing list\nhttps://lists.test/-----\n"),
            words.clone(),
            words.replace("WAYSIDE NOTE", "WAYSIDE\nNOTE"),
            text.lines().map(|line| format!("    {line}\n")).collect(),
            text.trim_end().to_owned(),
            format!("{BEGIN}\nAAAA\n{END}\n{text}"),
        ] {
            assert_eq!(find(&changed), Some(note.clone()), "{changed}");
        }
    }

    #[test]
    fn what_is_not_whole_or_quoted_is_none() {
        let (_, text) = sample(376);
        let quoted: String = text.lines().map(|line| format!("> {line}\n")).collect();
        let cut = text.split_at(text.len() / 2).0.to_owned();
        for none in [
            quoted,
            cut.clone(),
            format!("{cut}{END}"),
            String::new(),
            BEGIN.to_owned(),
            format!("{BEGIN}{END}"),
        ] {
            assert_eq!(find(&none), None, "{none}");
        }
    }
}
