//! The drop for everybody.

use serde::{Deserialize, Serialize};

/// The drop that this machine serves to everybody: part of `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RendezvousView {
    /// Where, `ADDRESS:PORT`: TCP for records, UDP for STUN.
    pub listen: String,
    /// Records of strangers that lie here.
    pub records: u64,
    /// What they weigh in bytes, with what it takes to find them.
    pub bytes: u64,
    /// Under how many names.
    pub spaces: u64,
    /// How many records may lie here.
    pub most_records: u64,
    /// What they may weigh, in bytes.
    pub most_bytes: u64,
}
