#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

//! A room in which anything may happen: what holds nevertheless.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::room_tests::{Bench, DAY, card, person};
use super::{Notice, Person, Settings, Spoken, Standing};

/// Something that happens. People are numbers.
#[derive(Clone, Debug)]
enum Happening {
    Says(u8, Words, bool),
    Becomes(u8, Standing),
    Leaves(u8),
    Waits(u32),
    Dies,
    Mute(bool),
    Spoken(Spoken),
}

#[derive(Clone, Debug)]
enum Words {
    Join(u8, u64),
    About(&'static str, u8),
    Alone(&'static str),
    Junk(String),
}

const PEOPLE: u8 = 5;

fn words() -> impl Strategy<Value = Words> {
    let about = prop::sample::select(vec!["meet", "meet", "yes", "yes", "no", "forget", "allow"]);
    let alone =
        prop::sample::select(vec!["help", "list", "leave", "quiet", "quiet off", "pause off", "dance"]);
    prop_oneof![
        3 => (0..PEOPLE, 1..4_u64).prop_map(|(account, seq)| Words::Join(account, seq)),
        8 => (about, 0..PEOPLE).prop_map(|(word, who)| Words::About(word, who)),
        2 => alone.prop_map(Words::Alone),
        1 => ".{0,40}".prop_map(Words::Junk),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let standing = prop::sample::select(vec![
        Standing::Banned,
        Standing::Stranger,
        Standing::Member,
        Standing::Member,
        Standing::Moderator,
    ]);
    let spoken = prop::sample::select(vec![
        Spoken::Said,
        Spoken::Said,
        Spoken::Never,
        Spoken::Later(Duration::from_secs(30)),
    ]);
    prop_oneof![
        12 => (0..PEOPLE, words(), any::<bool>()).prop_map(|(who, words, private)| Happening::Says(who, words, private)),
        1 => (0..PEOPLE, standing).prop_map(|(who, standing)| Happening::Becomes(who, standing)),
        1 => (0..PEOPLE).prop_map(Happening::Leaves),
        2 => (1..500_000_u32).prop_map(Happening::Waits),
        1 => Just(Happening::Dies),
        1 => prop::sample::select(vec![false, false, true]).prop_map(Happening::Mute),
        1 => spoken.prop_map(Happening::Spoken),
    ]
}

fn name(who: u8) -> String {
    format!("@p{who}:x")
}

/// What everybody has said to want, since they were last seen to leave.
#[derive(Default)]
struct Model {
    wants: BTreeSet<(String, String)>,
    cards: BTreeMap<String, BTreeSet<(u8, u64)>>,
}

impl Model {
    fn forgets(&mut self, who: &str) {
        self.wants.retain(|(from, to)| from != who && to != who);
        self.cards.remove(who);
    }
}

fn settings() -> Settings {
    Settings {
        members: 4,
        pairs: 6,
        asks_of_one: 2,
        asks_to_one: 2,
        requests_a_day: 500,
        meets_a_day: 400,
        ..Settings::default()
    }
}

fn live(happenings: Vec<Happening>) -> Result<(), TestCaseError> {
    let mut bench = Bench::new(settings());
    let mut model = Model::default();
    for who in 0..PEOPLE {
        bench.room.insert(person(&name(who)), Standing::Member);
    }
    for (number, happening) in happenings.into_iter().enumerate() {
        let id = format!("${number}");
        match happening {
            Happening::Says(who, words, private) => {
                let from = name(who);
                let text = match words {
                    Words::Join(account, seq) => {
                        model.cards.entry(from.clone()).or_default().insert((account, seq));
                        format!("!join {}", card(account + 1, seq, 100))
                    }
                    Words::About(word, other) => {
                        let other = name(other);
                        if ["meet", "yes"].contains(&word) {
                            model.wants.insert((from.clone(), other.clone()));
                        }
                        format!("!{word} {other}")
                    }
                    Words::Alone(word) => format!("!{word}"),
                    Words::Junk(text) => text,
                };
                bench.hears(&from, &text, private, &id);
                if text == "!leave" && !bench.mute {
                    check(&mut bench, &model)?;
                    model.forgets(&from);
                }
            }
            Happening::Becomes(who, standing) => drop(bench.room.insert(person(&name(who)), standing)),
            Happening::Leaves(who) => {
                bench.room.insert(person(&name(who)), Standing::Stranger);
                bench.bot.left(bench.now, &person(&name(who)));
                bench.work();
                check(&mut bench, &model)?;
                model.forgets(&name(who));
            }
            Happening::Waits(secs) => bench.wait(Duration::from_secs(u64::from(secs))),
            Happening::Dies => {
                let members = bench.bot.members();
                bench.restart();
                prop_assert_eq!(bench.bot.members(), members);
            }
            Happening::Mute(mute) => bench.mute = mute,
            Happening::Spoken(spoken) => bench.spoken = spoken,
        }
        check(&mut bench, &model)?;
    }
    Ok(())
}

/// What was said since this was asked last.
fn check(bench: &mut Bench, model: &Model) -> Result<(), TestCaseError> {
    let member = |who: &Person| bench.room.get(who).is_some_and(|standing| standing.is_member());
    for (to, text) in &bench.said {
        let notices: Vec<_> = Notice::all(text).collect();
        for notice in &notices {
            let Notice::Meet { who, card: told, .. } = notice else { continue };
            // Moments of the same second count as one.
            prop_assert!(member(to) && member(who), "{to} {who}");
            let wants = |from: &Person, to: &Person| {
                model.wants.contains(&(from.as_str().to_owned(), to.as_str().to_owned()))
            };
            prop_assert!(wants(to, who) && wants(who, to), "{to} {who}");
            let theirs = model.cards.get(who.as_str()).into_iter().flatten();
            let known = theirs.into_iter().any(|(account, seq)| card(account + 1, *seq, 100) == **told);
            prop_assert!(known, "a card of another");
        }
        let meets = notices.iter().any(|notice| matches!(notice, Notice::Meet { .. }));
        // `Q` is what an array of two begins with in base32.
        prop_assert!(meets || !text.contains("wayside-card:Q"), "{text}");
        prop_assert!(!text.contains(|c: char| c != '\n' && crate::place::is_deceptive(c)));
    }
    bench.said.clear();
    prop_assert!(bench.bot.members() <= 4);
    let size = bench.stored.as_ref().map_or(0, Vec::len);
    prop_assert!(size < 64 << 10, "{size}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// No card without both sides' word and membership, bounded state, and a restart changes nothing.
    #[test]
    fn whatever_happens_in_a_room(happenings in prop::collection::vec(happening(), 1..120)) {
        live(happenings)?;
    }

    /// A restart after every step comes to the same as none.
    #[test]
    fn restarts_change_nothing(happenings in prop::collection::vec((0..PEOPLE, words()), 1..60)) {
        let (mut one, mut two) = (Bench::new(settings()), Bench::new(settings()));
        for (number, (who, words)) in happenings.into_iter().enumerate() {
            let text = match words {
                Words::Join(account, seq) => format!("!join {}", card(account + 1, seq, 100)),
                Words::About(word, other) => format!("!{word} {}", name(other)),
                Words::Alone(word) => format!("!{word}"),
                Words::Junk(text) => text,
            };
            for bench in [&mut one, &mut two] {
                bench.room.insert(person(&name(who)), Standing::Member);
                bench.hears(&name(who), &text, false, &format!("${number}"));
                bench.wait(DAY / 24);
            }
            two.restart();
        }
        prop_assert_eq!(&one.said, &two.said);
        prop_assert_eq!(one.stored, two.stored);
    }
}
