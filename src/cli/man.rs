//! `wayside man`: manual pages, for packages.

use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::words::count;
use super::{Cli, Context};

/// Print the manual page, or write a page a command into a folder
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside man | man -l -
  wayside man --output ~/.local/share/man/man1")]
pub(super) struct Man {
    /// Write every page there; the folder is made where it is missing
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// A manual page.
struct Page {
    file: String,
    text: Vec<u8>,
}

impl Man {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let pages = pages()?;
        let Some(folder) = self.output else {
            let page = pages.first().map(|page| String::from_utf8_lossy(&page.text).into_owned());
            let page = page.unwrap_or_default();
            context.output.say(&json!({ "page": page }), || page.trim_end().to_owned())?;
            return Ok(Exit::Done);
        };
        let refused = |path: &PathBuf, error: &io::Error| {
            Failure::new(
                Exit::Failed,
                format!("{} cannot be written ({error}): choose another folder", path.display()),
            )
        };
        std::fs::create_dir_all(&folder).map_err(|error| refused(&folder, &error))?;
        for page in &pages {
            let path = folder.join(&page.file);
            std::fs::write(&path, &page.text).map_err(|error| refused(&path, &error))?;
        }
        let files: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
        context.output.say(&json!({ "written": files }), || {
            format!("{} written to {}", count(files.len() as u64, "page"), folder.display())
        })?;
        Ok(Exit::Done)
    }
}

/// The page of the whole, and one of each command below it.
fn pages() -> Result<Vec<Page>, Failure> {
    let mut cli = Cli::command();
    cli.build();
    let mut pages = Vec::new();
    render(&cli, &mut pages)?;
    Ok(pages)
}

fn render(command: &clap::Command, pages: &mut Vec<Page>) -> Result<(), Failure> {
    let man = clap_mangen::Man::new(command.clone())
        .source(concat!("wayside ", env!("CARGO_PKG_VERSION")))
        .manual("wayside");
    let mut text = Vec::new();
    man.render(&mut text)?;
    pages.push(Page { file: man.get_filename(), text });
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        render(below, pages)?;
    }
    Ok(())
}
