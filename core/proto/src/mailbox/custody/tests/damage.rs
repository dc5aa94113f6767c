//! What lies in the store is not what was written.

use super::*;
use crate::mailbox::{Table, wire::MAX_LIFETIME};

const TABLES: [Table; 8] = [
    Table::CustodyBlobs,
    Table::CustodyByOwner,
    Table::CustodyByHash,
    Table::CustodyExpiry,
    Table::CustodyQueues,
    Table::CustodyOwners,
    Table::CustodyCarried,
    Table::CustodyState,
];

/// Something in each table.
fn some() -> Memory {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues([1, 2]), &[device(1), device(2)], MOST).unwrap());
    for number in 1..=3 {
        assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, number, 600)), Answer::Stored);
    }
    for by in [1, 2] {
        acknowledge(&mut tables, NOW, &friend(1), &device(by), &[1]).unwrap();
    }
    acknowledge(&mut tables, NOW, &friend(1), &device(1), &[2]).unwrap();
    let carry = Carry { host: host(1), put: put(2, 1, 600) };
    assert_eq!(take_to_carry(&mut tables, NOW, &WIDE, &friend(1), &carry).unwrap(), Answer::Stored);
    tables
}

/// Does everything, each with what is there; how often it is said that something is damaged.
fn does_everything(tables: &Memory) -> usize {
    let one = friend(1);
    let smaller = Limits { friend: 500_000, total: 1_000_000, ..WIDE };
    let carry = |number| Carry { host: host(1), put: put(2, number, 600) };
    let over = NOW.after(u64::from(MAX_LIFETIME));
    let mut damaged = 0;
    let mut does = |work: &dyn Fn(&mut Memory) -> Option<&'static str>| {
        let mut tables = tables.clone();
        damaged += usize::from(work(&mut tables).is_some());
    };
    macro_rules! each {
        ($($name:ident($($argument:expr),*);)*) => {
            $(does(&|tables| match $name(tables, $($argument),*) {
                Err(MailError::Damaged(what)) => Some(what),
                Ok(_) => None,
            });)*
        };
    }
    each! {
        deposit(NOW, &WIDE, &one, &put(1, 1, 600));
        deposit(NOW, &WIDE, &one, &put(1, 2, 600));
        deposit(over, &WIDE, &one, &put(1, 1, 600));
        deposit(over, &WIDE, &one, &put(1, 3, 600));
        deposit(NOW, &WIDE, &one, &put(2, 9, 600));
        deposit(NOW, &smaller, &one, &put(2, 9, 600));
        deposit(NOW, &Limits { queue: 600, ..WIDE }, &one, &put(1, 9, 600));
        register(&one, &queues([1, 2]), &[device(1)], MOST);
        register(&one, &queues([2, 3]), &[device(1)], MOST);
        register(&one, &[], &[], MOST);
        list(&one, &device(1), 0, 10);
        get(&one, 1);
        get(&one, 2);
        get(&one, 3);
        acknowledge(NOW, &one, &device(1), &[1, 2, 3]);
        acknowledge(NOW, &one, &device(2), &[1, 2, 3]);
        expire(over, 10);
        turn_out(&one, 100);
        held();
        total();
        take_to_carry(NOW, &WIDE, &one, &carry(1));
        take_to_carry(over, &WIDE, &one, &carry(1));
        take_to_carry(NOW, &smaller, &one, &carry(2));
        carried(0, 10);
        carried_over(4);
        carried_by_host();
    }
    damaged
}

#[test]
fn a_good_store_is_not_said_to_be_damaged() {
    assert_eq!(does_everything(&some()), 0);
}

#[test]
fn what_is_damaged_is_said_to_be_and_nothing_panics() {
    let good = some();
    for table in TABLES {
        let entries = good.scan(table, &[], &[0xff; 100], 100).unwrap();
        assert!(!entries.is_empty(), "{table:?}");
        for (key, value) in entries {
            // What a blob says is its recipient's to find out.
            if table != Table::CustodyBlobs {
                for bad in [&[][..], &[0xff], &value[..value.len() - 1], &[&value[..], &[0]].concat()] {
                    let mut tables = good.clone();
                    tables.put(table, &key, bad).unwrap();
                    assert_ne!(does_everything(&tables), 0, "{table:?} {key:02x?} {bad:02x?}");
                }
                for at in 0..value.len().min(120) {
                    for flip in [0x01, 0x20, 0xff] {
                        let mut bad = value.clone();
                        bad[at] ^= flip;
                        let mut tables = good.clone();
                        tables.put(table, &key, &bad).unwrap();
                        does_everything(&tables);
                    }
                }
            }
            for key in [&[][..], &[0xff], &key[..key.len() - 1], &[&key[..], &[0]].concat()] {
                let mut tables = good.clone();
                tables.put(table, key, &value).unwrap();
                does_everything(&tables);
            }
            let mut tables = good.clone();
            tables.remove(table, &key).unwrap();
            does_everything(&tables);
        }
    }
}

#[test]
fn a_blob_that_is_missing_is_said_to_be() {
    let mut tables = some();
    tables.remove(Table::CustodyBlobs, &2_u64.to_be_bytes()).unwrap();
    assert!(matches!(get(&tables, &friend(1), 2), Err(MailError::Damaged(_))));
}

#[test]
fn arrivals_that_have_no_next_are_said_to_be_damaged() {
    let mut tables = one();
    let last = rows::Whole { last: u64::MAX, ..rows::Whole::default() };
    rows::write(&mut tables, Table::CustodyState, rows::WHOLE, &last).unwrap();
    let answer = deposit(&mut tables, NOW, &WIDE, &friend(1), &put(1, 1, 600));
    assert!(matches!(answer, Err(MailError::Damaged(_))));
}
