#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;

#[test]
fn what_is_sealed_opens_and_anything_else_does_not() {
    let key = Secret::new([7; 32]);
    for plain in [&b""[..], b"x", &[9; 1000]] {
        let sealed = seal(&key, b"beside", plain);
        assert_eq!(sealed.len(), plain.len() + OVERHEAD);
        assert_eq!(open(&key, b"beside", &sealed).unwrap(), plain);
        assert_eq!(open(&Secret::new([8; 32]), b"beside", &sealed), None);
        assert_eq!(open(&key, b"besides", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, b"beside", &changed), None);
            assert_eq!(open(&key, b"beside", &sealed[..at]), None);
        }
    }
}
