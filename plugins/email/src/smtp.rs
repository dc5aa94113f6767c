//! Sending mail: one connection, one mail after another, on a task of its own.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret;
use tokio::sync::{mpsc, oneshot};
use wayside_bridge::{Clock, Spawner};

use crate::compose::Outgoing;
use crate::error::EmailError;
use crate::pace::Pace;
use crate::pin;
use crate::refusal::{self, Step};
use crate::secret::Login;
use crate::server::Server;
use crate::tls::Trust;

/// The most mails that wait.
const MOST_WAITING: usize = 256;
/// How long a person may take to unlock a password.
const PERSON: Duration = Duration::from_secs(120);

/// Where mail is handed in, and by whom.
pub(crate) struct Submission {
    pub(crate) server: Server,
    pub(crate) login: Login,
    pub(crate) trust: Trust,
    pub(crate) pace: Pace,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Who sends.
#[derive(Debug)]
pub(crate) struct Mailer {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    /// Without one it is tried whether we are let in.
    mail: Option<Outgoing>,
    answer: oneshot::Sender<Result<(), EmailError>>,
}

impl Mailer {
    /// Starts the task. Contacts nothing yet.
    pub(crate) fn start(submission: Submission, spawner: &dyn Spawner) -> Self {
        let (jobs, waiting) = mpsc::channel(MOST_WAITING);
        spawner.spawn(Box::pin(work(submission, waiting)));
        Self { jobs }
    }

    /// Sends a mail. Dropping the future leaves it to be sent all the same.
    pub(crate) async fn send(&self, mail: Outgoing) -> Result<(), EmailError> {
        self.run(Some(mail)).await
    }

    /// Whether we are let in.
    pub(crate) async fn probe(&self) -> Result<(), EmailError> {
        self.run(None).await
    }

