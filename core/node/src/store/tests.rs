use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::engine::{Change, Step, StepKind};

use super::*;

const ANN: AccountId = AccountId([1; 32]);
const BOB: AccountId = AccountId([2; 32]);
const DEVICE: DeviceId = DeviceId([3; 16]);
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const YEARS: u64 = 10 * 365 * 86_400_000;

fn entry(from: AccountId, id: u8) -> InboxEntry {
    InboxEntry { id: [id; 16], from, text: id.to_string(), sent: NOW, received: NOW }
}

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
fn one_friend_does_not_take_up_another_ones_room() {
    let store = Disk::default().store();
    for number in 1..=3 {
        assert_eq!(store.receive(&DEVICE, number, &entry(ANN, number as u8), 3).unwrap(), Arrival::New);
    }
    assert_eq!(store.receive(&DEVICE, 4, &entry(ANN, 4), 3).unwrap(), Arrival::Full);
    assert_eq!(store.receive(&DEVICE, 1, &entry(BOB, 5), 3).unwrap(), Arrival::New);
    store.mark_read(&[[2; 16], [2; 16], [99; 16]]).unwrap();
    assert_eq!(store.unread().unwrap(), 3);
    assert_eq!(store.receive(&DEVICE, 4, &entry(ANN, 4), 3).unwrap(), Arrival::New);
    assert_eq!(store.receive(&DEVICE, 5, &entry(ANN, 6), 3).unwrap(), Arrival::Full);
}

#[test]
fn no_number_is_a_devices_last() {
    let store = Disk::default().store();
    assert_eq!(store.receive(&DEVICE, u64::MAX, &entry(ANN, 1), 9).unwrap(), Arrival::Absurd);
    assert_eq!(store.receive(&DEVICE, NOW.0, &entry(ANN, 2), 9).unwrap(), Arrival::New);
    // A clock at the end of time contributes no number that a recipient would refuse.
    let last = UnixMillis(u64::MAX);
    for id in 3..9 {
        let Accepted::Now { number } = store.enqueue(&ANN, [id; 16], String::new(), last, 99).unwrap() else {
            panic!("it is new");
        };
        assert_eq!(store.receive(&DEVICE, number, &entry(BOB, id), 9).unwrap(), Arrival::New);
    }
}

#[test]
fn a_message_that_is_asked_for_twice_is_sent_once() {
    let store = Disk::default().store();
    let ask = || store.enqueue(&ANN, [1; 16], "hello".into(), NOW, 9).unwrap();
    let Accepted::Now { number } = ask() else { panic!("it is new") };
    assert_eq!(ask(), Accepted::Before { waits: true });
    assert_eq!(store.queued_after(&ANN, 0, 9).unwrap().len(), 1);
    assert_eq!(store.acknowledged(&ANN, &[number]).unwrap().len(), 1);
    assert_eq!(ask(), Accepted::Before { waits: false });
    assert!(store.queued_after(&ANN, 0, 9).unwrap().is_empty());
}

