//! A bot that introduces the members of a Matrix room to one another: what `wayside bot matrix` is, with the library. `README.md` beside it has what two friends type.
//!
//! ```console
//! $ cargo run --example matrix-room-bot --features bridge-matrix -- DIR HOMESERVER @bot:example.org PASSWORD-FILE '#friends:example.org'
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use wayside::bot::{self, BotFolder, Settings};
use wayside::bridge::BridgeOptions;
use wayside::{NodeClock, bridge_context};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, homeserver, user, password_file, room] = arguments.as_slice() else {
        return Err("five arguments: DIR HOMESERVER USER PASSWORD-FILE ROOM".into());
    };
    // One bot at a time has hold of it. What the bot remembers lies there, and the session with the homeserver.
    let folder = BotFolder::open(Path::new(folder))?;
    // Any kind of bridge will do where people talk.
    let options: BridgeOptions =
        [("homeserver", homeserver), ("user", user), ("password-file", password_file), ("room", room)]
            .map(|(name, value)| (name, value.as_str()))
            .into_iter()
            .collect();
    let context = bridge_context(Some(folder.bridge()?));
    let opened = wayside::registry().open("matrix", &options, context).await?;
    let room = opened.room.ok_or("nobody talks there")?;
    let info = room.info();
    println!("in {} as {}", info.title, info.own.0);
    // Who moderates the room may do more than others; these limits hold for everybody.
    let settings = Settings { meets_a_day: 6, ..Settings::default() };
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    bot::run(room, &folder, settings, NodeClock::system(), stop).await?;
    Ok(())
}
