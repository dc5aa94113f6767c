//! All that is known of how this machine is reached, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;
use wayside_path::traversal::guard::{Surroundings, is_public};
use wayside_path::{Filtering, Mapping, Nat};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::reach::{self, Attestation, NatReport, Reach, Reflector};

use super::choice::Known;
use super::measure::Rounds;
use super::portmap::PortMapping;
use super::responders::{Responder, Responders};
use super::sightings::{Seen, Sightings, Witness, is_plausible};
use super::surroundings::Around;
use crate::home::Listen;

/// What peers are told, and what is known beside it when meeting one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Where we may be reached, and what is in front of us.
    pub(crate) reach: Reach,
    /// Whom newcomers may ask how they are seen.
    pub(crate) reflectors: Vec<Reflector>,
    /// What is in front of us, with what peers need not know.
    pub(crate) nat: Nat,
    /// What is around us.
    pub(crate) surroundings: Surroundings,
}

/// What a friend's word comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing that was not known, or that can be.
    Nothing,
    /// Another address.
    Address,
    /// Another port of the same address, over a link that is kept alive, in the same network: the NAT had forgotten the one before.
    AnotherPort,
}

/// What the last round of questions came to, for whoever wants to know why something is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    /// Who was asked, each address.
    pub(crate) asked: BTreeSet<SocketAddr>,
    /// Those of them that answered.
    pub(crate) answered: BTreeSet<SocketAddr>,
    /// Listed servers whose names the system did not resolve.
    pub(crate) unresolved: Vec<String>,
    /// Whether the NAT leads packets to its own outside address back in.
    pub(crate) hairpin: Option<bool>,
}

/// Where it all comes together. Nothing here asks anybody.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    listen: Listen,
    around: Around,
    sightings: Sightings,
    /// What STUN found out, in this network.
    measured: Option<Nat>,
    /// Who confirms where we are, and since when.
    attested: Vec<(Attestation, Instant)>,
    /// What else came of asking, in this network.
    tried: Tried,
    /// Whether the router lets others in.
    port_mapping: PortMapping,
    /// Public addresses that services show, by bridge.
    shown: BTreeMap<String, IpAddr>,
    pub(super) responders: Responders,
    /// When they were asked.
    pub(super) rounds: Rounds,
}

/// How long somebody's word on where we are counts: it is made for one to two hours.
const ATTESTED: Duration = Duration::from_secs(3600);
/// So many words are remembered.
const MOST_ATTESTED: usize = 16;

impl Knowledge {
    pub(super) fn new(listen: Listen, around: Around) -> Self {
        Self { listen, around, ..Self::default() }
    }

    /// This is what is around us now. Whether this machine's own addresses have changed, and with them all that others have seen.
    pub(super) fn looked(&mut self, around: Around) -> bool {
        let before = std::mem::replace(&mut self.around, around);
        let moved = self.host() != self.host_of(&before);
        if moved {
            self.sightings.moved();
            self.measured = None;
            self.tried = Tried::default();
            self.attested.clear();
            self.rounds.reset();
        }
        moved
    }

    /// A friend says where it answers STUN for us, or that it does not. Whether there is more to ask than before.
    pub(super) fn responder_of(
        &mut self,
        now: Instant,
        who: AccountId,
        responder: Option<Responder>,
    ) -> bool {
        let more = responder.is_some();
        let news = self.responders.of_friend(now, who, responder) && more;
        if news {
            self.rounds.reset();
        }
        news
    }

    /// A welcome named these. Whether that is news.
    pub(super) fn responders_named(&mut self, responders: Vec<Responder>) -> bool {
        let news = self.responders.of_welcome(responders);
        if news {
            self.rounds.reset();
        }
        news
    }

    /// A friend whom we see at `from` says that it sees us at `address`.
    pub(super) fn friend_saw(
        &mut self,
        now: Instant,
        who: AccountId,
        from: SocketAddr,
        address: SocketAddr,
    ) -> News {
        let (from, address) = (canonical(from), canonical(address));
        if !is_plausible(address, from, &self.around) {
            return News::Nothing;
        }
        let who = Witness::Friend(who);
        let before = self.sightings.standing(&who, address.is_ipv4());
        match (before, self.sightings.saw(now, who, from, address, true)) {
            (_, false) => News::Nothing,
            // Towards another address of the friend's it may be another mapping altogether.
            (Some((before, before_from)), true)
                if before.ip() == address.ip() && before_from == from && !self.around.has(address.ip()) =>
            {
                News::AnotherPort
            }
            (_, true) => News::Address,
        }
    }

