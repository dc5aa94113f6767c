//! deSEC's HTTP API (desec.readthedocs.io), which anybody may also run: sets of records are read, changed and written back.
//!
//! It has no compare-and-swap, so one alone writes there. A change of several sets is one request, which is done as a whole or not.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, StatusCode, Url, header};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wayside_bridge::{Key, Record};

use crate::error::DnsError;
use crate::reader::shown;
use crate::text::{self, Held};
use crate::token::Token;
use crate::zone::Zone;

/// Where deSEC's API is.
const API: &str = "https://desec.io/api/v1/";
/// The least time that caches keep an answer, where the API does not say another: what it grants new domains.
const USUAL_TTL: u64 = 3600;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const MOST_BYTES: usize = 256 * 1024;

/// The API, and the zone that is written by it.
pub(crate) struct Desec {
    api: Url,
    client: reqwest::Client,
    token: Token,
    zone: Zone,
    ttl: u64,
    domain: Mutex<Option<Domain>>,
    /// One change after the other: each reads first.
    turn: tokio::sync::Mutex<()>,
}

/// A domain of the account's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Domain {
    name: String,
    minimum_ttl: Option<u64>,
}

/// A set of TXT records under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Set {
    subname: String,
    #[serde(rename = "type")]
    kind: String,
    ttl: u64,
    records: Vec<String>,
}

impl Desec {
    /// The API at deSEC, or at another address. Contacts nothing.
    pub(crate) fn new(api: Option<&str>, token: &Path, zone: Zone, ttl: Duration) -> Result<Self, DnsError> {
        let wrong = |why: String| DnsError::Configuration(format!("--api: {why}"));
        let mut api = Url::parse(api.unwrap_or(API)).map_err(|error| wrong(error.to_string()))?;
        let is_here = matches!(api.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if !(api.scheme() == "https" || (api.scheme() == "http" && is_here)) || !api.username().is_empty() {
            return Err(wrong("it is to begin with https://, like https://desec.io/api/v1/".to_owned()));
        }
        if !api.path().ends_with('/') {
            api.set_path(&format!("{}/", api.path()));
        }
        let token = Token::read(token)?;
        // The token goes to one host.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("wayside/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| DnsError::Configuration(format!("TLS cannot be set up: {error}")))?;
        let (domain, turn) = (Mutex::default(), tokio::sync::Mutex::new(()));
        Ok(Self { api, client, token, zone, ttl: ttl.as_secs(), domain, turn })
    }

    pub(crate) const fn is_exposed(&self) -> bool {
        self.token.exposed
    }

    /// Leaves a record in place of those of ours under its name.
    pub(crate) async fn publish(&self, record: &Record) -> Result<(), DnsError> {
        let text = text::encode(record).ok_or(DnsError::TooLate { class: record.class })?;
        let _turn = self.turn.lock().await;
        let domain = self.domain().await?;
        let mut set = self.set(&domain, &record.key).await?;
        set.records.retain(|there| !is_record(&record.key, there));
        set.records.push(quoted(text.as_bytes()));
        let wildcard = self.subname(&domain, &self.zone.wildcard()?)?;
        let records = vec![quoted(text::PLACEHOLDER)];
        let wildcard = Set { subname: wildcard, kind: set.kind.clone(), ttl: set.ttl, records };
        self.write(&domain, &[set, wildcard]).await
    }

    /// Takes records away, and nothing else.
    pub(crate) async fn remove(&self, records: &[Record]) -> Result<(), DnsError> {
        let _turn = self.turn.lock().await;
        let domain = self.domain().await?;
        let mut changed: Vec<Set> = Vec::new();
        for record in records {
            let Some(text) = text::encode(record) else { continue };
            let subname = self.subname(&domain, &self.zone.name_of(&record.key)?)?;
            let at = match changed.iter().position(|set| set.subname == subname) {
                Some(at) => at,
                None => {
                    changed.push(self.set(&domain, &record.key).await?);
                    changed.len().saturating_sub(1)
                }
            };
            if let Some(set) = changed.get_mut(at) {
                set.records.retain(|there| unquoted(there) != text.as_bytes());
            }
        }
        self.write(&domain, &changed).await
    }

    /// Whether the account has the zone.
    pub(crate) async fn probe(&self) -> Result<(), DnsError> {
        *self.domain.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.domain().await.map(drop)
    }

    /// The domain of the account's in which the zone is.
    async fn domain(&self) -> Result<Domain, DnsError> {
        if let Some(known) = self.domain.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(known);
        }
        let path = format!("domains/?owns_qname={}", self.zone);
        let found: Option<Vec<Domain>> = self.read(&path).await?;
        let domain = found
            .unwrap_or_default()
            .into_iter()
            .next()
            .ok_or_else(|| DnsError::NotTheirs { host: self.host(), zone: self.zone.to_string() })?;
        *self.domain.lock().unwrap_or_else(PoisonError::into_inner) = Some(domain.clone());
        Ok(domain)
    }

