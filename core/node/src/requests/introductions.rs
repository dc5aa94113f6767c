//! Introductions that we make, and those that friends make to us.

use wayside_bridge::Entropy;
use wayside_proto::introduction::{
    End, IntroduceError, Introduction, IntroductionId, Note, RequestId, Standing, Stranger,
};

use super::Requests;
use crate::api::types::{
    ApiError, ErrorCode, Introduce, IntroducedAnswer, IntroducedView, IntroductionView, RequestKind,
    RequestState, RequestView,
};
use crate::clock::SystemEntropy;
use crate::introductions::{says, standing};
use crate::times;

impl Requests {
    /// Introduces two friends to each other: it is on disk when this returns.
    pub(crate) async fn introduce(&self, request: Introduce) -> Result<IntroductionView, ApiError> {
        let usage = |message: &str| ApiError::new(ErrorCode::Usage, message);
        let note = match request.note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty()) {
            None => None,
            Some(note) => Some(Note::new(note).ok_or_else(|| {
                usage("a note has at most 1,000 bytes, and no characters that are not seen: shorten it")
            })?),
        };
        let (one, other) = (self.find(request.friend).await?, self.find(request.to).await?);
        let cards = self.driver.look(move |engine, now| {
            let card = |account| {
                let friend = engine.friend(account)?;
                (!friend.blocked()).then(|| friend.card().clone())
            };
            (engine.time(now), card(&one), card(&other))
        });
        let (now, Some(one), Some(other)) = cards.await? else {
            return Err(usage("a friend who is blocked is not introduced: unblock it first"));
        };
        let mut id = [0; 16];
        SystemEntropy.fill(&mut id);
        let id = IntroductionId(id);
        let made = self
            .introductions
            .change(move |books| books.introducer.introduce(now, id, [&one, &other], note))
            .await?;
        match made {
            Ok(()) => {}
            Err(IntroduceError::Same) => return Err(usage("name two different friends")),
            Err(IntroduceError::Already(_)) => {
                let message =
                    "you are introducing these two already: `wayside introduce` shows how far it has got";
                return Err(ApiError::new(ErrorCode::Exists, message));
            }
            Err(IntroduceError::TooMany) => {
                return Err(usage("too many introductions are open: wait until some of them were answered"));
            }
            Err(IntroduceError::Expired(account)) => {
                let name = self.driver.name_of(&account).await;
                let message = format!(
                    "what is known of {name} is too old to be passed on: meet first, for example with `wayside ping`"
                );
                return Err(ApiError::new(ErrorCode::Pending, message));
            }
        }
        let made = self.introductions.look().await.introducer.get(&id).cloned();
        match made {
            Some(made) => Ok(self.introduction_view(&made).await),
            None => Err(ApiError::new(ErrorCode::NotFound, "one of the two was removed just now")),
        }
    }

    /// The introductions that we made, the latest first.
    pub(crate) async fn introductions(&self) -> Result<Vec<IntroductionView>, ApiError> {
        let mut made: Vec<Introduction> =
            self.introductions.look().await.introducer.iter().cloned().collect();
        made.sort_by_key(|it| (std::cmp::Reverse(it.made()), it.id()));
        let mut views = Vec::new();
        for introduction in &made {
            views.push(self.introduction_view(introduction).await);
        }
        Ok(views)
    }

    /// What friends ask of us, the earliest first.
    pub(super) async fn asked(&self) -> Result<Vec<RequestView>, ApiError> {
        let mut asked: Vec<(RequestId, Stranger, Standing)> = {
            let books = self.introductions.look().await;
            let asked = books.introduced.iter();
            asked.map(|(id, it)| (id, it.clone(), books.introduced.standing(it))).collect()
        };
        asked.sort_by_key(|(id, it, _)| (it.came(), *id));
        let mut views = Vec::new();
        for (id, stranger, standing) in &asked {
            views.push(self.request_view(id, stranger, *standing).await);
        }
        Ok(views)
    }

    /// Accepts an introduction: on disk when this returns, and everything else goes on by itself.
    pub(super) async fn accept_introduction(
        &self,
        id: &RequestId,
        name: Option<String>,
    ) -> Result<RequestView, ApiError> {
        self.answer(id, move |books, id| {
            books.introduced.accept(id, name);
            books.introduced.get(id).map(|it| (it.clone(), books.introduced.standing(it)))
        })
        .await
    }

    /// Refuses it. Nobody is told.
    pub(super) async fn refuse_introduction(&self, id: &RequestId) -> Result<RequestView, ApiError> {
        self.answer(id, |books, id| books.introduced.refuse(id).map(|it| (it.clone(), Standing::Over))).await
    }

    async fn answer(
        &self,
        id: &RequestId,
        answer: impl FnOnce(&mut crate::introductions::Books, &RequestId) -> Option<(Stranger, Standing)>,
    ) -> Result<RequestView, ApiError> {
        match self.introductions.change(|books| answer(books, id)).await? {
            Some((stranger, standing)) => Ok(self.request_view(id, &stranger, standing).await),
            None => Err(super::asked::unknown()),
        }
    }

    async fn introduction_view(&self, introduction: &Introduction) -> IntroductionView {
        let mut friends = Vec::new();
        for end in introduction.ends() {
            friends.push(IntroducedView {
                name: self.driver.name_of(&end.account()).await,
                account: end.account().to_string(),
                answer: answer(end),
            });
        }
        IntroductionView {
            id: data_encoding::HEXLOWER.encode(&introduction.id().0),
            friends,
            note: introduction.note().map(|note| note.as_str().to_owned()),
            state: standing(introduction),
            made: times::time(introduction.made()),
            expires: times::time(introduction.expires()),
        }
    }

    async fn request_view(&self, id: &RequestId, stranger: &Stranger, standing: Standing) -> RequestView {
        let by = self.driver.name_of(&stranger.by()).await;
        let name = stranger.card().roster().name.clone();
        let (state, hint) = match standing {
            Standing::Asked => (RequestState::Asked, None),
            Standing::Consented => (RequestState::Accepted, None),
            Standing::Meeting => (RequestState::Meeting, None),
            Standing::Apart => {
                let theirs = stranger.theirs().map(|(_, places)| places.iter().map(ToString::to_string));
                let theirs: Vec<String> = theirs.into_iter().flatten().collect();
                (RequestState::Meeting, Some(apart(&by, &name, &theirs)))
            }
            Standing::Over => (RequestState::Refused, None),
        };
        RequestView {
            id: id.to_string(),
            text: says(&by, stranger),
            state,
            hint,
            received: times::time(stranger.came()),
            expires: times::time(stranger.expires()),
            what: RequestKind::Introduction {
                by,
                by_account: stranger.by().to_string(),
                name,
                account: stranger.account().to_string(),
                note: stranger.note().map(|note| note.as_str().to_owned()),
            },
        }
    }
}

const fn answer(end: &End) -> IntroducedAnswer {
    match (end.consented(), end.asked()) {
        (true, _) => IntroducedAnswer::Consented,
        (false, true) => IntroducedAnswer::Asked,
        (false, false) => IntroducedAnswer::Unasked,
    }
}

/// Both want to meet, and none of our bridges reaches a place of the other's.
fn apart(by: &str, name: &str, places: &[String]) -> String {
    let reaches = match places {
        [] => "has no bridge that works".to_owned(),
        places => format!("reaches {}", places.join(" and ")),
    };
    format!(
        "you have no bridge in common: {name} {reaches}. Add one of these with `wayside bridge add`, or have {by} let both of you meet there \
         (`wayside friend allow meet NAME`)"
    )
}