    /// A server that was asked says so, from outside this network or in it.
    pub(super) fn server_saw(
        &mut self,
        now: Instant,
        who: Witness,
        server: SocketAddr,
        address: SocketAddr,
    ) -> bool {
        let (server, address) = (canonical(server), canonical(address));
        // A friend whose link is up goes on saying it.
        let live = self.sightings.standing(&who, address.is_ipv4()).is_some();
        is_plausible(address, server, &self.around) && self.sightings.saw(now, who, server, address, live)
    }

    /// The friend's link is gone.
    pub(super) fn left(&mut self, now: Instant, who: &AccountId) {
        self.sightings.left(now, who);
    }

    /// Nobody else's word counts any more.
    pub(super) fn keep_only(&mut self, friends: &BTreeSet<AccountId>) {
        self.responders.keep(|who| friends.contains(who));
        self.sightings.keep(|who| friends.contains(who));
    }

    /// What the NAT does, as it was measured.
    pub(super) fn measured(&mut self, nat: Nat) {
        let before = self.measured.unwrap_or_default();
        // A round that was less thorough takes nothing back.
        let filtering = if nat.filtering == Filtering::Unknown { before.filtering } else { nat.filtering };
        let mapping = if nat.mapping == Mapping::Unknown { before.mapping } else { nat.mapping };
        self.measured = Some(Nat { mapping, filtering, lifetime: before.lifetime });
    }

    /// These were asked in one round, and these answered. A round that did not try hairpins takes nothing back.
    pub(super) fn tried(&mut self, round: Tried) {
        let hairpin = round.hairpin.or(self.tried.hairpin);
        self.tried = Tried { hairpin, ..round };
    }

    /// The same, as it is known now.
    pub(super) fn what_was_tried(&self) -> &Tried {
        &self.tried
    }

    /// What is around us.
    pub(super) fn around(&self) -> &Around {
        &self.around
    }

    /// Mappings were measured to live for so long.
    pub(super) fn mappings_live(&mut self, lifetime: Duration) {
        self.measured.get_or_insert_default().lifetime = Some(lifetime);
    }

    /// Somebody confirms to those who know it too where we are.
    pub(super) fn attested(&mut self, now: Instant, attestation: Attestation) {
        self.attested.retain(|(before, at)| {
            before.by != attestation.by && now.saturating_duration_since(*at) < ATTESTED
        });
        if self.attested.len() < MOST_ATTESTED {
            self.attested.push((attestation, now));
        }
    }

    /// How asking the router for a port stands.
    #[cfg(any(feature = "portmap", test))]
    pub(super) fn maps(&mut self, port_mapping: PortMapping) {
        self.port_mapping = port_mapping;
    }

    /// A bridge's service shows that we come from there, or shows nothing any more.
    pub(super) fn service_shows(&mut self, bridge: &str, ip: Option<IpAddr>) {
        match ip.map(|ip| ip.to_canonical()).filter(|ip| is_public(*ip)) {
            Some(ip) => self.shown.insert(bridge.to_owned(), ip),
            None => self.shown.remove(bridge),
        };
    }

