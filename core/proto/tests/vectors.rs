//! Golden vectors: `tests/vectors/*.json`, which another implementation can be checked against, are what this one makes.
//!
//! `WAYSIDE_VECTORS=write cargo test -p wayside-proto --test vectors` writes them anew. That changes the protocol: nodes of before and after do
//! not meet.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod vectors {
    pub(crate) mod make;
}

use std::path::PathBuf;

use serde_json::Value;
use vectors::make;
use wayside_proto::code::Code;
use wayside_proto::code::exchange::{Heard, Response, Verdict};
use wayside_proto::crypto::keys::{AccountId, DeviceId, NoiseKey};
use wayside_proto::crypto::noise::{Handshake, Pattern};
use wayside_proto::crypto::{Secret, envelope, sha256};
use wayside_proto::identity::Card;
use wayside_proto::invite::Invite;
use wayside_proto::mailbox::item::Item;
use wayside_proto::mailbox::prekeys::{Prekeys, Week};
use wayside_proto::mailbox::wire::{self, Access, Ask, Carry, Frame, MailboxOffer, Put, Told};
use wayside_proto::mailbox::{Age, seal};
use wayside_proto::message::{Answer, Join, Knock, Offer, Payload, Update, Welcome};
use wayside_proto::pointer::Pointer;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name).with_extension("json")
}

fn stored(name: &str) -> Value {
    let text = std::fs::read_to_string(path(name));
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path(name).display()));
    serde_json::from_str(&text).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn secret<const N: usize>(value: &Value) -> Secret<N> {
    Secret::new(hex(value).try_into().unwrap())
}

