#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

#[test]
fn the_derivation_is_hkdf_with_a_length_before_every_part() {
    let derived = derive::<42>(b"ikm", "label", &[b"one", b""]);
    let mut expected = [0; 42];
    Hkdf::<Sha256>::new(Some(b"wayside/1"), b"ikm")
        .expand(b"\x00\x05label\x00\x03one\x00\x00", &mut expected)
        .unwrap();
    assert_eq!(derived.expose(), &expected);
}

#[test]
fn sha256_is_that_of_the_parts_in_a_row() {
    assert_eq!(sha256(&[b"a", b"", b"bc"]), sha256(&[b"abc"]));
    let abc = data_encoding::HEXLOWER.encode(&sha256(&[b"abc"]));
    assert_eq!(abc, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

proptest! {
    #[test]
    fn where_one_part_ends_matters(bytes in prop::collection::vec(any::<u8>(), 2..40), a in 0usize..40, b in 0usize..40) {
        let (a, b) = (a % bytes.len(), b % bytes.len());
        let at = |cut: usize| derive::<32>(b"ikm", "label", &[&bytes[..cut], &bytes[cut..]]);
        prop_assert_eq!(at(a) == at(b), a == b);
        prop_assert_ne!(at(a), derive::<32>(b"ikm", "label", &[&bytes]));
    }

    #[test]
    fn label_and_parts_do_not_run_into_each_other(text in "[a-z]{1,12}", cut in 1usize..12) {
        let cut = cut.min(text.len());
        let whole = derive::<32>(b"ikm", &text, &[]);
        let parted = derive::<32>(b"ikm", &text[..cut], &[&text.as_bytes()[cut..]]);
        prop_assert_ne!(whole, parted);
    }

    #[test]
    fn a_shorter_output_is_the_beginning_of_a_longer(ikm in any::<[u8; 32]>()) {
        let (long, short) = (derive::<48>(&ikm, "slot", &[]), derive::<16>(&ikm, "slot", &[]));
        prop_assert_eq!(&long.expose()[..16], &short.expose()[..]);
    }
}
