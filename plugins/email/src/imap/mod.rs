//! Reading mail: connections that block, on threads of their own.

mod connection;
mod hands;
mod idler;
mod stream;
mod sync;

pub(crate) use connection::{Account, Mark};
pub(crate) use hands::Hands;
pub(crate) use idler::{Idler, Signal};
pub(crate) use sync::{Mailbox, records};
