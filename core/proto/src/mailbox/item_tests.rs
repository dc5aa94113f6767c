#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;
use crate::crypto::Secret;
use crate::identity::Card;
use crate::mailbox::seal::padded;
use crate::mailbox::wire::WeekPsk;
use proptest::prelude::*;

fn file(name: &str) -> FileRef {
    FileRef { id: [255; 16], name: name.into(), size: u64::MAX, hash: [255; 32] }
}

fn ordered(content: Content) -> Item {
    let ordered =
        Ordered { seq: u64::MAX, previous: u64::MAX, floor: u64::MAX, sent: UnixMillis(u64::MAX), content };
    Item { device: DeviceId([255; 16]), kind: Kind::Ordered(ordered) }
}

fn message(text: usize, files: Vec<FileRef>) -> Item {
    ordered(Content::Message([255; 16], "x".repeat(text), files))
}

fn news(card: Option<Vec<u8>>, beyond: usize) -> Item {
    let weeks = (0..8).map(|id| WeekPsk { id: u32::MAX - id, psk: Secret::new([255; 32]) }).collect();
    let news = News {
        seq: u64::MAX,
        receipt: Some(Receipt {
            device: DeviceId([255; 16]),
            upto: u64::MAX,
            beyond: vec![u64::MAX; beyond],
        }),
        floor: u64::MAX,
        card,
        access: Some(Access { device: DeviceId([255; 16]), root: Secret::new([255; 32]), weeks }),
    };
    Item { device: DeviceId([255; 16]), kind: Kind::News(news) }
}

fn comes_back(item: &Item) {
    let bytes = item.to_bytes();
    assert!(bytes.len() <= MAX_ITEM, "{} bytes", bytes.len());
    assert_eq!(&Item::from_bytes(&bytes).unwrap(), item);
}

fn refused(item: &Item) -> String {
    assert!(minicbor::decode::<Item>(&item.to_bytes()).is_err());
    Item::from_bytes(&item.to_bytes()).unwrap_err().to_string()
}

#[test]
fn everything_at_its_limit_comes_back_and_one_more_is_refused() {
    let longest = "n".repeat(FileRef::MAX_NAME);
    comes_back(&message(0, vec![]));
    comes_back(&message(MAX_TEXT, vec![file(&longest); MOST_FILES]));
    assert_eq!(
        refused(&message(MAX_TEXT + 1, vec![])),
        "a message's text is malformed: too long or too short"
    );
    let many = message(0, vec![file("a"); MOST_FILES + 1]);
    assert_eq!(refused(&many), "a message's list of files is malformed: too many entries");
    let chunk = |length| ordered(Content::Chunk([255; 16], u64::MAX, vec![255; length]));
    comes_back(&chunk(0));
    comes_back(&chunk(CHUNK));
    assert_eq!(refused(&chunk(CHUNK + 1)), "a part of a file is malformed: too long");
    comes_back(&news(None, 0));
    comes_back(&news(Some(vec![255; Card::MAX]), Receipt::MOST_BEYOND));
    assert_eq!(refused(&news(Some(vec![0; Card::MAX + 1]), 0)), "a card is malformed: too long");
    assert_eq!(refused(&news(None, Receipt::MOST_BEYOND + 1)), "a receipt is malformed: too many entries");
    comes_back(&Item { device: DeviceId([0; 16]), kind: Kind::News(News::default()) });
    assert!(Item::from_bytes(&vec![0; MAX_ITEM + 1]).is_err());
    // A chunk costs little more than its bytes, so that attachments do not grow.
    let length = chunk(CHUNK).to_bytes().len();
    assert!(padded(4 + length) <= CHUNK + 2048, "{length}");
}

#[test]
fn a_files_name_is_a_name_and_nothing_else() {
    for good in ["a", "Käse.txt", "two words.tar.gz", "a:b", "a..b", "x-", "…", &"n".repeat(255)] {
        assert!(FileRef::is_name(good), "{good}");
        assert_eq!(FileRef::name_like(good), good);
        comes_back(&message(0, vec![file(good)]));
    }
    for wrong in [
        "",
        ".",
        "..",
        ".bashrc",
        "../a",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "-rf",
        " a",
        "a ",
        "a\n",
        "a\0b",
        "exe\u{202e}txt",
        "a\u{200b}b",
        &"n".repeat(256),
    ] {
        assert!(!FileRef::is_name(wrong), "{wrong:?}");
        assert!(FileRef::is_name(&FileRef::name_like(wrong)), "{wrong:?}");
        assert!(refused(&message(0, vec![file(wrong)])).starts_with("an attached file's name is malformed"));
    }
    assert_eq!(FileRef::name_like("../a b\u{202e}"), "_.._a b_");
}

proptest! {
    #[test]
    fn any_name_has_one_like_it(name in any::<String>(), times in 0..40_usize) {
        let like = FileRef::name_like(&name.repeat(times));
        prop_assert!(FileRef::is_name(&like), "{like:?}");
        prop_assert_eq!(FileRef::name_like(&like), like);
    }

    #[test]
    fn junk_does_no_harm(junk in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Item::from_bytes(&junk);
    }
}
