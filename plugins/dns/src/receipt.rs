//! What a publication left behind: the whole record, which is what the server is to be told to remove it alone.

use wayside_bridge::{Class, Key, Receipt, Record, Slot, Timestamp};

/// The largest meeting record, in bytes: the larger of the two sizes that there are. With its slot it fits into a receipt.
pub(crate) const MOST_OF_A_MEETING: usize = 960;
/// The largest pointer, in bytes: as large as one may be. With its name it fits into a receipt.
pub(crate) const MOST_OF_A_POINTER: usize = 900;

/// The receipt of a record.
pub(crate) fn receipt(record: &Record) -> Option<Receipt> {
    let class = match record.class {
        Class::Meeting => b'm',
        Class::Pointer => b'p',
        Class::Custody => return None,
    };
    let (kind, of) = match &record.key {
        Key::Slot(Slot(slot)) => (b's', slot.as_slice()),
        Key::Name(name) => (b'n', name.as_bytes()),
    };
    let len = u8::try_from(of.len()).ok()?;
    let end = record.not_after.as_secs().to_be_bytes();
    Receipt::new([&[class, kind, len], of, &end, &record.bytes].concat())
}

/// What a receipt stands for; `None` where it is none of ours.
pub(crate) fn read(receipt: &Receipt) -> Option<Record> {
    let ([class, kind, len], rest) = receipt.as_bytes().split_first_chunk()?;
    let class = match class {
        b'm' => Class::Meeting,
        b'p' => Class::Pointer,
        _ => return None,
    };
    let (of, rest) = rest.split_at_checked(usize::from(*len))?;
    let key = match kind {
        b's' => Key::Slot(Slot(of.try_into().ok()?)),
        b'n' => Key::name(std::str::from_utf8(of).ok()?)?,
        _ => return None,
    };
    let (end, bytes) = rest.split_first_chunk()?;
    Some(Record::new(key, class, Timestamp::from_secs(u64::from_be_bytes(*end)), bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_largest_records_fit() {
        let end = Timestamp::from_secs(1_800_000_000);
        let name = Key::name(&"n".repeat(Key::MAX_NAME)).unwrap();
        for record in [
            Record::new(Slot([7; 16]).into(), Class::Meeting, end, vec![1; MOST_OF_A_MEETING]),
            Record::new(name, Class::Pointer, end, vec![2; MOST_OF_A_POINTER]),
            Record::new(Slot([0; 16]).into(), Class::Meeting, end, Vec::new()),
        ] {
            assert_eq!(read(&receipt(&record).unwrap()), Some(record));
        }
    }

    #[test]
    fn what_is_no_receipt_is_none() {
        for bytes in [
            &b""[..],
            b"m",
            b"ms",
            b"ms\x10short",
            b"mn\x01-",
            b"xs\x00",
            b"ms\x0012345678",
            b"mn\x02ab1234567",
        ] {
            assert_eq!(read(&Receipt::new(bytes.to_vec()).unwrap()), None, "{bytes:?}");
        }
    }
}
