//! The specification that a bridge is held to, sentence by sentence: `docs/BRIDGE-SPEC.md`.

use std::fmt;

/// A sentence of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sentence {
    /// A letter for the chapter and a number in it, for good (`F1`).
    pub id: &'static str,
    /// The sentence, as the page has it.
    pub text: &'static str,
}

impl fmt::Display for Sentence {
    /// `F1: A key with nothing under it …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.text)
    }
}

/// All sentences, in the order of the page.
pub fn specification() -> &'static [&'static Sentence] {
    SENTENCES
}

macro_rules! sentences {
    ($($id:ident: $text:literal)*) => {
        $(
            pub(crate) static $id: Sentence = Sentence { id: stringify!($id), text: $text };
        )*
        static SENTENCES: &[&Sentence] = &[$(&$id),*];
    };
}

// A sentence is added here and on the page; `tests/specification.rs` compares the two.
sentences! {
    D1: "A bridge has a kind of 1–16 of `a-z 0-9 -` that begins with a letter, and a title for a person that is not empty and holds no control characters."
    D2: "Two handles that reach the same shared place have a locator in common, as soon as both know any."
    D3: "The capability declares at least one class, with room for at least one byte and a retention that is not nought, and lets a request name at least one key."
    D4: "The capability is the same for every member of a place."
    D5: "The capability says what the service sees."
    C1: "What the capability does not declare is answered `Refused` or `Unsupported`."
    C2: "A record larger than its class declares is answered `Refused` or `Unsupported`, and nothing of it is found."
    C3: "What the capability declares works: a request that keeps to it gives no error while the service is up."
    C4: "Limits hold class by class: a record that its own class allows is taken, whatever another class says."
    P1: "What was accepted is found under its key by every member of the place, within the declared latency or interval."
    P2: "A record is found as it was published: its key, class and `not_after`, and every byte."
    P3: "Publishing an equal record again is harmless, and each copy is taken back by a receipt."
    P4: "With `Append` a later record of a key leaves the earlier ones; with `Overwrite` it replaces them."
    P5: "A record without bytes may be `Refused`; where it is taken, it is found."
    P6: "What several members publish at the same time is all found."
    F1: "A key with nothing under it is no error: the batch lacks it."
    F2: "Only records under the keys that were asked for are handed out."
    F3: "A batch holds at most as many records as the request's limit."
    F4: "A batch that says `more` has a cursor, and going on from it comes to an end."
    F5: "Whoever fetches on from a cursor misses nothing that was published after it, across restarts too."
    F6: "A cursor that is unknown, stale or of another place means from the beginning, and is no error."
    F7: "In batches of any size everything is found."
    F8: "Where the place can be listed, asking for `All` keys finds every record."
    L1: "A place is reached by its locator, by its owner and by others."
    L2: "A place of one writer holds that writer's records alone."
    T1: "A record stays for its class's retention, unless it is taken back or expires before."
    T2: "What has expired may be left out; asking for it and taking it back are no errors."
    R1: "What was taken back is found no longer."
    R2: "A receipt works in a later process, too."
    R3: "Taking back what is gone already or was never there is no error."
    R4: "Nothing goes but what the receipts stand for."
    R5: "One call takes back all of its receipts."
    R6: "What was taken back leaves nothing behind in the place."
    W1: "News arrives within the declared latency, or, for who polls, within the declared interval."
    W2: "A watch begins with the records that are there after its cursor."
    W3: "Whoever watches again from the last cursor misses nothing."
    W4: "Every watcher gets all of the news, however many there are."
    W5: "A watcher that does not read slows its stream or ends it with `Lagged`, and loses nothing by it."
    W6: "A stream that ends by itself ends with an error."
    N1: "Who is rung notices, and nobody else."
    N2: "A target that nobody can be called is `Refused`, and nobody is rung."
    N3: "A ring too many is harmless or `RateLimited`, and does not stand in the way of records."
    Q1: "A probe succeeds where the service answers and accepts us."
    Q2: "The public address that a probe tells is one from which a machine can come."
    E1: "Where the service asks to slow down, a publication waits, or is `RateLimited` and says when to come again; it never claims to have happened."
    E2: "Credentials that the service does not accept give `Denied`, in every operation."
    H1: "A record is handed on as it lies there: a bridge never judges its bytes."
    H2: "An entry that cannot be read as a record spoils no other: it is skipped, and counted where the place is listed."
    H3: "However much a stranger leaves in the place, records are found in a bounded number of batches and a bounded time."
    X1: "A call may be dropped at any moment: a publication has then happened whole or not at all."
    X2: "After a dropped call the bridge works on."
    X3: "A bridge does not panic."
    X4: "Every call comes to an end."
}
