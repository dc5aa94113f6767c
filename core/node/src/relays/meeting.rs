//! Which circuits a session has: at once with every relay that both sides know, so that a link comes up; two of them while the link is relayed, so that it
//! survives one; and none once it is direct.
//!
//! Both sides do the same without a word to each other: they know the same relays, and a relay keeps the half that came first for some minutes.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use wayside_noise::{Kind, Link, LinkEvent, Meet, Remote, TunnelId};
use wayside_proto::crypto::keys::DeviceId;
use wayside_proto::engine::{Session as Secrets, StepKind};
use wayside_relay::Reason;

use super::asking::{self, News, Why};
use super::choice::{networks, two};
use crate::driver::{Driver, Want};

/// The circuits of one session. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Circuits {
    wishes: watch::Sender<Wishes>,
    _end: DropGuard,
}

/// What is known of the session.
#[derive(Clone, Debug, Default)]
struct Wishes {
    /// Those that both sides know, the best first.
    relays: Vec<DeviceId>,
    link: Option<Link>,
    /// There is no direct way so far.
    is_stuck: bool,
}

/// The most relays that are asked for one session.
const MOST: usize = 3;
/// How many circuits a link has that is relayed.
const SPARE: usize = 2;
/// How long a link has to be direct before its circuits are closed.
const DIRECT: Duration = Duration::from_secs(1);
/// How long there may be neither link nor relay before relays are wanted by bridges.
const ALONE: Duration = Duration::from_secs(3);
/// After a circuit came to nothing; twice as long each time, at most [`MOST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(60);
/// After a relay said no without a word of when to ask again.
const REFUSED: Duration = Duration::from_secs(120);
/// News that may wait.
const NEWS: usize = 16;

impl Circuits {
    /// Asks for them from now on.
    pub(crate) fn begin(driver: &Driver, secrets: Secrets, relays: Vec<DeviceId>, meet: &Arc<Meet>) -> Self {
        let (wishes, heard) = watch::channel(Wishes { relays, ..Wishes::default() });
        let end = CancellationToken::new();
        let (news, happened) = mpsc::channel(NEWS);
        let work = Work {
            driver: driver.clone(),
            secrets,
            meet: Arc::downgrade(meet),
            wishes: heard,
            news,
            ends: BTreeMap::new(),
            tasks: JoinSet::new(),
            began: Instant::now(),
            direct: None,
            alone: Instant::now(),
            wants: Vec::new(),
        };
        let ending = end.clone();
        driver.spawn(async move {
            ending.run_until_cancelled(work.run(happened)).await;
        });
        Self { wishes, _end: end.drop_guard() }
    }

    /// These are the relays that both sides know, from now on.
    pub(crate) fn relays(&self, relays: Vec<DeviceId>) {
        self.wishes.send_if_modified(|wishes| {
            let is_news = wishes.relays != relays;
            wishes.relays = relays;
            is_news
        });
    }

    /// The link is up.
    pub(crate) fn linked(&self, link: Link) {
        self.wishes.send_modify(|wishes| wishes.link = Some(link));
    }

    /// Whether there will be none any more: the link is direct, or has ended.
    pub(crate) fn are_over(&self) -> bool {
        self.wishes.is_closed()
    }

    /// No direct way was found so far.
    pub(crate) fn stuck(&self) {
        self.wishes.send_modify(|wishes| wishes.is_stuck = true);
    }
}

struct Work {
    driver: Driver,
    secrets: Secrets,
    meet: Weak<Meet>,
    wishes: watch::Receiver<Wishes>,
    news: mpsc::Sender<(DeviceId, News)>,
    ends: BTreeMap<DeviceId, End>,
    /// Each keeps one circuit; aborted on drop.
    tasks: JoinSet<()>,
    began: Instant,
    /// Since when the link is direct.
    direct: Option<Instant>,
    /// Since when there is nothing through which packets go, as far as is known here.
    alone: Instant,
    /// Relays that are wanted by bridges.
    wants: Vec<Want>,
}

/// Our end of one circuit, or what became of it.
#[derive(Debug, Default)]
struct End {
    state: State,
    /// How often in a row it came to nothing.
    failed: u32,
}

#[derive(Debug)]
enum State {
    /// It was asked for; whether the relay has given it.
    Asked(AbortHandle, bool),
    /// The other end is there.
    Joined(AbortHandle, TunnelId),
    /// It is not asked for before then; whether that is because the relay is out of reach.
    Resting(Instant, bool),
}