#[test]
fn what_we_make_is_what_is_written_down() {
    let write = std::env::var_os("WAYSIDE_VECTORS").is_some_and(|value| value == "write");
    for (name, made) in make::all() {
        if write {
            std::fs::write(path(name), serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        }
        let stored = stored(name);
        for (i, (ours, theirs)) in
            made["vectors"].as_array().unwrap().iter().zip(stored["vectors"].as_array().unwrap()).enumerate()
        {
            assert_eq!(ours, theirs, "{name}, vector {i}");
        }
        assert_eq!(made, stored, "{name}");
    }
}

#[test]
fn records_written_down_are_opened() {
    for vector in stored("envelope")["vectors"].as_array().unwrap() {
        let (siv, record) = (secret(&vector["siv"]), hex(&vector["record"]));
        let message = if vector["kind"] == "slot" {
            envelope::open(&siv, &record)
        } else {
            let (slot, sealed) = envelope::split_tray(&record).unwrap();
            assert_eq!(slot.to_vec(), hex(&vector["slot"]));
            envelope::open_from_tray(&siv, sealed)
        };
        assert_eq!(message, Some(hex(&vector["message"])));
    }
}

#[test]
fn payloads_cards_and_invites_written_down_are_read() {
    fn same<P: Payload>(bytes: &[u8]) {
        assert_eq!(P::from_bytes(bytes).unwrap().to_bytes(), bytes, "{}", P::NAME);
    }
    for vector in stored("payloads")["vectors"].as_array().unwrap() {
        let bytes = hex(&vector["bytes"]);
        match vector["kind"].as_str().unwrap() {
            "join" => same::<Join>(&bytes),
            "welcome" => same::<Welcome>(&bytes),
            "offer" => same::<Offer>(&bytes),
            "answer" => same::<Answer>(&bytes),
            "update" => same::<Update>(&bytes),
            "knock" => same::<Knock>(&bytes),
            other => panic!("a payload of kind {other}"),
        }
    }
    for vector in stored("identity")["vectors"].as_array().unwrap() {
        let bytes = hex(&vector["card"]);
        assert_eq!(Card::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    }
    for vector in stored("invite")["vectors"].as_array().unwrap() {
        let read = vector["link"].as_str().unwrap().parse::<Invite>();
        match vector["error"].as_str() {
            Some(error) => assert_eq!(read.unwrap_err().to_string(), error),
            None => assert_eq!(read.unwrap().hash().to_vec(), hex(&vector["sha256"])),
        }
    }
}

#[test]
fn pointers_written_down_are_read() {
    for vector in stored("pointers")["vectors"].as_array().unwrap() {
        match vector["kind"].as_str().unwrap() {
            "pointer" => {
                let bytes = hex(&vector["bytes"]);
                let read = Pointer::read(&bytes).unwrap();
                assert_eq!(Pointer::read(vector["text"].as_str().unwrap().as_bytes()).as_ref(), Ok(&read));
                assert_eq!(read.to_bytes(), bytes);
            }
            "none" => assert!(Pointer::read(&hex(&vector["contents"])).is_err()),
            // Made again, and compared, above.
            "comparison" => (),
            other => panic!("a pointer of kind {other}"),
        }
    }
}

#[test]
fn codes_and_what_is_said_by_them_are_read() {
    for vector in stored("codes")["vectors"].as_array().unwrap() {
        match vector["kind"].as_str().unwrap() {
            "code" => {
                let typed = vector["typed"].as_str().unwrap().parse::<Code>();
                assert_eq!(typed.unwrap().to_string(), vector["text"].as_str().unwrap());
            }
            "none" => assert!(vector["typed"].as_str().unwrap().parse::<Code>().is_err()),
            "call" => read_call(vector),
            "no call" => assert!(Heard::from_bytes(&hex(&vector["bytes"])).is_err()),
            // Made again, and compared, above.
            "list" => (),
            other => panic!("a code of kind {other}"),
        }
    }
}

/// From the records that lie in its places.
fn read_call(vector: &Value) {
    let payloads = |slots: &Value| -> Vec<Vec<u8>> {
        let open = |slot: &Value| envelope::open(&secret(&slot["siv"]), &hex(&slot["record"])).unwrap();
        let payload = |slot: &Value| envelope::unpad(&open(slot)).unwrap().to_vec();
        slots.as_array().unwrap().iter().map(payload).collect()
    };
    for bytes in payloads(&vector["call_slots"]) {
        let Ok(Heard::Call(call)) = Heard::from_bytes(&bytes) else { panic!("no call") };
        assert_eq!((call.to_bytes(), call.hash().to_vec()), (hex(&vector["call"]), hex(&vector["h"])));
    }
    for bytes in payloads(&vector["burnt_slots"]) {
        assert_eq!(Heard::from_bytes(&bytes), Ok(Heard::Burnt));
    }
    for answer in vector["answers"].as_array().unwrap() {
        for bytes in payloads(&answer["response_slots"]) {
            assert_eq!(Response::from_bytes(&bytes).unwrap().to_bytes(), hex(&answer["response"]));
        }
        match answer["invite"].as_str() {
            Some(link) => assert_eq!(link.parse::<Invite>().unwrap().secret, secret(&answer["secret"])),
            None => {
                for bytes in payloads(&answer["verdict_slots"]) {
                    assert_eq!(Verdict::from_bytes(&bytes).unwrap().to_bytes(), hex(&answer["verdict"]));
                }
            }
        }
    }
}

#[test]
fn handshakes_written_down_are_answered() {
    for vector in stored("noise")["vectors"].as_array().unwrap() {
        let (pattern, secret_name) = match vector["pattern"].as_str().unwrap() {
            "IKpsk0" => (Pattern::Contact, "meeting"),
            "KKpsk0" => (Pattern::Meeting, "meeting"),
            _ => (Pattern::Guest, "knock meeting"),
        };
        let remote: Option<[u8; 32]> =
            (pattern != Pattern::Guest).then(|| hex(&vector["initiator_public"]).try_into().unwrap());
        let mut responder = Handshake::responder(
            pattern,
            &NoiseKey::from_secret(secret(&vector["responder"])),
            remote.as_ref().filter(|_| pattern == Pattern::Meeting),
            &secret(&vector["psk"]),
            &hex(&vector["prologue"]),
            &secret(&vector["responder_ephemeral"]),
        )
        .unwrap();
        assert_eq!(responder.read(&hex(&vector["message1"])).unwrap(), hex(&vector["payload1"]));
        assert_eq!(responder.remote(), remote);
        assert_eq!(responder.write(&hex(&vector["payload2"])).unwrap(), hex(&vector["message2"]));
        assert_eq!(responder.secret(secret_name).unwrap(), secret(&vector["secrets"][secret_name]));
    }
}

#[test]
fn mail_written_down_is_read() {
    for vector in stored("mail")["vectors"].as_array().unwrap() {
        match vector["kind"].as_str().unwrap() {
            "blob" => open_blob(vector),
            "item" => {
                let bytes = hex(&vector["bytes"]);
                assert_eq!(Item::from_bytes(&bytes).unwrap().to_bytes(), bytes);
            }
            "frame" => {
                let bytes = hex(&vector["bytes"]);
                match vector["name"].as_str().unwrap() {
                    "access" => same_frame::<Access>(&bytes),
                    "put" => same_frame::<Put>(&bytes),
                    "answer" => same_frame::<wire::Answer>(&bytes),
                    "ask" => same_frame::<Ask>(&bytes),
                    "told" => same_frame::<Told>(&bytes),
                    "offer" => same_frame::<MailboxOffer>(&bytes),
                    "carry" => same_frame::<Carry>(&bytes),
                    other => panic!("a frame called {other}"),
                }
            }
            "card" => assert!(Card::from_bytes(&hex(&vector["card"])).is_ok()),
            // Made again, and compared, above.
            "padding" | "week" | "queue" => (),
            other => panic!("mail of kind {other}"),
        }
    }
}

fn same_frame<F: Frame>(bytes: &[u8]) {
    assert_eq!(F::from_bytes(bytes).unwrap().to_bytes(), bytes, "{}", F::NAME);
}

/// Each of the devices opens it, with the week's seed that it has.
fn open_blob(vector: &Value) {
    let account = |key: &str| AccountId(hex(&vector[key]).try_into().unwrap());
    let sender = NoiseKey::from_secret(secret(&vector["sender"])).public();
    for (n, recipient) in vector["recipients"].as_array().unwrap().iter().enumerate() {
        let name = if n == 0 { "ben".to_owned() } else { format!("ben {n}") };
        let seed = sha256(&[format!("wayside vector {name} week {n}").as_bytes()]);
        let id = recipient["id"].as_u64().unwrap() as u32;
        let prekeys = Prekeys::new(vec![Week { id, seed: Secret::new(seed), begins: Age(0) }]);
        let device = DeviceId(hex(&recipient["device"]).try_into().unwrap());
        let to = (&account("to"), device);
        let opened = seal::open(to, &prekeys, &account("from"), &[sender], &hex(&vector["blob"]));
        assert_eq!(opened.unwrap(), hex(&vector["item"]));
    }
}
