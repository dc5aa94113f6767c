//! What reads the probes of a meeting.

use std::{sync::Arc, time::Duration};

use wayside_path::{
    Candidate, CandidateKind, Nat,
    traversal::{Role, Setup, guard::Surroundings},
};

use super::{here, overwritten, secret, there};
use crate::{
    MemoryNetwork,
    core::punch::{self, Punch},
    socket::{Shared, talk::Talk},
};

/// Probes of a meeting as they arrive: bytes of anybody's, and behind them one that the peer seals. The first byte says from where and what it is; of what the
/// peer seals, the rest may be changed.
pub fn meeting(data: &[u8]) -> bool {
    let Some((&whence, rest)) = data.split_first() else { return false };
    let from = if whence & 1 == 0 { here() } else { there() };
    let network = MemoryNetwork::new(Duration::ZERO);
    let shared = Shared::over(&network, here());
    let (gate, psk) = (secret(0x30).into(), secret(0x40).into());
    let setup = Setup {
        role: Role::Waits,
        sockets: vec![here()],
        surroundings: Surroundings { ourselves: vec![([127, 0, 0, 1], 1).into()], ..Surroundings::default() },
        nat: Nat::default(),
        latency: Duration::ZERO,
        may_guess: true,
        seed: 1,
        counted: 0,
    };
    let named = [Candidate { kind: CandidateKind::Host, address: there() }];
    let (events, _happened) = tokio::sync::mpsc::channel(1);
    let talk = Talk::new(punch::keys(&gate, &psk), setup, &named, Nat::default(), events);
    assert!(shared.meetings.add(Arc::new(talk)).is_some());
    // Nobody's, whatever it is.
    assert!(!shared.meetings.arrived(&shared, 0, from, rest));
    let number = rest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let said = if whence & 2 == 0 { Punch::Ask(number) } else { Punch::Answer(number, there()) };
    let sealed = said.seal(&punch::keys(&gate, &psk).initiator);
    assert!(punch::is_punch(&sealed));
    let changed = overwritten(&sealed, rest.get(8..).unwrap_or_default());
    let is_good = shared.meetings.arrived(&shared, 0, from, &changed);
    assert_eq!(is_good, changed == sealed);
    // An answer, and questions to who spoke and to who was named.
    let sent = network.sent();
    assert_eq!(sent > 0, is_good && whence & 2 == 0 && number > 0);
    assert!(sent <= 3);
    if is_good {
        assert!(shared.meetings.arrived(&shared, 0, there(), &sealed));
        assert_eq!(network.sent(), sent, "a copy draws nothing");
    }
    is_good
}
