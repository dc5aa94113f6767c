//! File operations, which block, off the tasks that must not.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::Semaphore;
use wayside_bridge::Clock;

use crate::error::DirError;

/// How long a folder may take to answer. A disk that spins up takes ten seconds; a hard NFS mount whose server is
/// gone takes for ever, and nothing can interrupt it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many operations are under way at once. A folder that does not answer holds so many threads and no more.
const AT_ONCE: usize = 8;

/// Runs blocking operations on one folder.
#[derive(Clone)]
pub(crate) struct Jobs {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    permits: Arc<Semaphore>,
}

impl Jobs {
    /// For the folder at a path, which is named in errors.
    pub(crate) fn new(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { path, clock, permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Runs one, to its end even when the returned future is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, DirError> + Send + 'static,
    ) -> Result<T, DirError> {
        let permits = Arc::clone(&self.permits);
        let work = pin!(async move {
            let permit = permits.acquire_owned().await.map_err(|_| DirError::Lost)?;
            let job = move || {
                let _permit = permit;
                job()
            };
            tokio::task::spawn_blocking(job).await.map_err(|_| DirError::Lost)?
        });
        match select(work, self.clock.sleep(PATIENCE)).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(DirError::Silent(self.path.clone())),
        }
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
