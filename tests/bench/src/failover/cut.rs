//! The network in use dies, and another one is there.

use std::time::Duration;

use tokio::time::sleep;

use super::figures::{Bars, Series};
use super::ground::{Ground, Side};
use super::records::Moment;
use super::session::{Gap, Session};
use super::{Chance, note_round};
use crate::Failure;
use crate::subjects::SubjectName;

/// The machines are in both.
const NETWORKS: usize = 2;
/// The quietest moment and the latest, from the first record on.
const SOMETIME: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(2_300));
/// How long nothing flows before the cut, and between the cut and the record.
const IDLE: Duration = Duration::from_secs(3);
const UNNOTICED: Duration = Duration::from_secs(1);

/// What joins the machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Networks {
    Bridges,
    Wires(Duration),
}

impl Networks {
    async fn ground(self) -> Result<Ground, Failure> {
        match self {
            Self::Bridges => Ground::with_bridges(NETWORKS),
            Self::Wires(delay) => Ground::with_wires(NETWORKS, delay).await,
        }
    }
}

/// Cuts while records flow: one series for either sender.
pub(super) async fn flowing(
    name: &'static str,
    networks: Networks,
    rounds: u32,
    chance: &mut Chance,
) -> Result<Vec<Series>, Failure> {
    let series = |side: Side| Series {
        scenario: name,
        subject: SubjectName::Wayside,
        about: format!("{} sends", side.name()),
        bars: Some(Bars::CUT),
        rounds: Vec::new(),
    };
    repeat(networks, rounds, name, Side::BOTH.map(series), async |session, network, sender| {
        let wait = chance.between(SOMETIME);
        session.start(sender).await?;
        sleep(wait).await;
        let began = Moment::now();
        session.ground.cut(network, true).await?;
        session.recovery(sender, (began, Moment::now())).await
    })
    .await
}

/// Cuts while nothing flows, and then has one record written.
pub(super) async fn idle(rounds: u32) -> Result<Vec<Series>, Failure> {
    let series = |side: Side| Series {
        scenario: "idle",
        subject: SubjectName::Wayside,
        about: format!("{} sends", side.name()),
        bars: None,
        rounds: Vec::new(),
    };
    repeat(Networks::Bridges, rounds, "idle", Side::BOTH.map(series), async |session, network, sender| {
        sleep(IDLE).await;
        session.ground.cut(network, true).await?;
        sleep(UNNOTICED).await;
        session.one(sender).await
    })
    .await
}

/// Does so to one link after another: each until it is lost, or all rounds are done.
async fn repeat(
    networks: Networks,
    rounds: u32,
    name: &str,
    mut series: [Series; 2],
    mut round: impl AsyncFnMut(&mut Session, usize, Side) -> Result<Gap, Failure>,
) -> Result<Vec<Series>, Failure> {
    let mut held = None;
    for number in 0..rounds {
        let mut session = match held.take() {
            Some(session) => session,
            None => Session::begin(networks.ground().await?, SubjectName::Wayside).await?,
        };
        let sender = if number.is_multiple_of(2) { Side::Client } else { Side::Server };
        let done = async {
            let network = session.all_paths(NETWORKS).await?;
            let gap = round(&mut session, network, sender).await?;
            session.ground.cut(network, false).await?;
            Ok(gap)
        };
        let done = done.await.map_err(|failure: Failure| failure.to_string());
        note_round(name, number, rounds, &format!("{} sends", sender.name()), &done);
        if done.is_ok() {
            held = Some(session);
        }
        sender.of(&mut series).rounds.push(done);
    }
    Ok(series.into())
}
