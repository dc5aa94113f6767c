//! Files as a web server serves them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, StatusCode, Url};
use wayside_bridge::Timestamp;

use super::{Files, Read};
use crate::address::Address;
use crate::error::WebError;
use crate::http::{Answer, Ask, Http, Whose};
use crate::validator::{self, Validator};

/// A space as it is served to everybody.
pub(crate) struct Served {
    pub(crate) http: Arc<Http>,
    pub(crate) address: Address,
    pub(crate) whose: Whose,
    pub(crate) heard: Heard,
}

/// What answers told besides.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<(Option<Timestamp>, Duration)>);

impl Heard {
    pub(crate) fn note(&self, answer: &Answer) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.0 = validator::service_time(&answer.headers);
        heard.1 = validator::age(&answer.headers);
    }

    /// The server's clock.
    pub(crate) fn service_time(&self) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// How long the last answer had lain in a cache.
    pub(crate) fn age(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

#[async_trait]
impl Files for Served {
    async fn get(&self, file: &str, known: Option<&Validator>, most: usize) -> Result<Read, WebError> {
        let url = self.address.file(file);
        let (read, answer) = get(&self.http, self.whose, url, known, most).await?;
        self.heard.note(&answer);
        Ok(read)
    }
}

/// Reads what an address has, unless it is the version known.
pub(crate) async fn get(
    http: &Http,
    whose: Whose,
    url: Url,
    known: Option<&Validator>,
    most: usize,
) -> Result<(Read, Answer), WebError> {
    let conditions = known.and_then(|known| known.unless_same(http.now()));
    let conditional = conditions.is_some();
    let headers = conditions.unwrap_or_default();
    let ask = Ask { whose, method: Method::GET, url, headers, body: None, most, doing: "read there" };
    let answer = http.ask(ask).await?;
    let read = match answer.status {
        StatusCode::NOT_MODIFIED if conditional => Read::Same,
        StatusCode::NOT_FOUND | StatusCode::GONE => Read::Absent,
        StatusCode::OK => {
            let validator = Validator::of(&answer.headers, http.now());
            Read::Fresh(answer.body.clone(), Some(validator))
        }
        _ => return Err(answer.trouble()),
    };
    Ok((read, answer))
}
