//! One logged-in connection with the mailbox selected.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use imap::types::{Mailbox, UnsolicitedResponse};
use imap::{Client, Error, Session};
use rustls::ClientConfig;
use wayside_bridge::Clock;

use super::login::log_in;
use super::stream::{Cutter, Limits, Stream, lost};
use super::uids::{parts, set};
use crate::error::{EmailError, said};
use crate::pace::Pace;
use crate::parse::MOST_OF_A_MAIL;
use crate::secret::Login;
use crate::server::Server;

/// How many mails one command names.
const AT_ONCE: usize = 400;

/// Whose mailbox is read, and where.
pub(crate) struct Account {
    pub(crate) server: Server,
    pub(crate) login: Login,
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) mailbox: String,
    pub(crate) pace: Pace,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What tells whether anything changed while we were away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    next: Option<u32>,
    exists: u32,
    /// With CONDSTORE alone (RFC 7162); without it nothing is ever known to be as it was.
    mod_seq: Option<u64>,
}

/// What the server has told since it was last asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct News {
    /// There may be new mail.
    pub(crate) more: bool,
    /// Some is gone.
    pub(crate) less: bool,
}

/// A mail's number and size, with its first bytes where they were asked for.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) uid: u32,
    pub(crate) bytes: Vec<u8>,
}

/// A connection.
pub(crate) struct Connection {
    session: Session<Stream>,
    limits: Arc<Limits>,
    server: Server,
    pub(crate) validity: u32,
    mark: Mark,
    /// Whether nothing was asked yet since it was made.
    fresh: bool,
    pub(crate) news: News,
    pub(crate) idles: bool,
    uid_plus: bool,
    moves: bool,
}

impl Connection {
    /// Connects, logs in and selects the mailbox.
    pub(crate) fn open(account: &Account, cutter: &Cutter) -> Result<Self, EmailError> {
        let server = &account.server;
        let limits = Limits::new(Arc::clone(&account.clock), account.pace.patience);
        let (stream, greeted) = Stream::connect(server, &account.config, Arc::clone(&limits), cutter)?;
        let mut client = Client::new(stream);
        if !greeted {
            let greeting = client.read_greeting().map_err(|error| failed(server, error))?;
            if !greeting.starts_with(b"* OK") {
                let what = said(&String::from_utf8_lossy(&greeting));
                return Err(EmailError::Garbled { host: server.to_string(), what });
            }
        }
        limits.renew(Duration::ZERO);
        // The command for it may ask a person.
        let secret = account.login.secret()?;
        limits.renew(Duration::ZERO);
        let mut session = log_in(client, account, &secret)?;
        let known = session.capabilities().map_err(|error| failed(server, error))?;
        let (idles, uid_plus, moves) =
            (known.has_str("IDLE"), known.has_str("UIDPLUS"), known.has_str("MOVE"));
        if known.has_str("CONDSTORE") && known.has_str("ENABLE") {
            // Until somebody asks for it a server need not count changes (RFC 7162, section 3.1), and Dovecot does not tell them. It is no matter where it refuses.
            let _ = session.run_command_and_check_ok("ENABLE CONDSTORE");
        }
        let selected = session.select(&account.mailbox).map_err(|error| match error {
            Error::No(no) => EmailError::Mailbox {
                host: server.to_string(),
                name: account.mailbox.clone(),
                said: said(&no.information),
            },
            error => failed(server, error),
        })?;
        let (validity, mark) = (selected.uid_validity.unwrap_or_default(), mark(&selected));
        let news = News { more: true, less: true };
        Ok(Self {
            session,
            limits,
            server: server.clone(),
            validity,
            mark,
            fresh: true,
            news,
            idles,
            uid_plus,
            moves,
        })
    }

    /// Once, for whoever asks first: how the mailbox was when the connection was made.
    pub(crate) fn first_mark(&mut self) -> Option<Mark> {
        std::mem::take(&mut self.fresh).then_some(self.mark)
    }

    /// Asks for news.
    pub(crate) fn look(&mut self) -> Result<(), EmailError> {
        self.ask(|session| session.noop())
    }

    /// Waits for news, at most so long.
    pub(crate) fn idle(&mut self, longest: Duration) -> Result<(), EmailError> {
        self.limits.renew(longest);
        let mut news = News::default();
        let waited = {
            let mut handle = self.session.idle();
            handle.timeout(longest).keepalive(false);
            handle.wait_while(|told| {
                news = news.and(&told);
                !news.any()
            })
        };
        waited.map_err(|error| failed(&self.server, error))?;
        self.news = News { more: self.news.more || news.more, less: self.news.less || news.less };
        Ok(())
    }

