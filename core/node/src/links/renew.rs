//! `wayside/renew/1`: over a link both sides look for a better way to each other, where it is not carried by UDP, or where one of them has moved.
//!
//! ```text
//!  the side that dialled                         the other
//!    proposal {number, how it is reached} ──────>  answers, and waits for the first one's packets
//!    dials what it reaches           <──────────  reply {number, how it is reached}
//!                                    <──────────  reply {no number}: it would like to be proposed to
//! ```

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wayside_noise::{Kind, Link, Meet, MeetEvent, RecvStream, Remote, Stream};
use wayside_proto::place::Candidates;
use wayside_proto::reach::{NatReport, Reach};

use super::{Peer, Protocol, read_frame, write_frame};
use crate::driver::Driver;
use crate::reach::Told;

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/renew/1";

/// How a side is reached now.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Word {
    /// Which renewal of this link it is for; in a reply, none where it is for none.
    #[n(0)]
    pub(crate) number: Option<u64>,
    #[n(1)]
    pub(crate) candidates: Candidates,
    #[n(2)]
    pub(crate) nat: NatReport,
}

/// The largest frame, in bytes: six candidates and a report.
const MOST: usize = 512;
/// Between two renewals of one link, which cost a few dozen packets.
const LEAST_PAUSE: Duration = Duration::from_secs(5);
/// While a link is not carried by UDP, it is looked for after so long, and then after twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(600);
/// How long the other side may take to reply.
const REPLY: Duration = Duration::from_secs(10);
/// For so long both sides ask for each other.
const ASKING: Duration = Duration::from_secs(20);
/// For so long they go on when a way was found, since a better one may be.
const BETTER: Duration = Duration::from_secs(2);
/// A relayed link's meeting goes on for so long, and finds what there is to find.
const MEETING: Duration = Duration::from_secs(45);
/// Machines' addresses change one after the other.
const SETTLED: Duration = Duration::from_millis(200);

/// Replies to friends who propose.
#[derive(Debug)]
pub(crate) struct Replier(pub(crate) Driver);

#[async_trait]
impl Protocol for Replier {
    async fn accept(&self, peer: Peer, stream: Stream) {
        // Who dialled proposes.
        if !peer.link.is_initiator()
            && let Err(error) = reply(&self.0, &peer, stream).await
        {
            tracing::debug!(%error, "no better way is looked for any more");
        }
    }
}

async fn reply(driver: &Driver, peer: &Peer, stream: Stream) -> io::Result<()> {
    let Stream { mut send, recv, .. } = stream;
    let (read, mut proposals) = mpsc::channel(1);
    let (mut moved, mut told) = (driver.reach().moved(), driver.reach().told());
    let link = &peer.link;
    let replying = async {
        // Held for as long as it may be of use.
        let (mut meeting, mut last): (Option<UnderWay>, u64) = (None, 0);
        loop {
            let over = meeting.as_ref().map(|it| it.over);
            tokio::select! {
                () = until(over) => meeting = None,
                event = next(&mut meeting) => match (event, &meeting) {
                    (Some(event), Some(it)) => heard(driver, peer, &it.reach, &it.meet, event).await,
                    _ => meeting = None,
                },
                proposal = proposals.recv() => {
                    let Some(Word { number: Some(number), candidates, nat }) = proposal else { return Ok(()) };
                    // The secrets of one number are used once.
                    if number <= last {
                        return Err(io::Error::other("a renewal had been before"));
                    }
                    last = number;
                    let reach = Reach { candidates, nat };
                    let met = driver.renew(peer, number, &reach);
                    let over = Instant::now() + ASKING;
                    meeting = met.map(|(meet, events)| UnderWay { meet, events, reach, over });
                    write_frame(&mut send, &word(driver, Some(number))).await?;
                }
                changed = moved.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    sleep(SETTLED).await;
                    write_frame(&mut send, &word(driver, None)).await?;
                }
                // It may be what was missing.
                Ok(()) = told.changed() => if link.kind() == Kind::Relayed {
                    sleep(SETTLED).await;
                    write_frame(&mut send, &word(driver, None)).await?;
                },
            }
        }
    };
    tokio::select! {
        replied = replying => replied,
        read = read_all(recv, read, LEAST_PAUSE) => read,
    }
}

/// As the side that dialled, proposes whenever a better way may be found; returns when the link ends, or the other side wants none of it.
pub(crate) async fn propose(driver: &Driver, peer: &Peer) -> io::Result<()> {
    let link = &peer.link;
    let Stream { mut send, recv, .. } = link.open(NAME).await.map_err(io::Error::other)?;
    let (read, mut replies) = mpsc::channel(1);
    let proposing = async {
        let mut wish = Wish::new(driver, link);
        for number in 1.. {
            wish.comes(&mut replies).await?;
            write_frame(&mut send, &word(driver, Some(number))).await?;
            let replied = async {
                loop {
                    match replies.recv().await {
                        Some(Word { number: Some(it), candidates, nat }) if it == number => {
                            return Ok(Reach { candidates, nat });
                        }
                        Some(_) => {}
                        None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                    }
                }
            };
            match timeout(REPLY, replied).await {
                Ok(reach) => look(driver, peer, number, &reach?).await,
                Err(_) => tracing::debug!("a friend does not say how it is reached now"),
            }
        }
        Ok(())
    };
    tokio::select! {
        proposed = proposing => proposed,
        read = read_all(recv, read, Duration::ZERO) => read,
    }
}

