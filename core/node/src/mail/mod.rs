//! Mail: what is sent, sealed, left with hosts, fetched and taken in; the ends of it. What this machine keeps for others is in `mailbox`.

use wayside_proto::crypto::keys::AccountId;

use crate::driver::Driver;
use crate::store::StoreError;

/// What became of a blob that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// It is on disk here, or was before: whoever kept it need not any longer.
    Taken,
    /// It cannot be read, now or ever: whoever kept it need not any longer.
    Useless,
    /// There is no room: it is to come again.
    Full,
}

/// Blobs that came for us from a friend, by whatever way, in this order: opened, and on disk when this returns.
pub(crate) async fn came(
    driver: &Driver,
    from: AccountId,
    blobs: Vec<Vec<u8>>,
) -> Result<Vec<Came>, StoreError> {
    let _ = (driver, from, blobs);
    unimplemented!()
}
