use proptest::prelude::*;
use wayside_bridge::{Class, Key, Record, Slot as KeySlot};

use super::*;

const DAY: u64 = 86_400;
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn limits() -> Limits {
    Limits {
        all: Weight { records: 100, bytes: 100_000 },
        source: Weight { records: 10, bytes: 12_000 },
        space: 20_000,
        kept: Duration::from_secs(30 * DAY),
    }
}

fn shelf() -> Shelf {
    Shelf::new(limits(), Vec::new(), NOW)
}

fn space(name: &str) -> Space {
    Space::of_path(&format!("/{name}")).unwrap()
}

fn sent(number: u8, len: usize, days: u64) -> Sent {
    let key = Key::Slot(KeySlot([number; 16]));
    let not_after = Timestamp::from_secs(NOW.as_secs() + days * DAY);
    let record = Record::new(key, Class::Meeting, not_after, vec![number; len]);
    let (file, check) = file::encode(&record).unwrap();
    Sent { found: file::Found { record, check }, file: file.into() }
}

fn writer(number: u8) -> Writer {
    Writer { owner: Owner([number; 16]), source: Source::V4(u32::from(number) << 8) }
}

fn later(secs: u64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() + secs)
}

#[test]
fn a_space_is_its_own_and_what_is_taken_away_is_ones_own() {
    let mut shelf = shelf();
    let (one, two) = (sent(1, 100, 1), sent(2, 100, 1));
    shelf.write(NOW, writer(1), &space("us"), &[], &[one.clone(), one.clone()]).unwrap();
    shelf.write(NOW, writer(2), &space("us"), &[], std::slice::from_ref(&two)).unwrap();
    let seen = shelf.look(&space("us"));
    assert_eq!((seen.files.len(), seen.bytes), (2, (one.file.len() + two.file.len()) as u64));
    assert_eq!(shelf.look(&space("them")).files, Vec::<Bytes>::new());

    let changed = shelf.write(NOW, writer(2), &space("us"), &[one.found.check], &[]).unwrap();
    assert_eq!(changed, Changed::default(), "that was not theirs");
    shelf.write(NOW, writer(1), &space("them"), &[one.found.check], &[]).unwrap();
    assert_eq!(shelf.look(&space("us")), seen, "and it is not in that space");

    shelf.write(NOW, writer(1), &space("us"), &[one.found.check], &[]).unwrap();
    shelf.write(NOW, writer(2), &space("us"), &[two.found.check], &[]).unwrap();
    assert_eq!(shelf.weight(), (Weight::default(), limits().all, 0));
    assert!(shelf.sources.is_empty() && shelf.neighbourhoods.is_empty() && shelf.ends.is_empty());
}

#[test]
fn versions_are_never_used_again() {
    let mut shelf = shelf();
    let mut seen = BTreeSet::from([shelf.look(&space("us")).version]);
    for _ in 0..5 {
        shelf.write(NOW, writer(1), &space("us"), &[], &[sent(1, 10, 1)]).unwrap();
        assert!(seen.insert(shelf.look(&space("us")).version));
        shelf.write(NOW, writer(1), &space("us"), &[sent(1, 10, 1).found.check], &[]).unwrap();
        assert_eq!(shelf.look(&space("us")).version, 0);
    }
}

#[test]
fn shares_are_kept_to_and_nothing_is_put_there_in_part() {
    let mut shelf = shelf();
    let ten: Vec<Sent> = (0..10).map(|number| sent(number, 10, 1)).collect();
    shelf.write(NOW, writer(1), &space("us"), &[], &ten).unwrap();
    let before = shelf.look(&space("us"));
    let more = [sent(20, 10, 1), sent(21, 10, 1)];
    assert_eq!(shelf.write(NOW, writer(1), &space("other"), &[], &more), Err(Full::Source));
    // Room is made and used in one.
    let remove = [ten[0].found.check];
    assert_eq!(shelf.write(NOW, writer(1), &space("us"), &remove, &more), Err(Full::Source));
    assert_eq!(shelf.look(&space("us")), before);
    shelf.write(NOW, writer(1), &space("us"), &remove, &more[..1]).unwrap();
    // Four neighbours' worth, whoever of them it is.
    for number in 1..4 {
        let near = Writer { source: Source::V4((1 << 8) + number), ..writer(1) };
        let records: Vec<Sent> = (0..10).map(|it| sent(it, 10, number.into())).collect();
        shelf.write(NOW, near, &space("near"), &[], &records).unwrap();
    }
    let near = Writer { source: Source::V4((1 << 8) + 9), ..writer(1) };
    assert_eq!(shelf.write(NOW, near, &space("near"), &[], &more), Err(Full::Source));
    // And tiny records weigh as well.
    shelf.write(NOW, writer(2), &space("us"), &[], &more).unwrap();
}

