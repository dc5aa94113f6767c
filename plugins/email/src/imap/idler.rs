//! A thread that waits for news, as long as somebody wants them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::watch;

use super::connection::{Account, Connection};
use super::stream::Cutter;
use crate::error::EmailError;
use crate::imap::Mailbox;

/// How long to wait before each further try to connect; then whoever watches is told.
const AGAIN: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(10)];

/// What those who wait are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal {
    /// How often the mailbox was looked at.
    pub(crate) looks: u64,
    /// Why no more looks follow.
    pub(crate) over: Option<EmailError>,
}

/// The thread. It ends when this is dropped, whatever the server does.
#[derive(Debug)]
pub(crate) struct Idler {
    news: watch::Receiver<Signal>,
    cutter: Cutter,
    /// Dropped to wake the thread while it waits for nothing but time.
    _wake: mpsc::Sender<()>,
}

impl Idler {
    /// Starts it.
    pub(crate) fn start(account: Arc<Account>, mailbox: Arc<Mailbox>) -> Result<Self, EmailError> {
        let (sender, news) = watch::channel(Signal::default());
        let (wake, woken) = mpsc::channel();
        let cutter = Cutter::default();
        let work = Work { account, mailbox, cutter: cutter.clone(), news: sender, woken };
        std::thread::Builder::new()
            .name("wayside-email-idle".to_owned())
            .spawn(move || work.run())
            .map_err(|_| EmailError::Lost)?;
        Ok(Self { news, cutter, _wake: wake })
    }

    /// What is told from now on.
    pub(crate) fn news(&self) -> watch::Receiver<Signal> {
        self.news.clone()
    }

    /// Whether it has given up.
    pub(crate) fn is_over(&self) -> bool {
        self.news.borrow().over.is_some()
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        self.cutter.cut();
    }
}

struct Work {
    account: Arc<Account>,
    mailbox: Arc<Mailbox>,
    cutter: Cutter,
    news: watch::Sender<Signal>,
    woken: mpsc::Receiver<()>,
}

impl Work {
    fn run(self) {
        let mut failures = 0;
        loop {
            let before = self.news.borrow().looks;
            let ended = catch_unwind(AssertUnwindSafe(|| self.connected())).unwrap_or(Err(EmailError::Lost));
            if self.cutter.is_cut() {
                return;
            }
            let error = ended.err().unwrap_or(EmailError::Lost);
            // What worked for a while may work again.
            if self.news.borrow().looks > before + 1 {
                failures = 0;
            }
            let again = AGAIN.get(failures).filter(|_| error.passes());
            let Some(wait) = again else {
                self.news.send_modify(|signal| signal.over = Some(error));
                return;
            };
            failures += 1;
            tracing::debug!(%error, "the connection that waits for mail is made anew");
            if self.rest(*wait) {
                return;
            }
        }
    }

    /// Looks and waits until something fails.
    fn connected(&self) -> Result<(), EmailError> {
        let mut connection = Connection::open(&self.account, &self.cutter)?;
        loop {
            let now = self.account.clock.now();
            self.mailbox.sync(&mut connection, now, || self.news.send_modify(|signal| signal.looks += 1))?;
            // What the server has told meanwhile it does not tell again.
            if connection.news.any() {
                continue;
            }
            if connection.idles {
                connection.idle(self.account.pace.idle)?;
            } else {
                if self.rest(self.account.pace.poll) {
                    return Ok(());
                }
                connection.look()?;
            }
        }
    }

    /// Waits; tells whether nobody is interested any more.
    fn rest(&self, wait: Duration) -> bool {
        let woken = self.woken.recv_timeout(wait);
        self.cutter.is_cut() || woken == Err(mpsc::RecvTimeoutError::Disconnected)
    }
}
