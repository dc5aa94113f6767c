//! The targets of the fuzzer, as plain functions: libFuzzer runs them under `fuzz_targets/`, tests of wayside-proto, wayside-noise,
//! wayside-relay and wayside-stun replay their corpora.

pub mod link;
pub mod relay;
pub mod stun;
pub mod targets;
