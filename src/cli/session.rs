//! A conversation with the home's node: the one that is up, or one of our own for as long as it takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use wayside::api::types::{ApiError, ErrorCode, NodeKind};
use wayside::api::{ApiClient, Lines};
use wayside::{Home, Node};

use super::exit::Failure;

/// How long a home may be locked by a node that does not answer: it is starting, or ending.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is tried again meanwhile.
const AGAIN: Duration = Duration::from_millis(50);
/// How long a node that ended in good order may take to remove its socket.
const VANISH: Duration = Duration::from_secs(2);
/// How many nodes may end in a row before a command that they were to answer gives up.
const TIMES: usize = 20;

/// A conversation with the home's node.
#[derive(Debug)]
pub(super) struct Session {
    home: PathBuf,
    socket: PathBuf,
    client: ApiClient,
    /// Ours, where none was up.
    node: Option<Node>,
}

/// Whether a request may be made twice without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Harmless,
    Harmful,
}

impl Session {
    /// Joins the node that runs, or starts one.
    pub(super) async fn open(home: &Path) -> Result<Self, Failure> {
        let socket = Home::open(home)?.socket();
        let (client, node) = Box::pin(join_or_start(home, &socket)).await?;
        Ok(Self { home: home.to_owned(), socket, client, node })
    }

    /// Whether no node was up, so that there will be none after this command.
    pub(super) const fn is_brief(&self) -> bool {
        self.node.is_some()
    }

    /// `GET path`
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        read(self.ask(Again::Harmless, &|client| Box::pin(async move { client.get(path).await })).await?)
    }

    /// `POST path`
    pub(super) async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        let body = &written(body)?;
        read(
            self.ask(Again::Harmful, &|client| Box::pin(async move { client.post(path, body).await }))
                .await?,
        )
    }

    /// `POST path`, where the body names what is made, so that asking twice does no harm.
    pub(super) async fn post_once<B: Serialize + Sync, T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        let body = &written(body)?;
        read(
            self.ask(Again::Harmless, &|client| Box::pin(async move { client.post(path, body).await }))
                .await?,
        )
    }

    /// `PATCH path`
    pub(super) async fn patch<B: Serialize + Sync, T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &B,
    ) -> Result<T, Failure> {
        let body = &written(body)?;
        read(
            self.ask(Again::Harmful, &|client| Box::pin(async move { client.patch(path, body).await }))
                .await?,
        )
    }

    /// `DELETE path`
    pub(super) async fn delete<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        read(self.ask(Again::Harmful, &|client| Box::pin(async move { client.delete(path).await })).await?)
    }

    /// `GET path`, answered line by line.
    pub(super) async fn get_lines(&mut self, path: &str) -> Result<Lines, Failure> {
        self.ask(Again::Harmless, &|client| Box::pin(async move { client.get_lines(path).await })).await
    }

    /// `POST path`, answered line by line.
    pub(super) async fn post_lines<B: Serialize + Sync>(
        &mut self,
        path: &str,
        body: &B,
    ) -> Result<Lines, Failure> {
        let body = &written(body)?;
        self.ask(Again::Harmful, &|client| Box::pin(async move { client.post_lines(path, body).await })).await
    }

    /// Ends it, and the node where it was ours.
    pub(super) async fn close(self) {
        if let Some(node) = self.node {
            node.shutdown().await;
        }
    }

    /// Asks, and asks again where the node that another command ran ended just before it took the request. Where many commands run at a time, that may
    /// happen to one of them several times in a row.
    ///
    /// What is asked and answered is no type here: there are some hundred requests, and a node can be started in each of them.
    async fn ask<'a, T>(
        &mut self,
        again: Again,
        request: &(dyn Fn(ApiClient) -> Asked<'a, T> + Sync),
    ) -> Result<T, Failure> {
        for _ in 1..TIMES {
            let error = match request(self.client.clone()).await {
                Err(error) if error.code == ErrorCode::Away && self.node.is_none() => error,
                answer => return answer.map_err(Failure::from),
            };
            if again == Again::Harmful && !self.ended_in_order().await {
                return Err(error.into());
            }
            let (client, node) = Box::pin(join_or_start(&self.home, &self.socket)).await?;
            (self.client, self.node) = (client, node);
        }
        request(self.client.clone()).await.map_err(Failure::from)
    }

    /// Whether the node ended of its own accord, as far as can be told: then it has answered every request that it took, and ours was none of them.
    /// One that crashed leaves its socket behind, until another command's node has come and gone.
    async fn ended_in_order(&self) -> bool {
        let until = Instant::now() + VANISH;
        while self.socket.exists() {
            if Instant::now() > until {
                return false;
            }
            sleep(AGAIN).await;
        }
        true
    }
}

/// A request under way.
type Asked<'a, T> = BoxFuture<'a, Result<T, ApiError>>;

fn written(body: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(body).map_err(misunderstood)
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(misunderstood)
}

fn misunderstood(error: serde_json::Error) -> Failure {
    ApiError::new(
        ErrorCode::Internal,
        format!("the node and this command do not understand each other: {error}"),
    )
    .into()
}

/// The path of a friend's own page in the API.
pub(super) fn friend_path(friend: &str, what: &str) -> String {
    let mut path = String::from("/v1/friends/");
    push_encoded(&mut path, friend);
    path.push_str(what);
    path
}

/// The path of a request's own page in the API.
pub(super) fn request_path(id: &str, what: &str) -> String {
    let mut path = String::from("/v1/requests/");
    push_encoded(&mut path, id);
    path.push_str(what);
    path
}

/// The path of a bridge's own page in the API.
pub(super) fn bridge_path(bridge: &str) -> String {
    let mut path = String::from("/v1/bridges/");
    push_encoded(&mut path, bridge);
    path
}

/// The path of a community in the API.
pub(super) fn community_path(bridge: &str) -> String {
    let mut path = String::from("/v1/communities/");
    push_encoded(&mut path, bridge);
    path
}

/// The path of an invite of ours in the API.
pub(super) fn invite_path(id: &str) -> String {
    let mut path = String::from("/v1/invites/");
    push_encoded(&mut path, id);
    path
}

/// The path of a token in the API.
pub(super) fn token_path(name: &str) -> String {
    let mut path = String::from("/v1/tokens/");
    push_encoded(&mut path, name);
    path
}

/// The path of a card of ours in the API.
pub(super) fn pointer_path(name: &str) -> String {
    let mut path = String::from("/v1/pointers/");
    push_encoded(&mut path, name);
    path
}

/// Reads an argument that is a name and thus not empty.
pub(super) fn parse_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("a name is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// The client of the node that is up, or a node of our own. Another command may be starting or ending one right now.
async fn join_or_start(home: &Path, socket: &Path) -> Result<(ApiClient, Option<Node>), Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(client) = ApiClient::connect(socket).await {
            return Ok((client, None));
        }
        let node = Node::builder(Home::open(home)?, wayside::registry()).kind(NodeKind::Brief).serve_api();
        match node.start().await {
            Ok(node) => return Ok((node.client(), Some(node))),
            Err(error) if error.code == ErrorCode::Busy && Instant::now() < until => sleep(AGAIN).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn push_encoded(path: &mut String, segment: &str) {
    use std::fmt::Write;
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::friend_path;

    #[test]
    fn names_become_one_segment() {
        assert_eq!(friend_path("Ada/../L ü%", "/ping"), "/v1/friends/Ada%2F..%2FL%20%C3%BC%25/ping");
    }
}
