//! Against made-up gateways on loopback, that answer whatever a test wants.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod fake;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use self::fake::{Fake, HTTP_NOT_FOUND, Upnp, nat_pmp_address, nat_pmp_mapping, pcp_mapping};
use super::*;
use crate::Cause;

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);
const LOCAL: u16 = 4242;
const OUTER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 2);

fn start(fake: &Fake, protocols: &[Protocol]) -> PortMap {
    let gateway = fake.gateway();
    PortMap::start_at(Box::new(move || Some(gateway)), local(), Options::new(protocols))
}

fn local() -> NonZeroU16 {
    NonZeroU16::new(LOCAL).unwrap()
}

/// What comes after [`Status::Asking`].
async fn first(port_map: &PortMap) -> Status {
    let mut watch = port_map.watch();
    timeout(SOON, watch.wait_for(|status| *status != Status::Asking)).await.unwrap().unwrap().clone()
}

async fn failure(port_map: &PortMap) -> Error {
    match first(port_map).await {
        Status::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn off_asks_nothing() {
    let gateways: Gateways = Box::new(|| panic!("looked for a gateway"));
    let port_map = PortMap::start_at(gateways, local(), Options::new(&[]));
    assert_eq!(port_map.status(), Status::Off);
    assert_eq!(port_map.mapped(), None);
    port_map.network_changed();
    sleep(Duration::from_millis(50)).await;
    assert_eq!(port_map.close().await, Ok(()));
}

#[tokio::test]
async fn without_a_gateway_nobody_is_asked() {
    let port_map = PortMap::start_at(Box::new(|| None), local(), Options::new(&Protocol::ALL));
    assert_eq!(failure(&port_map).await, Error::NoGateway);
    assert_eq!(port_map.close().await, Ok(()));
}

#[tokio::test]
async fn a_silent_gateway_is_given_up_soon() {
    let fake = Fake::new(|_| vec![]).await;
    let began = Instant::now();
    let port_map = start(&fake, &Protocol::ALL);
    let error = failure(&port_map).await;
    assert_eq!(error.to_string(), "the gateway 127.0.0.1 does not answer to PCP, NAT-PMP or UPnP");
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    // Three to each port, and two searches.
    assert_eq!((fake.asked().len(), fake.searches()), (6, 2));
    port_map.close().await.unwrap();
    assert_eq!(fake.asked().len(), 6, "there was nothing to remove");
}

#[tokio::test]
async fn a_closed_port_is_silence() {
    let gateway = Fake::new(|_| vec![]).await.gateway();
    let port_map = PortMap::start_at(
        Box::new(move || Some(gateway)),
        local(),
        Options::new(&[Protocol::NatPmp, Protocol::Pcp]),
    );
    let protocols = vec![Protocol::NatPmp, Protocol::Pcp];
    assert_eq!(failure(&port_map).await, Error::NoAnswer { gateway: Ipv4Addr::LOCALHOST, protocols });
}

#[tokio::test]
async fn pcp_maps_to_another_port_and_removes_by_the_same_nonce() {
    let fake = Fake::new(|request| vec![pcp_mapping(request, 0, OUTER, 40_000, 3600)]).await;
    let port_map = start(&fake, &[Protocol::Pcp]);
    let external = SocketAddr::from((OUTER, 40_000));
    let mapping = Mapping { external, protocol: Protocol::Pcp, lease: Duration::from_secs(3600) };
    assert_eq!(first(&port_map).await, Status::Mapped(mapping));
    assert_eq!(port_map.mapped(), Some(external));
    let mut watch = port_map.watch();
    assert_eq!(port_map.close().await, Ok(()));
    assert_eq!(*watch.borrow_and_update(), Status::Closed);
    let asked = fake.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0][24..36], asked[1][24..36], "the nonce");
    assert_ne!(asked[0][24..36], [0; 12]);
    assert_eq!(asked[1][4..8], [0; 4], "the lifetime");
}

