//! What ends when.

use super::*;
use crate::mailbox::wire::MAX_LIFETIME;

#[test]
fn nothing_goes_before_its_end_however_the_age_steps() {
    for (asked, lives) in [(3600, 3600), (8 * 86_400, 8 * DAY), (MAX_LIFETIME, 20 * DAY)] {
        let mut tables = one();
        let limits = Limits { lifetime: 20 * 86_400, ..WIDE };
        let left = put_of(1, asked, blob(1, 600));
        assert_eq!(leave(&mut tables, &limits, 1, &left), Answer::Stored);
        let ends = NOW.after(lives);
        let mut now = NOW;
        while now < ends {
            assert_eq!(expire(&mut tables, now, 10).unwrap(), 0);
            assert_eq!(arrivals(&tables, 1, 1), [1], "{now:?} is before {ends:?}");
            now = now.after(7 * DAY);
        }
        assert_eq!(expire(&mut tables, Age(ends.0 - 1), 10).unwrap(), 0);
        assert_eq!(expire(&mut tables, ends, 10).unwrap(), 1);
        assert_eq!(held(&tables).unwrap(), []);
        audit(&tables);
        assert_eq!(deposit(&mut tables, ends, &limits, &friend(1), &left).unwrap(), Answer::Stored);
        assert_eq!(arrivals(&tables, 1, 1), [2], "what was over may come again");
    }
}

#[test]
fn an_age_at_its_end_is_survived() {
    let mut tables = one();
    let end = Age(u64::MAX);
    assert_eq!(deposit(&mut tables, end, &WIDE, &friend(1), &put(1, 1, 600)).unwrap(), Answer::Stored);
    assert_eq!(expire(&mut tables, Age(u64::MAX - 1), 10).unwrap(), 0);
    audit(&tables);
}

#[test]
fn it_goes_in_steps() {
    let mut tables = one();
    for number in 0..10 {
        assert_eq!(leave(&mut tables, &WIDE, 1, &put(1, number, 600)), Answer::Stored);
    }
    let over = NOW.after(7 * DAY);
    let mut left = 10;
    for went in [4, 4, 2, 0] {
        assert_eq!(expire(&mut tables, over, 4).unwrap(), went);
        left -= went;
        assert_eq!(arrivals(&tables, 1, 1).len(), left);
        audit(&tables);
    }
}

#[test]
fn what_was_fetched_is_remembered_until_its_end() {
    let mut tables = one();
    let left = put_of(1, 3600, blob(1, 600));
    assert_eq!(leave(&mut tables, &WIDE, 1, &left), Answer::Stored);
    assert_eq!(acknowledge(&mut tables, NOW, &friend(1), &device(1), &[1]).unwrap(), 1);
    let before = tables.clone();
    assert_eq!(expire(&mut tables, NOW.after(3599), 10).unwrap(), 0);
    assert_eq!(tables, before);
    // Cleared away or not, it comes again after that.
    for clears in [true, false] {
        let mut tables = before.clone();
        assert_eq!(if clears { expire(&mut tables, NOW.after(3600), 10).unwrap() } else { 1 }, 1);
        let again = deposit(&mut tables, NOW.after(3600), &WIDE, &friend(1), &left).unwrap();
        assert_eq!((again, arrivals(&tables, 1, 1)), (Answer::Stored, vec![2]));
        audit(&tables);
    }
}

#[test]
fn what_is_over_and_not_cleared_away_may_come_again() {
    let mut tables = one();
    let left = put_of(1, 3600, blob(1, 600));
    assert_eq!(leave(&mut tables, &WIDE, 1, &left), Answer::Stored);
    assert_eq!(deposit(&mut tables, NOW.after(3600), &WIDE, &friend(1), &left).unwrap(), Answer::Stored);
    assert_eq!(arrivals(&tables, 1, 1), [2]);
    audit(&tables);
    assert_eq!(expire(&mut tables, NOW.after(7199), 10).unwrap(), 0);
    // What is acknowledged after its end is not remembered.
    assert_eq!(acknowledge(&mut tables, NOW.after(7200), &friend(1), &device(1), &[2]).unwrap(), 1);
    audit(&tables);
    assert_eq!(expire(&mut tables, NOW.after(7200), 10).unwrap(), 0);
}
