//! A child process: one of the two that are linked.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{MissedTickBehavior, interval, timeout};
use wayside_noise::{Circuit, Endpoint, EndpointConfig, Link, Remote, SessionId, StaticKey};
use wayside_relay::{CircuitId, Keys};

use super::forwarder::Opened;
use super::{Size, Way};
use crate::Failure;
use crate::assignment::Ticket;
use crate::subjects::wayside::{CLIENT_KEY, SERVER_KEY, expectation};
use crate::usage::Usage;
use crate::worker::{self, Orders, parse, say, told};

pub(super) const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
pub(super) const RELAY_KEY: [u8; 32] = [5; 32];
const TIMEOUT: Duration = Duration::from_secs(20);
/// Written and read at once.
const BUFFER: usize = 64 << 10;
/// Of one small datagram.
const SMALL: usize = 64;
/// Between two writes at a kept rate.
const TICK: Duration = Duration::from_millis(2);

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// Dials, and sends.
    Ann,
    /// Takes in.
    Bob,
}

impl End {
    pub(super) const BOTH: [Self; 2] = [Self::Ann, Self::Bob];

    pub(super) fn key(self) -> StaticKey {
        StaticKey::from_bytes(if self == Self::Ann { CLIENT_KEY } else { SERVER_KEY })
    }

    /// The number of a link with the relay.
    pub(super) fn number(self, link: u32) -> u32 {
        link + if self == Self::Ann { 1 << 16 } else { 2 << 16 }
    }

    pub(super) fn session(self, link: u32) -> SessionId {
        expectation(self.number(link), [0; 32]).session
    }
}

impl Way {
    fn number(self) -> u32 {
        if self == Self::Direct { 0 } else { 1 }
    }
}

/// What an end is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(super) end: End,
    pub(super) relay: SocketAddr,
    pub(super) size: Size,
}

/// What an end can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Make one more link with the relay.
    Join,
    /// These are your ends of circuits.
    Circuits(Vec<Opened>),
    /// Link with the other end, which is there.
    Link(Way, SocketAddr),
    /// Send so many bytes, and wait until they were read.
    Bulk(Way, u64),
    /// Send so many bytes a second for so long.
    Paced(Way, f64, Duration),
    /// Have so many small datagrams come back, one after the other.
    Echo(Way, u32),
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Took(Duration),
    /// How long sending took, how many packets went out, and how many of them were lost.
    Sent(Duration, u64, u64),
    /// How long each took, and how many did not come back.
    Echoed(Vec<Duration>, u32),
}

/// Runs it until the parent is done.
pub(crate) async fn run(part: &str) -> Result<(), Failure> {
    told(serve(&parse::<Part>(part)?).await)
}

struct State {
    endpoint: Endpoint,
    part: Part,
    with_relay: Vec<Link>,
    circuits: Vec<Circuit>,
    links: [Option<Link>; 2],
}

async fn serve(part: &Part) -> Result<(), Failure> {
    worker::allow_many_files()?;
    let mut config = EndpointConfig::default();
    config.max_udp_payload = part.size.largest().unwrap_or(config.max_udp_payload);
    let endpoint = Endpoint::bind(&[LOOPBACK], part.end.key(), config).await?;
    let address = *endpoint.local_addresses().first().ok_or("an endpoint without an address")?;
    if part.end == End::Bob {
        for way in Way::BOTH {
            endpoint.expect(expectation(way.number(), End::Ann.key().public()));
        }
    }
    say(&worker::Answer::Ready(Some(Ticket { address, identity: Vec::new() })))?;
    let mut state = State {
        endpoint,
        part: part.clone(),
        with_relay: Vec::new(),
        circuits: Vec::new(),
        links: [None, None],
    };
    let mut orders = Orders::new();
    loop {
        let order = tokio::select! {
            order = orders.next() => order?,
            link = state.endpoint.accept() => {
                tokio::spawn(answer(link.ok_or("the endpoint is closed")?));
                continue;
            }
        };
        let said = match order {
            None => return Ok(()),
            Some(worker::Order::Usage) => worker::Answer::Usage(Usage::now()?),
            Some(worker::Order::Relay(super::scene::Order::End(order))) => {
                worker::Answer::Relay(super::scene::Answer::End(state.obey(order).await?))
            }
            Some(_) => return Err("an end does no such thing".into()),
        };
        say(&said)?;
    }
}

