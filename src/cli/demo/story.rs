//! What happens in the story.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wayside::api::types::{
    AcceptState, Accepted, BridgeView, Explanation, InboxView, InviteView, MessageState, NodeEvent, Pong,
    Sent,
};

use super::person::Person;
use super::telling::Telling;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Tells it from the beginning to the end, or to where it fails.
pub(super) async fn tell(output: Output) -> Result<(), Failure> {
    let mut story = Telling::new(output);
    let place = Place::new().map_err(|error| {
        failed(format!("no temporary folder can be made ({error}): set TMPDIR to one that works"))
    })?;
    let program = std::env::current_exe()
        .map_err(|error| failed(format!("this program cannot find itself: {error}")))?;
    let mut ada = Person::new("Ada", place.path(), &program);
    let mut ben = Person::new("Ben", place.path(), &program);

    story.aside("Ada and Ben can both see a folder. That is all they need.\n")?;
    story.step("Each makes a home, with keys of their own.", make_homes(&ada, &ben)).await?;
    story.step("Each adds the folder, by the path it has there.", add_folder(&ada, &ben, &place)).await?;
    story.step("Both nodes start.", start_both(&mut ada, &mut ben)).await?;
    let mut invite = String::new();
    story.step("Ada makes an invite and gives it to Ben.", make_invite(&ada, &mut invite)).await?;
    story.step("Ben accepts it: they are friends, and linked.", accept(&ben, &invite)).await?;
    story.step("Ben pings Ada over the link.", ping(&ben, &ada)).await?;
    story.step("Ada writes to Ben.", message(&ada, &ben, "Hello Ben, this came straight to you.")).await?;
    story.step("Ben writes back.", message(&ben, &ada, "And this straight back.")).await?;
    story.step("Ben's node is killed (kill -9).", kill(&mut ben)).await?;
    let mut letter = String::new();
    story.step("Ada writes to Ben while he is away.", write_ahead(&ada, &ben, &mut letter)).await?;
    story.step("Ben comes back, and they meet again through the folder.", meet_again(&ada, &mut ben)).await?;
    story.step("What Ada wrote meanwhile has arrived, once.", find_letter(&mut ada, &ben, &letter)).await?;
    story.step("The folder is empty again.", look_into(&place)).await?;
    story.step("Both nodes end.", stop_both(&mut ada, &mut ben)).await?;
    story.end()
}

/// A temporary place with the folder that both can see, removed when it is dropped.
#[derive(Debug)]
struct Place {
    folder: tempfile::TempDir,
    shared: PathBuf,
    elsewhere: PathBuf,
}

