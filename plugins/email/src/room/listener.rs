//! A thread that hears what is said on a list, as long as somebody listens.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wayside_bridge::{Incoming, Monotonic, RoomEvent, RoomEvents, Sender};

use super::letter::{Letter, SUBJECT_TOKEN};
use super::{Draft, Inside};
use crate::address::Address;
use crate::compose;
use crate::error::EmailError;
use crate::imap::{Connection, Cutter, News};

/// How many events wait for who listens.
const WAITING: usize = 64;
/// The least time between two looks at who is a member.
const MEMBERS: Duration = Duration::from_secs(60);
/// The most mails that are read together.
const TOGETHER: usize = 8;

type Told = Result<RoomEvent, EmailError>;

/// Starts the thread, and waits until it has begun to listen.
pub(super) async fn start(inside: Arc<Inside>) -> Result<RoomEvents, EmailError> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let (ready, began) = tokio::sync::oneshot::channel();
    let cutter = Cutter::default();
    let mut listener = Listener {
        inside,
        runtime: Handle::current(),
        sender,
        cutter: cutter.clone(),
        ready: Some(ready),
        members: None,
        looked: None,
    };
    let work = move || {
        let ended = catch_unwind(AssertUnwindSafe(|| listener.listen())).unwrap_or(Err(EmailError::Lost));
        if let Err(error) = ended {
            match listener.ready.take() {
                // Who waited may have gone.
                Some(ready) => drop(ready.send(Err(error))),
                None => drop(listener.sender.blocking_send(Err(error))),
            }
        }
    };
    std::thread::Builder::new()
        .name("wayside-email-room".to_owned())
        .spawn(work)
        .map_err(|_| EmailError::Lost)?;
    let held = Held { cutter, receiver };
    began.await.map_err(|_| EmailError::Lost)??;
    let events = futures::stream::unfold(held, |mut held| async move {
        let event = held.receiver.recv().await?;
        Some((event.map_err(Into::into), held))
    });
    Ok(events.boxed())
}

/// What a stream holds: dropping it ends the thread.
struct Held {
    cutter: Cutter,
    receiver: mpsc::Receiver<Told>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.cutter.cut();
    }
}

struct Listener {
    inside: Arc<Inside>,
    /// Where what it sends is sent.
    runtime: Handle,
    sender: mpsc::Sender<Told>,
    cutter: Cutter,
    ready: Option<tokio::sync::oneshot::Sender<Result<(), EmailError>>>,
    /// Who was a member when that was last looked at.
    members: Option<BTreeSet<Address>>,
    looked: Option<Monotonic>,
}

impl Listener {
    fn listen(&mut self) -> Result<(), EmailError> {
        let account = Arc::clone(&self.inside.post.account);
        let mut connection = Connection::open(&account, &self.cutter)?;
        self.begin(&mut connection)?;
        self.look_at_members()?;
        if let Some(ready) = self.ready.take() {
            // Who waited may have gone; then the stream is cut.
            let _ = ready.send(Ok(()));
        }
        // Members are looked at between, so no wait is longer than that.
        let longest = if self.inside.hearing.members.are_known() { MEMBERS } else { account.pace.idle };
        while !self.cutter.is_cut() {
            connection.news = News::default();
            self.hear(&mut connection)?;
            self.look_at_members()?;
            // What the server has told meanwhile it does not tell again.
            if connection.news.any() {
                continue;
            }
            if connection.idles {
                connection.idle(longest.min(account.pace.idle))?;
            } else {
                std::thread::sleep(account.pace.poll);
                connection.look()?;
            }
        }
        Ok(())
    }

    /// Where an earlier stream ended, else the mailbox's end.
    fn begin(&self, connection: &mut Connection) -> Result<(), EmailError> {
        let validity = connection.validity;
        if self.inside.memory().place.is_some_and(|(earlier, _)| earlier == validity) {
            return Ok(());
        }
        let next = connection.highest()?.unwrap_or_default().saturating_add(1);
        let mut memory = self.inside.memory();
        memory.place = Some((validity, next));
        memory.save()
    }

