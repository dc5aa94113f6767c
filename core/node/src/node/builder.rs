//! How a node is made and started.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wayside_bridge::{Entropy, Registry};
use wayside_noise::{Endpoint, EndpointConfig, StaticKey, Stream};
use wayside_proto::engine::{Config as EngineConfig, ContactState, Engine};
use wayside_proto::mailbox::wire::{Access, HostEntry, MailboxOffer};

use crate::api::types::{ApiError, ErrorCode, NodeKind};
#[cfg(feature = "api")]
use crate::api::{ApiClient, Server, Tcp, Tokens};
use crate::boards;
use crate::bridges::BridgeEnvironment;
use crate::clock::{NodeClock, SystemEntropy};
use crate::community::Communities;
use crate::doors::{self, DoorProtocols, Doors};
use crate::driver::{Actor, Driver, Parts};
use crate::home::{self, Home, HomeError, Listen};
use crate::introductions::{self, Introductions};
use crate::links::{Peer, Protocol, Protocols, Served, address, card, notices, ping, renew, serving};
use crate::mail::{self, Mail};
use crate::mailbox::{self, Mailboxes, carry as mail_carry, deposit, fetch};
use crate::pointers::Pointers;
use crate::reach::{Reach, measure, portmap};
use crate::relays::hello::{Greeted, GuestProtocols};
use crate::relays::offers::Offer;
use crate::relays::{Kept, Relays, serving};
use crate::rendezvous::Rendezvous;
use crate::requests::Requests;
use crate::store::{CustodyStore, Store};

use super::Node;

/// How a node is made.
#[derive(Debug)]
pub struct NodeBuilder {
    home: Home,
    registry: Registry,
    listen: Vec<String>,
    kind: NodeKind,
    protocols: Protocols,
    clock: NodeClock,
    network: wayside_noise::Network,
    /// What the engine draws from, where it is not to be the system's entropy.
    seed: Option<[u8; 32]>,
    #[cfg(feature = "api")]
    serves_api: bool,
    #[cfg(test)]
    disk: Option<crate::store::Disk>,
    #[cfg(test)]
    door_protocols: DoorProtocols,
    #[cfg(test)]
    mailbox_disk: Option<crate::store::Disk>,
}

/// Reports of bridges that may wait.
const REPORTS: usize = 256;

impl NodeBuilder {
    pub(super) fn new(home: Home, registry: Registry) -> Self {
        Self {
            home,
            registry,
            listen: Vec::new(),
            kind: NodeKind::Brief,
            protocols: Protocols::new(),
            clock: NodeClock::default(),
            network: wayside_noise::Network::System,
            seed: None,
            #[cfg(feature = "api")]
            serves_api: false,
            #[cfg(test)]
            disk: None,
            #[cfg(test)]
            door_protocols: DoorProtocols::new(),
            #[cfg(test)]
            mailbox_disk: None,
        }
    }

    /// Listens there instead of where the configuration says: `udp://ADDRESS:PORT` and `tcp://ADDRESS:PORT`, port 0 for any free one. TCP is for friends
    /// whose network blocks UDP; without any UDP address a node links by TCP alone.
    #[must_use]
    pub fn listen(mut self, listen: Vec<String>) -> Self {
        self.listen = listen;
        self
    }

    /// Goes by this clock instead of the system's.
    #[must_use]
    pub fn clock(mut self, clock: NodeClock) -> Self {
        self.clock = clock;
        self
    }

    /// Has the engine draw from this seed: whoever knows it can read what is published. For tests that are to do the same each time.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Has its UDP sockets from there instead of the operating system; TCP is the operating system's in any case.
    #[must_use]
    pub fn network(mut self, network: wayside_noise::Network) -> Self {
        self.network = network;
        self
    }

    /// Serves the [local API](crate::api) at the home's socket, so that other processes can ask this node too.
    #[cfg(feature = "api")]
    #[must_use]
    pub fn serve_api(mut self) -> Self {
        self.serves_api = true;
        self
    }

    /// Says what kind of node it is.
    #[must_use]
    pub fn kind(mut self, kind: NodeKind) -> Self {
        self.kind = kind;
        self
    }

