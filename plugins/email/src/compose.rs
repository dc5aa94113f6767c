//! Mails as we write them.

use std::time::{Duration, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use lettre::message::header::{ContentDisposition, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address as Checked, Message};
use sha2::{Digest, Sha256};
use wayside_bridge::Timestamp;

use crate::address::{Address, Others};
use crate::armour;
use crate::error::EmailError;
use crate::note::first;

/// What mails with notes are searched by: every server searches subjects, cheaply, and lists keep them, with a prefix at most.
pub(crate) const SUBJECT_TOKEN: &str = "wayside-note";
/// How the ids of our mails begin. Answers and forwarded mails have others: only what begins so is ever deleted.
pub(crate) const OWN_ID: &str = "wayside.";
/// The part with the note alone.
pub(crate) const NOTE_TYPE: &str = "application/vnd.wayside.note";
/// Its name, where the type is lost on the way.
pub(crate) const NOTE_FILE: &str = "note.wayside";
/// What marks a mail as a program's (RFC 3834, section 5), so that no vacation responder answers.
pub(crate) const AUTO: &str = "auto-generated";
/// A day, in seconds.
const DAY: u64 = 86_400;

/// What every mail of ours has.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) from: &'a Address,
    pub(crate) to: &'a Address,
    pub(crate) subject: &'a str,
    pub(crate) now: Timestamp,
    /// Sixteen bytes nobody has used.
    pub(crate) unique: [u8; 16],
    /// Ids of the mails that it follows, the latest last.
    pub(crate) follows: &'a [String],
    /// Whether a program says so.
    pub(crate) automatic: bool,
}

/// A mail, ready to go.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) from: Checked,
    pub(crate) to: Checked,
    pub(crate) bytes: Vec<u8>,
}

impl Frame<'_> {
    /// The mail's own id.
    pub(crate) fn id(&self) -> String {
        format!("<{OWN_ID}{}@{}>", HEXLOWER.encode(&self.unique), self.from.domain())
    }

    /// This text as a mail.
    pub(crate) fn text(&self, text: &str) -> Result<Outgoing, EmailError> {
        self.finish(|builder| builder.singlepart(SinglePart::plain(text.to_owned())))
    }

    /// A note as a mail: for people, as text; for programs, as text and as a part of its own.
    pub(crate) fn note(&self, about: &str, note: Vec<u8>) -> Result<Outgoing, EmailError> {
        let text = format!("{about}\r\n\r\n{}", armour::block(&note));
        let kind = ContentType::parse(NOTE_TYPE).map_err(|_| EmailError::Lost)?;
        let part = SinglePart::builder()
            .header(kind)
            .header(ContentDisposition::attachment(NOTE_FILE))
            .header(lettre::message::header::ContentTransferEncoding::Base64)
            .body(note);
        let boundary = format!("{OWN_ID}{}", HEXLOWER.encode(&self.unique));
        let both = MultiPart::mixed().boundary(boundary).singlepart(SinglePart::plain(text)).singlepart(part);
        self.finish(|builder| builder.multipart(both))
    }

    fn finish(
        &self,
        body: impl FnOnce(lettre::message::MessageBuilder) -> Result<Message, lettre::error::Error>,
    ) -> Result<Outgoing, EmailError> {
        let (from, to) = (self.from.checked()?, self.to.checked()?);
        let mut builder = Message::builder()
            .from(Mailbox::new(None, from.clone()))
            .to(Mailbox::new(None, to.clone()))
            .subject(self.subject)
            .date(UNIX_EPOCH + Duration::from_secs(self.now.as_secs()))
            .message_id(Some(self.id()));
        if let Some(last) = self.follows.last() {
            builder = builder.in_reply_to(last.clone()).references(self.follows.join(" "));
        }
        if self.automatic {
            // The second is what Microsoft's servers heed.
            builder = builder.raw_header(header("Auto-Submitted", AUTO)?);
            builder = builder.raw_header(header("X-Auto-Response-Suppress", "All")?);
        }
        let mail = body(builder).map_err(|_| EmailError::Lost)?;
        Ok(Outgoing { from, to, bytes: mail.formatted() })
    }
}

fn header(name: &str, value: &str) -> Result<HeaderValue, EmailError> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| EmailError::Lost)?;
    Ok(HeaderValue::new(name, value.to_owned()))
}

/// The id that all notes of a place and day follow, so that mail programs show them as one thread. No mail has it.
pub(crate) fn thread(place: &str, from: &Address, now: Timestamp) -> String {
    let day = (now.as_secs() / DAY).to_be_bytes();
    let digest = Sha256::new().chain_update("thread").chain_update(place).chain_update(day).finalize();
    format!("<{OWN_ID}thread.{}@{}>", HEXLOWER.encode(&first(&digest)), from.domain())
}

/// The subject of a record's mail.
pub(crate) fn record_subject() -> String {
    format!("A sealed note between two programs ({SUBJECT_TOKEN})")
}

/// What a person who opens a record's mail is told.
pub(crate) fn about_record(own: &Address, others: &Others) -> String {
    let where_to = match others {
        Others::One(_) => "to yours",
        Others::List(_) => "to another subscriber's",
    };
    wrap(&format!(
        "This is a note from one wayside program, that of {own}, {where_to}. It helps two people who know each other to get a direct \
         connection. It is sealed, and there is nothing in it for you to read or do."
    )) + "\r\n\r\n"
        + &wrap(
            "The program that it is for finds it by itself and deletes it when it is over. You may delete it too: at worst, a connection \
             takes longer. If you do not use wayside and keep getting these, please tell the sender.",
        )
}

/// What a person is told where records are taken back.
pub(crate) fn about_taking_back(own: &Address) -> String {
    wrap(&format!(
        "This is a note from the wayside program of {own}: something that it sent earlier is not needed any more, and your program deletes \
         both. You may delete them too."
    ))
}

/// Wraps words at 72 columns, as people's mails are.
fn wrap(text: &str) -> String {
    const WIDTH: usize = 72;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\r\n")
}
