//! People with homes of their own who share a service in memory, all in one process, on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, missing_docs, unreachable_pub)]

pub mod rooms;

use std::time::Duration;

use tempfile::TempDir;
use wayside_bridge::{MemoryService, Registry};
use wayside_node::api::ApiClient;
use wayside_node::api::types::*;
use wayside_node::{Home, Node, NodeBuilder};

pub fn service() -> MemoryService {
    MemoryService::builder().clock(wayside_node::bridge_context(None).clock).build()
}

pub struct Person {
    pub name: &'static str,
    pub folder: TempDir,
    pub service: MemoryService,
    node: Option<Node>,
}

impl Person {
    /// With a home, a bridge to the service, and a node that runs.
    pub async fn new(name: &'static str, service: &MemoryService) -> Self {
        Self::new_with(name, service, |node| node).await
    }

    /// The same, with a node that is built otherwise.
    pub async fn new_with(
        name: &'static str,
        service: &MemoryService,
        with: impl FnOnce(NodeBuilder) -> NodeBuilder,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Home::init(&folder.path().join("home"), name).unwrap();
        let mut person = Self { name, folder, service: service.clone(), node: None };
        person.start_with(with).await;
        let options = [("member".to_owned(), name.to_owned())].into();
        let bridge = AddBridge { kind: "memory".into(), options, ..AddBridge::default() };
        let added: BridgeView = person.api().post("/v1/bridges", &bridge).await.unwrap();
        assert!(added.healthy);
        person
    }

    pub fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("home")
    }

    pub async fn start(&mut self) {
        self.start_with(|node| node).await;
    }

    pub async fn start_with(&mut self, with: impl FnOnce(NodeBuilder) -> NodeBuilder) {
        let registry = Registry::new().with(self.service.clone());
        let home = Home::open(&self.home()).unwrap();
        let builder = Node::builder(home, registry).listen(vec!["udp://127.0.0.1:0".into()]).serve_api();
        self.node = Some(with(builder).start().await.unwrap());
    }

    pub fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// Without taking leave.
    pub fn drop_node(&mut self) {
        self.node = None;
    }

    pub async fn stop(&mut self) {
        self.node.take().unwrap().shutdown().await;
    }

    pub fn api(&self) -> ApiClient {
        self.node.as_ref().unwrap().client()
    }

    pub async fn invite(&self) -> String {
        let request = NewInvite { bridges: vec![], uses: 1, expires_in_secs: 3600 };
        self.api().post::<_, InviteView>("/v1/invites", &request).await.unwrap().invite
    }

    pub async fn accept(&self, invite: &str) -> Result<Accepted, ApiError> {
        self.api()
            .post("/v1/accept", &Accept { invite: invite.to_owned(), name: None, wait_ms: 20_000 })
            .await
    }

    pub async fn ping(&self, friend: &str) -> Result<Pong, ApiError> {
        let path = format!("/v1/friends/{friend}/ping");
        let mut lines = self.api().post_lines(&path, &Ping { count: 1, wait_ms: 20_000 }).await?;
        Ok(lines.next().await?.expect("one line a ping"))
    }

    pub async fn send(&self, to: &str, text: &str, wait_ms: Option<u64>) -> Result<Sent, ApiError> {
        self.api().post("/v1/messages", &Send { wait_ms, ..Send::new(to.into(), text.into()) }).await
    }

    /// What came and was not read yet; read now.
    pub async fn inbox(&self) -> Vec<String> {
        let mut lines = self.api().get_lines("/v1/inbox").await.unwrap();
        let (mut texts, mut ids) = (Vec::new(), Vec::new());
        while let Some(message) = lines.next::<InboxView>().await.unwrap() {
            texts.push(message.text);
            ids.push(message.id);
        }
        let _: () = self.api().post("/v1/inbox/read", &MarkRead { ids }).await.unwrap();
        texts
    }
}

/// Waits until something is so, for ten seconds at most.
pub async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    for _ in 0..1000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it took too long until {what}");
}
