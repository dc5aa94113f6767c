//! Mails as they are found: hostile, so bounded, and taken apart once.

use mail_parser::{HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::armour;
use crate::compose::{NOTE_FILE, NOTE_TYPE, OWN_ID};
use crate::note::Note;

/// The most of a mail that is read, in bytes: the largest record twice in base64, and what servers and lists put around it.
pub(crate) const MOST_OF_A_MAIL: usize = 320 * 1024;
/// The most parts that are looked at.
const MOST_PARTS: usize = 64;
/// How many levels of parts in parts are followed. Ours have one, and a list that wraps them adds one or two.
const DEEPEST: usize = 8;

/// A mail that was found by its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) note: Note,
    /// Whether a program of ours made the mail itself, so that it may be deleted; else somebody put a note into a mail of theirs.
    pub(crate) ours: bool,
}

/// The note in a mail; `None` where there is none.
pub(crate) fn note(mail: &[u8]) -> Option<Found> {
    let mail = parse(mail)?;
    let note = find(&mail, 0)?;
    let ours = mail.message_id().is_some_and(|id| id.starts_with(OWN_ID));
    Some(Found { note, ours })
}

/// Takes a mail apart; `None` where it is none.
pub(crate) fn parse(mail: &[u8]) -> Option<Message<'_>> {
    let mail = mail.get(..MOST_OF_A_MAIL).unwrap_or(mail);
    if nesting(mail) > MOST_PARTS {
        return None;
    }
    MessageParser::default().parse(mail)
}

/// How many boundaries are announced: each is a level of nesting for the parser.
fn nesting(mail: &[u8]) -> usize {
    const WORD: &[u8] = b"boundary";
    mail.windows(WORD.len()).filter(|window| window.eq_ignore_ascii_case(WORD)).count()
}

fn find(mail: &Message<'_>, depth: usize) -> Option<Note> {
    let parts = || mail.parts.iter().take(MOST_PARTS);
    // The part of its own is the surer one: nobody wraps its lines.
    let own = parts().filter(|part| is_note(part)).find_map(|part| Note::decode(part.contents()));
    own.or_else(|| {
        parts().find_map(|part| match &part.body {
            PartType::Text(text) => armour::find(text),
            PartType::Html(html) => armour::find(&mail_parser::decoders::html::html_to_text(html)),
            PartType::Message(inner) if depth < DEEPEST => find(inner, depth + 1),
            _ => None,
        })
    })
}

fn is_note(part: &MessagePart<'_>) -> bool {
    let typed = part.content_type().is_some_and(|kind| {
        let whole = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default());
        whole.eq_ignore_ascii_case(NOTE_TYPE)
    });
    typed || part.attachment_name() == Some(NOTE_FILE)
}

/// A header's text, whatever it is about; `None` where there is none.
pub(crate) fn header<'a>(mail: &'a Message<'_>, name: &'static str) -> Option<&'a str> {
    match mail.header(name)? {
        HeaderValue::Text(text) => Some(text),
        HeaderValue::TextList(list) => list.first().map(AsRef::as_ref),
        _ => mail.header_raw(name).map(str::trim),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
