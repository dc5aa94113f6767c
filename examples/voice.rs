//! A call: 160 bytes each 20 ms both ways, as a telephone's codec (G.711) makes them, in datagrams, which come late or never where the network is bad. Each
//! side tells what it heard: how many were lost, how long a round trip took, and the jitter.
//!
//! ```console
//! $ cargo run --example voice                     # two friends in one process, over loopback
//! $ cargo run --example voice -- HOME             # takes calls of the friends of a home that `wayside init` made
//! $ cargo run --example voice -- HOME FRIEND      # calls one of them
//! ```

#![allow(clippy::print_stdout)]

mod friends;

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, interval};
use wayside::link::Link;
use wayside::{Home, Node, NodeBuilder};

/// What the stream of a call speaks. It carries no voice: it is open for as long as the call lasts, and then carries what the other side heard.
const CALL: &str = "example-call/1";
/// A packet of voice: 20 ms of 8,000 bytes a second.
const SIZE: usize = 160;
const PACE: Duration = Duration::from_millis(20);
/// How long a call of this example lasts.
const CALL_LASTS: Duration = Duration::from_secs(5);
/// The longest sentence about what was heard, in bytes.
const MOST_SAID: u64 = 256;

/// Takes calls.
pub(crate) fn answers(builder: NodeBuilder) -> NodeBuilder {
    builder.serve(CALL, |peer, mut stream| async move {
        let mut nothing = [0];
        // Until the caller hangs up.
        let heard = talk(&peer.link, stream.recv.read(&mut nothing)).await?;
        println!("{} called, and here was heard: {heard}", peer.account);
        stream.send.write_all(heard.to_string().as_bytes()).await
    })
}

/// Calls a friend; returns what was heard here and, in the friend's words, there.
pub(crate) async fn call(
    node: &Node,
    friend: &str,
    lasts: Duration,
) -> Result<(Heard, String), Box<dyn Error>> {
    let peer = node.connect(friend).await?;
    let mut stream = peer.link.open(CALL).await?;
    let heard = talk(&peer.link, tokio::time::sleep(lasts)).await?;
    stream.send.finish();
    let mut there = String::new();
    (&mut stream.recv).take(MOST_SAID).read_to_string(&mut there).await?;
    Ok((heard, there))
}

/// Sends and listens until the end.
async fn talk<T>(link: &Link, end: impl Future<Output = T>) -> io::Result<Heard> {
    let began = Instant::now();
    let (mut heard, mut number, mut pace) = (Heard::default(), 0, interval(PACE));
    tokio::pin!(end);
    loop {
        tokio::select! {
            _ = &mut end => return Ok(heard),
            _ = pace.tick() => {
                let packet = Packet { number, sent: began.elapsed(), echo: heard.echo(began.elapsed()) };
                link.send_datagram(packet.to_bytes().into()).map_err(io::Error::other)?;
                number += 1;
            }
            datagram = link.datagram() => {
                if let Some(packet) = Packet::from_bytes(&datagram.map_err(io::Error::other)?) {
                    heard.packet(&packet, began.elapsed());
                }
            }
        }
    }
}

/// A packet: number 4 ‖ sent 8 ‖ echo 8, in microseconds ‖ voice.
struct Packet {
    number: u32,
    /// When, by the sender's clock, which began with its call.
    sent: Duration,
    /// When the packet heard last was sent, moved on by how long ago it came; zero before the first one. So whoever sent that one learns how long a round
    /// trip takes and needs no clock but its own (RFC 3550, section 6.4.1: LSR and DLSR).
    echo: Duration,
}

impl Packet {
    fn to_bytes(&self) -> Vec<u8> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX).to_be_bytes();
        let mut bytes = [&self.number.to_be_bytes()[..], &micros(self.sent), &micros(self.echo)].concat();
        bytes.resize(SIZE, 0);
        bytes
    }

    /// `None` for what is no packet of a call: datagrams of a link belong to all that is spoken over it.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (sent, rest) = rest.split_first_chunk()?;
        let (echo, _) = rest.split_first_chunk()?;
        (bytes.len() == SIZE).then(|| Self {
            number: u32::from_be_bytes(*number),
            sent: Duration::from_micros(u64::from_be_bytes(*sent)),
            echo: Duration::from_micros(u64::from_be_bytes(*echo)),
        })
    }
}

/// What was heard of the other side.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Packets that came.
    pub(crate) packets: u32,
    /// How many there would be without loss: numbers begin with zero.
    pub(crate) expected: u32,
    /// In seconds, as RFC 3550 defines it (section 6.4.1): how far the times between two packets differ at both ends, smoothed.
    pub(crate) jitter: f64,
    /// The least round trip.
    pub(crate) rtt: Option<Duration>,
    /// When the last one was sent, there, and came, here.
    last: Option<(Duration, Duration)>,
}

impl Heard {
    fn packet(&mut self, packet: &Packet, now: Duration) {
        self.packets += 1;
        self.expected = self.expected.max(packet.number.saturating_add(1));
        if let Some((sent, came)) = self.last {
            // RFC 3550, appendix A.8. The clocks of both ends need not agree: what they differ by cancels out.
            let here = now.as_secs_f64() - came.as_secs_f64();
            let there = packet.sent.as_secs_f64() - sent.as_secs_f64();
            self.jitter += ((here - there).abs() - self.jitter) / 16.0;
        }
        if !packet.echo.is_zero() {
            let rtt = now.saturating_sub(packet.echo);
            self.rtt = Some(self.rtt.map_or(rtt, |least| least.min(rtt)));
        }
        self.last = Some((packet.sent, now));
    }

    /// What to echo.
    fn echo(&self, now: Duration) -> Duration {
        self.last.map_or(Duration::ZERO, |(sent, came)| sent.saturating_add(now.saturating_sub(came)))
    }

    /// The share that was lost.
    pub(crate) fn lost(&self) -> f64 {
        f64::from(self.expected.saturating_sub(self.packets)) / f64::from(self.expected.max(1))
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, expected, .. } = self;
        let (lost, jitter) = (self.lost() * 100.0, self.jitter * 1000.0);
        write!(f, "{packets} of {expected} packets, {lost:.1} % lost, jitter {jitter:.3} ms")?;
        match self.rtt {
            Some(rtt) => write!(f, ", round trip {:.2} ms", rtt.as_secs_f64() * 1000.0),
            None => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tell = |(here, there): (Heard, String)| println!("here:   {here}\nthere:  {}", printable(&there));
    let Some(home) = arguments.first() else {
        let (ada, ben, _folder) = friends::two(answers).await?;
        println!("Ben calls Ada for {CALL_LASTS:?}…");
        tell(call(&ben, "Ada", CALL_LASTS).await?);
        ben.shutdown().await;
        ada.shutdown().await;
        return Ok(());
    };
    let node = answers(Node::builder(Home::open(home.as_ref())?, wayside::registry())).start().await?;
    match arguments.get(1) {
        Some(friend) => tell(call(&node, friend, CALL_LASTS).await?),
        None => tokio::signal::ctrl_c().await?,
    }
    node.shutdown().await;
    Ok(())
}

/// What a friend said, without what would steer the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
