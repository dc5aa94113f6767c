//! The log: to stderr, and off unless somebody asks for it.

use tracing_subscriber::EnvFilter;

/// Starts it by `WAYSIDE_LOG`, else by how often `-v` was given.
pub(super) fn start(verbose: u8) {
    let filter = match std::env::var("WAYSIDE_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::builder().parse_lossy(filter),
        _ => EnvFilter::new(match verbose {
            0 => return,
            1 => "info",
            2 => {
                "info,wayside=debug,wayside_node=debug,wayside_noise=debug,wayside_proto=debug,wayside_bridge=debug,\
                  wayside_bridge_dir=debug,wayside_bridge_exec=debug"
            }
            _ => "debug,wayside_node=trace,wayside_noise=trace",
        }),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // There is one already only if this was called twice.
    let _ = log.try_init();
}
