//! Invites of ours that are open: listed, withdrawn.

use data_encoding::HEXLOWER;

use super::Requests;
use crate::api::types::{ApiError, ErrorCode, OpenInvite};
use crate::api::words;
use crate::times;

/// How much of an invite's key names it, in bytes.
const ID: usize = 8;

impl Requests {
    /// Invites that are not over, the one that ends next first.
    pub(crate) async fn open_invites(&self) -> Result<Vec<OpenInvite>, ApiError> {
        let mut open: Vec<_> = self.driver.look(|engine, _| engine.invites().collect()).await?;
        open.sort_by_key(|open: &wayside_proto::engine::InviteState| (open.invite.expires, open.invite.key));
        let mut views = Vec::new();
        for open in open {
            let mut used_by = Vec::new();
            for account in &open.used_by {
                used_by.push(self.driver.name_of(account).await);
            }
            views.push(OpenInvite {
                id: id_of(&open.invite.key),
                invite: open.invite.to_string(),
                places: open.invite.points.iter().map(ToString::to_string).collect(),
                uses: open.invite.uses,
                used_by,
                expires: times::time(open.invite.expires),
            });
        }
        Ok(views)
    }

    /// Ends an invite, by its id or the invite itself: whoever comes with it is told that it has expired.
    pub(crate) async fn withdraw_invite(&self, which: &str) -> Result<(), ApiError> {
        let which = which.to_owned();
        let is_meant = move |open: &wayside_proto::engine::InviteState| {
            id_of(&open.invite.key) == which || open.invite.to_string() == which
        };
        let found = self.driver.look(move |engine, _| engine.invites().find(is_meant)).await?;
        let key = found.map(|open| open.invite.key).ok_or_else(|| {
            let sentence = "no such invite is open: `wayside invites` lists those that are";
            ApiError::new(ErrorCode::NotFound, sentence)
        })?;
        let withdrawn = self.driver.change(move |engine, now| engine.withdraw(now, &key)).await?;
        withdrawn.map_err(|error| words::command(&error, &self.registry))
    }
}

fn id_of(key: &[u8; 32]) -> String {
    HEXLOWER.encode(key.split_at(ID).0)
}
