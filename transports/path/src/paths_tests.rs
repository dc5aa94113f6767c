//! One link's paths, step by step; whole links over made-up networks are in `tests/network.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

const V4: Kind = Kind::Udp { v6: false };

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What is to be done, questions apart.
fn actions(paths: &mut Paths) -> Vec<Action> {
    std::iter::from_fn(|| paths.poll_action()).filter(|it| !matches!(it, Action::Ask(_))).collect()
}

#[test]
fn the_first_path_is_taken_and_a_better_kind_replaces_it_at_once() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(1), Kind::Relayed, ms(5));
    assert_eq!(actions(&mut paths), [Action::Prefer(PathKey(1))]);
    paths.opened(ms(10), PathKey(2), V4, ms(80));
    assert_eq!(actions(&mut paths), [Action::Prefer(PathKey(2))]);
    paths.opened(ms(20), PathKey(3), Kind::Tcp, ms(1));
    assert_eq!(actions(&mut paths), []);
    paths.closed(ms(30), PathKey(2));
    assert_eq!(actions(&mut paths), [Action::Prefer(PathKey(3))]);
}

#[test]
fn the_last_path_is_never_closed() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), V4, ms(1));
    actions(&mut paths);
    for at in (0..60_000).step_by(25) {
        paths.observe(
            ms(at),
            PathKey(0),
            Sample { sent: at + 1, received: 0, rtt: ms(1), ..Sample::default() },
        );
        paths.handle_timeout(ms(at));
        assert!(!actions(&mut paths).contains(&Action::Close(PathKey(0))));
    }
    assert!(paths.is_lost(ms(60_000)));
}

#[test]
fn a_link_without_any_path_is_lost_too_and_looked_at_until_it_has_one() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), Kind::Tcp, ms(1));
    actions(&mut paths);
    paths.handle_timeout(ms(1_000));
    assert_eq!((paths.lost_for(ms(1_000)), paths.poll_timeout()), (ms(0), None));
    // Its connection has ended.
    paths.closed(ms(2_000), PathKey(0));
    let mut now = ms(2_000);
    while now < ms(20_000) {
        paths.handle_timeout(now);
        assert_eq!(paths.lost_for(now), now - ms(2_000));
        now = paths.poll_timeout().unwrap();
    }
    paths.opened(now, PathKey(1), Kind::Relayed, ms(1));
    paths.handle_timeout(now);
    assert_eq!(paths.lost_for(now), ms(0));
    // Had it not answered before it was gone, that counts.
    let began = now;
    for sent in 1..100 {
        now += ms(25);
        paths.observe(now, PathKey(1), Sample { sent, received: 0, rtt: ms(1), ..Sample::default() });
        paths.handle_timeout(now);
    }
    let lost = paths.lost_for(now);
    assert!(lost >= ms(2_000) && lost <= now - began, "{lost:?}");
    paths.closed(now, PathKey(1));
    assert_eq!(paths.lost_for(now), lost);
}

#[test]
fn a_candidate_that_has_become_another_address_is_tried_whatever_the_former_one_does() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), V4, ms(1));
    let candidate = paths.add_candidate(ms(0), V4).unwrap();
    paths.handle_timeout(ms(0));
    assert!(actions(&mut paths).contains(&Action::Open(candidate)));
    // The attempt is under way.
    paths.replaced(ms(10), candidate);
    paths.handle_timeout(ms(10));
    assert_eq!(actions(&mut paths), [Action::Open(candidate)]);
    paths.opened_to(ms(20), PathKey(1), candidate, ms(1));
    paths.replaced(ms(30), candidate);
    paths.handle_timeout(ms(30));
    assert_eq!(actions(&mut paths), [Action::Open(candidate)]);
    paths.closed(ms(40), PathKey(1));
    paths.handle_timeout(ms(40));
    paths.attempt_failed(ms(50), candidate);
    paths.handle_timeout(ms(50));
    assert_eq!(actions(&mut paths), [], "what failed is not tried again at once");
}

