//! The gate in front of a socket's receive buffers.

use std::{collections::VecDeque, io::IoSliceMut, sync::Arc};

use noq::udp::RecvMeta;

use super::{Gate, Verdict};
use crate::adapter::canonical;

/// Lets through what the gate admits, and keeps what the gate released for the next reading.
pub(crate) struct Sieve {
    gate: Arc<Gate>,
    /// Bounded by what one reading can release: a flight a datagram, and the next reading takes them out first.
    released: VecDeque<(RecvMeta, Vec<u8>)>,
}

impl Sieve {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, released: VecDeque::new() }
    }

    /// Closes the ranks over segments that are not admitted. The kernel hands several datagrams of one sender over as
    /// one buffer, each `stride` bytes long, the last one perhaps shorter: order keeps that so.
    pub(crate) fn keep_admitted(&mut self, buffer: &mut [u8], meta: &mut RecvMeta) {
        let filled = meta.len.min(buffer.len());
        let stride = meta.stride.clamp(1, filled.max(1));
        let remote = canonical(meta.addr);
        let (mut from, mut kept) = (0, 0);
        while from < filled {
            let end = from.saturating_add(stride).min(filled);
            let verdict =
                buffer.get(from..end).map_or(Verdict::Drop, |datagram| self.gate.judge(remote, datagram));
            match verdict {
                Verdict::Drop => {}
                Verdict::Pass => {
                    if kept < from {
                        buffer.copy_within(from..end, kept);
                    }
                    kept += end - from;
                }
                Verdict::Release(datagrams) => self.released.extend(datagrams.into_iter().map(|datagram| {
                    let mut meta = *meta;
                    (meta.len, meta.stride) = (datagram.len(), datagram.len());
                    (meta, datagram)
                })),
            }
            from = end;
        }
        meta.len = kept;
    }

    /// Hands over what was released, one datagram a buffer; how many buffers were filled. To be asked before the socket
    /// is, until there is nothing more.
    pub(crate) fn deliver(&mut self, buffers: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> usize {
        let mut filled = 0;
        for (buffer, meta) in buffers.iter_mut().zip(metas.iter_mut()) {
            let Some((of, datagram)) = self.released.pop_front() else { break };
            // A buffer that is too small would be a socket's mistake; the datagram is lost, as any may be.
            let Some(room) = buffer.get_mut(..datagram.len()) else { continue };
            room.copy_from_slice(&datagram);
            *meta = of;
            filled += 1;
        }
        filled
    }
}

impl std::fmt::Debug for Sieve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sieve")
    }
}

#[cfg(test)]
#[path = "sieve_tests.rs"]
mod tests;