impl Place {
    fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("wayside-demo-").tempdir()?;
        let shared = folder.path().join("shared");
        std::fs::create_dir(&shared)?;
        let elsewhere = second_path(&shared)?;
        Ok(Self { folder, shared, elsewhere })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The records that lie in the folder.
    fn records(&self) -> usize {
        let entries = std::fs::read_dir(self.shared.join(".wayside")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rec")).count()
    }
}

/// Another path to the same folder.
#[cfg(unix)]
fn second_path(shared: &Path) -> io::Result<PathBuf> {
    let link = shared.with_file_name("mounted-elsewhere");
    std::os::unix::fs::symlink(shared, &link)?;
    Ok(link)
}

#[cfg(not(unix))]
fn second_path(shared: &Path) -> io::Result<PathBuf> {
    Ok(shared.to_owned())
}

type Seen = Result<Vec<String>, Failure>;

async fn make_homes(ada: &Person, ben: &Person) -> Seen {
    ada.move_in().await?;
    ben.move_in().await?;
    Ok(Vec::new())
}

async fn add_folder(ada: &Person, ben: &Person, place: &Place) -> Seen {
    let mut seen = Vec::new();
    for (person, path) in [(ada, &place.shared), (ben, &place.elsewhere)] {
        let path = path.to_string_lossy();
        let bridge: BridgeView = person.run(&["bridge", "add", "dir", "--path", &path]).await?;
        seen.push(format!("{}: {path}", person.name));
        if !bridge.healthy {
            return Err(failed(format!("{}'s folder does not work", person.name)));
        }
    }
    Ok(seen)
}

async fn start_both(ada: &mut Person, ben: &mut Person) -> Seen {
    let (ada_at, ben_at) = (ada.up().await?, ben.up().await?);
    Ok(vec![format!("Ada at {ada_at}, Ben at {ben_at}")])
}

async fn make_invite(ada: &Person, invite: &mut String) -> Seen {
    let made: InviteView = ada.run(&["invite"]).await?;
    let length = made.invite.len();
    let beginning: String = made.invite.chars().take(48).collect();
    *invite = made.invite;
    Ok(vec![format!("{beginning}… ({length} characters)")])
}

async fn accept(ben: &Person, invite: &str) -> Seen {
    let accepted: Accepted = ben.run(&["accept", "--yes", "--wait", "60s", invite]).await?;
    match (accepted.state, accepted.friend, accepted.account) {
        (AcceptState::Done, Some(friend), Some(account)) => Ok(vec![format!("{friend} is {account}")]),
        _ => Err(failed("the invite was not answered")),
    }
}

async fn ping(from: &Person, to: &Person) -> Seen {
    let pongs: Vec<Pong> = from.run_lines(&["ping", to.name, "--count", "2"]).await?;
    let line = |pong: &Pong| {
        format!("{:.2} ms, from {}", pong.rtt_ms, pong.remote.as_deref().unwrap_or("somewhere"))
    };
    Ok(pongs.iter().map(line).collect())
}

async fn message(from: &Person, to: &Person, text: &str) -> Seen {
    let sent: Sent = from.run(&["send", to.name, text, "--wait", "30s"]).await?;
    if sent.state != MessageState::Delivered {
        return Err(failed("the message was not delivered"));
    }
    one_message(to, from, text).await
}

async fn kill(ben: &mut Person) -> Seen {
    Ok(vec![format!("process {} is gone, without a word", ben.killed().await?)])
}

/// What Ada writes while Ben is away.
const LETTER: &str = "Ben? This waits for you.";

async fn write_ahead(ada: &Person, ben: &Person, letter: &mut String) -> Seen {
    let sent: Sent = ada.run(&["send", ben.name, LETTER]).await?;
    *letter = sent.id;
    match sent.state {
        MessageState::Queued => Ok(vec!["it is on her disk, and waits".to_owned()]),
        other => Err(failed(format!("the message is {other:?} though nobody is there"))),
    }
}

async fn meet_again(ada: &Person, ben: &mut Person) -> Seen {
    let mut seen = vec![format!("Ben at {}", ben.up().await?)];
    seen.extend(ping(ben, ada).await?);
    let explanation: Explanation = ben.run(&["explain", ada.name]).await?;
    seen.extend(explanation.steps.into_iter().map(|step| step.what));
    Ok(seen)
}

async fn find_letter(ada: &mut Person, ben: &Person, letter: &str) -> Seen {
    ada.until(|event| match event {
        NodeEvent::MessageDelivered { id, .. } if id == letter => Some(()),
        _ => None,
    })
    .await?;
    one_message(ben, ada, LETTER).await
}

async fn look_into(place: &Place) -> Seen {
    while place.records() > 0 {
        tokio::time::sleep(LOOK).await;
    }
    Ok(vec!["no record is left: each side has taken back its own".to_owned()])
}

async fn stop_both(ada: &mut Person, ben: &mut Person) -> Seen {
    ada.down().await?;
    ben.down().await?;
    Ok(Vec::new())
}

/// Looks into the inbox, where this message has to be and nothing else.
async fn one_message(of: &Person, from: &Person, text: &str) -> Seen {
    let inbox: Vec<InboxView> = of.run_lines(&["inbox"]).await?;
    match inbox.as_slice() {
        [message] if message.text == text && message.from == from.name => {
            Ok(vec![format!("{}: {text}", from.name)])
        }
        other => Err(failed(format!("{}'s inbox has {} messages and not the one", of.name, other.len()))),
    }
}

fn failed(sentence: impl Into<String>) -> Failure {
    Failure::new(Exit::Failed, sentence)
}