    /// Serves streams of this name, as friends open them, with a closure. What it returns, nothing or a `Result`, is the end of that stream; an error goes
    /// to the log. [`protocol`](Self::protocol) says the rest.
    ///
    /// ```
    /// # fn example(builder: wayside_node::NodeBuilder) -> wayside_node::NodeBuilder {
    /// builder.serve("echo/1", |_, mut stream| async move {
    ///     tokio::io::copy(&mut stream.recv, &mut stream.send).await.map(drop)
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn serve<F, Fut>(self, name: impl Into<String>, serve: F) -> Self
    where
        F: Fn(Peer, Stream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Served> + Send + 'static,
    {
        self.protocol(name, serving(serve))
    }

    /// Serves streams of this name, as friends open them. A name has a version in it (`chat/1`), 64 bytes at most; those that begin with `wayside/` are
    /// wayside's own. Of two with the same name the later one counts.
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

    /// Speaks this with guests of all doors, which the test opens and shuts by itself: nobody has a mailbox here.
    #[cfg(test)]
    pub(crate) fn door_protocol(
        mut self,
        name: &'static str,
        protocol: Arc<dyn doors::DoorProtocol>,
    ) -> Self {
        self.door_protocols.insert(name, protocol);
        self
    }

    #[cfg(test)]
    pub(crate) fn kind_of_bridge(mut self, kind: impl wayside_bridge::BridgeKind + 'static) -> Self {
        self.registry = self.registry.with(kind);
        self
    }

    #[cfg(test)]
    pub(crate) fn mailbox_disk(mut self, disk: crate::store::Disk) -> Self {
        self.mailbox_disk = Some(disk);
        self
    }

    #[cfg(test)]
    pub(crate) fn clock_off_by(mut self, secs: i64) -> Self {
        self.clock = NodeClock::off_by(secs);
        self
    }

    /// Starts it: it listens when this returns, and goes on trying its bridges.
    ///
    /// # Errors
    /// One sentence: the home is another's, damaged or full, an address cannot be used, the configuration makes no sense.
    pub async fn start(self) -> Result<Node, ApiError> {
        #[cfg(test)]
        let (disk, mailbox_disk) = (self.disk.clone(), self.mailbox_disk.clone());
        #[cfg(test)]
        let keeps_mailboxes = self.door_protocols.is_empty();
        #[cfg(not(test))]
        let keeps_mailboxes = true;
        #[cfg(feature = "api")]
        let serves_api = self.serves_api;
        let Self { home, registry, listen, kind, mut protocols, clock, network, seed, .. } = self;
        home.prepare()?;
        let lock = home.lock()?;
        let config = home.config()?;
        let listen = if listen.is_empty() { config.network.listen.clone() } else { listen };
        let listen = Listen::parse(&listen).map_err(|why| ApiError::new(ErrorCode::Usage, why))?;

        let store_path = home.store_path();
        let open = move || Store::open(&store_path, lock);
        #[cfg(test)]
        let open = move || disk.map_or_else(open, |disk| Ok(disk.store()));
        let store = tokio::task::spawn_blocking(open).await.map_err(ending)??;
        let now = clock.wall();
        store.run(move |store| store.grow_older(now)).await?;
        let mut engine = restore(&home, &store, &clock, seed).await?;
        // What a crash left of friends who were removed.
        let friends = engine.friends().map(|friend| friend.account()).collect();
        store
            .run(move |store| store.keep_mail_of(&friends, now).and_then(|_| store.keep_steps_of(&friends)))
            .await?;
        let (_, noise) = home.identity().device.secrets();
        let key = StaticKey::from_bytes(*noise.expose());
        let is_simulated = !matches!(network, wayside_noise::Network::System);
        let (endpoint, listen) = bind(&listen, key, network).await?;
        let mappable = if is_simulated { None } else { portmap::port_of(&listen) };

        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let listed = config.network.stun_servers.clone();
        let reach = Reach::new(listen.clone(), &endpoint, !listed.is_empty(), is_simulated);
        reach.answer(config.network.stun);
        let kept = store.run(Kept::read).await?;
        let usage = kept.usage.clone();
        let device = home.engine_identity().device;
        let relays = Relays::new(&endpoint, device, config.relay, kept, now);
        let doors = Doors::new(&endpoint, store.run(doors::Kept::read).await?);
        engine.set_doors(clock.now_both(), doors.for_engine());
        let mailbox_path = home.mailbox_path();
        let open = move |store| CustodyStore::open(&mailbox_path, store);
        #[cfg(test)]
        let open = move |store| mailbox_disk.map_or_else(|| open(store), |disk| Ok(disk.custody()));
        let own = Arc::clone(&store);
        let kept = store.run(move |_| mailbox::Kept::read(&own, open(Arc::clone(&own))?)).await?;
        let mailboxes = Mailboxes::new(config.mailbox, kept);
        let ends = mail::Ends::of(&home, config.mailbox);
        let mail = store.run(move |store| Ok(Mail::open(ends, store, now))).await??;
        // Before the card is shown to anybody.
        let age = store.run(move |store| store.age_at(now)).await?;
        let hosts = mailboxes.offers().into_iter().filter_map(|(_, offered)| {
            let name = mail::host_name(engine.friend(&offered.account)?.name());
            Some(HostEntry { name, ..offered.host })
        });
        let hosts = hosts.collect();
        engine.set_mailbox(clock.now_both(), Some(mail.card(age, hosts)));
        let shared = (reach.clone(), relays.clone(), doors, mailboxes, mail);
        let (driver, mailbox) =
            Driver::new(store, clock, config.limits, shared, (tasks.clone(), stop.clone()));
        let registry = boards::with_own_kinds(registry, &driver);
        let board = boards::Server::new(driver.clone());
        let mut guest_protocols: GuestProtocols =
            [(serving::NAME, Arc::new(serving::Circuits(driver.clone())) as _)].into();
        for (name, protocol) in &guest_protocols {
            let (driver, protocol) = (driver.clone(), Arc::clone(protocol));
            protocols.insert((*name).to_owned(), Arc::new(Greeted { driver, protocol }));
        }
        // A friend's own link says who is there: no token is asked for.
        guest_protocols.insert(boards::PROTOCOL, Arc::new(board.clone()));
        let deposits = deposit::Deposits::new(&driver);
        #[cfg_attr(not(test), expect(unused_mut, reason = "tests speak something else, too"))]
        let mut door_protocols: DoorProtocols = [(deposit::NAME, Arc::new(deposits) as _)].into();
        #[cfg(test)]
        door_protocols.extend(self.door_protocols);
        let introductions = Introductions::restore(driver.clone(), home.identity().account.id()).await?;
        let may_come = engine.contacts().any(|(_, state)| state == ContactState::Pending);
        let friends = (!may_come).then(|| engine.friends().map(|friend| friend.account()).collect());
        let pointers = Pointers::restore(driver.clone(), friends).await?;
        let communities = Communities::restore(driver.clone(), pointers.clone(), &config.bridges).await?;
        let own: [(&str, Arc<dyn Protocol>); 12] = [
            notices::receiver::<Offer>(&driver),
            (ping::NAME, Arc::new(ping::Echo)),
            (card::NAME, Arc::new(card::Receiver(driver.clone()))),
            (address::NAME, Arc::new(address::Receiver::new(reach.clone()))),
            (renew::NAME, Arc::new(renew::Replier(driver.clone()))),
            (boards::PROTOCOL, Arc::new(board.clone())),
            (mail::link::NAME, Arc::new(mail::link::Inbox::new(driver.clone()))),
            notices::receiver::<Access>(&driver),
            (introductions::NAME, Arc::new(introductions::Listener(introductions.clone()))),
            notices::receiver::<MailboxOffer>(&driver),
            (fetch::NAME, Arc::new(fetch::Fetches(driver.clone()))),
            (mail_carry::NAME, Arc::new(mail_carry::Carriers(driver.clone()))),
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
            reach: reach.clone(),
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
                introductions: introductions.clone(),
                guest_protocols: Arc::new(guest_protocols),
                door_protocols: Arc::new(door_protocols),
                tasks: tasks.clone(),
            },
            config.bridges,
        );
        let actor = tokio::spawn(actor.run(mailbox, stop.clone()));
        spawn_until(&tasks, &stop, accept_links(driver.clone(), Arc::clone(&endpoint)));
        spawn_until(&tasks, &stop, board.keep());
        relays.serve(&driver, &endpoint, usage, &tasks);
        spawn_until(&tasks, &stop, relays.keep(driver.clone()));
        if keeps_mailboxes {
            spawn_until(&tasks, &stop, mailbox::keep(driver.clone()));
        }
        spawn_until(&tasks, &stop, mail::keep(driver.clone()));
        spawn_until(&tasks, &stop, reach.clone().keep(Arc::clone(&endpoint)));
        spawn_until(&tasks, &stop, measure::keep(reach.clone(), Arc::clone(&endpoint), listed));
        portmap::start(&reach, mappable, &config.network.portmap, &tasks, &stop)?;
        spawn_until(&tasks, &stop, mail::expire(driver.clone()));
        // From here on what fails ends all of it.
        let (ends, stop) = (stop.clone(), stop.drop_guard());
        driver.want_recipients().await?;
        // A command that runs a node for a moment serves nobody else.
        let served = if kind == NodeKind::Up { config.rendezvous } else { home::Rendezvous::default() };
        let store = Arc::clone(driver.store());
        let rendezvous = Rendezvous::start(&home, served, &store, clock, (&tasks, &ends)).await?;
        let listening = listen.urls();
        #[cfg(feature = "api")]
        let tcp = match (serves_api, kind) {
            (true, NodeKind::Up) => Tcp::bind(config.api).await?,
            _ => None,
        };
        #[cfg(feature = "api")]
        let api_listening = tcp.as_ref().map(Tcp::address);
        #[cfg(not(feature = "api"))]
        let api_listening = None;
        let requests = Requests {
            home: Arc::new(home),
            registry,
            kind,
            listening: Arc::new(listening),
            api_listening,
            network: Arc::new(config.network),
            driver,
            introductions,
            pointers,
            communities,
            rendezvous: Arc::new(rendezvous),
            changing_config: Arc::default(),
        };
        spawn_until(&tasks, &ends, requests.introductions.clone().keep(requests.clone()));
        spawn_until(&tasks, &ends, requests.pointers.clone().keep());
        spawn_until(&tasks, &ends, requests.communities.clone().keep());
        #[cfg(feature = "api")]
        let client = ApiClient::new(requests.home.socket());
        #[cfg(feature = "api")]
        let server = match serves_api {
            true => Some(Server::start(requests.clone(), Tokens::open(&requests.home)?, tcp)?),
            false => None,
        };
        Ok(Node {
            requests,
            #[cfg(feature = "api")]
            client,
            #[cfg(feature = "api")]
            server,
            endpoint,
            stop,
            actor,
            tasks,
        })
    }
}

