//! The introducer of a room: what it is told, and what it wants done.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::bucket::Bucket;
use super::state::{self, State};
use super::{Notice, Person, Request, RequestError, RestoreRoomError, Settings, Spelling, Standing};
use crate::time::Now;

/// A bot in a room, as far as it thinks: who is on its list, who was asked for whom, what is to be said.
///
/// It is told what was said and who left, and asks who somebody is in the room. After every call that takes `&mut self`, [`poll_output`](Self::poll_output) is called until
/// it returns `None`, and what it returned is done in that order; then its driver waits for an input, for as long as [`poll_timeout`](Self::poll_timeout) says. Of
/// [`Output::AskStanding`] and [`Output::Say`] one each is open at a time, until it is answered.
#[derive(Debug)]
pub struct RoomIntroducer {
    pub(super) settings: Settings,
    pub(super) longest: usize,
    pub(super) state: State,
    /// Whether the state is not what was persisted last.
    pub(super) changed: bool,
    pub(super) actions: Vec<Output>,
    outputs: VecDeque<Output>,
    /// What was said, the first of which is being acted on.
    waiting: VecDeque<Job>,
    pub(super) asking: Option<(Person, For)>,
    /// Who was lately found to be in the room, and when.
    pub(super) known: BTreeMap<Person, Duration>,
    pub(super) saying: Option<super::saying::Saying>,
    /// Nothing is said before.
    pub(super) speak_at: Duration,
    /// When members were last told something that they had not asked for.
    pub(super) told_at: BTreeMap<Person, Duration>,
    newcomers: Bucket,
    pub(super) strangers: Bucket,
    sweep: VecDeque<Person>,
    sweep_at: Duration,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Write this down, in the place of what was written before, and have it on disk before anything that follows.
    Persist(Vec<u8>),
    /// Ask the room what this one is in it, and tell [`RoomIntroducer::standing`].
    AskStanding(Person),
    /// Say this, to this one alone, and tell [`RoomIntroducer::spoken`].
    Say {
        /// To whom.
        to: Person,
        /// The text, no longer than the room takes.
        text: String,
        /// The id of the message that it answers.
        answers: Option<String>,
    },
}

/// Something that was said in the room.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// By whom, as the service says.
    pub from: &'a Person,
    /// What.
    pub text: &'a str,
    /// Whether it was said to the bot alone.
    pub private: bool,
    /// Whether a program says that it wrote it.
    pub automatic: bool,
    /// The service's id of the message.
    pub id: &'a str,
}

/// What became of an [`Output::Say`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// It is said.
    Said,
    /// It is not, and may be tried again after this.
    Later(Duration),
    /// It is not, and never will be.
    Never,
}

/// What somebody's standing is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    Job,
    Saying,
    Sweep,
}

/// Something that was said, until it was acted on.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) from: Person,
    pub(super) request: Result<Request, RequestError>,
    pub(super) private: bool,
    pub(super) id: String,
    /// What was found out; `None` where the service could not say.
    pub(super) standings: BTreeMap<Person, Option<Standing>>,
}

/// Messages that wait to be acted on: some seconds of a busy room.
const MOST_WAITING: usize = 256;
/// The most that is unsaid, beyond which no requests are listened to: what it takes to tell everybody of one who leaves is kept free.
const MOST_UNSAID: usize = State::MOST_UNSAID / 2;
/// All members are looked after at the start, and then so often.
const SWEEP: Duration = Duration::from_secs(86_400);
/// Between two members.
const SWEEP_STEP: Duration = Duration::from_millis(250);
/// Where the service cannot say what somebody is.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(60);
/// For so long it is believed that somebody is in the room, when their card is told or they are told a card.
pub(super) const FRESH: Duration = Duration::from_secs(5);

impl RoomIntroducer {
    /// The least that a room must take in one message, in bytes: two forms of the longest card, and words.
    pub const LEAST_MESSAGE: usize = 4096;

    /// A bot that is `own` in the room and says no more than `longest` bytes at once, which goes on where `stored` was persisted.
    ///
    /// What was handed out and not known to be said is said once more, and then not again.
    pub fn restore(
        own: Person,
        longest: usize,
        settings: Settings,
        stored: Option<&[u8]>,
    ) -> Result<Self, RestoreRoomError> {
        let mut state = match stored {
            Some(stored) => State::from_bytes(stored)?,
            None => State::new(own.clone()),
        };
        if state.own != own {
            return Err(RestoreRoomError::Another(state.own));
        }
        state.unsaid.retain(|entry| entry.tries < 2);
        Ok(Self {
            settings,
            longest,
            state,
            changed: false,
            actions: Vec::new(),
            outputs: VecDeque::new(),
            waiting: VecDeque::new(),
            asking: None,
            known: BTreeMap::new(),
            saying: None,
            speak_at: Duration::ZERO,
            told_at: BTreeMap::new(),
            newcomers: Bucket::default(),
            strangers: Bucket::default(),
            sweep: VecDeque::new(),
            sweep_at: Duration::ZERO,
        })
    }

    /// Somebody said something.
    pub fn said(&mut self, now: Now, said: Said<'_>) {
        if let Some(job) = self.heard(now, said) {
            self.waiting.push_back(job);
        }
        self.go_on(now);
    }

    /// Somebody left, was removed or was banned.
    pub fn left(&mut self, now: Now, who: &Person) {
        self.known.remove(who);
        self.forget(now, who);
        self.go_on(now);
    }

