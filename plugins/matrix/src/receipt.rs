//! What a publication left: enough to take it back after a restart, and nothing secret.

use wayside_bridge::Receipt;
use wayside_bridge::file::Check;

const VERSION: u8 = 1;

/// An event of ours with a record in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Of the record: copies of it that we do not know of are found by it.
    pub(crate) check: Check,
    /// In which room.
    pub(crate) room: String,
    /// The event.
    pub(crate) event: String,
}

impl Left {
    /// As it is stored.
    pub(crate) fn receipt(&self) -> Option<Receipt> {
        let mut bytes = vec![VERSION, u8::try_from(self.room.len()).ok()?];
        bytes.extend(self.check);
        bytes.extend(self.room.as_bytes());
        bytes.extend(self.event.as_bytes());
        Receipt::new(bytes)
    }

    /// From what was stored; `None` where it is no receipt of ours.
    pub(crate) fn parse(receipt: &Receipt) -> Option<Self> {
        let (&[version, room_len], rest) = receipt.as_bytes().split_first_chunk::<2>()?;
        let (check, rest) = rest.split_first_chunk::<16>()?;
        let (room, event) = rest.split_at_checked(usize::from(room_len))?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let left = Self { check: *check, room: text(room)?, event: text(event)? };
        (version == VERSION && left.room.starts_with('!') && left.event.starts_with('$')).then_some(left)
    }
}