    /// Our own sockets' addresses, as this machine's interfaces have them.
    fn host(&self) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        self.host_of(&self.around)
    }

    fn host_of(&self, around: &Around) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        (around.reachable(&self.listen.udp), around.reachable(&self.listen.tcp))
    }

    /// What to tell, and what is around.
    pub(super) fn told(&mut self, now: Instant) -> Told {
        let (udp, tcp) = self.host();
        let (nat, mapped) = (self.nat(), self.mapped());
        let mut reflexive: Vec<SocketAddr> = Vec::new();
        for seen in self.seen(now) {
            // Where each destination gets a port of its own, one address a family says all that the others do.
            let said = reflexive.iter().any(|it| it.ip() == seen.address.ip());
            if nat.mapping.is_predictable() || !said {
                reflexive.push(seen.address);
            }
        }
        let surroundings = Surroundings {
            interfaces: self.around.interfaces.clone(),
            gateways: self.around.gateways.clone(),
            // Not what others claim to see: one could have us take a friend's address for our own.
            ourselves: udp.iter().chain(&tcp).chain(&mapped).copied().collect(),
        };
        let known = Known { guessed: self.guessed(), udp, tcp, mapped, reflexive };
        let report = NatReport {
            mapping: in_words_of_peers(nat.mapping),
            filtering: filtering_in_words_of_peers(nat.filtering),
            attestations: self.attestations(now),
        };
        let reflectors = self.responders.to_pass_on();
        Told { reach: Reach { candidates: known.choose(), nat: report }, reflectors, nat, surroundings }
    }

    /// Who can confirm where we are: those whose word is fresh, the latest first.
    fn attestations(&self, now: Instant) -> Vec<Attestation> {
        let fresh = self.attested.iter().filter(|(_, at)| now.saturating_duration_since(*at) < ATTESTED);
        let mut fresh: Vec<_> = fresh.collect();
        fresh.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        fresh.into_iter().map(|(attestation, _)| *attestation).take(NatReport::MOST_ATTESTATIONS).collect()
    }

    /// What others see, the most certain first; where the last port matters, the latest first.
    pub(super) fn seen(&mut self, now: Instant) -> Vec<Seen> {
        let mut seen = self.sightings.addresses(now);
        if !self.nat().mapping.is_predictable() {
            seen.sort_by_key(|seen| std::cmp::Reverse(seen.at));
        }
        seen
    }

    /// What is in front of us: what was measured, else what friends' words come to.
    pub(super) fn nat(&self) -> Nat {
        let by_friends = || Nat { mapping: self.sightings.mapping(&self.around), ..Nat::default() };
        match self.measured {
            Some(nat) if nat.mapping != Mapping::Unknown => nat,
            Some(nat) => Nat { mapping: by_friends().mapping, ..nat },
            None => by_friends(),
        }
    }

    /// The public addresses that services show, with the ports that we have here: many NATs keep a port where it is free (RFC 4787, section 4.2).
    fn guessed(&self) -> Vec<SocketAddr> {
        let port =
            self.listen.udp.iter().find(|it| it.is_ipv4() && !it.ip().is_loopback()).map(SocketAddr::port);
        let new = self.shown.values().filter(|ip| ip.is_ipv4() && !self.around.has(**ip));
        let mut guessed: Vec<_> = new.filter_map(|ip| Some(SocketAddr::new(*ip, port?))).collect();
        guessed.sort_unstable();
        guessed.dedup();
        guessed
    }

    /// Where newcomers can ask us how we see them: at most one address of each family that anybody reaches, or, where there is only this machine, there.
    pub(super) fn own_responder(&self) -> Vec<SocketAddr> {
        let ((udp, _), mapped) = (self.host(), self.mapped());
        let alone = udp.iter().all(|it| it.ip().is_loopback());
        let public: Vec<_> =
            udp.iter().chain(&mapped).copied().filter(|it| alone || is_public(it.ip())).collect();
        let first = |v4| public.iter().find(|it| it.is_ipv4() == v4).copied();
        [first(true), first(false)].into_iter().flatten().collect()
    }

    /// Where the router lets others in.
    fn mapped(&self) -> Vec<SocketAddr> {
        self.port_mapping.external().into_iter().collect()
    }

    pub(super) fn port_mapping(&self) -> &PortMapping {
        &self.port_mapping
    }
}

fn in_words_of_peers(mapping: Mapping) -> reach::Mapping {
    match mapping {
        Mapping::Unknown => reach::Mapping::Unknown,
        Mapping::None => reach::Mapping::None,
        Mapping::Independent => reach::Mapping::Independent,
        Mapping::Sequential { last, step } => reach::Mapping::Sequential { last, step },
        Mapping::Random => reach::Mapping::Random,
    }
}

