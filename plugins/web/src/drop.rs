//! A drop: a program behind one address that keeps records (`wayside.php`, a CGI script, a node).
//!
//! `GET` gives all records one after another. `POST` puts there those in its body and takes away those named by `?remove=CHECK,CHECK…`, at once. Both say in
//! `Wayside-Address` where the caller is seen from.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use reqwest::Method;
use wayside_bridge::file::{self, Found};

use crate::address::Address;
use crate::error::WebError;
use crate::http::{Answer, Ask, Http, Whose};
use crate::parcel::WriterId;
use crate::queue::{Change, Changes, Writer};
use crate::store::Probed;
use crate::ticket::Ticket;
use crate::validator;

/// The most records taken back by one request: addresses of some kilobytes go everywhere.
const MOST_REMOVED: usize = 100;
/// The most of an answer to what was written: there is nothing in it.
const MOST_OF_AN_ANSWER: usize = 64 * 1024;

/// Writes to a drop.
pub(crate) struct Drop {
    http: Arc<Http>,
    address: Address,
    seen_from: Mutex<Option<IpAddr>>,
}

impl Drop {
    pub(crate) fn new(http: Arc<Http>, address: Address) -> Self {
        Self { http, address, seen_from: Mutex::default() }
    }

    /// Whether it would let us write, and where it sees us.
    pub(crate) async fn probe(&self) -> Result<(Probed, Option<IpAddr>), WebError> {
        let answer = self.post(&[], Bytes::new()).await?;
        let seen_from = *self.seen_from.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((Probed { service_time: validator::service_time(&answer.headers) }, seen_from))
    }

    async fn post(&self, remove: &[file::Check], body: Bytes) -> Result<Answer, WebError> {
        let mut url = self.address.url().clone();
        if !remove.is_empty() {
            let checks: Vec<String> = remove.iter().map(|check| HEXLOWER.encode(check)).collect();
            url.set_query(Some(&format!("remove={}", checks.join(","))));
        }
        let ask = Ask {
            whose: Whose::Own,
            method: Method::POST,
            url,
            headers: vec![(
                reqwest::header::CONTENT_TYPE,
                reqwest::header::HeaderValue::from_static("application/octet-stream"),
            )],
            body: Some(body),
            most: MOST_OF_AN_ANSWER,
            doing: "write there",
        };
        let answer = self.http.ask(ask).await?.succeeded()?;
        let address = answer
            .headers
            .get("wayside-address")
            .and_then(|ip| ip.to_str().ok()?.trim().parse::<IpAddr>().ok());
        *self.seen_from.lock().unwrap_or_else(PoisonError::into_inner) =
            address.filter(|ip| crate::address::is_public(*ip));
        Ok(answer)
    }
}

#[async_trait]
impl Writer for Drop {
    async fn write(&self, changes: &Changes) -> Result<(), WebError> {
        let (mut remove, mut body) = (Vec::new(), Vec::new());
        for (check, change) in changes {
            match change {
                Change::Put(record) => {
                    body.extend(file::encode(record).map(|(file, _)| file).unwrap_or_default())
                }
                Change::Take(_) => remove.push(*check),
            }
        }
        let mut parts = remove.chunks(MOST_REMOVED);
        self.post(parts.next().unwrap_or_default(), body.into()).await?;
        for part in parts {
            self.post(part, Bytes::new()).await?;
        }
        Ok(())
    }

    fn ticket(&self, found: &Found) -> Ticket {
        Ticket { writer: WriterId([0; 8]), check: found.check, name: None }
    }
}
