#![allow(clippy::unwrap_used)]

use wayside_conformance::support::TestClock;

use super::*;

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn gate() -> (Gate, TestClock) {
    let clock = TestClock::new();
    let pace = Pace { writes: Duration::from_millis(50), ..Pace::default() };
    (Gate::new(Arc::new(clock.clone()), pace), clock)
}

fn wait(answer: Result<(), GitHubError>) -> Option<u64> {
    match answer {
        Ok(()) => None,
        Err(GitHubError::Slow { wait }) => Some(wait.as_secs()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn when_nothing_is_left_nothing_is_sent_until_the_reset() {
    let (gate, clock) = gate();
    let at = [
        ("date", "Thu, 26 Nov 2026 07:00:00 GMT"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795676500"),
    ];
    assert_eq!(service_time(&headers(&at)).unwrap().as_secs(), 1_795_676_400);
    // The request that used up the last one was answered.
    assert_eq!(wait(gate.note(StatusCode::OK, &headers(&at), "")), None);
    assert_eq!(wait(gate.check()), Some(100));
    clock.advance(Duration::from_secs(99));
    assert!(wait(gate.check()).is_some());
    clock.advance(Duration::from_secs(2));
    assert_eq!(wait(gate.check()), None);
}

#[tokio::test]
async fn secondary_limits_are_waited_out_and_double() {
    let (gate, clock) = gate();
    let said = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    for minutes in [1, 2, 4] {
        assert_eq!(wait(gate.note(StatusCode::FORBIDDEN, &headers(&[]), said)), Some(60 * minutes));
        clock.advance(Duration::from_secs(60 * minutes + 1));
        assert_eq!(wait(gate.check()), None);
    }
    assert_eq!(wait(gate.note(StatusCode::OK, &headers(&[]), "")), None);
    assert_eq!(wait(gate.note(StatusCode::FORBIDDEN, &headers(&[("retry-after", "7")]), said)), Some(7));
    assert_eq!(wait(gate.note(StatusCode::TOO_MANY_REQUESTS, &headers(&[]), "")), Some(60));
    // Whatever a header says, it is bounded.
    let far = headers(&[("retry-after", "99999999999")]);
    assert_eq!(wait(gate.note(StatusCode::TOO_MANY_REQUESTS, &far, "")), Some(3700));
}

#[tokio::test]
async fn what_is_no_limit_closes_nothing() {
    let (gate, _) = gate();
    let plenty = headers(&[("x-ratelimit-remaining", "17"), ("x-ratelimit-reset", "99999999999")]);
    let said = "Resource not accessible by personal access token";
    assert_eq!(wait(gate.note(StatusCode::FORBIDDEN, &plenty, said)), None);
    assert_eq!(wait(gate.check()), None);
    for nonsense in ["", "-1", "soon", "1e9"] {
        let odd = headers(&[
            ("x-ratelimit-remaining", nonsense),
            ("x-poll-interval", nonsense),
            ("date", nonsense),
        ]);
        assert_eq!(wait(gate.note(StatusCode::OK, &odd, "")), None);
        gate.polled(&odd);
        assert!(!gate.rests());
    }
}

#[tokio::test]
async fn writes_keep_their_distance() {
    let (gate, _) = gate();
    let started = std::time::Instant::now();
    for _ in 0..4 {
        drop(gate.turn().await);
    }
    assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_poll_interval_is_kept_to() {
    let (gate, clock) = gate();
    gate.polled(&headers(&[("x-poll-interval", "20")]));
    assert!(gate.rests());
    clock.advance(Duration::from_secs(21));
    assert!(!gate.rests());
    gate.polled(&headers(&[("x-poll-interval", "300")]));
    assert!(gate.rests());
    clock.advance(Duration::from_secs(31));
    assert!(!gate.rests(), "what the bridge declares is kept");
}
