#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

fn message(bucket: Bucket) -> Vec<u8> {
    (0..bucket.message()).map(|i| i as u8).collect()
}

#[test]
fn the_sizes_are_those_that_bridges_carry() {
    assert_eq!(Bucket::ALL.map(Bucket::record), [376, 960]);
    assert_eq!(Bucket::ALL.map(Bucket::message), [344, 928]);
    // Two strings of a TXT record (RFC 1035, section 3.3: 255 bytes each), in base64 without padding.
    assert_eq!(data_encoding::BASE64_NOPAD.encode_len(Bucket::Small.record()), 502);
}

#[test]
fn what_is_sealed_is_opened_and_fills_its_bucket() {
    let siv = Secret::new([7; 32]);
    for bucket in Bucket::ALL {
        let message = message(bucket);
        let record = seal(&siv, &message);
        assert_eq!(Bucket::of_record(record.len()), Some(bucket));
        assert_eq!(open(&siv, &record), Some(message.clone()));
        let record = seal_in_tray(&[9; 16], &siv, &message);
        assert_eq!(Bucket::of_record(record.len()), Some(bucket));
        let (slot, sealed) = split_tray(&record).unwrap();
        assert_eq!((slot, open_from_tray(&siv, sealed)), ([9; 16], Some(message)));
    }
}

#[test]
fn any_flipped_bit_any_cut_and_any_other_key_is_refused() {
    let siv = Secret::new([7; 32]);
    for bucket in Bucket::ALL {
        let record = seal(&siv, &message(bucket));
        let tray = seal_in_tray(&[9; 16], &siv, &message(bucket));
        for at in 0..record.len() {
            let mut flipped = record.clone();
            flipped[at] ^= 1 << (at % 8);
            assert_eq!(open(&siv, &flipped), None, "byte {at}");
            assert_eq!(open(&siv, &record[..at]), None, "cut at {at}");
            assert_eq!(split_tray(&tray[..at]).and_then(|(_, sealed)| open_from_tray(&siv, sealed)), None);
            let mut flipped = tray.clone();
            flipped[at] ^= 1 << (at % 8);
            let (slot, sealed) = split_tray(&flipped).unwrap();
            if at < SLOT {
                assert_ne!(slot, [9; 16]);
            } else {
                assert_eq!(open_from_tray(&siv, sealed), None, "byte {at}");
            }
        }
        for bit in 0..256 {
            let mut other = [7; 32];
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&Secret::new(other), &record), None, "bit {bit} of the key");
        }
    }
}

#[test]
fn a_slot_record_is_no_tray_record_nor_the_other_way_round() {
    let siv = Secret::new([7; 32]);
    for bucket in Bucket::ALL {
        let record = seal(&siv, &message(bucket));
        let (_, sealed) = split_tray(&record).unwrap();
        assert_eq!(open_from_tray(&siv, sealed), None);
        assert_eq!(open(&siv, &seal_in_tray(&[9; 16], &siv, &message(bucket))), None);
    }
}

#[test]
fn only_what_fits_is_padded() {
    for bucket in Bucket::ALL {
        for overhead in [48, 96] {
            let most = bucket.payload(overhead);
            assert_eq!(
                bucket.pad(&vec![1; most], overhead).map(|padded| padded.len() + overhead),
                Some(bucket.message())
            );
            assert_eq!(bucket.pad(&vec![1; most + 1], overhead), None);
            assert_eq!(Bucket::holding(most, overhead), Some(bucket));
            assert_ne!(Bucket::holding(most + 1, overhead), Some(bucket));
        }
        assert_eq!(bucket.pad(&[], bucket.message() + 1), None);
    }
    assert_eq!(Bucket::holding(usize::MAX, 48), None);
    assert_eq!(Bucket::Large.pad(&vec![0; 70_000], 48), None);
}

#[test]
fn padding_says_nothing() {
    let mut padded = Bucket::Small.pad(b"payload", 48).unwrap();
    assert_eq!(unpad(&padded), Some(&b"payload"[..]));
    *padded.last_mut().unwrap() = 1;
    assert_eq!(unpad(&padded), None);
}

proptest! {
    #[test]
    fn what_is_padded_is_unpadded(payload in prop::collection::vec(any::<u8>(), 0..1000), overhead in 0usize..200) {
        match Bucket::holding(payload.len(), overhead) {
            Some(bucket) => {
                let padded = bucket.pad(&payload, overhead).unwrap();
                prop_assert_eq!(padded.len() + overhead, bucket.message());
                prop_assert_eq!(unpad(&padded), Some(&payload[..]));
            }
            None => prop_assert!(Bucket::Large.pad(&payload, overhead).is_none()),
        }
    }

    #[test]
    fn junk_is_refused(junk in prop::collection::vec(any::<u8>(), 0..1100), key in any::<[u8; 32]>()) {
        let siv = Secret::new(key);
        prop_assert_eq!(open(&siv, &junk), None);
        let _ = unpad(&junk);
        for bucket in Bucket::ALL {
            let mut junk = junk.clone();
            junk.resize(bucket.record(), 0);
            prop_assert_eq!(open(&siv, &junk), None);
            let (_, sealed) = split_tray(&junk).unwrap();
            prop_assert_eq!(open_from_tray(&siv, sealed), None);
        }
        prop_assert_eq!(split_tray(&junk).is_some(), [376, 960].contains(&junk.len()));
    }
}
