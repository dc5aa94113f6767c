//! The fuzz targets of relays on stable Rust; how, is in `tests/fuzz/src/smoke.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "../../../tests/fuzz/src/relay.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "shared with a crate where they are public")]
mod relay;
#[path = "../../../tests/fuzz/src/smoke.rs"]
#[allow(missing_docs, unreachable_pub, reason = "shared with other crates' tests")]
mod smoke;

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    smoke::every_target_has_a_corpus(relay::ALL, |name| {
        // Of the protocol's crate.
        name.starts_with("relay_") && name != "relay_tags"
    });
}

#[test]
fn the_corpora_and_their_mutations_do_no_harm() {
    smoke::corpora_and_mutations_do_no_harm(relay::ALL);
}

#[test]
fn the_allocator_sees_what_is_held() {
    smoke::the_allocator_sees_what_is_held();
}
