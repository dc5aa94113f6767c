#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

#[test]
fn an_epoch_is_a_day() {
    assert_eq!(Epoch::of(UnixMillis(86_400_000 - 1)), Epoch(0));
    assert_eq!(Epoch::of(UnixMillis(86_400_000)), Epoch(1));
    assert_eq!(Epoch(20_000).begin(), UnixMillis::from_secs(20_000 * 86_400));
    assert_eq!(Epoch(5).watched(), [Epoch(4), Epoch(5), Epoch(6)]);
}

#[test]
fn the_ends_of_time_do_no_harm() {
    assert_eq!(Epoch::of(UnixMillis(u64::MAX)), Epoch(u32::MAX));
    assert_eq!(Epoch(0).watched(), [Epoch(0), Epoch(0), Epoch(1)]);
    assert_eq!(Epoch(u32::MAX).plus(1), Epoch(u32::MAX));
    assert_eq!(UnixMillis(u64::MAX).after(Duration::MAX), UnixMillis(u64::MAX));
    assert_eq!(UnixMillis::from_secs(u64::MAX), UnixMillis(u64::MAX));
    let _ = Epoch(u32::MAX).begin();
}

proptest! {
    #[test]
    fn moments_and_spans_agree(a in any::<u64>(), b in any::<u64>()) {
        let (early, late) = (UnixMillis(a.min(b)), UnixMillis(a.max(b)));
        prop_assert_eq!(early.after(late.since(early)), late);
        prop_assert_eq!(early.since(late), Duration::ZERO);
        prop_assert_eq!(early.distance(late), late.distance(early));
    }

    #[test]
    fn an_epoch_holds_its_beginning(day in any::<u32>(), into in 0u64..86_400_000) {
        prop_assert_eq!(Epoch::of(UnixMillis(Epoch(day).begin().0 + into)), Epoch(day));
    }
}