    fn hear(&mut self, connection: &mut Connection) -> Result<(), EmailError> {
        let from = self.inside.memory().place.map_or(1, |(_, next)| next);
        let list = &self.inside.post.list;
        let of_room = format!("OR (OR TO \"{list}\" CC \"{list}\") SUBJECT \"{SUBJECT_TOKEN}\"");
        let which = if self.inside.hearing.all { "ALL".to_owned() } else { of_room };
        let query = format!("NOT SUBJECT \"{}\" {which}", compose::SUBJECT_TOKEN);
        let found: Vec<u32> = connection.search(from, &query)?.into_iter().collect();
        for part in found.chunks(TOGETHER) {
            let mut mails = connection.read(&part.iter().copied().collect())?;
            mails.sort_by_key(|mail| mail.uid);
            for mail in mails {
                let trusted = self.inside.hearing.trusted.as_deref();
                if let Some(letter) = Letter::read(&mail.bytes, &self.inside.post.list, trusted) {
                    self.heard(letter)?;
                }
                let mut memory = self.inside.memory();
                memory.place = Some((connection.validity, mail.uid.saturating_add(1)));
                memory.save()?;
            }
        }
        Ok(())
    }

    fn heard(&mut self, letter: Letter) -> Result<(), EmailError> {
        if letter.from == self.inside.post.own {
            return Ok(());
        }
        let now = self.inside.post.context.clock.now();
        if letter.token.is_some() {
            let confirmed = self.inside.memory().confirmed(&letter, now);
            return match confirmed {
                Some(message) => self.tell(RoomEvent::Said(message)),
                None => self.confirm(&letter),
            };
        }
        if letter.proven {
            let mut message = Incoming::new(Sender(letter.from.to_string()), letter.text, letter.id);
            (message.private, message.automatic) = (letter.private, letter.automatic);
            return self.tell(RoomEvent::Said(message));
        }
        self.ask(&letter)
    }

    /// Asks whoever is named as the sender whether it was them, where anybody would act on it. Strangers are asked nothing: their addresses may be made up.
    fn ask(&self, letter: &Letter) -> Result<(), EmailError> {
        let wanted = match &self.members {
            // Who knows the members is a bot, which listens to people.
            Some(members) => members.contains(&letter.from) && !letter.automatic,
            // Others listen to the bot that they have written to.
            None => letter.private && self.inside.memory().has_written_to(&letter.from),
        };
        if !wanted || letter.text.is_empty() {
            return Ok(());
        }
        let mut token = [0; 16];
        self.inside.post.context.entropy.fill(&mut token);
        let token = HEXLOWER.encode(&token);
        let subject = format!("Please confirm: did you write this? ({SUBJECT_TOKEN} {token})");
        let own = &self.inside.post.own;
        let text = format!(
            "{own} got this mail with your address as its sender:\r\n\r\n> {}\r\n\r\nIf you wrote it, answer this mail and leave its subject \
             as it is. If not, do nothing.\r\n",
            letter.text.lines().next().unwrap_or_default()
        );
        let answers = [letter.id.clone()];
        self.inside.memory().hold(token, letter, self.inside.post.context.clock.now());
        let draft =
            Draft { to: &letter.from, subject: &subject, text: &text, automatic: true, answers: &answers };
        self.send(&draft)
    }

    /// Somebody asks whether we wrote a mail. Only what we sent ourselves is confirmed.
    fn confirm(&self, letter: &Letter) -> Result<(), EmailError> {
        let asked = letter.private && letter.automatic && self.inside.memory().is_ours(&letter.answers);
        let (true, Some(token)) = (asked, &letter.token) else { return Ok(()) };
        let subject = format!("Re: Please confirm: did you write this? ({SUBJECT_TOKEN} {token})");
        let answers = [letter.id.clone()];
        let draft = Draft {
            to: &letter.from,
            subject: &subject,
            text: "Yes.\r\n",
            automatic: true,
            answers: &answers,
        };
        self.send(&draft)
    }

    /// A mail that cannot be sent for its recipient's sake, or for the budget's, is no reason to hear nobody any more.
    fn send(&self, draft: &Draft<'_>) -> Result<(), EmailError> {
        match self.runtime.block_on(self.inside.send(draft)) {
            Err(error) if error.is_of_one_mail() => {
                tracing::warn!(%error, "a sender could not be asked for a confirmation");
                Ok(())
            }
            done => done,
        }
    }

    fn look_at_members(&mut self) -> Result<(), EmailError> {
        let now = self.inside.post.context.clock.monotonic();
        if !self.inside.hearing.members.are_known()
            || self.looked.is_some_and(|looked| now.since(looked) < MEMBERS)
        {
            return Ok(());
        }
        self.looked = Some(now);
        let members = self.inside.hearing.members.now()?;
        let before = self.members.replace(members.clone()).unwrap_or_default();
        for gone in before.difference(&members) {
            self.tell(RoomEvent::Left(Sender(gone.to_string())))?;
        }
        Ok(())
    }

    /// Tells who listens; where nobody does any more the thread ends.
    fn tell(&self, event: RoomEvent) -> Result<(), EmailError> {
        self.sender.blocking_send(Ok(event)).map_err(|_| EmailError::Lost)
    }
}
