//! Writing to an issue: a comment a record, and only our own are ever removed.

use data_encoding::HEXLOWER;
use http::Method;
use wayside_bridge::{Receipt, file};

use super::{Issue, comment};
use crate::armour;
use crate::error::GitHubError;
use crate::queue::{Outgoing, Task, Waiting};
use crate::wire::{CommentAnswer, NewComment};

/// The most expired comments that are removed along with a write: each takes two requests.
const MOST_EXPIRED: usize = 3;

impl Issue {
    /// Carries out all of these one after another, and answers each.
    pub(crate) async fn write(&self, tasks: Vec<Waiting>) {
        let mut failed = None;
        for waiting in tasks {
            // What all have in common is not tried for each.
            if let Some(error @ (GitHubError::Slow { .. } | GitHubError::Token { .. })) = &failed {
                waiting.answer(Err(GitHubError::clone(error)));
                continue;
            }
            let done = match &waiting.task {
                Task::Publish(outgoing) => self.publish(outgoing).await.map(Some),
                Task::Retract(receipts) => self.retract(receipts).await.map(|()| None),
            };
            failed = done.as_ref().err().cloned();
            waiting.answer(done);
        }
        if failed.is_none()
            && let Err(error) = self.expire().await
        {
            tracing::debug!(%error, "expired comments stay for now");
        }
    }

    async fn publish(&self, outgoing: &Outgoing) -> Result<Receipt, GitHubError> {
        let body = armour::comment(&outgoing.contents);
        let made: CommentAnswer =
            self.client.write(Method::POST, &self.path("/comments"), &NewComment { body: &body }).await?;
        if let Some(user) = made.user {
            let _ = self.viewer.set(user);
        }
        let receipt = Receipt::new(format!("{} {}", made.id, HEXLOWER.encode(&outgoing.check)));
        receipt.ok_or(GitHubError::Lost)
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), GitHubError> {
        if self.client.token().is_none() {
            return Err(GitHubError::NoToken { repo: self.client.repo().to_string() });
        }
        for id in receipts.iter().filter_map(parse_receipt) {
            self.remove(id, |_| true).await?;
        }
        Ok(())
    }

    /// Removes a comment of ours in this issue, if it `is` still what it was taken for.
    async fn remove(&self, id: u64, is: impl Fn(&CommentAnswer) -> bool) -> Result<(), GitHubError> {
        let viewer = self.viewer().await?;
        let Some(there) = self.comment(id).await? else { return Ok(()) };
        let here = there.issue_url.to_ascii_lowercase().ends_with(&self.path(""));
        if there.user != Some(viewer) || !here || !is(&there) {
            return Ok(());
        }
        let path = self.client.of_repo(&format!("/issues/comments/{id}"));
        match self.client.delete(&path).await {
            Ok(()) | Err(GitHubError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes comments of ours whose records expired.
    async fn expire(&self) -> Result<(), GitHubError> {
        let Some(viewer) = self.viewer.get() else { return Ok(()) };
        let now = self.context.clock.now();
        let expired: Vec<u64> = {
            let look = self.look.lock().await;
            let comments = look.pages.iter().flat_map(|page| &page.comments);
            let ours = comments
                .filter(|comment| comment.author == Some(*viewer) && file::over(comment.not_after, now));
            ours.map(|comment| comment.id).take(MOST_EXPIRED).collect()
        };
        let over = |there: &CommentAnswer| {
            comment(there).is_some_and(|(comment, _)| file::over(comment.not_after, now))
        };
        for id in expired {
            self.remove(id, over).await?;
        }
        Ok(())
    }
}

/// The comment that a receipt stands for.
fn parse_receipt(receipt: &Receipt) -> Option<u64> {
    let (id, check) = std::str::from_utf8(receipt.as_bytes()).ok()?.split_once(' ')?;
    file::hex::<16>(check)?;
    let number: u64 = id.parse().ok()?;
    (number.to_string() == id).then_some(number)
}
