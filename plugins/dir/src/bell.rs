//! Waiting to be rung.

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{AbortHandle, Abortable, select};
use wayside_bridge::{Monotonic, Spawner};

use crate::error::DirError;
use crate::folder::Stamp;
use crate::hook::Hook;
use crate::jobs::Jobs;
use crate::name::RINGS;
use crate::notice::Notice;
use crate::pace::POLL;
use crate::place::Place;
use crate::ring::{ONCE_IN, RingName};

/// How soon a folder that is away, or does not let us look, is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Our own name in a folder's `rings/`, waited for.
///
/// Only looks, until it rings: a folder that is not there yet is waited for as well. A ring that was left while nobody
/// waited counts.
pub struct Bell {
    place: Arc<Place>,
    jobs: Jobs,
    name: RingName,
    hook: Option<Hook>,
    notice: Option<Notice>,
    /// When the last ring was heard.
    heard: Option<Monotonic>,
    /// A ring that was heard and could not be removed.
    stale: Option<Stamp>,
}

/// What was seen at one look.
enum Look {
    /// Nobody has ever rung anybody here.
    NoRings,
    Quiet,
    Rung(Stamp),
}

impl Bell {
    pub(crate) fn new(place: Arc<Place>, jobs: Jobs, name: RingName, hook: Option<Hook>) -> Self {
        Self { place, jobs, name, hook, notice: None, heard: None, stale: None }
    }

    /// What friends ring.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Resolves when it has rung, what its hook says is done, and the ring is removed; at most once a minute.
    ///
    /// Dropping the future is allowed; a ring whose hook had not ended is then heard again.
    pub async fn rung(&mut self) {
        let stamp = self.next().await;
        let clock = Arc::clone(&self.place.context().clock);
        if let Some(before) = self.heard {
            clock.sleep(ONCE_IN.saturating_sub(clock.monotonic().since(before))).await;
        }
        self.heard = Some(clock.monotonic());
        tracing::info!(ring = self.name(), "our bell rings");
        if let Some(hook) = &self.hook {
            hook.run(&self.name, clock.as_ref()).await;
        }
        self.take_away(stamp).await;
    }

    /// Hears every ring from now on, until the answer is dropped.
    pub(crate) fn listen(mut self, spawner: &dyn Spawner) -> Listening {
        let (handle, registration) = AbortHandle::new_pair();
        let listen = async move {
            loop {
                self.rung().await;
            }
        };
        spawner.spawn(Abortable::new(listen, registration).map(drop).boxed());
        Listening(handle)
    }

    /// The next ring, as the file was when it was seen.
    async fn next(&mut self) -> Stamp {
        loop {
            let pause = match self.look().await {
                Ok(Look::Rung(stamp)) => return stamp,
                Ok(Look::Quiet) => {
                    if self.notice.is_some() {
                        POLL
                    } else {
                        let rings = self.place.records_path().join(RINGS);
                        self.notice = Notice::of(&rings, &self.jobs).await;
                        // Once more, so that nothing falls between the two.
                        if self.notice.is_some() { Duration::ZERO } else { POLL }
                    }
                }
                Ok(Look::NoRings) => POLL,
                Err(error) => {
                    tracing::debug!(%error, "nobody can ring us now");
                    LOOK_AGAIN
                }
            };
            self.wait(pause).await;
        }
    }

    async fn wait(&mut self, pause: Duration) {
        let sleep = self.place.context().clock.sleep(pause);
        let heard = match &self.notice {
            Some(notice) => match select(pin!(notice.news()), sleep).await {
                futures::future::Either::Left((still_there, _)) => still_there,
                futures::future::Either::Right(_) => true,
            },
            None => {
                sleep.await;
                true
            }
        };
        if !heard {
            self.notice = None;
        }
    }

    async fn look(&self) -> Result<Look, DirError> {
        let (place, name, stale) = (Arc::clone(&self.place), self.name.clone(), self.stale);
        let look = move || {
            let Some(folder) = place.enter()? else { return Ok(Look::NoRings) };
            let rings = match folder.folder(RINGS) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::NoRings),
                opened => opened.map_err(|error| place.below(error))?,
            };
            match rings.stamp(name.as_str()) {
                Ok(stamp) if stamp.regular && Some(stamp) != stale => Ok(Look::Rung(stamp)),
                Ok(_) => Ok(Look::Quiet),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Look::Quiet),
                Err(error) => Err(place.below(error)),
            }
        };
        self.jobs.run(look).await
    }

    /// Removes a ring, unless somebody has rung again meanwhile.
    async fn take_away(&mut self, stamp: Stamp) {
        self.stale = Some(stamp);
        let (place, name) = (Arc::clone(&self.place), self.name.clone());
        let remove = move || {
            let Some(folder) = place.enter()? else { return Ok(()) };
            let rings = folder.folder(RINGS).map_err(|error| place.below(error))?;
            match rings.stamp(name.as_str()) {
                Ok(now) if now == stamp => rings.remove(name.as_str()).map_err(|error| place.below(error)),
                _ => Ok(()),
            }
        };
        if let Err(error) = self.jobs.run(remove).await {
            tracing::debug!(%error, "a ring stays though it was heard");
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("name", &self.name).field("place", &self.place).finish_non_exhaustive()
    }
}

/// A bell that is listened to; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}