    async fn run(&self, mail: Option<Outgoing>) -> Result<(), EmailError> {
        let (answer, done) = oneshot::channel();
        self.jobs.send(Job { mail, answer }).await.map_err(|_| EmailError::Lost)?;
        done.await.unwrap_or(Err(EmailError::Lost))
    }
}

async fn work(submission: Submission, mut waiting: mpsc::Receiver<Job>) {
    let mut kept: Option<AsyncSmtpConnection> = None;
    loop {
        let job = match kept.take() {
            None => waiting.recv().await,
            Some(mut connection) => {
                let next = in_time(&submission, submission.pace.linger, waiting.recv()).await;
                match next {
                    Some(job) => {
                        kept = Some(connection);
                        job
                    }
                    None => {
                        // Whether it hears it does not matter.
                        let _ = in_time(&submission, submission.pace.patience, connection.quit()).await;
                        continue;
                    }
                }
            }
        };
        let Some(job) = job else { break };
        let done = submission.carry_out(job.mail, &mut kept).await;
        // Who asked may have gone.
        let _ = job.answer.send(done);
    }
    if let Some(mut connection) = kept {
        let _ = in_time(&submission, submission.pace.patience, connection.quit()).await;
    }
}

impl Submission {
    async fn carry_out(
        &self,
        mail: Option<Outgoing>,
        kept: &mut Option<AsyncSmtpConnection>,
    ) -> Result<(), EmailError> {
        if let Some(mut connection) = kept.take() {
            let done = match &mail {
                None => Ok(()),
                Some(mail) => self.transact(&mut connection, mail).await,
            };
            match done {
                // It was closed since the last mail: nothing was taken yet.
                Err(Failure { before_data: true, error }) if error.is_hang_up() => {}
                done => return keep(done, connection, kept),
            }
        }
        let mut connection = self.connect().await?;
        let done = match &mail {
            None => Ok(()),
            Some(mail) => self.transact(&mut connection, mail).await,
        };
        keep(done, connection, kept)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, EmailError> {
        let silent = || EmailError::Silent(self.server.to_string());
        let patience = self.pace.patience;
        let reached = in_time(self, patience, self.reach()).await.unwrap_or_else(|| Err(silent()))?;
        // What gives the password may ask a person first.
        in_time(self, patience + PERSON, self.enter(reached)).await.unwrap_or_else(|| Err(silent()))
    }

    /// Connected, under TLS but where the server has none and is on this machine.
    async fn reach(&self) -> Result<AsyncSmtpConnection, EmailError> {
        let (server, trust) = (&self.server, &self.trust);
        let failed = |error| refusal::of(server, &self.login, Step::Connect, &error);
        let connection = match self.shake_hands(true).await? {
            Err(error) if trust.is_pinned() && pin::failed_for_the_mark(&error) => {
                // Nothing of ours is said before its certificate is judged.
                let connection = self.shake_hands(false).await?.map_err(failed)?;
                let shown = connection.peer_certificate().map_err(failed)?;
                trust.judge(&server.host, &shown)?;
                connection
            }
            connection => connection.map_err(failed)?,
        };
        if !connection.is_encrypted() && !server.is_loopback() {
            return Err(server.in_the_clear());
        }
        Ok(connection)
    }

    /// Connects; under TLS where that comes first or is offered.
    async fn shake_hands(
        &self,
        judged: bool,
    ) -> Result<Result<AsyncSmtpConnection, lettre::transport::smtp::Error>, EmailError> {
        let server = &self.server;
        let parameters = self.trust.parameters(&server.host, judged)?;
        let (hello, patience) = (ClientId::default(), Some(self.pace.patience));
        let at = (server.host.as_str(), server.port);
        let first = server.implicit.then(|| parameters.clone());
        let connected = AsyncSmtpConnection::connect_tokio1(at, patience, &hello, first, None).await;
        Ok(match connected {
            Ok(mut connection) if !server.implicit && connection.can_starttls() => {
                connection.starttls(parameters, &hello).await.map(|()| connection)
            }
            connected => connected,
        })
    }

    async fn enter(&self, mut connection: AsyncSmtpConnection) -> Result<AsyncSmtpConnection, EmailError> {
        let mechanisms: &[Mechanism] = match self.login.token {
            true => &[Mechanism::Xoauth2],
            false => &[Mechanism::Plain, Mechanism::Login],
        };
        if connection.server_info().get_auth_mechanism(mechanisms).is_none() {
            let known = if self.login.token { "no access token (XOAUTH2)" } else { "no password" };
            return Err(EmailError::Login { host: self.server.to_string(), known: known.to_owned() });
        }
        let login = self.login.clone();
        // The command for it may ask a person, and blocks.
        let secret =
            tokio::task::spawn_blocking(move || login.secret()).await.map_err(|_| EmailError::Lost)??;
        let credentials = Credentials::new(self.login.user.clone(), secret.expose_secret().to_owned());
        connection
            .auth(mechanisms, &credentials)
            .await
            .map_err(|error| refusal::of(&self.server, &self.login, Step::Enter, &error))?;
        Ok(connection)
    }

    async fn transact(&self, connection: &mut AsyncSmtpConnection, mail: &Outgoing) -> Result<(), Failure> {
        let silent = || Failure { before_data: false, error: EmailError::Silent(self.server.to_string()) };
        in_time(self, self.pace.patience.saturating_mul(2), self.hand_in(connection, mail))
            .await
            .unwrap_or_else(|| Err(silent()))
    }

    async fn hand_in(&self, connection: &mut AsyncSmtpConnection, mail: &Outgoing) -> Result<(), Failure> {
        let failed = |step: Step<'_>, error| Failure {
            before_data: !matches!(step, Step::Data(_)),
            error: refusal::of(&self.server, &self.login, step, &error),
        };
        let to = mail.to.to_string();
        let (from, recipient) = (Some(mail.from.clone()), mail.to.clone());
        connection.command(Mail::new(from, vec![])).await.map_err(|error| failed(Step::From, error))?;
        connection
            .command(Rcpt::new(recipient, vec![]))
            .await
            .map_err(|error| failed(Step::To(&to), error))?;
        connection.command(Data).await.map_err(|error| failed(Step::To(&to), error))?;
        connection.message(&mail.bytes).await.map_err(|error| failed(Step::Data(&to), error))?;
        Ok(())
    }
}

struct Failure {
    /// Whether the mail had not been handed over yet.
    before_data: bool,
    error: EmailError,
}

/// A connection on which a mail went wrong is not used again.
fn keep(
    done: Result<(), Failure>,
    connection: AsyncSmtpConnection,
    kept: &mut Option<AsyncSmtpConnection>,
) -> Result<(), EmailError> {
    if done.is_ok() {
        *kept = Some(connection);
    }
    done.map_err(|failure| failure.error)
}

async fn in_time<T>(submission: &Submission, longest: Duration, doing: impl Future<Output = T>) -> Option<T> {
    let (doing, over) = (doing.fuse(), submission.clock.sleep(longest).fuse());
    futures::pin_mut!(doing, over);
    futures::select_biased! {
        done = doing => Some(done),
        () = over => None,
    }
}
