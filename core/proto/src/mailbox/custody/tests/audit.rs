//! Whether the tables say of each other what is so: every counter is counted anew.

use super::*;
use crate::mailbox::Table;
use crate::mailbox::tables::Entry;
use rows::{Account, Borne, Kept, Lying, Over, Registered, Trace};

fn all(tables: &Memory, table: Table) -> Vec<Entry> {
    tables.scan(table, &[], &rows::end(&[]), usize::MAX).unwrap()
}

fn parsed<V: for<'b> minicbor::Decode<'b, ()>>(value: &[u8]) -> V {
    rows::parse::<V, std::convert::Infallible>("a value", value).unwrap()
}

fn arrival(key: &[u8]) -> u64 {
    rows::arrival::<std::convert::Infallible>(key).unwrap()
}

pub(super) fn audit(tables: &Memory) {
    let mut ends = BTreeMap::new();
    let mut lying: BTreeMap<(AccountId, QueueId), Lying> = BTreeMap::new();
    let mut accounts: BTreeMap<AccountId, Account> = BTreeMap::new();
    let whole = rows::whole(tables).unwrap().unwrap_or_default();
    let mut owners = BTreeMap::new();
    for (key, value) in all(tables, Table::CustodyQueues) {
        let queue = QueueId(key.try_into().unwrap());
        let owner = parsed::<Registered>(&value).owner;
        owners.insert(queue, owner);
        lying.insert((owner, queue), Lying::default());
        accounts.entry(owner).or_default().queues += 1;
    }
    let kept = all(tables, Table::CustodyByOwner);
    for (key, value) in &kept {
        let owner = AccountId(key[..32].try_into().unwrap());
        let (arrival, kept) = (arrival(key), parsed::<Kept>(value));
        assert!(arrival <= whole.last);
        let blob = tables.get(Table::CustodyBlobs, &arrival.to_be_bytes()).unwrap().unwrap();
        assert_eq!((hash(&blob), blob.len()), (kept.hash, kept.size as usize));
        let trace = rows::trace(tables, &kept.queue, &kept.hash).unwrap();
        assert_eq!(trace, Some(Trace::Live(arrival)));
        ends.insert(rows::ending(kept.ends, arrival), Over::Mail(kept.queue, kept.hash));
        let queue = lying.get_mut(&(owner, kept.queue)).unwrap();
        for usage in [&mut queue.usage, &mut accounts.get_mut(&owner).unwrap().mail] {
            usage.items += 1;
            usage.bytes += room(blob.len());
        }
    }
    assert_eq!(all(tables, Table::CustodyBlobs).len(), kept.len());
    let mut live = 0;
    for (key, value) in all(tables, Table::CustodyByHash) {
        let (queue, hash) = (QueueId(key[..16].try_into().unwrap()), BlobHash(key[16..].try_into().unwrap()));
        match parsed(&value) {
            Trace::Live(_) => live += 1,
            Trace::Gone(until, arrival) => {
                ends.insert(rows::ending(until, arrival), Over::Mail(queue, hash));
                lying.get_mut(&(owners[&queue], queue)).unwrap().gone += 1;
            }
        }
    }
    assert_eq!(live, kept.len());
    let mut carried = 0;
    for (key, value) in all(tables, Table::CustodyCarried) {
        if key[0] == 1 {
            carried -= 1;
            continue;
        }
        carried += 1;
        let (arrival, borne) = (arrival(&key), parsed::<Borne>(&value));
        let asked_for = rows::asked_for(&borne.by, &borne.carry);
        let number = tables.get(Table::CustodyCarried, &asked_for).unwrap().unwrap();
        assert_eq!(number, arrival.to_be_bytes());
        ends.insert(rows::ending(borne.ends, arrival), Over::Carried);
        let usage = &mut accounts.entry(borne.by).or_default().carried;
        usage.items += 1;
        usage.bytes += room(crate::codec::encode(&borne.carry).len());
    }
    assert_eq!(carried, 0, "one way back for each that is carried");
    let found = all(tables, Table::CustodyExpiry).into_iter().map(|(key, value)| (key, parsed(&value)));
    assert_eq!(found.collect::<BTreeMap<Vec<u8>, Over>>(), ends);

    // What is counted.
    let mut claims = Vec::new();
    let mut bytes = 0;
    for (owner, found) in rows::accounts(tables).unwrap() {
        let Account { queues, mail, carried, .. } = accounts.remove(&owner).unwrap_or_default();
        assert_eq!((found.queues, found.mail, found.carried), (queues, mail, carried));
        assert!(!found.is_empty());
        let uses = lying.iter().filter(|((of, _), _)| *of == owner).map(|(_, lying)| lying.usage.bytes);
        assert_eq!(found.share, found.share.unused().used(uses.chain([carried.bytes])));
        claims.push(found.share.claimed());
        bytes += found.bytes();
        for (queue, is) in rows::queues(tables, &owner).unwrap() {
            assert_eq!(Some(is), lying.remove(&(owner, queue)));
        }
    }
    assert_eq!((accounts.len(), lying.len()), (0, 0), "all that is used is counted");
    assert_eq!(whole.bytes, bytes);
    assert_eq!(whole.share, whole.share.unused().used(claims));
}
