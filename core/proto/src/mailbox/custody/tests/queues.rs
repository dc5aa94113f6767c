//! Registering, and turning out.

use super::*;

fn registers(tables: &mut Memory, owner: u8, queues: &[Queue], most: usize) -> bool {
    let all = register(tables, &friend(owner), queues, &[device(1)], most).unwrap();
    audit(tables);
    all
}

/// Which of these queues somebody may leave something in through the owner's door.
fn open(tables: &Memory, owner: u8, which: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let stores = |nth: &u8| leave(&mut tables.clone(), &WIDE, owner, &put(*nth, 99, 600)) == Answer::Stored;
    which.into_iter().filter(stores).collect()
}

#[test]
fn the_same_again_changes_nothing() {
    let mut tables = Memory::default();
    assert!(registers(&mut tables, 1, &queues(1..=5), MOST));
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 1, 600)), Answer::Stored);
    let before = tables.clone();
    assert!(registers(&mut tables, 1, &queues([5, 4, 3, 2, 1, 1]), MOST));
    assert_eq!(tables, before);
}

#[test]
fn what_is_gone_goes_with_all_that_lies_in_it() {
    let mut tables = Memory::default();
    assert!(registers(&mut tables, 1, &queues([1, 2]), MOST));
    for number in 0..600 {
        assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, number, 600)), Answer::Stored);
    }
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(2, 1, 600)), Answer::Stored);
    acknowledge(&mut tables, NOW, &friend(1), &device(1), &[1, 2, 3]).unwrap();
    assert!(registers(&mut tables, 1, &queues([2]), MOST));
    assert_eq!(arrivals(&tables, 1, 1), [601]);
    assert_eq!(open(&tables, 1, [1, 2]), [2]);
    assert!(registers(&mut tables, 1, &queues([1, 2]), MOST));
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 1, 600)), Answer::Stored);
    assert_eq!(arrivals(&tables, 1, 1), [601, 602], "nothing of it is remembered");
}

#[test]
fn another_key_takes_the_place_of_the_one_before() {
    let mut tables = one();
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 1, 600)), Answer::Stored);
    assert!(registers(&mut tables, 1, &[Queue { id: id(1), key: key(9) }], MOST));
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 2, 600)), Answer::Denied);
    assert_eq!(arrivals(&tables, 1, 1), [1]);
    let two_keys = [queue(1), Queue { id: id(1), key: key(9) }];
    assert!(!registers(&mut tables, 1, &two_keys, MOST));
}

#[test]
fn anothers_queue_is_not_taken() {
    let mut tables = one();
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 1, 600)), Answer::Stored);
    let stolen = [Queue { id: id(1), key: key(9) }, queue(2)];
    assert!(!registers(&mut tables, 2, &stolen, MOST));
    assert_eq!(open(&tables, 1, [1]), [1]);
    assert_eq!(open(&tables, 2, [1, 2]), [2], "what is its own is taken all the same");
    assert!(registers(&mut tables, 2, &[], MOST));
    assert_eq!(arrivals(&tables, 1, 1), [1]);
}

#[test]
fn more_than_the_most_are_refused_and_those_that_are_here_stay() {
    let mut tables = Memory::default();
    assert!(registers(&mut tables, 1, &queues([8, 9]), 3));
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(9, 1, 600)), Answer::Stored);
    assert!(!registers(&mut tables, 1, &queues(1..=9), 3));
    assert_eq!(open(&tables, 1, 1..=9), [1, 8, 9]);
    assert_eq!(arrivals(&tables, 1, 1), [1]);
    assert!(registers(&mut tables, 1, &queues([1, 8, 9]), 1), "nor do they go where the bound sinks");
    assert!(!registers(&mut tables, 1, &queues([1, 2, 8, 9]), 1));
    let many: Vec<_> = (0..=8).map(device).collect();
    assert!(!register(&mut tables, &friend(1), &queues([1]), &many, 9).unwrap());
    assert!(register(&mut tables, &friend(1), &queues([1]), &many[..8], 9).unwrap());
}

#[test]
fn who_has_nothing_leaves_nothing_behind() {
    let mut tables = one();
    assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, 1, 600)), Answer::Stored);
    assert!(register(&mut tables, &friend(1), &[], &[], MOST).unwrap());
    audit(&tables);
    let mut never = Memory::default();
    assert!(register(&mut never, &friend(1), &[], &[], MOST).unwrap());
    assert_eq!(never, Memory::default());
    let left = tables.scan(crate::mailbox::Table::CustodyOwners, &[], &[0xff; 80], 10).unwrap();
    assert_eq!(left, []);
}

#[test]
fn an_owner_is_turned_out_in_steps_and_others_stay() {
    let mut tables = Memory::default();
    assert!(registers(&mut tables, 2, &queues([7]), MOST));
    assert_eq!(leave(&mut tables, &WIDE, 2, &put(7, 1, 600)), Answer::Stored);
    let without = tables.clone();
    assert!(registers(&mut tables, 1, &queues(1..=4), MOST));
    for nth in 1..=4 {
        for number in 0..10 {
            assert_eq!(leave(&mut tables, &WIDE, 1, &put(nth, number, 600)), Answer::Stored);
        }
    }
    acknowledge(&mut tables, NOW, &friend(1), &device(1), &[2, 3, 13]).unwrap();
    for number in 0..5 {
        let carry = Carry { host: host(1), put: put(1, number, 600) };
        assert_eq!(take_to_carry(&mut tables, NOW, &WIDE, &friend(1), &carry).unwrap(), Answer::Stored);
    }
    for most in [0, 1, 3, 7, 1000] {
        let mut tables = tables.clone();
        let mut steps = 0;
        while !turn_out(&mut tables, &friend(1), most).unwrap() {
            audit(&tables);
            steps += 1;
            assert!(steps <= 50);
        }
        audit(&tables);
        assert_eq!(held(&tables).unwrap(), held(&without).unwrap());
        assert_eq!((total(&tables).unwrap(), carried(&tables, 0, 10).unwrap()), (600, Vec::new()));
        assert!(turn_out(&mut tables, &friend(1), 10).unwrap(), "again is nothing");
        assert_eq!(open(&tables, 1, 1..=7), [0; 0]);
    }
}
