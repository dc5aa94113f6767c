//! `wayside demo`
use super::{
    Context,
    exit::{Exit, Outcome},
};
use clap::Args;
/// Show it
#[derive(Debug, Args)]
pub(super) struct Demo {}
impl Demo {
    pub(super) async fn run(self, _c: &Context) -> Outcome {
        Ok(Exit::Done)
    }
}
