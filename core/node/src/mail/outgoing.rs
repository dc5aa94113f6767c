//! What is accepted to be sent: sealed in the transaction that keeps it. Files that are attached are read once, hashed, and cut into parts.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use wayside_bridge::Entropy;
use wayside_proto::crypto::sha256;
use wayside_proto::mailbox::item::{CHUNK, FileRef, MOST_FILES};
use wayside_proto::mailbox::outbox::{self, Accepted, Bounds, Outgoing};

use crate::api::types::{ApiError, ErrorCode, SendFile};
use crate::clock::SystemEntropy;
use crate::driver::Driver;
use crate::store::StoreError;

/// Bytes that may wait for one recipient, and for all together, sealed: what a home should hold of what nobody fetches.
const MOST_BYTES: (u64, u64) = (256 << 20, 1 << 30);

/// Accepts a message, once by its id: it is on disk when this returns, sealed.
pub(crate) async fn accept(driver: &Driver, message: Outgoing) -> Result<Accepted, StoreError> {
    let (mail, wall) = (driver.mail().clone(), message.sent);
    let bounds =
        Bounds { messages: u64::from(driver.limits().queue), bytes: MOST_BYTES.0, total: MOST_BYTES.1 };
    let accepted = driver.store().run(move |store| {
        store.mail(|change| {
            let now = change.age(wall)?;
            let mut seals = mail.seals(&message.to, now, wall);
            match outbox::accept(&mut change.tables, now, message, &bounds, &mut seals)? {
                Accepted::Full => Err(StoreError::Limit("too much waits for this friend already, or in all")),
                accepted => Ok(accepted),
            }
        })
    });
    accepted.await
}

/// A file and its parts.
pub(crate) type Attached = (FileRef, Vec<Vec<u8>>);

/// Reads what is to be attached: each file at most `most` bytes, and all of them together. Waits for the disk.
pub(crate) fn read_files(files: &[SendFile], most: u64) -> Result<Vec<Attached>, ApiError> {
    if files.len() > MOST_FILES {
        return Err(usage(format!("a message has at most {MOST_FILES} files: send it in parts")));
    }
    let mut left = most;
    let mut attached = Vec::new();
    for SendFile { name, path } in files {
        if !is_name(name) {
            return Err(usage(format!(
                "`{}` cannot name a file: use 1 to 255 bytes, and no path",
                name.escape_debug()
            )));
        }
        let bytes =
            read(Path::new(path), left).map_err(|error| usage(format!("{path} cannot be read: {error}")))?;
        let Some(bytes) = bytes else {
            return Err(usage(format!("{path} is too large: {} are sent at most", in_bytes(most))));
        };
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        left = left.saturating_sub(size);
        let mut id = [0; 16];
        SystemEntropy.fill(&mut id);
        let file = FileRef { id, name: name.clone(), size, hash: sha256(&[&bytes]) };
        attached.push((file, bytes.chunks(CHUNK).map(<[u8]>::to_vec).collect()));
    }
    Ok(attached)
}

/// All of a file; `None` where it is longer than that.
fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= most);
    Ok(fits.then_some(bytes))
}

fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'))
}

fn in_bytes(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}

fn usage(why: String) -> ApiError {
    ApiError::new(ErrorCode::Usage, why)
}
