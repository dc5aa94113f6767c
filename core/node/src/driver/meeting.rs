//! Meetings under way: each side asks for the other wherever it may be, until a link is up or the engine gives the session up.
//!
//! Friends of both who forward are asked for circuits at the same time. A link that comes up through one does not end the meeting: it goes on until the link is direct, or its time is over.
//!
//! Who dials also makes the link. Who waits asks and answers only, so that the other side's packets come through, and the link arrives as any other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use wayside_noise::traversal::{Role, Why, guard::is_public};
use wayside_noise::{Kind, Link, Meet, MeetEvent, Meeting, Nat, Remote, Renewal};
use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::engine::{Input, Session as Secrets, SessionId, StepKind};
use wayside_proto::place::{Candidate, CandidateKind, Transport};
use wayside_proto::reach::{Attestation, Filtering, Mapping, NatReport, Reach};

use super::Driver;
use super::actor::Actor;
use super::outputs::expectation;
use super::steps;
use crate::api::types::NodeEvent;
use crate::links::Peer;
use crate::reach::Told;
use crate::relays::meeting::Circuits;

/// All meetings under way, and what is left of those that have come to a link.
#[derive(Debug, Default)]
pub(super) struct Meetings {
    under_way: BTreeMap<SessionId, UnderWay>,
    /// Of links that are up, as long as they are.
    circuits: BTreeMap<SessionId, Circuits>,
    /// Numbers them, so that what is said of an earlier one is not taken for a later one of the same session.
    last: u64,
}

/// Dropping it ends it.
#[derive(Debug)]
struct UnderWay {
    number: u64,
    account: AccountId,
    meet: Arc<Meet>,
    /// Until the link is up, and then they are its own.
    circuits: Option<Circuits>,
    /// The link, where it is up, but relayed.
    link: Option<Link>,
    /// What the peer said last.
    reach: Reach,
    began: Instant,
    /// How many ways were told of.
    ways: u32,
    /// Ends its tasks.
    _end: DropGuard,
}

/// How often whether a peer is where it says is asked of those who may know, and after how long again.
const VERIFY: u32 = 5;
const VERIFY_AGAIN: Duration = Duration::from_secs(2);
/// How long a meeting goes on that has come to a relayed link: as long as guessing at ports takes, and what comes before it. Then it is looked for over the link.
const AFTER_RELAYED: Duration = Duration::from_secs(45);
/// How long a link has to be direct before its meeting ends: a better way may be found, and the other side asks as well.
const DIRECT: Duration = Duration::from_secs(2);
/// Ways of one meeting that a person is told of: enough to see what happened.
const MOST_WAYS: u32 = 4;

impl Driver {
    /// Looks for another way to the peer of a link, as both sides do at about the same time; nothing is found any more where it is dropped. Ports are
    /// guessed at only where the link is relayed: otherwise it does without.
    pub(crate) fn renew(
        &self,
        peer: &Peer,
        number: u64,
        reach: &Reach,
    ) -> Option<(Meet, mpsc::Receiver<MeetEvent>)> {
        let Told { nat, surroundings, .. } = self.reach().told().borrow().clone();
        let is_relayed = peer.link.kind() == Kind::Relayed;
        let renewal = Renewal {
            number,
            candidates: udp(reach),
            theirs: nat_of(&reach.nat),
            surroundings,
            nat,
            may_guess: is_relayed && self.may_guess(&peer.account),
        };
        Some(self.reach().endpoint()?.renew(&peer.link, renewal))
    }

    /// Whether a peer's ports may be guessed at now.
    fn may_guess(&self, account: &AccountId) -> bool {
        let now = self.clock().now_both().mono;
        self.0.guessed.lock().unwrap_or_else(PoisonError::into_inner).allows(now, account)
    }

    /// A peer's ports are being guessed at.
    pub(crate) fn guesses(&self, account: &AccountId) {
        let now = self.clock().now_both().mono;
        self.0.guessed.lock().unwrap_or_else(PoisonError::into_inner).began(now, account);
    }

    /// Something that was seen of a session's way to a link.
    pub(crate) async fn observed(&self, session: SessionId, kind: StepKind, what: String) {
        let observed = move |actor: &mut Actor| {
            let now = actor.now();
            actor.engine().observed(now, &session, kind, what);
        };
        self.happened(observed).await;
    }

