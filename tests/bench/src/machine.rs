//! Where and with what was measured: figures mean nothing without.

use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// The machine and the versions of everything.
#[derive(Debug, Serialize)]
pub(crate) struct Setup {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// The kernel's congestion control, which what runs over TCP has.
    pub(crate) tcp_congestion: String,
    /// Of one, five and fifteen minutes, when it began.
    pub(crate) load: String,
    pub(crate) compiler: String,
    /// Wayside's commit; with `-dirty` if the files differ from it.
    pub(crate) commit: String,
    pub(crate) versions: Vec<(&'static str, &'static str)>,
}

/// The packages whose versions matter.
const PACKAGES: [&str; 12] = [
    "wayside-noise",
    "noq",
    "iroh",
    "quinn",
    "libp2p",
    "libp2p-quic",
    "libp2p-stream",
    "yamux",
    "rustls",
    "aws-lc-rs",
    "ring",
    "tokio",
];

impl Setup {
    pub(crate) fn here() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            processor: line_of("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: line_of("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0u64)
                >> 10,
            kernel: first_line("/proc/sys/kernel/osrelease"),
            tcp_congestion: first_line("/proc/sys/net/ipv4/tcp_congestion_control"),
            load: first_line("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
            compiler: said(Command::new("rustc").arg("--version")),
            commit: said(Command::new("git").arg("-C").arg(here).args([
                "describe",
                "--always",
                "--dirty",
                "--exclude=*",
            ])),
            versions: PACKAGES.map(|package| (package, locked(package))).into(),
        }
    }
}

/// What the lock file, which this was built with, says of a package.
pub(crate) fn locked(package: &str) -> &'static str {
    let name = format!("name = \"{package}\"\n");
    include_str!("../Cargo.lock")
        .split("[[package]]\n")
        .find_map(|entry| entry.strip_prefix(&name))
        .and_then(|entry| entry.strip_prefix("version = \""))
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("?")
}

fn first_line(path: &str) -> String {
    std::fs::read_to_string(path)
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "?".to_owned())
}

fn line_of(path: &str, name: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    line.map_or_else(|| "?".to_owned(), |(_, value)| value.trim().to_owned())
}

fn said(command: &mut Command) -> String {
    match command.output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_known() {
        for package in PACKAGES {
            assert_ne!(locked(package), "?", "{package}");
        }
    }
}
