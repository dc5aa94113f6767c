//! What came of it.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::{Size, Way};
use crate::machine::Setup;
use crate::usage::Usage;

const GIB: f64 = (1u64 << 30) as f64;
const MIB: f64 = (1u64 << 20) as f64;

/// A relay costs at most so much of what one end does, in CPU a byte.
const MOST_CPU: f64 = 0.6;
/// The most that it adds to one way of a small datagram, in microseconds.
const MOST_LATENCY: f64 = 300.0;
/// The most memory that it has with a thousand idle circuits, in MB.
const MOST_RESIDENT: f64 = 60.0;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    setup: Setup,
    quick: bool,
    pub(super) bulk: Vec<Bulk>,
    pub(super) paced: Vec<Paced>,
    pub(super) echo: Vec<Echo>,
    pub(super) idle: Vec<Idle>,
}

/// As fast as it goes.
#[derive(Debug, Serialize)]
pub(super) struct Bulk {
    size: Size,
    way: Way,
    mib_per_s: f64,
    /// CPU seconds a GiB.
    relay: f64,
    sender: f64,
    receiver: f64,
}

/// At a kept rate.
#[derive(Debug, Serialize)]
pub(super) struct Paced {
    pub(super) way: Way,
    /// Bytes a second.
    pub(super) rate: f64,
    pub(super) seconds: f64,
    /// What the sender's QUIC sent, and took for lost.
    pub(super) packets: u64,
    pub(super) lost: u64,
    /// Bytes that the relay dropped.
    pub(super) dropped: u64,
}

/// There and back.
#[derive(Debug, Serialize)]
pub(super) struct Echo {
    way: Way,
    median_us: f64,
    p90_us: f64,
    lost: u32,
}

/// Circuits that nobody uses: the relay's memory in KiB.
#[derive(Debug, Serialize)]
pub(super) struct Idle {
    pub(super) links: u32,
    pub(super) circuits: u32,
    pub(super) without: f64,
    pub(super) linked: f64,
    pub(super) with: f64,
    pub(super) cpu_ms_per_s: f64,
}

impl Bulk {
    pub(super) fn new(
        size: Size,
        way: Way,
        bytes: u64,
        took: Duration,
        before: [Usage; 3],
        after: [Usage; 3],
    ) -> Self {
        let bytes = bytes as f64;
        let mut costs =
            before.iter().zip(&after).map(|(before, after)| (after.cpu - before.cpu) / bytes * GIB);
        let mut cost = || costs.next().unwrap_or_default();
        let (relay, sender, receiver) = (cost(), cost(), cost());
        Self { size, way, mib_per_s: bytes / MIB / took.as_secs_f64(), relay, sender, receiver }
    }

    /// In bytes a second.
    pub(super) fn median_rate(all: &[Self], size: Size, way: Way) -> Option<f64> {
        Some(median(all.iter().filter(|it| (it.size, it.way) == (size, way)).map(|it| it.mib_per_s))? * MIB)
    }
}

impl Echo {
    pub(super) fn new(way: Way, mut times: Vec<Duration>, lost: u32) -> Self {
        times.sort();
        let at = |part: usize| times.get(times.len() * part / 100).map_or(0.0, |it| it.as_secs_f64() * 1e6);
        Self { way, median_us: at(50), p90_us: at(90), lost }
    }
}

impl Results {
    pub(super) fn new(setup: Setup, quick: bool) -> Self {
        Self { setup, quick, bulk: Vec::new(), paced: Vec::new(), echo: Vec::new(), idle: Vec::new() }
    }

