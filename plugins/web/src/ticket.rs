//! What a publication leaves with whoever may take it back.

use wayside_bridge::file::Check;
use wayside_bridge::{Key, Receipt};

use crate::error::WebError;
use crate::parcel::WriterId;

/// The first byte of a receipt of ours.
const VERSION: u8 = 1;

/// A receipt, as it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// In whose parcel it lies; a drop knows by itself.
    pub(crate) writer: WriterId,
    pub(crate) check: Check,
    /// Under which public name it lies besides.
    pub(crate) name: Option<String>,
}

impl Ticket {
    pub(crate) fn receipt(&self) -> Result<Receipt, WebError> {
        let name = self.name.as_deref().unwrap_or_default().as_bytes();
        Receipt::new([&[VERSION], self.writer.0.as_slice(), &self.check, name].concat()).ok_or(WebError::Lost)
    }

    /// `None` where it is none of ours.
    pub(crate) fn read(receipt: &Receipt) -> Option<Self> {
        let (version, rest) = receipt.as_bytes().split_first()?;
        let (writer, rest) = rest.split_first_chunk()?;
        let (check, name) = rest.split_first_chunk()?;
        let name = match name {
            [] => None,
            name => match Key::name(std::str::from_utf8(name).ok()?)? {
                Key::Name(name) => Some(name),
                Key::Slot(_) => None,
            },
        };
        (*version == VERSION).then_some(Self { writer: WriterId(*writer), check: *check, name })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn receipts_read_back_and_nothing_else_does() {
        let ticket = |name: Option<&str>| Ticket {
            writer: WriterId([1; 8]),
            check: [2; 16],
            name: name.map(str::to_owned),
        };
        for one in [ticket(None), ticket(Some("ann"))] {
            assert_eq!(Ticket::read(&one.receipt().unwrap()), Some(one));
        }
        let bad = ticket(Some("../x")).receipt().unwrap();
        for nonsense in [
            bad,
            Receipt::new(vec![]).unwrap(),
            Receipt::new(vec![2; 25]).unwrap(),
            Receipt::new(vec![1; 20]).unwrap(),
        ] {
            assert_eq!(Ticket::read(&nonsense), None);
        }
    }
}
