#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;
use crate::codec;

#[test]
fn a_locator_is_a_kind_and_an_address() {
    for good in ["dir:/srv/x", "matrix:#room:example.org", "x:y", "a-1:b:c", "email:käthe@example.org"] {
        assert_eq!(Locator::parse(good).unwrap().to_string(), good);
    }
    let bad = [
        "",
        "dir",
        "dir:",
        ":x",
        "Dir:x",
        "1dir:x",
        "-dir:x",
        "dir:-x",
        "dir: x",
        "dir:x\n",
        "dir:\0",
        "seventeen-letters:x",
        "dir:moc\u{202e}org",
        "dir:a\u{200b}b",
        "dir:a\u{feff}",
        "dir:a\u{a0}b",
        "dír:x",
    ];
    for bad in bad {
        assert_eq!(Locator::parse(bad), None, "{bad:?}");
    }
    assert!(Locator::new("dir", &"x".repeat(197)).is_some());
    assert!(Locator::new("dir", &"x".repeat(198)).is_none());
}

#[test]
fn candidates_are_short() {
    let encoded = |transport, address: &str| {
        let address = address.parse().unwrap();
        Candidate { kind: CandidateKind::Reflexive, transport, address }.to_bytes()
    };
    assert_eq!(encoded(Transport::Udp, "192.0.2.1:513"), [2, 192, 0, 2, 1, 2, 1]);
    assert_eq!(encoded(Transport::Tcp, "192.0.2.1:513"), [0x12, 192, 0, 2, 1, 2, 1]);
    assert_eq!(encoded(Transport::Udp, "[2001:db8::1]:80").len(), 19);
}

#[test]
fn a_candidate_is_an_address_that_can_be_reached() {
    let read = |bytes: &[u8]| Candidate::from_bytes(bytes);
    assert!(read(&[]).is_err());
    assert!(read(&[0]).is_err());
    assert!(read(&[0, 1, 2]).is_err());
    assert!(read(&[0, 192, 0, 2, 1, 0, 0]).is_err(), "port 0");
    assert!(read(&[0, 0, 0, 0, 0, 0, 80]).is_err(), "unspecified");
    assert!(read(&[0, 224, 0, 0, 1, 0, 80]).is_err(), "multicast");
    assert!(read(&[0, 255, 255, 255, 255, 0, 80]).is_err(), "broadcast");
    let mapped =
        [&[0][..], &"192.0.2.1".parse::<Ipv4Addr>().unwrap().to_ipv6_mapped().octets(), &[0, 80]].concat();
    assert!(read(&mapped).is_err(), "IPv4 in IPv6");
    assert!(read(&[0, 192, 0, 2, 1, 0, 80]).unwrap().is_some());
    assert_eq!(read(&[0x10, 192, 0, 2, 1, 0, 80]).unwrap().unwrap().transport, Transport::Tcp);
    assert!(read(&[0x10, 192, 0, 2, 1, 0, 0]).is_err(), "port 0, by TCP");
    assert_eq!(read(&[4]), Ok(None), "a kind of the future");
    assert_eq!(read(&[0x14]), Ok(None), "a kind of the future, by TCP");
    assert_eq!(read(&[0x20, 192, 0, 2, 1, 0, 80]), Ok(None), "a transport of the future");
    assert_eq!(read(&[255, 1, 2, 3, 4, 5, 6, 7, 8, 9]), Ok(None), "a kind of the future with another layout");
}

#[test]
fn what_nobody_can_reach_is_not_sent() {
    let addresses = [
        "0.0.0.0:1",
        "192.0.2.1:0",
        "224.0.0.1:9",
        "[::ffff:192.0.2.7]:7",
        "192.0.2.7:7",
        "[fe80::1%3]:8",
        "[::]:1",
        "[ff02::1]:1",
    ];
    let candidates = addresses.map(|address| Candidate {
        kind: CandidateKind::Host,
        transport: Transport::Udp,
        address: address.parse().unwrap(),
    });
    let kept = Candidates::new(candidates);
    let shown: Vec<_> = kept.iter().map(|candidate| candidate.address.to_string()).collect();
    assert_eq!(shown, ["192.0.2.7:7", "192.0.2.7:7", "[fe80::1]:8"]);
    let bytes = codec::encode(&kept);
    assert_eq!(codec::decode::<Candidates>("candidates", &bytes, 200), Ok(kept));
}

