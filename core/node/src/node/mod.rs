//! A node: everything of one home, running.

mod builder;
mod communities;
mod connect;
mod events;
mod pointers;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;
use wayside_bridge::Registry;
use wayside_noise::Endpoint;

pub use builder::NodeBuilder;
pub use connect::{ConnectError, Wanted};
pub use events::Events;

use crate::api::types::{
    Accept, AcceptCode, AcceptRequest, Accepted, AddBridge, ApiError, BridgeFigure, BridgeView, ChangeFriend,
    ChangeMailbox, ChangeRelay, CodeView, Complete, Examine, Explanation, FriendView, Id, InboxView,
    Introduce, IntroductionView, InvitePreview, InviteView, MailboxView, NewCode, NewInvite, OpenInvite,
    OutgoingView, RelayView, Report, RequestView, Send, Sent, StatusView,
};
#[cfg(feature = "api")]
use crate::api::{ApiClient, Server};
use crate::doctor::Progress;
use crate::home::Home;
use crate::requests::Requests;

/// Everything of one home, running. Ends when it is shut down or dropped; dropped, it takes no leave of its peers and lets go of the home a moment
/// later.
///
/// # For an application
///
/// - [`connect`](Self::connect) gives a [`Peer`](crate::Peer), whose link opens streams and sends datagrams; [`want`](Self::want) keeps one linked.
/// - [`NodeBuilder::serve`] answers the streams that friends open.
/// - [`events`](Self::events) tells what happens.
/// - The rest is what the command does as well: [invites](Self::invite), [bridges](Self::add_bridge), [friends](Self::friends),
///   [messages](Self::send). Where a method takes a `friend` it takes its name here (in other letters too, where that is clear) or its account.
///
/// What a method says was done is on disk. Cancelling one, by dropping its future, leaves it done or not done, never half.
#[derive(Debug)]
pub struct Node {
    requests: Requests,
    #[cfg(feature = "api")]
    client: ApiClient,
    #[cfg(feature = "api")]
    server: Option<Server>,
    endpoint: Arc<Endpoint>,
    stop: DropGuard,
    actor: tokio::task::JoinHandle<()>,
    tasks: TaskTracker,
}

/// How long a node that ends waits for what is under way.
const LEAVE: Duration = Duration::from_secs(5);
/// How long a node that has ended waits for the last that was being written.
const FREE: Duration = Duration::from_secs(2);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// How long a node that ends waits for its records to be taken back.
const TIDY: Duration = Duration::from_secs(3);

impl Node {
    /// A node of this home, with these kinds of bridges.
    pub fn builder(home: Home, registry: Registry) -> NodeBuilder {
        NodeBuilder::new(home, registry)
    }

    /// Asks it over the home's socket, as other processes do. Every request fails unless the node [serves it](NodeBuilder::serve_api).
    #[cfg(feature = "api")]
    pub fn client(&self) -> ApiClient {
        self.client.clone()
    }

    /// Waits until every bridge was tried.
    pub async fn ready(&self) {
        let mut ready = self.requests.driver.ready();
        // The node is ending otherwise.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Who this is.
    pub fn id(&self) -> Id {
        self.requests.home.id()
    }

    /// Where its home is.
    pub fn home(&self) -> &std::path::Path {
        self.requests.home.path()
    }

    /// Where it listens, ports filled in: `udp://ADDRESS:PORT`.
    pub fn listening(&self) -> &[String] {
        &self.requests.listening
    }

    /// How things are: bridges, links, messages on their way.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn status(&self) -> Result<StatusView, ApiError> {
        self.requests.status().await
    }

    /// Looks at the network, the bridges, the friends and the home, and says what it found and what to do about it. Takes 15 seconds at most, and what a friend
    /// who is to be met may take besides. Nobody is contacted whom the user did not configure.
    ///
    /// # Errors
    /// There is no such friend, or the store cannot be read.
    pub async fn examine(&self, examine: Examine) -> Result<Report, ApiError> {
        self.requests.examine(examine, Progress::new().0).await
    }

    /// Listens to what happens from now on.
    pub fn events(&self) -> Events {
        Events::new(self.requests.driver.events())
    }