#[test]
fn where_nobody_answers_nothing_is_closed() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), V4, ms(1));
    paths.opened(ms(0), PathKey(1), Kind::Tcp, ms(1));
    for at in (0..5_000).step_by(25) {
        for key in [PathKey(0), PathKey(1)] {
            paths.observe(ms(at), key, Sample { sent: at + 1, received: 0, rtt: ms(1), ..Sample::default() });
        }
        paths.handle_timeout(ms(at));
        assert!(!actions(&mut paths).iter().any(|it| matches!(it, Action::Close(_))));
    }
}

#[test]
fn where_a_peer_stood_still_the_first_path_to_answer_condemns_no_other() {
    let mut paths = Paths::default();
    let keys = [PathKey(0), PathKey(1)];
    keys.into_iter().for_each(|key| paths.opened(ms(0), key, V4, ms(1)));
    let mut answered = |at: u64, counts: [u64; 2]| {
        for (key, received) in keys.into_iter().zip(counts) {
            paths.observe(
                ms(at),
                key,
                Sample { sent: 1 + at.min(5_000), received, rtt: ms(1), ..Sample::default() },
            );
        }
        paths.handle_timeout(ms(at));
        actions(&mut paths).contains(&Action::Close(PathKey(1)))
    };
    assert!(!(0..5_000).step_by(25).any(|at| answered(at, [0, 0])), "nobody answers");
    assert!(!(5_000..5_100).step_by(25).any(|at| answered(at, [at, 0])), "one does, the other not yet");
    assert!((5_100..5_400).step_by(25).any(|at| answered(at, [at, 0])), "and never will");
}

#[test]
fn of_too_many_the_worst_goes_but_not_the_only_relay() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), V4, ms(10));
    paths.opened(ms(0), PathKey(1), V4, ms(30));
    paths.opened(ms(0), PathKey(2), V4, ms(20));
    paths.opened(ms(0), PathKey(3), Kind::Relayed, ms(90));
    paths.handle_timeout(ms(1));
    let closed: Vec<_> =
        actions(&mut paths).into_iter().filter(|it| matches!(it, Action::Close(_))).collect();
    assert_eq!(closed, [Action::Close(PathKey(1))]);
    assert_eq!(paths.preferred(), Some(PathKey(0)));
}

#[test]
fn candidates_are_tried_with_growing_pauses_and_at_once_when_the_network_changes() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), Kind::Tcp, ms(10));
    let candidate = paths.add_candidate(ms(0), V4).unwrap();
    let mut tried = Vec::new();
    for at in 0..20_000 {
        if paths.poll_timeout().is_some_and(|due| due <= ms(at)) {
            paths.handle_timeout(ms(at));
        }
        if actions(&mut paths).contains(&Action::Open(candidate)) {
            tried.push(at);
            paths.attempt_failed(ms(at), candidate);
        }
    }
    assert_eq!(tried, [0, 1_000, 3_000, 7_000, 15_000]);
    paths.network_changed(ms(20_000));
    paths.handle_timeout(ms(20_000));
    assert!(actions(&mut paths).contains(&Action::Open(candidate)));
}

#[test]
fn a_link_that_hangs_in_the_air_tries_the_same_address_afresh() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), V4, ms(1));
    let candidate = paths.add_candidate(ms(0), V4).unwrap();
    paths.began_at(PathKey(0), candidate);
    paths.observe(ms(10), PathKey(0), Sample { sent: 1, received: 0, rtt: ms(1), ..Sample::default() });
    paths.handle_timeout(ms(10));
    assert!(!actions(&mut paths).contains(&Action::Open(candidate)));
    paths.handle_timeout(ms(300));
    paths.handle_timeout(ms(600));
    assert!(actions(&mut paths).contains(&Action::Open(candidate)));
}

