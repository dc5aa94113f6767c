//! Two friends in one process and in simulated time, for an application's own tests.
//!
//! [`pair`] gives two nodes that are friends and linked. Their homes are temporary folders, the service over which they met and the network over which they
//! are linked are in memory, and what time it is says Tokio's clock. In a test that pauses that clock an hour of nothing passes at once, latency is exact, a
//! link breaks when the network is cut for longer than it bears, and the next run does the same.
//!
//! ```
//! use std::time::Duration;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::time::Instant;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! // In a test: #[tokio::test(start_paused = true)], which needs Tokio's feature `test-util`.
//! let pair = wayside::testing::pair()
//!     .latency(Duration::from_millis(40))
//!     .bob(|builder| {
//!         builder.serve("echo/1", |_, mut stream| async move {
//!             tokio::io::copy(&mut stream.recv, &mut stream.send).await.map(drop)
//!         })
//!     })
//!     .await;
//!
//! let bob = pair.ann.connect("bob").await.unwrap();
//! let asked = Instant::now();
//! let mut stream = bob.link.open("echo/1").await.unwrap();
//! stream.send.write_all(b"hello").await.unwrap();
//! stream.send.finish();
//! let mut echo = String::new();
//! stream.recv.read_to_string(&mut echo).await.unwrap();
//! assert_eq!(echo, "hello");
//! assert_eq!(asked.elapsed().as_millis() / 10, 8, "there and back");
//!
//! // An outage that is longer than a link bears.
//! pair.network.cut(true);
//! bob.link.closed().await;
//! pair.network.cut(false);
//! let _again = pair.ann.connect("bob").await.unwrap();
//! # }
//! ```
//!
//! Keys and what the nodes draw are the same in each run, and so are the moments at which things happen; of two that are due at the same moment either may
//! come first. What is not simulated is the disk, on which the homes lie: while a node waits for it no simulated time passes. While somebody waits for a
//! socket of the system, such as the local API's, simulated time may run on to whatever is due next. Without `start_paused` all of it works in real time.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use tempfile::TempDir;
pub use wayside_bridge::MemoryService;
use wayside_bridge::{Registry, Timestamp};
use wayside_node::api::types::{Accept, AddBridge, NewInvite};
pub use wayside_noise::MemoryNetwork;
use wayside_noise::Network;

use crate::{Home, Node, NodeBuilder, NodeClock};

/// Two friends, Ann and Bob, who are linked. Dropped, both nodes end and their homes are removed.
#[derive(Debug)]
pub struct Pair {
    /// Ann's node. Bob is `"bob"` to her.
    pub ann: Node,
    /// Bob's node. Ann is `"ann"` to him.
    pub bob: Node,
    /// The network between them: may lose datagrams, or be cut.
    pub network: MemoryNetwork,
    /// The service over which they meet: may be made to fail.
    pub service: MemoryService,
    /// Where the homes are. The last to be dropped.
    _folder: TempDir,
}

/// How a [`Pair`] is made; awaited, it makes it.
#[must_use = "it is made when it is awaited"]
pub struct PairBuilder {
    latency: Duration,
    ann: Setup,
    bob: Setup,
}

type Setup = Box<dyn FnOnce(NodeBuilder) -> NodeBuilder + Send>;

/// What the clocks read at first: 2026-01-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp::from_secs(1_767_225_600);
/// One way, unless told otherwise: what two machines in one country have.
const LATENCY: Duration = Duration::from_millis(10);
/// How long the two may take to link, by their own clocks.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two friends who are linked, as soon as it is awaited.
///
/// # Panics
/// When awaited, if the two cannot be made or do not link, and outside a Tokio runtime.
pub fn pair() -> PairBuilder {
    PairBuilder { latency: LATENCY, ann: Box::new(|builder| builder), bob: Box::new(|builder| builder) }
}

impl PairBuilder {
    /// How long a datagram takes one way. At first 10 ms.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Builds Ann's node with this as well: protocols, say.
    pub fn ann(mut self, with: impl FnOnce(NodeBuilder) -> NodeBuilder + Send + 'static) -> Self {
        self.ann = Box::new(with);
        self
    }

    /// Builds Bob's node with this as well.
    pub fn bob(mut self, with: impl FnOnce(NodeBuilder) -> NodeBuilder + Send + 'static) -> Self {
        self.bob = Box::new(with);
        self
    }

    async fn make(self) -> Result<Pair, Box<dyn std::error::Error + Send + Sync>> {
        let clock = NodeClock::simulated(BEGINNING);
        let service = MemoryService::builder().clock(std::sync::Arc::new(clock)).build();
        let network = MemoryNetwork::new(self.latency);
        let folder = tempfile::Builder::new().prefix("wayside-").tempdir()?;
        let mut nodes = Vec::new();
        for (name, number, with) in [("ann", 1, self.ann), ("bob", 2, self.bob)] {
            let home = Home::init_seeded(&folder.path().join(name), name, &[number; 32])?;
            let builder = Node::builder(home, Registry::new().with(service.clone()))
                .clock(clock)
                .seed([number; 32])
                .network(Network::Memory(network.clone()))
                .listen(vec![format!("udp://10.0.0.{number}:4040")]);
            let node = with(builder).start().await?;
            let options = [("member".to_owned(), name.to_owned())].into();
            node.add_bridge(AddBridge { kind: "memory".to_owned(), options, ..AddBridge::default() }).await?;
            nodes.push(node);
        }
        let (Some(bob), Some(ann)) = (nodes.pop(), nodes.pop()) else {
            return Err("two nodes are made".into());
        };
        let wanted = NewInvite { bridges: Vec::new(), uses: 1, expires_in_secs: 3600 };
        let invite = ann.invite(wanted).await?.invite;
        bob.accept_invite(Accept { invite, name: None, wait_ms: 60_000 }).await?;
        tokio::time::timeout(PATIENCE, bob.connect("ann")).await??;
        tokio::time::timeout(PATIENCE, ann.connect("bob")).await??;
        Ok(Pair { ann, bob, network, service, _folder: folder })
    }
}

impl IntoFuture for PairBuilder {
    type Output = Pair;
    type IntoFuture = Pin<Box<dyn Future<Output = Pair> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.make().await {
                Ok(pair) => pair,
                #[expect(clippy::panic, reason = "a test that cannot begin has failed")]
                Err(error) => panic!("two friends could not be linked: {error}"),
            }
        })
    }
}

impl fmt::Debug for PairBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairBuilder").field("latency", &self.latency).finish_non_exhaustive()
    }
}
