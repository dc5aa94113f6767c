//! What is done about a request, once it is known who is in the room.

use super::room::{DAY, HOUR, Job, RoomIntroducer};
use super::state::{self, Answer, CardOf, Lately, Member, Pair, Usage};
use super::telling::Telling;
use super::{Person, Request, Standing, Unmet};
use crate::pointer::{Pointer, PointerError};
use crate::time::Now;

/// The most whom moderators have shut out, whose usage and whose asking is remembered, and messages that are known again.
const MOST_SHUT: usize = 1_024;
const MOST_USAGE: usize = 8_192;
const MOST_LATELY: usize = 16_384;
const MOST_SEEN: usize = 2_048;
/// The longest id of a message that is answered to.
const LONGEST_ID: usize = 255;

impl RoomIntroducer {
    /// Does what somebody asks for. Where that is more than they may ask for they are told once, and then not answered.
    pub(super) fn act(&mut self, now: Now, job: Job) {
        let Job { from, request, private, id, standings } = job;
        let standing = standings.get(&from).copied().flatten();
        let answers = (private && (1..=LONGEST_ID).contains(&id.len())).then(|| id.clone());
        match standing {
            Some(standing) if standing.is_member() => {}
            None if self.state.members.contains_key(&from) => {
                let words = "I cannot ask the room who is in it just now: say that again in some minutes.";
                return self.tell(now, &from, Telling::words(words), answers);
            }
            Some(Standing::Stranger)
                if private && self.strangers.take(now.wall, self.settings.strangers_an_hour, HOUR) =>
            {
                let words = "I introduce members of the room to each other: join it first.";
                return self.tell(now, &from, Telling::words(words), answers);
            }
            _ => return,
        }
        let Some(may) = self.take_request(now, &from) else { return };
        self.remember(&id);
        let telling = match (may, request) {
            (false, Ok(Request::Meet(other) | Request::Yes(other))) => Telling::unmet(&other, Unmet::Limited),
            (false, _) => Telling::words("You have said much to me today: I listen to you again tomorrow."),
            (true, Err(error)) => Telling::words(format!("{error}. `help` tells what can be said to me.")),
            (true, Ok(request)) => {
                let other = |who: &Person| standings.get(who).copied().flatten();
                let moderator = standing == Some(Standing::Moderator);
                match self.answer(now, &from, request, other, moderator) {
                    Some(telling) => telling,
                    None => return,
                }
            }
        };
        self.tell(now, &from, telling, answers);
    }

    /// Whether this request may be made; `None` where that is not even said.
    fn take_request(&mut self, now: Now, from: &Person) -> Option<bool> {
        let most = self.settings.requests_a_day;
        let usage = self.usage(now, from)?;
        let (may, told) = (usage.requests.take(now.wall, most, DAY), usage.told);
        usage.told = !may;
        self.changed = true;
        (may || !told).then_some(may)
    }

    /// `None` where there is no room for one more.
    fn usage(&mut self, now: Now, who: &Person) -> Option<&mut Usage> {
        let mark = state::mark(&["who", who.as_str()]);
        let usage = &mut self.state.usage;
        if usage.len() >= MOST_USAGE && !usage.contains_key(&mark) {
            usage.retain(|_, it| !(it.requests.is_empty(now.wall) && it.meets.is_empty(now.wall)));
            if usage.len() >= MOST_USAGE {
                return None;
            }
        }
        Some(usage.entry(mark).or_default())
    }

    fn remember(&mut self, id: &str) {
        if !id.is_empty() {
            self.state.seen.push_back(state::mark(&["message", id]));
            let beyond = self.state.seen.len().saturating_sub(MOST_SEEN);
            self.state.seen.drain(..beyond);
        }
    }

