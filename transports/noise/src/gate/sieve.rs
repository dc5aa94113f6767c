//! The gate in front of a socket's receive buffers.

use std::{collections::VecDeque, io::IoSliceMut, net::SocketAddr, sync::Arc};

use super::{Gate, Verdict};

/// What a QUIC library's socket says of a filled buffer: where it came from, how long it is, and how long each datagram
/// in it.
pub(crate) trait Received: Copy {
    fn from(&self) -> SocketAddr;

    fn set_from(&mut self, from: SocketAddr);

    /// The length of the whole, and that of one datagram.
    fn lengths(&mut self) -> (&mut usize, &mut usize);
}

impl Received for noq::udp::RecvMeta {
    fn from(&self) -> SocketAddr {
        self.addr
    }

    fn set_from(&mut self, from: SocketAddr) {
        self.addr = from;
    }

    fn lengths(&mut self) -> (&mut usize, &mut usize) {
        (&mut self.len, &mut self.stride)
    }
}

/// Lets through what the gate admits, and keeps what the gate released for the next reading.
pub(crate) struct Sieve<M = noq::udp::RecvMeta> {
    gate: Arc<Gate>,
    /// Bounded by what one reading can release: a flight a datagram, and the next reading takes them out first.
    released: VecDeque<(M, Vec<u8>)>,
}

impl<M: Received> Sieve<M> {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, released: VecDeque::new() }
    }

    /// Closes the ranks over segments that are not admitted. The kernel hands several datagrams of one sender over as
    /// one buffer, each `stride` bytes long, the last one perhaps shorter: order keeps that so.
    pub(crate) fn keep_admitted(&mut self, buffer: &mut [u8], meta: &mut M) {
        let remote = meta.from();
        let (length, stride) = meta.lengths();
        let filled = (*length).min(buffer.len());
        let stride = (*stride).clamp(1, filled.max(1));
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
                    let (length, stride) = meta.lengths();
                    (*length, *stride) = (datagram.len(), datagram.len());
                    (meta, datagram)
                })),
            }
            from = end;
        }
        *meta.lengths().0 = kept;
    }

    /// Has what was released under one address come from another one: what the socket calls it from now on.
    pub(crate) fn rename(&mut self, before: SocketAddr, after: SocketAddr) {
        for (meta, _) in &mut self.released {
            if meta.from() == before {
                meta.set_from(after);
            }
        }
    }

    /// Whether anything was released that nobody has taken yet.
    pub(crate) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    /// Hands over what was released, one datagram a buffer; how many buffers were filled. To be asked before the socket
    /// is, until there is nothing more.
    pub(crate) fn deliver(&mut self, buffers: &mut [IoSliceMut<'_>], metas: &mut [M]) -> usize {
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

impl<M> std::fmt::Debug for Sieve<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sieve")
    }
}

#[cfg(test)]
#[path = "sieve_tests.rs"]
mod tests;
