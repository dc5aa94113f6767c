//! The log: to stderr, and off unless somebody asks for it.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::exit::Failure;

/// Starts it by `WAYSIDE_LOG`, else by how often `-v` was given.
pub(super) fn start(verbose: u8) -> Result<(), Failure> {
    let asked = std::env::var("WAYSIDE_LOG").ok().filter(|asked| !asked.is_empty());
    let asked = match (&asked, verbose) {
        (Some(asked), _) => asked,
        (None, 0) => return Ok(()),
        (None, 1) => "info",
        // As a prefix: all of ours.
        (None, 2) => "info,wayside=debug",
        (None, _) => "debug,wayside_node=trace,wayside_noise=trace",
    };
    let targets: Targets = asked.parse().map_err(|error| {
        Failure::usage(format!(
            "WAYSIDE_LOG is not understood ({error}): it is like info, or wayside_node=debug,wayside_noise=trace"
        ))
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // There is one already only if this was called twice.
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
    Ok(())
}
