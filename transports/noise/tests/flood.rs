//! What a flood of garbage costs links that exist, beside the same load on another port. A measurement, not a check:
//! `cargo test --release -p wayside-noise --test flood -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]
#![cfg(target_os = "linux")]

mod bait;
mod common;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bait::{Noise, OURS, initial};
use common::{Agreed, PATIENCE, loopback};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wayside_noise::{Expectation, Link, SessionId};

/// Of one reading of throughput, and of one of round trips.
const READING: Duration = Duration::from_millis(500);
const ROUNDS: usize = 5;

#[derive(Clone, Copy, PartialEq)]
enum Garbage {
    Random,
    /// Well-formed first datagrams with a tag that is nobody's.
    First,
    /// 1-RTT packets to ids that nobody chose.
    Short,
    /// 38 bytes with the fixed bit clear.
    Probe,
}

impl Garbage {
    fn make(self) -> Vec<Vec<u8>> {
        let mut noise = Noise(42);
        let one = |noise: &mut Noise| match self {
            Self::Random => noise.bytes(1200),
            Self::First => {
                let (id, source) = (noise.bytes(20), noise.bytes(12));
                initial(OURS, &id, &source, &[], noise)
            }
            Self::Short => {
                let mut packet = noise.bytes(1200);
                packet[0] = packet[0] & 0x3f | 0x40;
                packet
            }
            Self::Probe => {
                let mut packet = noise.bytes(38);
                packet[0] &= 0x3f;
                packet
            }
        };
        (0..512).map(|_| one(&mut noise)).collect()
    }
}

