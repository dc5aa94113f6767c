#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    Notice, Output, Person, Request, RestoreRoomError, RoomIntroducer, Said, Settings, Spoken, Standing,
    Unmet,
};
use crate::crypto::Secret;
use crate::crypto::keys::AccountKey;
use crate::place::Locator;
use crate::pointer::{Claims, Pointer, PointerName};
use crate::time::{Now, UnixMillis};

pub(super) const DAY: Duration = Duration::from_secs(86_400);
const START: u64 = 1_800_000_000;

pub(super) fn person(name: &str) -> Person {
    Person::new(name).unwrap()
}

/// The card of the account that this number stands for.
pub(super) fn card(account: u8, seq: u64, days: u64) -> Pointer {
    let claims = Claims {
        name: PointerName::new("room").unwrap(),
        seq,
        expires: UnixMillis::from_secs(START).after(DAY * u32::try_from(days).unwrap()),
        key: [account; 32],
        public: [account; 16],
        points: vec![Locator::new("matrix", "example.org").unwrap()],
    };
    Pointer::sign(&AccountKey::from_secret(&Secret::new([account; 32])), claims).unwrap()
}

/// A bot in a room that answers at once, and all that it said.
pub(super) struct Bench {
    pub(super) bot: RoomIntroducer,
    pub(super) settings: Settings,
    pub(super) now: Now,
    pub(super) room: BTreeMap<Person, Standing>,
    /// The service does not say who is in the room.
    pub(super) mute: bool,
    pub(super) spoken: Spoken,
    pub(super) stored: Option<Vec<u8>>,
    pub(super) said: Vec<(Person, String)>,
    pub(super) asked: usize,
    number: u64,
}

impl Bench {
    pub(super) fn new(settings: Settings) -> Self {
        let now = Now { wall: UnixMillis::from_secs(START), mono: Duration::from_secs(5) };
        let bot = RoomIntroducer::restore(person("@bot:x"), 4096, settings.clone(), None).unwrap();
        Self {
            bot,
            settings,
            now,
            room: BTreeMap::new(),
            mute: false,
            spoken: Spoken::Said,
            stored: None,
            said: Vec::new(),
            asked: 0,
            number: 0,
        }
    }

    /// These are in the room, and on the list with the cards of accounts 1, 2, ….
    pub(super) fn joined(names: &[&str]) -> Self {
        let mut bench = Self::new(Settings::default());
        for (account, name) in (1..).zip(names) {
            bench.room.insert(person(name), Standing::Member);
            bench.says(name, &format!("!join {}", card(account, 1, 100)));
        }
        bench.said.clear();
        bench
    }

    pub(super) fn restart(&mut self) {
        let stored = self.stored.as_deref();
        self.bot = RoomIntroducer::restore(person("@bot:x"), 4096, self.settings.clone(), stored).unwrap();
    }

    pub(super) fn hears(&mut self, from: &str, text: &str, private: bool, id: &str) {
        let from = person(from);
        self.bot.said(self.now, Said { from: &from, text, private, automatic: false, id });
        self.work();
    }

    /// To everybody.
    pub(super) fn says(&mut self, from: &str, text: &str) {
        self.number += 1;
        self.hears(from, text, false, &format!("${}", self.number));
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now.wall = self.now.wall.after(time);
        self.now.mono += time;
        self.bot.handle_timeout(self.now);
        self.work();
    }

    pub(super) fn work(&mut self) {
        while let Some(output) = self.bot.poll_output() {
            match output {
                Output::Persist(bytes) => self.stored = Some(bytes),
                Output::AskStanding(who) => {
                    self.asked += 1;
                    let standing = self.room.get(&who).copied().unwrap_or(Standing::Stranger);
                    self.bot.standing(self.now, &who, (!self.mute).then_some(standing));
                }
                Output::Say { to, text, .. } => {
                    assert!(text.len() <= 4096, "{} bytes", text.len());
                    if self.spoken == Spoken::Said {
                        self.said.push((to, text));
                    }
                    self.bot.spoken(self.now, self.spoken);
                }
            }
        }
    }

    /// The notices that this one got since it was asked last.
    pub(super) fn notices(&mut self, to: &str) -> Vec<Notice> {
        self.texts(to).iter().flat_map(|text| Notice::all(text).collect::<Vec<_>>()).collect()
    }

