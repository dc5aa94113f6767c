//! `wayside pointer publish`

use std::path::{Path, PathBuf};

use clap::Args;
use wayside::api::types::{PointerView, PublishPointer};
use wayside::pointer::PointerName;

use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::output::{self, one_line};
use crate::cli::session::parse_name;
use crate::cli::words::{list, moment};
use crate::cli::{Context, candidates};

/// Publish your card under a name, or renew it
///
/// It is left at one of the services and renewed there by itself while a node is up, until `wayside pointer withdraw`.
/// With --file it is written to a file as well or, where no --place is given, only to that: for a repository that lists
/// cards, as NAME.card. A file is yours to renew. What you published before leads to you as long as it lasts, too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside pointer publish
  wayside pointer publish alice
  wayside pointer publish alice --bridge project --place project
  wayside pointer publish alice --bridge project --days 365 --file peers/alice.card
  wayside pointer publish alice --file -")]
pub(in crate::cli) struct Publish {
    /// The name: 1 to 64 of a-z, 0-9, - _ . and not - or . at its beginning. Under `me` it is found by whoever names your site
    /// or domain and nothing else (`wayside accept https://alice.example`)
    #[arg(value_parser = parse_name, default_value = PointerName::OWNER)]
    name: String,
    /// Look for knocks at this bridge; may be given up to three times [default: up to three that work]
    #[arg(long = "bridge", value_name = "BRIDGE", add = candidates::bridges())]
    bridges: Vec<String>,
    /// Publish it at this bridge [default: the first of those that carries public names]
    #[arg(long, value_name = "BRIDGE")]
    place: Option<String>,
    /// How many days it lasts, 1 to 366
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=366))]
    days: u64,
    /// Write it to this file, or with - to stdout
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Publish {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let wanted = PublishPointer {
            name: self.name,
            bridges: self.bridges,
            place: self.place,
            file: self.file.is_some(),
            lifetime_secs: self.days * 86_400,
        };
        let mut session = context.session().await?;
        let made = session.post::<_, PointerView>("/v1/pointers", &wanted).await;
        let (account, brief) = (context.home()?.id().account, session.is_brief());
        session.close().await;
        let made = made?;
        match self.file.as_deref() {
            Some(file) if file == Path::new("-") => {
                context.output.say(&made, || text_for_a_file(&made, &account).trim_end().to_owned())?;
            }
            Some(file) => {
                write(file, &text_for_a_file(&made, &account))?;
                warn_of_its_name(file, &made.name);
                context.output.say(&made, || in_words(&made, Some(file)))?;
            }
            None => context.output.say(&made, || in_words(&made, None))?,
        }
        if brief {
            output::remark("No node is up to hear knocks: run `wayside up`.");
        }
        Ok(Exit::Done)
    }
}

/// The card with what a person who comes across the file should know.
fn text_for_a_file(made: &PointerView, account: &str) -> String {
    format!(
        "# The wayside card of {}. Whoever has it may knock and ask to become a friend: `wayside accept FILE`.\n\
         # Signed by the account {account}, which alone can renew it.\n\
         # It ends at {}. `wayside pointer verify FILE` checks it.\n\
         {}\n",
        made.name,
        moment(made.expires),
        made.card
    )
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        let sentence = format!(
            "the card was made and cannot be written to {}: {error}; name another --file, and publish it once more",
            file.display()
        );
        Failure::new(Exit::Failed, sentence)
    })
}

fn warn_of_its_name(file: &Path, name: &str) {
    let expected = format!("{name}.card");
    let is_card = file.extension().is_some_and(|extension| extension == "card");
    if is_card && file.file_name().is_some_and(|given| given != expected.as_str()) {
        output::remark(&format!(
            "A repository that lists cards takes it as {expected} and under no other name."
        ));
    }
}

fn in_words(made: &PointerView, file: Option<&Path>) -> String {
    let name = one_line(&made.name);
    let mut lines = vec![format!("{name} lasts until {}.", moment(made.expires))];
    lines.push(format!("Knocks are looked for at {}.", list(&made.points)));
    if let Some(place) = &made.place {
        let place = one_line(place);
        lines.push(format!("It lies at `{place}`, and is renewed there while a node is up."));
        lines.push(format!("Whoever has a bridge there gets it with `wayside accept BRIDGE#{name}`."));
    }
    if let Some(file) = file {
        lines.push(format!(
            "It is in {}: renew that yourself, before it ends, with the same command.",
            file.display()
        ));
    }
    lines.join("\n")
}
