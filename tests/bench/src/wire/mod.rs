//! A wire with a delay and losses, made in user space: a process that passes packets on.
//!
//! Between two TAP devices in two network namespaces it carries whatever is sent, TCP too. Where those cannot be made, it forwards UDP
//! on the loopback interface.

mod tap;
mod udp;

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::worker::{self, Answer, Order};

/// What a wire does with packets, in either direction.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Wire {
    pub(crate) delay: Duration,
    /// Packets lost of a million.
    pub(crate) lost_per_million: u32,
    /// Makes the same losses again: the n-th packet of a direction has its fate.
    pub(crate) seed: u64,
}

/// What it is between.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ends {
    /// Two TAP devices, made under these names.
    Taps(String, String),
    /// A socket of its own on loopback, and the UDP server at this address.
    Udp(std::net::SocketAddr),
}

/// Runs as a process: makes the ends, says so, and passes packets on until its input ends.
pub(crate) fn run(wire: &str, ends: &str) -> Result<(), Failure> {
    let wire: Wire = worker::parse(wire)?;
    let cut = Arc::<AtomicBool>::default();
    let ticket = match worker::parse(ends)? {
        Ends::Taps(left, right) => {
            tap::join(wire, &cut, &left, &right)?;
            None
        }
        Ends::Udp(server) => Some(udp::forward(wire, &cut, server)?),
    };
    worker::say(&Answer::Ready(ticket))?;
    // Whoever started it holds the other end.
    for line in io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Order::Cut(is_cut) => cut.store(is_cut, Ordering::Relaxed),
            _ => return Err("a wire can be cut, and no more".into()),
        }
        worker::say(&Answer::Ready(None))?;
    }
    Ok(())
}

/// The largest packet: Ethernet's 1,514 bytes and room for a tag; UDP on loopback stays below by path MTU limits.
const LARGEST: usize = 2048;
/// Packets under way in one direction; beyond, they are lost. 25 ms at 10 Gbit/s are 20,000 packets.
const UNDER_WAY: usize = 20_000;

impl Wire {
    /// Passes on one direction, on two threads, until an end fails. `salt` gives each direction losses of its own. While it is cut, what is
    /// under way is lost too.
    fn carry(
        self,
        salt: u64,
        cut: &Arc<AtomicBool>,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize> + Send + 'static,
        write: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static,
    ) {
        let (queue, due) = sync_channel(UNDER_WAY);
        let mut dice = Dice(self.seed.wrapping_mul(2).wrapping_add(salt));
        let cut = Arc::clone(cut);
        thread::spawn(move || deliver(&due, &cut, write));
        thread::spawn(move || {
            let mut buffer = [0; LARGEST];
            loop {
                match read(&mut buffer) {
                    Ok(length) if dice.roll() >= self.lost_per_million => {
                        let packet = buffer.get(..length).unwrap_or_default().to_vec();
                        if !offer(&queue, (Instant::now() + self.delay, packet)) {
                            return;
                        }
                    }
                    Ok(_) => {}
                    // As when a device is not up yet, or ICMP reports that a socket is gone.
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
        });
    }
}

type Due = (Instant, Vec<u8>);

/// Whether anybody is left to deliver it. A full queue loses it.
fn offer(queue: &SyncSender<Due>, packet: Due) -> bool {
    !matches!(queue.try_send(packet), Err(TrySendError::Disconnected(_)))
}

fn deliver(due: &Receiver<Due>, cut: &AtomicBool, mut write: impl FnMut(&[u8]) -> io::Result<()>) {
    for (when, packet) in due {
        thread::sleep(when.saturating_duration_since(Instant::now()));
        if !cut.load(Ordering::Relaxed) {
            // A packet that cannot be delivered is lost, as on any wire.
            let _ = write(&packet);
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, seeded, and good enough to lose packets by.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Below a million.
    pub(crate) fn roll(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % 1_000_000) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_is_lost_and_the_same_again() {
        let lost = |seed| {
            let mut dice = Dice(seed);
            (0..100_000).filter(|_| dice.roll() < 10_000).collect::<Vec<u32>>()
        };
        assert!((900..1100).contains(&lost(7).len()), "{}", lost(7).len());
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
    }
}
