//! What a case is, and the list of all.

use std::fmt;

use futures::future::BoxFuture;

use crate::cases::{
    collision, cursors, hostile, hygiene, lifetime, limits, places, retract, ringing, roundtrip, watching,
};
use crate::scene::{Scene, Stop};

/// One thing that every bridge does.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// Its name, which is the name of the test.
    pub name: &'static str,
    /// What it says, in one line.
    pub about: &'static str,
    /// What it costs the service.
    pub weight: Weight,
    pub(crate) body: Body,
}

/// What runs.
pub(crate) type Body = for<'a> fn(&'a Scene<'a>) -> BoxFuture<'a, Result<(), Stop>>;

/// What a case costs the service that it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bridge does it.
    Passed,
    /// It does not, and this is what happened; or a declared deviation is none.
    Failed(String),
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
    ($module:ident :: $name:ident, light $publishes:literal, $about:literal) => {
        case!($module::$name, Weight::Light { publishes: $publishes }; $about)
    };
    ($module:ident :: $name:ident, full, $about:literal) => {
        case!($module::$name, Weight::Full; $about)
    };
    ($module:ident :: $name:ident, $weight:expr; $about:literal) => {
        Case {
            name: stringify!($name),
            about: $about,
            weight: $weight,
            body: |scene| Box::pin($module::$name(scene)),
        }
    };
}

/// A case is added here, in its module, and in [`conformance_tests!`](crate::conformance_tests).
static CASES: &[Case] = &[
    case!(places::capability_makes_sense, light 0, "info and capability say what they must, and two members agree"),
    case!(places::probe_answers, light 0, "a probe answers"),
    case!(roundtrip::round_trip, light 3, "another member finds what was published, class by class"),
    case!(roundtrip::missing_key, light 0, "a key with nothing under it is no error"),
    case!(roundtrip::binary_safety, light 1, "all byte values survive"),
    case!(roundtrip::awkward_contents, full, "contents that look like markup, mail or nothing survive"),
    case!(roundtrip::duplicate_publish, light 2, "an equal record again is harmless and can be taken back"),
    case!(roundtrip::concurrent_writers, full, "what members publish at the same time is all found"),
    case!(limits::undeclared_is_refused, light 0, "what the capability does not declare is refused"),
    case!(limits::too_large_is_refused, light 0, "one byte more than declared is refused, never truncated"),
    case!(limits::largest_record, full, "the largest declared record goes through whole"),
    case!(limits::classes_have_their_own_limits, full, "what one class refuses another still carries"),
    case!(limits::many_keys, full, "as many keys as declared are asked for at once"),
    case!(limits::rate_limit, full, "a service that asks to slow down is listened to"),
    case!(limits::bad_credentials, full, "wrong credentials are Denied, in every operation"),
    case!(cursors::unknown_cursors, light 1, "a cursor that makes no sense means from the beginning"),
    case!(cursors::foreign_cursor, full, "a cursor of another place means from the beginning"),
    case!(cursors::cursor_resumes_after_restart, full, "nothing published after a cursor is left out"),
    case!(cursors::cursor_outlives_its_records, full, "a cursor still works when its records are gone"),
    case!(cursors::pages, full, "small batches find everything, none larger than asked for"),
    case!(collision::collision, full, "a second record under a key appends or overwrites, as declared"),
    case!(
        lifetime::expiry_takes_only_the_expired,
        full,
        "what has not expired stays when something else does"
    ),
    case!(lifetime::kept_for_the_retention, full, "a record stays as long as declared"),
    case!(retract::retract_takes_back, light 1, "what is retracted is no longer found"),
    case!(retract::retract_after_restart, light 1, "a stored receipt works in the next process"),
    case!(retract::retract_is_idempotent, light 1, "retracting what is gone is no error"),
    case!(retract::retract_leaves_others_alone, light 2, "nothing goes but what the receipts stand for"),
    case!(retract::retract_in_one_batch, full, "many receipts are taken back at once"),
    case!(
        places::places_of_others,
        full,
        "each place is reached by its locator, and holds its own records alone"
    ),
    case!(watching::watch_wakes, light 1, "news arrives within the declared latency or interval"),
    case!(watching::watch_begins_with_what_is_there, full, "a watch begins with the records that are there"),
    case!(watching::watch_resumes_from_cursor, full, "watching again from a cursor misses nothing"),
    case!(watching::two_watchers, full, "two watchers get the same news"),
    case!(
        watching::stalled_watcher,
        full,
        "a watcher that does not read is bounded and misses nothing in the end"
    ),
    case!(ringing::ring_is_heard, full, "whoever is rung notices, and what nobody can be called is refused"),
    case!(
        hygiene::cancellation,
        full,
        "a dropped future leaves whole records or none, and a bridge that works"
    ),
    case!(hygiene::no_litter, full, "what is taken back leaves nothing behind"),
    case!(
        hostile::tampered_record_passes_through,
        full,
        "a bridge hands on what it finds and never judges it"
    ),
    case!(hostile::junk_is_skipped, full, "what cannot be parsed is skipped and counted"),
    case!(hostile::hostile_records, full, "ten thousand hostile records cost a bounded amount"),
];
