//! Nodes: an engine, what drives it, and its crashes.

use wayside_proto::engine::*;

use super::*;

impl World {
    pub fn start(&mut self, node: usize) {
        if self.nodes[node].engine.is_some() {
            return;
        }
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        self.nodes[node].started = self.now;
        let now = self.time(node);
        let this = &mut self.nodes[node];
        let identity = Identity {
            account: AccountKey::from_secret(&this.secrets.0),
            device: DeviceKeys::from_secrets(&this.secrets.1, &this.secrets.2),
            name: this.name.clone(),
        };
        let engine = Engine::restore(identity, self.config.clone(), this.store.clone(), seed, now);
        this.engine = Some(engine.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed)));
        this.incarnation += 1;
        this.watches.clear();
        this.shown.clear();
        this.expecting.clear();
        this.awaited.clear();
        this.dialling.clear();
        this.timer = None;
        self.log(node, "starts".into());
        self.drain(node);
        let relays = self.nodes[node].relays.clone();
        self.input(node, Input::Relays(relays));
        let roots = self.nodes[node].roots.clone();
        self.command(node, |engine, now| engine.set_mail_roots(now, roots));
        let address = format!("10.0.0.{}:4{:03}", node + 1, self.nodes[node].incarnation % 1000);
        let candidates = Candidates::new([Candidate {
            kind: CandidateKind::Host,
            transport: Transport::Udp,
            address: address.parse().unwrap(),
        }]);
        let reach = self.nodes[node].reach.clone().unwrap_or_else(|| Reach::of(candidates));
        self.input(node, Input::Reach(reach));
        let reflectors = self.nodes[node].reflectors.clone();
        self.input(node, Input::Reflectors(reflectors));
        for bridge in self.nodes[node].bridges.clone() {
            self.bridge_up(node, bridge);
        }
        for account in self.nodes[node].wants.clone() {
            self.command(node, |engine, now| engine.want(now, &account, None));
        }
        let doors = self.nodes[node].doors.clone();
        self.command(node, |engine, now| engine.set_doors(now, doors));
        for host in self.nodes[node].knocking.clone() {
            self.command(node, |engine, now| engine.knock(now, &host));
        }
        // Whoever accepted and was not told so tries again; so does a person.
        if let Some(invite) = self.nodes[node].accepting.clone() {
            self.command(node, |engine, now| drop(engine.accept(now, &invite, None)));
        }
    }

    /// What a node looks for in the place of a bridge.
    pub fn watched(&self, node: usize, bridge: usize) -> BTreeSet<SlotId> {
        let spaces = self.nodes[node].watches.get(&bridge);
        spaces.into_iter().flat_map(|spaces| spaces.values().flatten().copied()).collect()
    }

    pub fn bridge_up(&mut self, node: usize, bridge: usize) {
        let locator = self.locator(node, bridge);
        let reads_only = self.nodes[node].reads_only.contains(&bridge);
        let this = &self.bridges[bridge];
        let profile = BridgeProfile {
            locators: vec![locator],
            lists: this.kind == Kind::List,
            one_writer: this.kind == Kind::OneWriter,
            overwrites: this.overwrites,
            retracts: this.retracts,
            max_record: if reads_only { 0 } else { 2000 },
            max_keys: this.max_keys,
            latency: Duration::from_millis(this.weather.latency),
            custody: this.mail,
            present: this.present,
        };
        self.input(node, Input::BridgeUp { bridge: Self::bridge_name(bridge), profile });
    }

    pub fn bridge_down(&mut self, node: usize, bridge: usize) {
        self.nodes[node].watches.remove(&bridge);
        self.input(node, Input::BridgeDown { bridge: Self::bridge_name(bridge) });
    }

    pub fn crash_node(&mut self, node: usize, for_ms: Ms) {
        if self.nodes[node].engine.take().is_none() {
            return;
        }
        self.log(node, "crashes".into());
        let links = std::mem::take(&mut self.nodes[node].links);
        for (id, account) in links {
            self.tell_peer_down(node, account, id, self.idle_timeout);
        }
        self.push(for_ms, Ev::Start(node));
    }

    pub fn input(&mut self, node: usize, input: Input) {
        let now = self.time(node);
        if let Input::LinkDown { session } = &input
            && self.nodes[node].links.remove(session).is_none()
        {
            return;
        }
        let Some(engine) = &mut self.nodes[node].engine else { return };
        engine.handle(now, input);
        self.drain(node);
    }

    pub fn command<T>(&mut self, node: usize, command: impl FnOnce(&mut Engine, Now) -> T) -> Option<T> {
        let now = self.time(node);
        let done = command(self.nodes[node].engine.as_mut()?, now);
        self.drain(node);
        Some(done)
    }

    pub fn want(&mut self, node: usize, friend: usize) {
        let account = self.nodes[friend].account;
        self.nodes[node].wants.insert(account);
        self.command(node, |engine, now| engine.want(now, &account, None));
    }

    pub fn unwant(&mut self, node: usize, friend: usize) {
        let account = self.nodes[friend].account;
        self.nodes[node].wants.remove(&account);
        self.command(node, |engine, now| engine.unwant(now, &account));
    }

    pub(super) fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].engine.as_mut().and_then(Engine::poll_output) {
            let crash = self.crashes_left > 0 && self.rng.next_u32() % 1000 < self.crash;
            // Half the time the output at which it crashes has still happened.
            if !crash || self.chance(50) {
                self.carry_out(node, output);
            }
            if crash {
                self.crashes_left -= 1;
                let wait = 1 + self.below(2 * MINUTE);
                return self.crash_node(node, wait);
            }
        }
        let due = self.nodes[node].engine.as_ref().and_then(Engine::poll_timeout);
        let due = due.map(|due| self.nodes[node].started + u64::try_from(due.as_millis()).unwrap() + 1);
        if due != self.nodes[node].timer {
            self.nodes[node].timer = due;
            if let Some(due) = due {
                let incarnation = self.nodes[node].incarnation;
                self.push(due.saturating_sub(self.now), Ev::Timer(node, incarnation));
            }
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        let incarnation = self.nodes[node].incarnation;
        self.log(node, format!("{output:?}").chars().take(150).collect());
        match output {
            Output::Persist(changes) => {
                for Change { key, value } in changes {
                    match value {
                        Some(value) => self.nodes[node].store.insert(key, value),
                        None => self.nodes[node].store.remove(&key),
                    };
                }
            }
            Output::Publish { id, bridge, slot, bytes, custody, .. } => {
                self.nodes[node].published += 1;
                let bridge = index_of(&bridge);
                if self.bridges[bridge].kind == Kind::List && !self.forgetful && !custody {
                    let before = self.slots.insert((node, bridge, slot), bytes.clone());
                    if before.is_some_and(|before| before != bytes) {
                        self.fail("two different records in one slot");
                    }
                }
                let answer = if self.chance(self.bridges[bridge].weather.refused) {
                    Input::PublishFailed { id, why: "try again".into() }
                } else {
                    let receipt = self.insert(bridge, node, slot, bytes, false);
                    Input::Published { id, receipt: (receipt as u64).to_be_bytes().to_vec() }
                };
                let wait = 1 + self.below(300);
                self.push(wait, Ev::Input(node, incarnation, Box::new(answer)));
            }
            Output::Retract { bridge, receipts } => {
                let bridge = index_of(&bridge);
                let ids = receipts.iter().map(|(id, _)| *id).collect();
                let answer = if self.chance(self.bridges[bridge].weather.refused) {
                    Input::RetractFailed { ids }
                } else {
                    for (_, receipt) in receipts {
                        let at = u64::from_be_bytes(receipt.try_into().unwrap()) as usize;
                        let record = &mut self.bridges[bridge].records[at];
                        assert!(
                            !record.forged && record.owner == node,
                            "seed {}: a foreign record",
                            self.seed
                        );
                        record.gone = true;
                    }
                    Input::Retracted { ids }
                };
                let wait = 1 + self.below(300);
                self.push(wait, Ev::Input(node, incarnation, Box::new(answer)));
            }
            Output::Watch { bridge, slots } => {
                let bridge = index_of(&bridge);
                let before = self.nodes[node].watches.insert(bridge, slots).unwrap_or_default();
                // What lies in a slot that is watched anew is shown, also where it was before.
                let watched = &self.nodes[node].watches[&bridge];
                let is_new = |space: &Space, slot: &SlotId| {
                    watched.get(space).is_some_and(|slots| slots.contains(slot))
                        && !before.get(space).is_some_and(|slots| slots.contains(slot))
                };
                let spaces: Vec<Space> = watched.keys().cloned().collect();
                let records = &self.bridges[bridge].records;
                let again: Vec<usize> = (0..records.len())
                    .filter(|at| spaces.iter().any(|space| is_new(space, &records[*at].slot)))
                    .collect();
                for at in again {
                    self.nodes[node].shown.remove(&(bridge, at));
                }
                let wait = 1 + self.below(self.bridges[bridge].weather.latency);
                self.push(wait, Ev::Poll(node, incarnation, bridge));
            }
            Output::Expect { session, reach, relays, .. } => {
                self.check_session(node, &session);
                self.nodes[node].common.push((session.id, relays));
                self.nodes[node].heard.push((session.id, reach));
                self.nodes[node].expecting.insert(session.id, session);
            }
            Output::Dial { session, patience, reach, relays, .. } => {
                assert!(!reach.candidates.is_empty(), "seed {}: a dial without candidates", self.seed);
                self.check_session(node, &session);
                self.nodes[node].heard.push((session.id, reach));
                self.nodes[node].common.push((session.id, relays));
                let deadline = self.now + u64::try_from(patience.as_millis()).unwrap();
                let wait = 50 + self.below(200);
                self.push(wait, Ev::Dial(node, incarnation, session, deadline));
            }
            Output::ExpectGuest { session, reach, .. } => {
                assert!(reach.nat.attestations.is_empty(), "seed {}: a guest names witnesses", self.seed);
                self.nodes[node].opened += 1;
                self.nodes[node].awaited.insert(session.id, session);
            }
            Output::DialHost { session, patience, .. } => {
                let deadline = self.now + u64::try_from(patience.as_millis()).unwrap();
                self.nodes[node].dialling.insert(session.id, session.clone());
                let wait = 50 + self.below(200);
                self.push(wait, Ev::DialHost(node, incarnation, session, deadline));
            }
            Output::MoreCandidates { session, reach, relays, .. } => {
                self.nodes[node].heard.push((session, reach));
                self.nodes[node].common.push((session, relays));
            }
            Output::Reflectors { session, reflectors } => self.nodes[node].named.push((session, reflectors)),
            Output::Forget(id) => {
                self.nodes[node].expecting.remove(&id);
                self.nodes[node].awaited.remove(&id);
                self.nodes[node].dialling.remove(&id);
            }
            Output::CheckLink { session } => {
                let account = self.nodes[node].links.get(&session);
                let peer =
                    account.and_then(|account| self.nodes.iter().find(|peer| peer.account == *account));
                if account.is_some() && peer.is_none_or(|peer| !peer.links.contains_key(&session)) {
                    self.push(1000, Ev::Input(node, incarnation, Box::new(Input::LinkDown { session })));
                }
            }
            Output::CloseLink { session, .. } => {
                if let Some(account) = self.nodes[node].links.remove(&session) {
                    self.tell_peer_down(node, account, session, 50);
                }
            }
            Output::Close { account, .. } => {
                let links: Vec<_> = self.nodes[node]
                    .links
                    .iter()
                    .filter(|(_, of)| **of == account)
                    .map(|(id, _)| *id)
                    .collect();
                for id in links {
                    self.nodes[node].links.remove(&id);
                    self.tell_peer_down(node, account, id, 50);
                }
            }
            Output::Mail { account, blob } => self.nodes[node].mail.push((incarnation, account, blob)),
            Output::Event(event) => {
                let now = self.now;
                self.nodes[node].events.push((now, event));
            }
        }
    }
}
