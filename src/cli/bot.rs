//! `wayside bot`: its subcommands are the kinds of bridge that are built in, their options what the kinds declare.

mod ready;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand, value_parser};
use serde::Serialize;
use wayside::bot::{self, BotError, BotFolder, Settings};
use wayside::bridge::{BridgeError, BridgeKind, BridgeOptions};
use wayside::{NodeClock, bridge_context};

use super::Context;
use super::bridge::add::argument;
use super::exit::{Exit, Failure, Outcome};
use super::output::one_line;
use super::signals::Signals;
use ready::Telling;

/// Introduce the members of a room to one another, as a bot with an account of its own there
///
/// Members say `!help` in the room, or to the bot alone. It passes cards between two members who both said yes, and nothing else. It needs no home, and
/// runs until it is interrupted. docs/BOT.md says what to think of first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside bot matrix --state /var/lib/wayside-bot --homeserver https://matrix.example.org \\
    --user @bot:example.org --password-file bot.password --room '#friends:example.org'")]
pub(super) struct Bot {
    #[command(subcommand)]
    kind: Kind,
}

/// A kind and its options, as given.
#[derive(Debug)]
struct Kind {
    kind: String,
    options: BridgeOptions,
    state: PathBuf,
    settings: Settings,
}

/// Where a bot is.
#[derive(Serialize)]
struct Ready<'a> {
    event: &'static str,
    room: &'a str,
    name: &'a str,
}

impl Bot {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut signals = Signals::catch()?;
        tokio::select! {
            outcome = self.kind.work(context) => outcome,
            () = signals.next() => Ok(Exit::Done),
        }
    }
}

impl Kind {
    async fn work(self, context: &Context) -> Outcome {
        let folder = BotFolder::open(&self.state)?;
        let bridge = bridge_context(Some(folder.bridge()?));
        let opened = wayside::registry().open(&self.kind, &self.options, bridge).await;
        let Some(room) = opened.map_err(|error| of_bridge(&error))?.room else {
            let sentence = format!("nobody talks over {}: a bot needs a room or a mailing list", self.kind);
            return Err(Failure::usage(sentence));
        };
        let info = room.info();
        let ready = Ready { event: "ready", room: &info.title, name: &info.own.0 };
        let words = || format!("Ready: in {} as {}", one_line(&info.title), one_line(&info.own.0));
        let (room, listened) = Telling::new(room);
        let work =
            bot::run(Arc::new(room), &folder, self.settings, NodeClock::system(), std::future::pending());
        let mut work = std::pin::pin!(work);
        let done = tokio::select! {
            done = &mut work => done,
            Ok(()) = listened => {
                context.output.say(&ready, words)?;
                work.await
            }
        };
        done.map(|()| Exit::Done).map_err(|error| match error {
            BotError::Folder(error) => error.into(),
            BotError::Room(error) => of_bridge(&error),
            error => Failure::new(Exit::Home, error.to_string()),
        })
    }
}

fn of_bridge(error: &BridgeError) -> Failure {
    let exit = match error.kind() {
        wayside::bridge::ErrorKind::Configuration => Exit::Usage,
        _ => Exit::Bridge,
    };
    Failure::new(exit, error.to_string())
}

impl Subcommand for Kind {
    fn augment_subcommands(command: Command) -> Command {
        let registry = wayside::registry();
        let command = command.subcommand_required(true).arg_required_else_help(true);
        let kinds = registry.kinds().filter(|kind| kind.talks());
        command.subcommand_value_name("KIND").subcommands(kinds.map(subcommand))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        wayside::registry().kind(name).is_some_and(BridgeKind::talks)
    }
}

impl FromArgMatches for Kind {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = |what: &str| clap::Error::raw(ErrorKind::MissingSubcommand, what.to_owned());
        let (kind, matches) = matches.subcommand().ok_or_else(|| missing("which kind of bridge?"))?;
        let known = wayside::registry().kind(kind).map(BridgeKind::options).unwrap_or_default();
        let given = known.iter().filter_map(|it| Some((it.name, matches.get_one::<String>(it.name)?)));
        let state = matches.get_one::<PathBuf>(STATE).ok_or_else(|| missing("--state is missing"))?;
        let minutes = matches.get_one::<u64>(GATHER).copied().unwrap_or_default();
        let settings = Settings { gather: Duration::from_secs(minutes * 60), ..Settings::default() };
        let options = given.map(|(name, value)| (name, value.clone())).collect();
        Ok(Self { kind: kind.to_owned(), options, state: state.clone(), settings })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The arguments that every kind has.
const STATE: &str = "state";
const GATHER: &str = "gather";

fn subcommand(kind: &dyn BridgeKind) -> Command {
    let state = Arg::new(STATE).long(STATE).value_name("DIR").required(true);
    let state =
        state.value_parser(value_parser!(PathBuf)).help("The bot's own folder, made where it is not there");
    let gather =
        Arg::new(GATHER).long(GATHER).value_name("MINUTES").value_parser(value_parser!(u64).range(..=10_080));
    let gather =
        gather.help("Say what a member need not know at once in one message each so often: for mail");
    let options = kind.options().iter().map(argument);
    Command::new(kind.kind()).about(kind.summary()).args(options).args([state, gather])
}
