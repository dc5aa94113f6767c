//! What was told: the latest events, for listeners who were away for a moment.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::broadcast;
use wayside_bridge::Entropy;

use crate::api::types::NodeEvent;
use crate::clock::SystemEntropy;
use crate::lock::lock;

/// Events that a slow listener may be behind, and that are told again to one that comes back; beyond it the oldest are lost.
const KEPT: usize = 1024;

/// Tells listeners what happens, and remembers the latest of it.
#[derive(Debug)]
pub(super) struct Told {
    /// Which run of a node it is: numbers of another mean nothing here.
    run: u64,
    sender: broadcast::Sender<NodeEvent>,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    /// How many were told, which is the number of the last one.
    told: u64,
    events: VecDeque<NodeEvent>,
}

/// An event's place among all that a node told: whoever listened that far goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    run: u64,
    number: u64,
}

impl Place {
    /// The place so many events further on.
    pub(crate) const fn after(self, events: u64) -> Self {
        Self { number: self.number.saturating_add(events), ..self }
    }

    /// Reads what [`Display`](std::fmt::Display) wrote; anything else is a place that has never been.
    pub(crate) fn parse(text: &str) -> Self {
        let parts = text.split_once('-');
        let parts =
            parts.and_then(|(run, number)| Some((u64::from_str_radix(run, 16).ok()?, number.parse().ok()?)));
        let (run, number) = parts.unwrap_or((0, u64::MAX));
        Self { run, number }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{}", self.run, self.number)
    }
}

/// What a listener is given who comes back.
#[derive(Debug)]
pub(crate) struct Resumed {
    /// How many events were told since, and are forgotten; `None` where none was told behind that place, or all are here.
    pub(crate) missed: Option<u64>,
    /// Those that are still here, the oldest first.
    pub(crate) again: Vec<NodeEvent>,
    /// The place before the first of them, or before what comes from now on.
    pub(crate) place: Place,
    /// What comes from now on.
    pub(crate) events: broadcast::Receiver<NodeEvent>,
}

impl Told {
    pub(super) fn new() -> Self {
        let mut run = [0; 8];
        SystemEntropy.fill(&mut run);
        Self { run: u64::from_ne_bytes(run), sender: broadcast::channel(KEPT).0, latest: Mutex::default() }
    }

    /// Tells all who listen. The order of numbers is the order in which they hear of it.
    pub(super) fn tell(&self, event: NodeEvent) {
        let mut latest = lock(&self.latest);
        latest.told = latest.told.saturating_add(1);
        if latest.events.len() == KEPT {
            latest.events.pop_front();
        }
        latest.events.push_back(event.clone());
        // Nobody may be listening.
        let _ = self.sender.send(event);
    }

    /// What comes from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<NodeEvent> {
        self.sender.subscribe()
    }

    /// What was told behind this place, and what comes. A place in another run, or none that there has been, is before everything: how much of that
    /// run was missed nobody knows, which is said as 0.
    pub(super) fn resume(&self, from: Option<Place>) -> Resumed {
        let latest = lock(&self.latest);
        let end = Place { run: self.run, number: latest.told };
        let events = self.sender.subscribe();
        let Some(from) = from else { return Resumed { missed: None, again: Vec::new(), place: end, events } };
        let forgotten = latest.told.saturating_sub(latest.events.len() as u64);
        let known = from.run == self.run && from.number <= latest.told;
        let missed = match known {
            true => Some(forgotten.saturating_sub(from.number)).filter(|missed| *missed > 0),
            false => Some(forgotten),
        };
        let heard = if known { from.number.saturating_sub(forgotten) } else { 0 };
        let heard = usize::try_from(heard).unwrap_or(usize::MAX);
        let again: Vec<_> = latest.events.iter().skip(heard).cloned().collect();
        let place = Place { number: latest.told.saturating_sub(again.len() as u64), ..end };
        Resumed { missed, again, place, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> NodeEvent {
        NodeEvent::Missed { count: number }
    }

    fn numbers(resumed: &Resumed) -> Vec<u64> {
        let number = |event: &NodeEvent| match event {
            NodeEvent::Missed { count } => *count,
            other => panic!("{other:?}"),
        };
        resumed.again.iter().map(number).collect()
    }

    #[test]
    fn whoever_comes_back_hears_what_was_told_meanwhile() {
        let told = Told::new();
        let start = told.resume(None).place;
        for number in 1..=10 {
            told.tell(event(number));
        }
        let again = told.resume(Some(start.after(7)));
        assert_eq!((numbers(&again), again.missed), (vec![8, 9, 10], None));
        assert_eq!(again.place, start.after(7));
        let all = told.resume(Some(start));
        assert_eq!((numbers(&all).len(), all.missed), (10, None));
        let none = told.resume(Some(start.after(10)));
        assert_eq!((numbers(&none), none.missed), (vec![], None));
    }

    #[test]
    fn what_is_forgotten_is_counted() {
        let told = Told::new();
        let start = told.resume(None).place;
        for number in 1..=1030 {
            told.tell(event(number));
        }
        let again = told.resume(Some(start.after(2)));
        assert_eq!((again.missed, numbers(&again).len(), numbers(&again)[0]), (Some(4), 1024, 7));
        let just = told.resume(Some(start.after(6)));
        assert_eq!((just.missed, numbers(&just)[0]), (None, 7));
    }

    #[test]
    fn another_run_and_a_place_that_has_not_been_are_before_everything() {
        let told = Told::new();
        told.tell(event(1));
        let start = told.resume(None).place;
        let other = Told::new().resume(None).place;
        for place in [other.after(1), start.after(5)] {
            let resumed = told.resume(Some(place));
            assert_eq!((resumed.missed, numbers(&resumed)), (Some(0), vec![1]));
        }
    }

    #[test]
    fn places_are_read_as_they_are_written() {
        let place = Told::new().resume(None).place.after(7);
        assert_eq!(Place::parse(&place.to_string()), place);
        let never = Place { run: 0, number: u64::MAX };
        for nonsense in ["", "7", "-", "xyz-1", "00-", "1-2-3", "-1-1", "11111111111111111-1"] {
            assert_eq!(Place::parse(nonsense), never, "{nonsense}");
        }
    }
}
