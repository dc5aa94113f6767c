#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::codec;

fn read_nat(bytes: &[u8]) -> Result<NatReport, crate::Malformed> {
    codec::decode("a report", bytes, 200)
}

fn read_reflectors(bytes: &[u8]) -> Result<Reflectors, crate::Malformed> {
    codec::decode("reflectors", bytes, 200)
}

fn attestation(address: &str) -> Attestation {
    Attestation { by: address.parse().unwrap(), mac: *b"8 bytes." }
}

#[test]
fn neither_tokens_nor_macs_are_shown() {
    let reflector = Reflector { addresses: vec!["192.0.2.1:1".parse().unwrap()], token: [0xab; 8] };
    let attestation = Attestation { by: "192.0.2.1:1".parse().unwrap(), mac: [0xab; 8] };
    let shown = format!("{reflector:?} {attestation:?} {:?}", Reflectors::new([reflector.clone()]));
    assert!(shown.contains("192.0.2.1:1") && !shown.contains("171"), "{shown}");
}

#[test]
fn a_report_is_short() {
    let report = |mapping, count| NatReport {
        mapping,
        attestations: vec![attestation("192.0.2.1:65535"); count],
        ..NatReport::default()
    };
    let length = |mapping, count| codec::encode(&report(mapping, count)).len();
    assert_eq!(length(Mapping::Independent, 0), 3);
    assert_eq!(length(Mapping::Random, 2), 33);
    assert_eq!(length(Mapping::Sequential { last: u16::MAX, step: i16::MIN }, 2), 40);
    assert_eq!(length(Mapping::Random, 3), 33, "no more than two are said");
    let filtering = Filtering::AddressAndPortDependent;
    let longest =
        NatReport { filtering, ..report(Mapping::Sequential { last: u16::MAX, step: i16::MIN }, 2) };
    assert_eq!(codec::encode(&longest).len(), 41);
}

