//! `wayside/circuit/1`, the side that forwards: who may have a circuit, until when, and what was forwarded in this month.
//!
//! ```text
//!   friend                              relay
//!     hello, ask {tag}  ────────────>
//!                       <────────────  opened {circuit, keys}   or refused {reason, retry}
//!                       <────────────  joined                   once the other end is there
//!                       <────────────  ended {reason}
//!     end of the stream ────────────>                           the circuit is needed no more
//! ```

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use wayside_noise::{Endpoint, Link, RelayEvent, SendStream, Stream};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::token::{Purpose, Verified};
use wayside_relay::{CircuitId, Count, Limits, Month, Owner, Reason, Refusal, Tag, Usage};

use super::hello::GuestProtocol;
use super::{Judged, Relays, lock};
use crate::driver::Driver;
use crate::home;
use crate::links::{read_frame, write_frame};
use crate::store::{Store, StoreError};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/circuit/1";

/// What is asked for.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Ask {
    /// Alike at both ends.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) tag: [u8; 16],
}

/// What the relay says.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Word {
    #[n(0)]
    Opened {
        #[n(0)]
        circuit: u32,
        /// Up, then down.
        #[cbor(n(1), with = "minicbor::bytes")]
        keys: [u8; 32],
    },
    #[n(1)]
    Refused {
        #[n(0)]
        reason: u8,
        /// Seconds after which it may be worth asking again.
        #[n(1)]
        retry: Option<u64>,
    },
    #[n(2)]
    Joined,
    #[n(3)]
    Ended {
        #[n(0)]
        reason: u8,
    },
}

impl std::fmt::Debug for Word {
    /// Without keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opened { .. } => f.write_str("Opened(…)"),
            Self::Refused { reason, .. } => write!(f, "Refused({reason})"),
            Self::Joined => f.write_str("Joined"),
            Self::Ended { reason } => write!(f, "Ended({reason})"),
        }
    }
}

/// The largest frame of either side, in bytes.
pub(super) const MOST: usize = 64;
/// How long a friend may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether a token has expired.
const LOOK: Duration = Duration::from_secs(3600);
/// Things to be told of one circuit: two at most, since the last one ends it.
const WORDS: usize = 4;
/// How often what was forwarded is written down: so much at most is forgotten by a crash.
const KEEP_USAGE: Duration = Duration::from_secs(30);

/// Forwards.
pub(super) struct Serving {
    relay: wayside_noise::Relay,
    /// Whom to tell of which circuit.
    ends: Mutex<BTreeMap<(u64, CircuitId), Told>>,
}

/// Who has one end of a circuit.
struct Told {
    /// The key that it was asked for with, and the tag.
    asked: ([u8; 32], [u8; 16]),
    words: mpsc::Sender<Word>,
}

impl Serving {
    pub(super) fn set_limits(&self, limits: &home::Relay) {
        self.relay.set_limits(limits_of(limits));
    }

    pub(super) fn revoke(&self, account: &AccountId) {
        self.relay.revoke(Owner(account.0));
    }

    fn open(
        &self,
        link: &Link,
        account: &AccountId,
        subject: [u8; 32],
        tag: [u8; 16],
    ) -> Result<(CircuitId, Word, bool, mpsc::Receiver<Word>), Refusal> {
        // Held until it is known whom to tell, since the other end may come at once.
        let mut ends = lock(&self.ends);
        let asked = (subject, tag);
        // Who asks again has lost the link that it asked over before, which may not be known here yet. Joined with its own other half it would talk with itself.
        let before = |(_, told): &(&(u64, CircuitId), &Told)| told.asked == asked;
        if let Some(&end) = ends.iter().find(before).map(|(end, _)| end) {
            let (link, circuit) = end;
            ends.remove(&end);
            self.relay.close(link, circuit);
        }
        let opened = self.relay.open(link, Owner(account.0), Tag(tag))?;
        let (words, told) = mpsc::channel(WORDS);
        ends.insert((link.number(), opened.circuit), Told { asked, words });
        let word = Word::Opened { circuit: opened.circuit.bits(), keys: opened.keys.to_bytes() };
        Ok((opened.circuit, word, opened.joined.is_some(), told))
    }

    fn close(&self, link: &Link, circuit: CircuitId) {
        self.relay.close(link.number(), circuit);
        lock(&self.ends).remove(&(link.number(), circuit));
    }

