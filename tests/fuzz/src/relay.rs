//! What of a relay is fuzzed: frames as an end reads them, and what comes to a relay, as it is and as a driver's script of good and bad frames.

use std::collections::BTreeMap;
use std::time::Duration;

use wayside_relay::{
    CircuitId, HEADER, Key, Keys, Limits, Now, Owner, Switch, Tag, Usage, circuit_of, header, may_be_frame,
    open, seal_all,
};

/// A function that takes anything, and says whether it was what it should be: at least one file of each corpus is.
pub type Target = fn(&[u8]) -> bool;

/// All of them, by the names of their corpora.
pub const ALL: &[(&str, Target)] = &[("relay_frame", frame), ("relay_switch", switch)];

/// Runs the target of this name.
///
/// # Panics
/// Where there is none, or where it finds something.
pub fn run(name: &str, data: &[u8]) -> bool {
    let (_, target) =
        ALL.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target {name}"));
    target(data)
}

/// A frame: what opens is what would be made of its datagram, under one key and not the other.
fn frame(data: &[u8]) -> bool {
    let keys = [Key::new([0; 16]), Key::new([1; 16])];
    assert_eq!(may_be_frame(data), circuit_of(data).is_some());
    let opened = keys.each_ref().map(|key| open(key, data));
    for (key, datagram) in keys.iter().zip(opened) {
        let Some(datagram) = datagram else { continue };
        let circuit = circuit_of(data).unwrap();
        assert_eq!([&header(key, circuit, datagram)[..], datagram].concat(), data);
    }
    assert!(opened.iter().flatten().count() < 2);
    opened[0].is_some()
}

/// A script, some bytes a step, for a relay with six links. What comes out is for an end that is there, opens with its key, and is no more than
/// came in.
fn switch(data: &[u8]) -> bool {
    let limits =
        Limits { circuits: 4, friend_circuits: 3, queue: 20_000, friend_queue: 9_000, ..Limits::default() };
    let mut switch = Switch::new(limits, Usage::default(), [5; 32]);
    let mut now = Now { since: Duration::ZERO, unix: 1_900_000_000 };
    let mut ends: BTreeMap<(u8, CircuitId), Keys> = BTreeMap::new();
    let (mut came, mut went) = (0, 0);
    let mut rest = data;
    while let Some(([kind, a, b], more)) = rest.split_first_chunk() {
        let (via, at) = (a % 6, usize::from(*b));
        let bytes = more.get(..at.min(more.len())).unwrap_or_default();
        rest = more;
        match kind % 8 {
            0 => {
                if let Ok(opened) = switch.open(now, Owner([a % 3; 32]), via, Tag([b % 8; 16])) {
                    assert!(
                        opened
                            .joined
                            .is_none_or(|(other, id)| other != via && ends.contains_key(&(other, id)))
                    );
                    ends.insert((via, opened.circuit), opened.keys);
                }
            }
            1 => {
                if let Some((own, _)) = ends.iter().nth(at % 8).map(|(own, keys)| (*own, keys)) {
                    if let Some(other) = switch.close(via, own.1) {
                        assert!(own.0 == via && ends.remove(&other).is_some());
                    }
                    if own.0 == via {
                        ends.remove(&own);
                    }
                }
            }
            2 => {
                for other in switch.leave(via) {
                    assert!(ends.remove(&other).is_some());
                }
                ends.retain(|(own, _), _| *own != via);
            }
            3 => {
                // Bytes as they are, behind the number of an end that is there.
                let mut datagrams =
                    ends.keys().nth(at % 8).map_or(vec![], |(_, id)| id.bits().to_be_bytes().to_vec());
                datagrams.extend(bytes);
                came += datagrams.len();
                assert!(switch.arrived(&datagrams, usize::from(*a)) <= datagrams.len());
                rest = more.get(bytes.len()..).unwrap_or_default();
            }
            4 | 5 => {
                // Good frames, and one that has been tampered with.
                let Some(((_, id), keys)) = ends.iter().nth(at % 8) else { continue };
                let mut frames = Vec::new();
                let segment =
                    seal_all(&keys.up, *id, &vec![*b; 40 * at], 1 + 5 * usize::from(*a), &mut frames);
                if kind % 8 == 5
                    && let Some(byte) = frames.get_mut(7 * at)
                {
                    *byte ^= 0x10;
                }
                came += frames.len();
                let mut left = &frames[..];
                while !left.is_empty() {
                    let taken = switch.arrived(left, segment);
                    assert!(kind % 8 == 5 || taken == left.len());
                    left = left.get(if taken == 0 { segment } else { taken }..).unwrap_or_default();
                }
            }
            6 => {
                now.since += Duration::from_millis(u64::from(*a) * 500);
                let limits = Limits { rate: (b % 2 == 1).then_some(u64::from(*b) * 1_000), ..limits };
                let mut ended = switch.set_limits(now, limits);
                ended.extend(switch.handle_timeout(now));
                ended.iter().for_each(|ended| drop(ends.remove(&(ended.via, ended.circuit))));
            }
            _ => {
                let Some(sent) = switch.poll_transmit(now) else { continue };
                for frame in sent.contents.chunks(sent.segment) {
                    let keys = &ends[&(sent.via, circuit_of(frame).unwrap())];
                    assert!(open(&keys.down, frame).is_some() && frame.len() > HEADER);
                }
                went += sent.contents.len();
                switch.recycle(sent.contents);
            }
        }
        assert!(went <= came);
        assert_eq!(switch.circuits().owners.values().sum::<u32>() as usize, ends.len());
    }
    went > 0
}
