//! `wayside/circuit/1`, the side that wants to be forwarded: one circuit, from its asking to its end.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use wayside_noise::{Circuit, Stream, TunnelId};
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::token::Purpose;
use wayside_relay::{CircuitId, Keys, Reason};

use super::serving::{Ask, MOST, NAME, Word};
use super::{Relays, lock};
use crate::driver::Driver;
use crate::links::{read_frame, write_frame};

/// What happens to a circuit that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The relay gave it. It carries nothing before the other end is there.
    Opened(TunnelId),
    /// The other end is there.
    Joined(TunnelId),
    /// It is over, or was never had.
    Over(Why),
}

/// Why there is no circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The relay cannot be reached.
    Unreachable,
    /// It says no, and after how long it may be asked again.
    Refused(String, Option<Duration>),
    /// It has ended it, and why.
    Ended(Reason),
    /// The link with the relay is gone.
    Lost,
}

/// How long getting to a relay may take.
const REACH: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Asks a relay for a circuit, and keeps it until the relay ends it or this is dropped.
pub(super) async fn keep(
    driver: Driver,
    relay: DeviceId,
    tag: [u8; 16],
    news: mpsc::Sender<(DeviceId, News)>,
) {
    let told = Told { relay, news };
    let why = match asked(&driver, tag, &told).await {
        Ok(why) => why,
        Err(error) => {
            tracing::debug!(%error, "a circuit is gone with its relay");
            Why::Lost
        }
    };
    told.tell(News::Over(why)).await;
}

/// Who wants to know.
struct Told {
    relay: DeviceId,
    news: mpsc::Sender<(DeviceId, News)>,
}

impl Told {
    async fn tell(&self, what: News) {
        // Whoever wanted to know has gone otherwise, and this is about to be dropped.
        let _ = self.news.send((self.relay, what)).await;
    }
}

async fn asked(driver: &Driver, tag: [u8; 16], told: &Told) -> io::Result<Why> {
    let (relays, relay) = (driver.relays(), told.relay);
    let Some(link) = driver.link_to_device(relay, REACH).await else { return Ok(Why::Unreachable) };
    let now = driver.clock().wall();
    let (Some(endpoint), Some(offered)) = (driver.reach().endpoint(), relays.offer_of(&relay)) else {
        return Ok(Why::Unreachable);
    };
    let Some(token) = offered.token(Purpose::Relay, now) else {
        return Ok(Why::Refused(Reason::Expired.to_string(), None));
    };
    let asking = async {
        let mut stream = link.open(NAME).await.map_err(io::Error::other)?;
        relays.greet(&link, &mut stream, &token).await?;
        write_frame(&mut stream.send, &Ask { tag }).await?;
        let word = read_frame::<Word>(&mut stream.recv, MOST).await?;
        Ok::<_, io::Error>((stream, word.ok_or(io::ErrorKind::UnexpectedEof)?))
    };
    let (stream, word) = timeout(ANSWER, asking).await??;
    let (circuit, keys) = match word {
        Word::Opened { circuit, keys } => (circuit, keys),
        Word::Refused { reason, retry } => {
            let retry = retry.map(Duration::from_secs);
            return Ok(Why::Refused(in_words(reason), retry));
        }
        Word::Joined | Word::Ended { .. } => return Err(io::ErrorKind::InvalidData.into()),
    };
    let circuit = CircuitId::from_bits(circuit).ok_or(io::ErrorKind::InvalidData)?;
    let circuit = endpoint.circuit(&link, circuit, Keys::from_bytes(keys));
    let carried = Carried::new(relays, circuit, offered.account);
    told.tell(News::Opened(carried.tunnel())).await;
    let Stream { send, mut recv, .. } = stream;
    loop {
        let word = tokio::select! {
            _ = link.closed() => return Ok(Why::Lost),
            word = read_frame::<Word>(&mut recv, MOST) => word?,
        };
        match word {
            Some(Word::Joined) => told.tell(News::Joined(carried.tunnel())).await,
            Some(Word::Ended { reason }) => {
                drop(send);
                return Ok(Why::Ended(Reason::from_number(reason).unwrap_or(Reason::Ending)));
            }
            Some(Word::Opened { .. } | Word::Refused { .. }) => return Err(io::ErrorKind::InvalidData.into()),
            None => return Ok(Why::Lost),
        }
    }
}

/// What a relay's number means; of a later version, that there is a reason.
fn in_words(number: u8) -> String {
    let reason = Reason::from_number(number);
    reason.map_or_else(|| "it has a reason that this version does not know".to_owned(), |it| it.to_string())
}

/// A circuit, and whom it leads through, for as long as there is one.
struct Carried<'a> {
    relays: &'a Relays,
    circuit: Circuit,
}

impl<'a> Carried<'a> {
    fn new(relays: &'a Relays, circuit: Circuit, through: AccountId) -> Self {
        lock(&relays.0.carriers).insert(circuit.id(), through);
        Self { relays, circuit }
    }

    fn tunnel(&self) -> TunnelId {
        self.circuit.id()
    }
}

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        lock(&self.relays.0.carriers).remove(&self.circuit.id());
    }
}
