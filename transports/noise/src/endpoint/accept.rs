//! As server: from an admitted first datagram to a link.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{
    glare::{Crossed, Crossings},
    transports::Transports,
};
use crate::{
    Expectation, Link, Whom,
    adapter::AdmittedServer,
    config,
    gate::Gate,
    link::{self, Verdict},
    seldom::Seldom,
    socket::Shared,
};

/// Handshakes, and links that wait in front of a full queue; beyond it, first datagrams are ignored.
const MAX_HANDSHAKES: usize = 512;

/// How long a client may take to choose, or to let go, once its handshake is complete.
const CHOICE_TIMEOUT: Duration = Duration::from_secs(60);

/// What accepting needs.
pub(super) struct Acceptor {
    pub(super) quic: noq::Endpoint,
    pub(super) gate: Arc<Gate>,
    pub(super) shared: Arc<Shared>,
    pub(super) transports: Arc<Transports>,
    pub(super) crossings: Arc<Crossings>,
    pub(super) timeout: Duration,
    pub(super) ready: mpsc::Sender<Link>,
}

impl Acceptor {
    /// Runs until the endpoint closes.
    pub(super) async fn run(self) {
        // Dropped, and with it every handshake, when the endpoint closes.
        let (mut handshakes, mut crowded) = (JoinSet::new(), Seldom::default());
        while let Some(incoming) = self.quic.accept().await {
            while handshakes.try_join_next().is_some() {}
            // What the gate no longer knows is ignored, without a word.
            let admitted = self.gate.take(&incoming.orig_dst_cid());
            if handshakes.len() >= MAX_HANDSHAKES
                && let Some(times) = crowded.happened()
            {
                tracing::warn!(times, "too many handshakes under way: new ones are ignored");
            }
            let Some((admitted, passage)) = admitted.filter(|_| handshakes.len() < MAX_HANDSHAKES) else {
                incoming.ignore();
                continue;
            };
            let expectation = Arc::clone(&admitted.expectation);
            let transport = self.transports.for_address(&self.shared, incoming.remote_address());
            let server = config::with_crypto(Arc::new(AdmittedServer::new(admitted)), transport);
            let Ok(connecting) = incoming.accept_with(Arc::new(server)) else { continue };
            let finish = Finish {
                connecting,
                expectation,
                gate: Arc::clone(&self.gate),
                shared: Arc::clone(&self.shared),
                crossings: Arc::clone(&self.crossings),
                timeout: self.timeout,
            };
            let ready = self.ready.clone();
            handshakes.spawn(async move {
                // Its place is taken until somebody accepts the link, which bounds how many a peer can pile up.
                let _passage = passage;
                if let Some(link) = finish.run().await {
                    let _ = ready.send(link).await;
                }
            });
        }
    }
}

struct Finish {
    connecting: noq::Connecting,
    expectation: Arc<Expectation>,
    gate: Arc<Gate>,
    shared: Arc<Shared>,
    crossings: Arc<Crossings>,
    timeout: Duration,
}

impl Finish {
    /// Sees a handshake through to the client's choice, and answers it. `None` where somebody else has taken the link, or nobody will.
    async fn run(self) -> Option<Link> {
        let connection = timeout(self.timeout, self.connecting).await.ok()?.ok()?;
        // A client closes what it does not choose. Its mark may be lost for long on a bad wire, and it has the link already: so it is waited for.
        let asked = timeout(CHOICE_TIMEOUT, link::chosen(&connection)).await.ok()??;
        let session = self.expectation.session;
        if !self.gate.is_open(session) {
            return None;
        }
        let link = Link::new(connection, session, self.shared, |_| Vec::new());
        let arbiter = is_arbiter(&self.gate, &self.expectation);
        let refused = match self.crossings.crossed(session, arbiter) {
            Crossed::Nothing => Err(link),
            Crossed::Settled => {
                link.judge(Verdict::AnotherSurvives);
                return None;
            }
            Crossed::Dial(crossing) => {
                let kept = link.clone();
                crossing.offer(link, arbiter).await.map(|()| kept)
            }
        };
        match refused {
            Ok(taken) if asked => taken.judge(Verdict::Kept),
            Ok(_) => {}
            // Only the arbiter may refuse.
            Err(link) if arbiter && self.crossings.is_settled(session) => {
                link.judge(Verdict::AnotherSurvives)
            }
            Err(link) => {
                if asked {
                    link.judge(Verdict::Kept);
                }
                self.crossings.arrived(&link);
                return Some(link);
            }
        }
        None
    }
}

/// Whether this side decides which of two crossing connections survives.
pub(super) fn is_arbiter(gate: &Gate, expectation: &Expectation) -> bool {
    match expectation.whom {
        Whom::Device(peer) => gate.local().public() < peer,
        Whom::Anyone | Whom::Guests(_) | Whom::Host(_) => false,
    }
}