impl State {
    async fn obey(&mut self, order: Order) -> Result<Answer, Failure> {
        match order {
            Order::Join => {
                let number = self.part.end.number(u32::try_from(self.with_relay.len())?);
                let relay = StaticKey::from_bytes(RELAY_KEY).public();
                let to = [Remote::Udp(self.part.relay)];
                let link = self.endpoint.connect(expectation(number, relay), to, TIMEOUT).await?;
                self.with_relay.push(link);
                Ok(Answer::Done)
            }
            Order::Circuits(opened) => {
                for it in opened {
                    let over = self.with_relay.get(usize::try_from(it.link)?).ok_or("no such link")?;
                    let circuit = CircuitId::from_bits(it.circuit).ok_or("no number of a circuit")?;
                    self.circuits.push(self.endpoint.circuit(over, circuit, Keys::from_bytes(it.keys)));
                }
                Ok(Answer::Done)
            }
            Order::Link(way, address) => {
                let to = match way {
                    Way::Direct => Remote::Udp(address),
                    Way::Relayed => Remote::Tunnel(self.circuits.first().ok_or("no circuit")?.id()),
                };
                let peer = End::Bob.key().public();
                let link = self.endpoint.connect(expectation(way.number(), peer), [to], TIMEOUT).await?;
                if link.kind().is_direct() != (way == Way::Direct) {
                    return Err("the link takes another way".into());
                }
                if let Some(place) = self.links.get_mut(way.number() as usize) {
                    *place = Some(link);
                }
                Ok(Answer::Done)
            }
            Order::Bulk(way, bytes) => {
                let began = Instant::now();
                let link = self.link(way)?;
                let mut stream = link.open("bulk").await?;
                let (buffer, mut left) = (vec![0x5a; BUFFER], bytes);
                while left > 0 {
                    let count = left.min(BUFFER as u64);
                    let part = buffer.get(..usize::try_from(count)?).unwrap_or(&buffer);
                    stream.send.write_all(part).await?;
                    left -= count;
                }
                stream.send.shutdown().await?;
                let read = stream.recv.read_u64().await?;
                if read == bytes {
                    Ok(Answer::Took(began.elapsed()))
                } else {
                    Err(format!("{read} of {bytes} bytes arrived").into())
                }
            }
            Order::Paced(way, rate, time) => self.paced(way, rate, time).await,
            Order::Echo(way, count) => self.echo(way, count).await,
        }
    }

    fn link(&self, way: Way) -> Result<&Link, Failure> {
        Ok(self.links.get(way.number() as usize).and_then(Option::as_ref).ok_or("there is no such link")?)
    }

    async fn paced(&self, way: Way, rate: f64, time: Duration) -> Result<Answer, Failure> {
        let link = self.link(way)?;
        let mut stream = link.open("bulk").await?;
        let before = link.stats();
        let (began, mut sent, buffer) = (Instant::now(), 0u64, vec![0x5a; BUFFER]);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < time {
            ticks.tick().await;
            let mut due = (rate * began.elapsed().as_secs_f64()) as u64;
            due = due.saturating_sub(sent);
            while due > 0 {
                let count = due.min(BUFFER as u64);
                let part = buffer.get(..usize::try_from(count)?).unwrap_or(&buffer);
                stream.send.write_all(part).await?;
                (sent, due) = (sent + count, due - count);
            }
        }
        stream.send.shutdown().await?;
        let read = stream.recv.read_u64().await?;
        if read != sent {
            return Err(format!("{read} of {sent} bytes arrived").into());
        }
        let after = link.stats();
        let packets = after.sent_packets - before.sent_packets;
        Ok(Answer::Sent(began.elapsed(), packets, after.lost_packets - before.lost_packets))
    }

    async fn echo(&self, way: Way, count: u32) -> Result<Answer, Failure> {
        let link = self.link(way)?;
        let (mut times, mut lost) = (Vec::new(), 0);
        for number in 0..count {
            let began = Instant::now();
            let mut datagram = vec![0x5a; SMALL];
            datagram.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
            link.send_datagram(datagram.clone().into())?;
            let back = async {
                while link.datagram().await? != datagram {}
                Ok::<_, Failure>(())
            };
            match timeout(Duration::from_secs(1), back).await {
                Ok(back) => back?,
                Err(_) => {
                    lost += 1;
                    continue;
                }
            }
            times.push(began.elapsed());
        }
        Ok(Answer::Echoed(times, lost))
    }
}

/// Takes in what streams bring and says how much it was, and sends datagrams back.
async fn answer(link: Link) {
    let echoing = async {
        while let Ok(datagram) = link.datagram().await {
            if link.send_datagram(datagram).is_err() {
                return;
            }
        }
    };
    let reading = async {
        while let Ok((_, mut stream)) = link.accept().await {
            tokio::spawn(async move {
                let (mut buffer, mut total) = (vec![0; BUFFER], 0u64);
                loop {
                    match stream.recv.read(&mut buffer).await {
                        Ok(0) => break,
                        Ok(count) => total += count as u64,
                        Err(_) => return,
                    }
                }
                // Whoever went away in the middle says why itself.
                let _ = stream.send.write_all(&total.to_be_bytes()).await;
                let _ = stream.send.shutdown().await;
            });
        }
    };
    tokio::join!(echoing, reading);
}
