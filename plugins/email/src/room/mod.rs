//! A mailing list as a room: people write to the list or to us alone, and who wrote is made sure of before they are heard.

mod letter;
mod listener;
mod members;
mod pending;
mod proof;
mod text;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use wayside_bridge::{
    BridgeContext, BridgeError, Incoming, Outgoing, Room, RoomEvents, RoomInfo, Sender, Standing,
};

use crate::address::Address;
use crate::compose::Frame;
use crate::error::EmailError;
use crate::imap::Account;
use crate::ledger::Ledger;
use crate::smtp::Mailer;
use letter::SUBJECT_TOKEN;
pub(crate) use members::Members;
use pending::Memory;

/// The longest text that is said, in bytes.
const LONGEST: usize = Incoming::MAX_TEXT;
/// How much of a text is its subject, in bytes.
const SUBJECT: usize = 50;

/// A mailing list, as a room.
pub(crate) struct MailRoom(Arc<Inside>);

/// How a list is heard.
#[derive(Clone, Debug)]
pub(crate) struct Hearing {
    pub(crate) members: Members,
    /// The server whose `Authentication-Results` are believed.
    pub(crate) trusted: Option<String>,
    /// Whether also what people write to us alone is read: for a mailbox that is a bot's own.
    pub(crate) all: bool,
}

/// What sends, and keeps count.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) own: Address,
    pub(crate) list: Address,
    pub(crate) account: Arc<Account>,
    pub(crate) mailer: Arc<Mailer>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) context: BridgeContext,
}

/// What the room and its listener hold.
struct Inside {
    post: Post,
    hearing: Hearing,
    memory: Mutex<Memory>,
}

/// A mail to be written.
struct Draft<'a> {
    to: &'a Address,
    subject: &'a str,
    text: &'a str,
    automatic: bool,
    answers: &'a [String],
}

impl MailRoom {
    pub(crate) fn new(post: Post, hearing: Hearing) -> Self {
        let memory = Mutex::new(Memory::open(post.context.state_dir.as_deref()));
        Self(Arc::new(Inside { post, hearing, memory }))
    }
}

impl Inside {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what the budget allows, and remembers that it was us.
    async fn send(&self, draft: &Draft<'_>) -> Result<(), EmailError> {
        let post = &self.post;
        let now = post.context.clock.now();
        let mut unique = [0; 16];
        post.context.entropy.fill(&mut unique);
        let frame = Frame {
            from: &post.own,
            to: draft.to,
            subject: draft.subject,
            now,
            unique,
            follows: draft.answers,
            automatic: draft.automatic,
        };
        let (id, mail) = (frame.id(), frame.text(draft.text)?);
        post.ledger.spend(now)?;
        // Before it goes: whoever gets it may ask at once whether it was us.
        self.memory().sent(id, draft.to);
        self.memory().save()?;
        let sent = post.mailer.send(mail).await;
        if sent.is_err() {
            post.ledger.give_back();
        }
        sent
    }

    async fn say(&self, message: &Outgoing) -> Result<(), EmailError> {
        if message.text.len() > LONGEST {
            return Err(EmailError::TextTooLong(LONGEST));
        }
        let to = match &message.to {
            None => self.post.list.clone(),
            Some(Sender(name)) => {
                Address::parse(name).ok_or_else(|| EmailError::NoAddress(crate::error::said(name)))?
            }
        };
        let first = message.text.lines().next().unwrap_or_default();
        let about: String = text::cut(first, SUBJECT).chars().filter(|c| !c.is_control()).collect();
        // To one: so that their program finds it among their other mail without reading that.
        let subject = match &message.to {
            None => about,
            Some(_) => format!("{about} ({SUBJECT_TOKEN})"),
        };
        // An id is of the service; one that is no id of a mail is none to answer to.
        let answers: Vec<String> = message.answers.iter().filter(|id| is_id(id)).cloned().collect();
        let draft = Draft {
            to: &to,
            subject: &subject,
            text: &message.text,
            automatic: message.automatic,
            answers: &answers,
        };
        self.send(&draft).await
    }
}

fn is_id(id: &str) -> bool {
    id.len() <= 256 && id.starts_with('<') && id.ends_with('>') && id.bytes().all(|b| b.is_ascii_graphic())
}

#[async_trait]
impl Room for MailRoom {
    fn info(&self) -> RoomInfo {
        RoomInfo {
            title: format!("the mailing list {}", self.0.post.list),
            own: Sender(self.0.post.own.to_string()),
            longest: LONGEST,
        }
    }

    async fn events(&self) -> Result<RoomEvents, BridgeError> {
        Ok(listener::start(Arc::clone(&self.0)).await?)
    }

    async fn say(&self, message: &Outgoing) -> Result<(), BridgeError> {
        Ok(self.0.say(message).await?)
    }

    async fn standing(&self, sender: &Sender) -> Result<Standing, BridgeError> {
        let Some(who) = Address::parse(&sender.0) else { return Ok(Standing::Stranger) };
        let members = self.0.hearing.members.clone();
        // The command for it blocks.
        let now =
            tokio::task::spawn_blocking(move || members.now()).await.map_err(|_| EmailError::Lost)??;
        Ok(match (now.contains(&who), self.0.hearing.members.is_owner(&who)) {
            (_, true) => Standing::Moderator,
            (true, false) => Standing::Member,
            (false, false) => Standing::Stranger,
        })
    }
}

impl fmt::Debug for MailRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailRoom").field("list", &self.0.post.list).finish_non_exhaustive()
    }
}
