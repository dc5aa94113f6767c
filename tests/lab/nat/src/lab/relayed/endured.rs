//! What came of hardships of who relays.

use serde::{Deserialize, Serialize};

use super::hardships::Hardship;
use crate::lab::report::shown;

/// One hardship of one pair.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Endured {
    pub(crate) endured: Hardship,
    pub(crate) dials: String,
    pub(crate) waits: String,
    /// Who relayed before, and after; none where nobody did.
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    /// The longest time without a message from then on; where they met only then, from the answer to the first data.
    pub(crate) again_ms: Option<u64>,
    pub(crate) sent: usize,
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    /// What the program says about it.
    pub(crate) because: String,
}

impl Endured {
    /// Nothing was lost, and nothing came twice, and it went on.
    pub(crate) fn is_good(&self) -> bool {
        self.again_ms.is_some() && self.lost == 0 && self.twice == 0
    }

    /// Whether it went on as soon as it is to.
    pub(crate) fn is_soon(&self) -> bool {
        self.endured.bar_ms().is_none_or(|bar| self.again_ms.is_some_and(|again| again < bar))
    }

    pub(crate) fn line(&self) -> String {
        let word = match (self.is_good(), self.is_soon()) {
            (false, _) => "FAILED",
            (true, false) => "slow",
            (true, true) => "ok",
        };
        let who = |relay: &Option<String>| relay.clone().unwrap_or_else(|| "nobody".to_owned());
        let mut line = format!(
            "{word:<6} {:>20} -> {:<20} {}: again after {}, {} sent, {} lost, {} twice; by {}, then by {}",
            self.dials,
            self.waits,
            self.endured.sentence(),
            shown(self.again_ms),
            self.sent,
            self.lost,
            self.twice,
            who(&self.before),
            who(&self.after),
        );
        if !self.because.is_empty() {
            line += "\n        ";
            line += &self.because;
        }
        line
    }
}