    fn happened(&self, event: RelayEvent) {
        let mut ends = lock(&self.ends);
        match event {
            RelayEvent::Joined { link, circuit } => {
                if let Some(end) = ends.get(&(link, circuit)) {
                    // It has room for all that is ever told.
                    let _ = end.words.try_send(Word::Joined);
                }
            }
            RelayEvent::Ended { link, circuit, reason } => {
                if let Some(end) = ends.remove(&(link, circuit)) {
                    let _ = end.words.try_send(Word::Ended { reason: reason.number() });
                }
            }
            // Of a later version of the endpoint.
            _ => {}
        }
    }
}

impl Relays {
    /// Forwards from now on, to whom that is granted.
    pub(crate) fn serve(&self, driver: &Driver, endpoint: &Endpoint, usage: Usage, tasks: &TaskTracker) {
        let (relay, mut events) = endpoint.relay(limits_of(&self.limits()), usage.clone());
        let serving = Serving { relay, ends: Mutex::default() };
        if self.0.serving.set(serving).is_err() {
            return;
        }
        let relays = self.clone();
        driver.spawn(async move {
            while let Some(event) = events.recv().await {
                if let Some(serving) = relays.0.serving.get() {
                    serving.happened(event);
                }
            }
        });
        tasks.spawn(keep_usage(driver.clone(), usage));
    }

    /// How many circuits lead through here, and whose; and what was forwarded in this month.
    pub(crate) fn forwarded(&self) -> (Count, Usage) {
        let serving = self.0.serving.get();
        serving.map(|serving| (serving.relay.circuits(), serving.relay.usage())).unwrap_or_default()
    }

    /// Writes down what was forwarded, where that is more than was written before.
    pub(crate) async fn keep_usage(&self, driver: &Driver, kept: &mut Usage) -> Result<(), StoreError> {
        let (_, usage) = self.forwarded();
        if usage == *kept {
            return Ok(());
        }
        let bytes = write_usage(&usage);
        driver.store().run(move |store| store.keep_relay_usage(&bytes)).await?;
        *kept = usage;
        Ok(())
    }
}

async fn keep_usage(driver: Driver, mut kept: Usage) {
    let ending = driver.ending();
    loop {
        let is_over = ending.run_until_cancelled(tokio::time::sleep(KEEP_USAGE)).await.is_none();
        if let Err(error) = driver.relays().keep_usage(&driver, &mut kept).await {
            tracing::warn!(%error, "what was forwarded for friends was not written down");
        }
        if is_over {
            return;
        }
    }
}

fn limits_of(limits: &home::Relay) -> Limits {
    Limits {
        rate: limits.rate,
        month: limits.month,
        circuits: limits.circuits,
        friend_rate: limits.friend_rate,
        friend_month: limits.friend_month,
        friend_circuits: limits.friend_circuits,
        ..Limits::default()
    }
}

#[derive(Encode, Decode)]
struct KeptUsage {
    #[n(0)]
    month: u32,
    #[n(1)]
    total: u64,
    #[n(2)]
    friends: BTreeMap<AccountId, u64>,
}

fn write_usage(usage: &Usage) -> Vec<u8> {
    let friends = usage.friends.iter().map(|(owner, bytes)| (AccountId(owner.0), *bytes)).collect();
    let kept = KeptUsage { month: usage.month.0, total: usage.total, friends };
    minicbor::to_vec(kept).unwrap_or_default()
}

/// What was forwarded, as it was written down.
pub(super) fn read_usage(store: &Store) -> Result<Usage, StoreError> {
    let Some(bytes) = store.relay_usage()? else { return Ok(Usage::default()) };
    let kept: KeptUsage = minicbor::decode(&bytes)
        .map_err(|_| StoreError::Damaged("what was forwarded for friends cannot be read".into()))?;
    let friends = kept.friends.into_iter().map(|(account, bytes)| (Owner(account.0), bytes)).collect();
    Ok(Usage { month: Month(kept.month), total: kept.total, friends })
}

/// Gives circuits to whom they are granted.
#[derive(Debug)]
pub(crate) struct Circuits(pub(crate) Driver);

#[async_trait]
impl GuestProtocol for Circuits {
    fn purpose(&self) -> Purpose {
        Purpose::Relay
    }

    async fn accept(&self, peer: Judged, link: Link, stream: Stream) {
        if let Err(error) = self.serve(peer, &link, stream).await {
            tracing::debug!(%error, "a circuit was not served to its end");
        }
    }
}

