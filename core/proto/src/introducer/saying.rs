//! What is said, one message after the other.

use std::time::Duration;

use super::room::{FRESH, For, RoomIntroducer, Spoken};
use super::state::State;
use super::telling::{self, Entry, HELP, Telling, Text};
use super::{Output, Person};
use crate::time::{Now, UnixMillis};

/// What was handed out.
#[derive(Debug)]
pub(super) struct Saying {
    to: Person,
    numbers: Vec<u64>,
    /// After whom the list goes on.
    then: Option<Person>,
}

/// The most that waits for one member, beside cards.
const MOST_UNSAID_TO_ONE: usize = 32;

impl State {
    /// The most that is unsaid.
    pub(super) const MOST_UNSAID: usize = 4_096;
}

impl RoomIntroducer {
    /// Has something said to somebody. Where too much waits already it is dropped.
    pub(super) fn tell(&mut self, now: Now, to: &Person, telling: Telling, answers: Option<String>) {
        let of = self.state.unsaid.iter().filter(|entry| entry.to == *to);
        let (count, again) =
            of.fold((0, false), |(n, again), entry| (n + 1, again || entry.telling == telling));
        let card = matches!(telling, Telling::Meet(..));
        let full = self.state.unsaid.len() >= State::MOST_UNSAID || (count >= MOST_UNSAID_TO_ONE && !card);
        if full || again {
            return;
        }
        let number = self.state.number;
        self.state.number += 1;
        let entry = Entry { number, to: to.clone(), telling, answers, at: now.wall, tries: 0 };
        self.state.unsaid.push_back(entry);
        self.changed = true;
    }

    /// Hands out the next message, where one is due.
    pub(super) fn speak(&mut self, now: Now) {
        while self.saying.is_none() && self.asking.is_none() && now.mono >= self.speak_at {
            let due = self.state.unsaid.iter().find(|entry| self.due(entry) <= now.mono);
            let Some(entry) = due.cloned() else { return };
            if let Telling::Meet(who, _) = &entry.telling {
                let fresh = |who: &&Person| {
                    self.known.get(*who).is_some_and(|at| now.mono.saturating_sub(*at) < FRESH)
                };
                if let Some(unsure) = [&entry.to, who].into_iter().find(|who| !fresh(who)) {
                    return self.ask(unsure.clone(), For::Saying);
                }
            }
            if !self.hand_out(now, &entry) {
                self.drop_unsaid(&[entry.number]);
            }
        }
    }

    /// When something may be said, but for what all waits for.
    fn due(&self, entry: &Entry) -> Duration {
        let last = self.told_at.get(&entry.to).filter(|_| entry.telling.may_wait());
        last.map_or(Duration::ZERO, |last| *last + self.settings.gather)
    }

    /// When the next message is due, where there is one.
    pub(super) fn next_speech(&self) -> Option<Duration> {
        let idle = self.saying.is_none();
        let first = self.state.unsaid.iter().map(|entry| self.due(entry)).min().filter(|_| idle)?;
        Some(first.max(self.speak_at))
    }

    /// Whether there is still something to say.
    fn hand_out(&mut self, now: Now, first: &Entry) -> bool {
        let mut numbers = vec![first.number];
        let mut then = None;
        let text = match &first.telling {
            Telling::Help => HELP.to_owned(),
            Telling::List(after) => {
                let (text, more) = self.page(now.wall, after.as_ref());
                then = more;
                text
            }
            Telling::Meet(who, asked) => match self.card(now.wall, who) {
                Some(card) => telling::meet(who, card, *asked),
                None => return false,
            },
            Telling::Text(text) if text.news => {
                let (text, others) = self.gathered(first, text);
                numbers.extend(others);
                self.told_at.retain(|_, at| now.mono.saturating_sub(*at) < self.settings.gather);
                self.told_at.insert(first.to.clone(), now.mono);
                text
            }
            Telling::Text(text) => telling::together(&[text]),
        };
        for entry in self.state.unsaid.iter_mut().filter(|entry| numbers.contains(&entry.number)) {
            entry.tries = entry.tries.saturating_add(1);
        }
        self.changed = true;
        let to = first.to.clone();
        self.actions.push(Output::Say { to: to.clone(), text, answers: first.answers.clone() });
        self.saying = Some(Saying { to, numbers, then });
        true
    }

