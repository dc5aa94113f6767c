//! Ann and Bob, who have only relays in common.

use std::{future::Future, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use wayside_noise::{
    Circuit, Endpoint, EndpointConfig, Expectation, Kem, Link, MemoryNetwork, Network, Relay, RelayEvent,
    Remote, SessionId, StaticKey, Whom,
};
use wayside_relay::{Limits, Owner, Tag, Usage};

use crate::common::{PATIENCE, loopback};

pub(crate) const ANN: Owner = Owner([1; 32]);
pub(crate) const BOB: Owner = Owner([2; 32]);

/// Somebody with an endpoint.
pub(crate) struct Person {
    pub(crate) endpoint: Endpoint,
    key: StaticKey,
    number: u8,
}

impl Person {
    pub(crate) async fn new(number: u8, network: Option<&MemoryNetwork>) -> Self {
        let key = StaticKey::from_bytes([number; 32]);
        let mut config = EndpointConfig::default();
        let address = match network {
            Some(network) => {
                config.network = Network::Memory(network.clone());
                ([10, 0, 0, number], 4000).into()
            }
            None => loopback(),
        };
        let endpoint = Endpoint::bind(&[address], key.clone(), config).await.unwrap();
        Self { endpoint, key, number }
    }

    pub(crate) fn at(&self) -> Remote {
        self.endpoint.local_addresses()[0].into()
    }

    /// Whom this one expects, or dials, there.
    pub(crate) fn expects(&self, other: &Self) -> Expectation {
        let pair = [self.number.min(other.number), self.number.max(other.number)].repeat(8);
        let secret: [u8; 32] = pair.repeat(2).try_into().unwrap();
        Expectation {
            session: SessionId(pair.try_into().unwrap()),
            whom: Whom::Device(other.key.public()),
            gate: secret.into(),
            psk: secret.map(|byte| byte ^ 0x55).into(),
            kem: Kem::None,
        }
    }

    /// A link with somebody who waits: this one's end, and the other's.
    pub(crate) async fn link(&self, other: &Self, to: Vec<Remote>) -> (Link, Link) {
        other.endpoint.expect(other.expects(self));
        let dialling = self.endpoint.connect(self.expects(other), to, PATIENCE);
        let (dialled, accepted) = tokio::join!(dialling, other.endpoint.accept());
        (dialled.unwrap(), accepted.unwrap())
    }
}

/// A relay, and its links with Ann and Bob: each side's end.
pub(crate) struct Rita {
    pub(crate) person: Person,
    pub(crate) relay: Relay,
    pub(crate) events: mpsc::Receiver<RelayEvent>,
    pub(crate) ann: (Link, Link),
    pub(crate) bob: (Link, Link),
    tags: u8,
}

/// Ann's and Bob's ends of a circuit, and their numbers at the relay.
pub(crate) struct Ends {
    pub(crate) ann: Circuit,
    pub(crate) bob: Circuit,
    pub(crate) opened: [wayside_relay::Opened<u64>; 2],
}

impl Rita {
    /// How many bytes were forwarded.
    pub(crate) fn forwarded(&self) -> u64 {
        self.relay.usage().total
    }

    /// One more circuit.
    pub(crate) fn circuit(&mut self, scene: &Scene) -> Ends {
        self.tags += 1;
        let tag = Tag([self.tags; 16]);
        let of_ann = self.relay.open(&self.ann.1, ANN, tag).unwrap();
        assert_eq!(of_ann.joined, None);
        let of_bob = self.relay.open(&self.bob.1, BOB, tag).unwrap();
        assert_eq!(of_bob.joined, Some((self.ann.1.number(), of_ann.circuit)));
        let ann = scene.ann.endpoint.circuit(&self.ann.0, of_ann.circuit, of_ann.keys.clone());
        let bob = scene.bob.endpoint.circuit(&self.bob.0, of_bob.circuit, of_bob.keys.clone());
        Ends { ann, bob, opened: [of_ann, of_bob] }
    }

    /// The next thing that happens to a circuit.
    pub(crate) async fn event(&mut self) -> RelayEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("in time").expect("a relay")
    }
}

/// Those two, and the network on which they are, if it is one in memory.
pub(crate) struct Scene {
    pub(crate) ann: Person,
    pub(crate) bob: Person,
    pub(crate) network: Option<MemoryNetwork>,
}

impl Scene {
    pub(crate) async fn on_loopback() -> Self {
        Self { ann: Person::new(1, None).await, bob: Person::new(2, None).await, network: None }
    }

    /// In virtual time.
    pub(crate) async fn in_memory(latency: Duration) -> Self {
        let network = MemoryNetwork::new(latency);
        let (ann, bob) = (Person::new(1, Some(&network)).await, Person::new(2, Some(&network)).await);
        Self { ann, bob, network: Some(network) }
    }

    /// A relay, with links to both.
    pub(crate) async fn relay(&self, number: u8, limits: Limits) -> Rita {
        let person = Person::new(number, self.network.as_ref()).await;
        let ann = self.ann.link(&person, vec![person.at()]).await;
        let bob = self.bob.link(&person, vec![person.at()]).await;
        self.with(person, limits, ann, bob)
    }

    pub(crate) fn with(&self, person: Person, limits: Limits, ann: (Link, Link), bob: (Link, Link)) -> Rita {
        let (relay, events) = person.endpoint.relay(limits, Usage::default());
        Rita { person, relay, events, ann, bob, tags: 0 }
    }

    /// A link of the two through circuits.
    pub(crate) async fn linked(&self, through: &[&Ends]) -> (Link, Link) {
        let to = through.iter().map(|ends| Remote::Tunnel(ends.ann.id())).collect();
        self.ann.link(&self.bob, to).await
    }
}

/// So many bytes go from one end to the other, and are what they were; how long it took.
pub(crate) async fn transfer(from: &Link, to: &Link, bytes: usize) -> Duration {
    let began = Instant::now();
    let data: Vec<u8> = (0..bytes).map(|at| (at / 251 + at) as u8).collect();
    let mut stream = from.open("test/bulk").await.unwrap();
    let sent = data.clone();
    let sending = tokio::spawn(async move {
        stream.send.write_all(&sent).await.unwrap();
        stream.send.finished().await.unwrap();
    });
    let (_, mut theirs) = timeout(PATIENCE, to.accept()).await.unwrap().unwrap();
    let mut received = Vec::new();
    timeout(4 * PATIENCE, theirs.recv.read_to_end(&mut received)).await.expect("in time").unwrap();
    assert!(received == data, "as it was sent");
    timeout(PATIENCE, sending).await.unwrap().unwrap();
    began.elapsed()
}

pub(crate) async fn until<F: Fn() -> bool>(what: &str, happened: F) {
    let waiting = async {
        while !happened() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    within(what, waiting).await;
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("never: {what}"))
}
