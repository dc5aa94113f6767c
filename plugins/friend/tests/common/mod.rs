//! Friends of a board in this process, over pipes.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, SharedBridge};
use wayside_bridge_friend::{Carrier, Carriers, Channel, FriendKind, Gate, Host, Limits, Owner};
use wayside_conformance::support::{TestClock, context};

/// What a pipe holds: less than the largest frame.
pub const PIPE: usize = 8 * 1024;

/// Rita, who has a board.
#[derive(Clone, Debug)]
pub struct Rita {
    pub host: Host,
    pub clock: TestClock,
    /// How many streams were opened.
    pub opened: Arc<AtomicU64>,
    /// Whether links with her can be had.
    pub there: Arc<AtomicBool>,
    /// Each change of it ends all streams.
    pub links: watch::Sender<u64>,
}

impl Rita {
    pub fn new(limits: Limits) -> Self {
        static BOARDS: AtomicU64 = AtomicU64::new(1);
        let clock = TestClock::new();
        let id = BOARDS.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        Self {
            host: Host::new(id, limits, Arc::new(clock.clone())),
            clock,
            opened: Arc::default(),
            there: Arc::new(true.into()),
            links: watch::channel(0).0,
        }
    }

    /// The bridge of friend number `who`, who may use it as long as `allowed` says.
    pub async fn bridge_of(
        &self,
        who: u8,
        allowed: watch::Receiver<bool>,
    ) -> Result<SharedBridge, BridgeError> {
        let way = Way { rita: self.clone(), owner: Owner([who; 32]), allowed };
        let options = BridgeOptions::from_iter([("friend", "rita")]);
        Ok(FriendKind::over(Arc::new(way)).open(&options, self.context()).await?.bridge)
    }

    /// The bridge of a friend who may use it.
    pub async fn bridge(&self, who: u8) -> SharedBridge {
        self.bridge_of(who, watch::channel(true).1).await.unwrap()
    }

    pub fn context(&self) -> BridgeContext {
        context(&self.clock, 1, None)
    }
}

/// The way of one friend to her.
#[derive(Clone)]
pub struct Way {
    pub rita: Rita,
    pub owner: Owner,
    pub allowed: watch::Receiver<bool>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a way to rita")
    }
}

#[async_trait]
impl Carriers for Way {
    async fn carrier(&self, friend: &str) -> Result<Arc<dyn Carrier>, BridgeError> {
        assert_eq!(friend, "rita");
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Carrier for Way {
    fn account(&self) -> String {
        "ritasaccount".to_owned()
    }

    fn name(&self) -> String {
        "rita".to_owned()
    }

    async fn open(&self) -> Result<Channel, BridgeError> {
        if !self.rita.there.load(Ordering::SeqCst) {
            return Err(BridgeError::new(ErrorKind::Unreachable, "no link with rita"));
        }
        self.rita.opened.fetch_add(1, Ordering::SeqCst);
        let (ours, hers) = tokio::io::duplex(PIPE);
        let (way, mut links) = (self.clone(), self.rita.links.subscribe());
        tokio::spawn(async move {
            let (recv, send) = tokio::io::split(hers);
            tokio::select! {
                _ = way.rita.host.serve(way.owner, recv, send, &way) => {}
                _ = links.changed() => {}
            }
        });
        let (recv, send) = tokio::io::split(ours);
        Ok(Channel { recv: Box::new(recv), send: Box::new(send), rtt: None, guard: None })
    }
}

#[async_trait]
impl Gate for Way {
    async fn allowed(&self) -> bool {
        *self.allowed.borrow()
    }

    async fn revoked(&self) {
        let mut allowed = self.allowed.clone();
        // It says whether at the first request.
        if !*allowed.borrow_and_update() || allowed.wait_for(|allowed| !allowed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