    /// What is answered at once.
    fn answer(
        &mut self,
        now: Now,
        from: &Person,
        request: Request,
        standing: impl Fn(&Person) -> Option<Standing>,
        moderator: bool,
    ) -> Option<Telling> {
        let here = |who: &Person| standing(who).is_some_and(Standing::is_member);
        Some(match request {
            Request::Help => Telling::Help,
            Request::List => Telling::List(None),
            Request::Join(card) => self.join(now, from, *card),
            Request::Leave => {
                self.forget(now, from);
                Telling::left()
            }
            Request::Quiet(quiet) => match self.state.members.get_mut(from) {
                Some(member) => {
                    member.quiet = quiet;
                    let on = "You are not asked any more, nor listed, until `quiet off`. You can still ask others.";
                    Telling::words(if quiet { on } else { "You are listed, and asked, again." })
                }
                None => Telling::words("You are not on the list: say `join` with your card first."),
            },
            Request::Meet(other) => return self.meet(now, from, &other, here(&other)),
            Request::Yes(other) => return self.yes(now, from, &other, here(&other)),
            Request::No(other) => self.no(now, from, &other),
            Request::Forget(_) | Request::Allow(_) | Request::Pause(_) if !moderator => {
                Telling::words("Only moderators of the room can say that.")
            }
            Request::Forget(who) => self.shut_out(now, who),
            Request::Allow(who) => {
                self.state.shut.remove(&who);
                Telling::words(format!("{who} may join the list."))
            }
            Request::Pause(paused) => {
                self.state.paused = paused;
                let on = "Nobody is introduced until `pause off`. The list stays.";
                Telling::words(if paused { on } else { "People are introduced again." })
            }
        })
    }

    fn join(&mut self, now: Now, from: &Person, card: Pointer) -> Telling {
        if self.state.shut.contains(from) {
            return Telling::words("A moderator does not want you on the list: ask them.");
        }
        let member = self.state.members.get(from);
        let earlier = member.map(|member| &member.card.0);
        let other_account = earlier.is_some_and(|earlier| earlier.account() != card.account());
        // Cards of other names have other numbers.
        let earlier = earlier.filter(|earlier| earlier.name() == card.name() || other_account);
        match card.check(now.wall, None, earlier) {
            Ok(()) => {}
            Err(PointerError::OtherAccount) => {
                return Telling::words(
                    "You are on the list with another account's card. If this one is to take its place, say `leave` first.",
                );
            }
            Err(error) => return Telling::words(format!("That card cannot be used: {error}.")),
        }
        let again = member.is_some();
        if !again && self.state.members.len() >= self.settings.members {
            return Telling::words("The list is full: tell the room's moderators.");
        }
        let quiet = member.is_some_and(|member| member.quiet);
        self.state.members.insert(from.clone(), Member { card: CardOf(card), quiet });
        Telling::joined(again)
    }

    /// `here`: whether the other is in the room.
    fn meet(&mut self, now: Now, from: &Person, other: &Person, here: bool) -> Option<Telling> {
        let unmet = |why| Some(Telling::unmet(other, why));
        if self.state.paused {
            return unmet(Unmet::Paused);
        }
        if self.card(now.wall, from).is_none() {
            return unmet(Unmet::Unlisted);
        }
        let most = self.settings.meets_a_day;
        let usage = self.usage(now, from)?;
        let (may, told) = (usage.meets.take(now.wall, most, DAY), usage.told_of_meets);
        usage.told_of_meets = !may;
        if !may {
            return if told { None } else { unmet(Unmet::Limited) };
        }
        if from == other || !here || self.card(now.wall, other).is_none() {
            return unmet(Unmet::Absent);
        }
        if self.pair(other, from).is_some() {
            return self.yes(now, from, other, here);
        }
        match self.pair(from, other).map(|pair| pair.answer) {
            Some(Answer::Yes) => return self.card_again(now, from, other, true),
            Some(Answer::None | Answer::No) => return Some(Telling::asking(other)),
            None => {}
        }
        if self.state.members.get(other).is_none_or(|member| member.quiet) {
            return unmet(Unmet::Absent);
        }
        self.ask_for(now, from, other)
    }

