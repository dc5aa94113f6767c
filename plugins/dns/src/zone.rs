//! Zones, and what records are called in them.

use std::fmt;

use hickory_proto::rr::Name;
use wayside_bridge::{Key, Locator};

use crate::error::DnsError;

/// The longest zone, in characters: a slot or a public name and our own label still fit before it.
const LONGEST: usize = 150;
/// The label that all names of ours have, as RFC 8552 has it for what is no host.
const LABEL: &str = "_wayside";
/// What is never looked up in public: RFC 6761, RFC 6762, RFC 7686.
const NOT_PUBLIC: [&str; 5] = ["localhost", "local", "onion", "invalid", "test"];

/// The name under which records are, which need not be where a zone begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone(String);

impl Zone {
    /// A zone as somebody wrote it: letters, digits, `-` and `_` between dots, in either case.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if text.is_empty() || text.len() > LONGEST {
            return Err("is no domain name of 1 to 150 characters");
        }
        if !text.is_ascii() {
            return Err("is not written in ASCII: give its form that begins with xn--");
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if !text.split('.').all(is_label) {
            return Err("is no domain name, like alice.example");
        }
        if text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return Err("is an address, not a domain name");
        }
        Ok(Self(text))
    }

    /// The same where somebody else chose it: a name that can be looked up in public.
    pub(crate) fn parse_public(text: &str) -> Result<Self, &'static str> {
        let zone = Self::parse(text)?;
        match zone.0.rsplit_once('.') {
            None => Err("is one word: a public domain name has a dot in it"),
            Some((_, last)) if NOT_PUBLIC.contains(&last) => {
                Err("is a name for local use: it is not looked up in public")
            }
            Some(_) => Ok(zone),
        }
    }

    /// The zone as it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What everybody who shares it calls it.
    pub(crate) fn locator(&self) -> Option<Locator> {
        Locator::new(crate::KIND, &self.0)
    }

    /// Its own name.
    pub(crate) fn name(&self) -> Result<Name, DnsError> {
        absolute(&self.0)
    }

    /// Where records under this key are.
    pub(crate) fn name_of(&self, key: &Key) -> Result<Name, DnsError> {
        match key {
            Key::Slot(slot) => absolute(&format!("{slot}.{LABEL}.{}", self.0)),
            Key::Name(name) => absolute(&format!("{LABEL}.{name}.{}", self.0)),
        }
    }

    /// The wildcard that makes every slot's name exist.
    pub(crate) fn wildcard(&self) -> Result<Name, DnsError> {
        absolute(&format!("*.{LABEL}.{}", self.0))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn absolute(text: &str) -> Result<Name, DnsError> {
    let mut name = Name::from_ascii(text).map_err(|_| DnsError::Name)?;
    name.set_fqdn(true);
    Ok(name)
}
