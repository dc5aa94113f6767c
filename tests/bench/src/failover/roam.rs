//! A machine's address is replaced while records flow.

use std::time::Duration;

use tokio::time::sleep;

use super::figures::{Bars, Series};
use super::ground::{Ground, Side};
use super::records::Moment;
use super::session::{Gap, Session};
use super::{Chance, note_round};
use crate::Failure;
use crate::subjects::SubjectName;

/// The quietest moment and the latest, from the first record on.
const SOMETIME: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(1_300));
/// Between two moves, beside that.
const REST: Duration = Duration::from_secs(1);

/// A peer has so many times fewer rounds: each that it does not recover from takes twenty seconds.
const PEERS: u32 = 5;

/// Who moves and who sends, in turn.
fn turn(number: u32) -> (Side, Side) {
    let mover = if number.is_multiple_of(2) { Side::Client } else { Side::Server };
    (mover, if number % 4 < 2 { mover } else { mover.other() })
}

/// Moves each subject so many times, in turn: a series of each for either machine that moves.
pub(super) async fn run(
    subjects: &[SubjectName],
    rounds: u32,
    chance: &mut Chance,
) -> Result<Vec<Series>, Failure> {
    let mut roamers: Vec<_> = subjects.iter().copied().map(Roamer::new).collect();
    for number in 0..rounds {
        for roamer in &mut roamers {
            if roamer.subject != SubjectName::Wayside && number >= rounds.div_ceil(PEERS) {
                continue;
            }
            roamer.round(number, rounds, chance).await?;
        }
    }
    Ok(roamers.into_iter().flat_map(|roamer| roamer.series).collect())
}

struct Roamer {
    subject: SubjectName,
    held: Option<Session>,
    series: [Series; 2],
}

impl Roamer {
    fn new(subject: SubjectName) -> Self {
        let series = |side: Side| Series {
            scenario: "roam",
            subject,
            about: format!("{} moves", side.name()),
            bars: (subject == SubjectName::Wayside).then_some(Bars::ROAM),
            rounds: Vec::new(),
        };
        Self { subject, held: None, series: Side::BOTH.map(series) }
    }

    async fn round(&mut self, number: u32, rounds: u32, chance: &mut Chance) -> Result<(), Failure> {
        let mut session = match self.held.take() {
            Some(session) => session,
            None => Session::begin(Ground::with_bridges(1)?, self.subject).await?,
        };
        let (mover, sender) = turn(number);
        let done = moved(&mut session, mover, sender, chance.between(SOMETIME)).await;
        let done = done.map_err(|failure| failure.to_string());
        let who = format!("{}, {} moves, {} sends", self.subject, mover.name(), sender.name());
        note_round("roam", number, rounds, &who, &done);
        if done.is_ok() {
            self.held = Some(session);
        }
        mover.of(&mut self.series).rounds.push(done);
        Ok(())
    }
}

async fn moved(session: &mut Session, mover: Side, sender: Side, wait: Duration) -> Result<Gap, Failure> {
    sleep(REST).await;
    session.start(sender).await?;
    sleep(wait).await;
    let began = Moment::now();
    session.ground.replace(mover)?;
    session.recovery(sender, (began, Moment::now())).await
}
