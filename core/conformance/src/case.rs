//! What a case is, and the list of all.

use std::fmt;

use futures::future::BoxFuture;

use crate::cases::{
    collision, cursors, hostile, hygiene, lifetime, limits, places, retract, ringing, roundtrip, watching,
};
use crate::scene::{Scene, Stop};
use crate::spec::{self, Sentence};

/// One thing that every bridge does.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// Its name, which is the name of the test.
    pub name: &'static str,
    /// What it says, in one line.
    pub about: &'static str,
    /// What of the specification it holds a bridge to. Where it fails it names the sentence that was broken: one of these, or one that every case leans on,
    /// such as that what was published is found.
    pub sentences: &'static [&'static Sentence],
    /// What it costs the service.
    pub weight: Weight,
    pub(crate) body: Body,
}

/// What runs.
pub(crate) type Body = for<'a> fn(&'a Scene<'a>) -> BoxFuture<'a, Result<(), Stop>>;

/// What a case costs the service that it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weight {
    /// Fit for a place that people use: publishes at most so many records and takes all of them back.
    Light {
        /// The most records that it publishes; more is a failure.
        publishes: usize,
    },
    /// Needs a namespace that may be thrown away.
    Full,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("weight", &self.weight).finish_non_exhaustive()
    }
}

/// How a case failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The sentence of the specification that the bridge broke. `None` where it is not the bridge that failed: a harness that does not supply what it says, or
    /// declares a deviation that is none.
    pub sentence: Option<&'static Sentence>,
    /// What was expected, in the words of the case.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
}

impl Failure {
    /// What is no fault of the bridge's.
    pub(crate) const fn elsewhere(expected: String, seen: String) -> Self {
        Self { sentence: None, expected, seen }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(sentence) = self.sentence {
            writeln!(f, "it breaks {sentence}")?;
        }
        write!(f, "expected: {}\nseen: {}", self.expected, self.seen)
    }
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The bridge does it.
    Passed,
    /// It does not, or a declared deviation is none.
    Failed(Failure),
    /// It could not be tried here, and why.
    Skipped(String),
    /// It does not, as the harness declares, and why.
    Deviates(String),
}

impl Outcome {
    /// Whether the run it belongs to has failed.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// All cases, in the order to run them.
pub fn cases() -> &'static [Case] {
    CASES
}

/// The case of this name.
pub fn case(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

macro_rules! case {
    ($module:ident :: $name:ident, light $publishes:literal, [$($sentence:ident)+], $about:literal) => {
        case!($module::$name, Weight::Light { publishes: $publishes }; [$($sentence)+] $about)
    };
    ($module:ident :: $name:ident, full, [$($sentence:ident)+], $about:literal) => {
        case!($module::$name, Weight::Full; [$($sentence)+] $about)
    };
    ($module:ident :: $name:ident, $weight:expr; [$($sentence:ident)+] $about:literal) => {
        Case {
            name: stringify!($name),
            about: $about,
            sentences: &[$(&spec::$sentence),+],
            weight: $weight,
            body: |scene| Box::pin($module::$name(scene)),
        }
    };
}

/// A case is added here, in its module, and in [`conformance_tests!`](crate::conformance_tests).
static CASES: &[Case] = &[
    case!(places::capability_makes_sense, light 0, [D1 D2 D3 D4 D5], "info and capability say what they must, and two members agree"),
    case!(places::probe_answers, light 0, [Q1 Q2], "a probe answers"),
    case!(roundtrip::round_trip, light 3, [P1 P2 F2 F8], "another member finds what was published, class by class"),
    case!(roundtrip::missing_key, light 0, [F1 F2], "a key with nothing under it is no error"),
    case!(roundtrip::binary_safety, light 1, [P2], "all byte values survive"),
    case!(roundtrip::awkward_contents, full, [P2 P5], "contents that look like markup, mail or nothing survive"),
    case!(roundtrip::duplicate_publish, light 2, [P3], "an equal record again is harmless and can be taken back"),
    case!(roundtrip::concurrent_writers, full, [P6], "what members publish at the same time is all found"),
    case!(limits::undeclared_is_refused, light 0, [C1], "what the capability does not declare is refused"),
    case!(limits::too_large_is_refused, light 0, [C2], "one byte more than declared is refused, never truncated"),
    case!(limits::largest_record, full, [C3 P2], "the largest declared record goes through whole"),
    case!(limits::classes_have_their_own_limits, full, [C2 C4], "what one class refuses another still carries"),
    case!(limits::many_keys, full, [C3 P1], "as many keys as declared are asked for at once"),
    case!(limits::rate_limit, full, [E1], "a service that asks to slow down is listened to"),
    case!(limits::bad_credentials, full, [E2], "wrong credentials are Denied, in every operation"),
    case!(cursors::unknown_cursors, light 1, [F6], "a cursor that makes no sense means from the beginning"),
    case!(cursors::foreign_cursor, full, [F6], "a cursor of another place means from the beginning"),
    case!(cursors::cursor_resumes_after_restart, full, [F5], "nothing published after a cursor is left out"),
    case!(cursors::cursor_outlives_its_records, full, [F5], "a cursor still works when its records are gone"),
    case!(cursors::pages, full, [F3 F4 F7], "small batches find everything, none larger than asked for"),
    case!(collision::collision, full, [P4 R4], "a second record under a key appends or overwrites, as declared"),
    case!(
        lifetime::expiry_takes_only_the_expired,
        full, [T1 T2],
        "what has not expired stays when something else does"
    ),
    case!(lifetime::kept_for_the_retention, full, [T1], "a record stays as long as declared"),
    case!(retract::retract_takes_back, light 1, [R1], "what is retracted is no longer found"),
    case!(retract::retract_after_restart, light 1, [R2], "a stored receipt works in the next process"),
    case!(retract::retract_is_idempotent, light 1, [R3], "retracting what is gone is no error"),
    case!(retract::retract_leaves_others_alone, light 2, [R4], "nothing goes but what the receipts stand for"),
    case!(retract::retract_in_one_batch, full, [R5], "many receipts are taken back at once"),
    case!(
        places::places_of_others,
        full, [L1 L2],
        "each place is reached by its locator, and holds its own records alone"
    ),
    case!(watching::watch_wakes, light 1, [W1 F2], "news arrives within the declared latency or interval"),
    case!(
        watching::watch_begins_with_what_is_there,
        full,
        [W2],
        "a watch begins with the records that are there"
    ),
    case!(watching::watch_resumes_from_cursor, full, [W3], "watching again from a cursor misses nothing"),
    case!(watching::two_watchers, full, [W4], "two watchers get the same news"),
    case!(
        watching::stalled_watcher,
        full, [W5 W6],
        "a watcher that does not read is bounded and misses nothing in the end"
    ),
    case!(ringing::ring_is_heard, full, [N1 N2 N3], "whoever is rung notices, and what nobody can be called is refused"),
    case!(
        hygiene::cancellation,
        full, [X1 X2],
        "a dropped future leaves whole records or none, and a bridge that works"
    ),
    case!(hygiene::no_litter, full, [R6], "what is taken back leaves nothing behind"),
    case!(
        hostile::tampered_record_passes_through,
        full,
        [H1],
        "a bridge hands on what it finds and never judges it"
    ),
    case!(hostile::junk_is_skipped, full, [H2], "what cannot be parsed is skipped and counted"),
    case!(hostile::hostile_records, full, [H3], "ten thousand hostile records cost a bounded amount"),
];
