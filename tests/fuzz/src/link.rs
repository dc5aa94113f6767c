//! What of the link is fuzzed: every byte that arrives before it has authenticated. The bodies are the link's own, behind its feature `fuzzing`,
//! since they need what is inside.

use wayside_noise::fuzzing;

/// A function that takes anything, and says whether it was what it should be: at least one file of each corpus is.
pub type Target = fn(&[u8]) -> bool;

/// All of them, by the names of their corpora.
pub const ALL: &[(&str, Target)] = &[
    ("link_frames", fuzzing::frames),
    ("link_header", fuzzing::header),
    ("link_held", fuzzing::held),
    ("link_initial", fuzzing::initial),
    ("link_meeting", fuzzing::meeting),
    ("link_message_1", fuzzing::message_1),
    ("link_message_2", fuzzing::message_2),
    ("link_parameters", fuzzing::parameters),
    ("link_probes", fuzzing::probes),
    ("link_segments", fuzzing::segments),
    ("link_tcp", fuzzing::tcp),
];

/// Runs the target of this name.
///
/// # Panics
/// Where there is none, or where it finds something.
pub fn run(name: &str, data: &[u8]) -> bool {
    let (_, target) =
        ALL.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target {name}"));
    target(data)
}
