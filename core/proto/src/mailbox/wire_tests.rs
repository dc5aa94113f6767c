#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;
use crate::identity::{Signed, Status};
use crate::place::{Candidate, CandidateKind, MeetingPoint, Transport};
use crate::time::UnixMillis;

fn locator(length: usize) -> Locator {
    Locator::new("matrix", &"a".repeat(length - 6)).unwrap()
}

/// The longest there is.
fn host() -> HostEntry {
    let point = HostPoint { locator: locator(Locator::MAX), tag: PlaceTag([255; 8]) };
    let candidate = |n: u16| Candidate {
        kind: CandidateKind::Reflexive,
        transport: Transport::Udp,
        address: (std::net::Ipv6Addr::new(0x2a00, 1, 2, 3, 4, 5, 6, n), 65_535).into(),
    };
    HostEntry {
        guest: [255; 32],
        secret: Secret::new([255; 32]),
        name: "x".repeat(64),
        points: vec![point; HostEntry::MOST_POINTS],
        candidates: Candidates::new((0..6).map(candidate)),
    }
}

fn card() -> MailboxCard {
    MailboxCard { first: 70_000, prekeys: vec![Key([255; 32]); 8], hosts: vec![host(); HostEntry::MOST] }
}

fn put() -> Put {
    Put {
        queue: QueueId([255; 16]),
        hash: BlobHash([255; 32]),
        lifetime: MAX_LIFETIME,
        mac: [255; 32],
        blob: vec![255; MAX_BLOB],
    }
}

fn listed() -> Listed {
    Listed { arrival: u64::MAX, queue: QueueId([255; 16]), hash: BlobHash([255; 32]), size: u32::MAX }
}

fn queue_of(n: u8) -> Queue {
    Queue { id: QueueId([n; 16]), key: Secret::new([n; 32]) }
}

fn comes_back<F: Frame + PartialEq + std::fmt::Debug>(frame: &F) {
    let bytes = frame.to_bytes();
    assert!(bytes.len() <= F::MAX, "{} has {} bytes", F::NAME, bytes.len());
    assert_eq!(&F::from_bytes(&bytes).unwrap(), frame);
    // As streams are read.
    assert_eq!(&minicbor::decode::<F>(&bytes).unwrap(), frame);
}

/// Why it is refused, by both ways of reading it.
fn refused<F: Frame + std::fmt::Debug>(frame: &F) -> &'static str {
    let bytes = frame.to_bytes();
    assert!(minicbor::decode::<F>(&bytes).is_err());
    F::from_bytes(&bytes).unwrap_err().why
}

#[test]
fn everything_at_its_limit_comes_back_and_one_more_is_refused() {
    let access = |weeks: u32| Access {
        device: DeviceId([255; 16]),
        root: Secret::new([255; 32]),
        weeks: (0..weeks).map(|id| WeekPsk { id: u32::MAX - id, psk: Secret::new([9; 32]) }).collect(),
    };
    comes_back(&access(8));
    comes_back(&access(0));
    assert_eq!(refused(&access(9)), "too many entries");

    comes_back(&put());
    comes_back(&Put { blob: vec![], lifetime: 0, ..put() });
    assert_eq!(refused(&Put { blob: vec![0; MAX_BLOB + 1], ..put() }), "too long");
    assert_eq!(refused(&Put { lifetime: MAX_LIFETIME + 1, ..put() }), "it is to be kept too long");
    for answer in [Answer::Stored, Answer::Full(u32::MAX), Answer::Denied, Answer::Malformed, Answer::Here] {
        comes_back(&answer);
    }

    let offer = |host| MailboxOffer { host, bytes: u64::MAX };
    comes_back(&offer(Some(host())));
    comes_back(&offer(None));
    comes_back(&offer(Some(HostEntry { name: String::new(), points: vec![], ..host() })));
    let named = |name: String| refused(&offer(Some(HostEntry { name, ..host() })));
    assert_eq!(named("x".repeat(65)), "too long or too short");
    assert_eq!(named("a\u{202e}b".into()), "nobody may be called so");
    let mut far = host();
    far.points.push(far.points[0].clone());
    assert_eq!(refused(&offer(Some(far))), "too many entries");
    comes_back(&Carry { host: host(), put: put() });
    assert_eq!(
        refused(&Carry { host: host(), put: Put { blob: vec![0; MAX_BLOB + 1], ..put() } }),
        "too long"
    );
}