#[tokio::test]
async fn a_gateway_behind_another_nat_maps_nothing() {
    let private = Ipv4Addr::new(100, 64, 0, 7);
    let error = Error::BehindAnotherNat { address: private.into() };
    // PCP says so once it has mapped: that is taken back.
    let fake = Fake::new(move |request| vec![pcp_mapping(request, 0, private, 40_000, 3600)]).await;
    let port_map = start(&fake, &[Protocol::Pcp]);
    assert_eq!(failure(&port_map).await, error);
    assert_eq!(port_map.mapped(), None);
    assert_eq!(fake.asked().len(), 2);
    assert_eq!(fake.asked()[1][4..8], [0; 4], "the lifetime");
    // NAT-PMP is asked for no mapping.
    let fake = Fake::new(move |_| vec![nat_pmp_address(private)]).await;
    assert_eq!(failure(&start(&fake, &[Protocol::NatPmp])).await, error);
    assert_eq!(fake.asked(), [[0, 0]]);
    // Nor is UPnP.
    let fake = Fake::new(|_| vec![]).await;
    let upnp = Upnp::new(&fake, |_, _| Upnp::external_address(Ipv4Addr::UNSPECIFIED)).await;
    let unspecified = Error::BehindAnotherNat { address: Ipv4Addr::UNSPECIFIED.into() };
    assert_eq!(failure(&start(&fake, &[Protocol::Upnp])).await, unspecified);
    assert_eq!(upnp.actions(), ["GET", "GetExternalIPAddress"]);
}

#[tokio::test]
async fn port_zero_is_no_mapping() {
    let fake = Fake::new(|request| match request.len() {
        2 => vec![nat_pmp_address(OUTER)],
        _ => vec![nat_pmp_mapping(request, 0)],
    })
    .await;
    let port_map = start(&fake, &[Protocol::NatPmp]);
    let error = failure(&port_map).await;
    assert_eq!(
        error.to_string(),
        "the gateway 127.0.0.1 made no mapping: NAT-PMP: a nonsensical answer: port 0"
    );
    assert_eq!(fake.asked().len(), 3, "the address, the mapping, its removal");
}

#[tokio::test]
async fn what_refuses_one_protocol_is_asked_by_the_next() {
    let fake = Fake::new(|request| match (request[0], request.len()) {
        (2, _) => vec![vec![0, 0x81, 0, 1, 0, 0, 0, 9]],
        (_, 2) => vec![nat_pmp_address(OUTER)],
        _ => vec![nat_pmp_mapping(request, 40_001)],
    })
    .await;
    let port_map = start(&fake, &Protocol::ALL);
    let status = first(&port_map).await;
    assert!(matches!(status, Status::Mapped(Mapping { protocol: Protocol::NatPmp, .. })), "{status:?}");
    assert_eq!(fake.searches(), 0, "UPnP was not needed");
    assert_eq!(port_map.close().await, Ok(()));
}

#[tokio::test]
async fn a_renewal_may_change_the_port_and_asks_for_the_old_one() {
    let next = AtomicUsize::new(40_000);
    let fake = Fake::new(move |request| {
        let port = next.fetch_add(1, Ordering::Relaxed) as u16;
        vec![b"garbage".to_vec(), pcp_mapping(request, 0, OUTER, port, 3600)]
    })
    .await;
    let port_map = start(&fake, &[Protocol::Pcp]);
    assert_eq!(first(&port_map).await.external(), Some(SocketAddr::from((OUTER, 40_000))));
    port_map.network_changed();
    let mut watch = port_map.watch();
    let second = SocketAddr::from((OUTER, 40_001));
    timeout(SOON, watch.wait_for(|status| status.external() == Some(second))).await.unwrap().unwrap();
    let asked = fake.asked();
    assert_eq!(asked[1][42..44], 40_000_u16.to_be_bytes(), "the port that it had");
    assert_eq!(asked[0][24..36], asked[1][24..36], "the nonce");
}