fn filtering_in_words_of_peers(filtering: Filtering) -> reach::Filtering {
    match filtering {
        Filtering::Unknown => reach::Filtering::Unknown,
        Filtering::EndpointIndependent => reach::Filtering::EndpointIndependent,
        Filtering::AddressDependent => reach::Filtering::AddressDependent,
        Filtering::AddressAndPortDependent => reach::Filtering::AddressAndPortDependent,
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn account(number: u8) -> AccountId {
        use rand_chacha::rand_core::SeedableRng;
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([number; 32]);
        wayside_proto::crypto::keys::AccountKey::generate(&mut rng).id()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn around(ips: &[&str]) -> Around {
        Around { interfaces: ips.iter().map(|ip| (ip.parse().unwrap(), 24)).collect(), ..Around::default() }
    }

    fn behind_a_nat() -> Knowledge {
        let listen = Listen::parse(&["udp://0.0.0.0:4000".into()]).unwrap();
        Knowledge::new(listen, around(&["127.0.0.1", "192.168.1.7"]))
    }

    fn told(knowledge: &mut Knowledge, now: Instant) -> Vec<String> {
        knowledge.told(now).reach.candidates.iter().map(|it| format!("{it:?}")).collect()
    }

    #[test]
    fn what_friends_see_is_told_and_a_guess_until_then() {
        let (mut knowledge, now) = (behind_a_nat(), Instant::now());
        assert_eq!(told(&mut knowledge, now), ["Host Udp 192.168.1.7:4000"]);
        knowledge.service_shows("web", Some("10.0.0.1".parse().unwrap()));
        assert_eq!(told(&mut knowledge, now).len(), 1, "a private address is none");
        knowledge.service_shows("web", Some("5.5.5.5".parse().unwrap()));
        assert_eq!(told(&mut knowledge, now), ["Host Udp 192.168.1.7:4000", "Guessed Udp 5.5.5.5:4000"]);
        assert_eq!(
            knowledge.friend_saw(now, account(1), at("9.9.9.9:9"), at("[::ffff:5.5.5.5]:61000")),
            News::Address
        );
        assert_eq!(told(&mut knowledge, now), ["Reflexive Udp 5.5.5.5:61000", "Host Udp 192.168.1.7:4000"]);
        let not_ours = knowledge.friend_saw(now, account(2), at("9.9.9.8:9"), at("10.9.9.9:1"));
        assert_eq!(not_ours, News::Nothing);
        let another = knowledge.friend_saw(now, account(1), at("9.9.9.9:9"), at("5.5.5.5:61001"));
        assert_eq!(another, News::AnotherPort, "its mapping had expired");
        knowledge.friend_saw(now, account(1), at("9.9.9.9:9"), at("5.5.5.5:61000"));
        knowledge.service_shows("web", None);
        assert!(knowledge.shown.is_empty());
    }

    #[test]
    fn a_liar_adds_an_address_and_nothing_else() {
        let (mut knowledge, now) = (behind_a_nat(), Instant::now());
        for honest in [1, 2] {
            knowledge.friend_saw(now, account(honest), at(&format!("9.9.9.{honest}:9")), at("5.5.5.5:61000"));
        }
        let before = knowledge.told(now);
        knowledge.friend_saw(now, account(3), at("6.6.6.6:6"), at("8.8.8.8:53"));
        let after = knowledge.told(now);
        assert_eq!(after.nat, before.nat);
        assert_eq!(after.surroundings, before.surroundings);
        assert_eq!(
            told(&mut knowledge, now),
            ["Reflexive Udp 5.5.5.5:61000", "Reflexive Udp 8.8.8.8:53", "Host Udp 192.168.1.7:4000"]
        );
    }

    #[test]
    fn another_network_makes_what_was_measured_void() {
        let (mut knowledge, now) = (behind_a_nat(), Instant::now());
        knowledge.measured(Nat { mapping: Mapping::Random, ..Nat::default() });
        let server = Witness::Server("9.9.9.9".parse().unwrap());
        assert!(knowledge.server_saw(now, server, at("9.9.9.9:3478"), at("5.5.5.5:1")));
        assert_eq!(knowledge.nat().mapping, Mapping::Random);
        assert!(
            !knowledge.looked(around(&["127.0.0.1", "192.168.1.7", "fe80::9"])),
            "nothing that reaches us"
        );
        assert!(knowledge.looked(around(&["127.0.0.1", "10.1.1.1"])));
        assert_eq!(knowledge.nat(), Nat::default());
        assert_eq!(told(&mut knowledge, now), ["Host Udp 10.1.1.1:4000"]);
    }

    #[test]
    fn where_each_destination_gets_its_port_the_latest_is_told() {
        let (mut knowledge, now) = (behind_a_nat(), Instant::now());
        for (number, port) in [(1_u8, 1001), (2, 1002), (3, 1003)] {
            let later = now + Duration::from_secs(number.into());
            let seen = SocketAddr::from(([5, 5, 5, 5], port));
            knowledge.friend_saw(later, account(number), SocketAddr::from(([9, 9, 9, number], 1)), seen);
        }
        assert_eq!(knowledge.nat().mapping, Mapping::Random);
        let later = now + Duration::from_secs(4);
        assert_eq!(told(&mut knowledge, later), ["Reflexive Udp 5.5.5.5:1003", "Host Udp 192.168.1.7:4000"]);
    }

    #[test]
    fn only_who_is_reached_by_anybody_is_a_responder() {
        assert!(behind_a_nat().own_responder().is_empty());
        let mut mapped = behind_a_nat();
        mapped.maps(PortMapping::Mapped { external: at("5.5.5.5:7000"), by: "PCP".into() });
        assert_eq!(mapped.own_responder(), [at("5.5.5.5:7000")]);
        let listen = Listen::parse(&["udp://0.0.0.0:4000".into(), "udp://[::]:4001".into()]).unwrap();
        let public = Knowledge::new(listen, around(&["5.5.5.5", "5.5.5.6", "2a00::1", "192.168.1.1"]));
        assert_eq!(public.own_responder(), [at("5.5.5.5:4000"), at("[2a00::1]:4001")]);
    }
}
