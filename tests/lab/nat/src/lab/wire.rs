//! A wire between two machines: the kernel's, or one of ours with a delay, jitter and losses.
//!
//! Ours is two TAP devices and a thread a direction with a queue. This kernel may have no netem.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::ioctl::{Setter, ioctl};

use super::Failure;
use super::dice::Dice;
use super::shell::run;
use super::space::Space;

/// What a wire of ours does with packets, in either direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) delay: Duration,
    /// At most so much later: packets may overtake each other.
    pub(crate) jitter: Duration,
    /// Packets lost of a million.
    pub(crate) lost_per_million: u32,
    /// Every home has one; else one home of two does, which is enough for all that goes from one to the other.
    pub(crate) is_each: bool,
    /// Makes the same losses again: the n-th packet of a direction has its fate.
    pub(crate) seed: u64,
}

/// Joins a device of one machine with one of another; the second is still down.
pub(crate) fn join(wire: Option<Wire>, left: (&Space, &str), right: (&Space, &str)) -> Result<(), Failure> {
    let Some(wire) = wire else {
        let line = format!("link add {} type veth peer name {} netns {}", left.1, right.1, right.0.name());
        return left.0.ip(&[line]);
    };
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    // They stay until the threads end, which is when the devices have gone with their namespaces.
    let ends = [(left, 'l'), (right, 'r')].map(|((space, device), side)| {
        let name = format!("wn{}{side}{number}", std::process::id());
        let end = tap(&name)?;
        run("ip", &["link", "set", &name, "netns", space.name(), "name", device])?;
        Ok::<_, Failure>(end)
    });
    let [left, right] = ends;
    let (left, right) = (left?, right?);
    let (left_out, right_out) = (left.try_clone()?, right.try_clone()?);
    wire.carry(0, left, right_out);
    wire.carry(1, right, left_out);
    Ok(())
}

/// The largest packet: Ethernet's 1,514 bytes and room for a tag.
const LARGEST: usize = 2048;
/// Packets under way in one direction; beyond, they are lost.
const UNDER_WAY: usize = 20_000;

impl Wire {
    /// Passes on one direction until an end fails. `salt` gives each direction losses of its own.
    fn carry(self, salt: u64, mut from: File, to: File) {
        let (queue, due) = sync_channel(UNDER_WAY);
        let mut dice = Dice(self.seed.wrapping_mul(2).wrapping_add(salt));
        thread::spawn(move || deliver(&due, to));
        thread::spawn(move || {
            let mut buffer = [0; LARGEST];
            let mut failures = 0;
            while failures < MOST_FAILURES {
                let Ok(length) = from.read(&mut buffer) else {
                    // As when a device is not up yet, or is gone for good.
                    failures += 1;
                    thread::sleep(Duration::from_millis(1));
                    continue;
                };
                failures = 0;
                if dice.below(1_000_000) < u64::from(self.lost_per_million) {
                    continue;
                }
                let jitter = dice.below(u64::try_from(self.jitter.as_micros()).unwrap_or(0) + 1);
                let when = Instant::now() + self.delay + Duration::from_micros(jitter);
                if !offer(&queue, (when, buffer.get(..length).unwrap_or_default().to_vec())) {
                    return;
                }
            }
        });
    }
}

/// After so many in a row, a millisecond each, the device is gone.
const MOST_FAILURES: u32 = 5000;

type Due = (Instant, Vec<u8>);

/// Whether anybody is left to deliver it. A full queue loses it.
fn offer(queue: &SyncSender<Due>, packet: Due) -> bool {
    !matches!(queue.try_send(packet), Err(TrySendError::Disconnected(_)))
}

fn deliver(due: &Receiver<Due>, mut to: File) {
    let mut waiting = BinaryHeap::new();
    loop {
        let patience = match waiting.peek() {
            Some(Reverse((when, _))) => Instant::saturating_duration_since(when, Instant::now()),
            None => Duration::from_secs(3600),
        };
        match due.recv_timeout(patience) {
            Ok(packet) => waiting.push(Reverse(packet)),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(Reverse((_, packet))) = waiting.pop() {
                    // A packet that cannot be delivered is lost, as on any wire.
                    let _ = to.write(&packet);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// `struct ifreq` of `<linux/if.h>`, as TUNSETIFF reads it.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// `<linux/if_tun.h>`: whole Ethernet frames, nothing in front of them.
const IFF_TAP: i16 = 0x0002;
const IFF_NO_PI: i16 = 0x1000;
/// `_IOW('T', 202, int)`, the same on all architectures that Linux calls generic.
const TUNSETIFF: u32 = 0x4004_54ca;

fn tap(name: &str) -> Result<File, Failure> {
    let failed = |error: io::Error| format!("no TAP device {name}: {error}");
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun").map_err(failed)?;
    let mut request = Request { name: [0; 16], flags: IFF_TAP | IFF_NO_PI, rest: [0; 22] };
    // The last byte stays zero.
    for (byte, of_name) in request.name.iter_mut().take(15).zip(name.bytes()) {
        *byte = of_name;
    }
    #[expect(unsafe_code, reason = "no safe call of a maintained crate makes a TAP device")]
    // SAFETY: TUNSETIFF reads one `struct ifreq`, which `Request` is in size and layout, and keeps no pointer to it.
    let made = unsafe { ioctl(&device, Setter::<{ TUNSETIFF as _ }, Request>::new(request)) };
    made.map_err(|error| failed(error.into()))?;
    Ok(device)
}
