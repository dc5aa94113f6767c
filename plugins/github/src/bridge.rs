//! The bridge: each method is a question to GitHub, or waits for its turn to write.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision,
    Delivery, Fetch, Key, Keys, Locator, Monotonic, Probe, Receipt, Record, RecordStream, RingTarget,
    Visibility, Watch, file,
};

use crate::api::ApiUrl;
use crate::branch::{Branch, FOUND_FOR, MOST_NAMES, card_name};
use crate::client::Client;
use crate::error::GitHubError;
use crate::index::{Index, Item};
use crate::issue::{self, Issue};
use crate::pace::Pace;
use crate::queue::{Outgoing, Queue, Task, Waiting, Writer};
use crate::repo::{self, Repo, Spot};

/// Files stay until they expire; nobody is held to more than this.
const RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// For how long after a look its further pages are handed out without another.
const SAME_WALK: Duration = Duration::from_secs(10);
/// The least time between looks without a token: github.com gives an address 60 requests an hour then, and counts "not modified" too.
const POLL_WITHOUT_TOKEN: Duration = Duration::from_secs(180);
/// How many records are read at once.
const READS_AT_ONCE: usize = 4;

/// A repository at GitHub, or one issue of it.
pub struct GitHubBridge {
    place: Arc<Place>,
    client: Arc<Client>,
    context: BridgeContext,
    capability: Capability,
    locators: Vec<Locator>,
    index: Mutex<Index>,
    /// When the place was last looked at.
    looked: Mutex<Option<Monotonic>>,
    queue: Queue,
}

/// Where records are.
enum Place {
    Branch(Branch),
    Issue(Issue),
}

impl GitHubBridge {
    /// Opens a branch or an issue of a repository. Contacts nothing.
    pub(crate) fn open(
        (api, repo, spot): (ApiUrl, Repo, Spot),
        token_file: Option<&Path>,
        pace: Pace,
        context: BridgeContext,
    ) -> Result<Self, GitHubError> {
        let mut pace = pace;
        if token_file.is_none() && api.is_github() {
            pace.poll = pace.poll.max(POLL_WITHOUT_TOKEN);
        }
        let locators = repo::locators(&api, &repo, &spot);
        let capability = capability(&spot, pace.poll);
        let client = Client::new((api, repo, spot.clone()), token_file, Arc::clone(&context.clock), pace)?;
        let client = Arc::new(client);
        let place = match spot {
            Spot::Branch(name) => Place::Branch(Branch::new(Arc::clone(&client), name, context.clone())),
            Spot::Issue(number) => Place::Issue(Issue::new(Arc::clone(&client), number, context.clone())),
        };
        let index = Mutex::new(Index::new(context.entropy.as_ref()));
        Ok(Self {
            place: Arc::new(place),
            client,
            context,
            capability,
            locators,
            index,
            looked: Mutex::default(),
            queue: Queue::default(),
        })
    }

    async fn run(&self, task: Task) -> Result<Option<Receipt>, GitHubError> {
        self.queue.run(task, Arc::clone(&self.place), self.context.spawner.as_ref()).await
    }

    /// The next page of what was just listed needs no other look.
    async fn look_unless_enough(&self, request: &Fetch) -> Result<u64, GitHubError> {
        let now = self.context.clock.monotonic();
        let recent = self.looked().is_some_and(|looked| now.since(looked) < SAME_WALK);
        if recent && request.cursor.is_some() && self.index().plan(request).more {
            return Ok(0);
        }
        let others = self.look(&request.keys).await?;
        *self.looked() = Some(now);
        Ok(others)
    }

    /// Looks whether anything has changed; tells how much is there that is none of ours.
    async fn look(&self, keys: &Keys) -> Result<u64, GitHubError> {
        let (listed, others) = match self.place.as_ref() {
            Place::Branch(branch) => branch.list().await?,
            Place::Issue(issue) => issue.list().await?,
        };
        self.index().update(listed, |id| card_name(id).is_none());
        if let (Place::Branch(branch), Keys::These(keys)) = (self.place.as_ref(), keys) {
            for name in keys.iter().filter_map(public_name) {
                let card = branch.card(name).await?;
                self.index().update(card.into_iter().collect(), |id| card_name(id) == Some(name));
            }
        }
        Ok(others)
    }

