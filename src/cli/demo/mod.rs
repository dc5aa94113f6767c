//! `wayside demo`
use clap::Args;
use super::{Context, exit::{Outcome, Exit}};
/// Show it
#[derive(Debug, Args)]
pub(super) struct Demo {}
impl Demo { pub(super) async fn run(self, _c: &Context) -> Outcome { Ok(Exit::Done) } }