/// Sends at a rate, in bursts of a millisecond, until it is dropped.
struct Flood {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Flood {
    fn start(to: Option<SocketAddr>, garbage: Garbage, per_second: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        if let Some(to) = to {
            let stop = Arc::clone(&stop);
            threads.push(thread::spawn(move || {
                let (socket, all) = (UdpSocket::bind(loopback()).unwrap(), garbage.make());
                let (began, mut count) = (Instant::now(), 0u64);
                while !stop.load(Ordering::Relaxed) {
                    let due = (began.elapsed().as_secs_f64() * per_second as f64) as u64;
                    while count < due && !stop.load(Ordering::Relaxed) {
                        let _ = socket.send_to(&all[count as usize % all.len()], to);
                        count += 1;
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            }));
        }
        Self { stop, threads }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// A port that is read and dropped, or one that nobody reads.
fn foreign(read: bool) -> (SocketAddr, UdpSocket) {
    let socket = UdpSocket::bind(loopback()).unwrap();
    let address = socket.local_addr().unwrap();
    if read {
        let reader = socket.try_clone().unwrap();
        reader.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            let mut idle = 0;
            // Ends by itself when nothing comes any more.
            while idle < 60 {
                idle = if reader.recv(&mut buffer).is_ok() { 0 } else { idle + 1 };
            }
        });
    }
    (address, socket)
}

/// How many datagrams a second loopback carries from one sender to one reader: those that arrive.
fn loopback_carries() -> f64 {
    let socket = UdpSocket::bind(loopback()).unwrap();
    let flood = Flood::start(Some(socket.local_addr().unwrap()), Garbage::Random, u64::from(u32::MAX));
    let (began, mut buffer, mut count) = (Instant::now(), [0; 2048], 0);
    while began.elapsed() < Duration::from_secs(2) {
        socket.recv(&mut buffer).unwrap();
        count += 1;
    }
    drop(flood);
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// MB/s of a bulk transfer for a while, then the median round trip of small requests in µs.
async fn reading(from: &Link, to: &Link) -> (f64, f64) {
    let mut stream = from.open("test/bulk").await.unwrap();
    let until = Instant::now() + READING;
    let sending = tokio::spawn(async move {
        let chunk = vec![7; 64 << 10];
        while Instant::now() < until && stream.send.write_all(&chunk).await.is_ok() {}
        stream.send.finish();
        stream
    });
    let (_, mut theirs) = to.accept().await.unwrap();
    let (began, mut bytes, mut buffer) = (Instant::now(), 0, vec![0; 256 << 10]);
    loop {
        let count = theirs.recv.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        bytes += count;
    }
    let rate = bytes as f64 / 1e6 / began.elapsed().as_secs_f64();
    drop(sending.await.unwrap());

    let mut stream = from.open("test/requests").await.unwrap();
    stream.send.write_all(&[1]).await.unwrap();
    let (_, mut theirs) = to.accept().await.unwrap();
    let echo = tokio::spawn(async move {
        while let Ok(byte) = theirs.recv.read_u8().await {
            theirs.send.write_all(&[byte]).await.unwrap();
        }
    });
    stream.recv.read_u8().await.unwrap();
    let (mut trips, until) = (Vec::new(), Instant::now() + READING);
    while Instant::now() < until {
        let asked = Instant::now();
        stream.send.write_all(&[1]).await.unwrap();
        stream.recv.read_u8().await.unwrap();
        trips.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    echo.abort();
    (rate, median(trips))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn what_a_flood_of_garbage_costs() {
    let carries = loopback_carries();
    let rate = (carries / 2.0) as u64;
    println!("loopback carries {carries:.0} datagrams of 1200 bytes a second; the flood has {rate}");
    println!(
        "ratios are medians over {ROUNDS} alternating runs; bulk: higher is better, round trip: lower is better\n"
    );
    println!(
        "{:<34}{:>12}{:>12}{:>14}{:>14}{:>14}{:>14}{:>16}{:>12}",
        "", "quiet", "ours", "ours/read", "ours/unread", "trip o/read", "trip o/unread", "lost", "RSS +kB"
    );
    for (name, garbage, gates) in [
        ("random bytes", Garbage::Random, 1),
        ("first datagrams, 1 gate", Garbage::First, 1),
        ("first datagrams, 100 gates", Garbage::First, 100),
        ("short headers", Garbage::Short, 1),
        ("like probes", Garbage::Probe, 1),
    ] {
        row(name, garbage, gates, rate).await;
    }
}

async fn row(name: &str, garbage: Garbage, gates: u8, rate: u64) {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    for other in 1..gates {
        let session = SessionId([100 + other; 16]);
        server.expect(Expectation { session, gate: [other; 32].into(), ..agreed.of_client() });
    }
    server.expect(agreed.of_client());
    let to = server.local_addresses();
    let (dialled, accepted) =
        tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    let (read, _read) = foreign(true);
    let (unread, _unread) = foreign(false);
    reading(&dialled, &accepted).await;
    let before = resident();
    let mut lost = [0; 4];
    let (mut bulk, mut trips) = ([const { Vec::new() }; 4], [const { Vec::new() }; 4]);
    for round in 0..ROUNDS {
        for step in 0..4 {
            let at = (step + round) % 4;
            let flood = Flood::start([None, Some(read), Some(unread), Some(to[0])][at], garbage, rate);
            let lost_before = dialled.stats().lost_packets;
            let (rate, trip) = reading(&dialled, &accepted).await;
            lost[at] += dialled.stats().lost_packets - lost_before;
            drop(flood);
            bulk[at].push(rate);
            trips[at].push(trip);
        }
    }
    let grown = resident() as i64 - before as i64;
    let lost = format!("{}/{}", lost[3], lost[1]);
    let of = |all: &[Vec<f64>; 4], over: usize| {
        median(all[3].iter().zip(&all[over]).map(|(ours, other)| ours / other).collect())
    };
    println!(
        "{name:<34}{:>9.0} MB{:>9.0} MB{:>14.2}{:>14.2}{:>14.2}{:>14.2}{lost:>16}{grown:>12}",
        median(bulk[0].clone()),
        median(bulk[3].clone()),
        of(&bulk, 1),
        of(&bulk, 2),
        of(&trips, 1),
        of(&trips, 2),
    );
}
