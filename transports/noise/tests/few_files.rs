//! A process that has hardly any files left still meets, with fewer spare sockets, and leaves some for others. Alone in its process, whose limit it lowers.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{Agreed, PATIENCE};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::sleep;
use wayside_noise::{
    Candidate, CandidateKind, Mapping, Meeting, Nat,
    traversal::{Role, guard::Surroundings},
};

fn open_files() -> u64 {
    u64::try_from(std::fs::read_dir("/proc/self/fd").unwrap().count()).unwrap()
}

#[tokio::test]
async fn spare_sockets_leave_files_for_others() {
    let agreed = Agreed::default();
    let (dialler, waiter) = agreed.endpoints().await;
    waiter.expect(agreed.of_client());
    let before = open_files();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(before + 100), ..limit }).unwrap();
    // Documentation's (RFC 5737): the machine has no way there, or a router ends it after four hops.
    let elsewhere: SocketAddr = ([203, 0, 113, 1], 9).into();
    let named = |peer: SocketAddr| {
        [peer, elsewhere].map(|address| Candidate { kind: CandidateKind::Reflexive, address }).to_vec()
    };
    let meeting = |of: &wayside_noise::Endpoint, expectation, role, peer, mapping| Meeting {
        expectation,
        role,
        candidates: named(peer),
        others: Vec::new(),
        theirs: Nat::default(),
        surroundings: Surroundings { ourselves: of.local_addresses(), ..Surroundings::default() },
        nat: Nat { mapping, ..Nat::default() },
        latency: Duration::ZERO,
        may_guess: false,
    };
    let (to_dialler, to_waiter) = (dialler.local_addresses(), waiter.local_addresses());
    let to = |addresses: &[SocketAddr]| *addresses.first().unwrap();
    let waits =
        meeting(&waiter, agreed.of_client(), Role::Waits, ([127, 0, 0, 1], 9).into(), Mapping::Random);
    let (waits, _events) = waiter.meet(waits);
    sleep(Duration::from_millis(300)).await;
    let open = open_files();
    assert!((before + 60..=before + 90).contains(&open), "{before} and then {open}");
    assert!(std::fs::File::open("/proc/self/stat").is_ok(), "others have files as well");
    waits.peer(&named(to(&to_dialler)), Mapping::Unknown);
    let dials = meeting(&dialler, agreed.of_server(), Role::Dials, to(&to_waiter), Mapping::Unknown);
    let (dials, _events) = dialler.meet(dials);
    let (dialled, accepted) = tokio::join!(dials.link(PATIENCE), waiter.accept());
    let _links = (dialled.unwrap(), accepted.unwrap());
    drop((waits, dials));
    sleep(Duration::from_millis(100)).await;
    assert!(open_files() <= before + 2, "spare sockets are closed");
}
