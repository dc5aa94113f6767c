//! Ada and Ben, who are friends, Fay in public, whom both know, and perhaps more friends in public who relay.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::Failure;
use super::ground::{Ground, Layout};
use super::kind::Kind;
use super::pair::Options;
use super::person::Person;
use super::space::Space;

/// People who are friends, each with a home that lives as long as their folder.
#[derive(Debug)]
pub(crate) struct Trio {
    /// Ada, who dials, and Ben, who waits.
    pub(crate) pair: [Person; 2],
    pub(crate) fay: Person,
    /// Rita and Rob, as many as are wanted, who do for both what is wanted.
    pub(crate) relays: Vec<Person>,
}

/// Who knows whom beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquaintance {
    /// All know each other, but for Fay and those who relay.
    Friends,
    /// Ada knows nobody; Ben knows Fay.
    Newcomer,
}

/// Friends in public who do more than to say how they see one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Helpers {
    /// So many relay.
    Relay(usize),
    /// One lets friends leave records with her, which both do; they have the folder too until they give it up.
    Meet,
}

impl Helpers {
    pub(crate) const fn count(self) -> usize {
        match self {
            Self::Relay(count) => count,
            Self::Meet => 1,
        }
    }
}

/// What the program under test can do that not every version can.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abilities {
    /// A friend answers questions about addresses.
    pub(crate) stun: bool,
    /// Ports are mapped by the router.
    pub(crate) portmap: bool,
    /// A friend relays.
    pub(crate) relay: bool,
}

impl Abilities {
    pub(crate) fn find(folder: &Path) -> Result<Self, Failure> {
        let nowhere = nowhere()?;
        Ok(Self {
            stun: Person::knows("s", folder, STUN, &nowhere)?,
            portmap: Person::knows("p", folder, PORTMAP, &nowhere)?,
            relay: Person::understands("r", folder, &["relay"], &nowhere)?,
        })
    }
}

/// Who helps, in this order.
const RELAYS: [&str; 2] = ["Rita", "Rob"];

const STUN: &str = "stun = \"friends\"";
const PORTMAP: &str = "portmap = [\"pcp\", \"nat-pmp\", \"upnp\"]";

impl Trio {
    /// Makes the friends, at a place where there is no network, so that they have not met yet.
    pub(crate) fn new(
        layout: Layout,
        acquaintance: Acquaintance,
        options: Options,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let Options { abilities, log, .. } = options;
        let nowhere = &nowhere()?;
        let kinds = match layout {
            Layout::Homes(one, other) => [one, other],
            Layout::SameLan(kind) | Layout::Hairpin(kind) => [kind, kind],
        };
        let network = |kind: Kind| network(kind == Kind::Public, kind == Kind::Upnp && abilities.portmap);
        let [ada, ben] = kinds;
        let mut of_fay = network_in_public();
        if abilities.stun {
            of_fay.push(STUN.to_owned());
        }
        let (ada, ben, fay, relays) = thread::scope(|scope| {
            let make = |name, network: Vec<String>| {
                scope.spawn(move || Person::new(name, folder, &network, log, nowhere))
            };
            let (ada, ben, fay) = (make("Ada", network(ada)), make("Ben", network(ben)), make("Fay", of_fay));
            let relays: Vec<_> = RELAYS
                .into_iter()
                .take(options.helpers.map_or(0, Helpers::count))
                .map(|name| make(name, network_in_public()))
                .collect();
            let relays: Vec<_> = relays.into_iter().map(thread::ScopedJoinHandle::join).collect();
            (ada.join(), ben.join(), fay.join(), relays)
        });
        let panicked = |_| Failure::from("it panicked");
        let relays: Result<Vec<Person>, Failure> =
            relays.into_iter().map(|relay| relay.map_err(panicked)?).collect();
        let pair = [ada.map_err(panicked)??, ben.map_err(panicked)??];
        let mut made = Self { pair, fay: fay.map_err(panicked)??, relays: relays? };
        for person in made.everybody() {
            person.share(folder, nowhere)?;
        }
        made.befriend(nowhere, acquaintance, options)?;
        Ok(made)
    }

