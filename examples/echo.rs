//! An application's own protocol: one side serves it, the other asks.
//!
//! ```console
//! $ cargo run --example echo                     # two friends in one process, over loopback
//! $ cargo run --example echo -- HOME             # serves the friends of a home that `wayside init` made
//! $ cargo run --example echo -- HOME FRIEND      # asks one of them
//! ```

#![allow(clippy::print_stdout)]

mod friends;

use std::error::Error;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wayside::{Home, Node, NodeBuilder};

/// What the streams speak. The version is part of the name.
const ECHO: &str = "example-echo/1";

/// Serves it: says again what comes, however much that is, no faster than the friend reads.
pub(crate) fn echoes(builder: NodeBuilder) -> NodeBuilder {
    builder.serve(ECHO, |_, mut stream| async move {
        tokio::io::copy(&mut stream.recv, &mut stream.send).await.map(drop)
    })
}

/// Asks a friend.
pub(crate) async fn ask(node: &Node, friend: &str, text: &str) -> Result<String, Box<dyn Error>> {
    let peer = node.connect(friend).await?;
    let mut stream = peer.link.open(ECHO).await?;
    stream.send.write_all(text.as_bytes()).await?;
    stream.send.finish();
    // What a friend sends is bounded too.
    let (mut echo, most) = (String::new(), text.len().try_into()?);
    (&mut stream.recv).take(most).read_to_string(&mut echo).await?;
    Ok(echo)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = "Is anybody there?";
    let Some(home) = arguments.first() else {
        let (ada, ben, _folder) = friends::two(echoes).await?;
        println!("Ben asks:     {text}");
        println!("Ada answers:  {}", ask(&ben, "Ada", text).await?);
        ben.shutdown().await;
        ada.shutdown().await;
        return Ok(());
    };
    let node = echoes(Node::builder(Home::open(home.as_ref())?, wayside::registry())).start().await?;
    match arguments.get(1) {
        Some(friend) => println!("{friend} answers: {}", ask(&node, friend, text).await?),
        None => tokio::signal::ctrl_c().await?,
    }
    node.shutdown().await;
    Ok(())
}
