#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const OID: &str = "0123456789abcdef0123456789abcdef01234567";

fn line(head: &str, name: &[u8]) -> Vec<u8> {
    [format!("{head} {OID}\t").as_bytes(), name, b"\0"].concat()
}

#[test]
fn trees_are_read_and_written_back() {
    let record = format!("meeting-{}-1800000000-{}.rec", "ab".repeat(16), "07".repeat(16));
    let listed = [
        line("100644 blob", b"README.md"),
        line("120000 blob", b"link"),
        line("100644 blob", record.as_bytes()),
        line("160000 commit", b"module"),
        line("040000 tree", b"\xff\tfolder\n"),
    ]
    .concat();
    let tree = Tree::parse(&listed).unwrap();
    assert_eq!(tree.to_input(), listed);
    assert_eq!(tree.records().map(|(name, ..)| name).collect::<Vec<_>>(), [record.as_str()]);
    assert_eq!(tree.foreign(), 3);
}

#[test]
fn a_link_with_a_records_name_is_none() {
    let listed = line("120000 blob", format!("name-{}.rec", "a").as_bytes());
    assert_eq!(Tree::parse(&listed).unwrap().records().count(), 0);
    assert_eq!(Tree::parse(&listed).unwrap().foreign(), 1);
}

#[test]
fn what_git_would_not_say_is_no_tree() {
    assert_eq!(Tree::parse(b"").unwrap(), Tree::default());
    assert_eq!(Tree::parse(b"100644 blob 01\tx\0"), None);
    assert_eq!(Tree::parse(b"nonsense\0"), None);
    // `hash-object --literally` makes such names.
    assert_eq!(Tree::parse(&line("100644 blob", b"a/b")).unwrap(), Tree::default());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Tree::parse(&bytes);
    }
}
