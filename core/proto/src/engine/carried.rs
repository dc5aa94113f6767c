//! Invite files and the replies to them: two become friends with nothing between them but what people carry.

use super::config::{CommandError, InviteOptions};
use super::{ContactId, Engine};
use crate::greeting::Greeting;
use crate::reply::Reply;
use crate::time::Now;

impl Engine {
    /// Makes an invite with our greeting, which goes in a file. Where no bridge can serve, and none is asked for, it names no place, and a reply is the only
    /// answer. It is good once the outputs have been carried out.
    pub fn greet(&mut self, now: Now, options: &InviteOptions) -> Result<Greeting, CommandError> {
        self.begin(now);
        let made = self.make_greeting(options);
        self.finish();
        made
    }

    /// Whether a bridge of ours reaches a place of the file's invite that both write in: then [`Engine::accept_greeting`] does, and nobody need carry a reply.
    pub fn reaches(&self, greeting: &Greeting) -> bool {
        self.meets_at(greeting)
    }

    /// Accepts the invite in a file over a bridge, as [`Engine::accept`] does: nobody but who made the file is believed to answer.
    pub fn accept_greeting(
        &mut self,
        now: Now,
        greeting: &Greeting,
        alias: Option<String>,
    ) -> Result<ContactId, CommandError> {
        self.begin(now);
        let accepted = self.accept_greeted(greeting, alias);
        self.finish();
        accepted
    }

    /// Accepts the invite in a file by a reply ([`Engine::carried`]), with nothing but the file. Its maker is a friend from here on; we are one of the maker's
    /// once it has the reply ([`Engine::complete`]). The same file again is the same reply.
    pub fn carry(
        &mut self,
        now: Now,
        greeting: &Greeting,
        alias: Option<String>,
    ) -> Result<ContactId, CommandError> {
        self.begin(now);
        let carried = self.carry_greeting(greeting, alias);
        self.finish();
        carried
    }

    /// The reply that the maker of a file has to be handed; `None` where it was accepted otherwise.
    pub fn carried(&self, id: &ContactId) -> Option<Reply> {
        self.carried_reply(&id.0)
    }
}