impl Circuits {
    async fn serve(&self, peer: Judged, link: &Link, stream: Stream) -> std::io::Result<()> {
        let Stream { mut send, mut recv, .. } = stream;
        let ask = tokio::time::timeout(PATIENCE, read_frame::<Ask>(&mut recv, MOST)).await??;
        let Ask { tag } = ask.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let ending = Refusal { reason: Reason::Ending, retry: None };
        let serving = self.0.relays().0.serving.get();
        let opened = match (&peer, serving) {
            (Judged::Bad(reason), _) => Err(Refusal { reason: *reason, retry: None }),
            (Judged::Good { .. }, None) => Err(ending),
            (Judged::Good { account, token }, Some(serving)) => {
                serving.open(link, account, token.last, tag).map(|opened| (serving, *token, opened))
            }
        };
        let (serving, token, (circuit, word, is_joined, mut told)) = match opened {
            Ok(opened) => opened,
            Err(Refusal { reason, retry }) => {
                let retry = retry.map(|retry| retry.as_secs().saturating_add(1));
                write_frame(&mut send, &Word::Refused { reason: reason.number(), retry }).await?;
                send.finish();
                // Read before the stream is dropped.
                let _ = tokio::time::timeout(PATIENCE, send.finished()).await;
                return Ok(());
            }
        };
        let _end = End { serving, link, circuit };
        write_frame(&mut send, &word).await?;
        if is_joined {
            write_frame(&mut send, &Word::Joined).await?;
        }
        let mut nothing = [0; 1];
        let over = over(&self.0, token);
        tokio::pin!(over);
        loop {
            tokio::select! {
                reason = &mut over => {
                    let _ = end(&mut send, reason).await;
                    return Ok(());
                }
                // Whatever it is: the circuit is needed no more.
                _ = recv.read(&mut nothing) => return Ok(()),
                word = told.recv() => {
                    let Some(word) = word else { return Ok(()) };
                    if let Word::Ended { reason } = word {
                        return end(&mut send, reason).await;
                    }
                    write_frame(&mut send, &word).await?;
                }
            }
        }
    }
}

/// Says last that a circuit has ended, and why.
async fn end(send: &mut SendStream, reason: u8) -> std::io::Result<()> {
    write_frame(send, &Word::Ended { reason }).await?;
    send.finish();
    // Read before the stream is dropped.
    let _ = tokio::time::timeout(PATIENCE, send.finished()).await;
    Ok(())
}

/// Waits until a token counts no more: why that is. It may have been taken back between its being judged and the circuit's being there, in which case nobody ends that
/// circuit; of what happens later the relay is told.
async fn over(driver: &Driver, token: Verified) -> u8 {
    if let Err(reason) = driver.relays().whose(driver, Purpose::Relay, token).await {
        return reason.number();
    }
    loop {
        let now = driver.look(|engine, now| engine.time(now)).await.unwrap_or(token.expires);
        let left = token.expires.since(now);
        if left.is_zero() {
            return Reason::Expired.number();
        }
        // Not all at once, as a clock may be set meanwhile.
        tokio::time::sleep(left.min(LOOK)).await;
    }
}

/// Closes a circuit when its stream ends, however it ends.
struct End<'a> {
    serving: &'a Serving,
    link: &'a Link,
    circuit: CircuitId,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.serving.close(self.link, self.circuit);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_were_and_fit() {
        for (word, hex) in [
            (Word::Opened { circuit: 0x8000_0001, keys: [7; 32] }, None),
            (Word::Refused { reason: 7, retry: Some(3600) }, Some("82018207190e10")),
            (Word::Refused { reason: 1, retry: None }, Some("82018101")),
            (Word::Joined, Some("820280")),
            (Word::Ended { reason: 13 }, Some("8203810d")),
        ] {
            let bytes = minicbor::to_vec(&word).unwrap();
            assert!(bytes.len() <= MOST);
            assert_eq!(minicbor::decode::<Word>(&bytes).unwrap(), word);
            assert!(hex.is_none_or(|hex| data_encoding::HEXLOWER.encode(&bytes) == hex), "{bytes:02x?}");
        }
    }

    #[test]
    fn usage_comes_back_as_it_was() {
        let friends = [(Owner([1; 32]), 5), (Owner([2; 32]), u64::MAX)].into();
        let usage = Usage { month: Month(683), total: 7, friends };
        let kept: KeptUsage = minicbor::decode(&write_usage(&usage)).unwrap();
        assert_eq!((kept.month, kept.total, kept.friends.len()), (683, 7, 2));
    }
}
