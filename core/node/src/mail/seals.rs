//! What a sender seals with: to the week's keys of a friend's devices, or, until those are known, under a key of this machine's, so that no text of a message is on a disk as it is.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wayside_bridge::Entropy;
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::{AccountId, DeviceId, NoiseKey};
use wayside_proto::crypto::{Secret, aead, derive};
use wayside_proto::mailbox::Age;
use wayside_proto::mailbox::item::{Item, Kind, News, Ordered};
use wayside_proto::mailbox::outbox::{Sealed, Sealer};
use wayside_proto::mailbox::prekeys::Target;
use wayside_proto::mailbox::seal::{self, Recipient};
use zeroize::Zeroizing;

use super::Mail;
use crate::clock::SystemEntropy;

/// The most devices that something is sealed for.
const MOST: usize = 8;
/// Bytes before what is locked, which its key is derived from.
const SALT: usize = 32;

/// Seals for one friend, as it stands.
pub(super) struct Seals {
    from: AccountId,
    device: DeviceId,
    noise: NoiseKey,
    to: AccountId,
    targets: Vec<(DeviceId, Target)>,
    now: Age,
    wall: UnixMillis,
    lock: Secret,
    rng: ChaCha20Rng,
}

impl Mail {
    /// What seals for a friend. Asked for within the transaction that keeps what is sealed: what becomes known later finds it there.
    pub(super) fn seals(&self, to: &AccountId, now: Age, wall: UnixMillis) -> Seals {
        let mut seed = Zeroizing::new([0; 32]);
        SystemEntropy.fill(&mut *seed);
        Seals {
            from: self.0.account,
            device: self.0.device,
            noise: self.0.noise.clone(),
            to: *to,
            targets: self.targets_of(to).into_iter().take(MOST).collect(),
            now,
            wall,
            lock: self.keys().lock().clone(),
            rng: ChaCha20Rng::from_seed(*seed),
        }
    }
}

impl Seals {
    /// News as a blob; `None` where it is not known yet what to seal to.
    pub(super) fn news(&mut self, news: News) -> Option<Vec<u8>> {
        self.blob(Kind::News(news))
    }

    fn blob(&mut self, kind: Kind) -> Option<Vec<u8>> {
        let (now, wall) = (self.now, self.wall);
        let recipient =
            |(device, target): &'_ (DeviceId, Target)| -> Option<(DeviceId, u32, [u8; 32], Secret)> {
                let (prekey, key, psk) = target.current(now, wall)?;
                Some((*device, prekey, key, psk.clone()))
            };
        let known: Vec<_> = self.targets.iter().filter_map(recipient).collect();
        if known.is_empty() {
            return None;
        }
        let recipients: Vec<Recipient<'_>> = known
            .iter()
            .map(|(device, prekey, key, psk)| Recipient { device: *device, prekey: *prekey, key: *key, psk })
            .collect();
        let item = Zeroizing::new(Item { device: self.device, kind }.to_bytes());
        seal::seal((&self.from, &self.noise), &self.to, &recipients, &item, &mut self.rng).ok()
    }

    fn key(&self, salt: &[u8; SALT]) -> Secret {
        derive(self.lock.expose(), "outbox", &[salt])
    }
}

impl Sealer for Seals {
    fn seal(&mut self, item: &Ordered) -> Sealed {
        if let Some(blob) = self.blob(Kind::Ordered(item.clone())) {
            return Sealed::Blob(blob);
        }
        let mut salt = [0; SALT];
        SystemEntropy.fill(&mut salt);
        let plain = Zeroizing::new(minicbor::to_vec(item).unwrap_or_default());
        Sealed::Locked([&salt[..], &aead::seal(&self.key(&salt), &[], &plain)].concat())
    }

    fn unlock(&mut self, locked: &[u8]) -> Option<Ordered> {
        let (salt, sealed) = locked.split_first_chunk::<SALT>()?;
        let plain = Zeroizing::new(aead::open(&self.key(salt), &[], sealed)?);
        minicbor::decode(&plain).ok()
    }
}

#[cfg(test)]
impl Mail {
    /// Something of our own making for a friend, where it is known what to seal to.
    pub(crate) async fn sealed(
        &self,
        store: &std::sync::Arc<crate::store::Store>,
        to: &AccountId,
        kind: Kind,
    ) -> Option<Vec<u8>> {
        let (mail, to, wall) = (self.clone(), *to, crate::clock::NodeClock::system().wall());
        let sealed = store.run(move |store| Ok(mail.seals(&to, store.age_at(wall)?, wall).blob(kind)));
        sealed.await.unwrap()
    }
}
