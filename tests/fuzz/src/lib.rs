//! The targets of the fuzzer, as plain functions: libFuzzer runs them under `fuzz_targets/`, a test of wayside-proto replays their corpora.

pub mod targets;
