//! How quickly somebody who was away gets the mail that waits: ten thousand messages, one host, everything on this machine's loopback, every node in one process.
//!
//! Ann sends while Bob is away, and Hal keeps. Then Ann ends, Bob comes, and what is measured is from his link with Hal to the last message's being on his disk. The bar: 5,000 a second. Told besides: how
//! quickly Ann's node took the messages, and how quickly they came to Hal. `MESSAGES` is another number.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Failure, Person};
use tokio::task::JoinSet;
use wayside_bridge::Registry;
use wayside_bridge_dir::DirKind;
use wayside_node::api::types::AddBridge;

const MESSAGES: u64 = 10_000;
/// As long as makes a kilobyte, once it is sealed and padded.
const TEXT: usize = 700;
/// Sent at a time: a store commits once for several.
const AT_ONCE: u64 = 64;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let wanted = std::env::var("MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(MESSAGES);
    let folder = tempfile::tempdir()?;
    let person = async |name: &str| {
        Person::new(name, Registry::new().with(DirKind), over_folder(folder.path())).await
    };
    let (mut ann, hal, mut bob) = (person("ann").await?, person("hal").await?, person("bob").await?);
    for friend in [&ann, &hal] {
        friend.accept(&bob.invite(1).await?).await?;
    }
    let allowed = json!({ "allow": ["mailbox"] });
    let _: Value = hal.api()?.patch("/v1/friends/bob", &allowed).await?;
    until("ann knows bob's mailbox", async || {
        let friend: Value = ann.api()?.get("/v1/friends/bob").await?;
        Ok(friend.get("mailboxes").and_then(Value::as_array).is_some_and(|hosts| hosts.len() == 1))
    })
    .await?;
    bob.stop().await;

    let share = wanted / AT_ONCE;
    let messages = share * AT_ONCE;
    let began = Instant::now();
    let mut sending = JoinSet::new();
    for _ in 0..AT_ONCE {
        let api = ann.api()?;
        sending.spawn(async move {
            let message = json!({ "to": "bob", "text": "m".repeat(TEXT) });
            for _ in 0..share {
                let _: Value = api.post("/v1/messages", &message).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent??;
    }
    say("accepted", messages, began);
    until("hal keeps them", async || Ok(kept(&hal).await? >= messages)).await?;
    say("accepted and with hal", messages, began);
    ann.stop().await;

    bob.start().await?;
    let mut events = bob.api()?.get_lines("/v1/events").await?;
    let mut linked = None;
    // Those that came before anybody listened are counted in the inbox.
    loop {
        if linked.is_none() {
            let friend: Value = bob.api()?.get("/v1/friends/hal").await?;
            if friend.get("link").is_some_and(|link| link != "down") {
                linked = Some((Instant::now(), unread(&bob).await?));
            }
        }
        if let Some((since, before)) = linked {
            let now = unread(&bob).await?;
            if now >= messages {
                say("fetched (bar: 5,000)", now.saturating_sub(before), since);
                break;
            }
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), events.next::<Value>()).await;
    }
    let (since, _) = linked.ok_or("no link came up")?;
    until("hal keeps nothing", async || Ok(kept(&hal).await? == 0)).await?;
    say("fetched and gone from hal", messages, since);
    Ok(())
}

/// How many messages lie there.
async fn kept(host: &Person) -> Result<u64, Failure> {
    let picture: Value = host.api()?.get("/v1/mailbox").await?;
    let kept = picture.get("friends").and_then(Value::as_array).ok_or("no list")?;
    Ok(kept.iter().filter_map(|it| it.get("items").and_then(Value::as_u64)).sum())
}

async fn unread(person: &Person) -> Result<u64, Failure> {
    let status: Value = person.api()?.get("/v1/status").await?;
    Ok(status.get("unread").and_then(Value::as_u64).ok_or("no count")?)
}

async fn until(what: &str, attempt: impl AsyncFn() -> Result<bool, Failure>) -> Result<(), Failure> {
    let began = Instant::now();
    while !attempt().await? {
        if began.elapsed() > Duration::from_secs(300) {
            return Err(format!("it did not come to this: {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A bridge over a folder.
fn over_folder(folder: &Path) -> AddBridge {
    let options = [("path".to_owned(), folder.display().to_string())].into();
    AddBridge { kind: "dir".to_owned(), name: None, options }
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a measurement says what it measured")]
fn say(what: &str, messages: u64, since: Instant) {
    println!("{what}: {:.0} messages/s", messages as f64 / since.elapsed().as_secs_f64());
}