    async fn page(&self, request: &Fetch) -> Result<Batch, GitHubError> {
        if let Keys::These(keys) = &request.keys
            && keys.iter().filter_map(public_name).count() > MOST_NAMES
        {
            return Err(GitHubError::ManyNames(MOST_NAMES));
        }
        let others = self.look_unless_enough(request).await?;
        let mut page = self.index().plan(request);
        let unread: Vec<Item> = page.items.iter().filter(|item| item.record.is_none()).cloned().collect();
        let read: Vec<Option<(String, Record)>> = futures::stream::iter(unread)
            .map(|item| async move {
                let record = self.place.read(&item).await?;
                self.index().read(&item, record.as_ref());
                Ok::<_, GitHubError>(record.map(|record| (item.id, record)))
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let mut read: BTreeMap<String, Record> = read.into_iter().flatten().collect();
        let now = self.context.clock.now();
        for item in &mut page.items {
            item.record = item.record.take().or_else(|| read.remove(&item.id));
            // A card was looked at just now, whenever it was read.
            if let Some(record) = item.record.as_mut().filter(|_| card_name(&item.id).is_some()) {
                record.not_after = now.saturating_add(FOUND_FOR);
            }
            item.record = item.record.take().filter(|record| !file::over(record.not_after, now));
        }
        Ok(self.index().batch(&page, &request.keys, others))
    }

    fn looked(&self) -> MutexGuard<'_, Option<Monotonic>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a person should know.
    async fn note(&self) -> Result<(Option<String>, Option<wayside_bridge::Timestamp>), GitHubError> {
        let (trouble, headers) = match self.place.as_ref() {
            Place::Branch(branch) => {
                let (answer, headers) = branch.repo().await?;
                let pushes = answer.permissions.is_some_and(|permissions| permissions.push);
                let trouble = if answer.archived {
                    Some("the repository is archived: this bridge only reads")
                } else if self.client.token().is_some() && !pushes {
                    Some("the token's owner may not write to this repository: this bridge only reads")
                } else {
                    None
                };
                (trouble, headers)
            }
            Place::Issue(issue) => {
                let (answer, headers) = issue.issue().await?;
                (
                    answer.locked.then_some(
                        "the issue is locked: only who may write to the repository comments on it",
                    ),
                    headers,
                )
            }
        };
        let token = match self.client.token() {
            None => Some("no --token-file: this bridge only reads"),
            Some(token) if token.exposed => {
                Some("others on this machine may read the token file: chmod 600 it")
            }
            Some(_) => None,
        };
        let notes: Vec<&str> = trouble.into_iter().chain(token).collect();
        Ok(((!notes.is_empty()).then(|| notes.join("; ")), crate::gate::service_time(&headers)))
    }
}

impl Place {
    async fn read(&self, item: &Item) -> Result<Option<Record>, GitHubError> {
        match self {
            Self::Branch(branch) => branch.read(item).await,
            Self::Issue(issue) => issue.read(item).await,
        }
    }
}

impl Writer for Place {
    fn write(self: Arc<Self>, tasks: Vec<Waiting>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            match self.as_ref() {
                Self::Branch(branch) => branch.write(tasks).await,
                Self::Issue(issue) => issue.write(tasks).await,
            }
        })
    }
}

#[async_trait]
impl Bridge for GitHubBridge {
    fn info(&self) -> BridgeInfo {
        let (host, repo) = (self.client.api().host(), self.client.repo());
        let at = if self.client.api().is_github() { "GitHub" } else { host };
        let title = match self.client.spot() {
            Spot::Branch(branch) => format!("branch {branch} of {repo} at {at}"),
            Spot::Issue(number) => format!("issue {number} of {repo} at {at}"),
        };
        BridgeInfo::new(crate::KIND, title, self.locators.clone())
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let (len, class) = (record.bytes.len(), record.class);
        let too_large = || GitHubError::RecordTooLarge { class, len, max: file::max_record(class) };
        let (contents, check) = file::encode(record).ok_or_else(too_large)?;
        let name = file::Name::of(record, check).ok_or(GitHubError::Key)?;
        let receipt = self.run(Task::Publish(Outgoing { name, check, contents })).await?;
        Ok(receipt.ok_or(GitHubError::Lost)?)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, &self.locators)?;
        Ok(self.page(&request).await?)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, &self.locators)?;
        Err(BridgeError::unsupported("this bridge is polled: it has nothing to watch"))
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        if receipts.is_empty() {
            return Ok(());
        }
        Ok(self.run(Task::Retract(receipts.to_vec())).await.map(drop)?)
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let clock = &self.context.clock;
        let started = clock.monotonic();
        let (note, service_time) = self.note().await?;
        let latency = clock.monotonic().since(started);
        Ok(Probe::new(latency).with_service_time(service_time).with_note(note))
    }
}

impl fmt::Debug for GitHubBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHubBridge").field("client", &self.client).finish_non_exhaustive()
    }
}

fn public_name(key: &Key) -> Option<&str> {
    match key {
        Key::Name(name) => Some(name),
        Key::Slot(_) => None,
    }
}

fn capability(spot: &Spot, interval: Duration) -> Capability {
    let class = |class: Class| match spot {
        Spot::Branch(_) => {
            let collision = if class == Class::Pointer { Collision::Overwrite } else { Collision::Append };
            ClassCapability::new(file::max_record(class), RETENTION, collision, true)
        }
        // Whoever can comment could replace a pointer: so each is found beside the others.
        Spot::Issue(_) => {
            ClassCapability::new(issue::MOST_OF_A_RECORD, issue::RETENTION, Collision::Append, true)
        }
    };
    let phrases = |of: &[&str]| of.iter().map(|&phrase| phrase.to_owned()).collect();
    let readers: &[&str] = match spot {
        Spot::Branch(_) => &[
            "how many records there are, how large, and until when they are good",
            "which belong under one slot, and public names as they are",
            "in the repository's activity, which account pushed and when",
        ],
        Spot::Issue(_) => &[
            "your GitHub account beside each record, and when you left it",
            "how many records there are, and how large",
            "who watches the issue gets each by mail, where it stays",
        ],
    };
    let visible = Visibility {
        service: phrases(&[
            "the account that the token belongs to",
            "your IP address, and when you look",
            "everything that readers see, also after it was taken back",
        ]),
        readers: phrases(readers),
    };
    Capability::new(Class::ALL.into_iter().map(|one| (one, class(one))), Delivery::Poll { interval }, visible)
}
