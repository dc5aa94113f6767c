//! A chat between two friends, a line at a time: `cargo run --example chat -- HOME FRIEND` on both sides, with homes that `wayside init` made.
#![allow(clippy::print_stdout)]

use std::error::Error;
use tokio::io::{self, AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::{self, Receiver, Sender};
use wayside::{AccountId, Home, Node, NodeBuilder};

const CHAT: &str = "example-chat/1";
const LONGEST: u64 = 4096; // bytes of a line: what a friend sends is bounded

/// Hears what friends say: a line a stream, acknowledged when it was passed on.
pub(crate) fn hears(builder: NodeBuilder, heard: Sender<(AccountId, String)>) -> NodeBuilder {
    builder.serve(CHAT, move |peer, mut stream| {
        let heard = heard.clone();
        async move {
            let mut line = String::new();
            (&mut stream.recv).take(LONGEST).read_to_string(&mut line).await?;
            heard.send((peer.account, line)).await.map_err(io::Error::other)?;
            stream.send.write_all(b"k").await
        }
    })
}

/// Says what is typed, over the link that is up or the next one, and shows what is heard, until the input ends.
pub(crate) async fn chat(
    node: &Node,
    friend: &str,
    input: impl AsyncBufRead + Unpin,
    heard: &mut Receiver<(AccountId, String)>,
    mut show: impl FnMut(String),
) -> Result<(), Box<dyn Error>> {
    let mut lines = input.lines();
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                let mut stream = node.connect(friend).await?.link.open(CHAT).await?;
                stream.send.write_all(line.as_bytes()).await?;
                stream.send.finish();
                stream.recv.read_u8().await?;
            }
            Some((who, line)) = heard.recv() => {
                let name = node.friend(&who.to_string()).await?.name;
                show(format!("{name}: {}", line.replace(char::is_control, " ")));
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = <[String; 3]>::try_from(std::env::args().collect::<Vec<_>>());
    let [_, home, friend] = arguments.map_err(|_| "usage: chat HOME FRIEND")?;
    let (said, mut heard) = mpsc::channel(16);
    let node = hears(Node::builder(Home::open(home.as_ref())?, wayside::registry()), said).start().await?;
    chat(&node, &friend, BufReader::new(io::stdin()), &mut heard, |line| println!("{line}")).await?;
    node.shutdown().await;
    Ok(())
}
