//! Moments as the protocol counts them and as people read them.

use std::time::Duration;

use wayside_proto::UnixMillis;

use crate::api::types::Time;

/// For a person.
pub(crate) fn time(moment: UnixMillis) -> Time {
    Time(timestamp(moment))
}

/// A duration in milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    f64::from(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)) / 1000.0
}

pub(crate) fn timestamp(moment: UnixMillis) -> jiff::Timestamp {
    let millis = i64::try_from(moment.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX)
}
