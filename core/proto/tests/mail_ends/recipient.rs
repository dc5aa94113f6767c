//! A recipient's turn.

use wayside_proto::crypto::keys::{AccountId, DeviceId};
use wayside_proto::mailbox::Table;
use wayside_proto::mailbox::inbox::{self, Arrival, Limits};
use wayside_proto::mailbox::item::{Content, MessageId, Ordered, Receipt};
use wayside_proto::mailbox::tables::Memory;

use crate::world::{HOUR, Parcel, World, left};

pub const LIMITS: Limits = Limits { held: 8, bytes: 4_000 };
const SENDER: AccountId = AccountId([9; 32]);
const DEVICE: DeviceId = DeviceId([9; 16]);

/// A recipient, with what it shows in one transaction with its tables.
#[derive(Clone, Default)]
pub struct Recipient {
    tables: Memory,
    pub shown: Vec<(u64, MessageId)>,
    /// Parts of files whose message is not there yet.
    parts: Vec<(MessageId, u64, Vec<u8>)>,
}

impl Recipient {
    pub fn left(&self, table: Table) -> usize {
        left(&self.tables, table)
    }

    fn take(&mut self, parcel: Parcel) -> Option<Arrival> {
        let arrival = match parcel {
            Parcel::Item(item) => inbox::take(&mut self.tables, &SENDER, &DEVICE, item, &LIMITS).unwrap(),
            Parcel::News(news) => {
                Arrival::Taken(inbox::news(&mut self.tables, &SENDER, &DEVICE, &news).unwrap()?)
            }
        };
        if let Arrival::Taken(items) = &arrival {
            items.iter().for_each(|item| self.show(item));
        }
        Some(arrival)
    }

    fn show(&mut self, item: &Ordered) {
        match &item.content {
            Content::Chunk(file, from, bytes) => self.parts.push((*file, *from, bytes.clone())),
            Content::Message(id, _, files) => {
                let parts = std::mem::take(&mut self.parts);
                for file in files {
                    let mut next = 0;
                    for (_, from, bytes) in parts.iter().filter(|(of, ..)| *of == file.id) {
                        assert_eq!(*from, next, "a part is missing or comes twice");
                        next += bytes.len() as u64;
                    }
                    assert_eq!(next, file.size, "a message without all of its file");
                }
                self.shown.push((item.seq, *id));
            }
        }
    }
}

impl World<'_> {
    pub fn recipient_turn(&mut self, route: usize) {
        for host in 0..self.routes[route].hosts.len() {
            for _ in 0..10 {
                let kept = &self.routes[route].hosts[host];
                if kept.kept.is_empty() || !kept.up || kept.gone {
                    break;
                }
                // In any order, any number of times.
                let which = self.below(self.routes[route].hosts[host].kept.len() as u64) as usize;
                let parcel = self.routes[route].hosts[host].kept[which].1.clone();
                let arrival = self.attempt_at(route, parcel);
                let full = matches!(arrival, Some(Some(Arrival::Full)) | None);
                if !full && !self.character.hoarding && self.percent(70) {
                    self.routes[route].hosts[host].kept.swap_remove(which);
                }
            }
        }
        let now = self.now;
        let link = std::mem::take(&mut self.routes[route].link);
        let (there, later) = link.into_iter().partition(|(when, _)| *when <= now);
        self.routes[route].link = later;
        let there: Vec<(u64, Parcel)> = there;
        for (_, parcel) in there {
            self.attempt_at(route, parcel);
        }
        self.answer(route);
    }

    /// One transaction: all of it, none of it, or all of it and nobody learns of it.
    fn attempt_at(&mut self, route: usize, parcel: Parcel) -> Option<Option<Arrival>> {
        let fate = self.below(100);
        let recipient = &mut self.routes[route].recipient;
        if fate < 4 {
            recipient.clone().take(parcel);
            return None;
        }
        let arrival = recipient.take(parcel);
        (fate < 96).then_some(arrival)
    }

    fn answer(&mut self, route: usize) {
        if self.character.lying && route == 1 {
            let upto = [0, self.now * 1_000, u64::MAX, (self.now - 9 * HOUR) * 1_000][self.below(4) as usize];
            let beyond = (0..self.below(100)).map(|n| self.now * 1_000 + n).collect();
            self.routes[route].receipts.push((self.now, Receipt { device: DEVICE, upto, beyond }));
        }
        let tables = &self.routes[route].recipient.tables;
        if !inbox::owed(tables, 9).unwrap().contains(&SENDER) {
            return;
        }
        for receipt in inbox::receipts(tables, &SENDER).unwrap() {
            if self.percent(20) {
                continue;
            }
            let there = self.now + self.below(HOUR);
            self.routes[route].receipts.push((there, receipt.clone()));
            if self.percent(90) {
                inbox::told(&mut self.routes[route].recipient.tables, &SENDER, &receipt).unwrap();
            }
        }
    }
}
