//! Who is on the list, who is to meet whom, and how that ends.

use super::Person;
use super::room::RoomIntroducer;
use super::state::{Answer, Pair};
use super::telling::Telling;
use crate::pointer::Pointer;
use crate::time::{Now, UnixMillis};

impl RoomIntroducer {
    /// The card of somebody on the list, while it holds.
    pub(super) fn card(&self, now: UnixMillis, who: &Person) -> Option<&Pointer> {
        self.state.members.get(who).map(|member| &member.card.0).filter(|card| now < card.expires())
    }

    /// Whom `list` may name.
    pub(super) fn listed(&self, now: UnixMillis) -> impl Iterator<Item = &Person> {
        let members = self.state.members.iter();
        members.filter(move |(_, member)| !member.quiet && now < member.card.0.expires()).map(|(who, _)| who)
    }

    pub(super) fn pair(&self, asker: &Person, asked: &Person) -> Option<Pair> {
        self.state.pairs.get(&(asker.clone(), asked.clone())).copied()
    }

    /// Both have said yes: each gets the other's card, who was asked first, so that they know the one who knocks.
    pub(super) fn agree(&mut self, now: Now, asker: &Person, asked: &Person) {
        let pair = Pair { answer: Answer::Yes, until: now.wall.after(self.settings.open) };
        self.state.pairs.insert((asker.clone(), asked.clone()), pair);
        self.tell(now, asked, Telling::Meet(asker.clone(), false), None);
        self.tell(now, asker, Telling::Meet(asked.clone(), true), None);
    }

    /// Forgets somebody, and tells those who wait for them. Whether they were on the list.
    pub(super) fn forget(&mut self, now: Now, who: &Person) -> bool {
        if self.state.members.remove(who).is_none() {
            return false;
        }
        self.changed = true;
        let mut unmet = Vec::new();
        self.state.unsaid.retain(|entry| {
            let about = entry.telling.about() == Some(who);
            if about && matches!(entry.telling, Telling::Meet(..)) {
                unmet.push(entry.to.clone());
            }
            !about && entry.to != *who
        });
        let mut over = Vec::new();
        self.state.pairs.retain(|(asker, asked), pair| {
            match pair.answer {
                Answer::None if asker == who => over.push(asked.clone()),
                Answer::None | Answer::No if asked == who => unmet.push(asker.clone()),
                _ => {}
            }
            asker != who && asked != who
        });
        for other in over {
            self.tell(now, &other, Telling::over_now(who), None);
        }
        for other in unmet {
            self.tell(now, &other, Telling::unmet_now(who), None);
        }
        true
    }

    /// Ends what has ended.
    pub(super) fn expire(&mut self, now: Now) {
        let at = now.wall;
        if self.next_end().is_none_or(|end| end > at) {
            return;
        }
        self.changed = true;
        let state = &mut self.state;
        state.lately.retain(|_, lately| at < lately.until.max(lately.no_until));
        state.usage.retain(|_, usage| !(usage.requests.is_empty(at) && usage.meets.is_empty(at)));
        let open = self.settings.open;
        state.unsaid.retain(|entry| at < entry.at.after(open));
        let mut ended = Vec::new();
        state.pairs.retain(|pair, Pair { answer, until }| {
            let over = *until <= at;
            if over && *answer != Answer::Yes {
                ended.push((pair.clone(), *answer));
            }
            !over
        });
        for ((asker, asked), answer) in ended {
            self.tell(now, &asker, Telling::unmet_now(&asked), None);
            if answer == Answer::None {
                self.tell(now, &asked, Telling::over_now(&asker), None);
            }
        }
        let cards = self.state.members.iter().filter(|(_, member)| member.card.0.expires() <= at);
        for who in cards.map(|(who, _)| who.clone()).collect::<Vec<_>>() {
            self.forget(now, &who);
            self.tell(now, &who, Telling::card_ended(), None);
        }
    }

    /// When something ends next that somebody is to hear of.
    pub(super) fn next_end(&self) -> Option<UnixMillis> {
        let pairs = self.state.pairs.values().map(|pair| pair.until);
        let cards = self.state.members.values().map(|member| member.card.0.expires());
        let unsaid = self.state.unsaid.iter().map(|entry| entry.at.after(self.settings.open));
        pairs.chain(cards).chain(unsaid).min()
    }
}
