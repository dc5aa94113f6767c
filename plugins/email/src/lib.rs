//! A bridge over electronic mail: between two addresses, or on a mailing list.
//!
//! # The model
//!
//! A record is one mail that people understand, with a *note* in it: once as text between two lines, once as a part of its own, so that what lists do to mails does not
//! matter. What both can find is one place: two addresses in order (`email:a@one.test,b@two.test`), or a list (`email:list@lists.test`). Each side looks in its own mailbox, by a search
//! for a word in subjects; own records are known without a mail. A record's position is its mail's UID, so a cursor outlives a restart, and `UIDVALIDITY` ends it.
//!
//! What is over is deleted by each side in its own mailbox. Between two addresses a note can take back messages in custody: it shows a token whose digest is the record's id.
//!
//! Sending is on a task, with a connection that lingers for the next mail; reading blocks, on two threads at most (one for questions, one that waits with `IDLE`), which
//! end when the bridge is dropped, since their sockets are shut. A list is a [`Room`](wayside_bridge::Room) too, on a thread of its own while somebody listens.
//!
//! # What it does not trust
//!
//! Servers (bounded in time and bytes), mails (320 KiB, 64 parts), senders (anybody writes in anybody's name: records are sealed, and a room makes sure before anybody is heard).
//!
//! # Servers
//!
//! They are named by options. Whoever sets a bridge up may have [`mail_servers`] look up what an address's domain says of its own (RFC 6186), and a person confirm it; nothing
//! here does so by itself.
//!
//! # Not here
//!
//! Directories of providers, spam filters, OAuth's dance in a browser.

mod address;
mod armour;
mod bridge;
mod capability;
mod compose;
mod error;
mod imap;
mod index;
mod kind;
mod ledger;
mod lookup;
mod note;
mod pace;
mod parse;
mod pin;
mod receipt;
mod refusal;
mod room;
mod secret;
mod server;
mod smtp;
mod tls;

pub use bridge::EmailBridge;
pub use kind::EmailKind;
pub use lookup::{LookupError, MailServers, mail_servers};
pub use pace::Pace;

/// The name of this kind.
const KIND: &str = "email";