    /// Asks somebody who was not asked lately.
    fn ask_for(&mut self, now: Now, from: &Person, other: &Person) -> Option<Telling> {
        let mark = state::mark(&["asked", from.as_str(), other.as_str()]);
        if self.state.lately.len() >= MOST_LATELY {
            self.state.lately.retain(|_, lately| now.wall < lately.until.max(lately.no_until));
        }
        let lately = self.state.lately.get(&mark).copied();
        let open = self.state.pairs.iter().filter(|(_, pair)| pair.answer != Answer::Yes);
        let (of, to) = open.fold((0, 0), |(of, to), ((a, b), _)| {
            (of + usize::from(a == from), to + usize::from(b == other))
        });
        let full = of >= self.settings.asks_of_one
            || to >= self.settings.asks_to_one
            || self.state.pairs.len() >= self.settings.pairs
            || (lately.is_none() && self.state.lately.len() >= MOST_LATELY);
        if full || lately.is_some_and(|lately| now.wall < lately.until) {
            return Some(Telling::unmet(other, Unmet::Limited));
        }
        // Who has said no is not asked again, and it looks no different.
        let no_until = lately.map(|lately| lately.no_until).unwrap_or_default();
        let answer = if now.wall < no_until { Answer::No } else { Answer::None };
        let pair = Pair { answer, until: now.wall.after(self.settings.open) };
        self.state.pairs.insert((from.clone(), other.clone()), pair);
        self.state.lately.insert(mark, Lately { until: now.wall.after(self.settings.again), no_until });
        if answer == Answer::None {
            self.tell(now, other, Telling::asked(from), None);
        }
        Some(Telling::asking(other))
    }

    fn yes(&mut self, now: Now, from: &Person, other: &Person, here: bool) -> Option<Telling> {
        let unmet = |why| Some(Telling::unmet(other, why));
        if self.state.paused {
            return unmet(Unmet::Paused);
        }
        if self.card(now.wall, from).is_none() {
            return unmet(Unmet::Unlisted);
        }
        if !here || self.card(now.wall, other).is_none() {
            return unmet(Unmet::Over);
        }
        let asked = self.pair(other, from).map(|pair| pair.answer);
        let met = self.pair(from, other).is_some_and(|pair| pair.answer == Answer::Yes);
        match asked {
            Some(Answer::None | Answer::No) => {
                self.agree(now, other, from);
                None
            }
            Some(Answer::Yes) => self.card_again(now, from, other, false),
            None if met => self.card_again(now, from, other, true),
            None => unmet(Unmet::Over),
        }
    }

    /// Both have said yes, and one of them wants the card once more.
    fn card_again(&mut self, now: Now, from: &Person, other: &Person, asked: bool) -> Option<Telling> {
        self.tell(now, from, Telling::Meet(other.clone(), asked), None);
        None
    }

    fn no(&mut self, now: Now, from: &Person, other: &Person) -> Telling {
        let key = (other.clone(), from.clone());
        if let Some(pair) = self.state.pairs.get_mut(&key).filter(|pair| pair.answer == Answer::None) {
            pair.answer = Answer::No;
            let mark = state::mark(&["asked", other.as_str(), from.as_str()]);
            if let Some(lately) = self.state.lately.get_mut(&mark) {
                lately.no_until = now.wall.after(self.settings.after_no);
            }
        }
        // What they themselves have asked is taken back.
        let own = (from.clone(), other.clone());
        if let Some(pair) = self.pair(from, other).filter(|pair| pair.answer != Answer::Yes) {
            self.state.pairs.remove(&own);
            if pair.answer == Answer::None {
                self.tell(now, other, Telling::over_now(from), None);
            }
        }
        Telling::over(other)
    }

    fn shut_out(&mut self, now: Now, who: Person) -> Telling {
        if self.state.shut.len() >= MOST_SHUT {
            return Telling::words("Too many are shut out already: `allow` somebody first.");
        }
        let words = format!("{who} is not on the list, and cannot join it before `allow {who}`.");
        if self.forget(now, &who) {
            self.tell(now, &who, Telling::shut_out(), None);
        }
        self.state.shut.insert(who);
        Telling::words(words)
    }
}
