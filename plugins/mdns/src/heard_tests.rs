#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::net::Ipv4Addr;

use wayside_bridge::{Class, Fetch, Key, Slot, Timestamp};

use super::*;
use crate::instance;

const START: Duration = Duration::ZERO;
const LIFE: Duration = Duration::from_secs(120);

fn record(number: u32) -> (Instance, Record) {
    let mut slot = [0; 16];
    slot.first_chunk_mut::<4>().unwrap().copy_from_slice(&number.to_be_bytes());
    let record = Record::new(Key::Slot(Slot(slot)), Class::Meeting, Timestamp::from_secs(1), vec![1; 376]);
    (instance::encode(&record).unwrap().0, record)
}

fn at(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))
}

fn hears(heard: &mut Heard, number: u32, from: u32, now: Duration) {
    let (instance, record) = record(number);
    heard.heard(instance, record, at(from), now, LIFE);
}

fn has(heard: &Heard, number: u32) -> bool {
    let keys = Keys::These([record(number).1.key].into());
    !heard.page(0, &keys, Fetch::LIMIT).records.is_empty()
}

#[test]
fn a_flood_of_one_host_pushes_out_nobody_elses() {
    let mut heard = Heard::default();
    hears(&mut heard, 1, 1, START);
    for number in 0..2_000 {
        hears(&mut heard, 1_000 + number, 66, START);
    }
    assert_eq!(heard.entries.len(), 1 + MOST_OF_ONE);
    hears(&mut heard, 2, 2, START);
    assert!(has(&heard, 1) && has(&heard, 2));
}

#[test]
fn a_flood_from_many_addresses_gives_way_to_who_says_little() {
    let mut heard = Heard::default();
    hears(&mut heard, 1, 1, START);
    for number in 0..20_000 {
        hears(&mut heard, 1_000 + number, 100 + number % 40, START);
    }
    assert_eq!(heard.entries.len(), MOST);
    for friend in 2..12 {
        hears(&mut heard, friend, friend, START);
        assert!(has(&heard, friend), "friend {friend}");
    }
    assert!(has(&heard, 1));
    assert_eq!(heard.entries.len(), MOST);
    assert_eq!(heard.order.len(), MOST);
    assert_eq!(heard.counts.values().sum::<usize>(), MOST);
}

#[test]
fn only_who_announced_it_says_that_it_is_gone() {
    let mut heard = Heard::default();
    hears(&mut heard, 1, 1, START);
    heard.gone(&record(1).0, Source::Of(at(2)));
    assert!(has(&heard, 1));
    // The same machine by another address.
    hears(&mut heard, 1, 3, START);
    heard.gone(&record(1).0, Source::Of(at(1)));
    assert!(has(&heard, 1));
    heard.gone(&record(1).0, Source::Of(at(3)));
    assert!(!has(&heard, 1));
    assert!(heard.order.is_empty() && heard.counts.is_empty());
}

#[test]
fn what_is_heard_no_more_is_asked_for_and_then_forgotten() {
    let mut heard = Heard::default();
    hears(&mut heard, 1, 1, START);
    let (own, record) = record(9);
    heard.have(own, record);
    assert_eq!(heard.known(LIFE / 4, 10).len(), 1);
    assert!(heard.known(LIFE / 2, 10).is_empty());
    assert!(!heard.fades(LIFE / 2));
    assert!(heard.fades(LIFE * 5 / 6));
    heard.expire(LIFE - Duration::from_secs(1));
    assert!(has(&heard, 1));
    heard.expire(LIFE);
    assert!(!has(&heard, 1));
    assert!(has(&heard, 9), "ours stays until it is taken back");
    heard.gone(&own, Source::Own);
    assert!(!has(&heard, 9));
}

#[test]
fn nobody_has_a_record_kept_for_ever() {
    let mut heard = Heard::default();
    let (instance, it) = record(1);
    heard.heard(instance, it, at(1), START, Duration::from_secs(u64::from(u32::MAX)));
    heard.expire(LONGEST);
    assert!(!has(&heard, 1));
}

#[test]
fn pages_go_on_where_they_ended() {
    let mut heard = Heard::default();
    for number in 0..9 {
        hears(&mut heard, number, 1, START);
    }
    let (mut number, mut found) = (0, 0);
    loop {
        let page = heard.page(number, &Keys::All, 2);
        assert!(page.records.len() <= 2);
        found += page.records.len();
        number = page.number;
        if !page.more {
            break;
        }
    }
    assert_eq!(found, 9);
    assert!(heard.page(number, &Keys::All, 2).records.is_empty());
    hears(&mut heard, 3, 1, LIFE / 2);
    assert!(heard.page(number, &Keys::All, 2).records.is_empty(), "what is heard again is no news");
}