    /// The messages.
    pub(super) fn texts(&mut self, to: &str) -> Vec<String> {
        let to = person(to);
        let (its, others) = std::mem::take(&mut self.said).into_iter().partition(|(who, _)| *who == to);
        self.said = others;
        its.into_iter().map(|(_, text)| text).collect()
    }
}

const ANN: &str = "@ann:x";
const BEN: &str = "@ben:x";
const EVE: &str = "@eve:x";

fn unmet(who: &str, why: Unmet) -> Notice {
    Notice::Unmet(person(who), why)
}

fn meet(who: &str, account: u8, asked: bool) -> Notice {
    Notice::Meet { who: person(who), card: Box::new(card(account, 1, 100)), asked }
}

#[test]
fn two_who_both_say_yes_get_each_others_card() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    bench.says(ANN, "!meet @ben:x");
    assert_eq!(bench.notices(ANN), [Notice::Asking(person(BEN))]);
    assert_eq!(bench.notices(BEN), [Notice::Asked(person(ANN))]);
    bench.hears(BEN, "Yes @ann:x please", true, "$yes");
    assert_eq!(bench.notices(BEN), [meet(ANN, 1, false)]);
    let texts = bench.texts(ANN);
    assert!(texts[0].contains(&format!("\nwayside accept {}\n", card(2, 1, 100))), "{texts:?}");
    assert_eq!(Notice::find(&texts[0]), Some(meet(BEN, 2, true)));
    // Whoever lost it is told again.
    bench.says(ANN, "!meet @ben:x");
    bench.says(BEN, "!meet @ann:x");
    assert_eq!(
        (bench.notices(ANN), bench.notices(BEN)),
        (vec![meet(BEN, 2, true)], vec![meet(ANN, 1, false)])
    );
}

#[test]
fn who_asks_whom_they_are_asked_by_has_said_yes() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    bench.says(BEN, "!quiet");
    bench.says(BEN, "!meet @ann:x");
    bench.said.clear();
    bench.says(ANN, "!meet @ben:x");
    assert_eq!(
        (bench.notices(ANN), bench.notices(BEN)),
        (vec![meet(BEN, 2, false)], vec![meet(ANN, 1, true)])
    );
}

#[test]
fn a_no_looks_like_no_answer() {
    let mut seen = Vec::new();
    for answer in [Some("!no @ann:x"), None] {
        let mut bench = Bench::joined(&[ANN, BEN]);
        bench.says(ANN, "!meet @ben:x");
        bench.texts(BEN);
        answer.iter().for_each(|no| bench.says(BEN, no));
        bench.texts(BEN);
        bench.says(ANN, "!meet @ben:x");
        bench.wait(DAY * 7);
        bench.says(ANN, "!meet @ben:x");
        bench.texts(BEN);
        bench.wait(DAY * 8);
        bench.says(ANN, "!meet @ben:x");
        assert_eq!(bench.notices(BEN).is_empty(), answer.is_some(), "who said no is not asked again");
        bench.wait(DAY * 7);
        seen.push(bench.texts(ANN));
    }
    assert_eq!(seen[0], seen[1]);
    let notices: Vec<_> = seen[0].iter().filter_map(|text| Notice::find(text)).collect();
    let asking = || Notice::Asking(person(BEN));
    let over = || unmet(BEN, Unmet::Over);
    assert_eq!(notices, [asking(), asking(), over(), unmet(BEN, Unmet::Limited), asking(), over()]);
}

