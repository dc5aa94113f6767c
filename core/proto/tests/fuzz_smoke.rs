//! The fuzz targets of the protocol on stable Rust; how, is in `tests/fuzz/src/smoke.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "../../../tests/fuzz/src/smoke.rs"]
#[allow(missing_docs, unreachable_pub, reason = "shared with other crates' tests")]
mod smoke;
#[path = "../../../tests/fuzz/src/targets.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "shared with a crate where they are public")]
mod targets;

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    smoke::every_target_has_a_corpus(targets::ALL, |name| {
        // Of other crates; `relay_tags` is read here.
        let others = ["relay_frame", "relay_switch"];
        !name.starts_with("link_") && !name.starts_with("stun_") && !others.contains(&name)
    });
}

#[test]
fn the_corpora_and_their_mutations_do_no_harm() {
    smoke::corpora_and_mutations_do_no_harm(targets::ALL);
}

#[test]
fn the_allocator_sees_what_is_held() {
    smoke::the_allocator_sees_what_is_held();
}
