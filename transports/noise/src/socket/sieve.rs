//! Only what the gate admits gets past here.

use std::{net::SocketAddr, sync::Arc};

use noq::udp::RecvMeta;

use crate::gate::Gate;

pub(super) struct Sieve(pub(super) Arc<Gate>);

impl Sieve {
    /// Closes the ranks over segments that are not admitted. The kernel hands several datagrams of one sender over as
    /// one buffer, each `stride` bytes long, the last one perhaps shorter: order keeps that so.
    pub(super) fn keep_admitted(&self, remote: SocketAddr, buffer: &mut [u8], meta: &mut RecvMeta) {
        let filled = meta.len.min(buffer.len());
        let stride = meta.stride.clamp(1, filled.max(1));
        let (mut from, mut kept) = (0, 0);
        while from < filled {
            let end = from.saturating_add(stride).min(filled);
            let admitted = buffer.get(from..end).is_some_and(|datagram| self.0.admits(remote, datagram));
            if admitted {
                if kept < from {
                    buffer.copy_within(from..end, kept);
                }
                kept += end - from;
            }
            from = end;
        }
        meta.len = kept;
    }
}

impl std::fmt::Debug for Sieve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sieve")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Ciphers, StaticKey};

    #[test]
    fn segments_close_ranks_over_those_that_are_dropped() {
        let gate = Gate::new(StaticKey::from_bytes([1; 32]), Ciphers::default(), Duration::from_secs(1));
        let datagram = |known: bool, length: usize| {
            let mut datagram = vec![0x40];
            datagram.extend(if known { gate.own_ids().mint() } else { [7; 12] });
            datagram.resize(length, length as u8);
            datagram
        };
        let sieve = Sieve(Arc::clone(&gate));
        for pattern in 0..16u8 {
            let lengths = [100, 100, 100, 40];
            let parts: Vec<_> = lengths
                .iter()
                .enumerate()
                .map(|(i, n)| (pattern >> i & 1 == 1, datagram(pattern >> i & 1 == 1, *n)))
                .collect();
            let mut buffer = parts.iter().flat_map(|(_, d)| d.clone()).collect::<Vec<_>>();
            let expected: Vec<u8> =
                parts.iter().filter(|(known, _)| *known).flat_map(|(_, d)| d.clone()).collect();
            let mut meta = RecvMeta::default();
            (meta.len, meta.stride) = (buffer.len(), 100);
            // What lies behind the received bytes is of an earlier time.
            buffer.extend([0x40; 60]);
            sieve.keep_admitted(meta.addr, &mut buffer, &mut meta);
            assert_eq!(buffer[..meta.len], expected, "pattern {pattern:04b}");
        }
    }
}
