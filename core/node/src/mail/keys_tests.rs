use wayside_proto::mailbox::prekeys::{PUBLISHED, RETENTION, WEEK};

use super::*;

fn has(path: &Path, seed: &Secret) -> bool {
    std::fs::read(path).unwrap().windows(32).any(|window| window == seed.expose())
}

#[test]
fn what_was_kept_comes_back_and_what_is_over_is_nowhere_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.keys");
    let mut keys = Keys::open(&path).unwrap();
    keys.rotate(Age(0)).unwrap();
    keys.rotate(Age(0)).unwrap();
    let (weeks, lock) = (keys.file.weeks(), keys.lock().clone());
    assert_eq!(weeks.len(), PUBLISHED);
    drop(keys);

    let mut keys = Keys::open(&path).unwrap();
    assert_eq!((keys.file.weeks(), keys.lock()), (weeks.clone(), &lock));
    for late in 1..=60 {
        let now = Age(late * WEEK);
        keys.rotate(now).unwrap();
        for week in &weeks {
            let is_over = week.begins.after(WEEK + RETENTION) <= now;
            assert_eq!(has(&path, &week.seed), !is_over, "week {} at {now:?}", week.id);
        }
    }
    assert!(has(&path, &lock));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), (SLOTS * SLOT) as u64);
}

#[test]
fn a_torn_slot_is_as_if_it_was_never_made_and_nothing_of_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.keys");
    let mut keys = Keys::open(&path).unwrap();
    keys.rotate(Age(0)).unwrap();
    let weeks = keys.file.weeks();
    drop(keys);
    let whole = std::fs::read(&path).unwrap();
    // The last slot that was written: cut off after each byte of it.
    let at = whole.chunks(SLOT).rposition(|slot| slot.iter().any(|byte| *byte != 0)).unwrap() * SLOT;
    let last = weeks.last().unwrap();
    for cut in 1..BODY + 32 {
        let mut torn = whole.clone();
        torn[at + cut..at + SLOT].fill(0);
        if torn == whole {
            continue; // that it ended in a zero
        }
        std::fs::write(&path, &torn).unwrap();
        let mut keys = Keys::open(&path).unwrap();
        assert_eq!(keys.file.weeks(), weeks[..weeks.len() - 1], "cut after {cut}");
        assert!(!has(&path, &last.seed), "cut after {cut}");
        keys.rotate(Age(0)).unwrap();
        assert_eq!(Keys::open(&path).unwrap().file.weeks().len(), PUBLISHED);
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.keys");
    Keys::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.keys");
    drop(Keys::open(&path).unwrap());
    for (mode, refused) in [(0o640, true), (0o604, true), (0o600, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let opened = Keys::open(&path);
        assert_eq!(matches!(opened, Err(HomeError::Exposed(_))), refused, "{mode:o}");
    }
}
