//! Requests: bounded in size, time and redirects, with the password for one place alone.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{
    AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Certificate, Client, ClientBuilder, Method, StatusCode, Url, redirect};
use wayside_bridge::{Clock, Monotonic};

use crate::address::{self, Address, host_of};
use crate::error::WebError;
use crate::pace::Pace;
use crate::password::Login;

/// The most redirects that are followed.
const MOST_REDIRECTS: usize = 3;
/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(10);
/// Nobody is kept waiting longer than this by what a header says.
const LONGEST_WAIT: Duration = Duration::from_secs(3700);
/// What a server that is too busy costs where it does not say how long.
const USUAL_WAIT: Duration = Duration::from_secs(30);

/// Sends requests: to our own space, and to others'.
pub(crate) struct Http {
    own: Client,
    /// Resolves no name to an address inside a network.
    others: Client,
    clock: Arc<dyn Clock>,
    login: Option<(String, Login)>,
    closed_until: Mutex<Option<Monotonic>>,
}

/// Whose server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The one that the user configured.
    Own,
    /// One that somebody else named.
    Others,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) whose: Whose,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Option<Bytes>,
    /// The most of an answer, in bytes.
    pub(crate) most: usize,
    /// For messages: `write there`.
    pub(crate) doing: &'static str,
}

/// What was answered; the body only of what succeeded.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    host: String,
    doing: &'static str,
    sent: usize,
    had_login: bool,
}

