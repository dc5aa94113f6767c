//! What wayside wants to reach, as ratios of its figures to those of peers.

use crate::scenarios::Better;
use crate::subjects::SubjectName::{self, Iroh, Quinn};

/// The figure of a scenario, in relation to a peer's.
struct Bar {
    scenario: &'static str,
    figure: &'static str,
    /// `None` is everybody, hence the best of them.
    peer: Option<SubjectName>,
    limit: f64,
}

const fn bar(scenario: &'static str, figure: &'static str, peer: SubjectName, limit: f64) -> Bar {
    Bar { scenario, figure, peer: Some(peer), limit }
}

const BARS: &[Bar] = &[
    bar("bulk", "mib_per_s", Iroh, 1.15),
    bar("bulk", "mib_per_s", Quinn, 1.0),
    bar("bulk", "cpu_s_per_gib", Iroh, 0.9),
    bar("connect", "median_us", Iroh, 0.7),
    bar("connect", "median_us", Quinn, 1.0),
    bar("rr", "median_us", Quinn, 1.0),
    bar("idle", "kib_per_link", Iroh, 0.5),
    bar("idle", "server_cpu_ms_per_s", Iroh, 0.5),
    bar("idle", "client_cpu_ms_per_s", Iroh, 0.5),
    Bar { scenario: "lossy", figure: "mib_per_s", peer: None, limit: 1.0 },
];

/// The ratio that is wanted, if one is.
pub(super) fn limit(scenario: &str, figure: &str, peer: SubjectName) -> Option<f64> {
    BARS.iter()
        .find(|bar| {
            bar.scenario == scenario && bar.figure == figure && bar.peer.is_none_or(|of_bar| of_bar == peer)
        })
        .map(|bar| bar.limit)
}

/// Whether a ratio is on the good side of a limit.
pub(super) fn reaches(ratio: f64, better: Better, limit: f64) -> bool {
    match better {
        Better::Higher => ratio >= limit,
        Better::Lower => ratio <= limit,
    }
}
