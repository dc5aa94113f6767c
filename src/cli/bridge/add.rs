//! `wayside bridge add`: its subcommands are the kinds of bridge that are built in, their options what the kinds declare.

use std::collections::BTreeMap;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Subcommand};
use wayside::api::types::{AddBridge, BridgeView, RoomBot};
use wayside::bridge::{BridgeKind, OptionSpec};

use super::from::{From, UNLISTED, show};
use super::mail_servers::{self, Lookup};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::output::one_line;
use crate::cli::session::parse_name;

/// Add a bridge: try it, and say what the service and its readers see
///
/// Nothing is kept where it cannot be reached.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside bridge add dir --path /mnt/share
  wayside bridge add exec --command 'python3 /opt/bridge.py' --name mine
  wayside bridge add --from bees.toml --user @ada:example.org --password-file ~/.bees")]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Add {
    #[command(subcommand)]
    kind: Option<Kind>,
    #[command(flatten)]
    from: Option<From>,
}

/// A kind and its options, as given, and what is to be looked up.
#[derive(Debug)]
struct Kind(AddBridge, Lookup);

impl Add {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let (mut request, lookup) = match (self.kind, self.from) {
            (Some(Kind(request, lookup)), _) => (request, lookup),
            (None, Some(from)) => {
                let (file, request) = from.request()?;
                if !context.output.is_json() {
                    show(&file, request.community.as_ref().is_some_and(|bot| bot.listed));
                }
                (request, Lookup::default())
            }
            (None, None) => return Err(Failure::usage("which kind of bridge? or --from which file?")),
        };
        make_paths_absolute(&mut request)?;
        lookup.complete(context, &mut request).await?;
        let mut session = context.session().await?;
        let added = session.post::<_, BridgeView>("/v1/bridges", &request).await;
        session.close().await;
        let added = added?;
        context.output.say(&added, || in_words(&added, request.community.as_ref()))?;
        Ok(Exit::Done)
    }
}

impl Subcommand for Kind {
    fn augment_subcommands(command: Command) -> Command {
        let registry = wayside::registry();
        let command = command.arg_required_else_help(true);
        command.subcommand_value_name("KIND").subcommands(registry.kinds().map(subcommand))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        wayside::registry().kind(name).is_some()
    }
}

impl FromArgMatches for Kind {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::raw(ErrorKind::MissingSubcommand, "which kind of bridge?");
        let (kind, matches) = matches.subcommand().ok_or_else(missing)?;
        let mut options = BTreeMap::new();
        for option in wayside::registry().kind(kind).map(BridgeKind::options).unwrap_or_default() {
            if let Some(value) = matches.get_one::<String>(option.name) {
                options.insert(option.name.to_owned(), value.clone());
            }
        }
        let name = matches.get_one::<String>(NAME).cloned();
        let mail = matches.get_flag(MAIL);
        let bot = matches.get_one::<String>(BOT).cloned();
        let community = bot.map(|bot| RoomBot { bot, listed: !matches.get_flag(UNLISTED) });
        let lookup = Lookup::of(kind, matches);
        Ok(Self(AddBridge { kind: kind.to_owned(), name, options, mail, community }, lookup))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The arguments that every kind has.
pub(super) const NAME: &str = "name";
pub(super) const MAIL: &str = "mail";
pub(super) const BOT: &str = "bot";

fn subcommand(kind: &dyn BridgeKind) -> Command {
    let name = Arg::new(NAME).long(NAME).value_name("NAME").value_parser(parse_name);
    let name = name.help(format!("What to call it [default: {}, numbered where that is taken]", kind.kind()));
    let mail = Arg::new(MAIL).long(MAIL).action(ArgAction::SetTrue);
    let mail = mail.help("Let small messages for friends lie there, sealed, for up to a week");
    let bot = Arg::new(BOT).long(BOT).value_name("WHO").value_parser(parse_name);
    let bot = bot.help("The bot of its room, which introduces members to one another, as the room names it");
    let unlisted = Arg::new(UNLISTED).long(UNLISTED).action(ArgAction::SetTrue).requires(BOT);
    let unlisted = unlisted.help("Stay off the bot's list: members cannot ask for you");
    let options = kind.options().iter().map(argument);
    let command = Command::new(kind.kind()).about(kind.summary()).args(options);
    mail_servers::with_arguments(command).args([name, mail, bot, unlisted])
}

/// An option of a kind, as an argument.
pub(in crate::cli) fn argument(option: &OptionSpec) -> Arg {
    let argument = Arg::new(option.name).long(option.name).value_name(option.value).help(option.help);
    argument.required(option.required)
}

/// The node may run in another folder than this command.
fn make_paths_absolute(request: &mut AddBridge) -> Result<(), Failure> {
    let registry = wayside::registry();
    let known = registry.kind(&request.kind).map(BridgeKind::options).unwrap_or_default();
    for option in known.iter().filter(|option| option.path) {
        let Some(value) = request.options.get_mut(option.name) else { continue };
        let wrong = |why: &str| Failure::usage(format!("--{} `{value}` {why}", option.name));
        let path = std::path::absolute(&value).map_err(|_| wrong("is no path: name a folder"))?;
        *value = path
            .into_os_string()
            .into_string()
            .map_err(|_| wrong("is in a folder whose name is not text"))?;
    }
    Ok(())
}

fn in_words(bridge: &BridgeView, bot: Option<&RoomBot>) -> String {
    let mut lines = vec![format!("{} works: {}", one_line(&bridge.name), one_line(&bridge.title))];
    lines.extend(bridge.note.as_ref().map(|note| format!("  {}", one_line(note))));
    phrases(&mut lines, "Whoever runs the service sees", &bridge.service_sees);
    phrases(&mut lines, "Whoever can read there sees", &bridge.readers_see);
    if bridge.mail {
        lines.push("Mail may lie there, for a week at most; both of them also see:".to_owned());
        lines.extend(MAIL_SHOWS.map(|phrase| format!("  - {phrase}")));
    }
    match bot {
        Some(RoomBot { bot, listed: true }) => lines.push(format!(
            "You will be on the list of {}, so that members may ask for you: `wayside community leave` takes that back.",
            one_line(bot)
        )),
        Some(RoomBot { bot, listed: false }) => {
            lines.push(format!("You are not on the list of {}: `wayside community join` puts you there.", one_line(bot)));
        }
        None => {}
    }
    lines.push("What friends write to one another there is sealed.".to_owned());
    lines.join("\n")
}

/// What mail shows beside what everything shows that is left there.
const MAIL_SHOWS: [&str; 2] = [
    "on which day a message was left and taken back, and its length, rounded up",
    "not from whom to whom it is, nor which belong together: each lies under a name that only the two can tell",
];

fn phrases(lines: &mut Vec<String>, head: &str, phrases: &[String]) {
    if phrases.is_empty() {
        lines.push(format!("{head} nothing."));
        return;
    }
    lines.push(format!("{head}:"));
    lines.extend(phrases.iter().map(|phrase| format!("  - {}", one_line(phrase))));
}
