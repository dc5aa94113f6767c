#![allow(clippy::unwrap_used)]

use super::*;

const NOON: &str = "Thu, 26 Nov 2026 12:00:00 GMT";

fn validator(headers: &[(HeaderName, &'static str)]) -> Validator {
    let headers =
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
    Validator::of(&headers, Monotonic::default())
}

fn asks(validator: &Validator, after: u64) -> bool {
    validator.unless_same(Monotonic(Duration::from_secs(after))).is_some()
}

#[test]
fn what_was_written_a_moment_ago_is_read_whole() {
    let at = |modified| validator(&[(DATE, NOON), (ETAG, "\"65-10\""), (LAST_MODIFIED, modified)]);
    assert!(!asks(&at(NOON), 1));
    assert!(!asks(&at("Thu, 26 Nov 2026 11:59:59 GMT"), 1));
    assert!(!asks(&at("Thu, 26 Nov 2026 12:00:05 GMT"), 1), "of the future");
    assert!(asks(&at("Thu, 26 Nov 2026 11:59:58 GMT"), 1));
}

#[test]
fn a_server_is_not_believed_for_ever() {
    let old = validator(&[(DATE, NOON), (LAST_MODIFIED, "Thu, 26 Nov 2026 10:00:00 GMT")]);
    assert!(asks(&old, 3599));
    assert!(!asks(&old, 3600));
}

#[test]
fn tags_alone_are_believed_where_they_are_strong() {
    assert!(asks(&validator(&[(ETAG, "\"hash\"")]), 1));
    assert!(!asks(&validator(&[(ETAG, "W/\"hash\"")]), 1));
    assert!(!asks(&validator(&[(DATE, NOON)]), 1));
    assert!(validator(&[(ETAG, "W/\"hash\"")]).strong().is_none());
}

#[test]
fn a_cache_does_not_tell_the_time() {
    let headers = |age: Option<&'static str>| {
        let date = (DATE, HeaderValue::from_static(NOON));
        [date].into_iter().chain(age.map(|age| (AGE, HeaderValue::from_static(age)))).collect::<HeaderMap>()
    };
    assert_eq!(service_time(&headers(None)), Some(Timestamp::from_secs(1_795_694_400)));
    assert_eq!(service_time(&headers(Some("0"))), Some(Timestamp::from_secs(1_795_694_400)));
    assert_eq!(service_time(&headers(Some("30"))), None);
}
