//! What the bridge, its watches and its tasks hold together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::AbortHandle;
use tokio::sync::{Notify, watch};
use wayside_bridge::{Batch, BridgeContext, Fetch, Numbered, Record, Spawner};

use crate::answers::Answers;
use crate::budget::Budget;
use crate::error::MdnsError;
use crate::heard::{Heard, MOST_OF_ONE, Source};
use crate::instance::Instance;
use crate::interfaces::{Chosen, Way};
use crate::own::Own;
use crate::packet::{self, News, Question, Said};
use crate::socket::{self, PORT, Voice};
use crate::task;

pub(crate) struct Shared {
    context: BridgeContext,
    chosen: Chosen,
    cursors: Numbered,
    started: tokio::time::Instant,
    state: Mutex<State>,
    /// The last number of what was heard.
    news: watch::Sender<u64>,
    /// There may be something to be done sooner.
    pub(crate) poke: Notify,
}

#[derive(Default)]
struct State {
    heard: Heard,
    own: Own,
    budget: Budget,
    links: BTreeMap<Way, Link>,
    closed: bool,
}

/// A way that is open.
struct Link {
    voice: Voice,
    answers: Answers,
    listener: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Shared {
    pub(crate) fn new(context: BridgeContext, chosen: Chosen) -> Self {
        let cursors = Numbered::new(context.entropy.as_ref());
        Self {
            context,
            chosen,
            cursors,
            started: tokio::time::Instant::now(),
            state: Mutex::default(),
            news: watch::Sender::new(0),
            poke: Notify::new(),
        }
    }

    /// Opens the ways that there are now, and leaves those that are gone. On new ones ours is announced and everybody asked.
    ///
    /// *Errors* where there are ways and none of them can be opened.
    pub(crate) fn look_around(self: &Arc<Self>) -> Result<(), MdnsError> {
        let ways = self.chosen.ways().map_err(MdnsError::no_socket)?;
        let open: BTreeSet<Way> = self.state().links.keys().copied().collect();
        let (mut failed, mut opened) = (None, Vec::new());
        for way in ways.difference(&open) {
            match socket::open(*way) {
                Ok((voice, socket)) => {
                    let (listening, listener) = task::listen(Arc::clone(self), *way, socket);
                    self.context.spawner.spawn(listening);
                    opened.push((*way, Link { voice, answers: Answers::default(), listener }));
                }
                Err(error) => {
                    tracing::debug!(?way, %error, "no multicast DNS on this interface");
                    failed = Some(error);
                }
            }
        }
        let mut state = self.state();
        state.links.retain(|way, _| ways.contains(way));
        if state.closed {
            return Err(MdnsError::Closed);
        }
        if !opened.is_empty() {
            state.links.extend(opened);
            state.own.announce_all(self.now());
        }
        match failed {
            Some(error) if state.links.is_empty() => Err(MdnsError::no_socket(error)),
            _ => Ok(()),
        }
    }

    /// On how many ways there are neighbours.
    pub(crate) fn ways(&self) -> usize {
        self.state().links.len()
    }

    /// Puts a record on the network.
    pub(crate) fn put(
        &self,
        record: Record,
        encoded: (Instance, Vec<Vec<u8>>),
        announce: bool,
    ) -> Result<(), MdnsError> {
        let mut state = self.state();
        self.room(&state, &encoded.0)?;
        let packets = packet::announce([&encoded]);
        state.heard.have(encoded.0, record);
        state.own.add(encoded, self.now());
        if announce {
            state.say(&packets);
        }
        self.tell(state);
        self.poke.notify_one();
        Ok(())
    }

    /// Whether one of ours of this name has room.
    pub(crate) fn has_room(&self, instance: &Instance) -> Result<(), MdnsError> {
        self.room(&self.state(), instance)
    }

    fn room(&self, state: &State, instance: &Instance) -> Result<(), MdnsError> {
        match state {
            State { closed: true, .. } => Err(MdnsError::Closed),
            State { own, .. } if !own.contains(instance) && own.len() >= MOST_OF_ONE => {
                Err(MdnsError::Full(MOST_OF_ONE))
            }
            _ => Ok(()),
        }
    }

    /// Takes ours off the network.
    pub(crate) fn take_off(&self, instances: &[Instance]) {
        let mut state = self.state();
        let mut gone = Vec::new();
        for instance in instances {
            state.heard.gone(instance, Source::Own);
            if state.own.remove(instance) {
                gone.push(*instance);
            }
        }
        state.say(&packet::farewell(&gone));
    }

    /// Says goodbye to all and hears no more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.say(&packet::farewell(state.own.names()));
        state.links.clear();
        state.closed = true;
        drop(state);
        self.news.send_modify(|_| {});
        self.poke.notify_one();
    }

