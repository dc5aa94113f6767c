//! The targets of the fuzzer, as plain functions: libFuzzer runs them under `fuzz_targets/`, tests of wayside-proto and wayside-noise
//! replay their corpora.

pub mod link;
pub mod targets;
