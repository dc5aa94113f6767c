//! `wayside bridge script`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::session::parse_name;

/// Print a script that makes a place for records of cheap web space
///
/// Put it there over https, and add it with `wayside bridge add web --write php+https://…`. Only a hash of the password is in it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside bridge script php --user ada --password-file ~/.config/wayside-php > wayside.php
  wayside bridge script cgi > wayside.cgi")]
pub(in crate::cli) struct Script {
    /// In which language
    #[arg(value_enum, value_name = "php|cgi")]
    language: Language,
    /// Who may write, of wayside.php; without it the script says where such a line belongs
    #[arg(long, value_name = "NAME", value_parser = parse_name, requires = "password_file")]
    user: Option<String>,
    /// A file with that user's password and nothing else, which only you can read
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
}

/// What the server can run.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// PHP 7.4 and later, as most web space has it
    Php,
    /// Python 3, run as a CGI script
    Cgi,
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Printed {
    file: &'static str,
    script: String,
}

impl Script {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let script = match self.language {
            Language::Php => wayside::Script::Php,
            Language::Cgi => wayside::Script::Cgi,
        };
        let text = match (self.user, self.password_file) {
            (Some(user), Some(file)) => {
                let entropy = wayside::bridge_context(None).entropy;
                let made = script.for_user(&user, &file, entropy.as_ref());
                made.map_err(|error| Failure::usage(error.message()))?
            }
            _ => script.text().to_owned(),
        };
        let printed = Printed { file: script.file_name(), script: text };
        context.output.say(&printed, || printed.script.trim_end().to_owned())?;
        Ok(Exit::Done)
    }
}
