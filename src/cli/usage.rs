//! What clap has to say: help as it is, an error as one sentence.

use clap::error::ErrorKind;

use super::exit::Exit;
use super::output;

/// Prints it, and says how the command ends.
pub(super) fn explain(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::help(&error.render().to_string());
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::remark(error.render().to_string().trim_end());
            Exit::Usage
        }
        _ => {
            output::complain(&sentence(&error.render().to_string()));
            Exit::Usage
        }
    }
}

/// The paragraphs before `Usage:` on one line, with where to read more.
fn sentence(rendered: &str) -> String {
    let said = rendered.split("\n\nUsage:").next().unwrap_or(rendered);
    let said = said.split("\n\nFor more information").next().unwrap_or(said);
    let said = said.strip_prefix("error: ").unwrap_or(said);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{} (`--help` says what there is)", said.join(" "))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::sentence;
    use crate::cli::Cli;

    #[test]
    fn errors_are_one_sentence() {
        let said = |arguments: &[&str]| {
            let arguments = std::iter::once("wayside").chain(arguments.iter().copied());
            Cli::try_parse_from(arguments).map_err(|error| sentence(&error.render().to_string())).err()
        };
        assert_eq!(
            said(&["send", "Ada"]).as_deref(),
            Some("the following required arguments were not provided: <TEXT> (`--help` says what there is)")
        );
        assert_eq!(
            said(&["invite", "--expires", "soon"]).as_deref(),
            Some(
                "invalid value 'soon' for '--expires <DURATION>': write a duration like 30s, 15m, 12h or 7d (`--help` says \
                 what there is)"
            )
        );
        assert!(said(&["frends"]).is_some_and(|said| said.contains("friends") && !said.contains('\n')));
    }
}
