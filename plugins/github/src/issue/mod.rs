//! Records as comments of an issue.

mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::{Mutex, OnceCell};
use wayside_bridge::{BridgeContext, Record, Timestamp, file};

use crate::armour;
use crate::client::{Client, Etag, Read};
use crate::error::GitHubError;
use crate::index::{Item, Listed};
use crate::wire::{CommentAnswer, IssueAnswer, UserAnswer};

/// How long a record stays at least. Comments that nobody changed for longer are not even listed, however old the issue is.
pub(crate) const RETENTION: Duration = Duration::from_secs(30 * DAY);
/// The largest record, in bytes: GitHub takes comments of 65,536 characters, and base64 makes four of three bytes.
pub(crate) const MOST_OF_A_RECORD: usize = 40 * 1024;

const DAY: u64 = 24 * 60 * 60;
/// Beyond the retention, comments are listed for a while, since clocks differ.
const MARGIN_DAYS: u64 = 2;
/// As many as GitHub gives.
const PAGE: usize = 100;
/// The most pages: twelve thousand comments.
const MOST_PAGES: usize = 120;
/// The most of a page: a hundred comments of the largest, as JSON writes what is not ASCII.
const MOST_OF_A_PAGE: usize = 48 * 1024 * 1024;
/// The most of an answer with one comment.
const MOST_OF_A_COMMENT: usize = 1024 * 1024;

/// An issue of a repository.
pub(crate) struct Issue {
    client: Arc<Client>,
    number: u64,
    context: BridgeContext,
    look: Mutex<Look>,
    /// Who we are, once that is known.
    viewer: OnceCell<UserAnswer>,
}

/// What the last look found, page by page.
#[derive(Debug, Default)]
struct Look {
    /// Since which day comments were asked for.
    since: u64,
    pages: Vec<Page>,
}

#[derive(Clone, Debug, Default)]
struct Page {
    /// To ask by whether the page has changed. Kept only with what it was given for.
    etag: Option<Etag>,
    /// How many comments there are on it, whatever they are.
    len: usize,
    comments: Vec<Comment>,
}

/// A comment that held a record when it was listed.
#[derive(Clone, Debug)]
struct Comment {
    id: u64,
    author: Option<UserAnswer>,
    name: file::Name,
    not_after: Timestamp,
    version: String,
    size: u64,
}

impl Issue {
    pub(crate) fn new(client: Arc<Client>, number: u64, context: BridgeContext) -> Self {
        Self { client, number, context, look: Mutex::default(), viewer: OnceCell::new() }
    }

    /// The issue itself: whether it is there, and open to comments.
    pub(crate) async fn issue(&self) -> Result<(IssueAnswer, HeaderMap), GitHubError> {
        self.client.read_all(&self.path(""), MOST_OF_A_COMMENT).await
    }

    /// What is in the issue now. One request a page, and one page is usual.
    pub(crate) async fn list(&self) -> Result<(Vec<Listed>, u64), GitHubError> {
        let mut look = self.look.lock().await;
        let now = self.context.clock.now();
        let today = now.as_secs() / DAY;
        let since = today.saturating_sub(RETENTION.as_secs() / DAY + MARGIN_DAYS);
        if since != look.since {
            // Other questions, to which the tags do not belong.
            *look = Look { since, pages: Vec::new() };
        }
        let mut records = BTreeMap::new();
        if !self.client.gate.rests() || look.pages.is_empty() {
            self.look(&mut look, &mut records).await?;
        }
        let all: usize = look.pages.iter().map(|page| page.len).sum();
        let stays = |comment: &&Comment| !file::over(comment.not_after, now);
        let comments: Vec<&Comment> = look.pages.iter().flat_map(|page| &page.comments).collect();
        let others = (all - comments.len()) as u64;
        let listed = comments.into_iter().filter(stays).map(|comment| Listed {
            id: comment.id.to_string(),
            name: comment.name.clone(),
            version: comment.version.clone(),
            size: comment.size,
            record: records.remove(&comment.id),
        });
        Ok((listed.collect(), others))
    }

    /// Reads what has changed, and the records in it.
    async fn look(&self, look: &mut Look, records: &mut BTreeMap<u64, Record>) -> Result<(), GitHubError> {
        let date =
            jiff::Timestamp::from_second(i64::try_from(look.since * DAY).unwrap_or(0)).unwrap_or_default();
        for number in 0..MOST_PAGES {
            let path = self.path(&format!("/comments?per_page={PAGE}&page={}&since={date}", number + 1));
            let known = look.pages.get(number).cloned().unwrap_or_default();
            let read = self
                .client
                .read_unless::<Vec<CommentAnswer>>(&path, known.etag.as_ref(), MOST_OF_A_PAGE)
                .await?;
            let page = match read {
                (Read::Same, headers) => {
                    self.client.gate.polled(&headers);
                    known
                }
                (Read::Fresh(answer, etag), headers) => {
                    self.client.gate.polled(&headers);
                    let len = answer.len();
                    let comments = answer.into_iter().filter_map(|answer| {
                        let (comment, record) = comment(&answer)?;
                        records.insert(comment.id, record);
                        Some(comment)
                    });
                    Page { etag, len, comments: comments.collect() }
                }
            };
            let last = page.len < PAGE;
            match look.pages.get_mut(number) {
                Some(before) => *before = page,
                None => look.pages.push(page),
            }
            if last {
                look.pages.truncate(number + 1);
                break;
            }
        }
        Ok(())
    }

    /// The record in a comment; `None` where it holds none, or not that one any more.
    pub(crate) async fn read(&self, item: &Item) -> Result<Option<Record>, GitHubError> {
        let Ok(id) = item.id.parse() else { return Ok(None) };
        let answer = self.comment(id).await?;
        let found =
            answer.and_then(|answer| comment(&answer)).filter(|(comment, _)| comment.name == item.name);
        Ok(found.map(|(_, record)| record))
    }

    async fn comment(&self, id: u64) -> Result<Option<CommentAnswer>, GitHubError> {
        let path = self.client.of_repo(&format!("/issues/comments/{id}"));
        match self.client.read(&path, MOST_OF_A_COMMENT).await {
            Ok(answer) => Ok(Some(answer)),
            Err(
                GitHubError::NotFound { .. } | GitHubError::IssueGone { .. } | GitHubError::TooLarge { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who we are.
    async fn viewer(&self) -> Result<UserAnswer, GitHubError> {
        self.viewer.get_or_try_init(|| self.client.read("/user", MOST_OF_A_COMMENT)).await.copied()
    }

    fn path(&self, below: &str) -> String {
        self.client.of_repo(&format!("/issues/{}{below}", self.number))
    }
}

/// What is in a comment, where it is a record.
fn comment(answer: &CommentAnswer) -> Option<(Comment, Record)> {
    let found = armour::record(answer.body.as_deref()?)?;
    if found.record.bytes.len() > MOST_OF_A_RECORD {
        return None;
    }
    let name = file::Name::of(&found.record, found.check)?;
    // An edit within the same second changes the check.
    let version = format!("{} {}", answer.updated_at, data_encoding::HEXLOWER.encode(&found.check));
    let (not_after, size) = (found.record.not_after, found.record.bytes.len() as u64);
    Some((Comment { id: answer.id, author: answer.user, name, not_after, version, size }, found.record))
}
