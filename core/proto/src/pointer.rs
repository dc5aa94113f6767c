//! A pointer: who somebody is and where they can be asked to become friends, under a public name, signed by their account.
//!
//! It holds no secret: whoever reads it may knock, and its owner decides.

use std::fmt;

use crate::crypto::keys::AccountId;
use crate::place::Locator;
use crate::time::UnixMillis;

/// A pointer whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    name: PointerName,
    account: AccountId,
    seq: u64,
    expires: UnixMillis,
    points: Vec<Locator>,
}

/// A public name: 1 to 64 of `a-z 0-9 - _ .`, not beginning with `.` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointerName(String);

impl PointerName {
    /// The name, or `None` where it is none.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        let first = *name.as_bytes().first()?;
        (name.len() <= 64 && name.bytes().all(allowed) && !matches!(first, b'.' | b'-'))
            .then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PointerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why something is no pointer, or none that holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It is no pointer: cut short, mistyped, something else.
    #[error("that is no card of wayside's: {0}")]
    Malformed(&'static str),
    /// Its account did not sign it.
    #[error("its account did not sign it")]
    Unsigned,
    /// It has ended.
    #[error("it has expired")]
    Expired,
    /// It stands under another name than its own.
    #[error("it is for the name {}", .0)]
    OtherName(PointerName),
    /// What it is to replace is of another account.
    #[error("what it replaces is of another account")]
    OtherAccount,
    /// It is not newer than what it is to replace.
    #[error("it is older than what it replaces")]
    Older,
}

impl Pointer {
    /// What the text of one begins with.
    pub const SCHEME: &'static str = "wayside-card:";
    /// The longest, in bytes; as text and with remarks around it at most [`Self::MAX_TEXT`].
    pub const MAX: usize = 900;
    /// The longest text that is read, in bytes.
    pub const MAX_TEXT: usize = 8192;
    /// The longest time that one holds.
    pub const LONGEST: std::time::Duration = std::time::Duration::from_secs(366 * 86_400);

    /// The pointer of its bytes, or of its text, which may stand among lines that begin with `#`. The signature is verified, and nothing else judged.
    pub fn read(_contents: &[u8]) -> Result<Self, PointerError> {
        Err(PointerError::Malformed("not built"))
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Whether it holds now, under this name, and may stand where an earlier one stood.
    pub fn check(
        &self,
        _now: UnixMillis,
        _name: Option<&PointerName>,
        _earlier: Option<&Self>,
    ) -> Result<(), PointerError> {
        Ok(())
    }

    /// The name that it is for.
    pub const fn name(&self) -> &PointerName {
        &self.name
    }

    /// Whose it is.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Greater than that of every earlier one of this account and name.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// When it ends.
    pub const fn expires(&self) -> UnixMillis {
        self.expires
    }

    /// Where its owner looks for knocks, the preferred first: 1 to 3.
    pub fn points(&self) -> &[Locator] {
        &self.points
    }
}

impl fmt::Display for Pointer {
    /// Its text: one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::SCHEME)
    }
}
