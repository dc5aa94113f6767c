//! Messages: sent, listed, marked as read.

use data_encoding::HEXLOWER;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use wayside_bridge::Entropy;
use wayside_proto::mailbox::outbox::{Accepted, Outgoing, State};

use super::{Requests, deadline};
use crate::api::types::{
    ApiError, ErrorCode, InboxFileView, InboxView, MessageState, OutgoingView, Send, Sent,
};
use crate::clock::SystemEntropy;
use crate::driver::Driver;
#[cfg(feature = "api")]
use crate::home::HomeError;
use crate::mail;
use crate::store::{InboxEntry, InboxFile};
use crate::times;

impl Requests {
    /// Takes a message to deliver: it is on disk when this returns.
    pub(crate) async fn send(&self, request: Send) -> Result<Sent, ApiError> {
        if request.text.len() > Send::MAX_TEXT {
            let most = Send::MAX_TEXT / 1024;
            return Err(ApiError::new(
                ErrorCode::Usage,
                format!("a message has at most {most} KiB: send it in parts"),
            ));
        }
        let to = self.find(request.to).await?;
        let driver = &self.driver;
        let deadline = request.wait_ms.map(deadline);
        let mut settled = driver.settled();
        let id = match &request.id {
            Some(text) => parse_id(text)?,
            None => {
                let mut id = [0; 16];
                SystemEntropy.fill(&mut id);
                id
            }
        };
        let (files, most) = (request.files, driver.mail().own().attach);
        let read = tokio::task::spawn_blocking(move || mail::read_files(&files, most));
        let files = read.await.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
        let outgoing = Outgoing {
            id,
            to,
            text: request.text,
            files,
            sent: driver.clock().wall(),
            lifetime: driver.limits().message_age().as_secs(),
        };
        let accepted = mail::accept(driver, outgoing).await?;
        driver.accepted_message();
        driver.want_recipients().await?;
        let is_over = matches!(accepted, Accepted::Before(State::Delivered | State::Expired));
        if let (false, Some(deadline)) = (is_over, deadline) {
            wait(&mut settled, id, deadline).await;
        }
        let known = self.sent(id).await?;
        // One that was delivered long ago is not known any more.
        Ok(known.unwrap_or(Sent {
            id: HEXLOWER.encode(&id),
            state: MessageState::Delivered,
            held_by: Vec::new(),
        }))
    }

    /// How far a message of ours has come.
    pub(crate) async fn message(&self, id: &str) -> Result<Sent, ApiError> {
        let known = self.sent(parse_id(id)?).await?;
        known.ok_or_else(|| {
            ApiError::new(
                ErrorCode::NotFound,
                "no such message of ours is known, or it was over more than a day ago",
            )
        })
    }

    /// Messages of ours that are on their way, the oldest first, at most a thousand.
    pub(crate) async fn outgoing(&self) -> Result<Vec<OutgoingView>, ApiError> {
        Ok(mail::outgoing(&self.driver).await?)
    }

    async fn sent(&self, id: [u8; 16]) -> Result<Option<Sent>, ApiError> {
        let known = mail::held_by(&self.driver, id).await?;
        Ok(known.map(|(_, state, held_by)| Sent { id: HEXLOWER.encode(&id), state, held_by }))
    }

    /// Messages that came, from the `from`th on, at most [`AT_ONCE`] of them, each with its place in the order of arrival; without `all` only those that
    /// were not marked as read.
    pub(crate) async fn inbox(&self, from: u64, all: bool) -> Result<Vec<(u64, InboxView)>, ApiError> {
        let batch = self.driver.store().run(move |store| store.inbox(from, all, AT_ONCE)).await?;
        let mut views = Vec::new();
        for (number, entry) in batch {
            views.push((number, view(&self.driver, entry).await));
        }
        Ok(views)
    }

    /// A file that came with a message, by its place in the message from 0, and how long it is.
    #[cfg(feature = "api")]
    pub(crate) async fn inbox_file(
        &self,
        id: &str,
        number: usize,
    ) -> Result<(tokio::fs::File, u64), ApiError> {
        let none = || {
            ApiError::new(
                ErrorCode::NotFound,
                "no such file came: `wayside inbox --all` lists those that did",
            )
        };
        let id = parse_id(id)?;
        let entry = self.driver.store().run(move |store| store.inbox_entry(&id)).await?;
        let file = entry.and_then(|entry| entry.files?.into_iter().nth(number)).ok_or_else(none)?;
        let path = self.driver.mail().below_home(&file.path.ok_or_else(none)?);
        let failed = |error| ApiError::from(HomeError::io(&path, error));
        let file = tokio::fs::File::open(&path).await.map_err(failed)?;
        let size = file.metadata().await.map_err(failed)?.len();
        Ok((file, size))
    }

    /// These were shown.
    pub(crate) async fn mark_read(&self, ids: &[String]) -> Result<(), ApiError> {
        let ids: Vec<[u8; 16]> = ids.iter().map(|text| parse_id(text)).collect::<Result<_, _>>()?;
        Ok(self.driver.store().run(move |store| store.mark_read(&ids)).await?)
    }
}

/// Messages read from the store at once.
const AT_ONCE: usize = 128;

/// Until the message has come as far as it will, or the deadline.
async fn wait(settled: &mut Receiver<([u8; 16], MessageState)>, id: [u8; 16], deadline: Instant) {
    loop {
        match tokio::time::timeout_at(deadline, settled.recv()).await {
            Ok(Ok((settled, _))) if settled == id => return,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
            Ok(Err(RecvError::Closed)) | Err(_) => return,
        }
    }
}

fn parse_id(text: &str) -> Result<[u8; 16], ApiError> {
    let id = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    id.ok_or_else(|| ApiError::new(ErrorCode::Usage, "a message's id has 32 hexadecimal digits"))
}

async fn view(driver: &Driver, entry: InboxEntry) -> InboxView {
    InboxView {
        id: HEXLOWER.encode(&entry.id),
        from: driver.name_of(&entry.from).await,
        text: entry.text,
        sent: times::time(entry.sent),
        received: times::time(entry.received),
        files: entry.files.unwrap_or_default().into_iter().map(|it| file(driver, it)).collect(),
    }
}

fn file(driver: &Driver, file: InboxFile) -> InboxFileView {
    let path = file.path.map(|path| driver.mail().below_home(&path).display().to_string());
    InboxFileView { name: file.name, size: file.size, path }
}
