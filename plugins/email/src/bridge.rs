//! The bridge: what is published goes out as a mail, and what is found came as one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Fetch, Locator, Monotonic, Probe,
    Receipt, Record, RecordStream, RingTarget, Timestamp, Watch, file,
};

use crate::address::{Address, Others};
use crate::compose::{self, Frame, SUBJECT_TOKEN};
use crate::error::EmailError;
use crate::imap::{Account, Hands, Idler, Mailbox, Signal, records};
use crate::ledger::Ledger;
use crate::note::{MOST_TOKENS, Note, Token};
use crate::receipt::Stub;
use crate::smtp::Mailer;

/// How long to wait between two rings.
const BETWEEN_RINGS: Duration = Duration::from_secs(60 * 60);

/// Mail between two addresses, or on a list.
pub struct EmailBridge(Arc<Inner>);

/// What the bridge and its streams hold.
pub(crate) struct Inner {
    pub(crate) own: Address,
    pub(crate) others: Others,
    pub(crate) capability: Capability,
    pub(crate) locators: Vec<Locator>,
    pub(crate) context: BridgeContext,
    pub(crate) account: Arc<Account>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) hands: Hands,
    pub(crate) mailer: Arc<Mailer>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) idler: Mutex<Weak<Idler>>,
    pub(crate) rung: Mutex<Option<Monotonic>>,
}

