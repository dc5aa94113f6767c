#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use wayside_bridge::{Class, Cursor, Key, Place, SeededEntropy, Slot, Timestamp};

use super::*;

fn key(slot: u8) -> Key {
    Key::Slot(Slot([slot; 16]))
}

fn listed(slot: u8, version: &str) -> Listed {
    let fixed = Some((Timestamp::from_secs(4_000_000_000), [slot; 16]));
    let name = file::Name { class: Class::Meeting, key: key(slot), fixed };
    Listed { id: format!("file-{slot}"), name, version: version.to_owned(), size: 10, record: None }
}

fn record(slot: u8) -> Record {
    Record::new(key(slot), Class::Meeting, Timestamp::from_secs(4_000_000_000), vec![slot; 10])
}

/// What a fetch after a cursor would find, with every file read.
fn walk(index: &mut Index, cursor: Option<Cursor>) -> (Vec<Key>, Option<Cursor>, u64) {
    let mut page = index.plan(&Fetch::new(Place::Own, Keys::All).after(cursor));
    for item in &mut page.items {
        let Key::Slot(slot) = &item.name.key else { panic!("a slot") };
        let record = (slot.0[0] < 200).then(|| record(slot.0[0]));
        index.read(item, record.as_ref());
        item.record = record;
    }
    let batch = index.batch(&page, &Keys::All, 0);
    (batch.records.iter().map(|record| record.key.clone()).collect(), batch.cursor, batch.skipped)
}

#[test]
fn what_comes_later_is_found_after_the_cursor_whatever_it_is_called() {
    let mut index = Index::new(&SeededEntropy::new(1));
    index.update(vec![listed(5, "a"), listed(9, "a")], |_| true);
    let (found, cursor, _) = walk(&mut index, None);
    assert_eq!(found, [key(5), key(9)]);
    index.update(vec![listed(1, "a"), listed(5, "a"), listed(9, "b")], |_| true);
    let (found, cursor, _) = walk(&mut index, cursor);
    assert_eq!(found, [key(1), key(9)], "one is new, one has changed");
    index.update(vec![listed(9, "b")], |_| true);
    assert_eq!(walk(&mut index, cursor.clone()).0, []);
    // Taken away and put there again: it is news.
    index.update(vec![listed(1, "a"), listed(9, "b")], |_| true);
    assert_eq!(walk(&mut index, cursor).0, [key(1)]);
}

#[test]
fn cursors_of_others_mean_the_beginning() {
    let mut index = Index::new(&SeededEntropy::new(1));
    let mut other = Index::new(&SeededEntropy::new(2));
    for index in [&mut index, &mut other] {
        index.update(vec![listed(5, "a")], |_| true);
    }
    let (_, cursor, _) = walk(&mut other, None);
    assert_eq!(walk(&mut index, cursor).0, [key(5)]);
    let one_key = Fetch::new(Place::Own, [key(5)].into_iter().collect());
    let (_, cursor, _) = walk(&mut index, None);
    assert_eq!(index.plan(&one_key.after(cursor)).items.len(), 1, "it was given for other keys");
}

#[test]
fn junk_is_read_once() {
    let mut index = Index::new(&SeededEntropy::new(1));
    index.update(vec![listed(5, "a"), listed(201, "a")], |_| true);
    assert_eq!(walk(&mut index, None).2, 1);
    let page = index.plan(&Fetch::new(Place::Own, Keys::All));
    assert_eq!(page.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["file-5"]);
    assert!(page.items[0].record.is_some(), "and so is what is a record");
}