    /// The set under a key's name, empty where there is none.
    async fn set(&self, domain: &Domain, key: &Key) -> Result<Set, DnsError> {
        let subname = self.subname(domain, &self.zone.name_of(key)?)?;
        let path = format!("domains/{}/rrsets/{subname}/TXT/", domain.name);
        let ttl = self.ttl.max(domain.minimum_ttl.unwrap_or(USUAL_TTL));
        let there: Option<Set> = self.read(&path).await?;
        let records = there.map(|set| set.records).unwrap_or_default();
        Ok(Set { subname, kind: "TXT".to_owned(), ttl, records })
    }

    /// What stands before the domain.
    fn subname(&self, domain: &Domain, name: &hickory_proto::rr::Name) -> Result<String, DnsError> {
        let name = name.to_ascii();
        let name = name.trim_end_matches('.').strip_suffix(&domain.name);
        let subname = name.and_then(|name| name.strip_suffix('.'));
        subname.map(str::to_owned).ok_or_else(|| self.garbled("another domain than was asked for"))
    }

    async fn write(&self, domain: &Domain, sets: &[Set]) -> Result<(), DnsError> {
        if sets.is_empty() {
            return Ok(());
        }
        let body = serde_json::to_vec(sets).map_err(|_| self.garbled("a change that cannot be written"))?;
        let path = format!("domains/{}/rrsets/", domain.name);
        self.send(Method::PATCH, &path, Some(body)).await.map(drop)
    }

    /// Reads; `None` where it is not there.
    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, DnsError> {
        let Some(body) = self.send(Method::GET, path, None).await? else { return Ok(None) };
        serde_json::from_slice(&body).map(Some).map_err(|_| self.garbled("no JSON of the form that it has"))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, DnsError> {
        let url = self.api.join(path).map_err(|_| DnsError::Name)?;
        let token = format!("Token {}", self.token.secret.expose_secret());
        let mut token =
            header::HeaderValue::from_str(&token).map_err(|_| DnsError::Token { host: self.host() })?;
        token.set_sensitive(true);
        let is_read = method == Method::GET;
        let mut request = self.client.request(method, url).header(header::AUTHORIZATION, token);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let lost = |error: reqwest::Error| match error.is_timeout() {
            true => DnsError::Silent(self.host()),
            false => DnsError::Unreachable { whom: self.host(), reason: shown(&deepest(&error)) },
        };
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let wait =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if answer.len().saturating_add(chunk.len()) > MOST_BYTES {
                return Err(self.garbled("more than anything of ours is"));
            }
            answer.extend_from_slice(&chunk);
        }
        let host = self.host();
        match status {
            StatusCode::NOT_FOUND if is_read => Ok(None),
            status if status.is_success() => Ok(Some(answer)),
            StatusCode::UNAUTHORIZED => Err(DnsError::Token { host }),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(DnsError::NotTheirs { host, zone: self.zone.to_string() })
            }
            StatusCode::TOO_MANY_REQUESTS => {
                Err(DnsError::Slow { host, wait: Duration::from_secs(wait.unwrap_or(60).min(86_400)) })
            }
            status if status.is_server_error() => Err(DnsError::Failing { whom: host }),
            _ => Err(DnsError::Invalid { host, said: shown(&String::from_utf8_lossy(&answer)) }),
        }
    }

    fn host(&self) -> String {
        self.api.host_str().unwrap_or("the API").to_owned()
    }

    fn garbled(&self, what: &'static str) -> DnsError {
        DnsError::Garbled { whom: self.host(), what }
    }
}

/// A text as zone files have it. Ours need no escapes.
fn quoted(text: &[u8]) -> String {
    let strings: Vec<String> =
        text.chunks(255).map(|string| format!("\"{}\"", String::from_utf8_lossy(string))).collect();
    strings.join(" ")
}

/// The text of what stands in a zone file; junk where it has escapes, which ours have not.
fn unquoted(set: &str) -> Vec<u8> {
    set.split("\" \"").collect::<String>().trim_matches('"').as_bytes().to_vec()
}

fn is_record(key: &Key, there: &str) -> bool {
    matches!(text::decode(key, &unquoted(there)), Held::Record(_))
}

/// The reason behind all others.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
