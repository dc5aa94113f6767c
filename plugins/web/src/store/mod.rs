//! Where files of a space are read and written, each way in a file of its own.

mod dav;
mod dir;
mod exec;
mod read;
#[cfg(feature = "s3")]
mod s3;

use async_trait::async_trait;
use bytes::Bytes;
use wayside_bridge::Timestamp;

pub(crate) use self::dav::Dav;
pub(crate) use self::dir::Dir;
pub(crate) use self::exec::Exec;
pub(crate) use self::read::{Heard, Served, get};
#[cfg(feature = "s3")]
pub(crate) use self::s3::{Bucket, S3};
use crate::error::WebError;
use crate::validator::Validator;

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// What was known already.
    Same,
    /// There is no such file.
    Absent,
    /// The file, and what tells it from its next version.
    Fresh(Bytes, Option<Validator>),
}

/// What may be written over.
#[derive(Clone, Debug)]
pub(crate) enum Over {
    /// Whatever is there.
    Anything,
    /// Nothing is there, or else the service refuses where it can.
    Nothing,
    /// The version that was read, where the service can tell.
    This(Validator),
}

/// Files that can be read.
#[async_trait]
pub(crate) trait Files: Send + Sync {
    /// A file of at most `most` bytes, unless it is the version known.
    async fn get(&self, file: &str, known: Option<&Validator>, most: usize) -> Result<Read, WebError>;
}

/// Files that can be written.
#[async_trait]
pub(crate) trait Store: Files {
    /// Puts a file there, whole or not at all. [`WebError::Changed`] where there is something else than may be written over.
    async fn put(&self, file: &str, contents: Bytes, over: Over) -> Result<(), WebError>;

    /// Removes a file; one that is not there is none.
    async fn delete(&self, file: &str) -> Result<(), WebError>;

    /// Whether it would let us write, by one question that changes nothing.
    async fn probe(&self) -> Result<Probed, WebError>;
}

/// What a probe told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) service_time: Option<Timestamp>,
}
