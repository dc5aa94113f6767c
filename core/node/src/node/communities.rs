//! Communities and what comes of them, for an application.

use super::Node;
use crate::api::types::{ApiError, AskToMeet, ChangeCommunity, CommunityView, EncounterView};

impl Node {
    /// The communities, by bridge: rooms with a bot that introduces members to one another.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn communities(&self) -> Result<Vec<CommunityView>, ApiError> {
        self.requests.communities().await
    }

    /// Changes who the bot of a bridge's room is, or whether we are on its list.
    ///
    /// # Errors
    /// There is no such bridge, nobody talks there, no bot is known, or the disk refuses.
    pub async fn change_community(
        &self,
        bridge: &str,
        change: ChangeCommunity,
    ) -> Result<CommunityView, ApiError> {
        self.requests.change_community(bridge, change).await
    }

    /// Asks a community's bot to introduce us to one of its members. On disk when this returns; the rest goes on by itself. Who asks for us is told by
    /// [`requests`](Self::requests).
    ///
    /// # Errors
    /// There is no such community or several, we are not on its list, it was asked already.
    pub async fn ask_to_meet(&self, whom: AskToMeet) -> Result<EncounterView, ApiError> {
        self.requests.ask_to_meet(whom).await
    }

    /// Those whom we asked bots to meet, the latest first.
    ///
    /// # Errors
    /// The node is ending.
    pub async fn encounters(&self) -> Result<Vec<EncounterView>, ApiError> {
        self.requests.encounters().await
    }
}
