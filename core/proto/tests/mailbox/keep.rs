//! How a host and a courier are driven, the reference for the node: what is done with deposits and with what owners ask, and what is carried on.

use wayside_proto::mailbox::custody;
use wayside_proto::mailbox::wire::{Answer, Ask, Carry, Put, Told};

use super::mutants::Mutant;
use super::node::*;

/// How many queues an owner may have here.
const QUEUES: usize = 64;
const MOST: usize = 64;

impl Node {
    /// Something came through a door.
    pub fn deposit(
        &mut self,
        around: &mut Around<'_>,
        from: usize,
        door: Guest,
        id: u64,
        put: &Put,
    ) -> Result<(), Crash> {
        let Some(owner) = self.doors.get(&door).copied() else { return Ok(()) };
        if let Some(answer) = self.lie_of_a_deposit(around) {
            around.out.push((from, Msg::Answer(id, answer)));
            return Ok(());
        }
        if around.is(Mutant::AnswersEarly) {
            around.out.push((from, Msg::Answer(id, Answer::Stored)));
        }
        let answer = if around.is(Mutant::HostForgets) {
            Answer::Stored
        } else if owner == self.account {
            self.own_door(around, &door, put)?
        } else {
            let (age, limits) = (self.age(around), self.bounds(around));
            around.may_crash()?;
            let answer = custody::deposit(&mut self.custody, age, &limits, &owner, put).unwrap();
            around.may_crash()?;
            answer
        };
        if answer == Answer::Stored {
            self.hoard(owner, put);
        }
        around.out.push((from, Msg::Answer(id, answer)));
        Ok(())
    }

    /// Our own door, where our card names us: what comes through it is taken in at once.
    fn own_door(&mut self, around: &mut Around<'_>, door: &Guest, put: &Put) -> Result<Answer, Crash> {
        let queue = self.queues(door).into_iter().find(|(_, queue)| queue.id == put.queue);
        let Some((friend, queue)) = queue else { return Ok(Answer::Denied) };
        if custody::mac(&queue.key, &put.queue, &put.hash, put.lifetime) != put.mac {
            return Ok(Answer::Denied);
        }
        Ok(match self.came(around, &friend, &put.blob)? {
            Came::Taken | Came::Useless => Answer::Stored,
            Came::Full => Answer::Full(600),
        })
    }

    fn bounds(&self, around: &Around<'_>) -> custody::Limits {
        let limits = self.limits;
        if around.is(Mutant::NoQuota) {
            return custody::Limits {
                total: 1 << 40,
                friend: 1 << 40,
                queue: 1 << 40,
                queue_items: 1 << 40,
                ..limits
            };
        }
        // Of what so many share each has nothing for itself, and all of it is whoever's comes first.
        custody::Limits {
            friends: if around.is(Mutant::NoShares) { u32::MAX } else { limits.friends },
            ..limits
        }
    }

    pub fn take_to_carry(
        &mut self,
        around: &mut Around<'_>,
        from: usize,
        id: u64,
        carry: &Carry,
    ) -> Result<(), Crash> {
        let Some(by) = self.friend_at(from) else { return Ok(()) };
        let (age, limits) = (self.age(around), self.bounds(around));
        around.may_crash()?;
        let answer = custody::take_to_carry(&mut self.custody, age, &limits, &by, carry).unwrap();
        around.may_crash()?;
        around.out.push((from, Msg::Answer(id, answer)));
        Ok(())
    }

    /// Somebody with a mailbox here asks.
    pub fn asked(&mut self, around: &mut Around<'_>, from: usize, id: u64, ask: Ask) -> Result<(), Crash> {
        let Some(owner) = self.friend_at(from) else { return Ok(()) };
        let device = self.friends[&owner].device;
        let told = match ask {
            Ask::Register(queues, devices) => {
                around.may_crash()?;
                custody::register(&mut self.custody, &owner, &queues, &devices, QUEUES).unwrap();
                around.may_crash()?;
                Told::Done
            }
            Ask::List(after, most) => {
                self.run().listening.insert(from, (id, after, most));
                return Ok(());
            }
            Ask::Get(arrivals) => {
                for arrival in arrivals {
                    let blob = custody::get(&self.custody, &owner, arrival).unwrap();
                    let blob = self.lie_of_a_blob(around, arrival, blob);
                    around.out.push((from, Msg::Told(id, Told::Blob(arrival, blob))));
                }
                return Ok(());
            }
            Ask::Acknowledge(arrivals) => {
                let age = self.age(around);
                around.may_crash()?;
                custody::acknowledge(&mut self.custody, age, &owner, &device, &arrivals).unwrap();
                around.may_crash()?;
                Told::Done
            }
            Ask::Ring(_) => Told::Done,
        };
        around.out.push((from, Msg::Told(id, told)));
        Ok(())
    }

    /// Tells owners who listen what lies here, wants those for whom something does, and carries on what is to be carried.
    pub fn keep(&mut self, around: &mut Around<'_>) -> Result<(), Crash> {
        if custody::total(&self.custody).unwrap() == 0 && self.lies.is_none() {
            return Ok(());
        }
        for (owner, _) in custody::held(&self.custody).unwrap() {
            let Some(friend) = self.friends.get(&owner) else { continue };
            let node = friend.node;
            if !self.linked(node) {
                self.run().wants.insert(node);
            }
        }
        for (node, (id, after, most)) in self.run().listening.clone() {
            let Some(owner) = self.friend_at(node) else { continue };
            let device = self.friends[&owner].device;
            let most = usize::from(most).min(MOST);
            let mut list = custody::list(&self.custody, &owner, &device, after, most).unwrap();
            let more = list.len() == most;
            self.lie_of_a_list(around, &owner, after, &mut list);
            if !list.is_empty() {
                self.run().listening.remove(&node);
                around.out.push((node, Msg::Told(id, Told::Listed(list, more))));
            }
        }
        for (number, Carry { host, put }) in custody::carried(&self.custody, 0, MOST).unwrap() {
            let Some(node) = around.roads.get(&host.guest).copied() else { continue };
            if self.resting(&format!("carried {number}"), around.now) {
                continue;
            }
            if self.linked(node) {
                self.ask(around, node, Job::Carried(number), 30, |id| Msg::Put(host.guest, id, put));
            } else {
                self.run().wants.insert(node);
            }
        }
        Ok(())
    }
}
