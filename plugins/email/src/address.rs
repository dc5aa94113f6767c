//! Addresses, and the place that two of them or a list make.

use std::fmt;

use lettre::address::Address as Checked;
use wayside_bridge::{BridgeOptions, Locator};

use crate::error::EmailError;

/// An address of mail in lower case, ASCII, without a display name.
///
/// RFC 5321 lets servers tell capitals in the part before the `@` apart; none that people use does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(String);

impl Address {
    /// The longest address, in bytes (RFC 5321, section 4.5.3.1.3).
    const LONGEST: usize = 254;

    /// The address in this text, which may be hostile; quoted local parts and addresses beyond ASCII are none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-@".contains(&b);
        let plain = text.len() <= Self::LONGEST && text.bytes().all(allowed) && !text.starts_with('-');
        let checked = plain.then(|| text.parse::<Checked>().ok()).flatten()?;
        Some(Self(checked.to_string().to_ascii_lowercase()))
    }

    /// The address that an option names.
    pub(crate) fn option(name: &str, text: &str) -> Result<Self, EmailError> {
        Self::parse(text).ok_or_else(|| {
            EmailError::Configuration(format!(
                "--{name} is to be an address like ann@example.org, not {text:?}"
            ))
        })
    }

    /// All of it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What is behind the `@`.
    pub(crate) fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }

    /// As lettre has it.
    pub(crate) fn checked(&self) -> Result<Checked, EmailError> {
        self.0.parse().map_err(|_| EmailError::NoAddress(self.0.clone()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who reads what is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// One person.
    One(Address),
    /// Whoever is subscribed to a list.
    List(Address),
}

impl Others {
    /// Where mail goes.
    pub(crate) const fn address(&self) -> &Address {
        match self {
            Self::One(address) | Self::List(address) => address,
        }
    }

    /// Whether it is a list.
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self, Self::List(_))
    }
}

/// The name of the place: of two addresses in order, or of a list. `None` where it would be too long.
pub(crate) fn locator(own: &Address, others: &Others) -> Option<Locator> {
    let address = match others {
        Others::List(list) => list.to_string(),
        Others::One(other) => {
            let (first, second) = if own <= other { (own, other) } else { (other, own) };
            format!("{first},{second}")
        }
    };
    Locator::new(crate::KIND, &address)
}

/// The options of the place with this locator's address. Which of two addresses is whose it does not tell.
pub(crate) fn usage(address: &str) -> String {
    let servers = "--smtp smtps://HOST --imap imaps://HOST --password-command CMD";
    let pair = address.split_once(',').map(|(one, other)| (Address::parse(one), Address::parse(other)));
    match (pair, Address::parse(address)) {
        (Some((Some(one), Some(other))), _) => {
            format!("--address YOURS --to THEIRS {servers} (the two addresses are {one} and {other})")
        }
        (None, Some(list)) => format!("--address YOURS --list {list} {servers}"),
        _ => format!("--address YOURS --to THEIRS {servers}"),
    }
}

/// What the other, or another subscriber, gives: the list, or our address as theirs to write to.
pub(crate) fn shared(options: &BridgeOptions) -> BridgeOptions {
    match (options.value("list"), options.value("address")) {
        (Some(list), _) => BridgeOptions::from_iter([("list", list)]),
        (None, Some(own)) => BridgeOptions::from_iter([("to", own)]),
        (None, None) => BridgeOptions::default(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn addresses_are_plain() {
        for good in ["ann@one.test", " Ann+tag@One.Test ", "a.b-c_d@x.example.org", "x@localhost"] {
            assert_eq!(address(good).as_str(), good.trim().to_ascii_lowercase());
        }
        for bad in [
            "",
            "@",
            "ann",
            "ann@",
            "@one.test",
            "ann@one.test,bob@two.test",
            "Ann <ann@one.test>",
            "a b@one.test",
            "-oQ/tmp@one.test",
            "\"a\"@one.test",
            "ann@one.test\r\nBcc: x@y.test",
            "änn@one.test",
            "a@b@c.test",
            "a..b@one.test",
        ] {
            assert_eq!(Address::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Address::parse(&format!("{}@x.test", "a".repeat(260))), None);
    }

    #[test]
    fn both_sides_have_one_name_for_their_place() {
        let (ann, bob) = (address("Ann@one.test"), address("bob@two.test"));
        let name = locator(&ann, &Others::One(bob.clone())).unwrap();
        assert_eq!(name.to_string(), "email:ann@one.test,bob@two.test");
        assert_eq!(locator(&bob, &Others::One(ann.clone())), Some(name));
        let list = Others::List(address("team@lists.test"));
        assert_eq!(locator(&ann, &list).unwrap().to_string(), "email:team@lists.test");
        let long = address(&format!("{}@{}.test", "a".repeat(60), "b".repeat(60)));
        assert_eq!(locator(&long, &Others::One(address(&format!("c{long}")))), None);
    }

    #[test]
    fn usage_shows_nothing_that_was_not_understood() {
        assert!(usage("team@lists.test").contains("--list team@lists.test"));
        assert!(usage("a@one.test,b@two.test").contains("a@one.test and b@two.test"));
        for hostile in ["$(x)", "a@one.test,;rm", "a;b@x", "-x@one.test", ""] {
            let shown = usage(hostile);
            assert!(!shown.contains("$(") && !shown.contains(';') && !shown.contains("-x@"), "{shown}");
        }
    }

    #[test]
    fn the_other_is_told_our_address() {
        let options =
            BridgeOptions::from_iter([("address", "a@one.test"), ("to", "b@two.test"), ("user", "x")]);
        assert_eq!(shared(&options), BridgeOptions::from_iter([("to", "a@one.test")]));
        let options = BridgeOptions::from_iter([("address", "a@one.test"), ("list", "l@lists.test")]);
        assert_eq!(shared(&options), BridgeOptions::from_iter([("list", "l@lists.test")]));
    }
}
