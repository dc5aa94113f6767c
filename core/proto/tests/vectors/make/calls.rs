//! What is said by a spoken code: calls, what answers them with all that was drawn for it, and bytes that are no call.

use std::time::Duration;

use serde_json::{Value, json};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use wayside_proto::Epoch;
use wayside_proto::code::Code;
use wayside_proto::code::exchange::{Call, Caller, GUESSES, Heard, Judged};
use wayside_proto::crypto::envelope::{self, Bucket};
use wayside_proto::crypto::keys::NoiseKey;
use wayside_proto::crypto::{derive, sha256};
use wayside_proto::meet::slot::{self, Slot};
use wayside_proto::place::{Locator, PlaceTag};

use super::given::Given;
use super::{NOW, bytes, hex};

const DAY: Epoch = Epoch(20_717);
/// Of a call's bytes: where its elements are.
const ELEMENTS: std::ops::Range<usize> = 37..37 + 32 * GUESSES as usize;

pub(super) fn all() -> Vec<Value> {
    let (right, wrong) = ("7-crossover-clockwork-amulet", "7-crossover-clockwork-amusement");
    let answered = Exchange::new("answered", right, &["matrix:#wayside:example.org", "moon:base"])
        .answered(&[(wrong, 3), (right, 5)]);
    // By the number of what was answered, not by its place.
    let guesses = [5, 2, 7, 4, 1, 6, 3, 0].map(|index| ("42-adroitness-aardvark", index));
    let burnt = Exchange::new("burnt", "42-adroitness-zulu", &["dir:/srv/x"]).answered(&guesses);
    let mut vectors = vec![answered, burnt];
    vectors.extend(none());
    vectors
}

/// A call, with what was drawn for it: a byte string of 64 for the scalar of each element.
struct Exchange {
    name: &'static str,
    code: Code,
    one_time: [u8; 32],
    drawn: Vec<[u8; 64]>,
    caller: Caller,
}

impl Exchange {
    fn new(name: &'static str, code: &str, points: &[&str]) -> Self {
        let code: Code = code.parse().unwrap();
        let one_time = bytes(&format!("code {name}"));
        let drawn: Vec<_> = (0..GUESSES).map(|index| wide(&format!("code {name} A {index}"))).collect();
        let points = points.iter().map(|point| Locator::parse(point).unwrap()).collect();
        let all = [&one_time[..], &drawn.concat()].concat();
        let caller =
            Caller::new(&code, NOW.after(Duration::from_secs(3600)), points, &mut Given(&all)).unwrap();
        Self { name, code, one_time, drawn, caller }
    }

    fn call(&self) -> &Call {
        self.caller.call()
    }

    /// What the exchange is about besides the words: SHA-256 over the call without its elements.
    fn id_a(&self) -> [u8; 32] {
        let call = self.call().to_bytes();
        sha256(&[b"wayside/1 code", &call[..ELEMENTS.start], &call[ELEMENTS.end..]])
    }

    fn answered(mut self, answers: &[(&str, u8)]) -> Value {
        let (call, nameplate) = (self.call().clone(), self.code.nameplate());
        let places = |at: &dyn Fn(PlaceTag) -> Slot, payload: &[u8]| places(&call, at, payload);
        json!({
            "kind": "call", "code": self.code.to_string(), "expires": call.expires.as_secs(), "day": DAY.0,
            "points": call.points.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "one_time": hex(self.one_time), "drawn": self.drawn.iter().map(hex).collect::<Vec<_>>(),
            "id_a": hex(self.id_a()), "call": hex(call.to_bytes()), "h": hex(call.hash()),
            "call_slots": places(&|tag| slot::code_call(nameplate, tag, DAY), &call.to_bytes()),
            "burnt_slots": places(&|tag| slot::code_burnt(nameplate, tag, DAY), &Heard::burnt()),
            "answers": answers.iter().map(|(said, index)| self.answer(said, *index)).collect::<Vec<_>>(),
        })
    }

