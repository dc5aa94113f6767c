//! `wayside bridge add --from FILE`: a community's bridge and bot, and what only this user can say of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches, Id, value_parser};
use wayside::api::types::{AddBridge, RoomBot};
use wayside::bridge::{BridgeKind, OptionSpec};
use wayside::community::CommunityFile;

use super::add::{MAIL, NAME};
use crate::cli::exit::Failure;
use crate::cli::output::{self, one_line};
use crate::cli::session::parse_name;

/// What is given beside the file.
#[derive(Debug)]
pub(super) struct From {
    file: PathBuf,
    name: Option<String>,
    mail: bool,
    unlisted: bool,
    /// Options of whichever kind the file turns out to be of.
    options: BTreeMap<String, String>,
}

const FROM: &str = "from";
const GROUP: &str = "a-community's-file";
pub(super) const UNLISTED: &str = "unlisted";
const LONG: &str = "\
A community's file, as `wayside community export` writes it: adds its bridge with its bot. Then come the options that only you can say, \
such as your account: those of the file's kind, as `wayside bridge add KIND --help` lists them";

impl From {
    /// The bridge that is meant: what the file says, and what the user says besides, whose word counts.
    pub(super) fn request(self) -> Result<(CommunityFile, AddBridge), Failure> {
        let wrong = |why: String| Failure::usage(format!("{}: {why}", self.file.display()));
        let text = read(&self.file).map_err(wrong)?;
        let registry = wayside::registry();
        let file =
            CommunityFile::parse(&text, &registry).map_err(|error| wrong(one_line(&error.to_string())))?;
        let known = registry.kind(file.kind()).map(BridgeKind::options).unwrap_or_default();
        let shared = file.options().iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
        let options: BTreeMap<String, String> = shared.chain(self.options).collect();
        if let Some(name) = options.keys().find(|name| known.iter().all(|spec| spec.name != **name)) {
            return Err(Failure::usage(format!("a {} bridge has no option --{name}", file.kind())));
        }
        let missing: Vec<String> = known
            .iter()
            .filter(|spec| spec.required && !options.contains_key(spec.name))
            .map(|spec| format!("--{} {}", spec.name, spec.value))
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(" ");
            return Err(Failure::usage(format!(
                "the file is of a {} bridge: say {missing} besides",
                file.kind()
            )));
        }
        let bot = RoomBot { bot: file.bot().to_string(), listed: !self.unlisted };
        let kind = file.kind().to_owned();
        let community = Some(bot);
        Ok((file, AddBridge { kind, name: self.name, options, mail: self.mail, community }))
    }
}

/// Says what is about to be added.
pub(super) fn show(file: &CommunityFile, listed: bool) {
    let options: Vec<String> = file.options().iter().map(|(name, text)| format!("{name} {text}")).collect();
    output::remark(&format!(
        "{}, as its file says: a {} bridge ({}), whose bot is {}. {}",
        one_line(file.title()),
        file.kind(),
        one_line(&options.join(", ")),
        file.bot(),
        match listed {
            true =>
                "You will be on the bot's list, so that members may ask for you; --unlisted leaves that off.",
            false => "You will not be on the bot's list.",
        }
    ));
}

/// The text of a file that anybody may have written.
fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
    // Nothing is waited for that is no file.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err("it is no file".to_owned());
    }
    let most = u64::try_from(CommunityFile::MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())
}

impl Args for From {
    /// Present where `--from` is.
    fn group_id() -> Option<Id> {
        Some(Id::from(GROUP))
    }

    fn augment_args(command: Command) -> Command {
        let from = Arg::new(FROM).long(FROM).value_name("FILE").value_parser(value_parser!(PathBuf));
        let from =
            from.required(true).help("A community's file: adds its bridge with its bot").long_help(LONG);
        let name = Arg::new(NAME).long(NAME).value_name("NAME").value_parser(parse_name).requires(FROM);
        let mail = Arg::new(MAIL).long(MAIL).action(ArgAction::SetTrue).requires(FROM);
        let unlisted = Arg::new(UNLISTED).long(UNLISTED).action(ArgAction::SetTrue).requires(FROM);
        let command = command.args([
            from,
            name.help("What to call it, with --from"),
            mail.help("Let small messages for friends lie there, with --from"),
            unlisted.help("Stay off the bot's list, with --from"),
        ]);
        let command = command.group(ArgGroup::new(GROUP).arg(FROM));
        command.args(every_option().into_values().map(|option| {
            Arg::new(option.name).long(option.name).value_name(option.value).hide(true).requires(FROM)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for From {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing =
            || clap::Error::raw(ErrorKind::MissingRequiredArgument, "which file? name it with --from");
        let file = matches.get_one::<PathBuf>(FROM).cloned().ok_or_else(missing)?;
        let given = every_option().into_keys().filter_map(|name| {
            let value = matches.get_one::<String>(name)?;
            Some((name.to_owned(), value.clone()))
        });
        Ok(Self {
            file,
            name: matches.get_one::<String>(NAME).cloned(),
            mail: matches.get_flag(MAIL),
            unlisted: matches.get_flag(UNLISTED),
            options: given.collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The options of all kinds: which of them make sense is known once the file was read.
fn every_option() -> BTreeMap<&'static str, OptionSpec> {
    let registry = wayside::registry();
    let options = registry.kinds().flat_map(BridgeKind::options);
    options.map(|option| (option.name, *option)).collect()
}
