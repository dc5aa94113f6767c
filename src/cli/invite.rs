//! `wayside invite`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use wayside::api::types::{InviteView, NewInvite, Time};
use wayside::greeting::Greeting;

use super::exit::{Exit, Failure, Outcome};
use super::files::{Target, armoured};
use super::output::one_line;
use super::qr::Code;
use super::words::{moment, parse_duration};
use super::{Context, candidates, code, output};

/// Make an invite: a line to give to a friend, a code to scan, or a file to carry
///
/// Whoever has it can become your friend with it, so give it to nobody else. It works over the services named by
/// --bridge, or up to three that work right now. Your node has to be up (`wayside up`) to answer it. Over a space that you
/// alone write in (a site or zone of your own) the friend sends a line back, which `wayside complete` takes. A file
/// (--file) needs no service at all: the friend accepts it and gives you a reply file back.
///
/// With --code it is a code that you say to the friend instead, who types it: `wayside accept 7-crossover-clockwork`. It
/// waits until the friend has, and ends with this command or the node.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside invite
  wayside invite --bridge share --uses 5 --expires 12h
  wayside invite --code
  wayside invite --qr
  wayside invite --png invite.png
  wayside invite --file ann.wayside")]
pub(super) struct Invite {
    /// Over this bridge; may be given up to three times
    #[arg(long = "bridge", value_name = "NAME", add = candidates::bridges())]
    bridges: Vec<String>,
    /// How many people may use it, 1 to 127
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=127))]
    uses: u8,
    /// How long it lasts: 7d unless you say otherwise, 1h for a code
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    expires: Option<Duration>,
    /// A code to say aloud in place of a line, and wait until it was used
    #[arg(long, conflicts_with_all = ["uses", "file", "qr", "png", "svg"])]
    code: bool,
    /// Write it to a file that says who you are and how you are reached, for a friend with whom you need share no service
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show it as a QR code
    #[arg(long)]
    qr: bool,
    /// Write a QR code of it as a PNG picture
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Write a QR code of it as an SVG drawing
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write over files that are there already
    #[arg(long)]
    force: bool,
}

/// What was made, and where it was written.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    invite: &'a InviteView,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    png: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    svg: Option<String>,
}

/// How long an invite lasts where nobody says.
const LASTS: Duration = Duration::from_secs(7 * 86_400);

impl Invite {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        if self.code {
            return code::speak(context, self.bridges, self.expires).await;
        }
        if self.qr && context.output.is_json() {
            return Err(Failure::usage(
                "a QR code is for people: leave out --json, or write it with --png or --svg",
            ));
        }
        // An invite that then cannot be written would be lost.
        let target =
            |path: &Option<PathBuf>| path.as_ref().map(|path| Target::new(path, self.force)).transpose();
        let (file, png, svg) = (target(&self.file)?, target(&self.png)?, target(&self.svg)?);
        let expires_in_secs = self.expires.unwrap_or(LASTS).as_secs();
        let wanted = NewInvite { bridges: self.bridges, uses: self.uses, expires_in_secs };
        let path = if file.is_some() { "/v1/invites/file" } else { "/v1/invites" };
        let mut session = context.session().await?;
        let made = session.post::<_, InviteView>(path, &wanted).await;
        let brief = session.is_brief();
        session.close().await;
        let invite = made?;
        if let Some(file) = &file {
            file.write(in_file(&invite)?.as_bytes())?;
        }
        if self.qr || png.is_some() || svg.is_some() {
            let code = Code::of(&invite.invite)?;
            png.as_ref().map_or(Ok(()), |png| png.write(&code.png()?))?;
            svg.as_ref().map_or(Ok(()), |svg| svg.write(code.svg().as_bytes()))?;
            if self.qr {
                draw(context, &code)?;
            }
        }
        let shown = |target: &Option<Target>| target.as_ref().map(Target::shown);
        let made = Made { invite: &invite, file: shown(&file), png: shown(&png), svg: shown(&svg) };
        context.output.say(&made, || in_words(&made))?;
        remarks(&made, brief);
        Ok(Exit::Done)
    }
}

/// Draws a code where it fits.
pub(super) fn draw(context: &Context, code: &Code) -> Result<(), Failure> {
    match output::columns().filter(|columns| *columns < code.columns()) {
        None => context.output.drawing(|coloured| code.in_lines(coloured)),
        Some(columns) => {
            output::remark(&format!(
                "The terminal has {columns} columns and the code needs {}: make it wider, or write a picture with --png.",
                code.columns()
            ));
            Ok(())
        }
    }
}

fn in_words(made: &Made<'_>) -> String {
    let written: Vec<String> = [&made.file, &made.png, &made.svg]
        .into_iter()
        .flatten()
        .map(|path| format!("Written to {}.", one_line(path)))
        .collect();
    let shown = match written.as_slice() {
        [] => made.invite.invite.clone(),
        written if made.file.is_some() => written.join(" "),
        written => format!("{}\n\n{}", made.invite.invite, written.join(" ")),
    };
    format!("{shown}\n\nIt lasts until {}.", moment(made.invite.expires))
}

fn remarks(made: &Made<'_>, brief: bool) {
    let node_needed = match (&made.file, made.invite.replies) {
        (Some(_), replies) => {
            output::remark(
                "Give the file to your friend alone, who types `wayside accept FILE`. What comes back is a reply, for `wayside complete`.",
            );
            !replies
        }
        (None, true) => {
            output::remark(
                "You alone write where it leads to, so whoever accepts it is shown a line to send back: type `wayside complete` and that line.",
            );
            true
        }
        (None, false) => true,
    };
    if brief && node_needed {
        output::remark(
            "No node is up to answer this invite: run `wayside up` until your friend has used it.",
        );
    }
}

/// What stands in an invite file: first what whoever opens it should know.
fn in_file(invite: &InviteView) -> Result<String, Failure> {
    let greeting: Greeting = invite.invite.parse().map_err(|_| {
        Failure::new(Exit::Failed, "the node made no invite file: restart it, as it may be older")
    })?;
    let expires: Time = invite.expires;
    let remarks = [
        format!(
            "An invitation to become friends over wayside, from {}. It lasts until {}.",
            one_line(&greeting.card().roster().name),
            moment(expires)
        ),
        "Whoever has this file can use it: give it to nobody else.".to_owned(),
        "  wayside accept THIS-FILE                      and you are friends where you share a service that works;".to_owned(),
        "  wayside accept THIS-FILE --reply ANSWER-FILE  without any: give the answer file back, for".to_owned(),
        "  wayside complete ANSWER-FILE".to_owned(),
    ];
    Ok(armoured(&remarks, &invite.invite))
}