async fn restore(
    home: &Home,
    store: &Arc<Store>,
    clock: &NodeClock,
    seed: Option<[u8; 32]>,
) -> Result<Engine, ApiError> {
    let stored = store.run(|store| store.engine_values()).await?;
    let mut drawn = zeroize::Zeroizing::new(seed.unwrap_or_default());
    if seed.is_none() {
        SystemEntropy.fill(&mut *drawn);
    }
    Engine::restore(home.engine_identity(), EngineConfig::default(), stored, *drawn, clock.now_both())
        .map_err(|error| HomeError::Damaged { path: home.store_path(), why: error.to_string() }.into())
}

/// The endpoint, and what it listens at.
async fn bind(
    listen: &Listen,
    key: StaticKey,
    network: wayside_noise::Network,
) -> Result<(Arc<Endpoint>, Listen), ApiError> {
    let failed = |error: wayside_noise::LinkError| {
        ApiError::new(ErrorCode::Usage, format!("{error}: choose another address with --listen"))
    };
    let config = EndpointConfig { network, ..EndpointConfig::default() };
    let addresses = &listen.udp;
    let bound = match Endpoint::bind(addresses, key.clone(), config.clone()).await {
        Ok(endpoint) => Ok(endpoint),
        // A machine without IPv6 does with IPv4 where nobody asked for one address in particular.
        Err(_) if addresses.iter().all(|address| address.ip().is_unspecified()) && addresses.len() > 1 => {
            let v4: Vec<_> = addresses.iter().copied().filter(std::net::SocketAddr::is_ipv4).collect();
            Endpoint::bind(&v4, key, config).await
        }
        Err(error) => Err(error),
    };
    let endpoint = bound.map_err(failed)?;
    let mut tcp = Vec::new();
    for address in &listen.tcp {
        tcp.push(endpoint.listen_tcp(*address).await.map_err(failed)?);
    }
    let listen = Listen { udp: endpoint.local_addresses(), tcp };
    Ok((Arc::new(endpoint), listen))
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

fn ending(error: tokio::task::JoinError) -> ApiError {
    ApiError::new(ErrorCode::Internal, error.to_string())
}
