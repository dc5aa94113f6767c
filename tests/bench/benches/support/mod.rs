//! What measurements of nodes have in common: people in one process.

use std::error::Error;
use std::path::PathBuf;

use tempfile::TempDir;
use wayside_bridge::Registry;
use wayside_node::api::ApiClient;
use wayside_node::api::types::{Accept, AcceptState, Accepted, AddBridge, BridgeView, InviteView, NewInvite};
use wayside_node::{Home, Node};

/// What measurements fail with.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Somebody with a home, and a node that runs on loopback.
#[derive(Debug)]
pub(crate) struct Person {
    folder: TempDir,
    registry: Registry,
    node: Option<Node>,
}

impl Person {
    /// Makes a home with one bridge, and runs its node.
    pub(crate) async fn new(name: &str, registry: Registry, bridge: AddBridge) -> Result<Self, Failure> {
        let mut person = Self { folder: tempfile::tempdir()?, registry, node: None };
        Home::init(&person.home(), name)?;
        person.start().await?;
        let _: BridgeView = person.api()?.post("/v1/bridges", &bridge).await?;
        Ok(person)
    }

    /// Where the home is.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Runs the node, and waits until its bridges were tried.
    pub(crate) async fn start(&mut self) -> Result<(), Failure> {
        let home = Home::open(&self.home())?;
        let listen = vec!["udp://127.0.0.1:0".to_owned()];
        let node = Node::builder(home, self.registry.clone()).listen(listen).serve_api().start().await?;
        node.ready().await;
        self.node = Some(node);
        Ok(())
    }

    /// Ends the node.
    pub(crate) async fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.shutdown().await;
        }
    }

    /// Talks to the node.
    pub(crate) fn api(&self) -> Result<ApiClient, Failure> {
        Ok(self.node.as_ref().ok_or("the node does not run")?.client())
    }

    /// Makes an invite.
    pub(crate) async fn invite(&self, uses: u8) -> Result<String, Failure> {
        let request = NewInvite { bridges: Vec::new(), uses, expires_in_secs: 3600 };
        Ok(self.api()?.post::<_, InviteView>("/v1/invites", &request).await?.invite)
    }

    /// Accepts an invite, and waits until both are friends.
    pub(crate) async fn accept(&self, invite: &str) -> Result<(), Failure> {
        let request = Accept { invite: invite.to_owned(), name: None, wait_ms: 30_000 };
        let accepted: Accepted = self.api()?.post("/v1/accept", &request).await?;
        if accepted.state == AcceptState::Done { Ok(()) } else { Err("nobody answered the invite".into()) }
    }
}
