//! Packet and header keys in noq's clothes.

use std::hash::{Hash, Hasher};

use bytes::BytesMut;
use noq_proto::{
    PathId,
    crypto::{self, CryptoError, KeyPair, Keys},
};

use crate::core::packet::{Both, HeaderKey, LevelKeys, PacketKey, SAMPLE_LEN, TAG_LEN};

/// All keys of one level.
pub(super) fn key_set(keys: LevelKeys) -> Keys {
    let header = |key| Box::new(Header(key)) as Box<dyn crypto::HeaderKey>;
    Keys {
        header: KeyPair { local: header(keys.header.local), remote: header(keys.header.remote) },
        packet: packet_pair(keys.packet),
    }
}

/// The packet keys alone, for a key update.
pub(super) fn packet_pair(keys: Both<PacketKey>) -> KeyPair<Box<dyn crypto::PacketKey>> {
    let packet = |key| Box::new(Packet(key)) as Box<dyn crypto::PacketKey>;
    KeyPair { local: packet(keys.local), remote: packet(keys.remote) }
}

struct Packet(PacketKey);

impl crypto::PacketKey for Packet {
    fn encrypt(&self, path: PathId, number: u64, packet: &mut [u8], header_len: usize) {
        let Some((header, rest)) = packet.split_at_mut_checked(header_len) else { return };
        let Some((payload, tag_at)) = rest.split_last_chunk_mut::<TAG_LEN>() else { return };
        match self.0.seal(path_number(path), number, header, payload) {
            Ok(tag) => *tag_at = tag,
            // Never plain text on the wire, whatever went wrong.
            Err(_) => payload.fill(0),
        }
    }

    fn decrypt(
        &self,
        path: PathId,
        number: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        let length = self.0.open(path_number(path), number, header, payload).map_err(|_| CryptoError)?.len();
        payload.truncate(length);
        Ok(())
    }

    fn tag_len(&self) -> usize {
        TAG_LEN
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.cipher().confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.0.cipher().integrity_limit()
    }
}

struct Header(HeaderKey);

impl crypto::HeaderKey for Header {
    fn decrypt(&self, number_at: usize, packet: &mut [u8]) {
        self.0.unprotect(number_at, packet);
    }

    fn encrypt(&self, number_at: usize, packet: &mut [u8]) {
        self.0.protect(number_at, packet);
    }

    fn sample_size(&self) -> usize {
        SAMPLE_LEN
    }
}

/// noq keeps the number private, but its `Hash` writes exactly that (noq-proto 1.4.0, `connection/paths.rs`). noq's
/// version is pinned, and the test below would notice.
pub(crate) fn path_number(path: PathId) -> u32 {
    struct Capture(u32);
    impl Hasher for Capture {
        fn write_u32(&mut self, number: u32) {
            self.0 = number;
        }
        fn write(&mut self, _bytes: &[u8]) {}
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut capture = Capture(0);
    path.hash(&mut capture);
    capture.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_id_gives_up_its_number() {
        assert_eq!(path_number(PathId::ZERO), 0);
        assert_eq!(path_number(PathId::ZERO.saturating_add(7u8)), 7);
        assert_eq!(path_number(PathId::MAX), u32::MAX);
    }
}
