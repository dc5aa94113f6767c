//! The command, one file each for what it can do.
//!
//! A command talks to the node of its home where one is up, and runs one for as long as it needs otherwise
//! ([`session`]). It says its result on stdout and everything else on stderr ([`output`]); how it ends is in [`exit`].

mod accept;
mod bell;
mod bot;
mod bridge;
mod candidates;
mod code;
mod community;
mod complete;
mod completions;
mod config;
mod demo;
mod doctor;
mod exit;
mod explain;
mod files;
mod friend;
mod friends;
mod given;
mod id;
mod inbox;
mod init;
mod introduce;
mod invite;
mod invites;
mod log;
mod mailbox;
mod man;
mod nearby;
mod notify;
mod outbox;
mod output;
mod picture;
mod ping;
mod places;
mod pointer;
mod qr;
mod reach;
mod relay;
mod request;
mod requests;
mod send;
mod session;
mod show;
mod signals;
mod source;
mod status;
mod token;
mod up;
mod usage;
mod verify;
mod words;

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};
use wayside::Home;

use exit::{Exit, Failure, Outcome};
use output::Output;
use session::Session;

/// Reads the command line, does what it says, and tells how that ended.
pub(crate) fn main() -> ExitCode {
    match completions::answered(std::env::args_os()) {
        Ok(true) => return Exit::Done.into(),
        Ok(false) => {}
        Err(error) => return usage::explain(&error).into(),
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::explain(&error).into(),
    };
    match log::start(cli.global.verbose).and_then(|()| run_to_its_end(cli)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if let Some(message) = failure.message {
                output::complain(&message);
            }
            failure.exit.into()
        }
    }
}

fn run_to_its_end(cli: Cli) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        let message = format!("the system gives no threads ({error}): close something and try again");
        Failure::new(Exit::Failed, message)
    })?;
    // As one type: the runtime's several ways to run it would each have the whole command in them.
    let running: Pin<Box<dyn Future<Output = Outcome>>> = Box::pin(run(cli));
    let outcome = runtime.block_on(running);
    // Whatever still waits (for a terminal, for a file system that hangs) ends with the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

/// A direct, encrypted link between two people who already share something.
#[derive(Debug, Parser)]
#[command(
    name = "wayside",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "\
A first time through:
  wayside init --name Ada
  wayside bridge add dir --path /mnt/share    # a folder that a friend can see too
  wayside up &                                # the node, for as long as you want to be reached
  wayside invite                              # give the line to the friend, who types
  wayside accept wayside:…                    #   this, and from then on
  wayside send Ada 'hello'                    #   this

`wayside demo` shows all of it in one terminal."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The heading in help of what every command takes.
const EVERYWHERE: &str = "Everywhere";

/// What every command takes, before or after its name.
#[derive(Clone, Debug, Args)]
struct Global {
    /// The home folder: keys, friends, messages (or set WAYSIDE_HOME)
    #[arg(long, global = true, env = "WAYSIDE_HOME", hide_env = true, value_name = "DIR", help_heading = EVERYWHERE)]
    home: Option<PathBuf>,
    /// Print one JSON object a line on stdout, and nothing else
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Log to stderr; twice for details (or set WAYSIDE_LOG, for example to wayside_node=debug)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = EVERYWHERE)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Id(id::Id),
    #[command(subcommand)]
    Bridge(bridge::Bridge),
    Up(up::Up),
    Invite(invite::Invite),
    Invites(invites::Invites),
    Accept(accept::Accept),
    Complete(complete::Complete),
    Nearby(nearby::Nearby),
    #[command(subcommand)]
    Pointer(pointer::Pointer),
    Friends(friends::Friends),
    #[command(subcommand)]
    Friend(friend::Friend),
    Introduce(introduce::Introduce),
    #[command(subcommand)]
    Community(community::Community),
    Requests(requests::Requests),
    #[command(subcommand)]
    Request(request::Request),
    Ping(ping::Ping),
    Send(send::Send),
    Inbox(inbox::Inbox),
    Outbox(outbox::Outbox),
    Bell(bell::Bell),
    Bot(bot::Bot),
    Status(status::Status),
    Explain(explain::Explain),
    Relay(relay::Relay),
    Mailbox(mailbox::Mailbox),
    Doctor(doctor::Doctor),
    Config(config::Config),
    #[command(subcommand)]
    Token(token::Token),
    Completions(completions::Completions),
    #[command(hide = true)]
    Man(man::Man),
    Demo(demo::Demo),
}

async fn run(cli: Cli) -> Outcome {
    let context = Context { home: cli.global.home, output: Output::new(cli.global.json) };
    match cli.command {
        Command::Init(command) => command.run(&context),
        Command::Id(command) => command.run(&context),
        Command::Bridge(command) => command.run(&context).await,
        Command::Up(command) => command.run(&context).await,
        Command::Invite(command) => command.run(&context).await,
        Command::Invites(command) => command.run(&context).await,
        Command::Accept(command) => command.run(&context).await,
        Command::Complete(command) => command.run(&context).await,
        Command::Nearby(command) => command.run(&context).await,
        Command::Pointer(command) => command.run(&context).await,
        Command::Friends(command) => command.run(&context).await,
        Command::Friend(command) => command.run(&context).await,
        Command::Introduce(command) => command.run(&context).await,
        Command::Community(command) => command.run(&context).await,
        Command::Requests(command) => command.run(&context).await,
        Command::Request(command) => command.run(&context).await,
        Command::Ping(command) => command.run(&context).await,
        Command::Send(command) => command.run(&context).await,
        Command::Inbox(command) => command.run(&context).await,
        Command::Outbox(command) => command.run(&context).await,
        Command::Bell(command) => command.run(&context).await,
        Command::Bot(command) => command.run(&context).await,
        Command::Status(command) => command.run(&context).await,
        Command::Explain(command) => command.run(&context).await,
        Command::Relay(command) => command.run(&context).await,
        Command::Mailbox(command) => command.run(&context).await,
        Command::Doctor(command) => command.run(&context).await,
        Command::Config(command) => command.run(&context),
        Command::Token(command) => command.run(&context).await,
        Command::Completions(command) => command.run(&context),
        Command::Man(command) => command.run(&context),
        Command::Demo(command) => command.run(&context).await,
    }
}

/// What a command is run with.
#[derive(Debug)]
struct Context {
    home: Option<PathBuf>,
    output: Output,
}

impl Context {
    /// Where the home is, or is to be.
    fn home_path(&self) -> Result<PathBuf, Failure> {
        match &self.home {
            Some(path) if path.as_os_str().is_empty() => {
                Err(Failure::usage("--home (or WAYSIDE_HOME) is empty: name a folder"))
            }
            Some(path) => std::path::absolute(path).map_err(|error| {
                Failure::new(Exit::Home, format!("{} cannot be found: {error}", path.display()))
            }),
            None => places::default_home().ok_or_else(|| {
                Failure::usage(
                    "this system does not say where your data belongs: choose a folder with --home",
                )
            }),
        }
    }

    /// The home.
    fn home(&self) -> Result<Home, Failure> {
        Ok(Home::open(&self.home_path()?)?)
    }

    /// A conversation with the home's node.
    async fn session(&self) -> Result<Session, Failure> {
        Session::open(&self.home_path()?).await
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_makes_sense() {
        Cli::command().debug_assert();
    }
}
