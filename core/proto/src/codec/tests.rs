#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

#[derive(Debug, PartialEq, Eq, Encode, Decode)]
struct Sample {
    #[n(0)]
    one: u64,
    #[n(1)]
    two: Option<String>,
}

#[test]
fn a_struct_is_an_array_that_may_grow() {
    assert_eq!(encode(&Sample { one: 7, two: None }), [0x81, 7]);
    let read = |bytes: &[u8]| decode::<Sample>("a sample", bytes, 100);
    assert_eq!(read(&[0x81, 7]), Ok(Sample { one: 7, two: None }));
    assert_eq!(read(&[0x84, 7, 0xf6, 0x82, 1, 2, 0xa0]), Ok(Sample { one: 7, two: None }));
    assert!(read(&[0x80]).is_err());
    assert!(read(&[0x81, 7, 0]).is_err(), "bytes left over");
    assert!(decode::<Sample>("a sample", &[0x81, 7], 1).is_err(), "too long");
}

#[test]
fn claimed_lengths_and_depths_cost_nothing() {
    let huge = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 7];
    assert!(decode::<Sample>("a sample", &huge, 100).is_err());
    let bytes = [0x83, 7, 0xf6, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert!(decode::<Sample>("a sample", &bytes, 100).is_err());
    for nest in [0x81, 0x9f, 0xa1, 0xbf, 0xc1] {
        let deep = [vec![0x83, 7, 0xf6], vec![nest; 40_000]].concat();
        assert!(decode::<Sample>("a sample", &deep, 100_000).is_err());
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode::<Sample>("a sample", &bytes, 300);
        let _ = decode::<Vec<String>>("texts", &bytes, 300);
    }
}
