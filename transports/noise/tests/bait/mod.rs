//! What strangers send: everything that a QUIC server would answer, and what was recorded of others.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey, quic},
    hkdf,
};

pub(crate) const OURS: u32 = 0x7779_0002;
/// What a client whose path carries no more sends (RFC 9000, section 14.1).
const FIRST_DATAGRAM: usize = 1200;

/// xorshift64, so that a failure can be had again.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as u8
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

pub(crate) fn long_header(first: u8, version: u32, id: &[u8], source: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    packet.extend_from_slice(&version.to_be_bytes());
    packet.push(id.len() as u8);
    packet.extend_from_slice(id);
    packet.push(source.len() as u8);
    packet.extend_from_slice(source);
    packet
}

/// An Initial packet of 1200 bytes; its protected part is noise, as it is to whoever lacks the keys.
pub(crate) fn initial(version: u32, id: &[u8], source: &[u8], token: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut packet = long_header(0xc0 | noise.byte() & 0x0f, version, id, source);
    packet.push(token.len() as u8);
    packet.extend_from_slice(token);
    let rest = FIRST_DATAGRAM - packet.len() - 2;
    packet.extend_from_slice(&(0x4000 | rest as u16).to_be_bytes());
    packet.extend(noise.bytes(rest));
    packet
}

/// What any client of QUIC version 1 opens with, and any server of it reads and answers: an Initial packet protected as
/// RFC 9001, section 5.2, has it, around a TLS 1.3 ClientHello.
pub(crate) fn quic_v1(id: &[u8], source: &[u8], token: &[u8], noise: &mut Noise) -> Vec<u8> {
    let keys = V1Keys::of_client(id);
    let mut packet = long_header(0xc0, 1, id, source);
    packet.push(token.len() as u8);
    packet.extend_from_slice(token);
    let number_at = packet.len() + 2;
    packet.extend_from_slice(&(0x4000 | (FIRST_DATAGRAM - number_at) as u16).to_be_bytes());
    packet.push(0);
    let header = packet.clone();
    let hello = client_hello(source, noise);
    packet.extend_from_slice(&[0x06, 0]);
    packet.extend_from_slice(&(0x4000 | hello.len() as u16).to_be_bytes());
    packet.extend_from_slice(&hello);
    packet.resize(FIRST_DATAGRAM - 16, 0);
    let nonce = Nonce::assume_unique_for_key(keys.iv);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &keys.key).unwrap());
    let sealed = &mut packet[header.len()..];
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&header), sealed).unwrap();
    packet.extend_from_slice(tag.as_ref());
    let hp = quic::HeaderProtectionKey::new(&quic::AES_128, &keys.hp).unwrap();
    let mask = hp.new_mask(&packet[number_at + 4..number_at + 20]).unwrap();
    packet[0] ^= mask[0] & 0x0f;
    packet[number_at] ^= mask[1];
    packet
}

pub(crate) struct V1Keys {
    pub(crate) key: [u8; 16],
    pub(crate) iv: [u8; 12],
    pub(crate) hp: [u8; 16],
}

impl V1Keys {
    pub(crate) fn of_client(id: &[u8]) -> Self {
        // RFC 9001, section 5.2.
        const SALT: [u8; 20] = [
            0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
            0xcc, 0xbb, 0x7f, 0x0a,
        ];
        let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, &SALT).extract(id);
        let client: [u8; 32] = expand_label(&initial, "client in");
        let client = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &client);
        Self {
            key: expand_label(&client, "quic key"),
            iv: expand_label(&client, "quic iv"),
            hp: expand_label(&client, "quic hp"),
        }
    }
}

fn expand_label<const N: usize>(prk: &hkdf::Prk, label: &str) -> [u8; N] {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let label = format!("tls13 {label}");
    let (length, label_len) = ((N as u16).to_be_bytes(), [label.len() as u8]);
    let info: [&[u8]; 4] = [&length, &label_len, label.as_bytes(), &[0]];
    let mut out = [0; N];
    prk.expand(&info, Length(N)).unwrap().fill(&mut out).unwrap();
    out
}

/// RFC 8446, section 4.1.2, with the extensions that a QUIC server must see.
fn client_hello(source: &[u8], noise: &mut Noise) -> Vec<u8> {
    let extension =
        |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), body].concat();
    let share = [&[0x00, 0x24, 0x00, 0x1d, 0x00, 0x20][..], &noise.bytes(32)].concat();
    let parameters = [&[0x04, 0x04, 0x80, 0x10, 0x00, 0x00, 0x0f, source.len() as u8][..], source].concat();
    let extensions = [
        extension(0x0000, b"\x00\x0e\x00\x00\x0bexample.com"),
        extension(0x0010, b"\x00\x03\x02h3"),
        extension(0x000a, &[0x00, 0x02, 0x00, 0x1d]),
        extension(0x000d, &[0x00, 0x04, 0x04, 0x03, 0x08, 0x04]),
        extension(0x002b, &[0x02, 0x03, 0x04]),
        extension(0x0033, &share),
        extension(0x0039, &parameters),
    ]
    .concat();
    let mut body = vec![0x03, 0x03];
    body.extend(noise.bytes(32));
    body.extend_from_slice(&[0, 0x00, 0x02, 0x13, 0x01, 0x01, 0x00]);
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let length = (body.len() as u32).to_be_bytes();
    [&[0x01, length[1], length[2], length[3]][..], &body].concat()
}

