//! What others ask of us, of whichever kind: listed together, and each answered by its name.

use wayside_proto::engine::KnockId;
use wayside_proto::identity::Roster;
use wayside_proto::introduction::RequestId;

use super::Requests;
use crate::api::types::{AcceptRequest, ApiError, ErrorCode, RequestView};
use crate::community::AskedId;

/// The shortest beginning of a request's name that is taken for it, in digits: as short as can be told apart from a slip.
const LEAST_DIGITS: usize = 4;

/// What is asked, by its kind.
#[derive(Clone, Debug)]
enum Asked {
    Introduction(RequestId),
    Knock(KnockId),
    Community(String, AskedId),
}

impl Requests {
    /// What is asked of us, the earliest first.
    pub(crate) async fn requests(&self) -> Result<Vec<RequestView>, ApiError> {
        let mut views = self.asked().await?;
        views.extend(self.knocks().await?);
        views.extend(self.asked_by_bots().await?);
        views.sort_by(|one, other| (one.received, &one.id).cmp(&(other.received, &other.id)));
        Ok(views)
    }

    /// Accepts what is asked: on disk when this returns, and everything else goes on by itself.
    pub(crate) async fn accept_request(
        &self,
        id: &str,
        request: AcceptRequest,
    ) -> Result<RequestView, ApiError> {
        if request.name.as_deref().is_some_and(|name| !Roster::is_name(name)) {
            return Err(ApiError::new(ErrorCode::Usage, crate::home::HomeError::Name.to_string()));
        }
        match self.request_of(id).await? {
            Asked::Introduction(id) => self.accept_introduction(&id, request.name).await,
            Asked::Knock(id) => self.accept_knock(id, request.name).await,
            Asked::Community(bridge, id) => self.accept_asked(&bridge, id, request.name).await,
        }
    }

    /// Refuses it. Nobody is told but a bot that asked.
    pub(crate) async fn refuse_request(&self, id: &str) -> Result<RequestView, ApiError> {
        match self.request_of(id).await? {
            Asked::Introduction(id) => self.refuse_introduction(&id).await,
            Asked::Knock(id) => self.refuse_knock(id).await,
            Asked::Community(bridge, id) => self.refuse_asked(&bridge, id).await,
        }
    }

    /// The request whose name this is, or begins so.
    async fn request_of(&self, text: &str) -> Result<Asked, ApiError> {
        let text = text.to_lowercase();
        if text.len() < LEAST_DIGITS {
            return Err(ApiError::new(ErrorCode::Usage, "give four digits of the request's id at least"));
        }
        let knocks = self.driver.look(|engine, _| engine.waiting_knocks().map(|knock| knock.id).collect());
        let knocks: Vec<KnockId> = knocks.await?;
        let by_bots = self.asked_ids().await.into_iter();
        let by_bots = by_bots.map(|(bridge, id)| (id.to_string(), Asked::Community(bridge, id)));
        let books = self.introductions.look().await;
        let asked = books.introduced.iter().map(|(id, _)| (id.to_string(), Asked::Introduction(id)));
        let knocks = knocks.into_iter().map(|id| (super::knocks::id_of(&id), Asked::Knock(id)));
        let found: Vec<_> =
            asked.chain(knocks).chain(by_bots).filter(|(id, _)| id.starts_with(&text)).collect();
        // The whole name of one may be the beginning of another's.
        let whole = found.iter().find(|(id, _)| *id == text);
        match (whole, found.as_slice()) {
            (Some((_, asked)), _) | (None, [(_, asked)]) => Ok(asked.clone()),
            (None, []) => Err(unknown()),
            (None, _) => {
                let message = "several requests begin with that: give more digits of the id";
                Err(ApiError::new(ErrorCode::Usage, message))
            }
        }
    }
}

pub(super) fn unknown() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is no such request: `wayside requests` lists them")
}