    /// The highest number there is; `None` in an empty mailbox.
    pub(crate) fn highest(&mut self) -> Result<Option<u32>, EmailError> {
        match self.ask(|session| session.fetch("*", "(UID)")) {
            Ok(found) => Ok(found.iter().filter_map(|mail| mail.uid).max()),
            // Some servers have no `*` in an empty mailbox.
            Err(EmailError::Garbled { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The numbers from this one on of mails that these keys of IMAP's describe.
    pub(crate) fn search(&mut self, from: u32, keys: &str) -> Result<BTreeSet<u32>, EmailError> {
        let query = format!("UID {from}:* {keys}");
        let found = self.ask(|session| session.uid_search(&query))?;
        // `n:*` is at least the last mail, be it before `n` (RFC 3501, section 6.4.8).
        Ok(found.into_iter().filter(|uid| *uid >= from).collect())
    }

    /// Which of these numbers are still there.
    pub(crate) fn still(&mut self, uids: &BTreeSet<u32>) -> Result<BTreeSet<u32>, EmailError> {
        let mut there = BTreeSet::new();
        for part in parts(uids, AT_ONCE) {
            let query = format!("UID {}", set(&part));
            there.extend(self.ask(|session| session.uid_search(&query))?);
        }
        Ok(there)
    }

    /// Mails with their sizes.
    pub(crate) fn sizes(&mut self, uids: &BTreeSet<u32>) -> Result<Vec<(u32, u32)>, EmailError> {
        let mut sizes = Vec::new();
        for part in parts(uids, AT_ONCE) {
            let found = self.ask(|session| session.uid_fetch(set(&part), "(UID RFC822.SIZE)"))?;
            sizes.extend(found.iter().filter_map(|mail| mail.uid.zip(mail.size)));
        }
        Ok(sizes)
    }

    /// Mails with what is in them, at most so much of each. Whether they are marked as read does not change.
    pub(crate) fn read(&mut self, uids: &BTreeSet<u32>) -> Result<Vec<Mail>, EmailError> {
        let query = format!("(UID BODY.PEEK[]<0.{MOST_OF_A_MAIL}>)");
        let found = self.ask(|session| session.uid_fetch(set(uids), &query))?;
        let mails = found.iter().filter_map(|mail| {
            Some(Mail { uid: mail.uid?, bytes: mail.body().unwrap_or_default().to_vec() })
        });
        Ok(mails.collect())
    }

    /// Marks these as read.
    pub(crate) fn mark_read(&mut self, uids: &BTreeSet<u32>) -> Result<(), EmailError> {
        self.store(uids, "+FLAGS.SILENT (\\Seen)")
    }

    /// Deletes these, or moves them to a folder, which is made where it is not there.
    pub(crate) fn put_away(&mut self, uids: &BTreeSet<u32>, folder: Option<&str>) -> Result<(), EmailError> {
        for part in parts(uids, AT_ONCE) {
            match folder {
                Some(folder) => self.move_to(&part, folder)?,
                None => self.delete(&part)?,
            }
        }
        Ok(())
    }

    fn move_to(&mut self, uids: &BTreeSet<u32>, folder: &str) -> Result<(), EmailError> {
        let (moves, set) = (self.moves, set(uids));
        let attempt = |connection: &mut Self| {
            connection.ask(|session| match moves {
                true => session.uid_mv(&set, folder),
                false => session.uid_copy(&set, folder),
            })
        };
        if attempt(self).is_err() {
            // A folder that is there already is no obstacle.
            let _ = self.ask(|session| session.create(folder));
            attempt(self)?;
        }
        if moves { Ok(()) } else { self.delete(uids) }
    }

    /// Without UIDPLUS (RFC 4315) a mail can be removed only along with whatever else is marked for it, which is not ours to do: then ours are marked alone.
    fn delete(&mut self, uids: &BTreeSet<u32>) -> Result<(), EmailError> {
        self.store(uids, "+FLAGS.SILENT (\\Deleted)")?;
        if self.uid_plus {
            self.ask(|session| session.uid_expunge(set(uids)))?;
        }
        Ok(())
    }

    fn store(&mut self, uids: &BTreeSet<u32>, flags: &str) -> Result<(), EmailError> {
        for part in parts(uids, AT_ONCE) {
            self.ask(|session| session.uid_store(set(&part), flags))?;
        }
        Ok(())
    }

    fn ask<T>(
        &mut self,
        command: impl FnOnce(&mut Session<Stream>) -> imap::error::Result<T>,
    ) -> Result<T, EmailError> {
        self.limits.renew(Duration::ZERO);
        let answer = command(&mut self.session).map_err(|error| failed(&self.server, error));
        for told in self.session.take_all_unsolicited() {
            self.news = self.news.and(&told);
        }
        answer
    }
}

impl News {
    /// Whether there are any.
    pub(crate) const fn any(self) -> bool {
        self.more || self.less
    }

    fn and(self, told: &UnsolicitedResponse) -> Self {
        match told {
            UnsolicitedResponse::Exists(_) => Self { more: true, ..self },
            UnsolicitedResponse::Expunge(_) | UnsolicitedResponse::Vanished { .. } => {
                Self { less: true, ..self }
            }
            _ => self,
        }
    }
}

impl Mark {
    /// Whether the mailbox is as it was.
    pub(crate) fn same(self, earlier: Option<Self>) -> bool {
        self.mod_seq.is_some() && self.next.is_some() && earlier == Some(self)
    }
}

fn mark(selected: &Mailbox) -> Mark {
    Mark { next: selected.uid_next, exists: selected.exists, mod_seq: selected.highest_mod_seq }
}

pub(super) fn failed(server: &Server, error: Error) -> EmailError {
    let host = server.to_string();
    match error {
        Error::Io(error) => lost(server, &error),
        Error::ConnectionLost => EmailError::HungUp { host, reason: "the connection was closed".to_owned() },
        Error::Bye(bye) => EmailError::HungUp { host, reason: said(&bye.information) },
        Error::No(no) => EmailError::Garbled { host, what: said(&no.information) },
        Error::Bad(bad) => EmailError::Garbled { host, what: said(&bad.information) },
        // What a parser could not read may be anything, also long: it is not shown.
        _ => EmailError::Garbled { host, what: "this is not what IMAP servers say".to_owned() },
    }
}