/// Asks for the peer wherever it says that it is, and has the link take what answers.
async fn look(driver: &Driver, peer: &Peer, number: u64, reach: &Reach) {
    let Some((meet, mut events)) = driver.renew(peer, number, reach) else { return };
    let mut over = Instant::now() + ASKING;
    loop {
        tokio::select! {
            () = sleep_until(over) => return,
            event = events.recv() => match event {
                Some(MeetEvent::Reached(way)) => {
                    tracing::debug!(remote = %way.remote, "another way to a friend was found");
                    peer.link.learn(Remote::Udp(way.remote));
                    over = over.min(Instant::now() + BETTER);
                }
                Some(event) => heard(driver, peer, reach, &meet, event).await,
                None => return,
            },
        }
    }
}

/// What both sides do of their own accord while they ask for each other.
async fn heard(driver: &Driver, peer: &Peer, reach: &Reach, meet: &Meet, event: MeetEvent) {
    match event {
        MeetEvent::GuessingBegan => driver.guesses(&peer.account),
        MeetEvent::Verify(ip) if driver.is_attested(reach, ip).await => meet.attested(ip),
        _ => {}
    }
}

/// A renewal that was proposed to us.
struct UnderWay {
    meet: Meet,
    events: mpsc::Receiver<MeetEvent>,
    /// What the peer said.
    reach: Reach,
    over: Instant,
}

async fn next(meeting: &mut Option<UnderWay>) -> Option<MeetEvent> {
    match meeting {
        Some(it) => it.events.recv().await,
        None => std::future::pending().await,
    }
}

/// When another renewal is wanted.
struct Wish<'a> {
    link: &'a Link,
    moved: tokio::sync::watch::Receiver<()>,
    told: tokio::sync::watch::Receiver<Told>,
    began: Instant,
    last: Option<Instant>,
    pause: Duration,
}

impl<'a> Wish<'a> {
    fn new(driver: &Driver, link: &'a Link) -> Self {
        let (moved, told) = (driver.reach().moved(), driver.reach().told());
        Self { link, moved, told, began: Instant::now(), last: None, pause: FIRST_PAUSE }
    }

    /// Waits until one is: while the link is not carried by UDP, when this machine has moved, or when the other side would like it.
    async fn comes(&mut self, replies: &mut mpsc::Receiver<Word>) -> io::Result<()> {
        let mut paths = self.link.events();
        let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
        loop {
            let is_wanted = !matches!(self.link.kind(), Kind::Udp { .. });
            if !is_wanted {
                self.pause = FIRST_PAUSE;
            }
            let is_relayed = self.link.kind() == Kind::Relayed;
            let earliest = if is_relayed { self.began + MEETING } else { self.began };
            let due = is_wanted.then(|| (Instant::now() + self.pause).max(earliest));
            tokio::select! {
                () = until(due) => {
                    self.pause = self.pause.saturating_mul(2).min(MOST_PAUSE);
                    break;
                }
                changed = self.moved.changed() => {
                    changed.map_err(|_| ended())?;
                    sleep(SETTLED).await;
                    break;
                }
                // What this machine knows of itself by now may be what was missing.
                Ok(()) = self.told.changed(), if is_relayed => {
                    sleep(SETTLED).await;
                    break;
                }
                reply = replies.recv() => {
                    reply.ok_or_else(ended)?;
                    break;
                }
                // It may travel otherwise than before.
                event = paths.recv() => {
                    if let Err(tokio::sync::broadcast::error::RecvError::Closed) = event {
                        return Err(ended());
                    }
                }
            }
        }
        if let Some(last) = self.last {
            sleep_until(last + LEAST_PAUSE).await;
        }
        self.last = Some(Instant::now());
        Ok(())
    }
}

/// Hands over what the other side says, at most once in so long.
async fn read_all(mut recv: RecvStream, words: mpsc::Sender<Word>, pause: Duration) -> io::Result<()> {
    while let Some(word) = read_frame::<Word>(&mut recv, MOST).await? {
        if words.send(word).await.is_err() {
            return Ok(());
        }
        sleep(pause).await;
    }
    Ok(())
}

fn word(driver: &Driver, number: Option<u64>) -> Word {
    let Reach { candidates, nat } = driver.reach().told().borrow().reach.clone();
    Word { number, candidates, nat }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
