//! A child process: the relay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wayside_noise::{Endpoint, EndpointConfig, Link, StaticKey};
use wayside_relay::{Limits, Owner, Tag};

use super::end::{End, LOOPBACK, RELAY_KEY};
use crate::Failure;
use crate::assignment::Ticket;
use crate::subjects::wayside::expectation;
use crate::usage::Usage;
use crate::worker::{self, Orders, parse, say, told};

/// What the relay can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Wait until both ends have so many links each.
    Links(u32),
    /// Open so many circuits, the links of both ends in turn.
    Open(u32),
    /// Say how many bytes were dropped since too much waited.
    Lost,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    /// For each end.
    Opened([Vec<Opened>; 2]),
    Lost(u64),
}

/// One end of a circuit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// Over which of the end's links.
    pub(super) link: u32,
    pub(super) circuit: u32,
    pub(super) keys: [u8; 32],
}

/// Runs it until the parent is done.
pub(crate) async fn run(links: &str) -> Result<(), Failure> {
    told(serve(parse::<u32>(links)?).await)
}

async fn serve(links: u32) -> Result<(), Failure> {
    worker::allow_many_files()?;
    let key = StaticKey::from_bytes(RELAY_KEY);
    let endpoint = Endpoint::bind(&[LOOPBACK], key, EndpointConfig::default()).await?;
    let limits = Limits { circuits: u32::MAX, friend_circuits: u32::MAX, ..Limits::default() };
    let (relay, _events) = endpoint.relay(limits, wayside_relay::Usage::default());
    let address = *endpoint.local_addresses().first().ok_or("an endpoint without an address")?;
    say(&worker::Answer::Ready(Some(Ticket { address, identity: Vec::new() })))?;
    // A gate holds for one link; there are fewer gates than links may be.
    let expect = |end: End, link: u32| endpoint.expect(expectation(end.number(link), end.key().public()));
    let mut held: BTreeMap<[u8; 16], Link> = BTreeMap::new();
    let (mut orders, mut tags) = (Orders::new(), 0u32);
    while let Some(order) = orders.next().await? {
        let answer = match order {
            worker::Order::Usage => {
                say(&worker::Answer::Usage(Usage::now()?))?;
                continue;
            }
            worker::Order::Relay(super::scene::Order::Forwarder(order)) => match order {
                Order::Links(count) => {
                    for link in 0..count.min(links) {
                        for end in End::BOTH {
                            expect(end, link);
                            let session = end.session(link);
                            let accepted = endpoint.accept().await.ok_or("no link")?;
                            endpoint.forget(accepted.session());
                            held.insert(session.0, accepted);
                        }
                    }
                    Answer::Done
                }
                Order::Open(count) => {
                    let mut opened = [Vec::new(), Vec::new()];
                    for circuit in 0..count {
                        let (link, mut tag) = (circuit % links, [0; 16]);
                        tags += 1;
                        tag.iter_mut().zip(tags.to_be_bytes()).for_each(|(to, from)| *to = from);
                        for (end, opened) in End::BOTH.into_iter().zip(&mut opened) {
                            let over = held.get(&end.session(link).0).ok_or("a link is missing")?;
                            let owner = Owner([end.number(0).to_be_bytes()[1]; 32]);
                            let it = relay.open(over, owner, Tag(tag)).map_err(|error| error.to_string())?;
                            opened.push(Opened {
                                link,
                                circuit: it.circuit.bits(),
                                keys: it.keys.to_bytes(),
                            });
                        }
                    }
                    Answer::Opened(opened)
                }
                Order::Lost => Answer::Lost(relay.lost()),
            },
            _ => return Err("a relay does no such thing".into()),
        };
        say(&worker::Answer::Relay(super::scene::Answer::Forwarder(answer)))?;
    }
    Ok(())
}
