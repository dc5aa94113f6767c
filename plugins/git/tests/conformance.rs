//! The suite that every bridge passes, on a repository of this machine's disk.
#![cfg(unix)]

mod common;
mod harness;

mod on_disk {
    wayside_conformance::conformance_tests!(super::harness::Repositories::new("file"));
}
