#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

/// A STUN message of this length that nobody waits for.
fn message(length: usize) -> Vec<u8> {
    let mut message = vec![0; length];
    message[1] = 0x11;
    message[2..4].copy_from_slice(&u16::try_from(length - 20).unwrap().to_be_bytes());
    message[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    assert!(is_stun(&message));
    message
}

/// What is left of datagrams that came in one buffer.
fn left(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let stride = datagrams[0].len();
    let mut buffer = datagrams.concat();
    let mut meta = RecvMeta::default();
    (meta.len, meta.stride) = (buffer.len(), stride);
    take_out(&Stun::new(), own(0), &mut buffer, &mut meta);
    buffer[..meta.len].to_vec()
}

#[tokio::test]
async fn stun_is_taken_out_wherever_it_is_in_a_buffer() {
    let (quic, short) = (vec![0x43; 100], vec![0x44; 60]);
    let (stun, short_stun) = (message(100), message(60));
    assert!(left(std::slice::from_ref(&stun)).is_empty());
    assert_eq!(left(&[quic.clone(), quic.clone(), short.clone()]), [&quic[..], &quic, &short].concat());
    assert_eq!(left(&[quic.clone(), quic.clone(), short_stun.clone()]), [&quic[..], &quic].concat());
    assert_eq!(left(&[quic.clone(), stun.clone(), short.clone()]), [&quic[..], &short].concat());
    assert_eq!(left(&[stun.clone(), quic.clone()]), quic);
    assert!(left(&[stun.clone(), stun, short_stun]).is_empty());
}

#[tokio::test]
async fn meta_of_a_lying_kernel_does_no_harm() {
    let mut buffer = message(40);
    for (len, stride) in [(0, 0), (40, 0), (1000, 1000), (40, 7), (21, 20)] {
        let mut meta = RecvMeta::default();
        (meta.len, meta.stride) = (len, stride);
        take_out(&Stun::new(), own(0), &mut buffer, &mut meta);
        assert!(meta.len <= len);
    }
}
