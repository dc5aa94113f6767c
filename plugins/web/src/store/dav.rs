//! A WebDAV folder (RFC 4918).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, StatusCode, Url};

use super::{Files, Over, Probed, Read, Store, get};
use crate::address::Address;
use crate::error::WebError;
use crate::http::{Answer, Ask, Http, Whose};
use crate::validator::{self, Validator};

/// The most of an answer about a folder: it is not read, but it has to be let come in.
const MOST_OF_AN_ANSWER: usize = 1024 * 1024;

/// A WebDAV folder.
pub(crate) struct Dav {
    pub(crate) http: Arc<Http>,
    pub(crate) address: Address,
}

impl Dav {
    async fn ask(
        &self,
        method: &[u8],
        url: Url,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Option<Bytes>,
    ) -> Result<Answer, WebError> {
        let method = Method::from_bytes(method).map_err(|_| WebError::Lost)?;
        let ask = Ask {
            whose: Whose::Own,
            method,
            url,
            headers,
            body,
            most: MOST_OF_AN_ANSWER,
            doing: "write there",
        };
        self.http.ask(ask).await
    }

    /// Makes the folders that a file belongs into. Those that are there already are "not allowed" to be made.
    async fn make_folders(&self, file: &str) -> Result<(), WebError> {
        let inner = file.match_indices('/').filter_map(|(at, _)| file.get(..=at));
        for folder in std::iter::once("").chain(inner) {
            let answer = self.ask(b"MKCOL", self.address.file(folder), Vec::new(), None).await?;
            let there = matches!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::CONFLICT | StatusCode::FORBIDDEN
            );
            if !there {
                answer.succeeded()?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Files for Dav {
    async fn get(&self, file: &str, known: Option<&Validator>, most: usize) -> Result<Read, WebError> {
        Ok(get(&self.http, Whose::Own, self.address.file(file), known, most).await?.0)
    }
}

#[async_trait]
impl Store for Dav {
    async fn put(&self, file: &str, contents: Bytes, over: Over) -> Result<(), WebError> {
        let condition = match &over {
            Over::Anything => None,
            Over::Nothing => Some((IF_NONE_MATCH, HeaderValue::from_static("*"))),
            Over::This(version) => version.strong().map(|etag| (IF_MATCH, etag.clone())),
        };
        let headers: Vec<_> = condition.into_iter().collect();
        let put = || self.ask(b"PUT", self.address.file(file), headers.clone(), Some(contents.clone()));
        let answer = put().await?;
        // RFC 4918 has 409 for a folder that is missing; nginx says 500.
        let no_folder = matches!(
            answer.status,
            StatusCode::CONFLICT | StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR
        );
        if !no_folder || matches!(over, Over::This(_)) {
            return answer.succeeded().map(drop);
        }
        self.make_folders(file).await?;
        put().await?.succeeded().map(drop)
    }

    async fn delete(&self, file: &str) -> Result<(), WebError> {
        let answer = self.ask(b"DELETE", self.address.file(file), Vec::new(), None).await?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
            _ => answer.succeeded().map(drop),
        }
    }

    /// A folder's properties, without those of what is in it. nginx without its extension knows no such question, but asks for the password first.
    async fn probe(&self) -> Result<Probed, WebError> {
        let depth = (HeaderName::from_static("depth"), HeaderValue::from_static("0"));
        let answer = self.ask(b"PROPFIND", self.address.url().clone(), vec![depth], None).await?;
        let service_time = validator::service_time(&answer.headers);
        match answer.status {
            // Not there yet: the first record makes it.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED | StatusCode::NOT_FOUND => {}
            _ => drop(answer.succeeded()?),
        }
        Ok(Probed { service_time })
    }
}