#[test]
fn a_clock_that_jumps_expires_nothing_before_its_time() {
    let store = Disk::default().store();
    store.grow_older(NOW).unwrap();
    store.enqueue(&ANN, [1; 16], String::new(), NOW, 9).unwrap();
    let month = Duration::from_secs(30 * 86_400);
    for wall in [NOW.0 + YEARS, NOW.0, NOW.0 - YEARS, NOW.0] {
        store.grow_older(UnixMillis(wall)).unwrap();
        assert!(store.expire(month).unwrap().is_empty(), "at {wall}");
    }
    for day in 1..=40 {
        store.grow_older(UnixMillis(NOW.0 + day * 86_400_000)).unwrap();
    }
    assert_eq!(store.expire(month).unwrap().len(), 1);
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

/// A stream as the protocol has it: frames from the oldest message that was not acknowledged on, acknowledged in order.
struct Wire {
    frames: VecDeque<OutboxEntry>,
    acknowledgements: VecDeque<u64>,
}

struct Sim {
    random: u64,
    sender: Disk,
    recipient: Disk,
    sending: Arc<Store>,
    receiving: Arc<Store>,
    wires: Vec<Wire>,
    shown: Vec<String>,
}

impl Sim {
    fn random(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn open(&mut self) {
        let frames = self.sending.queued_after(&BOB, 0, 8).unwrap().into();
        self.wires.push(Wire { frames, acknowledgements: VecDeque::new() });
    }

    /// The recipient takes the next frame of a stream; a stream with no room, or no disk, ends.
    fn take(&mut self, wire: usize) {
        let Some(frame) = self.wires.get_mut(wire).and_then(|wire| wire.frames.pop_front()) else { return };
        let entry =
            InboxEntry { id: frame.id, from: ANN, text: frame.text.clone(), sent: frame.sent, received: NOW };
        match self.receiving.receive(&DEVICE, frame.number, &entry, 5) {
            Ok(Arrival::New | Arrival::Known) => self.wires[wire].acknowledgements.push_back(frame.number),
            Ok(Arrival::Full) | Err(_) => self.wires[wire].frames.clear(),
            Ok(Arrival::Absurd) => panic!("a number is absurd"),
        }
    }

    fn acknowledge(&mut self, wire: usize) {
        let Some(wire) = self.wires.get_mut(wire) else { return };
        let numbers: Vec<u64> = wire.acknowledgements.drain(..).collect();
        // What the sender's disk does not take is sent again.
        let _ = self.sending.acknowledged(&BOB, &numbers);
    }

    fn read(&mut self) {
        let batch = self.receiving.inbox(0, false, 3).unwrap();
        let ids: Vec<[u8; 16]> = batch.iter().map(|(_, entry)| entry.id).collect();
        self.receiving.mark_read(&ids).unwrap();
        self.shown.extend(batch.into_iter().map(|(_, entry)| entry.text));
    }
}

#[test]
fn each_message_arrives_once_and_in_order_whatever_happens_in_between() {
    for seed in 0..25 {
        let (sender, recipient) = (Disk::default(), Disk::default());
        let (sending, receiving) = (sender.store(), recipient.store());
        let (wires, shown) = (Vec::new(), Vec::new());
        let mut sim = Sim { random: seed, sender, recipient, sending, receiving, wires, shown };
        let mut accepted = Vec::new();
        for number in 0..400_u32 {
            let wire = sim.random(3) as usize;
            match sim.random(14) {
                0..=2 => {
                    let wall = [NOW.0, NOW.0 + YEARS, NOW.0 - YEARS, 0][sim.random(4) as usize];
                    let id = std::array::from_fn(|i| number.to_be_bytes()[i % 4]);
                    sim.sending.enqueue(&BOB, id, number.to_string(), UnixMillis(wall), 10_000).unwrap();
                    accepted.push(number.to_string());
                }
                3..=7 => sim.take(wire),
                8 => sim.acknowledge(wire),
                9 if sim.wires.len() < 3 => sim.open(),
                9 => drop(sim.wires.swap_remove(wire)),
                10 => sim.read(),
                11 => {
                    sim.wires.clear();
                    // Closed before they are opened again, as by processes that end.
                    (sim.sending, sim.receiving) = (Disk::default().store(), Disk::default().store());
                    (sim.sending, sim.receiving) = (sim.sender.store(), sim.recipient.store());
                }
                12 => {
                    sim.recipient.fill(true);
                    sim.take(wire);
                    sim.recipient.fill(false);
                }
                _ => {
                    sim.sender.fill(true);
                    sim.acknowledge(wire);
                    sim.sender.fill(false);
                }
            }
        }
        sim.wires.clear();
        while !sim.sending.queued_after(&BOB, 0, 1).unwrap().is_empty() {
            sim.open();
            (0..8).for_each(|_| sim.take(0));
            sim.acknowledge(0);
            sim.wires.clear();
            sim.read();
            sim.read();
        }
        while sim.receiving.unread().unwrap() > 0 {
            sim.read();
        }
        assert_eq!(sim.shown, accepted, "seed {seed}");
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
