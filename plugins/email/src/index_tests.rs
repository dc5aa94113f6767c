#![allow(clippy::unwrap_used)]

use wayside_bridge::{Place, SeededEntropy, Slot};

use super::*;

fn index() -> Index {
    let mut index = Index::new([1; 8], &SeededEntropy::new(1));
    index.numbered(5);
    index
}

fn key(byte: u8) -> Key {
    Key::Slot(Slot([byte; 16]))
}

fn found(token: u8, len: usize, ours: bool) -> Option<Found> {
    let record = Record::new(key(token), Class::Meeting, Timestamp::from_secs(1_000_000), vec![token; len]);
    Some(Found { note: Note::Record { id: Token([token; 16]).id(), record }, ours })
}

fn taken_back(tokens: &[u8]) -> Option<Found> {
    let tokens = tokens.iter().map(|token| Token([*token; 16])).collect();
    Some(Found { note: Note::TakenBack { not_after: Timestamp::from_secs(1_000_000), tokens }, ours: true })
}

fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

fn batch(index: &Index, request: &Fetch) -> Batch {
    index.batch(index.plan(request), Vec::new(), &request.keys)
}

#[test]
fn a_cursor_leaves_out_only_what_was_before_it() {
    let mut index = index();
    index.add(3, found(3, 9, true));
    index.add(4, None);
    index.next = 5;
    let first = batch(&index, &all());
    assert_eq!((first.records.len(), first.skipped, first.more), (1, 1, false));
    index.add(7, found(7, 9, true));
    index.next = 8;
    let second = batch(&index, &all().after(first.cursor.clone()));
    assert_eq!((second.records.len(), second.skipped), (1, 0));
    // Numbered anew: from the beginning.
    index.numbered(6);
    index.add(1, found(1, 9, true));
    assert_eq!(batch(&index, &all().after(second.cursor)).records.len(), 1);
    // Another place's.
    let mut other = Index::new([2; 8], &SeededEntropy::new(2));
    other.numbered(6);
    other.next = 100;
    let foreign = batch(&other, &all()).cursor;
    assert_eq!(batch(&index, &all().after(foreign)).records.len(), 1);
}

#[test]
fn pages_come_to_an_end() {
    let mut index = index();
    for number in 1..=9 {
        index.add(u32::from(number), found(number, 9, true));
    }
    index.next = 10;
    let mine = Record::new(key(77), Class::Meeting, Timestamp::from_secs(1_000_000), vec![1]);
    index.published(Token([77; 16]).id(), mine);
    let (mut request, mut seen, mut pages) = (all(), 0, 0);
    request.limit = 3;
    loop {
        let page = batch(&index, &request);
        (seen, pages) = (seen + page.records.len(), pages + 1);
        request.cursor = page.cursor;
        if !page.more {
            break;
        }
    }
    assert_eq!((seen, pages), (10, 4));
    assert!(!index.has_more(&request));
}

#[test]
fn large_records_are_read_again() {
    let mut index = index();
    for number in 1..=40 {
        index.add(u32::from(number), found(number, KEPT + 1, true));
    }
    let page = index.plan(&all());
    assert_eq!((page.unread.len(), page.records.len(), page.more), (MOST_UNREAD, 0, true));
}

#[test]
fn what_is_over_or_taken_back_goes_and_what_is_not_ours_stays() {
    let now = Timestamp::from_secs(1_000);
    let mut index = index();
    index.add(1, found(1, 9, true));
    index.add(2, found(2, 9, false));
    index.add(3, found(3, 9, true));
    assert!(index.tidy(now).is_empty());
    index.add(4, taken_back(&[1, 2]));
    assert_eq!(index.tidy(now), BTreeSet::from([1, 4]), "a mail that a person made is left where it is");
    assert_eq!(batch(&index, &all()).records.len(), 1);
    // It overtook what it takes back.
    index.add(5, taken_back(&[6]));
    assert!(index.tidy(now).is_empty());
    index.add(6, found(6, 9, true));
    assert_eq!(index.tidy(now), BTreeSet::from([5, 6]));
    // Somebody who does not know the token.
    index.add(8, taken_back(&[9]));
    assert!(index.tidy(now).is_empty());
    assert_eq!(batch(&index, &all()).records.len(), 1);
    let later = Timestamp::from_secs(1_000_000).saturating_add(file::GRACE * 2);
    assert_eq!(index.tidy(later), BTreeSet::from([3, 8]));
}

#[test]
fn a_place_stuffed_with_junk_has_a_bound() {
    let mut index = index();
    for uid in 1..=u32::try_from(MOST_KNOWN + 50).unwrap() {
        index.add(uid, found(1, 9, true));
        index.add(uid + 1_000_000, None);
    }
    assert_eq!((index.items.len(), index.junk.len()), (MOST_KNOWN, MOST_JUNK));
}
