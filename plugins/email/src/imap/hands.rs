//! A thread with a connection, for one thing after another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use super::connection::{Account, Connection};
use super::stream::Cutter;
use crate::error::EmailError;

/// The most that waits.
const MOST_WAITING: usize = 256;

type Job = Box<dyn FnOnce(&mut Reach) + Send>;

/// The thread. It ends when this is dropped, whatever the server does.
pub(crate) struct Hands {
    jobs: mpsc::SyncSender<Job>,
    cutter: Cutter,
}

/// The connection, made when it is needed.
pub(crate) struct Reach {
    account: Arc<Account>,
    cutter: Cutter,
    connection: Option<Connection>,
}

impl Hands {
    /// Starts it. Contacts nothing yet.
    pub(crate) fn start(account: Arc<Account>) -> Result<Self, EmailError> {
        let (sender, jobs) = mpsc::sync_channel::<Job>(MOST_WAITING);
        let cutter = Cutter::default();
        let mut reach = Reach { account, cutter: cutter.clone(), connection: None };
        let work = move || {
            while let Ok(job) = jobs.recv() {
                // What a parser of hostile answers panics at costs this job and this connection, not the bridge.
                if catch_unwind(AssertUnwindSafe(|| job(&mut reach))).is_err() {
                    reach.connection = None;
                }
            }
        };
        std::thread::Builder::new()
            .name("wayside-email".to_owned())
            .spawn(work)
            .map_err(|_| EmailError::Lost)?;
        Ok(Self { jobs: sender, cutter })
    }

    /// Has it done. Dropping the future leaves it to be done all the same. Done twice where the connection had been closed in between.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut Connection) -> Result<T, EmailError> + Send + 'static,
    ) -> Result<T, EmailError> {
        let (answer, done) = oneshot::channel();
        let job: Job = Box::new(move |reach| {
            // Who asked may have gone.
            let _ = answer.send(reach.run(job));
        });
        self.jobs.try_send(job).map_err(|_| EmailError::Crowded)?;
        done.await.unwrap_or(Err(EmailError::Lost))
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.cutter.cut();
    }
}

impl Reach {
    fn run<T>(
        &mut self,
        mut job: impl FnMut(&mut Connection) -> Result<T, EmailError>,
    ) -> Result<T, EmailError> {
        if let Some(mut connection) = self.connection.take() {
            match job(&mut connection) {
                // Servers close connections that were idle; another one may do.
                Err(error) if error.is_hang_up() => {}
                Err(error) => return Err(error),
                Ok(done) => {
                    self.connection = Some(connection);
                    return Ok(done);
                }
            }
        }
        let mut connection = Connection::open(&self.account, &self.cutter)?;
        let done = job(&mut connection)?;
        self.connection = Some(connection);
        Ok(done)
    }
}
