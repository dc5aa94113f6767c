//! Numbered messages from Ada to Ben, one behind the other, while something happens to who relays them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::lab::Failure;
use crate::lab::ground::Ground;
use crate::lab::pair::Meeting;
use crate::lab::person::Person;
use crate::lab::trio::Trio;

/// So long a message is: ten of them are more than any buffer on the way holds back.
const LENGTH: usize = 20_000;
/// How long messages flow before it happens, and after it.
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(6);
/// How long all are waited for once the last one is sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    pub(super) sent: usize,
    pub(super) lost: usize,
    pub(super) twice: usize,
    /// The longest time without a message from when it happened on, as Ben's node noted it; none where none came any more.
    pub(super) again_ms: Option<u64>,
}

/// Has messages flow, has it happen to those who relay, and counts what came.
pub(super) fn through(
    meeting: &mut Meeting,
    happen: impl FnOnce(&mut [Person], &Ground) -> Result<(), Failure>,
) -> Result<Flow, Failure> {
    let Meeting { ground, trio: Trio { pair: [ada, _], relays, .. }, .. } = &mut *meeting;
    let (ada, ground) = (&*ada, &*ground);
    let [at, _] = &ground.hosts;
    let is_over = AtomicBool::new(false);
    let (sent, when) = thread::scope(|scope| {
        let sender = scope.spawn(|| -> Result<usize, Failure> {
            let mut sent = 0;
            while !is_over.load(Ordering::Relaxed) {
                let text = format!("{sent} {}", "x".repeat(LENGTH));
                ada.run(&at.space, &["send", "Ben", &text], Duration::ZERO)?.object()?;
                sent += 1;
            }
            Ok(sent)
        });
        thread::sleep(BEFORE);
        let when = Timestamp::now();
        let happened = happen(relays, ground);
        thread::sleep(AFTER);
        is_over.store(true, Ordering::Relaxed);
        let sent = sender.join().map_err(|_| "it panicked")?;
        happened?;
        Ok::<_, Failure>((sent?, when))
    })?;
    let until = Instant::now() + PATIENCE;
    let mut came = received(meeting)?;
    while came.len() < sent && Instant::now() < until {
        thread::sleep(Duration::from_millis(200));
        came = received(meeting)?;
    }
    count(sent, &came, when)
}

/// Numbers of what Ben has, and when each came.
fn received(meeting: &Meeting) -> Result<Vec<(usize, Timestamp)>, Failure> {
    let Trio { pair: [_, ben], .. } = &meeting.trio;
    let [_, there] = &meeting.ground.hosts;
    let said = ben.run(&there.space, &["inbox", "--all"], Duration::ZERO)?;
    if said.code != Some(0) {
        return Err(said.complaint.into());
    }
    said.objects.iter().filter_map(|message| numbered(message).transpose()).collect()
}

/// None where it is another message.
fn numbered(message: &Value) -> Result<Option<(usize, Timestamp)>, Failure> {
    let text = message["text"].as_str().ok_or("a message has a text")?;
    let Some(number) = text.split(' ').next().and_then(|number| number.parse().ok()) else { return Ok(None) };
    let received = message["received"].as_str().ok_or("a message has its time")?;
    Ok(Some((number, received.parse()?)))
}

/// `when` it happened.
fn count(sent: usize, came: &[(usize, Timestamp)], when: Timestamp) -> Result<Flow, Failure> {
    let times = |wanted: usize| came.iter().filter(|(number, _)| *number == wanted).count();
    let mut moments: Vec<i64> = came.iter().map(|(_, when)| when.as_millisecond()).collect();
    moments.sort_unstable();
    let silences = moments.windows(2).filter_map(|two| {
        let (earlier, later) = two.first().zip(two.last())?;
        (*later >= when.as_millisecond()).then_some(later - earlier)
    });
    Ok(Flow {
        sent,
        lost: (0..sent).filter(|number| times(*number) == 0).count(),
        twice: (0..sent).filter(|number| times(*number) > 1).count(),
        again_ms: silences.max().map(u64::try_from).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn lost_and_doubled_messages_are_seen() {
        let came = [(0, at(1)), (1, at(5000)), (1, at(5100)), (3, at(6500))];
        let flow = count(4, &came, at(5050)).unwrap();
        assert_eq!((flow.sent, flow.lost, flow.twice), (4, 1, 1));
        // What was silent before it happened is not counted.
        assert_eq!(flow.again_ms, Some(1400));
    }

    #[test]
    fn where_nothing_comes_any_more_nothing_flows_again() {
        let flow = count(2, &[(0, at(1)), (1, at(3))], at(15)).unwrap();
        assert_eq!((flow.lost, flow.again_ms), (0, None));
    }
}
