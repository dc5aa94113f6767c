//! A record as the text of a TXT record.
//!
//! Eight characters stand before the bytes in base64: `w`, the class, and the end of its life in seconds. So the 376 bytes of a usual record are 510
//! characters, which are two strings of 255.

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use hickory_proto::rr::rdata::TXT;
use wayside_bridge::{Class, Key, Record, Timestamp};

/// The longest string in a TXT record (RFC 1035, section 3.3).
const STRING: usize = 255;
/// What stands at the wildcard: no record, only there so that names exist.
pub(crate) const PLACEHOLDER: &[u8] = b"wayside";

/// What a TXT record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A record.
    Record(Record),
    /// A card as people paste it.
    Card,
    /// What the wildcard says.
    Placeholder,
    /// Somebody else's, or junk.
    Other,
}

/// The text of a record; `None` where it lives longer than can be said, which is until 2106.
pub(crate) fn encode(record: &Record) -> Option<String> {
    let class = match record.class {
        Class::Meeting => 'm',
        Class::Pointer => 'p',
        Class::Custody => return None,
    };
    let end = u32::try_from(record.not_after.as_secs()).ok()?;
    Some(format!(
        "w{class}{}{}",
        BASE64URL_NOPAD.encode(&end.to_be_bytes()),
        BASE64URL_NOPAD.encode(&record.bytes)
    ))
}

/// How a card begins that somebody pasted.
const CARD: &[u8] = b"wayside-card:";

/// What a text found under this key is.
pub(crate) fn decode(key: &Key, text: &[u8]) -> Held {
    if text == PLACEHOLDER {
        return Held::Placeholder;
    }
    let begins = text.get(..CARD.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(CARD));
    if begins && matches!(key, Key::Name(_)) {
        return Held::Card;
    }
    record(key, text).map_or(Held::Other, Held::Record)
}

fn record(key: &Key, text: &[u8]) -> Option<Record> {
    let class = match text.first_chunk()? {
        b"wm" => Class::Meeting,
        b"wp" => Class::Pointer,
        _ => return None,
    };
    if matches!(key, Key::Name(_)) && class != Class::Pointer {
        return None;
    }
    let (head, body) = text.get(2..)?.split_at_checked(6)?;
    let end = BASE64URL_NOPAD.decode(head).ok()?;
    let end = u32::from_be_bytes(end.try_into().ok()?);
    let bytes = BASE64URL_NOPAD.decode(body).ok()?;
    Some(Record::new(key.clone(), class, Timestamp::from_secs(end.into()), Bytes::from(bytes)))
}

/// The TXT record with this text, in strings as long as may be.
pub(crate) fn txt(text: &[u8]) -> TXT {
    TXT::from_bytes(text.chunks(STRING).collect())
}

/// The text of a TXT record, however it was cut.
pub(crate) fn of_txt(txt: &TXT) -> Vec<u8> {
    txt.txt_data.concat()
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
