//! Whether somebody who sees all records can tell which belong together.
//!
//! A hundred meetings of ten pairs over ten days, each offer and answer left in two places, are given to a linker who knows everything that a
//! service sees but time and senders: names of slots, bytes, lengths. It scores every two records by how alike they are, in ways that need no
//! learning and in ways learnt from one half of the pairs, and is measured on the other half: the area under the ROC curve, as standard deviations
//! from what shuffled labels give. The seed is fixed, so that the figures are the same in every run; with another one of them exceeds the bound by chance
//! once in some five hundred runs.
//!
//! The same linker is then given records with a leak put in on purpose, and must find each: a check that cannot fail checks nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
#![allow(clippy::print_stdout, reason = "the figures, for who runs it with --nocapture")]

mod linkability {
    pub(crate) mod doors;
    pub(crate) mod linker;
    pub(crate) mod mail;
    pub(crate) mod meetings;
    pub(crate) mod strangers;
}

use std::collections::BTreeSet;

use linkability::doors::{FROM, guests};
use linkability::linker::{Figure, link};
use linkability::mail::mail;
use linkability::meetings::{Leak, Record, meetings};
use linkability::strangers::{KNOCKED_FROM, strangers};
use wayside_proto::Epoch;
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::envelope::Bucket;
use wayside_proto::meet::slot;
use wayside_proto::place::PlaceTag;

/// Standard deviations from chance beyond which records count as linked: 1 in 16,000 for one figure, 1 in 530 for the thirty of a run.
const LINKED: f64 = 4.0;

type Label = fn(&Record) -> usize;

const PAIR: Label = |record| record.pair;
const MEETING: Label = |record| record.meeting;
const OFFER_OR_ANSWER: Label = |record| usize::from(record.answer);
const GUEST_OR_FRIEND: Label = |record| usize::from(record.meeting >= FROM);

fn figures(leak: Leak, label: Label) -> Vec<Figure> {
    println!("{leak:?}:");
    figures_of(&meetings(leak), label)
}

fn figures_of(records: &[Record], label: Label) -> Vec<Figure> {
    let (train, test): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.pair < 5);
    let figures = link(&train, &test, label);
    for figure in &figures {
        println!("  {figure}");
    }
    figures
}

fn most(figures: &[Figure]) -> f64 {
    figures.iter().map(|figure| figure.sigmas.abs()).fold(0.0, f64::max)
}

#[test]
fn records_do_not_show_which_pair_which_meeting_or_which_message_they_are() {
    for (what, label) in [("pair", PAIR), ("meeting", MEETING), ("offer or answer", OFFER_OR_ANSWER)] {
        let figures = figures(Leak::None, label);
        assert!(most(&figures) < LINKED, "linked by {what}: {figures:?}");
    }
}

#[test]
fn guests_records_do_not_show_whose_door_it_is_which_guest_or_which_message() {
    let records = guests();
    for (what, label) in [("door", PAIR), ("guest", MEETING), ("knock or answer", OFFER_OR_ANSWER)] {
        let figures = figures_of(&records, label);
        assert!(most(&figures) < LINKED, "linked by {what}: {figures:?}");
    }
    let both: Vec<_> = records.into_iter().chain(meetings(Leak::None)).collect();
    let figures = figures_of(&both, GUEST_OR_FRIEND);
    assert!(most(&figures) < LINKED, "guests are told from friends: {figures:?}");
    assert!(both.iter().all(|record| record.bytes.len() == Bucket::Small.record()));
}

/// To whoever has not read the pointer; who has can tell what section 13.1 of the protocol says.
#[test]
fn strangers_records_do_not_show_by_what_they_came_who_they_are_or_which_message_it_is() {
    let records = strangers();
    let labels: [(&str, Label); 4] = [
        ("invite or pointer", PAIR),
        ("stranger", MEETING),
        ("join or welcome", OFFER_OR_ANSWER),
        ("by an invite or by a pointer", |record| usize::from(record.meeting >= KNOCKED_FROM)),
    ];
    for (what, label) in labels {
        let figures = figures_of(&records, label);
        assert!(most(&figures) < LINKED, "linked by {what}: {figures:?}");
    }
    assert!(records.iter().all(|record| record.bytes.len() == Bucket::Large.record()));
    let names: BTreeSet<_> = records.iter().map(|record| record.slot).collect();
    let shared = records.len() - names.len();
    assert!(shared < records.len() / 10, "{shared} share a slot, by chance of their lanes");
}

#[test]
fn every_leak_put_in_on_purpose_is_found() {
    let found = |leak: Leak, label: Label| {
        let figures = figures(leak, label);
        assert!(most(&figures) > 2.0 * LINKED, "{leak:?} was not found: {figures:?}");
    };
    found(Leak::ByteOfThePair, PAIR);
    found(Leak::LengthOfTheNames, PAIR);
    found(Leak::BytesUnevenly, PAIR);
    found(Leak::SlotFromThePair, PAIR);
    found(Leak::SameInEveryPlace, MEETING);
    found(Leak::Unsealed, OFFER_OR_ANSWER);
}

#[test]
fn all_records_have_one_length_and_no_two_one_name() {
    let records = meetings(Leak::None);
    assert_eq!(records.len(), 400);
    assert!(records.iter().all(|record| record.bytes.len() == Bucket::Small.record()));
    let names: BTreeSet<_> = records.iter().map(|record| record.slot).collect();
    assert_eq!(names.len(), records.len());
}

/// The same of mail that lies at two places for days, for the linker as it is; and it finds what is put in.
#[test]
fn mail_does_not_show_which_pair_or_which_message_it_is() {
    for (what, label) in [("pair", PAIR), ("message", MEETING)] {
        let figures = figures_of(&mail(Leak::None), label);
        assert!(most(&figures) < LINKED, "linked by {what}: {figures:?}");
    }
    for (leak, label) in [(Leak::SameInEveryPlace, MEETING), (Leak::Unsealed, PAIR)] {
        let figures = figures_of(&mail(leak), label);
        assert!(most(&figures) > 2.0 * LINKED, "{leak:?} was not found: {figures:?}");
    }
    let names: BTreeSet<_> = mail(Leak::None).iter().map(|record| record.slot).collect();
    assert_eq!(names.len(), 200);
}

/// What a tray shows, and nothing beyond: that records of one day in one place and lane are for one recipient.
#[test]
fn a_tray_says_one_recipient_for_one_day_in_one_place() {
    let mut trays = BTreeSet::new();
    let (keys, tags, days) = ([1, 2, 3], [1, 2], 20_000..20_010);
    for key in keys {
        for tag in tags {
            for day in days.clone() {
                for lane in 0..slot::LANES {
                    trays.insert(slot::tray(&Secret::new([key; 32]), PlaceTag([tag; 8]), Epoch(day), lane));
                }
            }
        }
    }
    assert_eq!(trays.len(), keys.len() * tags.len() * days.len() * usize::from(slot::LANES));
}