    /// The answer to [`Output::AskStanding`]; `None` where the service cannot say.
    pub fn standing(&mut self, now: Now, who: &Person, standing: Option<Standing>) {
        let Some((_, what)) = self.asking.take_if(|(asked, _)| asked == who) else { return };
        self.known.retain(|_, at| now.mono.saturating_sub(*at) < FRESH);
        match standing {
            Some(standing) if standing.is_member() => drop(self.known.insert(who.clone(), now.mono)),
            Some(_) => {
                self.known.remove(who);
                self.forget(now, who);
            }
            None if what == For::Sweep => {
                self.sweep.push_back(who.clone());
                self.sweep_at = now.mono + ASK_AGAIN;
            }
            None if what == For::Saying => self.postpone_cards(now.mono + ASK_AGAIN, who),
            None => {}
        }
        if let Some(job) = self.waiting.front_mut().filter(|_| what == For::Job) {
            job.standings.insert(who.clone(), standing);
        }
        self.go_on(now);
    }

    /// What became of the [`Output::Say`] that is open.
    pub fn spoken(&mut self, now: Now, spoken: Spoken) {
        self.settle(now, spoken);
        self.go_on(now);
    }

    /// To be called when [`poll_timeout`](Self::poll_timeout) has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.expire(now);
        self.go_on(now);
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// In how long [`handle_timeout`](Self::handle_timeout) is due; a call sooner or later does no harm.
    pub fn poll_timeout(&self, now: Now) -> Duration {
        let sweep = self.sweep_at.saturating_sub(now.mono);
        let ends = self.next_end().map(|at| at.since(now.wall));
        let speech = self.next_speech().map(|at| at.saturating_sub(now.mono));
        let asked = self.asking.is_some().then_some(SWEEP);
        asked.unwrap_or(ends.into_iter().chain(speech).fold(sweep, Duration::min))
    }

    /// How many are on the list.
    pub fn members(&self) -> usize {
        self.state.members.len()
    }

    /// What of it is for us to act on.
    fn heard(&mut self, now: Now, said: Said<'_>) -> Option<Job> {
        let Said { from, text, private, automatic, id } = said;
        // Another bot's, also where the service lost that it is automatic; not one that quotes it.
        let bots = text.lines().any(|line| line.trim_start().starts_with(Notice::MARK));
        if automatic || bots || *from == self.state.own {
            return None;
        }
        let spelling = if private { Spelling::Bare } else { Spelling::Marked };
        let request = Request::parse(text, spelling)?;
        // Other bots listen to other words.
        let others = !private && matches!(request, Err(RequestError::Unknown(_)));
        let mark = state::mark(&["message", id]);
        let again = self.state.seen.contains(&mark) || self.waiting.iter().any(|job| job.id == id);
        let full = self.waiting.len() >= MOST_WAITING || self.state.unsaid.len() >= MOST_UNSAID;
        if others || again || full || !self.may_ask(now, from) {
            return None;
        }
        Some(Job { from: from.clone(), request, private, id: id.to_owned(), standings: BTreeMap::new() })
    }

    /// Whether it is worth to ask the room about somebody.
    fn may_ask(&mut self, now: Now, from: &Person) -> bool {
        let usage = self.state.usage.get(&state::mark(&["who", from.as_str()]));
        if usage
            .is_some_and(|it| it.told && !it.requests.has_room(now.wall, self.settings.requests_a_day, DAY))
        {
            return false;
        }
        let most = self.settings.newcomers_an_hour;
        self.state.members.contains_key(from) || self.newcomers.take(now.wall, most, HOUR)
    }

    /// Does what can be done now, and hands out what it comes to.
    fn go_on(&mut self, now: Now) {
        while self.asking.is_none() {
            let Some(job) = self.waiting.front() else { break };
            match self.lacks(job) {
                Some(who) => self.ask(who, For::Job),
                None => {
                    if let Some(job) = self.waiting.pop_front() {
                        self.expire(now);
                        self.act(now, job);
                    }
                }
            }
        }
        self.speak(now);
        self.look_after(now);
        if std::mem::take(&mut self.changed) {
            self.outputs.push_back(Output::Persist(self.state.to_bytes()));
        }
        self.outputs.extend(self.actions.drain(..));
    }

    /// About whom the room is to be asked before a message is acted on.
    fn lacks(&self, job: &Job) -> Option<Person> {
        let Some(own) = job.standings.get(&job.from) else { return Some(job.from.clone()) };
        let other = match &job.request {
            Ok(Request::Meet(other) | Request::Yes(other)) => other,
            _ => return None,
        };
        let needed = own.is_some_and(Standing::is_member) && self.state.members.contains_key(other);
        (needed && !job.standings.contains_key(other)).then(|| other.clone())
    }

    pub(super) fn ask(&mut self, who: Person, what: For) {
        self.actions.push(Output::AskStanding(who.clone()));
        self.asking = Some((who, what));
    }

    /// Finds members who left while nobody listened, one at a time.
    fn look_after(&mut self, now: Now) {
        if self.asking.is_some() || now.mono < self.sweep_at {
            return;
        }
        if self.sweep.is_empty() {
            self.sweep = self.state.members.keys().cloned().collect();
        }
        let next = self.sweep.pop_front();
        self.sweep_at = now.mono + if self.sweep.is_empty() { SWEEP } else { SWEEP_STEP };
        if let Some(who) = next.filter(|who| self.state.members.contains_key(who)) {
            self.ask(who, For::Sweep);
        }
    }
}

/// What limits are counted in.
pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
