//! `wayside pointer list`

use clap::Args;
use wayside::api::types::{PlacePointers, PlacedPointer, PointerView};

use crate::cli::exit::{Exit, Outcome};
use crate::cli::output::one_line;
use crate::cli::session::{bridge_path, parse_name};
use crate::cli::words::{count, list, moment, table};
use crate::cli::{Context, output};

/// List your cards, or what lies at a place under public names
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside pointer list
  wayside pointer list --place project")]
pub(in crate::cli) struct List {
    /// Everybody's at this bridge, where its service can be listed
    #[arg(long, value_name = "BRIDGE", value_parser = parse_name)]
    place: Option<String>,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut session = context.session().await?;
        match self.place {
            Some(place) => {
                let found = session.get::<PlacePointers>(&format!("{}/pointers", bridge_path(&place))).await;
                session.close().await;
                tell_place(context, &found?)
            }
            None => {
                let ours = session.get::<Vec<PointerView>>("/v1/pointers").await;
                session.close().await;
                tell_ours(context, &ours?)
            }
        }
    }
}

fn tell_ours(context: &Context, ours: &[PointerView]) -> Outcome {
    for pointer in ours {
        context.output.object(pointer)?;
    }
    if ours.is_empty() {
        context.output.text("No cards of yours: `wayside pointer publish NAME` makes one.")?;
    }
    let shown: Vec<String> = ours.iter().map(in_words).collect();
    context.output.text(&shown.join("\n"))?;
    Ok(Exit::Done)
}

fn in_words(pointer: &PointerView) -> String {
    let name = one_line(&pointer.name);
    let mut lines = vec![pointer_line(pointer)];
    lines.push(format!("  knocks are looked for at {}", list(&pointer.points)));
    if let Some(ends) = pointer.file_expires {
        lines.push(format!(
            "  the file written last ends at {}: `wayside pointer publish {name} --file FILE` renews it",
            moment(ends)
        ));
    }
    if pointer.knocks > 0 {
        lines.push("  `wayside requests` shows who knocks".to_owned());
    }
    lines.join("\n")
}

/// A card of ours, on one line.
pub(in crate::cli) fn pointer_line(pointer: &PointerView) -> String {
    let mut line = format!("{}: until {}", one_line(&pointer.name), moment(pointer.expires));
    match (&pointer.place, pointer.published) {
        (Some(place), true) => line.push_str(&format!(", at `{}`", one_line(place))),
        (Some(place), false) => {
            line.push_str(&format!(", not yet at `{}`: tried again by itself", one_line(place)))
        }
        (None, _) => {}
    }
    match pointer.file_expires {
        Some(ends) if pointer.place.is_some() => {
            line.push_str(&format!(", in a file until {}", moment(ends)))
        }
        Some(_) => line.push_str(", in a file"),
        None => {}
    }
    if pointer.knocks > 0 {
        line.push_str(&format!(", {} waiting", count(pointer.knocks, "knock")));
    }
    line
}

fn tell_place(context: &Context, found: &PlacePointers) -> Outcome {
    for pointer in &found.pointers {
        context.output.object(pointer)?;
    }
    if found.pointers.is_empty() {
        context.output.text("Nothing lies there under a public name.")?;
    } else {
        let rows: Vec<Vec<String>> = found.pointers.iter().map(row).collect();
        context.output.text(&table(&["NAME", "ACCOUNT", "UNTIL", "HOLDS"], &rows))?;
    }
    if found.more {
        output::remark("There is more than is shown here.");
    }
    Ok(Exit::Done)
}

fn row(pointer: &PlacedPointer) -> Vec<String> {
    let holds = match (&pointer.fault, pointer.own) {
        (Some(fault), _) => format!("no: {fault}"),
        (None, true) => "yes, it is yours".to_owned(),
        (None, false) => "yes".to_owned(),
    };
    let dash = || "-".to_owned();
    let account = pointer.account.clone().unwrap_or_else(dash);
    vec![pointer.name.clone(), account, pointer.expires.map_or_else(dash, moment), holds]
}
