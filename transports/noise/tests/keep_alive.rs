//! How often idle links speak, in virtual time: packets are counted over ten minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Agreed, PATIENCE, loopback};
use tokio::time::{sleep, timeout};
use wayside_noise::{CloseReason, Endpoint, EndpointConfig, Link, MemoryNetwork, Network};

const TEN_MINUTES: Duration = Duration::from_secs(600);
/// Until the handshake, the search for the MTU and the rest of the beginning are over.
const SETTLING: Duration = Duration::from_secs(90);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

struct Pair {
    network: MemoryNetwork,
    client: Endpoint,
    server: Endpoint,
    dialled: Link,
    accepted: Link,
}

impl Pair {
    async fn linked(keep_alive: [Option<Duration>; 2]) -> Self {
        let agreed = Agreed::default();
        let network = MemoryNetwork::new(Duration::from_millis(20));
        let config = |keep_alive| EndpointConfig {
            keep_alive,
            network: Network::Memory(network.clone()),
            ..EndpointConfig::default()
        };
        let at = [loopback()];
        let bind = |key, keep_alive| Endpoint::bind(&at, key, config(keep_alive));
        let [of_client, of_server] = keep_alive;
        let client = bind(agreed.client.clone(), of_client).await.unwrap();
        let server = bind(agreed.server.clone(), of_server).await.unwrap();
        server.expect(agreed.of_client());
        let to = server.local_addresses();
        let (dialled, accepted) =
            tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        sleep(SETTLING).await;
        Self { network, client, server, dialled, accepted }
    }

    /// Packets in ten idle minutes, both ways together. The link must live on.
    async fn packets(&self) -> u64 {
        let before = self.network.sent();
        let ended = async { tokio::join!(self.dialled.closed(), self.accepted.closed()) };
        assert!(timeout(TEN_MINUTES, ended).await.is_err(), "an idle link lives");
        self.network.sent() - before
    }

    /// After how long both sides have noticed that nothing gets through.
    async fn cut(&self) -> Duration {
        let began = tokio::time::Instant::now();
        self.network.cut(true);
        let reasons = tokio::join!(self.dialled.closed(), self.accepted.closed());
        assert_eq!(reasons, (CloseReason::TimedOut, CloseReason::TimedOut));
        began.elapsed()
    }
}

const USUAL: [Option<Duration>; 2] = [Some(Duration::from_secs(20)); 2];

#[tokio::test(start_paused = true)]
async fn an_idle_link_sends_a_packet_each_way_in_twenty_seconds() {
    let pair = Pair::linked(USUAL).await;
    let packets = pair.packets().await;
    assert!((58..=60).contains(&packets), "{packets}");
}

#[tokio::test(start_paused = true)]
async fn where_both_mappings_live_long_a_packet_a_minute_is_enough() {
    let pair = Pair::linked(USUAL).await;
    pair.client.set_mapping_lifetime(Some(secs(300)));
    pair.server.set_mapping_lifetime(Some(secs(120)));
    sleep(SETTLING).await;
    let packets = pair.packets().await;
    assert!((18..=22).contains(&packets), "{packets}");
    let noticed = pair.cut().await;
    // Nobody looks sooner than after a minute and a half, twice.
    assert!(noticed < secs(200), "{noticed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_more_impatient_side_sets_the_pace() {
    for hurried in [0, 1] {
        let pair = Pair::linked(USUAL).await;
        let sides = [&pair.client, &pair.server];
        sides[hurried].set_mapping_lifetime(Some(secs(15)));
        sides[1 - hurried].set_mapping_lifetime(Some(secs(600)));
        let packets = pair.packets().await;
        assert!((120..=132).contains(&packets), "every 9.4 s, or 10 s, one each way: {packets}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_that_keeps_none_alive_harms_no_slow_one() {
    let pair = Pair::linked([None, USUAL[1]]).await;
    pair.client.set_mapping_lifetime(Some(secs(6)));
    pair.server.set_mapping_lifetime(Some(secs(600)));
    sleep(SETTLING).await;
    let packets = pair.packets().await;
    assert!((18..=22).contains(&packets), "{packets}");
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_was_gone_hurries_links_that_exist_and_new_ones() {
    let pair = Pair::linked(USUAL).await;
    pair.client.mapping_expired_within(secs(9));
    let packets = pair.packets().await;
    assert!((208..=216).contains(&packets), "every 5.6 s one each way: {packets}");
    pair.client.set_mapping_lifetime(None);
    sleep(SETTLING).await;
    let packets = pair.packets().await;
    assert!((58..=62).contains(&packets), "another network: {packets}");
}

#[tokio::test(start_paused = true)]
async fn the_pace_comes_at_once_however_long_the_last_pause_was_to_be() {
    let pair = Pair::linked(USUAL).await;
    pair.client.set_mapping_lifetime(Some(secs(600)));
    pair.server.set_mapping_lifetime(Some(secs(600)));
    sleep(SETTLING).await;
    let before = pair.network.sent();
    pair.client.set_mapping_lifetime(Some(secs(6)));
    sleep(secs(11)).await;
    let packets = pair.network.sent() - before;
    assert!((5..=8).contains(&packets), "at once, after 5 s and after 10 s: {packets}");
}

#[tokio::test(start_paused = true)]
async fn lost_packets_do_not_end_an_idle_link_at_any_pace() {
    for lifetime in [None, Some(secs(6)), Some(secs(600))] {
        let pair = Pair::linked(USUAL).await;
        pair.client.set_mapping_lifetime(lifetime);
        pair.server.set_mapping_lifetime(Some(secs(600)));
        pair.network.lose(200, 7);
        pair.packets().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_that_stands_by_is_kept_too_and_costs_as_little() {
    let agreed = Agreed::default();
    let network = MemoryNetwork::new(Duration::from_millis(20));
    let bind = |key, ports: &'static [u16]| {
        let config =
            EndpointConfig { network: Network::Memory(network.clone()), ..EndpointConfig::default() };
        async move {
            let at: Vec<_> = ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect();
            Endpoint::bind(&at, key, config).await.unwrap()
        }
    };
    let (client, server) =
        (bind(agreed.client.clone(), &[1001]).await, bind(agreed.server.clone(), &[2001, 2002]).await);
    server.expect(agreed.of_client());
    let to = server.local_addresses();
    let (dialled, accepted) =
        tokio::join!(client.connect(agreed.of_server(), &to, PATIENCE), server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    sleep(SETTLING).await;
    // Questions and answers of both sides over the other path come on top: every 30 s, within 12.5 s, every 90 s.
    for (lifetime, least, most) in [(None, 100, 150), (Some(secs(15)), 280, 330), (Some(secs(600)), 30, 60)] {
        client.set_mapping_lifetime(lifetime);
        server.set_mapping_lifetime(lifetime);
        sleep(SETTLING).await;
        assert_eq!((dialled.paths().len(), accepted.paths().len()), (2, 2));
        let before = network.sent();
        sleep(TEN_MINUTES).await;
        let packets = network.sent() - before;
        assert!((least..=most).contains(&packets), "{lifetime:?}: {packets}");
    }
}
