//! `wayside doctor`: what this machine's network is, which friends and bridges are reached and how, and what to do where they are not.
//!
//! ```text
//!  collect (asks: bridges, friends who are linked, STUN, the disk) ──> Facts ──> judge (pure) ──> Report
//! ```
//!
//! Nobody is contacted whom the user did not configure: bridges are probed, friends pinged whose links are up, STUN asked of friends who allow it and of listed
//! servers, the router where `network.portmap` says so. What would help and is not switched on is recommended, never done.

mod collect;
mod facts;
mod judge;
mod people;
mod place;
mod report;
mod who;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

pub use report::{
    BridgeFigure, ExaminationLine, Examine, Family, Figures, FilteringKind, Finding, FriendFigure, Ipv6Kind,
    Known, PeerNetwork, Reachable, Report, Topic, Verdict, Way,
};

use wayside_bridge::SharedBridge;

use crate::api::types::{ApiError, BridgeView};
use crate::requests::Requests;

/// Where it says what it is doing.
#[derive(Clone, Debug)]
pub(crate) struct Progress(mpsc::UnboundedSender<String>);

impl Progress {
    /// One that somebody listens to, who hears a handful of phrases.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (tell, told) = mpsc::unbounded_channel();
        (Self(tell), told)
    }

    fn say(&self, what: impl Into<String>) {
        // Nobody may be listening.
        let _ = self.0.send(what.into());
    }
}

/// A bridge, tried just now.
pub(crate) async fn probe(
    requests: &Requests,
    view: BridgeView,
    bridge: Option<SharedBridge>,
) -> BridgeFigure {
    collect::probe(requests, view, bridge).await.0
}

impl Requests {
    /// Looks at everything, within 15 seconds and what the friend that is to be met may take.
    pub(crate) async fn examine(&self, examine: Examine, progress: Progress) -> Result<Report, ApiError> {
        let began = Instant::now();
        let wanted = match examine.friend {
            Some(friend) => Some(self.find(friend).await?),
            None => None,
        };
        let wait = Duration::from_millis(examine.wait_ms);
        let facts = collect::collect(self, wanted.map(|account| (account, wait)), &progress).await?;
        let (findings, reachable) = judge::judge(&facts);
        Ok(Report {
            verdict: judge::worst(&findings),
            node: self.kind,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            findings,
            reachable,
            figures: facts.figures,
        })
    }
}
