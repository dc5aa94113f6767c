//! A node: everything of one home, running.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use wayside_bridge::{Entropy, Registry};
use wayside_noise::{Endpoint, EndpointConfig, StaticKey};
use wayside_proto::UnixMillis;
use wayside_proto::engine::{Config as EngineConfig, Engine};

use crate::api::types::{ApiError, ErrorCode, MessageState, NodeKind};
use crate::api::{ApiClient, Server};
use crate::bridges::BridgeEnvironment;
use crate::clock::{SystemClock, SystemEntropy};
use crate::driver::{Actor, Driver, Parts};
use crate::home::{Home, HomeError, Network};
use crate::links::{Protocol, Protocols, card, ping};
use crate::messages;
use crate::store::Store;

/// Everything of one home, running. Ends when it is shut down or dropped; dropped, it takes no leave of its peers and lets go of the home a moment
/// later.
#[derive(Debug)]
pub struct Node {
    client: ApiClient,
    server: Server,
    driver: Driver,
    endpoint: Arc<Endpoint>,
    stop: DropGuard,
    actor: tokio::task::JoinHandle<()>,
    tasks: TaskTracker,
}

/// How a node is made.
#[derive(Debug)]
pub struct NodeBuilder {
    home: Home,
    registry: Registry,
    listen: Vec<String>,
    kind: NodeKind,
    protocols: Protocols,
    clock: SystemClock,
    #[cfg(test)]
    disk: Option<crate::store::Disk>,
}

/// How long a node that ends waits for what is under way.
const LEAVE: Duration = Duration::from_secs(5);
/// How long a node that ends waits for its records to be taken back.
const TIDY: Duration = Duration::from_secs(3);
/// How often messages are looked at that nobody fetched for too long.
const EXPIRE: Duration = Duration::from_secs(3600);
/// Reports of bridges that may wait.
const REPORTS: usize = 256;

impl Node {
    /// A node of this home, with these kinds of bridges.
    pub fn builder(home: Home, registry: Registry) -> NodeBuilder {
        NodeBuilder {
            home,
            registry,
            listen: Vec::new(),
            kind: NodeKind::Brief,
            protocols: Protocols::new(),
            clock: SystemClock::new(clock_offset()),
            #[cfg(test)]
            disk: None,
        }
    }

    /// Talks to it.
    pub fn client(&self) -> ApiClient {
        self.client.clone()
    }

    /// Waits until every bridge was tried.
    pub async fn ready(&self) {
        let mut ready = self.driver.ready();
        // The node is ending otherwise.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Ends it: finishes what was asked, takes leave of the peers, lets go of the home.
    pub async fn shutdown(self) {
        self.server.shutdown(LEAVE).await;
        self.driver.want_nobody().await;
        // What cannot be taken back in time is taken back after the next start.
        let _ = tokio::time::timeout(TIDY, self.driver.leave()).await;
        self.stop.disarm().cancel();
        let _ = tokio::time::timeout(LEAVE, self.actor).await;
        self.endpoint.close("bye").await;
        self.tasks.close();
        let _ = tokio::time::timeout(LEAVE, self.tasks.wait()).await;
    }
}

#[cfg(test)]
impl Node {
    pub(crate) const fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(crate) const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}

impl NodeBuilder {
    /// Listens there instead of where the configuration says: `udp://ADDRESS:PORT`.
    #[must_use]
    pub fn listen(mut self, listen: Vec<String>) -> Self {
        self.listen = listen;
        self
    }

    /// Says what kind of node it is.
    #[must_use]
    pub fn kind(mut self, kind: NodeKind) -> Self {
        self.kind = kind;
        self
    }

    /// Serves streams of this name, as friends open them. Names that begin with `wayside/` are wayside's own.
    #[must_use]
    pub fn protocol(mut self, name: impl Into<String>, protocol: Arc<dyn Protocol>) -> Self {
        self.protocols.insert(name.into(), protocol);
        self
    }

    #[cfg(test)]
    pub(crate) fn disk(mut self, disk: crate::store::Disk) -> Self {
        self.disk = Some(disk);
        self
    }

    #[cfg(test)]
    pub(crate) fn clock_off_by(mut self, secs: i64) -> Self {
        self.clock = SystemClock::new(secs);
        self
    }