#[test]
fn a_peer_that_moved_is_followed_sooner_than_a_path_that_falls_silent_is_left() {
    let mut left = [0, 0];
    for (moved, left) in [false, true].into_iter().zip(&mut left) {
        let mut paths = Paths::default();
        paths.opened(ms(0), PathKey(0), V4, ms(1));
        if moved {
            paths.peer_moved(ms(1_000));
        }
        paths.opened(ms(1_003), PathKey(1), V4, ms(1));
        for at in 1_004..2_000 {
            let sample = |received| Sample { sent: at, received, rtt: ms(1), ..Sample::default() };
            paths.observe(ms(at), PathKey(0), sample(0));
            paths.observe(ms(at), PathKey(1), sample(at));
            paths.handle_timeout(ms(at));
            if actions(&mut paths).contains(&Action::Close(PathKey(0))) {
                *left = at;
                break;
            }
        }
    }
    let [silent, moved] = left;
    assert!((1_040..1_060).contains(&moved) && (1_110..1_130).contains(&silent), "{left:?}");
}

#[test]
fn the_peers_choice_is_followed_while_it_answers() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), V4, ms(10));
    paths.opened(ms(0), PathKey(1), V4, ms(90));
    paths.follow(ms(1), PathKey(1));
    assert_eq!(paths.preferred(), Some(PathKey(1)));
    for at in (25..500).step_by(25) {
        paths.observe(
            ms(at),
            PathKey(0),
            Sample { sent: at, received: at, rtt: ms(10), ..Sample::default() },
        );
        paths.observe(ms(at), PathKey(1), Sample { sent: at, received: 0, rtt: ms(90), ..Sample::default() });
        paths.handle_timeout(ms(at));
    }
    assert_eq!(paths.preferred(), Some(PathKey(0)));
}

#[test]
fn silent_paths_are_asked_now_and_then_and_closed_when_they_are_dead() {
    let mut paths = Paths::new(Some(ms(10_000)));
    paths.opened(ms(0), PathKey(0), V4, ms(10));
    paths.opened(ms(0), PathKey(1), Kind::Tcp, ms(10));
    let (mut asked, mut sent, mut closed) = (Vec::new(), [0, 0], None);
    let mut answered = [0, 0];
    for at in 0..60_000 {
        if paths.poll_timeout().is_some_and(|due| due <= ms(at)) {
            for (key, (sent, received)) in sent.iter().zip(answered).enumerate() {
                let sample = Sample { sent: *sent, received, rtt: ms(10), ..Sample::default() };
                paths.observe(ms(at), PathKey(key as u32), sample);
            }
            paths.handle_timeout(ms(at));
        }
        while let Some(action) = paths.poll_action() {
            match action {
                Action::Ask(PathKey(key)) => {
                    sent[key as usize] += 1;
                    // The one that stands by dies after half a minute.
                    answered[key as usize] += u64::from(key == 0 || at < 30_000);
                    asked.push((key, at));
                }
                Action::Close(key) => closed = Some((key, at)),
                _ => {}
            }
        }
    }
    let (key, at) = closed.unwrap();
    assert!(key == PathKey(1) && (30_000..41_000).contains(&at), "{at}");
    let of_standby = asked.iter().filter(|(key, at)| *key == 1 && *at < 30_000).count();
    assert!((2..=4).contains(&of_standby), "{asked:?}");
}

#[test]
fn who_only_listened_asks_once_when_it_falls_silent() {
    for (sends, asked) in [(false, 1), (true, 0)] {
        let mut paths = Paths::new(Some(ms(60_000)));
        paths.opened(ms(0), PathKey(0), V4, ms(1));
        let mut questions = 0;
        for at in 0..30_000 {
            if at < 2_000 {
                paths.stir(ms(at));
            }
            if paths.poll_timeout().is_some_and(|due| due <= ms(at)) {
                let moved = at.min(2_000);
                let sent = if sends { moved } else { questions };
                paths.observe(
                    ms(at),
                    PathKey(0),
                    Sample { sent, received: moved + questions, rtt: ms(1), ..Sample::default() },
                );
                paths.handle_timeout(ms(at));
            }
            while let Some(action) = paths.poll_action() {
                questions += u64::from(matches!(action, Action::Ask(_)));
            }
        }
        assert_eq!(questions, asked);
    }
}

