//! What a stranger asks, read from what it sent. Nothing else of a request is looked at.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use wayside_bridge::Class;
use wayside_bridge::file::{self, Check, Found};

/// The largest record, in bytes: as large as a record of a meeting may be on the web.
pub(crate) const MOST_OF_A_RECORD: usize = 16 * 1024;
/// The longest name of a space, in bytes.
const LONGEST_NAME: usize = 128;
/// The most records that one request takes away. Clients name a hundred.
const MOST_REMOVED: usize = 256;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Everything in a space.
    Look(Space),
    /// Records in the body are to be there, and those of these checks are not.
    Write(Space, Vec<Check>),
}

/// The name of a space: the path of its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Space(String);

/// Why a request is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Nothing can be at such an address.
    NoSpace,
    /// Nothing but looking and writing is understood.
    Method,
    /// What is to be removed is not named as it is to be.
    Remove,
}

/// A record as it was sent, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) found: Found,
    /// Its file.
    pub(crate) file: Bytes,
}

/// Reads the head of a request.
pub(crate) fn ask(method: &str, path: &str, query: Option<&str>) -> Result<Ask, Wrong> {
    let writes = match method {
        "GET" | "HEAD" => false,
        "POST" => true,
        _ => return Err(Wrong::Method),
    };
    let space = Space::of_path(path).ok_or(Wrong::NoSpace)?;
    if !writes {
        return Ok(Ask::Look(space));
    }
    let named =
        query.into_iter().flat_map(|query| query.split('&')).find_map(|it| it.strip_prefix("remove="));
    let checks = named.into_iter().flat_map(|checks| checks.split(',')).filter(|check| !check.is_empty());
    let mut remove = Vec::new();
    for check in checks {
        if remove.len() >= MOST_REMOVED {
            return Err(Wrong::Remove);
        }
        remove.push(check_of(check).ok_or(Wrong::Remove)?);
    }
    Ok(Ask::Write(space, remove))
}

/// The records in a body, one after another; `None` where anything else is among them, or what is not kept here: mail, and what is too large.
pub(crate) fn records(body: &Bytes) -> Option<Vec<Sent>> {
    let (mut sent, mut rest) = (Vec::new(), body.clone());
    while !rest.is_empty() {
        let length = file::length(&rest).filter(|length| *length <= rest.len())?;
        let file = rest.split_to(length);
        let found = file::decode(&file)?;
        if found.record.class == Class::Custody || found.record.bytes.len() > MOST_OF_A_RECORD {
            return None;
        }
        sent.push(Sent { found, file });
    }
    Some(sent)
}

impl Space {
    /// `/NAME`, of what needs no escape in an address (RFC 3986, section 2.3) and of `/`, at whose end a folder would be.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix('/')?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        let is_name = (1..=LONGEST_NAME).contains(&name.len())
            && name.bytes().all(allowed)
            && name.split('/').all(|part| !part.is_empty());
        is_name.then(|| Self(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_of(text: &str) -> Option<Check> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