#[test]
fn who_is_not_there_is_not_told_from_who_does_not_want() {
    let mut bench = Bench::joined(&[ANN, BEN, EVE]);
    bench.says(BEN, "!quiet");
    bench.room.insert(person(EVE), Standing::Stranger);
    bench.said.clear();
    let mut texts = Vec::new();
    for other in [BEN, EVE, "@nobody:x", ANN, "@bot:x"] {
        bench.says(ANN, &format!("!meet {other}"));
        texts.push(bench.texts(ANN).concat().replace(other, "WHO"));
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(Notice::find(&texts[0]), Some(unmet("WHO", Unmet::Absent)));
    assert!(bench.said.is_empty());
    bench.says(ANN, "!list");
    let list = bench.texts(ANN).concat();
    assert!(list.contains(ANN) && !list.contains(BEN) && !list.contains(EVE), "{list}");
    bench.says(BEN, "!quiet off");
    bench.says(ANN, "!list");
    assert!(bench.texts(ANN).concat().contains(BEN));
}

#[test]
fn a_card_is_its_accounts_and_new() {
    let mut bench = Bench::joined(&[ANN]);
    let join = |account, seq, days| format!("!join {}", card(account, seq, days));
    bench.says(ANN, &join(1, 3, 100));
    assert_eq!(bench.notices(ANN), [Notice::Joined]);
    for (said, why) in [
        (join(1, 2, 100), "older"),
        (join(2, 1, 100), "say `leave` first"),
        (join(1, 4, 0), "expired"),
        ("!join".to_owned(), "card"),
        ("!join wayside-card:MFRGG".to_owned(), "card"),
    ] {
        bench.says(ANN, &said);
        let texts = bench.texts(ANN);
        assert!(texts.len() == 1 && texts[0].contains(why) && Notice::find(&texts[0]).is_none(), "{texts:?}");
    }
    bench.says(ANN, "!leave");
    bench.says(ANN, &join(2, 1, 100));
    assert_eq!(bench.notices(ANN), [Notice::Left, Notice::Joined]);
    // Rejoined a day before it ends, she is told when it does.
    bench.wait(DAY * 100);
    assert_eq!((bench.notices(ANN), bench.bot.members()), (vec![Notice::Left], 0));
}

#[test]
fn who_leaves_or_is_banned_is_forgotten() {
    for how in ["leave", "left", "sweep", "asked", "passing"] {
        let mut bench = Bench::joined(&[ANN, BEN, EVE]);
        bench.says(ANN, "!meet @eve:x");
        bench.says(EVE, "!meet @ben:x");
        bench.said.clear();
        match how {
            "leave" => bench.says(EVE, "!leave"),
            "left" => {
                bench.bot.left(bench.now, &person(EVE));
                bench.work();
            }
            _ => {
                bench.room.insert(person(EVE), Standing::Banned);
                match how {
                    "sweep" => {
                        bench.wait(DAY);
                        (0..4).for_each(|_| bench.wait(Duration::from_secs(1)));
                    }
                    "asked" => bench.says(EVE, "!list"),
                    _ => bench.says(BEN, "!yes @eve:x"),
                }
            }
        }
        assert_eq!(bench.notices(ANN), [unmet(EVE, Unmet::Over)], "{how}");
        assert_eq!(bench.notices(BEN)[0], Notice::Over(person(EVE)), "{how}");
        assert_eq!(bench.bot.members(), 2);
        let stored = String::from_utf8_lossy(bench.stored.as_ref().unwrap()).into_owned();
        assert!(!stored.contains(EVE), "{how}: nothing names her");
        bench.said.clear();
        bench.says(BEN, "!yes @eve:x");
        assert_eq!(bench.notices(BEN), [unmet(EVE, Unmet::Over)]);
    }
}

#[test]
fn who_leaves_between_yes_and_passing_gets_nothing() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    bench.says(ANN, "!meet @ben:x");
    bench.said.clear();
    bench.spoken = Spoken::Later(Duration::from_secs(90));
    bench.says(BEN, "!yes @ann:x");
    bench.room.insert(person(BEN), Standing::Stranger);
    bench.spoken = Spoken::Said;
    bench.wait(Duration::from_secs(91));
    assert_eq!((bench.notices(ANN), bench.notices(BEN)), (vec![unmet(BEN, Unmet::Over)], vec![]));
}

#[test]
fn strangers_are_told_once_and_the_banned_not_at_all() {
    let settings = Settings { strangers_an_hour: 1, ..Settings::default() };
    let mut bench = Bench::new(settings);
    bench.room.insert(person(BEN), Standing::Banned);
    for (number, from) in [EVE, BEN, EVE, EVE].into_iter().enumerate() {
        bench.hears(from, &format!("join {}", card(1, 1, 9)), true, &format!("${number}"));
    }
    assert!(bench.texts(EVE).len() == 1 && bench.said.is_empty() && bench.bot.members() == 0);
}

