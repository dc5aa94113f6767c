//! Spoken codes: the words, what is typed for them, and texts that are none.

use serde_json::{Value, json};
use wayside_proto::code::{Code, CodeError};

use super::calls;
use super::given::Given;
use super::hex;

pub(super) fn all() -> Vec<Value> {
    let mut vectors = vec![list(3, 0), list(2, 1)];
    for (nameplate, words, typed) in [
        (7, &[0x3c, 0x3b, 0x06][..], "7-crossover-clockwork-amulet"),
        (7, &[0x3c, 0x3b, 0x06], "  007 Crossover,CLOCKWORK. amulet_\n"),
        (1, &[0x00, 0xff], "1 adroitness zulu"),
        (999, &[0xff, 0x00, 0xff, 0x00], "999-yucatan-aardvark-yucatan-aardvark"),
    ] {
        vectors.push(good(nameplate, words, typed));
    }
    for typed in [
        "",
        "crossover-clockwork",
        "0-crossover-clockwork",
        "1000-crossover-clockwork",
        "7",
        "7-crossover",
        "7-crossover-clockwork-crossover-clockwork-crossover",
        "7-clockwork-crossover",
        "7-crossover-clockwerk",
        "7-crossover-clockwork-amulet7",
    ] {
        vectors.push(bad(typed));
    }
    vectors.extend(calls::all());
    vectors
}

/// The code of this nameplate and these bytes.
fn code(nameplate: u16, words: &[u8]) -> Code {
    let drawn = [&u64::from(nameplate - 1).to_le_bytes(), words].concat();
    Code::random(&mut Given(&drawn), words.len() as u8, |_| false)
}

/// The words of all bytes where such words stand.
fn list(syllables: u8, place: usize) -> Value {
    let word =
        |byte: u8| code(1, &[byte; 2]).to_string().split('-').nth(1 + place).map(str::to_owned).unwrap();
    let words: Vec<_> = (0..=u8::MAX).map(word).collect();
    json!({ "kind": "list", "syllables": syllables, "words": words.join(" ") })
}

fn good(nameplate: u16, words: &[u8], typed: &str) -> Value {
    let code = code(nameplate, words);
    assert_eq!(typed.parse::<Code>().as_ref(), Ok(&code));
    json!({ "kind": "code", "nameplate": nameplate, "words": hex(words), "typed": typed, "text": code.to_string() })
}

fn bad(typed: &str) -> Value {
    let why = match typed.parse::<Code>().unwrap_err() {
        CodeError::NotOne => "not one",
        CodeError::Word { .. } => "word",
        CodeError::Order(_) => "order",
        CodeError::Length(_) => "length",
    };
    json!({ "kind": "none", "typed": typed, "why": why })
}