/// Strangers with many addresses fill it. Nothing that was there goes, and who was there may do what it likes with its own.
#[test]
fn a_flood_pushes_nothing_out() {
    let mut shelf = shelf();
    shelf.write(NOW, writer(1), &space("us"), &[], &[sent(1, 2_000, 9)]).unwrap();
    let ours = shelf.look(&space("us"));
    let mut refused = 0;
    for number in 0..10_000_u32 {
        let owner = Owner([number.to_be_bytes(); 4].concat().try_into().unwrap());
        let flood = Writer { source: Source::V4(number.wrapping_mul(0x0100_0101)), owner };
        let records: Vec<Sent> = (0..3).map(|it| sent(it, 500, 9)).collect();
        let name = space(&format!("{}", number % 37));
        refused += usize::from(shelf.write(NOW, flood, &name, &[], &records).is_err());
        let (weight, _, _) = shelf.weight();
        assert!(weight.is_within(limits().all), "{weight:?}");
    }
    assert!(refused > 9_900, "{refused}");
    assert_eq!(shelf.look(&space("us")), ours);
    // In place of what is taken away something else has room.
    let remove = [sent(1, 2_000, 9).found.check];
    shelf.write(NOW, writer(1), &space("us"), &remove, &[sent(2, 2_000, 9)]).unwrap();
    shelf.expire(later(11 * DAY));
    assert_eq!(shelf.weight(), (Weight::default(), limits().all, 0));
}

#[test]
fn a_space_has_its_bound() {
    let mut shelf = shelf();
    for number in 0..2 {
        let records: Vec<Sent> = (0..4).map(|it| sent(it, 1_800, 1)).collect();
        shelf.write(NOW, writer(number), &space("us"), &[], &records).unwrap();
    }
    assert_eq!(shelf.write(NOW, writer(3), &space("us"), &[], &[sent(1, 1_800, 1)]), Err(Full::Space));
    shelf.write(NOW, writer(3), &space("them"), &[], &[sent(1, 1_800, 1)]).unwrap();
}

#[test]
fn what_is_over_goes_and_nothing_stays_for_ever() {
    let mut shelf = shelf();
    let old = sent(1, 10, 0);
    shelf.write(later(3 * DAY), writer(1), &space("us"), &[], std::slice::from_ref(&old)).unwrap();
    assert_eq!(shelf.weight().0.records, 0, "it was over when it came");
    shelf.write(NOW, writer(1), &space("us"), &[], &[old, sent(2, 10, 400)]).unwrap();
    assert_eq!(shelf.expire(later(DAY)), [], "clocks differ");
    assert_eq!(shelf.expire(later(DAY + 1)).len(), 1);
    // Put there once more, it is there longer.
    shelf.write(later(20 * DAY), writer(1), &space("us"), &[], &[sent(2, 10, 400)]).unwrap();
    assert_eq!(shelf.expire(later(31 * DAY)), []);
    assert_eq!(shelf.expire(later(50 * DAY + 1)).len(), 1);
    // Numbers that mean a time at the end of all days.
    let end = Timestamp::from_secs(u64::MAX);
    let mut eternal = sent(3, 10, 1);
    eternal.found.record.not_after = end;
    shelf.write(NOW, writer(1), &space("us"), &[], &[eternal]).unwrap();
    assert_eq!(shelf.expire(later(30 * DAY + 1)).len(), 1);
}

#[test]
fn what_was_kept_is_there_again() {
    let mut shelf = shelf();
    let first = shelf.write(NOW, writer(1), &space("us"), &[], &[sent(1, 10, 1), sent(2, 10, 9)]).unwrap();
    let again = Shelf::new(limits(), first.put.clone(), NOW);
    assert_eq!(again.look(&space("us")).files, shelf.look(&space("us")).files);
    assert_eq!((again.weight(), again.next), (shelf.weight(), shelf.next));
    assert_eq!(Shelf::new(limits(), first.put, later(3 * DAY)).weight().0.records, 1);
}

proptest! {
    /// Whatever is written and removed by whomever, sums are right, bounds are kept to, and what the disk is told gives the same shelf.
    #[test]
    fn sums_stay_right(steps in proptest::collection::vec((0_u8..4, 0_u8..3, 0_u8..12, 0_usize..3_000, 0_u64..40, 0_u64..4), 1..60)) {
        let (mut shelf, mut disk, mut now) = (shelf(), BTreeMap::new(), 0);
        for (who, name, number, len, days, pass) in steps {
            now += pass * DAY / 2;
            let it = sent(number, len, days);
            let gone: Vec<Check> = if number % 3 == 0 { vec![it.found.check] } else { vec![] };
            let name = space(&name.to_string());
            for number in shelf.expire(later(now)) {
                disk.remove(&number);
            }
            if let Ok(changed) = shelf.write(later(now), writer(who), &name, &gone, &[it, sent(number + 20, len, days)]) {
                changed.gone.iter().for_each(|number| drop(disk.remove(number)));
                disk.extend(changed.put);
            }
            for number in shelf.expire(later(now)) {
                disk.remove(&number);
            }
            let mut all = Weight::default();
            shelf.kept.values().for_each(|kept| all.add(kept.weight()));
            prop_assert_eq!(shelf.all, all);
            let mut of_spaces = Weight::default();
            shelf.spaces.values().for_each(|shared| of_spaces.add(shared.weight));
            prop_assert_eq!(of_spaces, all);
            let mut of_sources = Weight::default();
            shelf.sources.values().for_each(|weight| of_sources.add(*weight));
            prop_assert_eq!(of_sources, all);
            prop_assert!(shelf.sources.values().all(|weight| weight.is_within(limits().source)));
            prop_assert_eq!(shelf.kept.len(), shelf.ends.len());
            prop_assert_eq!(&shelf.kept, &disk);
        }
    }
}