    fn answer(&mut self, said: &str, index: u8) -> Value {
        let (call, h) = (self.call().clone(), self.call().hash());
        let drawn = wide(&format!("code {} B {index}", self.name));
        let said: Code = said.parse().unwrap();
        let (response, theirs) = call.respond(&said, index, Given(&drawn)).unwrap();
        let written = response.to_bytes();
        let (k_a, k_b) = self.keys(&said, index, &drawn, &written[1..33]);
        // Else the keys that are written down would not be those that it goes by.
        assert_eq!(derive::<16>(&k_b, "code mac", &[&h, &[index]]).expose(), &written[33..]);
        let at = |tag| slot::code_response(&h, tag, index);
        let mut answer = json!({
            "said": said.to_string(), "index": index, "drawn": hex(drawn), "k_a": hex(&k_a), "k_b": hex(&k_b),
            "response": hex(&written), "response_slots": places(&call, &at, &written),
        });
        match self.caller.judge(index, &response) {
            Judged::Right(invite, key) => {
                assert_eq!((&*invite, NoiseKey::from_secret(key).public()), (&theirs, call.key));
                answer["secret"] = hex(invite.secret.expose()).into();
                answer["invite"] = invite.to_string().into();
            }
            Judged::Wrong(verdict) => {
                let at = |tag| slot::code_verdict(&h, tag, index);
                answer["verdict"] = hex(verdict.to_bytes()).into();
                answer["verdict_slots"] = places(&call, &at, &verdict.to_bytes()).into();
            }
            Judged::Spent => panic!("an element that was answered before"),
        }
        answer
    }

    /// What each side has of the exchange: one key where the words are the same.
    fn keys(&self, said: &Code, index: u8, drawn: &[u8], element_b: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (id_a, id_b) = (Identity::new(&self.id_a()), Identity::new(&[]));
        let password = |code: &Code| Password::new(code.to_string().split_once('-').unwrap().1);
        let drawn_a = Given(&self.drawn[usize::from(index)]);
        let (a, message_a) =
            Spake2::<Ed25519Group>::start_a_with_rng(&password(&self.code), &id_a, &id_b, drawn_a);
        let (b, message_b) =
            Spake2::<Ed25519Group>::start_b_with_rng(&password(said), &id_a, &id_b, Given(drawn));
        assert_eq!(&message_b[1..], element_b);
        (a.finish(&message_b).unwrap(), b.finish(&message_a).unwrap())
    }
}

/// What lies in each of a call's places.
fn places(call: &Call, at: &dyn Fn(PlaceTag) -> Slot, payload: &[u8]) -> Vec<Value> {
    let message = Bucket::holding(payload.len(), 0).unwrap().pad(payload, 0).unwrap();
    let place = |point: &Locator| {
        let tag = PlaceTag::of_space(point);
        let slot = at(tag);
        let record = envelope::seal(&slot.siv, &message);
        json!({ "tag": hex(tag.0), "id": hex(slot.id.0), "siv": hex(slot.siv.expose()), "record": hex(record) })
    };
    call.points.iter().map(place).collect()
}

fn none() -> Vec<Value> {
    let exchange = Exchange::new("none", "1-adroitness-zulu", &["dir:/a", "dir:/b", "dir:/c"]);
    let call = exchange.call().to_bytes();
    let one_place = &call[..ELEMENTS.end + 4];
    let changed = |at: usize, to: u8| {
        let mut changed = one_place.to_vec();
        changed[at] = to;
        changed
    };
    assert!(Heard::from_bytes(one_place).is_ok());
    let none = |bytes: &[u8]| {
        let why = Heard::from_bytes(bytes).unwrap_err().why;
        json!({ "kind": "no call", "bytes": hex(bytes), "why": why })
    };
    vec![
        none(&[]),
        none(&changed(0, 3)),
        none(&one_place[..ELEMENTS.end - 1]),
        none(&one_place[..ELEMENTS.end]),
        none(&one_place[..one_place.len() - 1]),
        // A place that the inviter alone writes in.
        none(&changed(ELEMENTS.end, 0x81)),
        none(&[&call[..], &call[ELEMENTS.end..ELEMENTS.end + 4]].concat()),
        none(&[&Heard::burnt()[..], &[0]].concat()),
    ]
}

/// 64 bytes, which a scalar is drawn from.
fn wide(name: &str) -> [u8; 64] {
    let both = [bytes(name), bytes(&format!("{name}, the second half"))].concat();
    std::array::from_fn(|i| both[i])
}
