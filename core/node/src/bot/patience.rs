//! When something that failed is tried again.

use std::time::Duration;

use wayside_bridge::{BridgeError, Retry};

/// As the service says, else after a time that doubles each time.
#[derive(Debug)]
pub(super) struct Patience(Duration);

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

impl Default for Patience {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Patience {
    /// It worked.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// After how long it is tried again; `None`: there is no use in it.
    pub(super) fn after(&mut self, error: &BridgeError) -> Option<Duration> {
        match error.retry() {
            Retry::After(after) => Some(after.max(SHORTEST)),
            Retry::Now => Some(SHORTEST),
            Retry::Never => None,
            _ => {
                let after = self.0;
                self.0 = (after * 2).min(LONGEST);
                Some(after)
            }
        }
    }
}