#[test]
fn what_is_not_known_of_a_mapping_is_as_good_as_not_measured() {
    let mapping =
        |bytes: &[u8]| read_nat(&[&[0x82][..], bytes, &[0x80]].concat()).map(|report| report.mapping);
    assert_eq!(mapping(&[0x02]), Ok(Mapping::Independent));
    assert_eq!(mapping(&[0x18, 200]), Ok(Mapping::Unknown), "a mapping of the future");
    assert_eq!(mapping(&[0x82, 0x09, 0x41, 7]), Ok(Mapping::Unknown), "with fields");
    assert_eq!(mapping(&[0x83, 0x03, 0x05, 0x20]), Ok(Mapping::Sequential { last: 5, step: -1 }));
    assert_eq!(
        mapping(&[0x84, 0x03, 0x05, 0x01, 0xf6]),
        Ok(Mapping::Sequential { last: 5, step: 1 }),
        "more fields"
    );
    assert_eq!(mapping(&[0x83, 0x03, 0x05, 0x00]), Ok(Mapping::Unknown), "no step is no sequence");
    for wrong in [
        &[0x80][..],
        &[0x82, 0x03, 0x05],
        &[0x83, 0x03, 0x1a, 0, 1, 0, 0, 0x01],
        &[0x83, 0x03, 0x05, 0x19, 0xff, 0xff],
        &[0x41, 0],
    ] {
        assert!(mapping(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(read_nat(&[0x80]), Ok(NatReport::default()));
    assert_eq!(read_nat(&[0xf6]), Ok(NatReport::default()));
    assert!(read_nat(&[0x9f, 0xff]).is_err(), "a list without an end");
}

#[test]
fn whoever_attests_is_somewhere() {
    let read = |address: &[u8]| {
        let one = [&[0x40 + 8 + address.len() as u8][..], &[1; 8], address].concat();
        read_nat(&[&[0x82, 0x00, 0x81][..], &one].concat())
    };
    assert_eq!(read(&[192, 0, 2, 1, 0, 80]).unwrap().attestations[0].by, "192.0.2.1:80".parse().unwrap());
    for wrong in
        [&[192, 0, 2, 1, 0, 0][..], &[0, 0, 0, 0, 0, 80], &[224, 0, 0, 1, 0, 80], &[192, 0, 2, 1], &[]]
    {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
    let one = [&[0x4e][..], &[1; 8], &[192, 0, 2, 1, 0, 80]].concat();
    let list = |head: u8, count: usize| read_nat(&[vec![0x82, 0x00, head], one.repeat(count)].concat());
    assert_eq!(list(0x82, 2).unwrap().attestations.len(), 2);
    assert!(list(0x83, 3).is_err(), "too many");
    assert!(list(0x9f, 1).is_err(), "without an end");
}

#[test]
fn reflectors_are_few_and_somewhere() {
    let reflector = |addresses: &[&str]| Reflector {
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        token: [9; 8],
    };
    let both = reflector(&["192.0.2.1:3478", "[2001:db8::1]:3478"]);
    let three = Reflectors::new([
        reflector(&["0.0.0.0:3478", "192.0.2.2:0"]),
        both.clone(),
        reflector(&["[::ffff:192.0.2.3]:1", "192.0.2.4:1", "192.0.2.5:1"]),
        both.clone(),
    ]);
    assert_eq!(three.clone().into_vec(), [both, reflector(&["192.0.2.3:1", "192.0.2.4:1"])]);
    let bytes = codec::encode(&three);
    assert_eq!(read_reflectors(&bytes), Ok(three));
    assert_eq!(codec::encode(&Reflectors::new([reflector(&["192.0.2.1:3478"])])).len(), 1 + 18);
    assert_eq!(read_reflectors(&[0x80]), Ok(Reflectors::default()));
    let one = |head: u8, addresses: u8| {
        let address = [0x46, 192, 0, 2, 1, 0, 80];
        [vec![head, 0x48], vec![9; 8], vec![0x80 + addresses], address.repeat(usize::from(addresses))]
            .concat()
    };
    let list = |count: u8, one: &[u8]| {
        read_reflectors(&[vec![0x80 + count], one.repeat(usize::from(count))].concat())
    };
    assert_eq!(list(2, &one(0x82, 2)).unwrap().len(), 2);
    assert_eq!(
        list(1, &[one(0x83, 1), vec![0xf5]].concat()).unwrap().len(),
        1,
        "what was appended is skipped"
    );
    for wrong in
        [list(3, &one(0x82, 1)), list(1, &one(0x82, 0)), list(1, &one(0x82, 3)), list(1, &one(0x81, 1))]
    {
        assert!(wrong.is_err());
    }
}

#[test]
fn what_would_not_be_said_makes_no_difference() {
    let nobody = Attestation { by: "192.0.2.1:0".parse().unwrap(), mac: [0; 8] };
    let mapped = attestation("[::ffff:192.0.2.1]:80");
    let attestations = vec![nobody, mapped, mapped, mapped];
    let nat = NatReport { mapping: Mapping::None, attestations, ..NatReport::default() };
    let reach = Reach { candidates: Candidates::default(), nat }.bounded();
    assert_eq!(reach.nat.attestations, [attestation("192.0.2.1:80"); 2]);
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn any_mapping() -> impl Strategy<Value = Mapping> {
    prop_oneof![
        Just(Mapping::Unknown),
        Just(Mapping::None),
        Just(Mapping::Independent),
        Just(Mapping::Random),
        (any::<u16>(), any::<i16>().prop_filter("a step", |step| *step != 0))
            .prop_map(|(last, step)| Mapping::Sequential { last, step }),
    ]
}

fn any_filtering() -> impl Strategy<Value = Filtering> {
    use Filtering::{AddressAndPortDependent, AddressDependent, EndpointIndependent, Unknown};
    prop::sample::select(vec![Unknown, EndpointIndependent, AddressDependent, AddressAndPortDependent])
}

proptest! {
    #[test]
    fn whatever_we_say_the_other_side_reads(
        mapping in any_mapping(),
        filtering in any_filtering(),
        by in prop::collection::vec((any_address(), any::<[u8; 8]>()), 0..4),
        named in prop::collection::vec((prop::collection::vec(any_address(), 0..4), any::<[u8; 8]>()), 0..4),
    ) {
        let attestations = by.into_iter().map(|(by, mac)| Attestation { by, mac }).collect();
        let reach = Reach { nat: NatReport { mapping, filtering, attestations }, ..Reach::default() }.bounded();
        prop_assert_eq!(read_nat(&codec::encode(&reach.nat)), Ok(reach.nat));
        let reflectors = Reflectors::new(named.into_iter().map(|(addresses, token)| Reflector { addresses, token }));
        prop_assert_eq!(read_reflectors(&codec::encode(&reflectors)), Ok(reflectors));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(report) = read_nat(&bytes) {
            prop_assert!(report.attestations.len() <= NatReport::MOST_ATTESTATIONS);
            prop_assert_eq!(read_nat(&codec::encode(&report)), Ok(report));
        }
        if let Ok(reflectors) = read_reflectors(&bytes) {
            prop_assert!(reflectors.len() <= Reflector::MOST);
        }
    }
}
