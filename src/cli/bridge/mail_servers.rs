//! Mail servers that nobody named: looked up, shown, and used once a person agrees.

use clap::{Arg, ArgAction, ArgMatches, Command};
use wayside::api::types::AddBridge;
use wayside_bridge_email::{LookupError, MailServers, mail_servers};

use super::add::{BOT, MAIL, NAME};
use super::from::UNLISTED;
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, one_line};
use crate::cli::source::agreed;
use crate::cli::words::shell_word;

/// The kind that has mail servers.
const KIND: &str = "email";
/// The options that name them.
const SMTP: &str = "smtp";
const IMAP: &str = "imap";
/// What is given for the lookup: no options of the bridge's.
const RESOLVER: &str = "resolver";
const YES: &str = "yes";

/// Who is asked, and whether a person agreed beforehand to what is found.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    resolver: Option<String>,
    yes: bool,
}

/// The command of a kind, with what its lookup takes.
pub(super) fn with_arguments(command: Command) -> Command {
    if command.get_name() != KIND {
        return command;
    }
    let resolver = Arg::new(RESOLVER).long(RESOLVER).value_name("ADDR[:PORT]");
    let resolver = resolver.help("whom to ask for servers that are not named (this machine's resolver)");
    let yes = Arg::new(YES).long(YES).action(ArgAction::SetTrue);
    command.args([resolver, yes.help("use the servers that the address's domain names, without asking")])
}

impl Lookup {
    /// What was given.
    pub(super) fn of(kind: &str, matches: &ArgMatches) -> Self {
        if kind != KIND {
            return Self::default();
        }
        Self { resolver: matches.get_one::<String>(RESOLVER).cloned(), yes: matches.get_flag(YES) }
    }

    /// Names the servers that are missing, as the address's own domain does in DNS.
    pub(super) async fn complete(self, context: &Context, request: &mut AddBridge) -> Result<(), Failure> {
        let named = |name: &str| request.options.contains_key(name);
        if request.kind != KIND || (named(SMTP) && named(IMAP)) {
            return Ok(());
        }
        // Without an address the kind itself says what is missing.
        let Some(address) = request.options.get("address") else { return Ok(()) };
        let found = mail_servers(address, self.resolver.as_deref()).await.map_err(failure)?;
        let mut completed = AddBridge { options: request.options.clone(), ..request.clone() };
        for (name, server) in [(SMTP, &found.smtp), (IMAP, &found.imap)] {
            if !named(name) {
                let server = server.as_ref().ok_or_else(|| unnamed(name, &found))?;
                completed.options.insert(name.to_owned(), server.clone());
            }
        }
        if !self.yes {
            confirm(context, &found, &completed)?;
        }
        *request = completed;
        Ok(())
    }
}

/// Shows what was found, and has a person agree to it.
fn confirm(context: &Context, found: &MailServers, completed: &AddBridge) -> Result<(), Failure> {
    let server = |name: &str| completed.options.get(name).map(String::as_str).unwrap_or_default();
    let (domain, smtp, imap) = (&found.domain, server(SMTP), server(IMAP));
    if context.output.is_json() || !output::can_ask() {
        let command = command_line(completed);
        return Err(Failure::usage(format!(
            "{domain} names its mail servers in DNS, and nobody can be asked whether they are right: add --yes, or run {command}"
        )));
    }
    output::remark(&format!(
        "{domain} names its mail servers in DNS, says {}:\n  to send  {smtp}\n  to read  {imap}\n\
         Answers of DNS can be forged on the way. Your password goes to these servers, whose certificates have to be of these names.",
        found.asked
    ));
    // Other than elsewhere Enter is no yes: a password is at stake.
    let answer = output::ask("Use them? [y/N]")?;
    match !answer.is_empty() && agreed(&answer) {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Failed,
            "nothing was added; your provider's help page names the servers, for --smtp and --imap",
        )),
    }
}

fn unnamed(name: &str, found: &MailServers) -> Failure {
    let what = if name == SMTP { "to send by" } else { "to read from" };
    Failure::usage(format!(
        "{} names no server {what} in DNS, says {}: your provider's help page does, for --{name}",
        found.domain, found.asked
    ))
}

fn failure(error: LookupError) -> Failure {
    let exit = match error {
        LookupError::Address(_) | LookupError::Resolver(_) => Exit::Usage,
        _ => Exit::Bridge,
    };
    Failure::new(exit, one_line(&error.to_string()))
}

/// The command that asks for this bridge, as a person types it.
fn command_line(request: &AddBridge) -> String {
    let mut words = vec![format!("wayside bridge add {}", request.kind)];
    let mut option = |name: &str, value: &str| words.push(format!("--{name} {}", shell_word(value)));
    for (name, value) in &request.options {
        option(name, value);
    }
    if let Some(name) = &request.name {
        option(NAME, name);
    }
    if let Some(bot) = &request.community {
        option(BOT, &bot.bot);
    }
    let unlisted = request.community.as_ref().is_some_and(|bot| !bot.listed);
    words.extend(unlisted.then(|| format!("--{UNLISTED}")));
    words.extend(request.mail.then(|| format!("--{MAIL}")));
    words.join(" ")
}
