//! As a guest at somebody's: dialling where a host says that it is, and keeping the link for as long as anybody uses it.

use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;
use wayside_noise::{Expectation, Link, LinkError, Remote};
use wayside_proto::place::{Candidates, Transport};

use crate::driver::Driver;

/// A link as a guest. It is kept for as long as anybody has this, and a while longer.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    link: Link,
    _using: Arc<()>,
}

impl Deref for Visit {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

/// The same for whoever hands it out.
#[derive(Debug)]
pub(crate) struct Visited {
    link: Link,
    using: Weak<()>,
}

impl Visited {
    /// Nobody uses it yet.
    pub(crate) fn new(link: Link) -> Self {
        Self { link, using: Weak::new() }
    }

    /// For somebody who uses it, while it lives.
    pub(crate) fn visit(&mut self) -> Option<Visit> {
        if self.has_ended() {
            return None;
        }
        let using = self.using.upgrade().unwrap_or_default();
        self.using = Arc::downgrade(&using);
        Some(Visit { link: self.link.clone(), _using: using })
    }

    /// Whether nobody can use it any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.link.closed().now_or_never().is_some()
    }

    /// Whether this is the link.
    pub(crate) fn is(&self, link: &Link) -> bool {
        self.link.number() == link.number()
    }

    /// Whether anybody uses it.
    pub(crate) fn is_used(&self) -> bool {
        self.using.strong_count() > 0
    }

    /// Ends it, whoever uses it.
    pub(crate) fn close(&self, why: &str) {
        self.link.close(why);
    }
}

/// Closes a link once nobody has used it for so long; returns when it has ended.
pub(crate) async fn close_unused(link: &Link, disuse: Duration, is_used: impl Fn() -> bool) {
    let mut unused = None;
    loop {
        tokio::select! {
            _ = link.closed() => return,
            () = tokio::time::sleep(disuse / 6) => {}
        }
        if is_used() {
            unused = None;
        } else if unused.get_or_insert_with(Instant::now).elapsed() >= disuse {
            return link.close("not used any more");
        }
    }
}

impl Driver {
    /// Dials a host where it is said to be. Whoever says so may be mistaken, or worse: nothing is sent where no peer is, and `None` is that it is nowhere else.
    pub(crate) async fn dial_as_guest(
        &self,
        expectation: Expectation,
        candidates: &Candidates,
        patience: Duration,
    ) -> Option<Result<Link, LinkError>> {
        let around = self.reach().told().borrow().surroundings.clone();
        let there = candidates.iter().filter(|it| around.place(it.address).is_ok());
        let remotes = there.map(|candidate| match candidate.transport {
            Transport::Udp => Remote::Udp(candidate.address),
            Transport::Tcp => Remote::Tcp(candidate.address),
        });
        let remotes: Vec<_> = remotes.collect();
        let endpoint = self.reach().endpoint().filter(|_| !remotes.is_empty())?;
        Some(endpoint.connect(expectation, remotes, patience).await)
    }
}
