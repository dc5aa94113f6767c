//! A node inside an application, with no command and no local API: two homes are made, meet over a folder, and write to each other.
//!
//! ```console
//! $ cargo run --example embed
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use wayside::api::types::{Accept, AddBridge, MessageState, NewInvite, NodeEvent, Send};
use wayside::{Home, Node};

/// Somebody's node. The home is made the first time and opened from then on; what it knows survives in it.
async fn start(home: &Path, name: &str) -> Result<Node, Box<dyn Error>> {
    let home = if home.exists() { Home::open(home)? } else { Home::init(home, name)? };
    Ok(Node::builder(home, wayside::registry()).listen(vec!["udp://127.0.0.1:0".to_owned()]).start().await?)
}

/// Two people and a folder that both see; tells what happens, a line at a time.
pub(crate) async fn story(folder: &Path, mut tell: impl FnMut(String)) -> Result<(), Box<dyn Error>> {
    let shared = folder.join("shared");
    std::fs::create_dir(&shared)?;
    let (ada, ben) = (start(&folder.join("ada"), "Ada").await?, start(&folder.join("ben"), "Ben").await?);
    for node in [&ada, &ben] {
        let options = [("path".to_owned(), shared.display().to_string())].into();
        let bridge =
            node.add_bridge(AddBridge { kind: "dir".to_owned(), options, ..AddBridge::default() }).await?;
        tell(format!("{} meets friends over the {}", node.id().name, bridge.title));
    }

    // Once. Between two people the line goes by any way that they trust.
    let wanted = NewInvite { bridges: Vec::new(), uses: 1, expires_in_secs: 86_400 };
    let invite = ada.invite(wanted).await?.invite;
    let accepted = ben.accept_invite(Accept { invite, name: None, wait_ms: 60_000 }).await?;
    tell(format!("Ben is a friend of {}", accepted.friend.unwrap_or_default()));

    // From here on each message is on disk when `send` returns, and is delivered once, now or when the friend is there.
    let mut events = ben.events();
    let message = Send { wait_ms: Some(60_000), ..Send::new("Ben".to_owned(), "hello".to_owned()) };
    if ada.send(message).await?.state == MessageState::Delivered {
        tell("Ada's message arrived".to_owned());
    }
    while let Some(event) = events.next().await {
        match event {
            NodeEvent::MessageReceived { .. } => break,
            other => tell(format!("Ben hears of {other:?}")),
        }
    }
    let unread = ben.unread().await?;
    for message in &unread {
        tell(format!("{} wrote: {}", message.from, message.text));
    }
    // Only after they were shown: whoever crashes in between shows them twice and loses none.
    ben.mark_read(&unread.into_iter().map(|message| message.id).collect::<Vec<_>>()).await?;

    // Takes leave of the friends, takes back what lies in the folder, lets go of the home.
    ben.shutdown().await;
    ada.shutdown().await;
    let again = start(&folder.join("ben"), "Ben").await?;
    let friends: Vec<String> = again.friends().await?.into_iter().map(|friend| friend.name).collect();
    tell(format!("after a restart Ben still knows {}", friends.join(", ")));
    again.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    story(folder.path(), |line| println!("{line}")).await
}
