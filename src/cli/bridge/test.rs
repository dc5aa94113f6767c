//! `wayside bridge test`: the behaviour suite, on a configured bridge or on a program that is to become one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use wayside::api::types::{CaseView, SentenceView};
use wayside::bridge::{BridgeContext, BridgeError, BridgeOptions, ErrorKind};
use wayside_conformance::{
    Case, ConfiguredHarness, Failure as CaseFailure, Outcome as CaseOutcome, Runner, Sentence, Settings,
};

use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::output::one_line;
use crate::cli::session::parse_name;
use crate::cli::{Context, candidates};

/// Try whether a bridge does what bridges do, a line a case
///
/// Publishes at most 20 small records and takes them back. --full runs every case, which leaves records behind and may
/// cost what the service allows: only for a place that may be thrown away. A case that fails names the sentence of the
/// specification (docs/BRIDGE-SPEC.md) that was broken, what was expected and what was seen. Ends with exit code 7 where
/// one fails.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside bridge test share
  wayside bridge test --command 'python3 bridge.py /tmp/throw-away' --full")]
pub(in crate::cli) struct Test {
    /// What it is called here
    #[arg(value_parser = parse_name, required_unless_present = "command", conflicts_with = "command", add = candidates::bridges())]
    name: Option<String>,
    /// A program that speaks the exec protocol, instead of a bridge that was added; needs no home
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// Run every case
    #[arg(long)]
    full: bool,
}

/// What is opened for each case.
#[derive(Clone, Debug)]
struct Subject {
    kind: String,
    options: BTreeMap<String, String>,
    state_dir: Option<PathBuf>,
}

impl Test {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let subject = match (self.name, self.command) {
            (Some(name), _) => configured(context, &name)?,
            (None, Some(command)) => Subject {
                kind: "exec".to_owned(),
                options: BTreeMap::from([("command".to_owned(), command)]),
                state_dir: None,
            },
            (None, None) => return Err(Failure::usage("which bridge? name one, or give --command")),
        };
        // Where it does not even open, that is the one thing to say.
        let bridge = subject.open().await.map_err(|error| of_bridge(&error))?;
        bridge.probe().await.map_err(|error| of_bridge(&error))?;
        drop(bridge);
        run_cases(context, subject, self.full).await
    }
}

impl Subject {
    async fn open(&self) -> Result<wayside::bridge::SharedBridge, BridgeError> {
        let options: BridgeOptions = self.options.clone().into_iter().collect();
        let context = wayside::bridge_context(self.state_dir.clone());
        Ok(wayside::registry().open(&self.kind, &options, context).await?.bridge)
    }
}

fn configured(context: &Context, name: &str) -> Result<Subject, Failure> {
    let home = context.home()?;
    let found = home.bridges()?.into_iter().find(|bridge| bridge.name == name);
    let bridge = found.ok_or_else(|| {
        let sentence = format!("there is no bridge `{name}`: `wayside bridge list` lists them");
        Failure::new(Exit::NotFound, sentence)
    })?;
    let state_dir = Some(home.bridge_state_dir(name)).filter(|folder| folder.is_dir());
    Ok(Subject { kind: bridge.kind, options: bridge.options, state_dir })
}

async fn run_cases(context: &Context, subject: Subject, full: bool) -> Outcome {
    let BridgeContext { clock, entropy, .. } = wayside::bridge_context(None);
    let mut seed = [0; 8];
    entropy.fill(&mut seed);
    let mut settings = Settings::default();
    settings.seed = u64::from_le_bytes(seed);

    let subject = Arc::new(subject);
    let harness = ConfiguredHarness::new(clock, move || {
        let subject = Arc::clone(&subject);
        async move { subject.open().await }
    });
    let runner = if full { Runner::full(harness) } else { Runner::light(harness) };
    let mut runner = runner.with(settings);
    let mut tally = Tally::default();
    while let Some((case, outcome)) = runner.next().await {
        let view = tally.count(case, outcome);
        context.output.say(&view, || in_words(case, &view))?;
    }
    context.output.text(&tally.in_words())?;
    Ok(if tally.failed == 0 { Exit::Done } else { Exit::Bridge })
}

/// How many cases ended how.
#[derive(Debug, Default)]
struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
    deviate: u32,
}

impl Tally {
    fn count(&mut self, case: &Case, outcome: CaseOutcome) -> CaseView {
        let (mut broken, mut details) = (None, None);
        let (word, number, reason) = match outcome {
            CaseOutcome::Passed => ("passed", &mut self.passed, None),
            CaseOutcome::Skipped(why) => ("skipped", &mut self.skipped, Some(why)),
            CaseOutcome::Deviates(why) => ("deviates", &mut self.deviate, Some(why)),
            CaseOutcome::Failed(CaseFailure { sentence, expected, seen, .. }) => {
                let why = format!("expected: {expected}; seen: {seen}");
                let named = |it: &Sentence| SentenceView { id: it.id.to_owned(), text: it.text.to_owned() };
                (broken, details) = (sentence.map(named), Some((expected, seen)));
                ("failed", &mut self.failed, Some(why))
            }
            _ => ("failed", &mut self.failed, None),
        };
        *number = number.saturating_add(1);
        let (expected, seen) = details.unzip();
        CaseView { case: case.name.to_owned(), outcome: word.to_owned(), reason, broken, expected, seen }
    }

    fn in_words(&self) -> String {
        let Self { passed, failed, skipped, deviate } = self;
        let deviate = if *deviate == 0 { String::new() } else { format!(", {deviate} deviate") };
        let page = if *failed == 0 { "" } else { "\nThe sentences are those of docs/BRIDGE-SPEC.md." };
        format!("\n{passed} passed, {failed} failed, {skipped} skipped{deviate}{page}")
    }
}

fn in_words(case: &Case, view: &CaseView) -> String {
    let line = format!("{:<8}  {:<30}  {}", view.outcome, view.case, case.about);
    let more = |word: &str, text: &str| format!("\n          {word:<8}  {}", one_line(text));
    match view {
        CaseView { broken, expected: Some(expected), seen: Some(seen), .. } => {
            let broken =
                broken.as_ref().map(|broken| more("broken", &format!("{}: {}", broken.id, broken.text)));
            [line, broken.unwrap_or_default(), more("expected", expected), more("seen", seen)].concat()
        }
        CaseView { reason: Some(reason), .. } => format!("{line}\n          {}", one_line(reason)),
        CaseView { .. } => line,
    }
}

fn of_bridge(error: &BridgeError) -> Failure {
    let exit = match error.kind() {
        ErrorKind::Configuration => Exit::Usage,
        _ => Exit::Bridge,
    };
    Failure::new(exit, error.message())
}
