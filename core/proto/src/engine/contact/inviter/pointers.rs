//! Pointers of ours: made, renewed, withdrawn. Who knocked is in [`requests`](super::super::requests).

use std::time::Duration;

use super::super::super::card::next_seq;
use super::super::super::config::CommandError;
use super::super::super::pointers::PointerOptions;
use super::super::opening::{Kind, Opening, OwnPointer};
use super::Engine;
use crate::crypto::Secret;
use crate::crypto::keys::NoiseKey;
use crate::pointer::{Claims, Pointer, PointerName};

/// The most pointers that hold at once. Each is looked for in 24 slots a place, all the time.
const MOST_POINTERS: usize = 16;

/// A shorter one ends before anybody has read it.
const LEAST: Duration = Duration::from_secs(60);

impl Engine {
    pub(in crate::engine) fn make_or_renew_pointer(
        &mut self,
        options: &PointerOptions,
    ) -> Result<Pointer, CommandError> {
        if options.bridges.len() > Pointer::MOST_POINTS {
            return Err(CommandError::Option("a card names at most three places"));
        }
        let known = self.open_pointer(&options.name);
        if known.is_none() && self.open_pointers().count() >= MOST_POINTERS {
            return Err(CommandError::TooMany("cards"));
        }
        let mut points = Vec::new();
        for point in self.points_of(&options.bridges, false)?.0 {
            if !points.contains(&point) {
                points.push(point);
            }
        }
        let time = self.time_now();
        let of_name = self.openings.values().filter_map(Opening::pointer).map(|own| &own.pointer);
        let last = of_name.filter(|pointer| *pointer.name() == options.name).map(Pointer::seq).max();
        let key = known.as_ref().map(|known| known.key.clone());
        let key = key.unwrap_or_else(|| Secret::random(&mut self.rng));
        let public = known.as_ref().and_then(Opening::pointer).map(|own| own.pointer.claims().public);
        let claims = Claims {
            name: options.name.clone(),
            seq: next_seq(last, time),
            expires: time.after(options.lifetime.clamp(LEAST, Pointer::LONGEST)),
            key: NoiseKey::from_secret(key.clone()).public(),
            public: public.unwrap_or_else(|| *Secret::random(&mut self.rng).expose()),
            points,
        };
        let pointer = Pointer::sign(&self.identity.account, claims)
            .ok_or(CommandError::Option("a card names one to three places"))?;
        let opening = match known {
            Some(mut known) => {
                if let Some(own) = known.pointer_mut() {
                    own.renew(pointer.clone());
                }
                known
            }
            None => {
                let own = OwnPointer {
                    pointer: pointer.clone(),
                    before: Vec::new(),
                    withdrawn: None,
                    refused: Vec::new(),
                    heard: Vec::new(),
                };
                Opening { key, bound: Vec::new(), kind: Kind::Pointer(own) }
            }
        };
        self.open_up(opening)?;
        Ok(pointer)
    }

    pub(in crate::engine) fn open_pointers(&self) -> impl Iterator<Item = &Pointer> {
        let time = self.time_now();
        let open = self.openings.values().filter(move |opening| !opening.ended(time));
        open.filter_map(|opening| Some(&opening.pointer()?.pointer))
    }

    fn open_pointer(&self, name: &PointerName) -> Option<Opening> {
        let time = self.time_now();
        let is_it = |opening: &&Opening| opening.pointer().is_some_and(|own| own.pointer.name() == name);
        self.openings.values().filter(is_it).find(|opening| !opening.ended(time)).cloned()
    }

    pub(in crate::engine) fn end_pointer(&mut self, name: &PointerName) -> Result<(), CommandError> {
        let mut opening = self.open_pointer(name).ok_or(CommandError::Unknown("card"))?;
        let (id, time) = (opening.id(), self.time_now());
        if let Some(own) = opening.pointer_mut() {
            own.withdrawn = Some(time);
        }
        self.openings.insert(id, opening);
        self.keep_opening(&id);
        self.drop_requests(|request| request.opening == id);
        self.rewatch_opening(&id);
        Ok(())
    }
}
