//! Who may be a stranger on TCP, when more come than there are places.
//!
//! A stranger that says nothing keeps its place for its time. So that nobody keeps everybody else out with silent connections, a newcomer
//! takes the place of one that has had the time for a first message; or else of the oldest stranger of whichever network has most of them.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// So long a first message takes on a bad network, with a segment of it lost once or twice.
const LONG_ENOUGH: Duration = Duration::from_secs(3);

/// Places that are taken, the oldest first.
pub(super) struct Strangers {
    most: usize,
    taken: Mutex<Vec<Taken>>,
}

struct Taken {
    network: IpAddr,
    since: Instant,
    lost: Arc<Notify>,
}

/// A stranger's place, until it is dropped.
pub(super) struct Place {
    strangers: Arc<Strangers>,
    lost: Arc<Notify>,
}

impl Strangers {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// A place for a newcomer, and whether it was somebody's. `None` where nobody has to leave.
    pub(super) fn place(self: &Arc<Self>, peer: SocketAddr) -> Option<(Place, bool)> {
        let (network, mut taken) = (network(peer.ip()), self.lock());
        let is_full = taken.len() >= self.most;
        if is_full {
            let at = to_leave(&taken, network)?;
            taken.remove(at).lost.notify_one();
        }
        let lost = Arc::new(Notify::new());
        taken.push(Taken { network, since: Instant::now(), lost: Arc::clone(&lost) });
        Some((Place { strangers: Arc::clone(self), lost }, is_full))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until it is another's.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.strangers.lock().retain(|taken| !Arc::ptr_eq(&taken.lost, &self.lost));
    }
}

/// Who leaves for a newcomer from this network.
fn to_leave(taken: &[Taken], newcomer: IpAddr) -> Option<usize> {
    if taken.first().is_some_and(|oldest| oldest.since.elapsed() >= LONG_ENOUGH) {
        return Some(0);
    }
    let count = |network: IpAddr| taken.iter().filter(|it| it.network == network).count();
    // `max_by_key` takes the last of several, so that it is asked backwards for the oldest.
    let (at, most) = taken
        .iter()
        .enumerate()
        .rev()
        .map(|(at, it)| (at, count(it.network)))
        .max_by_key(|(_, count)| *count)?;
    (most > count(newcomer) + 1).then_some(at)
}

/// What one subscriber has: an IPv4 address, or the first 64 bits of an IPv6 one (RFC 4291, section 2.5.1).
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_had_its_time_leaves_for_any_newcomer() {
        let strangers = Strangers::new(2);
        let place = |last, port| strangers.place(([192, 0, 2, last], port).into());
        let (oldest, _) = place(1, 1).unwrap();
        let (_younger, _) = place(2, 1).unwrap();
        assert!(place(1, 2).is_none());
        tokio::time::advance(LONG_ENOUGH).await;
        assert!(place(1, 2).is_some());
        assert!(oldest.lost().now_or_never().is_some());
    }

    #[test]
    fn a_newcomer_takes_the_place_of_the_oldest_of_the_many() {
        let strangers = Strangers::new(3);
        let place = |last, port| strangers.place(([192, 0, 2, last], port).into());
        let (alone, _) = place(9, 1).unwrap();
        let (oldest, _) = place(1, 1).unwrap();
        let (younger, pushed) = place(1, 2).unwrap();
        assert!(!pushed);
        assert!(place(1, 3).is_none(), "not of its own network");
        let (newcomer, pushed) = place(2, 1).unwrap();
        assert!(pushed);
        assert!(oldest.lost().now_or_never().is_some());
        assert!([&alone, &younger, &newcomer].iter().all(|place| place.lost().now_or_never().is_none()));
        assert!(place(3, 1).is_none(), "all have one");
        drop((oldest, younger));
        assert!(place(3, 1).is_some(), "a place that became free");
    }
}