#[test]
fn an_idle_link_is_left_alone() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), V4, ms(1));
    let mut looks = 0;
    let mut now = ms(0);
    while let Some(due) = paths.poll_timeout() {
        now = due;
        paths.handle_timeout(now);
        looks += 1;
        assert!(looks < 100, "still looking at {now:?}");
    }
    assert!(now < ms(1_000));
    paths.stir(ms(9_000));
    assert_eq!(paths.poll_timeout(), Some(ms(9_000)));
}

#[test]
fn a_path_that_opens_when_nothing_answered_is_a_sign_that_the_old_one_may_be_back_too() {
    for is_back in [true, false] {
        let mut paths = Paths::default();
        paths.opened(ms(0), PathKey(0), V4, ms(1));
        let mut closed_after = None;
        for at in (0..6_000).step_by(25) {
            if at == 4_000 {
                paths.opened(ms(at), PathKey(1), V4, ms(1));
            }
            // An answer takes a moment.
            let received = u64::from(is_back && at >= 4_050);
            paths.observe(
                ms(at),
                PathKey(0),
                Sample { sent: 1 + at.min(4_040), received, rtt: ms(1), ..Sample::default() },
            );
            paths.observe(
                ms(at),
                PathKey(1),
                Sample { sent: 0, received: 0, rtt: ms(1), ..Sample::default() },
            );
            paths.handle_timeout(ms(at));
            if actions(&mut paths).contains(&Action::Close(PathKey(0))) {
                closed_after.get_or_insert(at - 4_000);
            }
        }
        match closed_after {
            Some(after) => assert!(!is_back && (100..=200).contains(&after), "{after}"),
            None => assert!(is_back),
        }
    }
}

#[test]
fn a_path_that_answers_and_carries_nothing_is_left_where_another_carries() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), Kind::Relayed, ms(1));
    paths.opened(ms(0), PathKey(1), Kind::Relayed, ms(1));
    let (mut asked, mut left) = ([0; 2], None);
    for at in (0..5_000).step_by(5) {
        while let Some(action) = paths.poll_action() {
            match action {
                Action::Ask(PathKey(key)) => asked[key as usize] += 1,
                Action::Close(key) => left = left.or(Some((key, at))),
                _ => {}
            }
        }
        if paths.poll_timeout().is_none_or(|due| due > ms(at)) {
            continue;
        }
        // Questions are answered at once; of what the link sends until then half a second is acknowledged.
        let (carried, acknowledged) = (at, at.min(500));
        let received = asked[0] + acknowledged;
        let in_use = Sample { sent: carried + asked[0], received, carried, acknowledged, rtt: ms(1) };
        paths.observe(ms(at), PathKey(0), in_use);
        let spare = Sample { sent: asked[1], received: asked[1], acknowledged, rtt: ms(1), carried: 0 };
        paths.observe(ms(at), PathKey(1), spare);
        paths.stir(ms(at));
        paths.handle_timeout(ms(at));
        if left.is_some() {
            break;
        }
    }
    let (key, at) = left.unwrap();
    assert_eq!(key, PathKey(0));
    assert!((1_500..1_700).contains(&at), "left after {at} ms");
    assert_eq!(paths.preferred(), Some(PathKey(1)));
}

#[test]
fn the_only_path_is_not_asked_for_ever_about_what_it_does_not_carry() {
    let mut paths = Paths::default();
    paths.opened(ms(0), PathKey(0), Kind::Relayed, ms(1));
    for at in (0..5_000).step_by(25) {
        let sample = Sample { sent: at, received: at, carried: at, acknowledged: 0, rtt: ms(1) };
        paths.observe(ms(at), PathKey(0), sample);
        paths.handle_timeout(ms(at));
        while let Some(action) = paths.poll_action() {
            assert_eq!(action, Action::Prefer(PathKey(0)));
        }
    }
}
