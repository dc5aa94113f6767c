//! Showing what the node does for friends, changed before where that was asked for.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Context;
use super::exit::{Exit, Outcome};

/// Says what the API has at `path`, after this change where there is one.
pub(super) async fn show_or_change<V: Serialize + DeserializeOwned>(
    context: &Context,
    path: &str,
    change: Option<impl Serialize + Sync>,
    in_words: impl Fn(&V) -> String,
) -> Outcome {
    let mut session = context.session().await?;
    let view = match change {
        None => session.get(path).await,
        Some(change) => session.patch(path, &change).await,
    };
    session.close().await;
    let view = view?;
    context.output.say(&view, || in_words(&view))?;
    Ok(Exit::Done)
}
