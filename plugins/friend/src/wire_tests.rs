#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

fn requests() -> Vec<Request> {
    let note = Note { slot: Id([1; 16]), not_after: 1_767_225_600, bytes: Bytes::from_static(&[9; 3]) };
    let (keys, after) = (vec![Id([1; 16]), Id([2; 16])], Some(Position([3; 16])));
    vec![
        Request::Probe,
        Request::Leave(note),
        Request::Look { keys: keys.clone(), after, limit: 64 },
        Request::Watch { keys, after: None },
        Request::Taken(4),
        Request::Unwatch(5),
        Request::Retract(vec![Position([3; 16])]),
    ]
}

fn replies() -> Vec<Reply> {
    let note = Note { slot: Id([1; 16]), not_after: 1, bytes: Bytes::from_static(&[9; 3]) };
    vec![
        Reply::Here(1_767_225_600),
        Reply::Left(Position([3; 16])),
        Reply::Batch { records: vec![note], position: Position([3; 16]), more: true, time: 2 },
        Reply::Done,
        Reply::Refused { reason: 4, retry: Some(2) },
        Reply::Refused { reason: 0, retry: None },
    ]
}

fn hex(value: impl Encode<()>) -> String {
    HEXLOWER.encode(&minicbor::to_vec(value).unwrap())
}

#[test]
fn its_form_on_the_wire_stays() {
    let (id, other, position) = (
        "50".to_owned() + &"01".repeat(16),
        "50".to_owned() + &"02".repeat(16),
        "50".to_owned() + &"03".repeat(16),
    );
    let expected = [
        "82078100".to_owned(),
        format!("8207820183{id}1a6955b90043090909"),
        format!("8207840282{id}{other}{position}1840"),
        format!("8207820382{id}{other}"),
        "8207820404".to_owned(),
        "8207820505".to_owned(),
        format!("8207820681{position}"),
    ];
    for (what, expected) in requests().into_iter().zip(expected) {
        assert_eq!(hex(Ask { number: 7, what }), expected);
    }
    let expected = [
        "820782001a6955b900".to_owned(),
        format!("82078201{position}"),
        format!("820785028183{id}0143090909{position}f502"),
        "82078103".to_owned(),
        "820783040402".to_owned(),
        "8207820400".to_owned(),
    ];
    for (what, expected) in replies().into_iter().zip(expected) {
        assert_eq!(hex(Answer { number: 7, what }), expected);
    }
}

#[test]
fn the_largest_fit_their_frames() {
    let keys = vec![Id([1; 16]); MAX_KEYS];
    let largest = [
        Request::Watch { keys: keys.clone(), after: Some(Position([1; 16])) },
        Request::Look { keys, after: Some(Position([1; 16])), limit: u32::MAX },
        Request::Retract(vec![Position([1; 16]); MAX_BATCH]),
    ];
    for what in largest {
        assert!(minicbor::to_vec(Ask { number: u64::MAX, what }).unwrap().len() <= MOST_ASKED);
    }
    let note = Note { slot: Id([1; 16]), not_after: u64::MAX, bytes: Bytes::from_static(&[1; MAX_RECORD]) };
    let records = vec![note; MAX_BATCH];
    let what = Reply::Batch { records, position: Position([1; 16]), more: true, time: u64::MAX };
    assert!(minicbor::to_vec(Answer { number: u64::MAX, what }).unwrap().len() <= MOST_ANSWERED);
}

#[tokio::test]
async fn frames_come_back_however_they_are_cut() {
    let mut bytes = Vec::new();
    for what in requests() {
        bytes.extend(frame(&Ask { number: 1, what }).unwrap());
    }
    for size in [1, 2, 3, 5, 100, 10_000] {
        let (mut to, from) = tokio::io::duplex(size);
        let sent = bytes.clone();
        let writing = tokio::spawn(async move { to.write_all(&sent).await });
        let mut reader = FrameReader::new(from, MOST_ASKED);
        for what in requests() {
            // Broken off again and again, it loses nothing.
            let next = loop {
                tokio::select! {
                    biased;
                    next = reader.next::<Ask>() => break next,
                    () = tokio::task::yield_now() => {}
                }
            };
            assert_eq!(next.unwrap(), Some(Ask { number: 1, what }));
        }
        assert!(reader.next::<Ask>().await.unwrap().is_none());
        writing.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_too_long_or_cut_off_is_an_error() {
    let mut claims = FrameReader::new(&[0xff, 0xff, 0xff, 0xff, 0][..], MOST_ASKED);
    assert!(matches!(claims.next::<Ask>().await, Err(WireError::TooLong { .. })));
    assert!(claims.read.capacity() <= 2 * PIECE, "nothing is allocated for it");
    let mut cut = FrameReader::new(&[0, 0, 0, 9, 1][..], MOST_ASKED);
    assert!(matches!(cut.next::<Ask>().await, Err(WireError::Stream(_))));
    let mut junk = FrameReader::new(&[0, 0, 0, 1, 0xff][..], MOST_ASKED);
    assert!(matches!(junk.next::<Ask>().await, Err(WireError::Malformed)));
}

/// As many heads of CBOR as claim much.
fn mutated(mut bytes: Vec<u8>, changes: Vec<(prop::sample::Index, u8)>, cut: prop::sample::Index) -> Vec<u8> {
    for (at, to) in changes {
        let at = at.index(bytes.len());
        bytes[at] = to;
    }
    let keep = cut.index(bytes.len() * 2);
    bytes.truncate(keep.max(1));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// Junk and what is nearly right is an error or a value that is written as it was read; either costs no more than it has bytes.
    #[test]
    fn junk_does_no_harm(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(0x9b), Just(0xbb), Just(0x5b), Just(0x9f)]), 0..4),
        cut in any::<prop::sample::Index>(),
        random in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let asks: Vec<_> = requests().into_iter().map(|what| minicbor::to_vec(Ask { number: 7, what }).unwrap()).collect();
        let answers: Vec<_> = replies().into_iter().map(|what| minicbor::to_vec(Answer { number: 7, what }).unwrap()).collect();
        for bytes in [
            mutated(asks[which.index(asks.len())].clone(), changes.clone(), cut),
            mutated(answers[which.index(answers.len())].clone(), changes, cut),
            random,
        ] {
            if let Ok(ask) = minicbor::decode::<Ask>(&bytes) {
                prop_assert!(minicbor::to_vec(&ask).unwrap().len() <= bytes.len() + 16);
                prop_assert_eq!(minicbor::decode::<Ask>(&minicbor::to_vec(&ask).unwrap()).unwrap(), ask);
            }
            if let Ok(answer) = minicbor::decode::<Answer>(&bytes) {
                prop_assert!(minicbor::to_vec(&answer).unwrap().len() <= bytes.len() + 16);
                prop_assert_eq!(minicbor::decode::<Answer>(&minicbor::to_vec(&answer).unwrap()).unwrap(), answer);
            }
        }
    }
}
