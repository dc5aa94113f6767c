//! What measurements have in common: people in one process, and figures as people read them.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use wayside_bridge::{MemoryService, Registry};
use wayside_node::api::ApiClient;
use wayside_node::api::types::{Accept, AcceptState, Accepted, AddBridge, BridgeView, InviteView, NewInvite};
use wayside_node::{Home, Node};

/// What measurements fail with.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A service in this process, by the system's clock.
pub fn memory_service() -> MemoryService {
    MemoryService::builder().clock(wayside_node::bridge_context(None).clock).build()
}

/// Somebody with a home, and a node that runs on loopback.
#[derive(Debug)]
pub struct Person {
    folder: TempDir,
    registry: Registry,
    node: Option<Node>,
}

impl Person {
    /// Makes a home with one bridge, and runs its node.
    pub async fn new(name: &str, registry: Registry, bridge: AddBridge) -> Result<Self, Failure> {
        let mut person = Self { folder: tempfile::tempdir()?, registry, node: None };
        Home::init(&person.home(), name)?;
        person.start().await?;
        let _: BridgeView = person.api()?.post("/v1/bridges", &bridge).await?;
        Ok(person)
    }

    /// Where the home is.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Runs the node, and waits until its bridges were tried.
    pub async fn start(&mut self) -> Result<(), Failure> {
        let home = Home::open(&self.home())?;
        let listen = vec!["udp://127.0.0.1:0".to_owned()];
        let node = Node::builder(home, self.registry.clone()).listen(listen).serve_api().start().await?;
        node.ready().await;
        self.node = Some(node);
        Ok(())
    }

    /// Ends the node.
    pub async fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.shutdown().await;
        }
    }

    /// Talks to the node.
    pub fn api(&self) -> Result<ApiClient, Failure> {
        Ok(self.node.as_ref().ok_or("the node does not run")?.client())
    }

    /// Makes an invite.
    pub async fn invite(&self, uses: u8) -> Result<String, Failure> {
        let request = NewInvite { bridges: Vec::new(), uses, expires_in_secs: 3600 };
        Ok(self.api()?.post::<_, InviteView>("/v1/invites", &request).await?.invite)
    }

    /// Accepts an invite, and waits until both are friends.
    pub async fn accept(&self, invite: &str) -> Result<(), Failure> {
        let request = Accept { invite: invite.to_owned(), name: None, wait_ms: 30_000 };
        let accepted: Accepted = self.api()?.post("/v1/accept", &request).await?;
        if accepted.state == AcceptState::Done { Ok(()) } else { Err("nobody answered the invite".into()) }
    }
}

/// A bridge to [`memory_service`].
pub fn over_memory(member: &str) -> AddBridge {
    let options = [("member".to_owned(), member.to_owned())].into();
    AddBridge { kind: "memory".to_owned(), name: None, options }
}

/// A bridge over a folder.
pub fn over_folder(folder: &Path) -> AddBridge {
    let options = [("path".to_owned(), folder.display().to_string())].into();
    AddBridge { kind: "dir".to_owned(), name: None, options }
}

/// The least, the median, the ninth decile and the most, in milliseconds.
pub fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| {
        let index = ((times.len().saturating_sub(1)) as f64 * share).round() as usize;
        times.get(index).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    format!("min {:.1} ms, median {:.1} ms, p90 {:.1} ms, max {:.1} ms", at(0.0), at(0.5), at(0.9), at(1.0))
}