    /// Over loopback, where they link too: of a link that was never made they would wait for the end of the attempt.
    fn befriend(
        &mut self,
        nowhere: &Space,
        acquaintance: Acquaintance,
        options: Options,
    ) -> Result<(), Failure> {
        for person in self.everybody_mut() {
            person.start(nowhere, &["--listen", "udp://127.0.0.1:0"])?;
        }
        self.everybody_mut().try_for_each(Person::ready)?;
        let Self { pair: [ada, ben], fay, relays } = &*self;
        let mut friends = match acquaintance {
            Acquaintance::Friends => vec![(ben, ada), (fay, ada), (fay, ben)],
            Acquaintance::Newcomer => vec![(fay, ben)],
        };
        friends.extend(relays.iter().flat_map(|relay| [(relay, ada), (relay, ben)]));
        for (inviter, joiner) in friends {
            let invite = inviter.run(nowhere, &["invite"], Duration::ZERO)?.object()?;
            let invite = invite["invite"].as_str().ok_or("an invite is text")?;
            let words = ["accept", "--yes", "--wait", "20s", invite];
            let accepted = joiner.run(nowhere, &words, Duration::from_secs(20))?.object()?;
            if accepted["state"] != "done" {
                return Err(format!("{} and {} did not become friends", inviter.name, joiner.name).into());
            }
        }
        if options.abilities.stun {
            for friend in ["Ada", "Ben"] {
                // Of versions where it need not be allowed, and of whom Fay does not know.
                let _ = fay.run(nowhere, &["friend", "allow", "reflect", friend], Duration::ZERO)?;
            }
        }
        if let Some(helpers) = options.helpers {
            self.help(nowhere, helpers)?;
        }
        self.down();
        Ok(())
    }

    /// Who helps allows it.
    fn help(&self, nowhere: &Space, helpers: Helpers) -> Result<(), Failure> {
        let what = match helpers {
            Helpers::Relay(_) => "relay",
            Helpers::Meet => "meet",
        };
        for helper in &self.relays {
            for friend in ["Ada", "Ben"] {
                helper.run(nowhere, &["friend", "allow", what, friend], Duration::ZERO)?.object()?;
            }
        }
        if helpers == Helpers::Meet {
            for person in &self.pair {
                let add = ["bridge", "add", "friend", "--friend", RELAYS[0]];
                person.run(nowhere, &add, Duration::ZERO)?.object()?;
            }
        }
        Ok(())
    }

    fn everybody(&self) -> impl Iterator<Item = &Person> {
        self.pair.iter().chain([&self.fay]).chain(&self.relays)
    }

    fn everybody_mut(&mut self) -> impl Iterator<Item = &mut Person> {
        self.pair.iter_mut().chain([&mut self.fay]).chain(&mut self.relays)
    }

    /// Starts the nodes of Ada and Ben anew, and those of who is in public where they are down, where they live.
    pub(crate) fn up(&mut self, ground: &Ground) -> Result<(), Failure> {
        self.pair.iter().for_each(Person::stop);
        self.pair.iter_mut().for_each(Person::down);
        let Self { pair, fay, relays } = self;
        let public = relays.iter_mut().zip(&ground.relays).chain([(fay, &ground.friend)]);
        for (person, host) in public {
            if !person.is_up() {
                person.start(&host.space, &[])?;
                person.ready()?;
            }
        }
        for (person, host) in pair.iter_mut().zip(&ground.hosts) {
            person.start(&host.space, &[])?;
        }
        pair.iter_mut().try_for_each(Person::ready)
    }

    pub(crate) fn down(&mut self) {
        self.everybody().for_each(Person::stop);
        self.everybody_mut().for_each(Person::down);
    }
}

fn network(listens_on_tcp: bool, portmap: bool) -> Vec<String> {
    let tcp = if listens_on_tcp { ", \"tcp://0.0.0.0:443\"" } else { "" };
    let mut lines = vec![format!("listen = [\"udp://0.0.0.0:0\", \"udp://[::]:0\"{tcp}]")];
    if portmap {
        lines.push(PORTMAP.to_owned());
    }
    lines
}

/// Of those in public: on TCP at a port that is let out nearly everywhere.
fn network_in_public() -> Vec<String> {
    vec![
        "listen = [\"udp://0.0.0.0:4040\", \"udp://[::]:4040\", \"tcp://0.0.0.0:443\", \"tcp://[::]:443\"]"
            .to_owned(),
    ]
}

/// A place without a network.
fn nowhere() -> Result<Space, Failure> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    Space::new(NEXT.fetch_add(1, Ordering::Relaxed), "nowhere")
}
