#![allow(clippy::unwrap_used)]

use wayside_bridge::{SeededEntropy, Slot};

use super::*;

fn oid(byte: u8) -> Oid {
    Oid::parse(&format!("{byte:02x}").repeat(20)).unwrap()
}

/// A tree of pointers under the slots of these bytes, with contents of these.
fn tree(files: &[(u8, u8)]) -> Tree {
    let mut tree = Tree::default();
    for (slot, contents) in files {
        tree.put(&format!("pointer-{}.rec", Slot([*slot; 16])), oid(*contents));
    }
    tree
}

fn after(index: &Index, cursor: Option<&Cursor>) -> Vec<Oid> {
    let number = index.number(cursor, &Keys::All);
    index.after(number, &Keys::All).map(|file| file.oid.clone()).collect()
}

#[test]
fn nothing_new_is_left_out_whatever_the_branch_becomes() {
    let mut index = Index::new(&SeededEntropy::new(1));
    index.replace(&tree(&[(1, 1), (2, 2)]));
    assert_eq!(after(&index, None), [oid(1), oid(2)]);
    let cursor = index.cursor(index.last(), &Keys::All);

    // One stays, one changes, one appears that sorts before all others.
    index.replace(&tree(&[(0, 3), (1, 1), (2, 4)]));
    assert_eq!(after(&index, cursor.as_ref()), [oid(3), oid(4)]);
    // The branch is deleted, and comes back as it was.
    index.replace(&Tree::default());
    assert_eq!(after(&index, None), []);
    index.replace(&tree(&[(1, 1)]));
    assert_eq!(after(&index, cursor.as_ref()), [oid(1)]);
}

#[test]
fn cursors_of_others_mean_the_beginning() {
    let (mut ours, mut theirs) = (Index::new(&SeededEntropy::new(1)), Index::new(&SeededEntropy::new(2)));
    for index in [&mut ours, &mut theirs] {
        index.replace(&tree(&[(1, 1)]));
    }
    let some = Keys::These([Key::Slot(Slot([1; 16]))].into());
    assert_eq!(ours.number(ours.cursor(1, &Keys::All).as_ref(), &Keys::All), 1);
    assert_eq!(ours.number(theirs.cursor(1, &Keys::All).as_ref(), &Keys::All), 0);
    assert_eq!(ours.number(ours.cursor(1, &Keys::All).as_ref(), &some), 0);
    assert_eq!(ours.number(ours.cursor(9, &Keys::All).as_ref(), &Keys::All), 0);
    assert_eq!(ours.number(Cursor::new(&b"junk"[..]).as_ref(), &Keys::All), 0);
}

#[test]
fn junk_is_read_once() {
    let mut index = Index::new(&SeededEntropy::new(1));
    index.replace(&tree(&[(1, 1), (2, 2)]));
    index.is_junk(1);
    assert_eq!((after(&index, None), index.junk(&Keys::All)), (vec![oid(2)], 1));
    index.replace(&tree(&[(1, 1), (2, 2)]));
    assert_eq!((after(&index, None), index.junk(&Keys::All)), (vec![oid(2)], 1));
    index.replace(&tree(&[(1, 3), (2, 2)]));
    assert_eq!((after(&index, None), index.junk(&Keys::All)), (vec![oid(2), oid(3)], 0));
}

#[test]
fn cards_stay_while_the_branch_changes() {
    let mut index = Index::new(&SeededEntropy::new(1));
    index.card("ann", Some(&oid(7)));
    index.replace(&tree(&[(1, 1)]));
    assert_eq!(after(&index, None), [oid(7), oid(1)]);
    let cursor = index.cursor(index.last(), &Keys::All);
    index.card("ann", Some(&oid(7)));
    assert_eq!(after(&index, cursor.as_ref()), []);
    index.card("ann", Some(&oid(8)));
    assert_eq!(after(&index, cursor.as_ref()), [oid(8)]);
    index.card("ann", None);
    assert_eq!(after(&index, None), [oid(1)]);
}
