//! What this process has cost so far.

use rustix::time::Timespec;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// The cost of a process up to now.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Seconds of CPU, user and system, all threads.
    pub(crate) cpu: f64,
    /// Resident memory now, in KiB.
    pub(crate) resident: f64,
    /// The most resident memory there was, in KiB.
    pub(crate) peak: f64,
}

impl Usage {
    /// Of this process.
    pub(crate) fn now() -> Result<Self, Failure> {
        let status = std::fs::read_to_string("/proc/self/status")
            .map_err(|error| format!("memory is measured on Linux only, by /proc/self/status: {error}"))?;
        Ok(Self { cpu: cpu_seconds(), resident: kib(&status, "VmRSS:")?, peak: kib(&status, "VmHWM:")? })
    }
}

/// From the process' CPU clock, which counts user and system time of all threads as getrusage does, in nanoseconds and not in ticks.
fn cpu_seconds() -> f64 {
    let Timespec { tv_sec, tv_nsec } = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    tv_sec as f64 + tv_nsec as f64 / 1e9
}

fn kib(status: &str, name: &str) -> Result<f64, Failure> {
    let value =
        status.lines().find_map(|line| line.strip_prefix(name)).ok_or(format!("no {name} in status"))?;
    Ok(value.trim().trim_end_matches(" kB").parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_and_memory_is_seen() -> Result<(), Failure> {
        let before = Usage::now()?;
        let held = std::hint::black_box(vec![1u8; 32 << 20]);
        let sum: u64 = held.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(std::hint::black_box(sum), 32 << 20);
        let after = Usage::now()?;
        assert!(after.cpu > before.cpu);
        assert!(after.resident - before.resident > 30.0 * 1024.0, "{before:?} {after:?}");
        assert!(after.peak >= after.resident);
        Ok(())
    }
}