#[test]
fn moderators_forget_allow_and_pause_while_they_are_moderators() {
    let mut bench = Bench::joined(&[ANN, BEN, EVE]);
    for order in ["!forget @eve:x", "!pause", "!allow @eve:x"] {
        bench.says(ANN, order);
        assert!(bench.texts(ANN)[0].contains("Only moderators"));
    }
    bench.room.insert(person(ANN), Standing::Moderator);
    bench.says(ANN, "!forget @eve:x");
    assert_eq!(bench.notices(EVE), [Notice::Left]);
    bench.says(EVE, &format!("!join {}", card(3, 2, 9)));
    assert!(bench.texts(EVE)[0].contains("moderator"));
    bench.says(ANN, "!allow @eve:x");
    bench.says(EVE, &format!("!join {}", card(3, 2, 9)));
    assert_eq!(bench.notices(EVE), [Notice::Joined]);
    bench.says(BEN, "!meet @eve:x");
    bench.says(ANN, "!pause");
    bench.said.clear();
    bench.says(EVE, "!yes @ben:x");
    bench.says(BEN, "!meet @ann:x");
    assert_eq!(bench.notices(EVE), [unmet(BEN, Unmet::Paused)]);
    assert_eq!(bench.notices(BEN), [unmet(ANN, Unmet::Paused)]);
    bench.says(ANN, "!pause off");
    bench.says(EVE, "!yes @ben:x");
    assert_eq!(bench.notices(EVE), [meet_of(BEN, card(2, 1, 100), false)]);
    bench.room.insert(person(ANN), Standing::Member);
    bench.said.clear();
    bench.says(ANN, "!pause");
    assert!(bench.texts(ANN)[0].contains("Only moderators"));
}

fn meet_of(who: &str, card: Pointer, asked: bool) -> Notice {
    Notice::Meet { who: person(who), card: Box::new(card), asked }
}

#[test]
fn who_asks_for_much_is_told_once() {
    let mut bench = Bench::joined(&[ANN]);
    let before = bench.asked;
    for n in 0..200 {
        bench.says(ANN, "!list");
        assert!(n < 70 || bench.asked < before + 70, "the room is not asked for nothing");
    }
    let texts = bench.texts(ANN);
    assert_eq!(texts.len(), 60, "59 lists after one join, and a sentence");
    assert!(texts[59].contains("tomorrow"));
    bench.wait(DAY);
    bench.says(ANN, "!list");
    assert_eq!(bench.texts(ANN).len(), 1);
    let mut notices = Vec::new();
    for n in 0..20 {
        bench.says(ANN, &format!("!meet @p{n}:x"));
        notices.extend(bench.notices(ANN));
    }
    assert_eq!(notices.len(), 13);
    assert_eq!(notices[12], unmet("@p12:x", Unmet::Limited));
    // To leave and come back changes nothing.
    bench.says(ANN, "!leave");
    bench.says(ANN, &format!("!join {}", card(1, 2, 100)));
    bench.said.clear();
    bench.says(ANN, "!meet @p1:x");
    assert!(bench.said.is_empty());
}

#[test]
fn nobody_is_asked_again_soon_by_one_who_leaves_and_comes_back() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    bench.says(ANN, "!meet @ben:x");
    bench.says(ANN, "!leave");
    bench.says(ANN, &format!("!join {}", card(1, 2, 100)));
    bench.said.clear();
    bench.says(ANN, "!meet @ben:x");
    assert_eq!((bench.notices(ANN), bench.notices(BEN)), (vec![unmet(BEN, Unmet::Limited)], vec![]));
}

#[test]
fn what_was_asked_can_be_taken_back() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    bench.says(ANN, "!meet @ben:x");
    bench.said.clear();
    bench.says(ANN, "!no @ben:x");
    let over = |who| vec![Notice::Over(person(who))];
    assert_eq!((bench.notices(ANN), bench.notices(BEN)), (over(BEN), over(ANN)));
    bench.says(BEN, "!yes @ann:x");
    assert_eq!((bench.notices(BEN), bench.notices(ANN)), (vec![unmet(ANN, Unmet::Over)], vec![]));
}

#[test]
fn a_message_counts_once_also_after_a_restart() {
    let mut bench = Bench::joined(&[ANN]);
    bench.hears(ANN, "!list", false, "$same");
    bench.hears(ANN, "!list", false, "$same");
    bench.restart();
    bench.hears(ANN, "!list", false, "$same");
    assert_eq!(bench.texts(ANN).len(), 1);
}

