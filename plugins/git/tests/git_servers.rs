//! The suite on real servers, which `tests/run git` starts: git daemon, smart HTTP with a password, the same over TLS, OpenSSH.
#![cfg(unix)]

mod common;
mod harness;

mod daemon {
    wayside_conformance::conformance_tests!(super::harness::Repositories::new("DAEMON"));
}

mod http {
    wayside_conformance::conformance_tests!(super::harness::Repositories::new("HTTP"));
}

mod https {
    wayside_conformance::conformance_tests!(super::harness::Repositories::new("HTTPS"));
}

mod ssh {
    wayside_conformance::conformance_tests!(super::harness::Repositories::new("SSH"));
}