    /// Starts it: it listens when this returns, and goes on trying its bridges.
    ///
    /// # Errors
    /// One sentence: the home is another's, damaged or full, an address cannot be used, the configuration makes no sense.
    pub async fn start(self) -> Result<Node, ApiError> {
        #[cfg(test)]
        let disk = self.disk.clone();
        let Self { home, registry, listen, kind, mut protocols, clock, .. } = self;
        home.prepare()?;
        let lock = home.lock()?;
        let config = home.config()?;
        let listen = if listen.is_empty() { config.network.listen } else { listen };
        let addresses = Network::udp(&listen).map_err(|why| ApiError::new(ErrorCode::Usage, why))?;

        let store_path = home.store_path();
        let open = move || Store::open(&store_path, lock);
        #[cfg(test)]
        let open = move || disk.map_or_else(open, |disk| Ok(disk.store()));
        let store = tokio::task::spawn_blocking(open).await.map_err(ending)??;
        let now = clock.wall();
        store.run(move |store| store.grow_older(now)).await?;
        let engine = restore(&home, &store, &clock).await?;
        // What a crash left of friends who were removed.
        let friends = engine.friends().map(|friend| friend.account()).collect();
        store
            .run(move |store| store.keep_queues_of(&friends).and_then(|_| store.keep_steps_of(&friends)))
            .await?;
        let (_, noise) = home.identity().device.secrets();
        let key = StaticKey::from_bytes(*noise.expose());
        let endpoint = bind(&addresses, key).await?;

        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let (driver, mailbox) = Driver::new(store, clock.clone(), config.limits);
        let own: [(&str, Arc<dyn Protocol>); 3] = [
            (ping::NAME, Arc::new(ping::Echo)),
            (card::NAME, Arc::new(card::Receiver(driver.clone()))),
            (messages::NAME, Arc::new(messages::Inbox(driver.clone()))),
        ];
        for (name, protocol) in own {
            // Tests put a hostile one in its place.
            if !(cfg!(test) && protocols.contains_key(name)) {
                protocols.insert(name.to_owned(), protocol);
            }
        }
        let (found, reports) = mpsc::channel(REPORTS);
        let bridges = BridgeEnvironment {
            registry: registry.clone(),
            home: home.path().to_owned(),
            clock,
            tasks: tasks.clone(),
            found,
        };
        let actor = Actor::new(
            Parts {
                engine,
                driver: driver.clone(),
                endpoint: Arc::clone(&endpoint),
                bridges,
                reports,
                protocols: Arc::new(protocols),
                tasks: tasks.clone(),
            },
            config.bridges,
        );
        let actor = tokio::spawn(actor.run(mailbox, stop.clone()));
        spawn_until(&tasks, &stop, accept_links(driver.clone(), Arc::clone(&endpoint)));
        spawn_until(&tasks, &stop, expire_messages(driver.clone()));
        driver.want_recipients().await?;
        let socket = home.socket();
        let listening = endpoint.local_addresses().iter().map(|address| format!("udp://{address}")).collect();
        let server = Server::start(home, registry, kind, listening, driver.clone())?;
        let stop = stop.drop_guard();
        Ok(Node { client: ApiClient::new(socket), server, driver, endpoint, stop, actor, tasks })
    }
}

/// How far the wall clock is to be off, in seconds: how tests of the whole program make it wrong.
fn clock_offset() -> i64 {
    let text = std::env::var("WAYSIDE_TEST_CLOCK_OFFSET_SECS").unwrap_or_default();
    text.parse().unwrap_or(0)
}

async fn restore(home: &Home, store: &Arc<Store>, clock: &SystemClock) -> Result<Engine, ApiError> {
    let stored = store.run(|store| store.engine_values()).await?;
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    SystemEntropy.fill(&mut *seed);
    Engine::restore(home.engine_identity(), EngineConfig::default(), stored, *seed, clock.now_both())
        .map_err(|error| HomeError::Damaged { path: home.store_path(), why: error.to_string() }.into())
}

async fn bind(addresses: &[std::net::SocketAddr], key: StaticKey) -> Result<Arc<Endpoint>, ApiError> {
    let failed = |error: wayside_noise::LinkError| {
        ApiError::new(ErrorCode::Usage, format!("{error}: choose another address with --listen"))
    };
    let config = EndpointConfig::default();
    match Endpoint::bind(addresses, key.clone(), config.clone()).await {
        Ok(endpoint) => Ok(Arc::new(endpoint)),
        // A machine without IPv6 does with IPv4 where nobody asked for one address in particular.
        Err(_) if addresses.iter().all(|address| address.ip().is_unspecified()) && addresses.len() > 1 => {
            let v4: Vec<_> = addresses.iter().copied().filter(std::net::SocketAddr::is_ipv4).collect();
            Endpoint::bind(&v4, key, config).await.map(Arc::new).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn spawn_until(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let stop = stop.clone();
    tasks.spawn(async move {
        stop.run_until_cancelled(task).await;
    });
}

async fn accept_links(driver: Driver, endpoint: Arc<Endpoint>) {
    while let Some(link) = endpoint.accept().await {
        driver.arrived(link).await;
    }
}

/// Gives up messages that nobody fetched for too long.
async fn expire_messages(driver: Driver) {
    loop {
        let now: UnixMillis = driver.clock().wall();
        let age = driver.limits().message_age();
        let expired =
            driver.store().run(move |store| store.grow_older(now).and_then(|()| store.expire(age))).await;
        match expired {
            Ok(expired) if !expired.is_empty() => {
                for (_, entry) in expired {
                    driver.settle(entry.id, MessageState::Expired);
                }
                // Tried again in an hour otherwise.
                let _ = driver.want_recipients().await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old messages could not be looked at"),
        }
        tokio::time::sleep(EXPIRE).await;
    }
}

fn ending(error: tokio::task::JoinError) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string())
}
