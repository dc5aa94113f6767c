//! A mail in a room, taken apart.

use mail_parser::Message;

use super::text;
use crate::address::Address;
use crate::parse;

/// What the subjects of private mails between programs have in them; and, with a token behind it, those that ask for a confirmation.
pub(super) const SUBJECT_TOKEN: &str = "wayside-room";
/// How long a token is, in hexadecimal digits.
const TOKEN: usize = 32;

/// A mail as a room sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) from: Address,
    pub(super) text: String,
    /// Whether it came to us and not through the list.
    pub(super) private: bool,
    pub(super) automatic: bool,
    pub(super) id: String,
    /// The mails that it answers.
    pub(super) answers: Vec<String>,
    /// The token in its subject.
    pub(super) token: Option<String>,
    /// Whether our own server vouches for the sender.
    pub(super) proven: bool,
}

impl Letter {
    /// The letter in a mail; `None` where nobody is to be heard: bounces, automatic answers, mails of nobody or of several.
    pub(super) fn read(mail: &[u8], list: &Address, trusted: Option<&str>) -> Option<Self> {
        let mail = parse::parse(mail)?;
        if is_bounce(&mail) || is_automatic_answer(&mail) {
            return None;
        }
        let listed = |address: &Option<&mail_parser::Address<'_>>| {
            address.is_some_and(|some| some.iter().take(64).any(|one| address_of(one).as_ref() == Some(list)))
        };
        let header = |name| parse::header(&mail, name).map(str::to_ascii_lowercase);
        let through_header = ["List-Post", "X-BeenThere", "Delivered-To-List"]
            .into_iter()
            .filter_map(header)
            .any(|value| value.contains(list.as_str()));
        let through = listed(&mail.to()) || listed(&mail.cc()) || through_header;
        let from = only(mail.from()?)?;
        // A list that writes as itself names who wrote as the one to answer.
        let (from, rewritten) = if from == *list { (only(mail.reply_to()?)?, true) } else { (from, false) };
        if from == *list {
            return None;
        }
        let proven =
            !rewritten && trusted.is_some_and(|trusted| super::proof::is_proven(&mail, &from, trusted));
        let subject = mail.subject().unwrap_or_default();
        let body = mail.body_text(0).unwrap_or_default();
        Some(Self {
            text: text::said(&body),
            private: !through,
            automatic: is_automatic(&mail, through),
            id: format!("<{}>", text::cut(mail.message_id()?, 250)),
            answers: ids(&mail),
            token: token(subject),
            proven,
            from,
        })
    }
}

fn address_of(address: &mail_parser::Addr<'_>) -> Option<Address> {
    Address::parse(address.address.as_deref()?)
}

fn only(addresses: &mail_parser::Address<'_>) -> Option<Address> {
    let mut all = addresses.iter();
    let first = address_of(all.next()?)?;
    all.next().is_none().then_some(first)
}

fn is_bounce(mail: &Message<'_>) -> bool {
    let empty_path = mail.header_raw("Return-Path").is_some_and(|path| path.trim() == "<>");
    let report = mail
        .header_raw("Content-Type")
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("multipart/report"));
    let daemon = mail.from().and_then(only).is_some_and(|from| {
        from.as_str().starts_with("mailer-daemon@") || from.as_str().starts_with("postmaster@")
    });
    empty_path || report || daemon
}

/// A vacation responder's, say (RFC 3834, section 5, and what was used before it). It quotes the subject that it answers, with whatever token stands there:
/// nobody has read that, so it confirms nothing.
fn is_automatic_answer(mail: &Message<'_>) -> bool {
    let replied = parse::header(mail, "Auto-Submitted")
        .is_some_and(|value| value.trim().to_ascii_lowercase().starts_with("auto-replied"));
    let marked = ["X-Autoreply", "X-Autorespond"].iter().any(|name| parse::header(mail, name).is_some());
    replied || marked || precedence(mail).is_some_and(|value| value == "auto_reply")
}

/// Whether a program says that it wrote it (RFC 3834, section 5). Lists mark all that goes through them, so what was used before counts outside of them alone.
fn is_automatic(mail: &Message<'_>, through: bool) -> bool {
    let submitted =
        parse::header(mail, "Auto-Submitted").is_some_and(|value| !value.trim().eq_ignore_ascii_case("no"));
    let bulk = precedence(mail).is_some_and(|value| matches!(value.as_str(), "bulk" | "junk" | "list"));
    submitted || (bulk && !through)
}

fn precedence(mail: &Message<'_>) -> Option<String> {
    parse::header(mail, "Precedence").map(|value| value.trim().to_ascii_lowercase())
}

fn ids(mail: &Message<'_>) -> Vec<String> {
    [mail.in_reply_to(), mail.references()]
        .into_iter()
        .flat_map(|value| value.as_text_list().unwrap_or_default())
        .take(32)
        .map(|id| format!("<{id}>"))
        .collect()
}

fn token(subject: &str) -> Option<String> {
    let (_, rest) = subject.split_once(SUBJECT_TOKEN)?;
    let found: String = rest.trim_start().chars().take_while(char::is_ascii_hexdigit).collect();
    (found.len() == TOKEN).then_some(found)
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;
