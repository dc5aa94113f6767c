//! The page and the suite say the same: `docs/BRIDGE-SPEC.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use wayside_conformance::{cases, specification};

const PAGE: &str = include_str!("../../../docs/BRIDGE-SPEC.md");

/// The sentences of the page: anchor, number and text.
fn on_the_page() -> Vec<(&'static str, &'static str, &'static str)> {
    let sentence = |line: &'static str| {
        let (anchor, rest) = line.strip_prefix("- <a id=\"")?.split_once("\"></a>**")?;
        let (id, text) = rest.split_once("** ")?;
        Some((anchor, id, text))
    };
    PAGE.lines().filter_map(sentence).collect()
}

#[test]
fn each_sentence_stands_on_the_page_word_for_word() {
    let suite: Vec<_> = specification().iter().map(|sentence| (sentence.id, sentence.text)).collect();
    let page: Vec<_> = on_the_page().into_iter().map(|(_, id, text)| (id, text)).collect();
    assert_eq!(suite, page);
    assert!(page.len() > 40, "the page is read");
}

#[test]
fn each_sentence_can_be_linked_to_and_has_a_number_of_its_own() {
    let mut seen = BTreeSet::new();
    let mut chapter = "";
    for line in PAGE.lines() {
        if let Some((letter, _)) = line.strip_prefix("## ").and_then(|title| title.split_once(": ")) {
            chapter = letter;
        }
        let Some((anchor, id, _)) =
            on_the_page().into_iter().find(|(_, id, _)| line.contains(&format!("**{id}**")))
        else {
            continue;
        };
        assert_eq!(anchor, id.to_lowercase());
        assert_eq!(&id[..1], chapter, "{id} stands in its chapter");
        assert!(seen.insert(id), "{id} stands there twice");
    }
    assert_eq!(seen.len(), on_the_page().len());
}

#[test]
fn each_case_names_a_sentence_and_each_sentence_has_a_case() {
    for case in cases() {
        assert!(!case.sentences.is_empty(), "{} names none", case.name);
    }
    let named: BTreeSet<_> =
        cases().iter().flat_map(|case| case.sentences).map(|sentence| sentence.id).collect();
    // What every case holds a bridge to.
    let always = BTreeSet::from(["X3", "X4"]);
    let all: BTreeSet<_> = specification().iter().map(|sentence| sentence.id).collect();
    let held: BTreeSet<_> = named.union(&always).copied().collect();
    assert_eq!(all, held);
}
