//! Messages: sent, listed, marked as read.

use data_encoding::HEXLOWER;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use wayside_bridge::Entropy;

use super::{Requests, deadline};
use crate::api::types::{ApiError, ErrorCode, InboxView, MessageState, Send, Sent};
use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::store::{Accepted, InboxEntry};
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
        let (text, now, most) = (request.text, driver.clock().wall(), driver.limits().queue);
        let accepted = driver.store().run(move |store| store.enqueue(&to, id, text, now, most)).await?;
        driver.accepted_message();
        driver.want_recipients().await?;
        let state = match (accepted, deadline) {
            (Accepted::Before { waits: false }, _) => MessageState::Delivered,
            (_, Some(deadline)) => outcome(&mut settled, id, deadline).await,
            (_, None) => MessageState::Queued,
        };
        Ok(Sent { id: HEXLOWER.encode(&id), state, held_by: Vec::new() })
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

    /// These were shown.
    pub(crate) async fn mark_read(&self, ids: &[String]) -> Result<(), ApiError> {
        let ids: Vec<[u8; 16]> = ids.iter().map(|text| parse_id(text)).collect::<Result<_, _>>()?;
        Ok(self.driver.store().run(move |store| store.mark_read(&ids)).await?)
    }
}

/// Messages read from the store at once.
const AT_ONCE: usize = 128;

/// How far the message has come by the deadline.
async fn outcome(
    settled: &mut Receiver<([u8; 16], MessageState)>,
    id: [u8; 16],
    deadline: Instant,
) -> MessageState {
    loop {
        match tokio::time::timeout_at(deadline, settled.recv()).await {
            Ok(Ok((settled, state))) if settled == id => return state,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
            Ok(Err(RecvError::Closed)) | Err(_) => return MessageState::Queued,
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
    }
}
