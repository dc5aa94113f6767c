//! Somebody who knows nobody accepts an invite of somebody who has a friend in public, both behind NATs: how each is seen from outside the newcomer
//! learns from whom the welcome names.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Failure;
use super::ground::Layout;
use super::oracle::Way;
use super::pair::{Meeting, Options, Run};
use super::trio::Acquaintance;

/// Ben invites, and Ada accepts.
pub(crate) fn run(layout: Layout, options: Options, folder: &Path, expected: Way) -> Result<Run, Failure> {
    let mut meeting = Meeting::among(Acquaintance::Newcomer, layout, options, folder)?;
    meeting.ground.refresh(options.seed)?;
    meeting.trio.up(&meeting.ground)?;
    let [ada, ben] = &meeting.trio.pair;
    let [at, there] = &meeting.ground.hosts;
    let friend = ben.run(&there.space, &["ping", "Fay", "--wait", "6s"], Duration::from_secs(6))?;
    std::thread::sleep(options.settle * 4);
    meeting.ground.count_anew()?;
    let invite = ben.run(&there.space, &["invite"], Duration::ZERO)?.object()?;
    let invite = invite["invite"].as_str().ok_or("an invite is text")?.to_owned();
    let wait = format!("{}s", options.patience.as_secs());
    let began = Instant::now();
    ada.run(&at.space, &["accept", "--yes", "--wait", &wait, &invite], options.patience)?.object()?;
    let run = meeting.meet(expected, [false, friend.code == Some(0)])?;
    Ok(Run { meeting_ms: run.meeting_ms.and(u64::try_from(began.elapsed().as_millis()).ok()), ..run })
}