    /// This and what else waits for its reader, as much as fits, where messages are gathered.
    fn gathered(&self, first: &Entry, text: &Text) -> (String, Vec<u64>) {
        let (mut texts, mut numbers) = (vec![text], Vec::new());
        let mut whole = telling::together(&texts);
        if self.settings.gather.is_zero() {
            return (whole, numbers);
        }
        for entry in self.state.unsaid.iter().filter(|it| it.to == first.to && it.number != first.number) {
            let Telling::Text(text) = &entry.telling else { continue };
            texts.push(text);
            let longer = telling::together(&texts);
            if !text.news || longer.len() > self.longest {
                texts.pop();
                continue;
            }
            whole = longer;
            numbers.push(entry.number);
        }
        (whole, numbers)
    }

    /// The list after somebody, as much of it as one message holds, and after whom it goes on.
    fn page(&self, now: UnixMillis, after: Option<&Person>) -> (String, Option<Person>) {
        let all: Vec<&Person> = self.listed(now).collect();
        let shown = all.get(..self.settings.listed).unwrap_or(&all);
        let mut text = match (after, all.len()) {
            (None, 0) => "Nobody is on the list.".to_owned(),
            (None, count) => format!("{count} can be asked, with `meet WHO`:"),
            (Some(_), _) => "And:".to_owned(),
        };
        let rest: Vec<&&Person> =
            shown.iter().filter(|who| after.is_none_or(|after| **who > after)).collect();
        let beyond = all.len() - shown.len();
        let last = if beyond > 0 { format!("\n… and {beyond} more") } else { String::new() };
        let mut told = None;
        for who in rest {
            if text.len() + who.as_str().len() + 1 + last.len() > self.longest {
                return (text, told);
            }
            text.push('\n');
            text.push_str(who.as_str());
            told = Some((*who).clone());
        }
        (text + &last, None)
    }

    /// What became of what was handed out.
    pub(super) fn settle(&mut self, now: Now, spoken: Spoken) {
        match spoken {
            Spoken::Later(after) => self.postpone(now.mono + after),
            Spoken::Said | Spoken::Never => {
                let Some(Saying { to, numbers, then }) = self.saying.take() else { return };
                self.drop_unsaid(&numbers);
                if let Some(last) = then.filter(|_| spoken == Spoken::Said) {
                    let number = self.state.number;
                    self.state.number += 1;
                    let telling = Telling::List(Some(last));
                    let entry = Entry { number, to, telling, answers: None, at: now.wall, tries: 0 };
                    self.state.unsaid.push_front(entry);
                }
            }
        }
    }

    /// What was handed out is not said: others first, and nobody before then.
    fn postpone(&mut self, until: Duration) {
        let Some(Saying { to, numbers, .. }) = self.saying.take() else { return };
        for entry in self.state.unsaid.iter_mut().filter(|entry| numbers.contains(&entry.number)) {
            entry.tries = 0;
        }
        self.put_behind(until, |entry| entry.to == to);
    }

    /// Nobody can say whether this one is in the room: cards that concern them wait.
    pub(super) fn postpone_cards(&mut self, until: Duration, who: &Person) {
        self.put_behind(
            until,
            |entry| matches!(&entry.telling, Telling::Meet(about, _) if about == who || entry.to == *who),
        );
    }

    fn put_behind(&mut self, until: Duration, which: impl Fn(&Entry) -> bool) {
        self.speak_at = until;
        let (behind, before): (Vec<_>, Vec<_>) = self.state.unsaid.drain(..).partition(|entry| which(entry));
        self.state.unsaid.extend(before.into_iter().chain(behind));
        self.changed = true;
    }

    fn drop_unsaid(&mut self, numbers: &[u64]) {
        self.state.unsaid.retain(|entry| !numbers.contains(&entry.number));
        self.changed = true;
    }
}
