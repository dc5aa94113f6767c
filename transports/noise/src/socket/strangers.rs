//! Who may be a stranger on TCP, when more come than there are places.
//!
//! A stranger that says nothing keeps its place for its time. So that nobody keeps everybody else out with silent connections, a newcomer
//! takes the place of the oldest stranger of whichever network has most of them.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Places that are taken, the oldest first.
pub(super) struct Strangers {
    most: usize,
    taken: Mutex<Vec<(IpAddr, Arc<Notify>)>>,
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

    /// A place for a newcomer, and whether it was somebody's. `None` where nobody's network has more of them than the newcomer's would.
    pub(super) fn place(self: &Arc<Self>, peer: SocketAddr) -> Option<(Place, bool)> {
        let (network, mut taken) = (network(peer.ip()), self.lock());
        let is_full = taken.len() >= self.most;
        if is_full {
            let count = |of: IpAddr| taken.iter().filter(|(it, _)| *it == of).count();
            // The first of the greatest: `max_by_key` takes the last, so that it is asked backwards.
            let (at, most) = taken
                .iter()
                .enumerate()
                .rev()
                .map(|(at, (it, _))| (at, count(*it)))
                .max_by_key(|(_, count)| *count)?;
            if most <= count(network) + 1 {
                return None;
            }
            taken.remove(at).1.notify_one();
        }
        let lost = Arc::new(Notify::new());
        taken.push((network, Arc::clone(&lost)));
        Some((Place { strangers: Arc::clone(self), lost }, is_full))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(IpAddr, Arc<Notify>)>> {
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
        self.strangers.lock().retain(|(_, lost)| !Arc::ptr_eq(lost, &self.lost));
    }
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
