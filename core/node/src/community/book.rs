//! What we and a room's bot want of one another: pure, and kept as one value for each bridge.
//!
//! The bot is not trusted. What it says changes something only where we asked for it, or where its person can refuse; everything is bounded and ends.

use std::time::Duration;

use minicbor::{Decode, Encode};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::introducer::{Notice, Person, Request, Unmet};
use wayside_proto::pointer::{Pointer, PointerName};

use super::again;
use super::ask::{Ask, Far};
use super::asked::{Answer, Asked};

/// How long what is asked, by us or of us, may wait for an answer.
pub(super) const LASTS: Duration = Duration::from_secs(7 * 86_400);
/// How long it is kept once both have agreed: whoever knocks gives up by then.
pub(super) const MEETS: Duration = Duration::from_secs(30 * 86_400);
/// The most people whom we ask to meet at a time.
pub(crate) const MOST_ASKS: usize = 32;
/// The most who ask for us that wait for our person.
const MOST_WAITING: usize = 16;
/// The most who ask for us that are remembered, answered or not, until they end.
const MOST_ASKED: usize = 64;
/// How long to wait before we join again where the bot took us off its list.
const DROPPED: Duration = Duration::from_secs(86_400);

/// What is kept of one bridge's bot.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Book {
    /// Whose word all of this is.
    #[n(0)]
    pub(crate) bot: Person,
    /// What our card for it is called.
    #[n(1)]
    pub(crate) pointer: Option<PointerName>,
    /// The card that it was given.
    #[n(2)]
    pub(crate) given: Option<Given>,
    /// Whom we ask to meet.
    #[n(3)]
    pub(crate) asks: Vec<Ask>,
    /// Who asks for us.
    #[n(4)]
    pub(crate) asked: Vec<Asked>,
}

/// A card that the bot was given.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Given {
    /// Which one: its number grows.
    #[n(0)]
    pub(crate) seq: u64,
    /// How often it was said, and when last.
    #[n(1)]
    pub(crate) said: Said,
    /// Whether the bot said that we are on its list.
    #[n(2)]
    pub(crate) joined: bool,
    /// When it said that we are not any more, unasked.
    #[n(3)]
    pub(crate) dropped: Option<UnixMillis>,
}

/// How often something was said to the bot, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Said {
    #[n(0)]
    pub(crate) times: u32,
    #[n(1)]
    pub(crate) last: UnixMillis,
}

impl Said {
    /// When it is to be said, or said again as long as nothing comes back.
    pub(super) fn due(self) -> UnixMillis {
        if self.times == 0 { UnixMillis::default() } else { self.last.after(again(self.times)) }
    }

    pub(super) fn again(&mut self, now: UnixMillis) {
        *self = Self { times: self.times.saturating_add(1), last: now };
    }
}

/// What came of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing that a person need know of.
    Nothing,
    /// Somebody asks for us: the request of this name.
    Asked([u8; 16]),
    /// What we asked got further.
    Ask(Person),
    /// Something to be warned of, in a sentence.
    Warning(String),
}

impl Book {
    /// Nothing is known yet of this bot.
    pub(crate) fn new(bot: Person) -> Self {
        Self { bot, pointer: None, given: None, asks: Vec::new(), asked: Vec::new() }
    }

    /// Whether the bot said that we are on its list, with a card that holds.
    pub(crate) fn is_listed(&self) -> bool {
        self.given.as_ref().is_some_and(|given| given.joined)
    }

    /// The bot says this. `id` names a request that may come of it.
    pub(crate) fn heard(&mut self, now: UnixMillis, notice: Notice, id: [u8; 16]) -> Heard {
        match notice {
            Notice::Joined => {
                if let Some(given) = &mut self.given {
                    (given.joined, given.dropped) = (true, None);
                    given.said.times = 1;
                }
                Heard::Nothing
            }
            Notice::Left => {
                if let Some(given) = self.given.as_mut().filter(|given| given.dropped.is_none()) {
                    (given.joined, given.dropped) = (false, Some(now));
                }
                Heard::Nothing
            }
            Notice::Asking(who) => {
                let ask = self.asks.iter_mut().find(|ask| ask.who == who && ask.said.times > 0);
                match ask.filter(|ask| ask.far == Far::Asked) {
                    Some(ask) => {
                        ask.far = Far::Waiting;
                        Heard::Ask(who)
                    }
                    None => Heard::Nothing,
                }
            }
            Notice::Unmet(who, why) => self.unmet(now, &who, why),
            Notice::Asked(who) => self.asked_for(now, who, id),
            Notice::Over(who) => {
                self.asked.retain(|asked| asked.who != who || !asked.answer.is_open());
                Heard::Nothing
            }
            Notice::Meet { who, card, asked: true } => self.card_of_asked(now, who, &card),
            Notice::Meet { who, card, asked: false } => self.card_of_asking(now, who, &card),
            _ => Heard::Nothing,
        }
    }

    fn unmet(&mut self, now: UnixMillis, who: &Person, why: Unmet) -> Heard {
        let Some(ask) = self.asks.iter_mut().find(|ask| ask.who == *who && ask.is_open()) else {
            return Heard::Nothing;
        };
        if why == Unmet::Unlisted && ask.said.times < 3 {
            // It has lost our card, or has not got it yet: it gets it again, and is asked again behind that.
            ask.far = Far::Asked;
            if let Some(given) = &mut self.given {
                given.joined = false;
            }
            return Heard::Nothing;
        }
        ask.far = Far::Unmet(super::ask::Why(why));
        ask.expires = now.after(LASTS);
        Heard::Ask(who.clone())
    }