impl Http {
    /// Contacts nothing. The login goes to the host and port of this address alone.
    pub(crate) fn new(
        login: Option<(&Address, Login)>,
        ca: Option<&Path>,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WebError> {
        let broken =
            |error: reqwest::Error| WebError::Configuration(format!("no web client can be made ({error})"));
        let mut own = builder(pace);
        if let Some(path) = ca {
            own = own.tls_certs_merge(certificates(path)?);
        }
        let others = builder(pace).dns_resolver(Arc::new(PublicOnly));
        Ok(Self {
            own: own.build().map_err(broken)?,
            others: others.build().map_err(broken)?,
            clock,
            login: login.map(|(address, login)| (address.url().origin().ascii_serialization(), login)),
            closed_until: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> Monotonic {
        self.clock.monotonic()
    }

    /// Sends a request, and follows where it is sent on to, within bounds.
    pub(crate) async fn ask(&self, mut ask: Ask) -> Result<Answer, WebError> {
        self.check(&ask)?;
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.once(&ask).await?;
            if !answer.status.is_redirection() || answer.status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            ask.url = self.next(&ask, &answer)?;
        }
        Err(WebError::Redirects { host: host_of(&ask.url) })
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, WebError> {
        let login = self.login_for(ask);
        let client = if ask.whose == Whose::Own { &self.own } else { &self.others };
        let mut request =
            client.request(ask.method.clone(), ask.url.clone()).header(CACHE_CONTROL, "no-cache");
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, login.header()?);
        }
        let sent = ask.body.as_ref().map_or(0, Bytes::len);
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        let host = host_of(&ask.url);
        let mut response = request.send().await.map_err(|error| failed(&host, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        tracing::debug!(method = %ask.method, host, path = ask.url.path(), %status, "a web server answered");
        let mut body = BytesMut::new();
        // Whatever is said beside success is for browsers: nobody here would read it.
        while status.is_success()
            && let Some(part) = response.chunk().await.map_err(|error| failed(&host, &error))?
        {
            if body.len().saturating_add(part.len()) > ask.most {
                return Err(WebError::TooLarge { host });
            }
            body.extend_from_slice(&part);
        }
        let body = body.freeze();
        let answer =
            Answer { status, headers, body, host, doing: ask.doing, sent, had_login: login.is_some() };
        if ask.whose == Whose::Own {
            self.note(&answer);
        }
        Ok(answer)
    }

    /// Whether our server asked us not to send anything yet.
    fn check(&self, ask: &Ask) -> Result<(), WebError> {
        let closed = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        match closed {
            Some(until) if ask.whose == Whose::Own && until > self.now() => Err(WebError::Slow {
                host: host_of(&ask.url),
                wait: until.since(self.now()).max(Duration::from_secs(1)),
            }),
            _ => Ok(()),
        }
    }

    fn note(&self, answer: &Answer) {
        if let Some(wait) = answer.wait() {
            let until = Monotonic(self.now().0.saturating_add(wait));
            *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
    }

    fn login_for(&self, ask: &Ask) -> Option<&Login> {
        let (origin, login) = self.login.as_ref()?;
        (ask.whose == Whose::Own && *origin == ask.url.origin().ascii_serialization()).then_some(login)
    }

    /// Where a redirect leads, if it is followed: nothing that is written, no password, and nothing less than it was goes anywhere else.
    fn next(&self, ask: &Ask, answer: &Answer) -> Result<Url, WebError> {
        let host = answer.host.clone();
        let target = answer.headers.get(LOCATION).and_then(|to| ask.url.join(to.to_str().ok()?).ok());
        let Some(target) = target else {
            return Err(WebError::Garbled { host, status: answer.status.as_u16() });
        };
        let same = target.origin() == ask.url.origin();
        let keeps_method =
            matches!(answer.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        let reads = ask.method == Method::GET;
        let plain = ask.url.scheme() == "https" && target.scheme() != "https";
        let inside = ask.whose == Whose::Others
            && !same
            && Address::parse(target.as_str()).map_or(true, |to| to.is_private());
        let may =
            same && (reads || keeps_method) || reads && !plain && !inside && self.login_for(ask).is_none();
        let known = matches!(target.scheme(), "http" | "https");
        if may && known {
            Ok(target)
        } else {
            Err(WebError::Elsewhere { host, to: crate::said::said(&host_of(&target)) })
        }
    }
}

impl Answer {
    /// The answer, where it succeeded; else what it means.
    pub(crate) fn succeeded(self) -> Result<Self, WebError> {
        if self.status.is_success() { Ok(self) } else { Err(self.trouble()) }
    }

    /// What a failure means to a person.
    pub(crate) fn trouble(&self) -> WebError {
        let (host, status, doing) = (self.host.clone(), self.status.as_u16(), self.doing);
        if let Some(wait) = self.wait() {
            return WebError::Slow { host, wait };
        }
        match status {
            401 | 407 if self.had_login => WebError::Password { host },
            401 | 407 => WebError::NoPassword { host },
            403 => WebError::Forbidden { host, doing },
            404 | 410 => WebError::NotFound { at: host },
            405 | 501 => WebError::Method { host, doing, status },
            409 => WebError::NoFolder { host },
            412 => WebError::Changed,
            413 => WebError::UploadLimit { host, len: self.sent },
            423 => WebError::Locked { host },
            507 => WebError::DiskFull { host },
            500..=599 => WebError::Failing { host, status },
            _ => WebError::Garbled { host, status },
        }
    }

    fn wait(&self) -> Option<Duration> {
        let told = self
            .headers
            .get(RETRY_AFTER)
            .and_then(|after| after.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let wait = match self.status {
            StatusCode::TOO_MANY_REQUESTS => told.unwrap_or(USUAL_WAIT),
            StatusCode::SERVICE_UNAVAILABLE => told?,
            _ => return None,
        };
        Some(wait.clamp(Duration::from_secs(1), LONGEST_WAIT))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("login", &self.login).finish_non_exhaustive()
    }
}

fn builder(pace: Pace) -> ClientBuilder {
    // What is packed is not unpacked: a few bytes could become gigabytes.
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .referer(false)
        .user_agent("wayside")
        .connect_timeout(CONNECTING.min(pace.patience))
        .timeout(pace.patience)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, WebError> {
    let wrong = |what: &str| WebError::Configuration(format!("--ca {}: {what}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
    let found =
        Certificate::from_pem_bundle(&pem).map_err(|_| wrong("there is no certificate in PEM in it"))?;
    if found.is_empty() { Err(wrong("there is no certificate in PEM in it")) } else { Ok(found) }
}

fn failed(host: &str, error: &reqwest::Error) -> WebError {
    let host = host.to_owned();
    if error.is_timeout() {
        return WebError::Silent { host };
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let reason = crate::said::said(&deepest.to_string());
    let of_trust =
        ["certificate", "UnknownIssuer", "NotValidForName"].iter().any(|word| reason.contains(word));
    if of_trust { WebError::Certificate { host, reason } } else { WebError::Unreachable { host, reason } }
}

/// Finds the addresses of a name that are anybody's: a name that somebody else gave is not to lead into our own network.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<_> = found.filter(|found| address::is_public(found.ip())).collect();
            if public.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