    /// The configured bridges as they are.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn bridges(&self) -> Result<Vec<BridgeView>, ApiError> {
        self.requests.bridges().await
    }

    /// Adds a bridge to the configuration and runs it. It is tried first, and nothing is kept where that fails.
    ///
    /// # Errors
    /// The options make no sense, the name is taken, the service does not answer within 30 s.
    pub async fn add_bridge(&self, bridge: AddBridge) -> Result<BridgeView, ApiError> {
        self.requests.add_bridge(bridge).await
    }

    /// Tries a bridge just now, by its name: whether it answers, and how fast.
    ///
    /// # Errors
    /// There is no such bridge. That it does not work is an answer.
    pub async fn probe_bridge(&self, name: &str) -> Result<BridgeFigure, ApiError> {
        self.requests.probe_bridge(name).await
    }

    /// Removes a bridge by its name, and takes back what lies there.
    ///
    /// # Errors
    /// There is no such bridge, or the disk refuses.
    pub async fn remove_bridge(&self, name: &str) -> Result<(), ApiError> {
        self.requests.remove_bridge(name.to_owned()).await
    }

    /// Makes an invite: a line for a friend to be, a secret until it is used.
    ///
    /// # Errors
    /// No bridge works, or what is wanted makes no sense.
    pub async fn invite(&self, wanted: NewInvite) -> Result<InviteView, ApiError> {
        self.requests.invite(wanted).await
    }

    /// Invites of ours that are not over, the one that ends next first.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn open_invites(&self) -> Result<Vec<OpenInvite>, ApiError> {
        self.requests.open_invites().await
    }

    /// Ends an invite, by its id or the invite itself: whoever comes with it from now on is told that it has expired.
    ///
    /// # Errors
    /// No such invite is open, or the disk refuses.
    pub async fn withdraw_invite(&self, which: &str) -> Result<(), ApiError> {
        self.requests.withdraw_invite(which).await
    }

    /// What an invite or a card says, before anything is done with it. Contacts nobody.
    ///
    /// # Errors
    /// It is neither.
    pub async fn preview(&self, invite: &str) -> Result<InvitePreview, ApiError> {
        self.requests.preview(invite).await
    }

    /// Accepts an invite, or knocks by a card, and waits for the other side's answer, `wait_ms` at most; the node goes on with it afterwards.
    ///
    /// # Errors
    /// The invite or card does not work, or no bridge of ours reaches its places.
    pub async fn accept_invite(&self, invite: Accept) -> Result<Accepted, ApiError> {
        self.requests.accept_invite(invite).await
    }

    /// Makes an invite that goes in a file, with or without a bridge: what is to stand in it. Who accepts it may answer by a reply, which is given back.
    ///
    /// # Errors
    /// A bridge was named that does not work, or there are too many open invites.
    pub async fn invite_file(&self, invite: NewInvite) -> Result<InviteView, ApiError> {
        self.requests.invite_file(invite).await
    }

    /// Accepts an invite file by a reply, whatever bridges there are; [`accept_invite`](Self::accept_invite) does so only where none leads to its maker.
    ///
    /// # Errors
    /// The file is damaged, has ended, or is our own.
    pub async fn accept_by_reply(&self, file: Accept) -> Result<Accepted, ApiError> {
        self.requests.accept_by_reply(file).await
    }

    /// Takes the line ([`Accepted::reply`]) that somebody sent back who accepted an invite of ours in whose places we alone write, and waits for them.
    pub async fn complete(&self, reply: Complete) -> Result<Accepted, ApiError> {
        self.requests.complete(reply).await
    }

    /// Makes a code that a person says to another, who types it: a secret until it is used. It ends with the node.
    ///
    /// # Errors
    /// No bridge works that others write in too, or there are too many.
    pub async fn speak_code(&self, wanted: NewCode) -> Result<CodeView, ApiError> {
        self.requests.speak(wanted).await
    }

    /// How far a code of ours has got: as soon as that changes, or after `wait_ms`.
    ///
    /// # Errors
    /// There is no such code any more.
    pub async fn code(&self, id: &str, wait_ms: u64) -> Result<CodeView, ApiError> {
        self.requests.code(id, wait_ms).await
    }

    /// Ends a code of ours.
    ///
    /// # Errors
    /// There is no such code any more.
    pub async fn end_code(&self, id: &str) -> Result<(), ApiError> {
        self.requests.end_code(id).await
    }

    /// Looks for whoever said this code to us, and becomes friends with them; waits `wait_ms` at most, and goes on afterwards, for an hour.
    ///
    /// # Errors
    /// It is no code, its words are wrong, or somebody interferes.
    pub async fn accept_code(&self, code: AcceptCode) -> Result<Accepted, ApiError> {
        self.requests.accept_code(code).await
    }

    /// All friends, by name.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn friends(&self) -> Result<Vec<FriendView>, ApiError> {
        self.requests.friends().await
    }

    /// One friend.
    ///
    /// # Errors
    /// There is no such friend.
    pub async fn friend(&self, friend: &str) -> Result<FriendView, ApiError> {
        self.requests.friend(friend.to_owned()).await
    }

    /// Renames, blocks, or changes what is allowed.
    ///
    /// # Errors
    /// There is no such friend, or the change makes no sense.
    pub async fn change_friend(&self, friend: &str, change: ChangeFriend) -> Result<FriendView, ApiError> {
        self.requests.change_friend(friend.to_owned(), change).await
    }

    /// Removes a friend, with the messages that wait for it.
    ///
    /// # Errors
    /// There is no such friend.
    pub async fn remove_friend(&self, friend: &str) -> Result<(), ApiError> {
        self.requests.remove_friend(friend.to_owned()).await
    }

    /// The steps of the last meeting with a friend, and why the path is what it is.
    ///
    /// # Errors
    /// There is no such friend.
    pub async fn explain(&self, friend: &str) -> Result<Explanation, ApiError> {
        self.requests.explain(friend.to_owned()).await
    }

    /// Introduces a friend to another: both are asked, and where both consent they become friends. On disk when this returns; the rest goes on by itself.
    ///
    /// # Errors
    /// One of them is no friend or is blocked, they are being introduced already, too many are.
    pub async fn introduce(&self, introduction: Introduce) -> Result<IntroductionView, ApiError> {
        self.requests.introduce(introduction).await
    }

    /// The introductions that this node made, the latest first.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn introductions(&self) -> Result<Vec<IntroductionView>, ApiError> {
        self.requests.introductions().await
    }

    /// What others ask of us, the earliest first: to become the friend of somebody whom a friend introduces, or who came by a pointer of ours.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn requests(&self) -> Result<Vec<RequestView>, ApiError> {
        self.requests.requests().await
    }

    /// Accepts a request, by its name or the beginning of it; what follows goes on by itself.
    ///
    /// # Errors
    /// There is no such request, or the disk refuses.
    pub async fn accept_request(&self, id: &str, how: AcceptRequest) -> Result<RequestView, ApiError> {
        self.requests.accept_request(id, how).await
    }

    /// Refuses a request. Nobody is told, and the same is not asked again before it expires.
    ///
    /// # Errors
    /// There is no such request, or the disk refuses.
    pub async fn refuse_request(&self, id: &str) -> Result<RequestView, ApiError> {
        self.requests.refuse_request(id).await
    }

    /// Takes a message to deliver. It is on disk when this returns, and is delivered once or reported expired. Under an id of its own it may be sent
    /// again where no answer came.
    ///
    /// # Errors
    /// There is no such friend, the text is too long, the queue or the disk is full.
    pub async fn send(&self, message: Send) -> Result<Sent, ApiError> {
        self.requests.send(message).await
    }

    /// The oldest 128 messages that came and were not [marked as read](Self::mark_read).
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn unread(&self) -> Result<Vec<InboxView>, ApiError> {
        let unread = self.requests.inbox(0, false).await?;
        Ok(unread.into_iter().map(|(_, message)| message).collect())
    }

    /// Marks messages as read, by their ids. Done after they were shown: whoever crashes between the two shows them twice and loses none.
    ///
    /// # Errors
    /// An id is none, or the disk refuses.
    pub async fn mark_read(&self, ids: &[String]) -> Result<(), ApiError> {
        self.requests.mark_read(ids).await
    }

    /// What this machine forwards for friends, and who forwards for it.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn relay(&self) -> Result<RelayView, ApiError> {
        self.requests.relay().await
    }

    /// Changes what forwarding may cost, in the configuration and at once.
    ///
    /// # Errors
    /// The change makes no sense, or the disk refuses.
    pub async fn change_relay(&self, change: ChangeRelay) -> Result<RelayView, ApiError> {
        self.requests.change_relay(change).await
    }

    /// What this machine keeps for friends who are away, and who keeps for it.
    ///
    /// # Errors
    /// The node is ending, or what is kept cannot be read.
    pub async fn mailbox(&self) -> Result<MailboxView, ApiError> {
        self.requests.mailbox().await
    }

    /// How far a message of ours has come, by its id.
    ///
    /// # Errors
    /// No such message is known, or it was over more than a day ago.
    pub async fn message(&self, id: &str) -> Result<Sent, ApiError> {
        self.requests.message(id).await
    }

    /// Messages of ours that are on their way, the oldest first, at most a thousand.
    ///
    /// # Errors
    /// What is kept cannot be read.
    pub async fn outgoing(&self) -> Result<Vec<OutgoingView>, ApiError> {
        self.requests.outgoing().await
    }

    /// Changes what keeping mail for friends may cost, in the configuration and at once.
    ///
    /// # Errors
    /// The change makes no sense, or the disk refuses.
    pub async fn change_mailbox(&self, change: ChangeMailbox) -> Result<MailboxView, ApiError> {
        self.requests.change_mailbox(change).await
    }

    /// Ends it: finishes what was asked, takes leave of the peers, lets go of the home.
    pub async fn shutdown(self) {
        #[cfg(feature = "api")]
        if let Some(server) = self.server {
            server.shutdown(LEAVE).await;
        }
        let driver = &self.requests.driver;
        driver.want_nobody().await;
        // What cannot be taken back in time is taken back after the next start.
        let _ = tokio::time::timeout(TIDY, driver.leave()).await;
        self.stop.disarm().cancel();
        let _ = tokio::time::timeout(LEAVE, self.actor).await;
        self.endpoint.close("bye").await;
        self.tasks.close();
        let _ = tokio::time::timeout(LEAVE, self.tasks.wait()).await;
        // Whoever starts the home's next node is to find it free: the last who writes lets go of it.
        let held = self.requests.driver.store().held();
        drop((self.requests, self.endpoint));
        let let_go = async {
            while held.strong_count() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(FREE, let_go).await;
    }
}

#[cfg(test)]
impl Node {
    pub(crate) const fn driver(&self) -> &crate::driver::Driver {
        &self.requests.driver
    }

    pub(crate) const fn kept_pointers(&self) -> &crate::pointers::Pointers {
        &self.requests.pointers
    }

    pub(crate) const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}