#[test]
fn what_was_not_known_to_be_said_is_said_once_more() {
    let mut bench = Bench::joined(&[ANN]);
    let from = person(ANN);
    let help = Said { from: &from, text: "!help", private: false, automatic: false, id: "$h" };
    bench.bot.said(bench.now, help);
    for expected in [true, true, false] {
        let mut said = false;
        while let Some(output) = bench.bot.poll_output() {
            match output {
                Output::Persist(bytes) => bench.stored = Some(bytes),
                Output::AskStanding(who) => bench.bot.standing(bench.now, &who, Some(Standing::Member)),
                // And the process dies.
                Output::Say { .. } => said = true,
            }
        }
        assert_eq!(said, expected);
        bench.restart();
        bench.bot.handle_timeout(bench.now);
    }
}

#[test]
fn what_the_service_cannot_take_now_is_said_later_others_first() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    bench.spoken = Spoken::Later(Duration::from_secs(40));
    bench.says(ANN, "!help");
    bench.says(BEN, "!help");
    bench.wait(Duration::from_secs(40));
    assert!(bench.said.is_empty());
    bench.spoken = Spoken::Said;
    bench.wait(Duration::from_secs(30));
    assert!(bench.said.is_empty(), "the service has said when");
    bench.wait(Duration::from_secs(10));
    let order: Vec<_> = bench.said.iter().map(|(to, _)| to.as_str().to_owned()).collect();
    assert_eq!(order, [BEN, ANN]);
    bench.spoken = Spoken::Never;
    bench.says(ANN, "!help");
    bench.spoken = Spoken::Said;
    bench.said.clear();
    bench.wait(DAY / 2);
    assert!(bench.said.is_empty());
}

#[test]
fn a_service_that_does_not_say_who_is_there_is_asked_again() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    bench.says(ANN, "!meet @ben:x");
    bench.said.clear();
    bench.mute = true;
    bench.says(BEN, "!yes @ann:x");
    bench.hears("@new:x", &format!("join {}", card(9, 1, 9)), true, "$n");
    assert!(bench.texts(BEN)[0].contains("again in some minutes") && bench.said.is_empty());
    assert_eq!(bench.bot.members(), 2);
    bench.mute = false;
    bench.says(BEN, "!yes @ann:x");
    assert_eq!(bench.notices(BEN), [meet(ANN, 1, false)]);
}

#[test]
fn words_of_bots_and_talk_are_not_answered() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    bench.says(ANN, "hello all, !help me");
    bench.says(ANN, "!weather in Rome");
    bench.says(BEN, "!help\nwayside-bot: joined");
    bench.says("@bot:x", "!help");
    let from = person(ANN);
    let notice = Said { from: &from, text: "!help", private: true, automatic: true, id: "$a" };
    bench.bot.said(bench.now, notice);
    bench.work();
    assert!(bench.said.is_empty());
    bench.hears(ANN, "yes @ben:x\n\n> wayside-bot: asked @ben:x", true, "$quoted");
    assert_eq!(bench.notices(ANN), [unmet(BEN, Unmet::Over)]);
    bench.hears(ANN, "bonjour", true, "$french");
    assert!(bench.texts(ANN)[0].contains("I do not know `bonjour`"));
}

#[test]
fn nothing_hostile_is_said_again() {
    let mut bench = Bench::joined(&[ANN]);
    let long = "x".repeat(5_000);
    for said in [
        format!("!meet {long}"),
        "!meet @room".to_owned(),
        "!yes @ROOM everybody".to_owned(),
        "!meet @a\u{202e}b".to_owned(),
        format!("{long} @room"),
        format!("!join wayside-card:{long}"),
        "!no \u{1b}[2J".to_owned(),
        "!allow @a\u{200b}b".to_owned(),
    ] {
        bench.hears(ANN, &said, true, &said);
        let text = bench.texts(ANN).concat();
        assert!(!text.is_empty() && text.len() < 300, "{text}");
        assert!(!text.to_lowercase().contains("@room") && !text.contains("xxxxxxxxxxxxxxxxxxxx"), "{text}");
        assert!(!text.contains(|c: char| c != '\n' && crate::place::is_deceptive(c)), "{text}");
    }
}

