//! A relay with friends around it, for tests.
#![allow(dead_code, reason = "each test uses a part")]

use std::time::Duration;

use wayside_relay::{
    CircuitId, Ended, HEADER, Keys, Limits, Now, Owner, Reason, Refusal, Switch, Tag, Transmit, Usage, open,
    seal_all,
};

/// 26 November 2026, the beginning of the day.
pub(crate) const NOVEMBER: u64 = 1_795_651_200;

pub(crate) fn owner(n: u8) -> Owner {
    Owner([n; 32])
}

pub(crate) fn tag(n: u32) -> Tag {
    let mut tag = [0; 16];
    tag[..4].copy_from_slice(&n.to_be_bytes());
    Tag(tag)
}

/// What a friend knows of its end.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) via: u32,
    pub(crate) circuit: CircuitId,
    pub(crate) keys: Keys,
}

impl End {
    /// Frames of `count` datagrams, each filled with its number; the size of a frame is the second value.
    pub(crate) fn frames(&self, count: usize, length: usize) -> (Vec<u8>, usize) {
        let datagrams: Vec<u8> =
            (0..count).flat_map(|n| std::iter::repeat_n(u8::try_from(n % 251).unwrap(), length)).collect();
        let mut frames = Vec::new();
        let segment = seal_all(&self.keys.up, self.circuit, &datagrams, length, &mut frames);
        (frames, segment)
    }

    /// The datagrams that the relay sent this end; all have to be for it.
    pub(crate) fn read(&self, transmit: &Transmit<u32>) -> Vec<Vec<u8>> {
        assert_eq!(transmit.via, self.via);
        let frames = transmit.contents.chunks(transmit.segment);
        frames.map(|frame| open(&self.keys.down, frame).expect("for another end").to_vec()).collect()
    }
}

pub(crate) struct World {
    pub(crate) switch: Switch<u32>,
    pub(crate) now: Now,
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::with_usage(limits, Usage::default())
    }

    pub(crate) fn with_usage(limits: Limits, usage: Usage) -> Self {
        let now = Now { since: Duration::from_secs(1_000), unix: NOVEMBER };
        Self { switch: Switch::new(limits, usage, [9; 32]), now }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.since += time;
        self.now.unix = NOVEMBER + (self.now.since.as_secs() - 1_000);
    }

    pub(crate) fn open(&mut self, who: u8, via: u32, at: u32) -> Result<End, Refusal> {
        let opened = self.switch.open(self.now, owner(who), via, tag(at))?;
        Ok(End { via, circuit: opened.circuit, keys: opened.keys })
    }

    pub(crate) fn refused(&mut self, who: u8, via: u32, at: u32) -> Reason {
        self.open(who, via, at).map(drop).unwrap_err().reason
    }

    /// A circuit of two friends, over links of numbers that follow from the tag.
    pub(crate) fn pair(&mut self, a: u8, b: u8, at: u32) -> (End, End) {
        let first = self.open(a, 2 * at, at).unwrap();
        let opened = self.switch.open(self.now, owner(b), 2 * at + 1, tag(at)).unwrap();
        assert_eq!(opened.joined, Some((first.via, first.circuit)));
        (first, End { via: 2 * at + 1, circuit: opened.circuit, keys: opened.keys })
    }

    /// What a driver does with datagrams that came at once. Returns how many bytes were taken for frames of ours.
    pub(crate) fn arrived(&mut self, datagrams: &[u8], segment: usize) -> usize {
        let (mut taken, mut at) = (0, 0);
        while at < datagrams.len() {
            let of_ours = self.switch.arrived(&datagrams[at..], segment);
            taken += of_ours;
            at += if of_ours == 0 { segment } else { of_ours };
        }
        taken
    }

    pub(crate) fn send(&mut self, from: &End, count: usize, length: usize) {
        let (frames, segment) = from.frames(count, length);
        assert_eq!(self.arrived(&frames, segment), frames.len());
    }

    /// All that may be sent now.
    pub(crate) fn drain(&mut self) -> Vec<Transmit<u32>> {
        std::iter::from_fn(|| self.switch.poll_transmit(self.now)).collect()
    }

    /// Goes on in time as a driver would, for so long, and returns what was sent and what ended.
    pub(crate) fn run(&mut self, time: Duration) -> (Vec<Transmit<u32>>, Vec<Ended<u32>>) {
        let end = self.now.since + time;
        let (mut sent, mut ended) = (self.drain(), Vec::new());
        while let Some(at) = self.switch.poll_timeout().filter(|at| *at <= end) {
            let step = at.saturating_sub(self.now.since);
            self.pass(step);
            ended.extend(self.switch.handle_timeout(self.now));
            let more = self.drain();
            assert!(step > Duration::ZERO || !more.is_empty() || !ended.is_empty(), "the clock stands still");
            sent.extend(more);
        }
        let rest = end - self.now.since;
        self.pass(rest);
        (sent, ended)
    }
}

pub(crate) fn bytes(sent: &[Transmit<u32>]) -> u64 {
    sent.iter().map(|transmit| transmit.contents.len() as u64).sum()
}

/// How long a frame of a usual datagram is.
pub(crate) const FRAME: usize = 1_200 + HEADER;
