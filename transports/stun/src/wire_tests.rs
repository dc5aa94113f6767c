#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::net::SocketAddr;

use super::*;
use crate::answer;
use crate::{Answer, Request};

/// RFC 5769, sections 2.1 to 2.3. The passwords play no part: nothing here checks MESSAGE-INTEGRITY.
const SAMPLE_REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74\
    002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
const SAMPLE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643\
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
const SAMPLE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147\
    0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.replace(' ', "").as_bytes()).unwrap()
}

fn mapped(datagram: &[u8]) -> SocketAddr {
    let message = Message::read(datagram).unwrap();
    let asked = "192.0.2.9".parse().unwrap();
    let Some(Ok(Answer { mapped, .. })) = answer::read(&message, asked) else { panic!("no answer") };
    mapped
}

#[test]
fn the_samples_of_rfc_5769_read_as_they_should() {
    let request = bytes(SAMPLE_REQUEST);
    let message = Message::read(&request).unwrap();
    assert_eq!(message.class, MessageClass::Request);
    assert_eq!(message.id.0.to_vec(), bytes("b7e7a701bc34d686fa87dfae"));
    assert!(message.fingerprint);
    assert_eq!(message.value(0x8022).unwrap(), b"STUN test client");
    assert_eq!(message.unknown(attributes::is_base), [0x0024], "PRIORITY is ICE's");
    assert_eq!(mapped(&bytes(SAMPLE_V4)), "192.0.2.1:32853".parse().unwrap());
    assert_eq!(mapped(&bytes(SAMPLE_V6)), "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap());
}

#[test]
fn a_wrong_fingerprint_is_no_message() {
    // But for the two bytes that say that it is a fingerprint.
    for at in (0..80).filter(|at| ![72, 73].contains(at)) {
        let mut sample = bytes(SAMPLE_V4);
        sample[at] ^= 1;
        assert!(Message::read(&sample).is_none(), "byte {at}");
    }
}

#[test]
fn what_is_cut_or_has_more_behind_it_is_not_stun() {
    let sample = bytes(SAMPLE_REQUEST);
    assert!(is_stun(&sample));
    for length in 0..sample.len() {
        assert!(!is_stun(&sample[..length]), "{length}");
    }
    assert!(!is_stun(&[sample.clone(), vec![0; 4]].concat()));
    assert!(is_stun(&Request::plain().encode(TransactionId([0; 12]))));
}

#[test]
fn quic_is_not_stun() {
    let mut sample = bytes(SAMPLE_REQUEST);
    for first in 0..=255 {
        sample[0] = first;
        assert_eq!(is_stun(&sample), first < 64, "{first:#x}");
    }
}

#[test]
fn a_message_of_too_many_attributes_or_too_many_bytes_is_not_read() {
    let message = |attributes: usize, length: usize| {
        let one =
            [&[0xff, 0x01][..], &u16::try_from(length).unwrap().to_be_bytes(), &vec![0; length]].concat();
        let body = one.repeat(attributes);
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[0, 1][..], &length, &COOKIE, &[7; 12], &body].concat()
    };
    assert!(Message::read(&message(MOST_ATTRIBUTES, 0)).is_some());
    assert!(Message::read(&message(MOST_ATTRIBUTES + 1, 0)).is_none());
    assert!(Message::read(&message(1, 1_400)).is_some());
    assert!(Message::read(&message(1, 1_480)).is_none());
    // As many attributes as a datagram can claim.
    let most = message(16_380, 0);
    assert!(is_stun(&most) && Message::read(&most).is_none());
}

#[test]
fn an_attribute_longer_than_the_message_is_not_read() {
    for length in [1_u16, 4, 5, 0x7fff, 0xffff] {
        let [high, low] = length.to_be_bytes();
        let datagram = [&[0, 1, 0, 4][..], &COOKIE, &[7; 12], &[0x80, 0x22, high, low]].concat();
        assert!(is_stun(&datagram) && Message::read(&datagram).is_none(), "{length}");
    }
}

#[test]
fn what_follows_a_fingerprint_or_a_message_integrity_does_not_count() {
    let mut sample = bytes(SAMPLE_V4);
    // MAPPED-ADDRESS behind everything, and a length that counts it.
    sample.extend(bytes("000100080001000101020304"));
    sample[3] += 12;
    let message = Message::read(&sample).unwrap();
    assert!(message.fingerprint && message.first(attributes::MAPPED_ADDRESS).is_none());
    let integrity = bytes("00080014");
    let behind = [
        &bytes("0001002400")[..3],
        &[36],
        &COOKIE,
        &[7; 12],
        &integrity,
        &[0; 20],
        &bytes("000100080001000101020304"),
    ]
    .concat();
    let message = Message::read(&behind).unwrap();
    assert!(message.first(0x0008).is_some() && message.first(attributes::MAPPED_ADDRESS).is_none());
}

proptest::proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), stun in proptest::bool::ANY) {
        let mut datagram = bytes;
        if stun && datagram.len() >= HEADER {
            // As if it were: so that what is behind the header is reached.
            datagram.truncate(datagram.len() / 4 * 4);
            let length = u16::try_from(datagram.len() - HEADER).unwrap().to_be_bytes();
            datagram[0] &= 0x01;
            datagram[1] = 1 | datagram[1] & 0x10;
            datagram[2..4].copy_from_slice(&length);
            datagram[4..8].copy_from_slice(&COOKIE);
            assert!(is_stun(&datagram));
        }
        if let Some(message) = Message::read(&datagram) {
            answer::read(&message, "::1".parse().unwrap());
            Request::read(&message).ok();
        }
    }
}
