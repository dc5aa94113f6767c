//! Pointers and what comes of them, for an application.

use super::Node;
use crate::api::types::{
    ApiError, Comparison, FetchPointer, FoundPointer, PlacePointers, PointerView, PublishPointer,
    WithdrawnPointer,
};

impl Node {
    /// Makes a pointer, a card under a public name by which anybody may knock, or one that takes the place of what there is under that name; and publishes
    /// it. The node renews what lies at a place until it is withdrawn. Who knocks is told by [`requests`](Self::requests).
    ///
    /// # Errors
    /// The name is none, a bridge does not work or carries no public names, the place does not take it.
    pub async fn publish_pointer(&self, pointer: PublishPointer) -> Result<PointerView, ApiError> {
        self.requests.publish_pointer(pointer).await
    }

    /// Our pointers, by name.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn pointers(&self) -> Result<Vec<PointerView>, ApiError> {
        self.requests.pointers().await
    }

    /// Withdraws a pointer: what lies at a place is taken back, and nobody is let in by it any more, wherever it is kept.
    ///
    /// # Errors
    /// There is no such pointer, or the disk refuses.
    pub async fn withdraw_pointer(&self, name: &str) -> Result<WithdrawnPointer, ApiError> {
        self.requests.withdraw_pointer(name).await
    }

    /// Fetches somebody's pointer and does nothing with it; [`accept_invite`](Self::accept_invite) knocks by its card. A service that is none of our bridges
    /// is contacted only where `contact` says so.
    ///
    /// # Errors
    /// The source makes no sense or does not answer, nothing that holds lies there, or several accounts left something.
    pub async fn fetch_pointer(&self, what: FetchPointer) -> Result<FoundPointer, ApiError> {
        self.requests.fetch_pointer(what).await
    }

    /// What lies at a bridge of ours under public names.
    ///
    /// # Errors
    /// There is no such bridge, it does not work, or its place cannot be listed.
    pub async fn pointers_at(&self, bridge: &str) -> Result<PlacePointers, ApiError> {
        self.requests.pointers_at(bridge).await
    }

    /// What is to be compared with a friend, by another way, to know that nobody sits in between; [`change_friend`](Self::change_friend) stores what came of it.
    ///
    /// # Errors
    /// There is no such friend.
    pub async fn comparison(&self, friend: &str) -> Result<Comparison, ApiError> {
        self.requests.comparison(friend.to_owned()).await
    }
}
