//! A link between two machines, for as long as it holds.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::end::Part;
use super::ground::{Ground, Side};
use super::records::{End, Moment, Order, Seen};
use crate::Failure;
use crate::processes::Worker;
use crate::subjects::SubjectName;

/// After the first record that got through: what stops again, or comes late, shows in it.
const AFTERMATH: Duration = Duration::from_millis(700);
/// For how long paths may take to come back.
const PATHS: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// For how long data stood still.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Gap {
    /// From the event until the next record arrived, in milliseconds.
    pub(super) until_next: f64,
    /// The longest time without a record since the event, in milliseconds; of one record alone, none.
    pub(super) longest: f64,
}

/// Two processes that have linked.
pub(super) struct Session {
    pub(super) ground: Ground,
    client: End,
    server: End,
}

impl Session {
    pub(super) async fn begin(ground: Ground, subject: SubjectName) -> Result<Self, Failure> {
        let start = |side: Side, part: &Part| {
            let arguments = ["records", &serde_json::to_string(part)?];
            Worker::start(side.name(), Some(&ground.namespace(side)), &arguments)
        };
        let mut server = start(Side::Server, &Part { subject, server: None })?;
        let ticket = server.ready().await?.ok_or("a server without an address")?;
        let at = ground.addresses(Side::Server, ticket.address.port());
        let mut client = start(Side::Client, &Part { subject, server: Some((at, ticket.identity)) })?;
        client.ready().await?;
        server.ready().await?;
        Ok(Self { ground, client: End(client), server: End(server) })
    }

    pub(super) fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Waits until each end has a path over every network, and says which network both use.
    pub(super) async fn all_paths(&mut self, networks: usize) -> Result<usize, Failure> {
        let deadline = Instant::now() + PATHS;
        loop {
            let (mut used, mut complete) = (BTreeSet::new(), true);
            for side in Side::BOTH {
                let paths = self.end(side).paths().await?;
                let network = |of: &super::links::OpenPath| self.ground.network_of(of.remote.ip());
                let open: BTreeSet<_> = paths.iter().filter_map(network).collect();
                complete &= open.len() == networks;
                used.insert(paths.iter().filter(|path| path.in_use).find_map(network));
            }
            match (complete, used.pop_first(), used.pop_first()) {
                (true, Some(Some(network)), None) => return Ok(network),
                _ if Instant::now() >= deadline => {
                    return Err(format!("not all paths are back after {} s", PATHS.as_secs()).into());
                }
                _ => sleep(LOOK).await,
            }
        }
    }

    /// Has records flow from one side.
    pub(super) async fn start(&mut self, sender: Side) -> Result<(), Failure> {
        self.end(sender.other()).tell(Order::Forget).await?;
        self.end(sender).tell(Order::Start).await
    }

    /// Waits until records flow again after something that began and ended at these moments, stops them, and waits for all.
    pub(super) async fn recovery(&mut self, sender: Side, event: (Moment, Moment)) -> Result<Gap, Failure> {
        self.end(sender.other()).seen(event, |seen| seen.first.is_some()).await?;
        sleep(AFTERMATH).await;
        let sent = self.end(sender).sent(Order::Stop).await?.total;
        let seen = self.end(sender.other()).seen(event, |seen| seen.total >= sent).await?;
        gap(&seen, event.0)
    }

    /// Has one record sent, and waits for it.
    pub(super) async fn one(&mut self, sender: Side) -> Result<Gap, Failure> {
        self.end(sender.other()).tell(Order::Forget).await?;
        let sent = self.end(sender).sent(Order::One).await?;
        let event = (sent.last, sent.last);
        let seen = self.end(sender.other()).seen(event, |seen| seen.total >= sent.total).await?;
        gap(&seen, sent.last)
    }
}

fn gap(seen: &Seen, from: Moment) -> Result<Gap, Failure> {
    let next = seen.first.ok_or("nothing arrived")?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(Gap { until_next: ms(next.since(from)), longest: ms(seen.longest) })
}
