#![allow(clippy::unwrap_used)]

use super::*;

fn commit(message: &str, parents: usize) -> CommitAnswer {
    let sha = "a".repeat(40);
    let object = serde_json::json!({ "sha": sha });
    let parents = vec![object.clone(); parents];
    serde_json::from_value(
        serde_json::json!({ "sha": sha, "tree": object, "message": message, "parents": parents }),
    )
    .unwrap()
}

#[test]
fn what_a_commit_says_is_understood() {
    let tip = |text: &str, parents| Tip::of(commit(text, parents), Arc::default());
    let ours = tip(&message(Some(7), false), 1);
    assert_eq!((ours.depth, ours.closing), (Some(7), false));
    let closing = tip(&message(Some(16), true), 1);
    assert_eq!((closing.depth, closing.closing), (Some(16), true));
    // What it was replaced with has the same words and no parent.
    let root = tip(&message(Some(16), true), 0);
    assert_eq!((root.depth, root.closing), (Some(1), false));
    let theirs = tip("Fix a bug", 1);
    assert_eq!((theirs.depth, theirs.closing), (None, false));
    let nonsense = tip("x\nwayside-depth: -1\nwayside-depth: 99999999999999", 2);
    assert_eq!(nonsense.depth, None);
}

#[test]
fn of_a_tree_only_whole_plain_small_records_are_taken() {
    let record = format!("meeting-{}-4000000000-{}.rec", "01".repeat(16), "02".repeat(16));
    let blob = "b".repeat(40);
    let entry = |path: &str, mode: &str, kind: &str, sha: &str, size: u64| serde_json::json!({ "path": path, "mode": mode, "type": kind, "sha": sha, "size": size });
    let link = record.replace("0101", "0202");
    let answer = serde_json::json!({ "sha": blob, "truncated": true, "tree": [
        entry(&record, FILE, "blob", &blob, 400),
        entry("README.md", FILE, "blob", &blob, 400),
        entry(&link, "120000", "blob", &blob, 10),
        entry(&record.replace("0101", "0303"), "100755", "blob", &blob, 10),
        entry(&record.replace("0101", "0404"), "160000", "commit", &blob, 0),
        entry(&record.replace("0101", "0505"), FILE, "blob", &blob, 2_000_000_000),
        entry(&record.replace("0101", "0606"), FILE, "blob", "../../../user", 10),
        entry("../escape.rec", FILE, "blob", &blob, 10),
        entry("name-..rec", FILE, "blob", &blob, 10),
        entry("a\u{0}b\u{1b}[2J", FILE, "blob", &blob, 10),
        entry(".gitattributes", FILE, "blob", &blob, 10),
        entry("src", "040000", "tree", &blob, 0),
    ] });
    let listing = Listing::of(serde_json::from_value(answer).unwrap());
    assert!(listing.readme);
    assert_eq!(listing.files().map(|(name, _)| name).collect::<Vec<_>>(), [record.as_str()]);
    assert_eq!(listing.others, 10 + 1);
    assert!(
        listing.records(Timestamp::from_secs(4_000_000_000 + 200_000)).is_empty(),
        "it has expired by then"
    );
}
