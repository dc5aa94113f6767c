#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

fn outside() -> SocketAddr {
    "198.51.100.1:40000".parse().unwrap()
}

/// Runs it against a NAT whose mappings live for `life`; what came of it, how long it took, and how many transactions.
fn measure(life: Duration) -> (Result<Measured, Unmeasured>, Duration, u32) {
    let mut lifetime = Lifetime::default();
    let (mut now, mut bound, mut asked) = (Duration::from_secs(1000), Duration::ZERO, 0);
    let began = now;
    loop {
        if let Some(outcome) = lifetime.outcome() {
            assert_eq!((lifetime.poll_step(), lifetime.poll_timeout()), (None, None));
            return (outcome, now - began, asked);
        }
        if let Some(step) = lifetime.poll_step() {
            asked += 1;
            now += Duration::from_millis(40);
            match step {
                Step::Bind => {
                    bound = now;
                    lifetime.bound(now, outside());
                }
                Step::Check { response_port } => {
                    assert_eq!(response_port, 40_000);
                    lifetime.checked(now - bound < life);
                }
            }
            continue;
        }
        now = lifetime.poll_timeout().unwrap();
        lifetime.handle_timeout(now);
    }
}

#[test]
fn usual_lifetimes_are_found() {
    let secs = Duration::from_secs;
    for life in [20, 30, 60, 90, 120, 160] {
        let (Ok(Measured { at_least, less_than: Some(less_than) }), ..) = measure(secs(life)) else {
            panic!("{life}")
        };
        assert!(
            at_least < secs(life) && secs(life) <= less_than + secs(1),
            "{life}: {at_least:?} to {less_than:?}"
        );
        assert!(less_than - at_least.max(SHORTEST) <= PRECISION);
    }
    let (Ok(Measured { at_least, less_than: None }), ..) = measure(secs(3600)) else { panic!("long") };
    assert!(at_least >= LONGEST - PRECISION);
    let (Ok(Measured { at_least: Duration::ZERO, less_than: Some(less_than) }), ..) = measure(secs(5)) else {
        panic!("short")
    };
    assert!(less_than <= SHORTEST + PRECISION);
}

#[test]
fn without_an_answer_nothing_is_measured() {
    assert_eq!(measure(Duration::ZERO).0, Err(Unmeasured::NoControl));
    let mut lifetime = Lifetime::default();
    assert_eq!(lifetime.poll_step(), Some(Step::Bind));
    assert_eq!(lifetime.poll_step(), None, "said once");
    lifetime.failed();
    assert_eq!(lifetime.outcome(), Some(Err(Unmeasured::NoAnswer)));
}

#[test]
fn a_machine_that_slept_has_waited_longer() {
    let mut lifetime = Lifetime::default();
    lifetime.bound(Duration::ZERO, outside());
    lifetime.checked(true);
    lifetime.bound(Duration::ZERO, outside());
    lifetime.handle_timeout(Duration::from_secs(170));
    lifetime.checked(true);
    let outcome = lifetime.outcome().unwrap().unwrap();
    assert_eq!(outcome, Measured { at_least: Duration::from_secs(170), less_than: None });
}

#[test]
fn reports_that_nobody_asked_for_change_nothing() {
    let mut lifetime = Lifetime::default();
    lifetime.checked(true);
    lifetime.handle_timeout(Duration::MAX);
    lifetime.bound(Duration::MAX, outside());
    lifetime.failed();
    lifetime.bound(Duration::MAX, outside());
    lifetime.checked(true);
    lifetime.bound(Duration::MAX, outside());
    assert_eq!((lifetime.outcome(), lifetime.poll_timeout()), (None, Some(Duration::MAX)));
}

proptest! {
    #[test]
    fn the_cost_is_bounded(millis in 0..400_000_u64) {
        let (outcome, took, asked) = measure(Duration::from_millis(millis));
        prop_assert!(took <= Duration::from_secs(600) && asked <= 2 * (MOST_ROUNDS + 1), "{:?} {}", took, asked);
        prop_assert!(outcome.is_ok() || millis <= 40);
    }

    /// Losses at random: it ends, and says nothing that cannot be.
    #[test]
    fn it_ends_whatever_arrives(arrived in proptest::collection::vec(any::<bool>(), 20)) {
        let mut lifetime = Lifetime::default();
        let mut now = Duration::ZERO;
        for arrived in arrived {
            lifetime.bound(now, outside());
            if let Some(until) = lifetime.poll_timeout() {
                now = until;
            }
            lifetime.handle_timeout(now);
            lifetime.checked(arrived);
        }
        match lifetime.outcome().unwrap() {
            Ok(Measured { at_least, less_than: Some(less_than) }) => prop_assert!(at_least < less_than),
            Ok(Measured { at_least, less_than: None }) => prop_assert!(at_least >= LONGEST - PRECISION),
            Err(_) => {}
        }
    }
}
