use std::collections::BTreeSet;
use std::time::Duration;

use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{Change, Step, StepKind};

use super::*;

const ANN: AccountId = AccountId([1; 32]);
const BOB: AccountId = AccountId([2; 32]);
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const YEARS: u64 = 10 * 365 * 86_400_000;

#[test]
fn what_is_stored_survives_a_full_disk_and_the_store_works_again_after_it() {
    let disk = Disk::default();
    let store = disk.store();
    let change = |key: &str| vec![Change { key: key.into(), value: Some(vec![0; 10_000]) }];
    store.apply(&change("before")).unwrap();
    disk.fill(true);
    for _ in 0..3 {
        let error = store.apply(&change("meanwhile")).unwrap_err();
        assert!(matches!(error, StoreError::Io(_)), "{error}");
    }
    assert!(disk.refused() > 0);
    disk.fill(false);
    store.apply(&change("after")).unwrap();
    let keys = |store: &Store| -> Vec<String> {
        store.engine_values().unwrap().into_iter().map(|(key, _)| key).collect()
    };
    assert!(keys(&store).contains(&"before".into()) && keys(&store).contains(&"after".into()));
    drop(store);
    assert!(keys(&disk.store()).contains(&"before".into()));
}

#[test]
fn the_steps_of_a_meeting_outlive_the_process_within_bounds() {
    let disk = Disk::default();
    let step = |at: u64, what: &str| Step {
        at: UnixMillis(at),
        mono: Duration::from_millis(at),
        kind: StepKind::Offered,
        what: what.to_owned(),
    };
    let first = [step(1, "offered"), step(2, "linked")];
    disk.store().keep_steps(&ANN, &first).unwrap();
    let store = disk.store();
    assert_eq!(store.steps(&ANN, vec![]).unwrap(), first);
    store.keep_steps(&ANN, &[step(3, "gone")]).unwrap();
    store.keep_steps(&ANN, &[step(3, "gone"), step(4, &"é".repeat(1000))]).unwrap();
    let steps = store.steps(&ANN, vec![step(4, &"é".repeat(1000)), step(5, "back")]).unwrap();
    assert_eq!(steps.iter().map(|step| step.at.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for at in 6..500 {
        store.keep_steps(&ANN, &[step(at, "again")]).unwrap();
    }
    assert_eq!(store.steps(&ANN, vec![]).unwrap().len(), 64);
    store.keep_steps_of(&BTreeSet::from([BOB])).unwrap();
    assert!(store.steps(&ANN, vec![]).unwrap().is_empty());
}

#[test]
fn whoever_is_killed_while_the_store_is_made_leaves_nothing_in_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(folder.path().join("store.new"), [0; 5000]).unwrap();
    file::make(&path, CACHE_BYTES, |transaction| make_tables(transaction)).unwrap();
    file::make(&path, CACHE_BYTES, |_| panic!("it is there")).unwrap();
    let opener = file::StoreFile { path: path.clone(), cache: CACHE_BYTES };
    let store = Store::with_opener(Box::new(opener), None).unwrap();
    assert_eq!(store.unread().unwrap(), 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_clock_that_jumps_makes_nothing_old() {
    let store = Disk::default().store();
    store.grow_older(NOW).unwrap();
    let week = 7 * 86_400;
    for wall in [NOW.0 + YEARS, NOW.0, NOW.0 - YEARS, NOW.0] {
        let wall = UnixMillis(wall);
        assert!(store.age_at(wall).unwrap().0 <= 2 * week, "at {wall:?}");
        store.grow_older(wall).unwrap();
        assert!(store.age_at(wall).unwrap().0 <= 2 * week, "at {wall:?}");
    }
    let before = store.age_at(NOW).unwrap();
    for day in 1..=40 {
        let wall = UnixMillis(NOW.0 + day * 86_400_000);
        assert_eq!(store.age_at(wall).unwrap().since(before), day * 86_400);
        store.grow_older(wall).unwrap();
    }
}

#[test]
fn what_is_kept_for_others_has_a_file_once_there_is_something_and_is_looked_at_while_it_changes() {
    use wayside_proto::mailbox::tables::Memory;
    use wayside_proto::mailbox::{MailError, Read, Table, Tables};

    let folder = tempfile::tempdir().unwrap();
    let home = crate::Home::init(&folder.path().join("home"), "ann").unwrap();
    let open = || {
        let store = Store::open(&home.store_path(), home.lock().unwrap()).unwrap();
        CustodyStore::open(&home.mailbox_path(), store).unwrap()
    };
    let custody = open();
    assert!(custody.look(|_| Ok(())).unwrap().is_none());
    assert!(!home.mailbox_path().exists());
    // The same is done to tables in memory: both are the same after it.
    let mut memory = Memory::default();
    let table = |at: u8| if at.is_multiple_of(2) { Table::CustodyBlobs } else { Table::CustodyExpiry };
    custody
        .change(|change| {
            for at in 0..200u8 {
                let (key, value) = ([at.wrapping_mul(77), at], [at; 3]);
                change.put(table(at), &key, &value).map_err(MailError::Store)?;
                memory.put(table(at), &key, &value).unwrap();
                if at.is_multiple_of(3) {
                    let was_there = change.remove(table(at), &key).map_err(MailError::Store)?;
                    assert!(was_there && memory.remove(table(at), &key).unwrap());
                }
            }
            Ok(())
        })
        .unwrap();
    let ranges: [(&[u8], &[u8]); 4] = [(&[0], &[255]), (&[9], &[90]), (&[90], &[9]), (&[], &[255])];
    let same = |look: &crate::store::Look<'_>| -> Result<(), MailError<StoreError>> {
        for (from, to) in ranges {
            for at in [0, 1] {
                let found = look.scan(table(at), from, to, 50).map_err(MailError::Store)?;
                assert_eq!(found, memory.scan(table(at), from, to, 50).unwrap());
                let last = look.last(table(at), from, to).map_err(MailError::Store)?;
                assert_eq!(last, memory.last(table(at), from, to).unwrap());
            }
        }
        Ok(())
    };
    custody.look(same).unwrap();
    // What fails leaves nothing of itself, and holds nobody up who only looks.
    let failed = custody.change(|change| {
        change.put(Table::CustodyBlobs, b"half", b"done").map_err(MailError::Store)?;
        custody.look(same).unwrap();
        Err::<(), _>(MailError::Damaged("for the test"))
    });
    assert!(matches!(failed, Err(StoreError::Damaged(_))));
    custody.look(same).unwrap();
    drop(custody);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(home.mailbox_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(open().look(same).unwrap().is_some());
}

#[test]
fn what_earlier_versions_kept_in_plain_text_is_deleted() {
    const OLD: TableDefinition<'_, ([u8; 32], u64), &[u8]> = TableDefinition::new("outbox");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(OLD).unwrap().insert(([1; 32], 1), &b"as it was written"[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let opener = Box::new(file::StoreFile { path, cache: CACHE_BYTES });
    let store = Store::with_opener(opener, None).unwrap();
    let names = |transaction: &ReadTransaction| {
        Ok(transaction
            .list_tables()?
            .map(|table| redb::TableHandle::name(&table).to_owned())
            .collect::<Vec<_>>())
    };
    let names = store.read(names).unwrap();
    assert!(names.contains(&"mail-outbox".to_owned()) && !names.contains(&"outbox".to_owned()), "{names:?}");
}