    fn asked_for(&mut self, now: UnixMillis, who: Person, id: [u8; 16]) -> Heard {
        let waiting = self.asked.iter().filter(|asked| asked.answer == Answer::None).count();
        let known = self.asked.iter().any(|asked| asked.who == who);
        let room = waiting < MOST_WAITING && self.asked.len() < MOST_ASKED;
        // Whoever did not give it a card is not asked for.
        if known || !room || self.given.is_none() {
            return Heard::Nothing;
        }
        self.asked.push(Asked::new(id, who, now));
        Heard::Asked(id)
    }

    fn card_of_asked(&mut self, now: UnixMillis, who: Person, card: &Pointer) -> Heard {
        let Some(ask) = self.asks.iter_mut().find(|ask| ask.who == who && ask.said.times > 0) else {
            return Heard::Nothing;
        };
        match &ask.far {
            Far::Asked | Far::Waiting => {
                ask.far = Far::Card { account: card.account(), card: card.to_bytes() };
                ask.expires = now.after(MEETS);
                Heard::Ask(who)
            }
            Far::Card { account, .. } | Far::Knocked(account) if *account != card.account() => {
                Heard::Warning(swapped(&self.bot, &who))
            }
            _ => Heard::Nothing,
        }
    }

    fn card_of_asking(&mut self, now: UnixMillis, who: Person, card: &Pointer) -> Heard {
        let Some(asked) = self.asked.iter_mut().find(|asked| asked.who == who) else {
            return Heard::Nothing;
        };
        match &asked.answer {
            Answer::Yes(said) if said.times > 0 => {
                asked.answer = Answer::Met(card.account());
                asked.expires = now.after(MEETS);
                Heard::Nothing
            }
            Answer::Met(account) if *account != card.account() => Heard::Warning(swapped(&self.bot, &who)),
            _ => Heard::Nothing,
        }
    }

    /// What is to be said to the bot now, or when next something will be. `card` is our card for it where we are to be on its list.
    pub(crate) fn due(&self, now: UnixMillis, card: Option<&Pointer>) -> Result<Request, Option<UnixMillis>> {
        let mut next = None;
        let mut later = |due: UnixMillis| next = Some(next.map_or(due, |next: UnixMillis| next.min(due)));
        match (card, &self.given) {
            (Some(card), given) => {
                let due = match given {
                    Some(given) if given.seq == card.seq() => match given.dropped {
                        Some(dropped) => Some(given.said.due().max(dropped.after(DROPPED))),
                        None if given.joined => None,
                        None => Some(given.said.due()),
                    },
                    _ => Some(UnixMillis::default()),
                };
                match due {
                    Some(due) if due <= now => return Ok(Request::Join(Box::new(card.clone()))),
                    Some(due) => later(due),
                    None => {}
                }
            }
            (None, Some(_)) => return Ok(Request::Leave),
            (None, None) => {}
        }
        for asked in &self.asked {
            let (said, request) = match &asked.answer {
                Answer::Yes(said) => (said, Request::Yes(asked.who.clone())),
                Answer::No(said) if said.times == 0 => (said, Request::No(asked.who.clone())),
                _ => continue,
            };
            match said.due() {
                due if due <= now => return Ok(request),
                due => later(due),
            }
        }
        // Whom the bot does not have on its list it introduces to nobody.
        if self.is_listed() {
            for ask in self.asks.iter().filter(|ask| ask.far == Far::Asked) {
                match ask.said.due() {
                    due if due <= now => return Ok(Request::Meet(ask.who.clone())),
                    due => later(due),
                }
            }
        }
        Err(next)
    }

    /// It was said, or may have been.
    pub(crate) fn said(&mut self, now: UnixMillis, request: &Request) {
        match request {
            Request::Join(card) => match &mut self.given {
                Some(given) if given.seq == card.seq() => {
                    given.said.again(now);
                    given.dropped = None;
                }
                given => {
                    let said = Said { times: 1, last: now };
                    *given = Some(Given { seq: card.seq(), said, joined: false, dropped: None });
                }
            },
            Request::Leave => self.given = None,
            Request::Meet(who) => {
                let ask = self.asks.iter_mut().find(|ask| ask.who == *who);
                if let Some(ask) = ask {
                    ask.said.again(now);
                }
            }
            Request::Yes(who) | Request::No(who) => {
                let asked = self.asked.iter_mut().find(|asked| asked.who == *who);
                if let Some(Asked { answer: Answer::Yes(said) | Answer::No(said), .. }) = asked {
                    said.again(now);
                }
            }
            _ => {}
        }
    }

    /// Forgets what has ended. Returns those of our asks that came to nothing by it.
    pub(crate) fn expire(&mut self, now: UnixMillis) -> Vec<Person> {
        let mut over = Vec::new();
        for ask in self.asks.iter_mut().filter(|ask| ask.expires <= now && ask.is_open()) {
            ask.far = Far::Unmet(super::ask::Why(Unmet::Over));
            ask.expires = now.after(LASTS);
            over.push(ask.who.clone());
        }
        self.asks.retain(|ask| ask.expires > now);
        self.asked.retain(|asked| asked.expires > now);
        over
    }

    /// The accounts whose knocks are let in without asking again, and what they are to be called.
    pub(crate) fn admitted(&self) -> impl Iterator<Item = (AccountId, Option<String>)> {
        self.asked.iter().filter_map(|asked| match asked.answer {
            Answer::Met(account) => Some((account, asked.alias.clone())),
            _ => None,
        })
    }
}

fn swapped(bot: &Person, who: &Person) -> String {
    format!(
        "{bot} has named two accounts as {who}'s, one after the other: the later one is not believed, and the earlier one may be as wrong"
    )
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
