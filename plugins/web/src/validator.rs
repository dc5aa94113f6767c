//! Whether what was read before is what is there still, and how far a server's word for it is believed.
//!
//! A server says "not modified" (304) by comparing validators. nginx' ETag is made of seconds and size, and so is every `Last-Modified`: what is written
//! twice within one second, in the same size, has the same ones. So a validator is used only where the file was older than a moment when it was read
//! (the rule that git has for files that are "racily clean"; RFC 9110, section 8.8.2.2), and now and then a file is read whole whatever the server says.

use std::time::Duration;

use reqwest::header::{
    AGE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use wayside_bridge::{Monotonic, Timestamp};

/// A file is changed no more with the same validators once it was so old when it was read.
const SETTLED: Duration = Duration::from_secs(2);
/// The longest time for which a server's "not modified" is believed.
const BELIEVED: Duration = Duration::from_secs(3600);
/// The longest validator that is kept, in bytes.
const LONGEST: usize = 512;

/// What tells one version of a file from the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validator {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
    written: Option<Timestamp>,
    settled: bool,
    read: Monotonic,
}

impl Validator {
    /// Of an answer with a file in it.
    pub(crate) fn of(headers: &HeaderMap, read: Monotonic) -> Self {
        let header = |name| headers.get(name).filter(|value: &&HeaderValue| value.len() <= LONGEST).cloned();
        let (etag, modified) = (header(ETAG), header(LAST_MODIFIED));
        let settled = match (time(headers, DATE), time(headers, LAST_MODIFIED)) {
            (Some(now), Some(then)) => {
                now.as_secs().checked_sub(then.as_secs()).is_some_and(|age| age >= SETTLED.as_secs())
            }
            (_, None) => etag.as_ref().is_some_and(|etag| !is_weak(etag)),
            (None, Some(_)) => false,
        };
        Self { etag, modified, written: time(headers, LAST_MODIFIED), settled, read }
    }

    /// Of a service that makes a tag of the contents.
    #[cfg(feature = "s3")]
    pub(crate) fn tagged(etag: HeaderValue, written: Option<Timestamp>, read: Monotonic) -> Self {
        Self { etag: Some(etag), modified: None, written, settled: true, read }
    }

    /// The headers that ask for the file only where it is another one; `None` where it is to be read whole.
    pub(crate) fn unless_same(&self, now: Monotonic) -> Option<Vec<(HeaderName, HeaderValue)>> {
        if !self.settled || now.since(self.read) >= BELIEVED {
            return None;
        }
        let etag = self.etag.clone().map(|etag| (IF_NONE_MATCH, etag));
        let modified = self.modified.clone().map(|modified| (IF_MODIFIED_SINCE, modified));
        Some(etag.into_iter().chain(modified).collect())
    }

    /// The tag that a server compares before it writes, where it is one that can be compared.
    pub(crate) fn strong(&self) -> Option<&HeaderValue> {
        self.etag.as_ref().filter(|etag| !is_weak(etag))
    }

    /// When the file was written last, as far as is told.
    pub(crate) const fn written(&self) -> Option<Timestamp> {
        self.written
    }
}

/// The service's own clock: of an answer that comes from it and from no cache on the way.
pub(crate) fn service_time(headers: &HeaderMap) -> Option<Timestamp> {
    age(headers).is_zero().then(|| time(headers, DATE)).flatten()
}

/// How long the answer has lain in a cache on the way.
pub(crate) fn age(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

fn time(headers: &HeaderMap, name: HeaderName) -> Option<Timestamp> {
    parsed(headers.get(name)?)
}

fn parsed(value: &HeaderValue) -> Option<Timestamp> {
    let seconds = jiff::fmt::rfc2822::parse(value.to_str().ok()?).ok()?.timestamp().as_second();
    Some(Timestamp::from_secs(u64::try_from(seconds).ok()?))
}

fn is_weak(etag: &HeaderValue) -> bool {
    !etag.as_bytes().starts_with(b"\"")
}

#[cfg(test)]
#[path = "validator_tests.rs"]
mod tests;