    pub(super) fn table(&self) -> String {
        let mut out = String::new();
        let Setup { processor, cores, kernel, date, load, compiler, commit, .. } = &self.setup;
        let _ =
            writeln!(out, "\n{processor}, {cores} cores, Linux {kernel}\n{date}, load {load}, {compiler}");
        let _ = writeln!(out, "wayside at {commit}\n");
        if self.quick {
            let _ = writeln!(out, "QUICK: little of everything; the figures are rough.\n");
        }
        for size in Size::BOTH {
            self.bulk_table(size, &mut out);
        }
        self.paced_table(&mut out);
        self.echo_table(&mut out);
        for it in &self.idle {
            let Idle { links, circuits, without, linked, with, cpu_ms_per_s } = it;
            let mb = |kib: f64| kib * 1024.0 / 1e6;
            let _ = writeln!(
                out,
                "idle: {circuits} circuits over {links} links: {:.1} MB ({:.1} with links alone, {:.1} at first), {cpu_ms_per_s:.1} ms CPU a second {}",
                mb(*with),
                mb(*linked),
                mb(*without),
                mark(mb(*with) < MOST_RESIDENT),
            );
        }
        out
    }

    fn bulk_table(&self, size: Size, out: &mut String) {
        let of = |way, figure: fn(&Bulk) -> f64| {
            let runs = self.bulk.iter().filter(|it| (it.size, it.way) == (size, way));
            median(runs.map(figure)).unwrap_or_default()
        };
        if self.bulk.is_empty() {
            return;
        }
        let _ = writeln!(out, "bulk, {size:?} packets");
        let _ = writeln!(out, "           MiB/s   CPU s a GiB: relay  sender  receiver");
        for way in Way::BOTH {
            let _ = writeln!(
                out,
                "{:8} {:7.0} {:20.2} {:7.2} {:9.2}",
                format!("{way:?}"),
                of(way, |it| it.mib_per_s),
                of(way, |it| it.relay),
                of(way, |it| it.sender),
                of(way, |it| it.receiver),
            );
        }
        let relayed = || self.bulk.iter().filter(|it| (it.size, it.way) == (size, Way::Relayed));
        let ratio =
            |end: fn(&Bulk) -> f64| median(relayed().map(|it| it.relay / end(it))).unwrap_or_default();
        let mean = ratio(|it| (it.sender + it.receiver) / 2.0);
        let _ = writeln!(
            out,
            "relay / sender {:.2}, / receiver {:.2}, / their mean {mean:.2} {}\n",
            ratio(|it| it.sender),
            ratio(|it| it.receiver),
            mark(mean <= MOST_CPU),
        );
    }

    fn paced_table(&self, out: &mut String) {
        for way in Way::BOTH {
            let runs = || self.paced.iter().filter(|it| it.way == way);
            let Some(first) = runs().next() else { continue };
            let (packets, lost, dropped) =
                runs().fold((0, 0, 0), |sum, it| (sum.0 + it.packets, sum.1 + it.lost, sum.2 + it.dropped));
            let _ = writeln!(
                out,
                "paced, {way:?}: {:.0} MiB/s for {:.1} s a run: {packets} packets, {lost} taken for lost; {dropped} bytes dropped by the relay {}",
                first.rate / MIB,
                median(runs().map(|it| it.seconds)).unwrap_or_default(),
                mark(dropped == 0),
            );
        }
    }

    fn echo_table(&self, out: &mut String) {
        let of =
            |way, figure: fn(&Echo) -> f64| median(self.echo.iter().filter(|it| it.way == way).map(figure));
        for way in Way::BOTH {
            let (Some(median), Some(p90)) = (of(way, |it| it.median_us), of(way, |it| it.p90_us)) else {
                continue;
            };
            let lost: u32 = self.echo.iter().filter(|it| it.way == way).map(|it| it.lost).sum();
            let _ = writeln!(out, "echo, {way:?}: median {median:.0} µs, p90 {p90:.0} µs, {lost} lost");
        }
        if let (Some(direct), Some(relayed)) =
            (of(Way::Direct, |it| it.median_us), of(Way::Relayed, |it| it.median_us))
        {
            let added = (relayed - direct) / 2.0;
            let _ = writeln!(out, "added to one way: {added:.0} µs {}", mark(added < MOST_LATENCY));
        }
    }
}

fn mark(reached: bool) -> char {
    if reached { '✓' } else { '✗' }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
