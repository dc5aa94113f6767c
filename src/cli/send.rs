//! `wayside send`

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use wayside::api::types::{self, MessageState, SendFile, Sent};

use super::exit::{Exit, Failure, Outcome};
use super::output::{self, one_line};
use super::session::parse_name;
use super::words::{list, millis, parse_duration};
use super::{Context, candidates};

/// How long a node of our own waits for the delivery, where nobody says: after it nobody delivers until `wayside up`.
const BRIEF_WAIT: Duration = Duration::from_secs(10);

/// Send a message
///
/// Once this has answered the message is on disk, and it is delivered exactly once or reported expired. A node that is
/// up goes on delivering it; without --wait this does not wait for that. Where no node is up this tries for ten
/// seconds, and `wayside up` goes on. While the friend is away it is left, sealed, with those who keep mail for it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside send Ada 'see you at eight'
  wayside send Ada --wait 30s - < letter.txt
  wayside send Ada 'as promised' --attach map.pdf --attach list.txt")]
pub(super) struct Send {
    /// A friend's name here, the name on their card, or their account
    #[arg(value_parser = parse_name, add = candidates::friends())]
    friend: String,
    /// The message, or - to read it from stdin; at most 64 KiB of text
    text: String,
    /// A file to attach; may be given again
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// How long to wait for the delivery
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
}

impl Send {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let text = if self.text == "-" { read_all()? } else { self.text };
        if text.is_empty() {
            return Err(Failure::usage("the message is empty: give it some text"));
        }
        let files = self.attach.iter().map(|path| attached(path)).collect::<Result<_, _>>()?;
        let mut session = context.session().await?;
        let wait = self.wait.or_else(|| session.is_brief().then_some(BRIEF_WAIT));
        let request =
            types::Send { wait_ms: wait.map(millis), files, ..types::Send::new(self.friend.clone(), text) };
        let sent = session.post_once::<_, Sent>("/v1/messages", &request).await;
        let brief = session.is_brief();
        session.close().await;
        let sent = sent?;
        context.output.say(&sent, || in_words(&self.friend, &sent))?;
        if brief && sent.state == MessageState::Queued {
            output::remark("No node is up to deliver it: run `wayside up`.");
        }
        match sent.state {
            MessageState::Expired => Ok(Exit::Failed),
            MessageState::Queued | MessageState::Held | MessageState::Delivered => Ok(Exit::Done),
        }
    }
}

fn in_words(friend: &str, sent: &Sent) -> String {
    let friend = one_line(friend);
    match sent.state {
        MessageState::Queued => format!("On disk, and on its way to {friend}."),
        MessageState::Held if sent.held_by.is_empty() => {
            format!("Kept for {friend} by friends, until {friend} fetches it.")
        }
        MessageState::Held => {
            format!("Kept for {friend} by {}, until {friend} fetches it.", list(&sent.held_by))
        }
        MessageState::Delivered => format!("Delivered to {friend}."),
        MessageState::Expired => format!("Given up: {friend} could not be reached in time."),
    }
}

/// A file as the node is told of it, which may run in another folder.
fn attached(path: &Path) -> Result<SendFile, Failure> {
    let wrong = |why: &str| Failure::usage(format!("--attach {} {why}", path.display()));
    let name = path.file_name().ok_or_else(|| wrong("names no file"))?;
    let name = name.to_str().ok_or_else(|| wrong("has a name that is not text: rename it first"))?;
    let absolute = std::path::absolute(path).map_err(|_| wrong("is no path"))?;
    let absolute = absolute.to_str().ok_or_else(|| wrong("is in a folder whose name is not text"))?;
    Ok(SendFile { name: name.to_owned(), path: absolute.to_owned() })
}

/// All of stdin, without the line end that editors and `echo` add.
fn read_all() -> Result<String, Failure> {
    let most = u64::try_from(types::Send::MAX_TEXT).unwrap_or(u64::MAX).saturating_add(2);
    let mut bytes = Vec::new();
    let read = tokio::task::block_in_place(|| std::io::stdin().lock().take(most).read_to_end(&mut bytes));
    read.map_err(|error| {
        Failure::usage(format!("stdin cannot be read ({error}): pass the text as the argument"))
    })?;
    if bytes.len() > types::Send::MAX_TEXT + 1 {
        return Err(Failure::usage("a message has at most 64 KiB: send it in parts"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| {
        Failure::usage("stdin is not text in UTF-8: encode it first, for example with base64")
    })?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_keeps_it() {
        let said = |held_by: &[&str]| {
            let held_by = held_by.iter().map(|name| (*name).to_owned()).collect();
            in_words("Ben", &Sent { id: String::new(), state: MessageState::Held, held_by })
        };
        assert_eq!(said(&["Carol"]), "Kept for Ben by Carol, until Ben fetches it.");
        assert_eq!(said(&["Carol", "Dave"]), "Kept for Ben by Carol and Dave, until Ben fetches it.");
        assert!(said(&["Carol", "Dave", "Eve"]).contains("Carol, Dave and Eve"));
        assert_eq!(said(&[]), "Kept for Ben by friends, until Ben fetches it.");
    }

    #[test]
    #[expect(clippy::expect_used, reason = "a test")]
    fn a_file_is_named_without_its_folder() {
        let file = attached(Path::new("there/map.pdf")).expect("a name");
        assert_eq!(file.name, "map.pdf");
        assert!(Path::new(&file.path).is_absolute() && file.path.ends_with("there/map.pdf"));
        assert!(attached(Path::new("..")).is_err());
    }
}
