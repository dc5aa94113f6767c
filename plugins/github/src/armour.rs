//! A record as a comment: a line that people understand, and the record in a block that GitHub shows as it is.
//!
//! GitHub rewrites line ends, and people's programs add quotes and signatures. So the block is looked for anywhere in a comment, white space in it
//! does not matter, and the record's own check tells whether it is whole.

use bytes::Bytes;
use data_encoding::BASE64;
use wayside_bridge::file;

use crate::wire::unarmoured;

const LINE: &str = "A sealed note that one wayside program leaves for another; it is taken away again by itself, so please let it be.";
const FENCE: &str = "```";
const OPEN: &str = "```wayside";
/// As in mail: wide enough to be short, narrow enough to be shown without a scroll bar.
const WIDTH: usize = 76;

/// The comment for a record's file.
pub(crate) fn comment(file: &[u8]) -> String {
    let armoured = BASE64.encode(file);
    let mut text = format!("{LINE}\n\n{OPEN}\n");
    let mut rest = armoured.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: any position is between two characters.
        let (line, more) = rest.split_at(WIDTH.min(rest.len()));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(FENCE);
    text.push('\n');
    text
}

/// The record in a comment; `None` where there is none, or one that is not whole.
pub(crate) fn record(comment: &str) -> Option<file::Found> {
    let mut lines = comment.lines().map(str::trim).skip_while(|line| *line != OPEN);
    lines.next()?;
    let mut armoured = String::new();
    for line in lines {
        if line == FENCE {
            return file::decode(&Bytes::from(unarmoured(&armoured)?));
        }
        armoured.push_str(line);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use wayside_bridge::{Class, Key, Record, Slot, Timestamp};

    use super::*;

    fn sample(len: usize) -> (Record, String) {
        let key = Key::Slot(Slot([7; 16]));
        let bytes: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let record = Record::new(key, Class::Meeting, Timestamp::from_secs(1_800_000_000), bytes);
        let text = comment(&file::encode(&record).unwrap().0);
        (record, text)
    }

    #[test]
    fn what_goes_in_comes_out() {
        for len in [0, 1, 56, 57, 376, 40 * 1024] {
            let (record, text) = sample(len);
            assert_eq!(super::record(&text).unwrap().record, record);
            assert!(text.len() < 65_536, "{len} bytes are a comment of {}", text.len());
            assert!(text.lines().next().unwrap().starts_with("A sealed note"));
        }
    }

    #[test]
    fn what_github_and_people_do_to_it_does_not_matter() {
        let (record, text) = sample(376);
        let edited = [
            text.replace('\n', "\r\n"),
            text.replace('\n', "\n\n"),
            text.replace('\n', "  \n"),
            format!("Hello,\n{text}\n-- \nsent from my telephone"),
            text.lines().map(|line| format!("  {line}\n")).collect(),
            text.trim_end().to_owned(),
        ];
        for edited in edited {
            assert_eq!(super::record(&edited).unwrap().record, record, "{edited}");
        }
    }

    #[test]
    fn what_is_not_whole_is_none() {
        let (_, text) = sample(376);
        let quoted: String = text.lines().map(|line| format!("> {line}\n")).collect();
        let cut = text.split_at(text.len() / 2).0.to_owned();
        let swapped = text.replacen("d2F5", "d2F6", 1);
        for none in [
            quoted,
            cut.clone(),
            format!("{cut}\n```\n"),
            swapped,
            String::new(),
            OPEN.to_owned(),
            format!("{OPEN}\n{FENCE}"),
        ] {
            assert!(super::record(&none).is_none(), "{none}");
        }
    }
}