impl EmailBridge {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Inner {
    /// Sends what the budget allows.
    async fn send(&self, subject: &str, about: &str, note: Option<Vec<u8>>) -> Result<(), EmailError> {
        let now = self.context.clock.now();
        let mut unique = [0; 16];
        self.context.entropy.fill(&mut unique);
        let place = self.locators.first().map(ToString::to_string).unwrap_or_default();
        let frame = Frame {
            from: &self.own,
            to: self.others.address(),
            subject,
            now,
            unique,
            follows: &[compose::thread(&place, &self.own, now)],
            automatic: true,
        };
        let mail = match note {
            Some(note) => frame.note(about, note)?,
            None => frame.text(about)?,
        };
        self.ledger.spend(now)?;
        let sent = self.mailer.send(mail).await;
        if sent.is_err() {
            self.ledger.give_back();
        }
        sent
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, EmailError> {
        let (len, class) = (record.bytes.len(), record.class);
        let too_large = || EmailError::RecordTooLarge { class, len, max: file::max_record(class) };
        let (_, check) = file::encode(record).ok_or_else(too_large)?;
        let stub = |token| Stub { class, token, not_after: record.not_after }.receipt();
        // One record is one mail, however often it is published.
        if let Some(token) = self.ledger.token(check) {
            return stub(token);
        }
        let mut token = Token([0; 16]);
        self.context.entropy.fill(&mut token.0);
        let note = Note::Record { id: token.id(), record: record.clone() }.encode().ok_or_else(too_large)?;
        let about = compose::about_record(&self.own, &self.others);
        self.send(&compose::record_subject(), &about, Some(note)).await?;
        self.ledger.sent(check, token, record.not_after, self.context.clock.now())?;
        self.mailbox.index().published(token.id(), record.clone());
        stub(token)
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), EmailError> {
        let now = self.context.clock.now();
        let stubs = receipts.iter().filter_map(Stub::read);
        // Where a class does not promise it, the mail goes by itself once it is over: no other mail is sent about it.
        let promised =
            stubs.filter(|stub| self.capability.class(stub.class).is_some_and(|class| class.retract));
        let due = promised.filter(|stub| !file::over(stub.not_after, now) && self.ledger.knows(stub.token));
        let due: BTreeMap<Token, Timestamp> = due.map(|stub| (stub.token, stub.not_after)).collect();
        let due: Vec<(Token, Timestamp)> = due.into_iter().collect();
        for part in due.chunks(MOST_TOKENS) {
            let tokens: Vec<Token> = part.iter().map(|(token, _)| *token).collect();
            let ids: BTreeSet<_> = tokens.iter().map(Token::id).collect();
            let not_after = part.iter().map(|(_, until)| *until).max().unwrap_or_default();
            let note =
                Note::TakenBack { not_after, tokens: tokens.clone() }.encode().ok_or(EmailError::Lost)?;
            let subject = format!("A sealed note is not needed any more ({SUBJECT_TOKEN})");
            self.send(&subject, &compose::about_taking_back(&self.own), Some(note)).await?;
            self.ledger.taken_back(&tokens)?;
            self.mailbox.index().took_back(&ids);
        }
        Ok(())
    }

    /// Looks at the mailbox, and hands out a page.
    async fn fetch(&self, request: Fetch) -> Result<Batch, EmailError> {
        let (mailbox, clock) = (Arc::clone(&self.mailbox), Arc::clone(&self.context.clock));
        self.hands
            .run(move |connection| {
                connection.look()?;
                mailbox.sync(connection, clock.now(), || {})
            })
            .await?;
        self.page(&request).await
    }

    /// A page of what is known.
    async fn page(&self, request: &Fetch) -> Result<Batch, EmailError> {
        let page = self.mailbox.index().plan(request);
        let unread = page.unread.clone();
        let read = match unread.is_empty() {
            true => Vec::new(),
            false => self.hands.run(move |connection| records(connection, &unread)).await?,
        };
        Ok(self.mailbox.index().batch(page, read, &request.keys))
    }

    /// Whoever waits for news; started where nobody does yet.
    fn idler(&self) -> Result<Arc<Idler>, EmailError> {
        let mut idler = self.idler.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = idler.upgrade().filter(|running| !running.is_over()) {
            return Ok(running);
        }
        let started = Arc::new(Idler::start(Arc::clone(&self.account), Arc::clone(&self.mailbox))?);
        *idler = Arc::downgrade(&started);
        Ok(started)
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), EmailError> {
        let to = self.others.address();
        if Address::parse(&target.0).as_ref() != Some(to) {
            return Err(EmailError::NotRung(to.to_string()));
        }
        let now = self.context.clock.monotonic();
        {
            let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(since) = rung.map(|rung| now.since(rung)).filter(|since| *since < BETWEEN_RINGS) {
                return Err(EmailError::Rung { wait: BETWEEN_RINGS.saturating_sub(since) });
            }
            *rung = Some(now);
        }
        let text = format!(
            "{} would like to reach you through wayside.\r\n\r\nStart it where it runs, or look at \"wayside status\" there.\r\n",
            self.own
        );
        let rang = self.send("Somebody would like to reach you (wayside)", &text, None).await;
        if rang.is_err() {
            *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        rang
    }

    async fn probe(&self) -> Result<Probe, EmailError> {
        let clock = &self.context.clock;
        let started = clock.monotonic();
        let idles = self
            .hands
            .run(|connection| {
                connection.look()?;
                Ok(connection.idles)
            })
            .await?;
        let latency = clock.monotonic().since(started);
        self.mailer.probe().await?;
        let (left, daily) = self.ledger.left(clock.now());
        let slow = (!idles).then(|| {
            format!(
                "the server tells no news by itself (IDLE), so it is asked every {} s",
                self.account.pace.poll.as_secs()
            )
        });
        let spent = (left == 0).then(|| format!("all {daily} mails of today's budget were sent"));
        let notes: Vec<String> = self.account.login.note().into_iter().chain(slow).chain(spent).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Ok(Probe::new(latency).with_note(note))
    }
}

#[async_trait]
impl Bridge for EmailBridge {
    fn info(&self) -> BridgeInfo {
        let title = match &self.0.others {
            Others::One(other) => format!("mail with {other}"),
            Others::List(list) => format!("the mailing list {list}"),
        };
        BridgeInfo::new(crate::KIND, title, self.0.locators.clone())
    }

    fn capability(&self) -> &Capability {
        &self.0.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.0.capability.permit_publish(record)?;
        Ok(self.0.publish(record).await?)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.0.capability.permit_fetch(&request, &self.0.locators)?;
        Ok(self.0.fetch(request).await?)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.0.capability.permit_watch(&request, &self.0.locators)?;
        let idler = self.0.idler()?;
        let mut news = idler.news();
        let ready = |signal: &Signal| signal.looks > 0 || signal.over.is_some();
        let first = news.wait_for(ready).await.map_err(|_| EmailError::Lost)?.clone();
        if let Some(error) = first.over {
            return Err(error.into());
        }
        let request = Fetch::new(request.place, request.keys).after(request.cursor);
        let watching = Watching { inner: Arc::clone(&self.0), idler, news, request };
        Ok(futures::stream::try_unfold(Some(watching), |watching| async move {
            let Some(mut watching) = watching else { return Ok(None) };
            let batch = watching.next().await?;
            Ok(Some((batch, Some(watching))))
        })
        .boxed())
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        if receipts.is_empty() {
            return Ok(());
        }
        self.0.capability.permit_retract()?;
        Ok(self.0.retract(receipts).await?)
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.0.capability.permit_ring(target)?;
        Ok(self.0.ring(target).await?)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        Ok(self.0.probe().await?)
    }
}

/// A stream's own.
struct Watching {
    inner: Arc<Inner>,
    /// Held, so that it goes on.
    #[expect(dead_code, reason = "what it holds is the thread that waits")]
    idler: Arc<Idler>,
    news: tokio::sync::watch::Receiver<Signal>,
    request: Fetch,
}

impl Watching {
    async fn next(&mut self) -> Result<Batch, EmailError> {
        loop {
            let signal = self.news.borrow_and_update().clone();
            let more = self.inner.mailbox.index().has_more(&self.request);
            if more {
                let batch = self.inner.page(&self.request).await?;
                self.request.cursor.clone_from(&batch.cursor);
                return Ok(batch);
            }
            if let Some(error) = signal.over {
                return Err(error);
            }
            self.news.changed().await.map_err(|_| EmailError::Lost)?;
        }
    }
}

impl fmt::Debug for EmailBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailBridge")
            .field("own", &self.0.own)
            .field("others", &self.0.others)
            .finish_non_exhaustive()
    }
}
