//! The bridge: each method looks at the branch, or wishes something of it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision,
    Delivery, ErrorKind, Fetch, Locator, Probe, Receipt, Record, RecordStream, RingTarget, Visibility, Watch,
    file,
};

use crate::error::GitError;
use crate::git::Git;
use crate::queue::Queue;
use crate::state::State;
use crate::write::{self, Wish, Writer};

/// Records stay until they expire; nobody is held to more than this.
const RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A branch of a repository.
pub(crate) struct GitBridge {
    git: Git,
    branch: String,
    locator: Locator,
    capability: Capability,
    state: Mutex<State>,
    writer: Writer,
    queue: Queue<Wish, Result<Option<crate::tree::Oid>, GitError>>,
}

impl GitBridge {
    /// The bridge to a branch. Contacts nobody.
    pub(crate) fn new(
        git: Git,
        branch: &str,
        locator: Locator,
        poll: Duration,
        context: &BridgeContext,
    ) -> Result<Self, GitError> {
        let state = State::new(branch, context.state_dir.as_deref(), context)
            .map_err(|error| GitError::Start(format!("no temporary folder: {error}")))?;
        Ok(Self {
            git,
            branch: branch.to_owned(),
            locator,
            capability: capability(poll),
            state: Mutex::new(state),
            writer: Writer::new(),
            queue: Queue::new(),
        })
    }

    async fn wish(&self, wish: Wish) -> Result<Option<crate::tree::Oid>, GitError> {
        let fulfil = |wishes: Vec<Wish>| async move {
            match self.writer.fulfil(&self.git, &self.state, &wishes).await {
                Ok(put) => put.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error); wishes.len()],
            }
        };
        self.queue.want(wish, fulfil).await
    }

    async fn page(&self, request: &Fetch) -> Result<Batch, GitError> {
        let mut state = self.state.lock().await;
        match state.page(&self.git, request).await {
            Err(error) if error.is_about_the_cache() => {
                tracing::debug!(%error, "a repository's cache is made anew");
                state.cache.discard().await?;
                state.page(&self.git, request).await
            }
            page => page,
        }
    }
}

#[async_trait]
impl Bridge for GitBridge {
    fn info(&self) -> BridgeInfo {
        BridgeInfo::new(
            crate::KIND,
            format!("repository {}, branch {}", self.git.remote.place(), self.branch),
            vec![self.locator.clone()],
        )
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let wish = Wish::record(record)?;
        let Wish::Put { name, .. } = &wish else { return Err(GitError::Key.into()) };
        let name = name.clone();
        let oid = self.wish(wish).await?;
        let receipt = oid.and_then(|oid| write::receipt(&name, &oid));
        receipt.ok_or_else(|| BridgeError::new(ErrorKind::Internal, "a publication has no receipt"))
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, std::slice::from_ref(&self.locator))?;
        Ok(self.page(&request).await?)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, std::slice::from_ref(&self.locator))?;
        Err(BridgeError::unsupported("a repository is polled: it has nothing to watch"))
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        match Wish::without(receipts) {
            Wish::Take(files) if files.is_empty() => Ok(()),
            wish => Ok(self.wish(wish).await.map(drop)?),
        }
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)?;
        Err(BridgeError::unsupported("a repository cannot make a device notice"))
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let cache = {
            let mut state = self.state.lock().await;
            state.settle(&self.git).await?;
            state.cache.path().to_owned()
        };
        let began = self.git.clock.monotonic();
        let reading = async {
            let refs = self.git.refs(&cache, &self.branch, false).await;
            (refs, self.git.clock.monotonic().since(began))
        };
        // What a host lets everybody read it may let nobody write, and only a push's beginning tells.
        let ((refs, latency), writing) = futures::join!(reading, self.git.may_push(&cache, &self.branch));
        refs?;
        let denied = writing.err().filter(GitError::is_denied).or_else(|| self.writer.turned_down().clone());
        let note = denied.map(|error| format!("it can only be read: {error}"));
        Ok(Probe::new(latency).with_note(note))
    }
}

impl fmt::Debug for GitBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitBridge")
            .field("place", &self.git.remote.place())
            .field("branch", &self.branch)
            .finish_non_exhaustive()
    }
}

fn capability(poll: Duration) -> Capability {
    let class = |class| {
        let collision = if class == Class::Pointer { Collision::Overwrite } else { Collision::Append };
        let max_record = file::max_record(class);
        (class, ClassCapability::new(max_record, RETENTION, collision, true))
    };
    let phrases = |phrases: &[&str]| phrases.iter().map(|&phrase| phrase.to_owned()).collect();
    let visible = Visibility {
        service: phrases(&[
            "your account or key at the git host, and your IP address there",
            "when you look, and when you publish and take back",
            "how many records there are, their sizes, when they were written and when they expire",
            "which records belong under one slot, and public names as they are",
            "what was taken back, for as long as the host keeps what no branch holds any more",
        ]),
        readers: phrases(&[
            "which account pushed to the branch and when, where the host shows that",
            "how many records there are, their sizes, when they were written and when they expire",
            "which records belong under one slot, and public names as they are",
        ]),
    };
    Capability::new(Class::ALL.into_iter().map(class), Delivery::Poll { interval: poll }, visible)
}