#[test]
fn what_many_ask_is_gathered_where_people_want_few_messages() {
    let mut bench = Bench::joined(&[ANN, BEN, EVE, "@dan:x"]);
    bench.settings.gather = DAY / 4;
    bench.restart();
    for from in [BEN, EVE, "@dan:x"] {
        bench.says(from, "!meet @ann:x");
    }
    assert_eq!(bench.notices(ANN), [Notice::Asked(person(BEN))]);
    bench.says(ANN, "!help");
    assert_eq!(bench.texts(ANN).len(), 1, "who asks is answered at once");
    assert!(bench.bot.poll_timeout(bench.now) <= DAY / 4);
    bench.wait(DAY / 4);
    let texts = bench.texts(ANN);
    assert_eq!(texts.len(), 1);
    let both: Vec<_> = Notice::all(&texts[0]).collect();
    assert_eq!(both, [Notice::Asked(person(EVE)), Notice::Asked(person("@dan:x"))]);
}

#[test]
fn a_long_list_comes_in_pieces() {
    let mut bench = Bench::new(Settings { listed: 60, ..Settings::default() });
    let names: Vec<_> = (10..80).map(|n| format!("@{}{n}:x", "long".repeat(50))).collect();
    for (account, name) in (1..).zip(&names) {
        bench.room.insert(person(name), Standing::Member);
        bench.says(name, &format!("!join {}", card(account, 1, 100)));
    }
    bench.said.clear();
    bench.says(&names[0], "!list");
    let texts = bench.texts(&names[0]);
    assert!(texts.len() > 2 && texts[0].starts_with("70 can be asked"), "{texts:?}");
    let told: Vec<_> =
        texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with('@')).collect();
    assert_eq!(told, names[..60]);
    assert!(texts.last().unwrap().ends_with("… and 10 more"));
}

#[test]
fn everything_fits_the_least_message() {
    let longest = Person::new(&format!("@{}", "a".repeat(254))).unwrap();
    let claims = Claims {
        name: PointerName::new(&"n".repeat(64)).unwrap(),
        points: (0..3)
            .map(|n| Locator::new("matrix", &format!("{n}{}", "p".repeat(Locator::MAX - 7))).unwrap())
            .collect(),
        ..card(1, 1, 1).claims().clone()
    };
    let card = Pointer::sign(&AccountKey::from_secret(&Secret::new([1; 32])), claims).unwrap();
    let beyond = Pointer::MAX.saturating_sub(card.to_bytes().len()) * 2 * 8 / 5 + 2;
    for asked in [true, false] {
        assert!(super::telling::meet(&longest, &card, asked).len() + beyond <= RoomIntroducer::LEAST_MESSAGE);
    }
    assert!(super::telling::HELP.len() <= RoomIntroducer::LEAST_MESSAGE);
}

#[test]
fn a_state_that_is_none_says_so() {
    let bench = Bench::joined(&[ANN, BEN]);
    let stored = bench.stored.unwrap();
    let restore = |own: &str, stored: &[u8]| {
        RoomIntroducer::restore(person(own), 4096, Settings::default(), Some(stored)).map(|bot| bot.members())
    };
    assert_eq!(restore("@bot:x", &stored), Ok(2));
    assert_eq!(restore("@other:x", &stored), Err(RestoreRoomError::Another(person("@bot:x"))));
    for cut in 0..stored.len() {
        assert!(matches!(restore("@bot:x", &stored[..cut]), Err(RestoreRoomError::Damaged(_))), "{cut}");
    }
    for at in 0..stored.len() {
        let mut damaged = stored.clone();
        damaged[at] ^= 0x10;
        let error = restore("@bot:x", &damaged).unwrap_err();
        assert_eq!(error == RestoreRoomError::Later, at == 0, "{error}");
    }
}

#[test]
fn what_the_bot_says_is_never_a_request() {
    let mut bench = Bench::joined(&[ANN, BEN]);
    for said in ["!help", "!list", "!meet @ben:x", "!meet @no:x", "!dance", "!quiet", "!quiet off", "!leave"]
    {
        bench.says(ANN, said);
    }
    for (_, text) in bench.said {
        assert_eq!(Request::parse(&text, super::Spelling::Marked), None, "{text}");
    }
}
