//! What the judgement is made of: the figures, and what stands around them.

use super::report::Figures;
use crate::api::types::RendezvousView;

/// All that was found out, and nothing that says what it means.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// What is told as it is.
    pub(super) figures: Figures,
    /// The file of configuration, for advice.
    pub(super) config: String,
    /// The home, for advice.
    pub(super) home: String,
    /// Nobody could be asked meanwhile, since the node was started for this alone.
    pub(super) is_brief: bool,
    /// What the interfaces have.
    pub(super) interfaces: Interfaces,
    /// What the node listens to.
    pub(super) listens: Listens,
    /// What friends' links that are up tell of UDP towards the internet.
    pub(super) links: Carried,
    /// Why asking the router came to nothing, where it did: it is itself behind another one.
    pub(super) is_behind_two_routers: bool,
    /// The clock is wrong, in words, with what to do.
    pub(super) clock_wrong: Option<String>,
    /// The drop for everybody, where there is one.
    pub(super) rendezvous: Option<RendezvousView>,
    /// Why nothing can be written to the home, in words.
    pub(super) unwritable: Option<String>,
}

/// Which addresses this machine has, loopback left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interfaces {
    /// Any at all.
    pub(super) any: bool,
    /// One of IPv4.
    pub(super) v4: bool,
    /// One of IPv4 that is on the internet.
    pub(super) v4_public: bool,
}

/// What the node listens to, on other addresses than loopback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listens {
    /// UDP.
    pub(super) udp: bool,
    /// TCP.
    pub(super) tcp: bool,
}

/// Friends on the internet, by what carries their links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// UDP.
    pub(super) udp: Vec<String>,
    /// TCP, though UDP would be preferred.
    pub(super) tcp: Vec<String>,
}