#[tokio::test]
async fn dropping_asks_for_removal() {
    let fake = Fake::new(|request| vec![pcp_mapping(request, 0, OUTER, 40_000, 3600)]).await;
    let port_map = start(&fake, &[Protocol::Pcp]);
    first(&port_map).await;
    drop(port_map);
    timeout(SOON, fake.has_asked(2)).await.unwrap();
}

#[tokio::test]
async fn closing_while_asking_removes_what_may_be_there() {
    let fake = Fake::new(|request| match request[4..8] {
        // Silent until it is asked to remove.
        [0, 0, 0, 0] => vec![pcp_mapping(request, 0, OUTER, 0, 0)],
        _ => vec![],
    })
    .await;
    let port_map = start(&fake, &[Protocol::Pcp]);
    timeout(SOON, fake.has_asked(1)).await.unwrap();
    assert_eq!(port_map.close().await, Ok(()));
    assert_eq!(fake.asked().last().unwrap()[4..8], [0; 4]);
}

#[tokio::test]
async fn a_removal_that_nobody_confirms_is_said() {
    let fake = Fake::new(|request| match request[4..8] {
        [0, 0, 0, 0] => vec![],
        _ => vec![pcp_mapping(request, 0, OUTER, 40_000, 3600)],
    })
    .await;
    let port_map = start(&fake, &[Protocol::Pcp]);
    first(&port_map).await;
    let error = port_map.close().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the gateway did not confirm that it removed the mapping of 11.0.0.2:40000: PCP: no answer; \
         it ends by itself when its lease does"
    );
}

#[tokio::test]
async fn upnp_takes_another_port_where_one_is_taken() {
    let fake = Fake::new(|_| vec![]).await;
    let upnp = Upnp::new(&fake, |action, body| match action {
        "GetExternalIPAddress" => Upnp::external_address(OUTER),
        "AddPortMapping" if body.contains("<NewExternalPort>4242<") => Upnp::error(718),
        _ => Upnp::done(action),
    })
    .await;
    let port_map = start(&fake, &[Protocol::Upnp]);
    let external = first(&port_map).await.external().unwrap();
    assert_eq!(external.ip(), OUTER);
    assert_ne!(external.port(), LOCAL);
    assert_eq!(port_map.close().await, Ok(()));
    let actions = ["GET", "GetExternalIPAddress", "AddPortMapping", "AddPortMapping", "DeletePortMapping"];
    assert_eq!(upnp.actions(), actions);
    assert!(fake.asked().is_empty(), "by no other protocol");
}

#[tokio::test]
async fn upnp_without_end_is_not_taken() {
    let fake = Fake::new(|_| vec![]).await;
    let upnp = Upnp::new(&fake, |action, _| match action {
        "GetExternalIPAddress" => Upnp::external_address(OUTER),
        _ => Upnp::error(725),
    })
    .await;
    let error = failure(&start(&fake, &[Protocol::Upnp])).await;
    assert_eq!(
        error.to_string(),
        "the gateway 127.0.0.1 made no mapping: UPnP: refused: it makes mappings without an end only (725)"
    );
    assert_eq!(upnp.actions().len(), 3);
}

#[tokio::test]
async fn upnp_reads_no_more_than_it_has_room_for() {
    for answer in
        [format!("HTTP/1.1 200 OK\r\n\r\n{}", "<a>".repeat(100_000)), HTTP_NOT_FOUND.into(), "x".into()]
    {
        let fake = Fake::new(|_| vec![]).await;
        let upnp = Upnp::raw(&fake, move |_, _| answer.clone()).await;
        let error = failure(&start(&fake, &[Protocol::Upnp])).await;
        let Error::Failed { attempts, .. } = &error else { panic!("{error}") };
        assert!(matches!(attempts[0].cause, Cause::Io(_) | Cause::Nonsense(_)), "{error}");
        assert_eq!(upnp.actions(), ["GET"]);
    }
}
