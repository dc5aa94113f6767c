#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::IpAddr;

use super::*;
use crate::{
    EndpointConfig, MemoryNetwork, Network, StaticKey, StunMode, StunPolicy, StunSecret,
    socket::nat::{Nat as MadeUpNat, Rules},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A client behind a NAT and a friend who answers, in virtual time.
struct Home {
    client: Endpoint,
    friend: Endpoint,
    /// The friend, as the client knows it.
    server: StunServer,
    _nat: Option<MadeUpNat>,
    network: MemoryNetwork,
}

impl Home {
    async fn new(rules: Option<Rules>) -> Self {
        let network = MemoryNetwork::new(Duration::from_millis(20));
        let bind = |key, address: &str| {
            let config =
                EndpointConfig { network: Network::Memory(network.clone()), ..EndpointConfig::default() };
            let address = address.parse().unwrap();
            async move { Endpoint::bind(&[address], StaticKey::from_bytes([key; 32]), config).await.unwrap() }
        };
        let client = bind(1, "10.0.0.2:4000").await;
        let friend = bind(2, "203.0.113.5:4000").await;
        let policy = StunPolicy::new(StunMode::Friends, StunSecret::new([7; 32]));
        let token = Some(policy.token(b"ann"));
        let seconds = friend.respond_stun(Some(policy));
        assert_eq!(seconds.len(), 1);
        let first = friend.local_addresses()[0];
        let nat = rules.map(|rules| MadeUpNat::new(&network, ip("192.0.2.1"), rules));
        let addresses = match &nat {
            Some(nat) => {
                let alias = ip("198.51.100.5");
                nat.leads_to(seconds[0], alias);
                vec![nat.leads_to(first, alias)]
            }
            None => vec![first],
        };
        Self { client, friend, server: StunServer { addresses, token }, _nat: nat, network }
    }

    async fn measured(&self, thorough: bool) -> Measured {
        let began = Instant::now();
        let measured = self.client.measure(std::slice::from_ref(&self.server), thorough).await;
        assert!(began.elapsed() <= AT_MOST, "{:?}", began.elapsed());
        measured
    }
}

fn rules(dependent: bool, filters: bool) -> Rules {
    Rules { dependent, step: |port| port + 1, filters, lifetime: HOUR, hairpins: false }
}

fn scattered(port: u16) -> u16 {
    (port % 20_000) * 2 + 13_001
}

#[tokio::test(start_paused = true)]
async fn without_a_nat_we_are_seen_where_we_are() {
    let home = Home::new(None).await;
    let measured = home.measured(true).await;
    let (ours, server) = (home.client.local_addresses()[0], home.server.addresses[0]);
    assert_eq!(measured.seen, [(ours, server, ours)]);
    assert_eq!(measured.nat.mapping, Mapping::None);
    assert_eq!(measured.nat.filtering, Filtering::AddressDependent, "another port was let in");
    assert_eq!(measured.second_ports.len(), 1);
    let [(by, mac)] = measured.attestations[..] else { panic!("one friend, one attestation") };
    assert_eq!(by, server);
    assert!(home.client.attests(&home.server, ours.ip(), mac).await);
    assert!(!home.client.attests(&home.server, ip("10.0.0.3"), mac).await, "of another address");
}

#[tokio::test(start_paused = true)]
async fn what_a_nat_does_is_told() {
    let told = [
        (rules(false, false), Mapping::Independent, Filtering::AddressDependent),
        (rules(false, true), Mapping::Independent, Filtering::AddressAndPortDependent),
        (rules(true, true), Mapping::Sequential { last: 0, step: 1 }, Filtering::AddressAndPortDependent),
        (Rules { step: scattered, ..rules(true, true) }, Mapping::Random, Filtering::AddressAndPortDependent),
    ];
    for (rules, mapping, filtering) in told {
        let home = Home::new(Some(rules)).await;
        let measured = home.measured(true).await;
        assert_eq!(measured.seen[0].2.ip(), ip("192.0.2.1"));
        match (measured.nat.mapping, mapping) {
            (Mapping::Sequential { last, step }, Mapping::Sequential { step: expected, .. }) => {
                assert_eq!(step, expected);
                assert!((20_006..20_012).contains(&last), "the last one: {last}");
            }
            (found, expected) => assert_eq!(found, expected),
        }
        assert_eq!(measured.nat.filtering, filtering, "{mapping:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quick_measurement_tells_the_mapping_and_sends_little() {
    let home = Home::new(Some(rules(false, true))).await;
    let before = home.network.sent();
    let measured = home.measured(false).await;
    assert_eq!(measured.nat, Nat { mapping: Mapping::Independent, ..Nat::default() });
    // To the first and the second port and back, each behind a NAT that sends it on.
    assert_eq!(home.network.sent() - before, 8);
}

#[tokio::test(start_paused = true)]
async fn whether_a_nat_leads_its_own_address_back_in_is_told() {
    for (dependent, filters, hairpins, told) in [
        (false, false, true, Some(true)),
        (false, true, true, Some(true)),
        (false, false, false, Some(false)),
        (false, true, false, Some(false)),
        // Where each destination has a port of its own nobody knows which one we have.
        (true, true, true, None),
    ] {
        let home = Home::new(Some(Rules { hairpins, ..rules(dependent, filters) })).await;
        assert_eq!(home.measured(true).await.hairpin, told, "{dependent} {filters} {hairpins}");
        assert_eq!(home.client.shared.stun.awaited(), (0, 0));
        assert_eq!(home.measured(false).await.hairpin, None, "only where it is thorough");
    }
    assert_eq!(Home::new(None).await.measured(true).await.hairpin, None, "there is no NAT");
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_no_wall() {
    let home = Home::new(Some(Rules { hairpins: true, ..rules(false, true) })).await;
    for seed in 1..20 {
        home.network.lose(100, seed);
        let measured = home.measured(true).await;
        assert_ne!(measured.hairpin, Some(false), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_is_told_whether_anybody_answers_or_not() {
    let home = Home::new(Some(rules(false, true))).await;
    let nobody = StunServer {
        addresses: vec!["198.51.100.77:9".parse().unwrap(), "[2001:db8::1]:9".parse().unwrap()],
        token: None,
    };
    let measured = home.client.measure(&[nobody.clone(), home.server.clone()], false).await;
    // Over IPv6 it has no socket.
    assert_eq!(measured.asked, [nobody.addresses[0], home.server.addresses[0]]);
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_not_there_cost_time_and_nothing_else() {
    let home = Home::new(Some(rules(false, true))).await;
    let nobody = StunServer { addresses: vec!["198.51.100.77:9".parse().unwrap()], token: None };
    let servers = [nobody, home.server.clone()];
    let began = Instant::now();
    let measured = home.client.measure(&servers, true).await;
    assert!(began.elapsed() <= AT_MOST);
    assert_eq!((measured.seen.len(), measured.nat.mapping), (1, Mapping::Independent));
    let settled = || async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        home.network.sockets()
    };
    let sockets = settled().await;
    home.friend.respond_stun(None);
    assert_eq!(settled().await, sockets - 1, "the second port is closed, and there was no other");
    assert!(home.measured(true).await.seen.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_measurement_that_is_given_up_leaves_nothing() {
    for dependent in [true, false] {
        let home = Home::new(Some(rules(dependent, true))).await;
        let sockets = home.network.sockets();
        for after in [1, 50, 100, 150, 200] {
            let measuring = home.client.measure(std::slice::from_ref(&home.server), true);
            let _ = tokio::time::timeout(Duration::from_millis(after), measuring).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let outside = home.network.sockets() - sockets;
        let before = home.network.sent();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(home.network.sent(), before, "nothing is sent again");
        assert!(outside <= 40, "the NAT's own: {outside}");
        assert_eq!(home.client.shared.stun.tables(), (0, 0, 1));
        assert_eq!(home.client.shared.stun.awaited(), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn losses_are_made_up_for() {
    for seed in 1..20 {
        let home = Home::new(Some(rules(false, false))).await;
        home.network.lose(100, seed);
        let measured = home.measured(false).await;
        assert_eq!(measured.seen.len(), 1, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_a_mapping_lives_is_measured() {
    for (lives, least, most) in [(25, 13, 25), (40, 28, 40), (90, 78, 90), (600, 168, 180)] {
        let secs = Duration::from_secs;
        let home = Home::new(Some(Rules { lifetime: secs(lives), ..rules(false, true) })).await;
        let before = home.network.sent();
        let lifetime = home.client.measure_lifetime(&home.server).await.unwrap();
        assert!((secs(least)..=secs(most)).contains(&lifetime), "{lives}: {lifetime:?}");
        // Each is forwarded by the NAT, and what is not let in is asked for three times.
        assert!(home.network.sent() - before < 100, "{}", home.network.sent() - before);
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_honour_a_response_port_cannot_tell_a_lifetime() {
    let home = Home::new(Some(rules(true, true))).await;
    let without = StunServer { token: None, ..home.server.clone() };
    assert_eq!(home.client.measure_lifetime(&without).await, None);
    home.friend.respond_stun(None);
    assert_eq!(home.client.measure_lifetime(&home.server).await, None);
}

#[tokio::test]
async fn what_nobody_should_ask_is_not_asked() {
    // Not on loopback alone.
    let everywhere = ["0.0.0.0:0".parse().unwrap()];
    let key = StaticKey::from_bytes([1; 32]);
    let client = Endpoint::bind(&everywhere, key, EndpointConfig::default()).await.unwrap();
    let ourselves = format!("127.0.0.1:{}", client.local_addresses()[0].port());
    let refused = [
        "127.0.0.1:9",
        "[::1]:9",
        "[::ffff:127.0.0.1]:9",
        "224.0.0.1:9",
        "255.255.255.255:9",
        "0.0.0.0:9",
        "169.254.1.1:9",
        "[fe80::1]:9",
        "192.0.2.1:0",
        &ourselves,
    ];
    for address in refused {
        let server = StunServer { addresses: vec![address.parse().unwrap()], token: None };
        assert!(client.askable(&server).is_empty(), "{address}");
    }
}

#[test]
fn measuring_can_be_spawned() {
    fn is_send<T: Send>(_: impl FnOnce(&'static Endpoint) -> T) {}
    is_send(|endpoint| endpoint.measure(&[], true));
    is_send(|endpoint| endpoint.attests(Box::leak(Box::new(nobody())), ip("192.0.2.1"), [0; 8]));
    is_send(|endpoint| endpoint.measure_lifetime(Box::leak(Box::new(nobody()))));
}

fn nobody() -> StunServer {
    StunServer { addresses: Vec::new(), token: None }
}