    /// Some of what is there.
    pub(crate) fn page(&self, request: &Fetch) -> Batch {
        let question = (&request.keys).into();
        let state = self.state();
        let after = self.cursors.number(request.cursor.as_ref(), question, state.heard.last());
        let page = state.heard.page(after, &request.keys, request.limit);
        Batch::new(page.records, self.cursors.cursor(page.number, question))
            .with_more(page.more)
            .with_skipped(page.skipped)
    }

    /// Tells when there may be more.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// A packet came on a way. Attack input.
    pub(crate) fn hear(&self, way: Way, from: SocketAddr, packet: &[u8]) {
        // Whoever speaks the whole protocol sends from its port (RFC 6762, sections 6 and 11).
        if from.port() != PORT || !self.state().budget.takes(from.ip(), self.now()) {
            return;
        }
        match packet::parse(packet) {
            Some(Said::News(news)) => self.learn(from, news),
            Some(Said::Question(question)) => self.asked(way, question),
            None => {}
        }
    }

    fn learn(&self, from: SocketAddr, news: Vec<News>) {
        let now = self.now();
        let mut state = self.state();
        for one in news {
            match one {
                // What we hear of ourselves adds nothing.
                News::There(instance, ..) if state.own.contains(&instance) => {}
                News::There(instance, record, life) => {
                    state.heard.heard(instance, record, from.ip(), now, life);
                }
                News::Gone(instance) => state.heard.gone(&instance, Source::Of(from.ip())),
                News::Junk => state.heard.junk(),
            }
        }
        self.tell(state);
    }

    fn asked(&self, way: Way, question: Question) {
        let now = self.now();
        let mut random = [0];
        self.context.entropy.fill(&mut random);
        let [chance] = random;
        let mut state = self.state();
        let State { own, links, .. } = &mut *state;
        let Some(link) = links.get_mut(&way) else { return };
        let asked = |instance: &&Instance| {
            (question.all || question.these.contains(instance)) && !question.known.contains(instance)
        };
        let wanted: Vec<Instance> = own.names().filter(asked).copied().collect();
        link.answers.want(wanted, now, chance);
        drop(state);
        self.poke.notify_one();
    }

    /// Announces again and answers, as far as it is due; tells when the next is.
    pub(crate) fn speak(&self) -> Option<Duration> {
        let now = self.now();
        let mut state = self.state();
        let due = state.own.due(now);
        let again = packet::announce(state.own.encoded(&due));
        state.say(&again);
        let State { own, links, .. } = &mut *state;
        for link in links.values_mut() {
            let wanted = link.answers.take(now);
            link.voice.say(&packet::announce(own.encoded(&wanted)));
        }
        let answers = state.links.values().filter_map(|link| link.answers.due());
        answers.chain(state.own.next_due()).min()
    }

    /// Asks who is there.
    pub(crate) fn ask(&self) {
        let state = self.state();
        let known = state.heard.known(self.now(), packet::MOST_KNOWN);
        state.say(packet::question(&known).as_slice());
    }

    /// Forgets what was not heard again; whether something should be asked for.
    pub(crate) fn tidy(&self) -> bool {
        let now = self.now();
        let mut state = self.state();
        state.heard.expire(now);
        state.heard.fades(now)
    }

    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn spawner(&self) -> &dyn Spawner {
        self.context.spawner.as_ref()
    }

    fn tell(&self, state: MutexGuard<'_, State>) {
        let last = state.heard.last();
        drop(state);
        self.news.send_if_modified(|known| std::mem::replace(known, last) != last);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn say(&self, packets: &[Vec<u8>]) {
        for link in self.links.values() {
            link.voice.say(packets);
        }
    }
}
