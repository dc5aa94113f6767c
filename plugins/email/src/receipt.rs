//! What a publication leaves behind: version 1 ‖ class ‖ not after, 8 bytes big endian ‖ token 16.

use wayside_bridge::{Class, Receipt, Timestamp};

use crate::error::EmailError;
use crate::note::Token;

const VERSION: u8 = 1;

/// A receipt, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stub {
    pub(crate) class: Class,
    pub(crate) not_after: Timestamp,
    pub(crate) token: Token,
}

impl Stub {
    pub(crate) fn receipt(&self) -> Result<Receipt, EmailError> {
        let mut bytes = vec![VERSION, class_byte(self.class)];
        bytes.extend(self.not_after.as_secs().to_be_bytes());
        bytes.extend(self.token.0);
        Receipt::new(bytes).ok_or(EmailError::Lost)
    }

    /// `None` where it is none of ours.
    pub(crate) fn read(receipt: &Receipt) -> Option<Self> {
        let (&[version, class], rest) = receipt.as_bytes().split_first_chunk::<2>()?;
        let (not_after, token) = rest.split_first_chunk::<8>()?;
        let class = Class::ALL.into_iter().find(|known| class_byte(*known) == class)?;
        let not_after = Timestamp::from_secs(u64::from_be_bytes(*not_after));
        (version == VERSION).then_some(Self { class, not_after, token: Token(token.try_into().ok()?) })
    }
}

const fn class_byte(class: Class) -> u8 {
    match class {
        Class::Meeting => 1,
        Class::Custody => 2,
        Class::Pointer => 3,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let stub = Stub { class: Class::Custody, not_after: Timestamp::from_secs(77), token: Token([5; 16]) };
        assert_eq!(Stub::read(&stub.receipt().unwrap()), Some(stub));
        for junk in [&b""[..], b"nonsense", &[0; 26], &[1; 25], &[9; 26]] {
            assert_eq!(Stub::read(&Receipt::new(junk.to_vec()).unwrap()), None);
        }
    }
}