#[test]
fn too_many_candidates_and_lists_without_an_end_are_refused() {
    let one = [0x47, 0, 192, 0, 2, 1, 0, 80];
    let list = |head: &[u8], count: usize| [head.to_vec(), one.repeat(count)].concat();
    let read = |bytes: &[u8]| codec::decode::<Candidates>("candidates", bytes, 1000);
    assert_eq!(read(&list(&[0x86], 6)).unwrap().len(), 6);
    assert!(read(&list(&[0x87], 7)).is_err());
    assert!(read(&list(&[0x9f], 1)).is_err());
    assert!(read(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
}

#[test]
fn points_share_a_tray_key_where_they_can() {
    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Points(#[cbor(n(0), with = "points")] Vec<MeetingPoint>);
    let point = |tray: u8| MeetingPoint {
        locator: Locator::new("dir", "x").unwrap(),
        tag: PlaceTag([1; 8]),
        tray: Secret::new([tray; 32]),
        one_writer: true,
    };
    let length = |trays: &[u8]| {
        let all = Points(trays.iter().map(|tray| point(*tray)).collect());
        let bytes = codec::encode(&all);
        assert_eq!(codec::decode::<Points>("points", &bytes, 1000), Ok(all));
        bytes.len()
    };
    assert_eq!(length(&[1, 2, 3]) - length(&[1, 1, 1]), 2 * 33);
    assert_eq!(length(&[1, 2, 1]), length(&[1, 2, 3]));
    length(&[]);
    // The first cannot take over anything.
    let first_without =
        [0x81, 0x81, 0x84, 0x65, b'd', b'i', b'r', b':', b'x', 0x48, 1, 1, 1, 1, 1, 1, 1, 1, 0xf6, 0xf5];
    assert!(codec::decode::<Points>("points", &first_without, 1000).is_err());
}

fn address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        any::<u32>().prop_map(|v4| Ipv4Addr::from(v4).to_ipv6_mapped().into()),
        Just(Ipv6Addr::UNSPECIFIED.into()),
    ];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn kind() -> impl Strategy<Value = CandidateKind> {
    use CandidateKind::{Guessed, Host, Mapped, Reflexive};
    prop_oneof![Just(Host), Just(Mapped), Just(Reflexive), Just(Guessed)]
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Udp), Just(Transport::Tcp)]
}

proptest! {
    #[test]
    fn whatever_we_list_the_other_side_reads(list in prop::collection::vec((kind(), transport(), address()), 0..12)) {
        let candidates = Candidates::new(list.into_iter().map(|(kind, transport, address)| Candidate {
            kind,
            transport,
            address,
        }));
        prop_assert!(candidates.len() <= Candidate::MOST);
        prop_assert_eq!(Candidates::new(candidates.iter().copied()), candidates.clone());
        let bytes = codec::encode(&candidates);
        prop_assert_eq!(codec::decode::<Candidates>("candidates", &bytes, 200), Ok(candidates));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = codec::decode::<Candidates>("candidates", &bytes, 200);
        let _ = codec::decode::<MeetingPoint>("a point", &bytes, 200);
        if let Ok(Some(candidate)) = Candidate::from_bytes(&bytes) {
            prop_assert_eq!(candidate.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_locator_comes_back_the_same(kind in "[a-z][a-z0-9-]{0,15}", address in "[^\\s\\p{C}-][^\\s\\p{C}]{0,40}") {
        if let Some(locator) = Locator::new(&kind, &address) {
            prop_assert_eq!(Locator::parse(&locator.to_string()), Some(locator));
        } else {
            prop_assert!(address.contains(is_deceptive) || kind.len() + address.len() > Locator::MAX);
        }
    }

    #[test]
    fn any_text_is_a_locator_or_not(text in "\\PC{0,300}") {
        if let Some(locator) = Locator::parse(&text) {
            prop_assert_eq!(locator.to_string(), text);
        }
    }
}