impl Default for State {
    fn default() -> Self {
        Self::Resting(Instant::now(), false)
    }
}

impl Work {
    async fn run(mut self, mut happened: mpsc::Receiver<(DeviceId, News)>) {
        let mut links = self.driver.links_changed();
        let mut moves: Option<(u64, broadcast::Receiver<LinkEvent>)> = None;
        loop {
            let wishes = self.wishes.borrow_and_update().clone();
            if let Some(link) = &wishes.link
                && moves.as_ref().is_none_or(|(number, _)| *number != link.number())
            {
                // Before it is looked at, so that no move falls in between.
                moves = Some((link.number(), link.events()));
            }
            let due = self.decide(&wishes);
            if self.direct.is_some_and(|since| since.elapsed() >= DIRECT) {
                return;
            }
            tokio::select! {
                changed = self.wishes.changed() => if changed.is_err() { return },
                news = happened.recv() => if let Some((relay, news)) = news {
                    self.happened(&wishes, relay, news);
                },
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                is_over = over(wishes.link.as_ref(), moves.as_mut().map(|(_, moves)| moves)) => {
                    // Another one may have taken its place.
                    if is_over && !self.wishes.has_changed().unwrap_or(false) {
                        return;
                    }
                }
                changed = links.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.hurry();
                }
                () = until(due) => {}
            }
        }
    }

    /// Asks for what is wanted, and says when to decide again.
    fn decide(&mut self, wishes: &Wishes) -> Option<Instant> {
        let now = Instant::now();
        match &wishes.link {
            Some(link) if link.kind() != Kind::Relayed => {
                return Some(*self.direct.get_or_insert(now) + DIRECT);
            }
            _ => self.direct = None,
        }
        let joined = self.ends.values().filter(|end| matches!(end.state, State::Joined(..))).count();
        if joined > 0 {
            self.alone = now;
            self.wants.clear();
        }
        if let Some(link) = &wishes.link
            && joined >= SPARE
        {
            self.trim(wishes, link);
            return None;
        }
        let mut due = None;
        for relay in wishes.relays.iter().take(MOST) {
            let end = self.ends.entry(*relay).or_default();
            let State::Resting(until, _) = end.state else { continue };
            if until > now {
                due = Some(due.map_or(until, |due: Instant| due.min(until)));
                continue;
            }
            let tag = self.secrets.circuit(relay);
            let keeping = asking::keep(self.driver.clone(), *relay, tag, self.news.clone());
            end.state = State::Asked(self.tasks.spawn(keeping), false);
        }
        if joined == 0 {
            let alone = self.alone + ALONE;
            if wishes.is_stuck && wishes.link.is_none() || alone <= now {
                self.want_relays(wishes);
            } else {
                due = Some(due.map_or(alone, |due| due.min(alone)));
            }
        }
        due
    }

    /// As the side that chooses, closes what is more than a link has to have.
    fn trim(&mut self, wishes: &Wishes, link: &Link) {
        if !link.is_initiator() {
            return;
        }
        let in_use = link.tunnel();
        let mut usable: Vec<_> = wishes
            .relays
            .iter()
            .filter_map(|relay| {
                let State::Joined(_, tunnel) = self.ends.get(relay)?.state else { return None };
                let offered = self.driver.relays().offer_of(relay)?;
                Some((*relay, Some(tunnel) == in_use, networks(offered.addresses())))
            })
            .collect();
        // What carries the link stays.
        usable.sort_by_key(|(_, is_in_use, _)| !is_in_use);
        let usable: Vec<_> = usable.into_iter().map(|(relay, _, networks)| (relay, networks)).collect();
        let kept = two(&usable);
        for (relay, end) in &mut self.ends {
            let (State::Joined(task, _) | State::Asked(task, _)) = &end.state else { continue };
            if !kept.contains(relay) {
                task.abort();
                end.state = State::default();
            }
        }
    }

    /// Where no relay can be reached, they are wanted by bridges, as anybody is.
    fn want_relays(&mut self, wishes: &Wishes) {
        let relays = || wishes.relays.iter().take(MOST);
        let is_away = |relay: &DeviceId| {
            let state = self.ends.get(relay).map(|end| &end.state);
            matches!(state, Some(State::Resting(_, true) | State::Asked(_, false)))
        };
        if !self.wants.is_empty() || relays().next().is_none() || !relays().all(is_away) {
            return;
        }
        let accounts = relays().filter_map(|relay| Some(self.driver.relays().offer_of(relay)?.account));
        // Whom we are meeting may be a relay itself, and is wanted anyway.
        let accounts = accounts.filter(|account| *account != self.secrets.account);
        self.wants = accounts.map(|account| self.driver.want(account)).collect();
    }

    /// A link has come or gone: one with a relay, perhaps.
    fn hurry(&mut self) {
        for (relay, end) in &mut self.ends {
            let is_there = self.driver.relays().offer_of(relay).is_some_and(|offered| {
                self.driver.links().of(&offered.account).is_some_and(|live| live.peer.device == *relay)
            });
            if is_there && matches!(end.state, State::Resting(_, true)) {
                end.state = State::default();
            }
        }
    }

    fn happened(&mut self, wishes: &Wishes, relay: DeviceId, news: News) {
        let Some(end) = self.ends.get_mut(&relay) else { return };
        let again = |failed: u32| Instant::now() + (PAUSE * (1 << failed.min(6))).min(MOST_PAUSE);
        match (news, &end.state) {
            (News::Opened(_), State::Asked(task, _)) => end.state = State::Asked(task.clone(), true),
            (News::Joined(tunnel), State::Asked(task, _)) => {
                end.failed = 0;
                let way = Remote::Tunnel(tunnel);
                match (&wishes.link, self.meet.upgrade()) {
                    // It came too late: not a byte of a direct link's is to go through it.
                    (Some(link), _) if link.kind() != Kind::Relayed => {
                        task.abort();
                        end.state = State::default();
                        return;
                    }
                    (Some(link), _) => link.learn(way),
                    (None, Some(meet)) => meet.add(way),
                    (None, None) => {}
                }
                end.state = State::Joined(task.clone(), tunnel);
                self.note(relay, StepKind::Relay, |name, after| {
                    format!("{name} forwards: the way through it is open after {} ms", after.as_millis())
                });
            }
            // It was given up here already.
            (_, State::Resting(..)) | (News::Opened(_) | News::Joined(_), _) => {}
            (News::Over(why), _) => {
                let until = match &why {
                    Why::Refused(_, retry) => Instant::now() + retry.unwrap_or(REFUSED),
                    // Nobody has come yet, or who came has gone and may come back.
                    Why::Ended(Reason::Alone) => Instant::now(),
                    Why::Unreachable | Why::Lost | Why::Ended(_) => again(end.failed),
                };
                let is_first = end.failed == 0;
                end.failed = end.failed.saturating_add(1);
                end.state = State::Resting(until, matches!(why, Why::Unreachable));
                if is_first {
                    self.note(relay, StepKind::NoRelay, move |name, _| in_words(name, &why));
                }
            }
        }
    }

    /// A step for a person to read.
    fn note(
        &self,
        relay: DeviceId,
        kind: StepKind,
        what: impl FnOnce(&str, Duration) -> String + Send + 'static,
    ) {
        let (driver, session, after) = (self.driver.clone(), self.secrets.id, self.began.elapsed());
        let account = driver.relays().offer_of(&relay).map(|offered| offered.account);
        self.driver.spawn(async move {
            let name = match account {
                Some(account) => driver.name_of(&account).await,
                None => "a relay".to_owned(),
            };
            driver.observed(session, kind, what(&name, after)).await;
        });
    }
}

fn in_words(name: &str, why: &Why) -> String {
    match why {
        Why::Unreachable => format!("{name} would forward, but cannot be reached"),
        Why::Refused(why, _) => format!("{name} does not forward: {why}"),
        Why::Ended(reason) => format!("{name} forwards no longer: {reason}"),
        Why::Lost => format!("{name} forwards no longer: it cannot be reached any more"),
    }
}

/// Waits until the link travels otherwise, or has ended: which of the two.
async fn over(link: Option<&Link>, moves: Option<&mut broadcast::Receiver<LinkEvent>>) -> bool {
    let (Some(link), Some(moves)) = (link, moves) else { return std::future::pending().await };
    tokio::select! {
        _ = link.closed() => true,
        moved = moves.recv() => matches!(moved, Err(RecvError::Closed)),
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
