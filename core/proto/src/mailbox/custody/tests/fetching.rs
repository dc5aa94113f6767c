//! Several devices, and lists.

use super::*;

fn two_devices() -> Memory {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues([1]), &[device(1), device(2)], MOST).unwrap());
    for number in 1..=3 {
        assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, number, 600)), Answer::Stored);
    }
    tables
}

fn acknowledges(tables: &mut Memory, by: u8, arrivals: &[u64]) -> u64 {
    let went = acknowledge(tables, NOW, &friend(1), &device(by), arrivals).unwrap();
    audit(tables);
    went
}

fn devices(tables: &mut Memory, which: &[u8]) {
    let devices: Vec<_> = which.iter().copied().map(device).collect();
    assert!(register(tables, &friend(1), &queues([1]), &devices, MOST).unwrap());
    audit(tables);
}

#[test]
fn it_goes_when_all_devices_have_it() {
    let mut tables = two_devices();
    assert_eq!(acknowledges(&mut tables, 1, &[1, 2]), 0);
    assert_eq!((arrivals(&tables, 1, 1), arrivals(&tables, 1, 2)), (vec![3], vec![1, 2, 3]));
    assert_eq!(acknowledges(&mut tables, 1, &[1]), 0, "one device does not speak for two");
    assert_eq!(acknowledges(&mut tables, 2, &[2, 3]), 1);
    assert_eq!((arrivals(&tables, 1, 1), arrivals(&tables, 1, 2)), (vec![3], vec![1]));
    assert_eq!(get(&tables, &friend(1), 2).unwrap(), None);
}

#[test]
fn a_device_that_is_gone_holds_nothing_up() {
    let mut tables = two_devices();
    assert_eq!(acknowledges(&mut tables, 1, &[1, 2]), 0);
    devices(&mut tables, &[1]);
    assert_eq!(arrivals(&tables, 1, 1), [3]);
    assert_eq!(held(&tables).unwrap()[0].1.items, 1);
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 1, 600)), Answer::Stored);
    assert_eq!(arrivals(&tables, 1, 1), [3], "it is remembered");
}

#[test]
fn a_new_device_brings_nothing_back_and_is_waited_for() {
    let mut tables = two_devices();
    acknowledges(&mut tables, 1, &[1, 2]);
    acknowledges(&mut tables, 2, &[1]);
    devices(&mut tables, &[1, 2, 3]);
    assert_eq!(arrivals(&tables, 1, 3), [2, 3]);
    assert_eq!(acknowledges(&mut tables, 2, &[2]), 0);
    assert_eq!(acknowledges(&mut tables, 3, &[2]), 1);
}

#[test]
fn a_device_that_comes_in_anothers_place_has_not_what_that_one_had() {
    let mut tables = two_devices();
    acknowledges(&mut tables, 1, &[1]);
    devices(&mut tables, &[2, 3]);
    assert_eq!(arrivals(&tables, 1, 3), [1, 2, 3]);
    assert_eq!(acknowledges(&mut tables, 2, &[1]), 0);
    assert_eq!(acknowledges(&mut tables, 3, &[1]), 1);
}

#[test]
fn without_devices_nothing_is_deleted() {
    let mut tables = two_devices();
    acknowledges(&mut tables, 1, &[1]);
    devices(&mut tables, &[]);
    assert_eq!(acknowledges(&mut tables, 1, &[1, 2, 3]), 0);
    assert_eq!(held(&tables).unwrap()[0].1.items, 3);
}

#[test]
fn lists_go_on_where_they_ended() {
    let mut tables = Memory::default();
    assert!(register(&mut tables, &friend(1), &queues([1]), &[device(1), device(2)], MOST).unwrap());
    for number in 0..600 {
        assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, number, 600)), Answer::Stored);
    }
    // All but each seventh are acknowledged by the device that lists.
    let had: Vec<_> = (1..=600).filter(|arrival| arrival % 7 != 0).collect();
    acknowledges(&mut tables, 1, &had);
    let (mut after, mut all) = (0, Vec::new());
    loop {
        let listed = list(&tables, &friend(1), &device(1), after, 10).unwrap();
        let Some(last) = listed.last() else { break };
        assert!(listed.len() <= 10);
        after = last.arrival;
        all.extend(listed.iter().map(|listed| listed.arrival));
    }
    assert_eq!(all, (1..=600).filter(|arrival| arrival % 7 == 0).collect::<Vec<_>>());
    for (after, most) in [(0, 0), (600, 10), (u64::MAX - 1, 10), (u64::MAX, 10)] {
        assert_eq!(list(&tables, &friend(1), &device(1), after, most).unwrap(), []);
    }
    assert_eq!(list(&tables, &friend(2), &device(1), 0, 10).unwrap(), []);
}

#[test]
fn others_neighbours_in_the_tables_are_not_listed() {
    let mut tables = Memory::default();
    for (owner, queue) in [(0, 1), (254, 2), (255, 3)] {
        assert!(register(&mut tables, &friend(owner), &queues([queue]), &[device(1)], MOST).unwrap());
        assert_eq!(leave(&mut tables, &WIDE, owner, &put(queue, 1, 600)), Answer::Stored);
    }
    for (owner, arrival) in [(0, 1), (254, 2), (255, 3)] {
        assert_eq!(arrivals(&tables, owner, 1), [arrival]);
    }
    assert_eq!(held(&tables).unwrap().len(), 3);
}
