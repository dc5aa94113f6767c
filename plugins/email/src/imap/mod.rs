//! Reading mail: connections that block, on threads of their own.

mod connection;
mod hands;
mod idler;
mod login;
mod stream;
mod sync;
mod uids;

pub(crate) use connection::{Account, Connection, Mark, News};
pub(crate) use hands::Hands;
pub(crate) use idler::{Idler, Signal};
pub(crate) use stream::Cutter;
pub(crate) use sync::{Mailbox, records};