/// Initial packets of many versions, with and without tokens, well formed and not.
pub(crate) fn initials(noise: &mut Noise) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for id_len in [0, 4, 7, 8, 12, 19, 20] {
        for token_len in [0, 16] {
            let (id, source, token) = (noise.bytes(id_len), noise.bytes(8), noise.bytes(token_len));
            all.push(quic_v1(&id, &source, &token, noise));
            // QUIC v1, v2, draft 29, a version that asks for negotiation, negotiation itself, ours, two beside ours.
            for version in [1, 0x6b33_43cf, 0xff00_001d, 0x0a1a_2a3a, 0, OURS - 1, OURS, OURS + 1] {
                all.push(initial(version, &id, &source, &token, noise));
            }
        }
    }
    all
}

/// Bait for version negotiation, Retry and stateless resets; packets cut short, and packets one behind the other.
pub(crate) fn bait(noise: &mut Noise) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for kind in [0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0] {
        for version in [0, 1, OURS] {
            let mut packet = long_header(kind, version, &noise.bytes(20), &noise.bytes(20));
            packet.extend(noise.bytes(1300));
            all.push(packet);
        }
    }
    // Ids too long, and packets cut short anywhere.
    all.push(long_header(0xc0, OURS, &noise.bytes(255), &[]));
    let whole = initial(OURS, &noise.bytes(20), &noise.bytes(8), &[], noise);
    let v1 = quic_v1(&noise.bytes(8), &noise.bytes(8), &[], noise);
    for length in (0..64).chain([400, 1199]) {
        all.push(whole[..length].to_vec());
        all.push(v1[..length].to_vec());
    }
    for (first, second) in [(&whole, &v1), (&v1, &whole), (&v1, &v1), (&whole, &whole)] {
        all.push([first.as_slice(), second].concat());
    }
    // 1-RTT packets to ids that nobody chose, of every size that a stateless reset would answer.
    for length in (1..200).chain([1200, 1472, 4000]) {
        let mut packet = noise.bytes(length);
        packet[0] = packet[0] & 0x3f | 0x40;
        all.push(packet);
    }
    all
}

/// Bytes without form, half of them behind a beginning that fits.
pub(crate) fn junk(noise: &mut Noise, count: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for round in 0..count {
        let length = usize::from(noise.byte()) * 6 + usize::from(noise.byte() & 7);
        let mut packet = noise.bytes(length);
        if round % 2 == 0 && packet.len() > 6 {
            packet[0] |= 0xc0;
            packet[1..5].copy_from_slice(&OURS.to_be_bytes());
            packet[5] = 20;
        }
        all.push(packet);
    }
    all
}

/// What can be made of a recorded datagram without its keys: cut, lengthened, doubled, with another datagram before or
/// behind it, with another version, with a token, and with any bit of its first bytes changed.
pub(crate) fn variations(recorded: &[u8], noise: &mut Noise) -> Vec<Vec<u8>> {
    let mut all = vec![recorded.to_vec(), [recorded, recorded].concat()];
    all.extend((0..recorded.len()).step_by(37).map(|length| recorded[..length].to_vec()));
    all.push([recorded, &noise.bytes(100)].concat());
    let v1 = quic_v1(&noise.bytes(8), &noise.bytes(8), &[], noise);
    all.push([recorded, &v1].concat());
    all.push([&v1, recorded].concat());
    for version in [0, 1, OURS - 1, OURS + 1] {
        let mut changed = recorded.to_vec();
        if let Some(at) = changed.get_mut(1..5) {
            at.copy_from_slice(&version.to_be_bytes());
        }
        all.push(changed);
    }
    for bit in 0..(60 * 8).min(recorded.len() * 8) {
        let mut changed = recorded.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        all.push(changed);
    }
    // Where an Initial packet has the length of its token.
    let token_at = 1 + 4 + 1 + 20 + 1 + 12;
    if recorded.len() > token_at {
        let token = noise.bytes(16);
        let (before, behind) = recorded.split_at(token_at);
        all.push([before, &[16], &token, &behind[1..]].concat());
    }
    all
}

#[test]
fn the_keys_of_quic_v1_are_those_of_rfc_9001() {
    // Appendix A.1.
    let keys = V1Keys::of_client(&[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]);
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    assert_eq!(hex(&keys.key), "1f369613dd76d5467730efcbe3b1a22d");
    assert_eq!(hex(&keys.iv), "fa044b2f42a3fd3b46fb255c");
    assert_eq!(hex(&keys.hp), "9f50449e04a0e810283a1e9933adedd2");
}
