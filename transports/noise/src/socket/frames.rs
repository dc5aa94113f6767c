//! Takes frames of circuits out of what a socket received, before anything else looks at it.
//!
//! The kernel hands several datagrams of one sender over as one buffer. Mostly all of them are frames of one circuit: those are stripped where they are. Where the buffer
//! holds several things each goes its way, by runs of the same.

use std::{collections::VecDeque, fmt, ops::Range, sync::Arc};

use noq::udp::RecvMeta;
use wayside_path::Kind;
use wayside_relay::{HEADER, may_be_frame};

use super::{Shared, circuits::End, route::Route};

/// Datagrams that came through a circuit in one buffer with something else.
pub(super) struct Apart {
    pub(super) end: Arc<End>,
    pub(super) bytes: Vec<u8>,
    pub(super) stride: usize,
}

impl fmt::Debug for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apart").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Whose a datagram is.
enum Whose {
    /// No circuit's, as far as is known: QUIC's, a probe, a stranger's.
    Nobody,
    /// Of a circuit that ends here.
    Ours(Arc<End>),
    /// A frame that may be of a circuit which passes here.
    Passing,
}

/// Takes frames out of a buffer, and moves the rest together. What is to be forwarded is. Where the whole buffer came through one circuit that ends here, its datagrams stay, stripped:
/// returns that circuit. Datagrams of circuits that lay beside something else go to `apart`.
pub(super) fn take_out(
    shared: &Shared,
    from: Route,
    apart: &mut VecDeque<Apart>,
    buffer: &mut [u8],
    meta: &mut RecvMeta,
) -> Option<Arc<End>> {
    let (is_relay, has_circuits) = (shared.forwarder.is_on(), shared.circuits.any());
    if !is_relay && !has_circuits {
        return None;
    }
    let filled = meta.len.min(buffer.len());
    let stride = meta.stride.clamp(1, filled.max(1));
    if !buffer.get(..filled)?.chunks(stride).any(may_be_frame) {
        return None;
    }
    // No circuit leads through another one.
    if matches!(from, Route::Tunnel(_)) && shared.routes.kind(from) != Some(Kind::Tcp) {
        return None;
    }
    let runs = runs(shared, buffer.get(..filled)?, stride, is_relay);
    if let [(_, Whose::Ours(end))] = runs.as_slice() {
        let end = Arc::clone(end);
        hears(shared, &end, from);
        meta.len = strip(buffer.get_mut(..filled)?, stride);
        meta.stride = stride - HEADER;
        return Some(end);
    }
    let mut kept = 0;
    for (run, whose) in runs {
        match whose {
            Whose::Ours(end) => {
                hears(shared, &end, from);
                let mut bytes = buffer.get(run)?.to_vec();
                let length = strip(&mut bytes, stride);
                bytes.truncate(length);
                apart.push_back(Apart { end, bytes, stride: stride - HEADER });
            }
            Whose::Passing => {
                let mut at = run.start;
                while at < run.end {
                    let taken = shared.forward(from, buffer.get(at..run.end)?, stride);
                    let next = (at + taken.max(stride)).min(run.end);
                    if taken == 0 {
                        // It only looks like one.
                        buffer.copy_within(at..next, kept);
                        kept += next - at;
                    }
                    at = next;
                }
            }
            Whose::Nobody => {
                let length = run.len();
                buffer.copy_within(run, kept);
                kept += length;
            }
        }
    }
    meta.len = kept;
    None
}

/// Says of each stretch of a buffer whose it is.
fn runs(shared: &Shared, filled: &[u8], stride: usize, is_relay: bool) -> Vec<(Range<usize>, Whose)> {
    let mut runs: Vec<(Range<usize>, Whose)> = Vec::new();
    let mut at = 0;
    for datagram in filled.chunks(stride) {
        let end = at + datagram.len();
        let is_frame = may_be_frame(datagram);
        // Mostly it is as the one before.
        let goes_on = match runs.last() {
            Some((_, Whose::Nobody)) => !is_frame,
            Some((_, Whose::Ours(it))) => is_frame && it.owns(datagram),
            _ => false,
        };
        if !goes_on {
            let whose = match is_frame.then(|| shared.circuits.whose(datagram)) {
                None => Whose::Nobody,
                Some(Some(end)) => Whose::Ours(end),
                Some(None) if is_relay => Whose::Passing,
                Some(None) => Whose::Nobody,
            };
            if !matches!((runs.last(), &whose), (Some((_, Whose::Passing)), Whose::Passing)) {
                runs.push((at..at, whose));
            }
        }
        if let Some((run, _)) = runs.last_mut() {
            run.end = end;
        }
        at = end;
    }
    runs
}

/// Strips frames where they are, each but the last one as long as the others; returns how much is left.
fn strip(frames: &mut [u8], stride: usize) -> usize {
    let (mut at, mut kept) = (0, 0);
    while at < frames.len() {
        let end = (at + stride).min(frames.len());
        let datagram = (at + HEADER).min(end)..end;
        let length = datagram.len();
        frames.copy_within(datagram, kept);
        kept += length;
        at = end;
    }
    kept
}

/// What comes through a circuit shows that the path to its relay lives.
fn hears(shared: &Shared, end: &End, from: Route) {
    if let Some(address) = shared.called(from) {
        end.way.hears(address);
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