    /// Asks those whom the peer named and whom we know ourselves whether it is at an address. Nothing is sent to an address because a peer names it.
    pub(crate) async fn is_attested(&self, reach: &Reach, ip: IpAddr) -> bool {
        let Some(endpoint) = self.reach().endpoint() else { return false };
        for Attestation { by, mac } in &reach.nat.attestations {
            let Some(witness) = self.reach().witness(*by) else { continue };
            if endpoint.attests(&witness, ip, *mac).await {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
impl Driver {
    /// What the peers of all meetings under way said last of how they are reached.
    pub(crate) async fn peers_of_meetings(&self) -> Vec<Reach> {
        let peers = |actor: &Actor| actor.meetings.under_way.values().map(|it| it.reach.clone()).collect();
        self.look_at(peers).await.unwrap_or_default()
    }
}

impl Actor {
    /// Dials a peer, wherever it may be, for so long.
    pub(super) fn dial(
        &mut self,
        session: Secrets,
        reach: Reach,
        latency: Duration,
        patience: Duration,
        relays: Vec<DeviceId>,
    ) {
        let end = CancellationToken::new();
        let (id, driver) = (session.id, self.parts.driver.clone());
        let meet = self.meet(session, Role::Dials, reach, latency, relays, &end);
        self.parts.tasks.spawn(async move {
            match end.run_until_cancelled(meet.link(patience)).await {
                Some(Ok(link)) => driver.arrived(link).await,
                Some(Err(error)) => {
                    let why = error.to_string();
                    let failed = move |actor: &mut Self| {
                        let now = actor.now();
                        actor.engine().handle(now, Input::DialFailed { session: id, why });
                    };
                    driver.happened(failed).await;
                }
                None => {}
            }
        });
    }

    /// Lets a peer in, and opens the way for its packets.
    pub(super) fn expect(
        &mut self,
        session: Secrets,
        reach: Reach,
        latency: Duration,
        relays: Vec<DeviceId>,
    ) {
        self.parts.endpoint.expect(expectation(&session));
        self.meet(session, Role::Waits, reach, latency, relays, &CancellationToken::new());
    }

    fn meet(
        &mut self,
        session: Secrets,
        role: Role,
        reach: Reach,
        latency: Duration,
        relays: Vec<DeviceId>,
        end: &CancellationToken,
    ) -> Arc<Meet> {
        // No two meetings may have the same secrets.
        self.end_meeting(session.id);
        let Told { nat, surroundings, .. } = self.parts.driver.reach().told().borrow().clone();
        let (meet, events) = self.parts.endpoint.meet(Meeting {
            expectation: expectation(&session),
            role,
            candidates: udp(&reach),
            others: tcp(&reach),
            theirs: nat_of(&reach.nat),
            surroundings,
            nat,
            latency,
            may_guess: self.parts.driver.may_guess(&session.account),
        });
        let meet = Arc::new(meet);
        self.meetings.last = self.meetings.last.saturating_add(1);
        let number = self.meetings.last;
        self.parts.tasks.spawn(told(self.parts.driver.clone(), session.id, number, events, end.clone()));
        let (id, account) = (session.id, session.account);
        let under_way = UnderWay {
            number,
            account,
            meet: Arc::clone(&meet),
            circuits: Some(Circuits::begin(&self.parts.driver, session, relays, &meet)),
            link: None,
            reach,
            began: Instant::now(),
            ways: 0,
            _end: end.clone().drop_guard(),
        };
        self.meetings.under_way.insert(id, under_way);
        meet
    }

    /// The peer said anew how it is reached, or which relays both know is known anew.
    pub(super) fn peer_moved(&mut self, session: SessionId, reach: Reach, relays: Vec<DeviceId>) {
        let under_way = self.meetings.under_way.get_mut(&session);
        let own = under_way.as_ref().and_then(|it| it.circuits.as_ref());
        if let Some(circuits) = own.or_else(|| self.meetings.circuits.get(&session)) {
            circuits.relays(relays);
        }
        if let Some(under_way) = under_way.filter(|it| it.reach != reach) {
            under_way.meet.peer(&udp(&reach), nat_of(&reach.nat));
            under_way.reach = reach;
        }
    }

    /// The link is up. Where it is relayed its meeting goes on for a while.
    pub(super) fn meeting_linked(&mut self, session: SessionId, link: Option<&Link>) {
        let Some(link) = link else { return self.end_meeting(session) };
        let Some(under_way) = self.meetings.under_way.get_mut(&session) else { return };
        // Of links whose place another one has taken.
        self.meetings.circuits.retain(|_, circuits| !circuits.are_over());
        if let Some(circuits) = under_way.circuits.take() {
            circuits.linked(link.clone());
            self.meetings.circuits.insert(session, circuits);
        }
        if link.kind() != Kind::Relayed {
            return self.end_meeting(session);
        }
        under_way.meet.begun();
        under_way.link = Some(link.clone());
        let (driver, link, number) = (self.parts.driver.clone(), link.clone(), under_way.number);
        self.parts.driver.spawn(async move {
            // A link that has ended is told of elsewhere.
            let _ = tokio::time::timeout(AFTER_RELAYED, direct(&link)).await;
            let over = move |actor: &mut Self| {
                if actor.meetings.under_way.get(&session).is_some_and(|it| it.number == number) {
                    actor.end_meeting(session);
                }
            };
            driver.happened(over).await;
        });
    }

    /// What is in front of this machine is known better than before.
    pub(super) fn nat_measured(&self, nat: Nat) {
        for under_way in self.meetings.under_way.values() {
            under_way.meet.ours(nat);
        }
        self.door_meetings.ours(nat);
    }

    /// The link is up, or the session was given up.
    pub(super) fn end_meeting(&mut self, session: SessionId) {
        self.meetings.under_way.remove(&session);
    }

    fn met(&mut self, session: SessionId, number: u64, event: MeetEvent) {
        let now = self.now();
        let Some(under_way) = self.meetings.under_way.get_mut(&session).filter(|it| it.number == number)
        else {
            return;
        };
        let account = under_way.account;
        let (kind, what) = match event {
            MeetEvent::Reached(way) => {
                under_way.ways = under_way.ways.saturating_add(1);
                if under_way.ways > MOST_WAYS {
                    return;
                }
                (StepKind::Reached, steps::reached(&way, under_way.began.elapsed()))
            }
            MeetEvent::GuessingBegan => {
                let at = under_way.reach.candidates.iter().map(|it| it.address.ip());
                let at: BTreeSet<_> = at.filter(|ip| ip.is_ipv4() && is_public(*ip)).collect();
                self.parts.driver.guesses(&account);
                (StepKind::Guessing, steps::guessing(&at.into_iter().collect::<Vec<_>>()))
            }
            MeetEvent::Verify(ip) => return self.verify(session, number, ip, VERIFY),
            MeetEvent::Stuck(why) => return self.no_way(session, account, why),
            // Of a later version of the endpoint.
            _ => return,
        };
        self.parts.engine.observed(now, &session, kind, what);
    }

    fn no_way(&mut self, session: SessionId, account: AccountId, why: Why) {
        let under_way = self.meetings.under_way.get(&session);
        let is_linked = under_way.is_some_and(|it| it.link.is_some());
        if let Some(circuits) = under_way.and_then(|it| it.circuits.as_ref()) {
            circuits.stuck();
        }
        let what = steps::no_way(why, self.is_seen_from_outside(), is_linked);
        let now = self.now();
        self.parts.engine.observed(now, &session, StepKind::NoWay, what.clone());
        self.keep_steps(account);
        if is_linked {
            return;
        }
        let friend = self.name_of(&account);
        self.parts.driver.tell(NodeEvent::NoWay { friend, why: what });
    }

    /// Whether anything that peers are told of this machine is on the internet.
    fn is_seen_from_outside(&self) -> bool {
        let told = self.parts.driver.reach().told();
        let told = told.borrow();
        told.reach.candidates.iter().any(|candidate| is_public(candidate.address.ip()))
    }

    /// Asks those whom the peer named and whom we know ourselves whether it is there. Nothing is sent to an address because a peer names it.
    fn verify(&mut self, session: SessionId, number: u64, ip: IpAddr, tries: u32) {
        let under_way = self.meetings.under_way.get(&session).filter(|it| it.number == number);
        let Some(under_way) = under_way else { return };
        let (driver, reach) = (self.parts.driver.clone(), under_way.reach.clone());
        self.parts.tasks.spawn(async move {
            let attested = driver.is_attested(&reach, ip).await;
            if attested || tries <= 1 {
                return driver.happened(move |actor| actor.verified(session, number, ip, attested)).await;
            }
            // The one who would know may be linked with in a moment, or the peer may name another one.
            sleep(VERIFY_AGAIN).await;
            driver.happened(move |actor| actor.verify(session, number, ip, tries - 1)).await;
        });
    }

    fn verified(&mut self, session: SessionId, number: u64, ip: IpAddr, attested: bool) {
        let now = self.now();
        let under_way = self.meetings.under_way.get(&session).filter(|it| it.number == number);
        let Some(under_way) = under_way else { return };
        let (kind, what) = if attested {
            under_way.meet.attested(ip);
            (StepKind::Attested, steps::attested(ip))
        } else {
            (StepKind::NotAttested, steps::not_attested(ip))
        };
        self.parts.engine.observed(now, &session, kind, what);
    }
}

impl Meetings {
    /// A link has taken the place of the one that was up for its session.
    pub(super) fn link_anew(&self, session: SessionId, link: &Link) {
        if let Some(circuits) = self.circuits.get(&session) {
            circuits.linked(link.clone());
        }
    }

    /// A link is gone, and what it had.
    pub(super) fn link_gone(&mut self, session: SessionId) {
        self.circuits.remove(&session);
        self.under_way.remove(&session);
    }
}

/// Waits until a link has been direct for a while, or has ended.
async fn direct(link: &Link) {
    let mut moves = link.events();
    loop {
        let is_direct = link.kind() != Kind::Relayed;
        tokio::select! {
            _ = link.closed() => return,
            () = sleep(DIRECT), if is_direct => return,
            moved = moves.recv() => if let Err(RecvError::Closed) = moved { return },
        }
    }
}

/// Tells the actor what happens in a meeting, until it ends.
async fn told(
    driver: Driver,
    session: SessionId,
    number: u64,
    mut events: mpsc::Receiver<MeetEvent>,
    end: CancellationToken,
) {
    while let Some(Some(event)) = end.run_until_cancelled(events.recv()).await {
        driver.happened(move |actor| actor.met(session, number, event)).await;
    }
}

pub(super) fn udp(reach: &Reach) -> Vec<wayside_noise::Candidate> {
    let udp = reach.candidates.iter().filter(|candidate| candidate.transport == Transport::Udp);
    udp.map(|Candidate { kind, address, .. }| wayside_noise::Candidate {
        kind: kind_of(*kind),
        address: *address,
    })
    .collect()
}

pub(super) fn tcp(reach: &Reach) -> Vec<Remote> {
    let tcp = reach.candidates.iter().filter(|candidate| candidate.transport == Transport::Tcp);
    tcp.map(|candidate| Remote::Tcp(candidate.address)).collect()
}

const fn kind_of(kind: CandidateKind) -> wayside_noise::CandidateKind {
    match kind {
        CandidateKind::Host => wayside_noise::CandidateKind::Host,
        CandidateKind::Mapped => wayside_noise::CandidateKind::Mapped,
        CandidateKind::Reflexive => wayside_noise::CandidateKind::Reflexive,
        CandidateKind::Guessed => wayside_noise::CandidateKind::Guessed,
    }
}

pub(super) fn nat_of(report: &NatReport) -> Nat {
    let filtering = match report.filtering {
        Filtering::Unknown => wayside_noise::Filtering::Unknown,
        Filtering::EndpointIndependent => wayside_noise::Filtering::EndpointIndependent,
        Filtering::AddressDependent => wayside_noise::Filtering::AddressDependent,
        Filtering::AddressAndPortDependent => wayside_noise::Filtering::AddressAndPortDependent,
    };
    Nat { mapping: mapping(report.mapping), filtering, lifetime: None }
}

const fn mapping(mapping: Mapping) -> wayside_noise::Mapping {
    match mapping {
        Mapping::Unknown => wayside_noise::Mapping::Unknown,
        Mapping::None => wayside_noise::Mapping::None,
        Mapping::Independent => wayside_noise::Mapping::Independent,
        Mapping::Sequential { last, step } => wayside_noise::Mapping::Sequential { last, step },
        Mapping::Random => wayside_noise::Mapping::Random,
    }
}