#[test]
fn what_a_mailbox_is_asked_and_says_keeps_its_limits() {
    let queues = |most: usize| vec![queue_of(255); most];
    let devices = |most: usize| vec![DeviceId([255; 16]); most];
    comes_back(&Ask::Register(queues(Ask::MOST_QUEUES), devices(Ask::MOST_DEVICES)));
    assert_eq!(refused(&Ask::Register(queues(Ask::MOST_QUEUES + 1), devices(1))), "too many entries");
    assert_eq!(refused(&Ask::Register(queues(1), devices(Ask::MOST_DEVICES + 1))), "too many entries");
    comes_back(&Ask::List(u64::MAX, u16::MAX));
    for ask in [Ask::Get as fn(Vec<u64>) -> Ask, Ask::Acknowledge] {
        comes_back(&ask(vec![u64::MAX; Ask::MOST_ARRIVALS]));
        assert_eq!(refused(&ask(vec![0; Ask::MOST_ARRIVALS + 1])), "too many entries");
    }
    comes_back(&Ask::Ring(None));
    let bell = |target: &str| Ask::Ring(Some(Bell { locator: locator(200), target: target.into() }));
    comes_back(&bell(&"x".repeat(200)));
    for wrong in ["", &"x".repeat(201)] {
        assert_eq!(refused(&bell(wrong)), "too long or too short");
    }
    for wrong in ["-rf", "a\nb", "a\u{200b}"] {
        assert_eq!(refused(&bell(wrong)), "nobody may be called so");
    }

    comes_back(&Told::Done);
    comes_back(&Told::Listed(vec![listed(); Told::MOST_LISTED], true));
    assert_eq!(refused(&Told::Listed(vec![listed(); Told::MOST_LISTED + 1], true)), "too many entries");
    comes_back(&Told::Blob(u64::MAX, Some(vec![255; MAX_BLOB])));
    comes_back(&Told::Blob(0, Some(vec![])));
    comes_back(&Told::Blob(0, None));
    assert_eq!(refused(&Told::Blob(0, Some(vec![0; MAX_BLOB + 1]))), "too long");
}

#[test]
fn a_list_that_claims_more_than_there_is_holds_nothing() {
    // Acknowledge, of 2^60 arrivals.
    let bytes = [&[0x82, 3, 0x81, 0x9b][..], &(1_u64 << 60).to_be_bytes()].concat();
    assert!(Ask::from_bytes(&bytes).is_err());
    let endless = [&[0x82, 3, 0x81, 0x9f][..], &[0; 5000], &[0xff]].concat();
    assert_eq!(Ask::from_bytes(&endless).unwrap_err().why, "too many entries");
}

/// A status with everything at its most but for what is in its mailbox.
fn status(mailbox: Option<MailboxCard>) -> (crate::crypto::keys::DeviceKeys, Status) {
    let keys = crate::crypto::keys::DeviceKeys::from_secrets(&Secret::new([1; 32]), &Secret::new([2; 32]));
    let point = |n: u8| MeetingPoint {
        locator: locator(Locator::MAX),
        tag: PlaceTag([n; 8]),
        tray: Secret::new([n; 32]),
        one_writer: true,
    };
    let points = (0..8).map(point).collect();
    let (seq, issued) = (u64::MAX, UnixMillis(u64::MAX));
    let device = keys.public().id();
    (keys, Status { device, seq, issued, points, mailbox })
}

#[test]
fn a_status_drops_hosts_until_it_fits() {
    let (keys, whole) = status(Some(card()));
    assert!(whole.sign(&keys).verify(&keys.public()).is_err(), "it is too long");
    let fitted = whole.clone().fitted();
    let hosts = fitted.mailbox.as_ref().unwrap().hosts.len();
    assert!((2..4).contains(&hosts), "{hosts}");
    assert_eq!(fitted.sign(&keys).verify(&keys.public()).unwrap(), fitted);
    // With fewer places, all four.
    let short = Status { points: whole.points[..2].to_vec(), ..whole };
    assert_eq!(short.clone().fitted(), short);
    assert_eq!(short.sign(&keys).verify(&keys.public()).unwrap(), short);
    let (_, none) = status(None);
    assert_eq!(none.clone().fitted(), none);
}

#[test]
fn a_status_with_a_mailbox_out_of_its_limits_is_refused() {
    let (keys, mut status) = status(None);
    status.points.truncate(1);
    let small = HostEntry { points: vec![], ..host() };
    let good = MailboxCard { hosts: vec![small.clone()], ..card() };
    let mut said = |mailbox: MailboxCard| {
        status.mailbox = Some(mailbox);
        let signed: Signed<Status> = status.sign(&keys);
        signed.verify(&keys.public()).err().map(|error| error.to_string())
    };
    assert_eq!(said(good.clone()), None);
    assert_eq!(said(MailboxCard { hosts: vec![small.clone(); 4], ..card() }), None);
    assert!(
        said(MailboxCard { hosts: vec![small.clone(); 5], ..card() }).unwrap().contains("a device's hosts")
    );
    assert!(said(MailboxCard { prekeys: vec![Key([0; 32]); 9], ..good.clone() }).is_some());
    assert!(said(MailboxCard { first: u32::MAX - 7, ..good.clone() }).is_some());
    assert_eq!(said(MailboxCard { first: u32::MAX - 8, ..good.clone() }), None);
    let itself = HostEntry { name: String::new(), ..small.clone() };
    assert!(itself.is_itself() && !small.is_itself());
    assert_eq!(said(MailboxCard { hosts: vec![itself], ..good.clone() }), None);
    let unseen = HostEntry { name: "a\u{202e}b".into(), ..small };
    assert!(said(MailboxCard { hosts: vec![unseen], ..good }).is_some());
}

#[test]
fn queues_differ_by_pair_and_by_host() {
    let (root, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
    let (id, key) = queue(&root, &[3; 32]);
    assert_eq!(queue(&root, &[3; 32]), (id, key.clone()));
    for (root, guest) in [(&root, [4; 32]), (&other, [3; 32])] {
        let (another, its_key) = queue(root, &guest);
        assert!(another != id && its_key != key);
    }
}
