//! Communities: their bots, whom we ask them to meet, and who asks for us.

use wayside_proto::UnixMillis;
use wayside_proto::identity::Roster;
use wayside_proto::introducer::Person;

use super::{Requests, asked};
use crate::api::types::{
    ApiError, AskToMeet, ChangeCommunity, CommunityView, EncounterView, ErrorCode, ListState, RequestKind,
    RequestState, RequestView, RoomBot,
};
use crate::community::{Answer, Ask, Asked, AskedId, Book, Far, MOST_ASKS, says};
use crate::home::{self, BotConfig, HomeError};
use crate::times;

/// How long a bot that we leave may take to be told.
const TAKE_LEAVE: std::time::Duration = std::time::Duration::from_secs(5);

impl Requests {
    /// The communities, by bridge.
    pub(crate) async fn communities(&self) -> Result<Vec<CommunityView>, ApiError> {
        self.bridges_tried(super::GLANCE).await;
        let books = self.communities.books().await;
        let mut views = Vec::new();
        for (bridge, bot) in self.communities.bots() {
            let book = books.get(&bridge).cloned().unwrap_or_else(|| Book::new(bot.who.clone()));
            views.push(self.community_view(bridge, &bot, &book).await);
        }
        Ok(views)
    }

    /// Changes who a bridge's bot is, or whether we are on its list: in the configuration, and at once.
    pub(crate) async fn change_community(
        &self,
        bridge: &str,
        change: ChangeCommunity,
    ) -> Result<CommunityView, ApiError> {
        let _one_at_a_time = self.changing_config.lock().await;
        self.bridges_tried(super::GLANCE).await;
        let views = self.driver.bridges().await?;
        let Some(view) = views.into_iter().find(|view| view.name == bridge) else {
            let message = format!("there is no bridge `{bridge}`: `wayside bridge list` lists them");
            return Err(ApiError::new(ErrorCode::NotFound, message));
        };
        if view.healthy && self.driver.room(bridge).await.is_none() {
            return Err(no_room(&view.kind));
        }
        let before = self.communities.bots().remove(bridge);
        let who = match (&change.bot, &before) {
            (Some(bot), _) => person(bot)?,
            (None, Some(before)) => before.who.clone(),
            (None, None) => {
                let message = format!("`{bridge}` has no bot: name it with --bot, as its room names it");
                return Err(ApiError::new(ErrorCode::Usage, message));
            }
        };
        let listed = change.listed.or(before.as_ref().map(|before| before.listed)).unwrap_or(true);
        let bot = BotConfig { who, listed };
        if before.as_ref().is_some_and(|before| before.who != bot.who) {
            self.communities.leave(bridge, TAKE_LEAVE).await?;
        }
        home::change_bot(&self.home.config_path(), bridge, &bot)?;
        self.communities.set(bridge, Some(bot.clone()));
        let book = self.communities.books().await.remove(bridge);
        let book = book.unwrap_or_else(|| Book::new(bot.who.clone()));
        Ok(self.community_view(bridge.to_owned(), &bot, &book).await)
    }

    /// Asks a community's bot to introduce us to one of its members: on disk when this returns, and everything else goes on by itself.
    pub(crate) async fn ask_to_meet(&self, request: AskToMeet) -> Result<EncounterView, ApiError> {
        let who = person(&request.person)?;
        let alias = request.name.map(|name| name.trim().to_owned());
        if alias.as_deref().is_some_and(|alias| !Roster::is_name(alias)) {
            return Err(ApiError::new(ErrorCode::Usage, HomeError::Name.to_string()));
        }
        let (bridge, bot) = self.community_meant(request.bridge)?;
        if !bot.listed {
            let message = format!(
                "you are not on the list of {}, which introduces only those who are: `wayside community join {bridge}` puts you there",
                bot.who
            );
            return Err(ApiError::new(ErrorCode::Usage, message));
        }
        self.bridges_tried(super::GLANCE).await;
        if let Some(room) = self.driver.room(&bridge).await
            && room.info().own.0 == who.as_str()
        {
            return Err(ApiError::new(ErrorCode::Usage, "that is you yourself: name somebody else"));
        }
        if who == bot.who {
            return Err(ApiError::new(
                ErrorCode::Usage,
                "that is the bot itself: name one of the room's members",
            ));
        }
        let now = self.communities.time().await?;
        let asked = self.communities.change(&bridge, |book| ask(book, who, alias, now)).await?;
        let ask = asked.ok_or_else(no_community)??;
        Ok(self.encounter_view(bridge, &bot.who, &ask).await)
    }

    /// Those whom we asked bots to meet, the latest first.
    pub(crate) async fn encounters(&self) -> Result<Vec<EncounterView>, ApiError> {
        let mut views = Vec::new();
        for (bridge, book) in self.communities.books().await {
            for ask in &book.asks {
                views.push(self.encounter_view(bridge.clone(), &book.bot, ask).await);
            }
        }
        views.sort_by_key(|view| std::cmp::Reverse(view.asked));
        Ok(views)
    }

    /// The community that is meant where one bridge is named, or none.
    fn community_meant(&self, bridge: Option<String>) -> Result<(String, BotConfig), ApiError> {
        let mut bots = self.communities.bots();
        if let Some(bridge) = bridge {
            let Some(bot) = bots.remove(&bridge) else {
                let message =
                    format!("`{bridge}` is no bridge with a bot: `wayside community list` lists them");
                return Err(ApiError::new(ErrorCode::NotFound, message));
            };
            return Ok((bridge, bot));
        }
        let names: Vec<String> = bots.keys().map(|name| format!("`{name}`")).collect();
        match (bots.pop_first(), bots.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) => {
                let message = format!("say in which community, with --bridge: {}", names.join(", "));
                Err(ApiError::new(ErrorCode::Usage, message))
            }
            (None, _) => Err(no_community()),
        }
    }

    /// Who asks for us, the earliest first.
    pub(super) async fn asked_by_bots(&self) -> Result<Vec<RequestView>, ApiError> {
        let mut views = Vec::new();
        for (bridge, book) in self.communities.books().await {
            let shown = |asked: &&Asked| !matches!(asked.answer, Answer::No(_));
            for asked in book.asked.iter().filter(shown) {
                views.push(self.asked_view(&bridge, &book.bot, asked).await);
            }
        }
        Ok(views)
    }

    /// What such requests are called, and at which bridge.
    pub(super) async fn asked_ids(&self) -> Vec<(String, AskedId)> {
        let books = self.communities.books().await;
        let open = |asked: &&Asked| !matches!(asked.answer, Answer::No(_));
        let ids = books.iter().flat_map(|(bridge, book)| {
            book.asked.iter().filter(open).map(|asked| (bridge.clone(), asked.id))
        });
        ids.collect()
    }

    /// Tells the bot yes. The other's knock is let in then without asking again, if it is of the account that the bot names.
    pub(super) async fn accept_asked(
        &self,
        bridge: &str,
        id: AskedId,
        alias: Option<String>,
    ) -> Result<RequestView, ApiError> {
        self.answer_asked(bridge, id, |asked| {
            if asked.answer == Answer::None {
                asked.answer = Answer::Yes(Default::default());
            }
            asked.alias = alias.or(asked.alias.take());
        })
        .await
    }

    /// Tells the bot no.
    pub(super) async fn refuse_asked(&self, bridge: &str, id: AskedId) -> Result<RequestView, ApiError> {
        self.answer_asked(bridge, id, |asked| asked.answer = Answer::No(Default::default())).await
    }

    async fn answer_asked(
        &self,
        bridge: &str,
        id: AskedId,
        answer: impl FnOnce(&mut Asked),
    ) -> Result<RequestView, ApiError> {
        let answered = self.communities.change(bridge, |book| {
            let asked = book.asked.iter_mut().find(|asked| asked.id == id)?;
            answer(asked);
            Some((book.bot.clone(), asked.clone()))
        });
        let (bot, asked) = answered.await?.flatten().ok_or_else(asked::unknown)?;
        Ok(self.asked_view(bridge, &bot, &asked).await)
    }

    async fn asked_view(&self, bridge: &str, bot: &Person, asked: &Asked) -> RequestView {
        let title = self.communities.title(bridge).await;
        let (state, account) = match &asked.answer {
            Answer::None => (RequestState::Asked, None),
            Answer::Yes(_) => (RequestState::Accepted, None),
            Answer::No(_) => (RequestState::Refused, None),
            Answer::Met(account) => (RequestState::Meeting, Some(account.to_string())),
        };
        let hint = account.as_ref().map(|account| {
            format!(
                "{bot} says that the account {account} is {}'s: its knock is let in when it comes",
                asked.who
            )
        });
        RequestView {
            id: asked.id.to_string(),
            text: says(bot, title.as_deref().unwrap_or(bridge), &asked.who),
            state,
            hint,
            received: times::time(asked.came),
            expires: times::time(asked.expires),
            what: RequestKind::Community {
                person: asked.who.to_string(),
                bot: bot.to_string(),
                bridge: bridge.to_owned(),
                account,
            },
        }
    }

    async fn encounter_view(&self, bridge: String, bot: &Person, ask: &Ask) -> EncounterView {
        let (state, text, friend) = self.communities.describe(bot, ask).await;
        EncounterView {
            person: ask.who.to_string(),
            bridge,
            state,
            text,
            account: ask.account().map(|account| account.to_string()),
            friend,
            asked: times::time(ask.at),
            expires: times::time(ask.expires),
        }
    }

    async fn community_view(&self, bridge: String, bot: &BotConfig, book: &Book) -> CommunityView {
        let info = self.driver.room(&bridge).await.map(|room| room.info());
        let given = book.given.as_ref();
        let list = match (bot.listed, given) {
            (true, Some(given)) if given.joined => ListState::Listed,
            (true, Some(given)) if given.dropped.is_some() => ListState::Dropped,
            (true, _) => ListState::Joining,
            (false, Some(_)) => ListState::Leaving,
            (false, None) => ListState::Unlisted,
        };
        let hint = match (&info, list) {
            (None, _) => Some(
                "the bridge does not work now, or its service has no room: `wayside bridge list` says more"
                    .to_owned(),
            ),
            (Some(_), ListState::Dropped) => {
                Some(format!("{} took you off its list: it is asked again a day later", bot.who))
            }
            (Some(_), ListState::Joining) if given.is_some_and(|given| given.said.times > 2) => {
                Some(format!("{} does not answer: ask in the room whether it still runs", bot.who))
            }
            _ => None,
        };
        CommunityView {
            bridge,
            bot: bot.who.to_string(),
            title: info.as_ref().map(|info| info.title.clone()),
            own: info.map(|info| info.own.0),
            list,
            pointer: given.and(book.pointer.as_ref()).map(ToString::to_string),
            hint,
        }
    }
}

/// Asks for somebody, unless that is under way.
fn ask(book: &mut Book, who: Person, alias: Option<String>, now: UnixMillis) -> Result<Ask, ApiError> {
    let over = |ask: &Ask| matches!(ask.far, Far::Unmet(_) | Far::Useless(_) | Far::Known(_));
    if book.asks.iter().any(|ask| ask.who == who && !over(ask)) {
        let message =
            format!("you have asked for {who} already: `wayside introduce` shows how far it has got");
        return Err(ApiError::new(ErrorCode::Exists, message));
    }
    book.asks.retain(|ask| ask.who != who);
    if book.asks.len() >= MOST_ASKS {
        let oldest = book.asks.iter().position(over);
        let Some(oldest) = oldest else {
            let message = "you have asked for many: wait until some of them have answered";
            return Err(ApiError::new(ErrorCode::Usage, message));
        };
        book.asks.remove(oldest);
    }
    let ask = Ask::new(who, alias, now);
    book.asks.push(ask.clone());
    Ok(ask)
}

/// The bot that is meant.
pub(super) fn bot_of(bot: &RoomBot) -> Result<BotConfig, ApiError> {
    Ok(BotConfig { who: person(&bot.bot)?, listed: bot.listed })
}

fn person(text: &str) -> Result<Person, ApiError> {
    Person::new(text).ok_or_else(|| {
        let message = "name somebody as the room names them, in one word, for example @ben:example.org";
        ApiError::new(ErrorCode::Usage, message)
    })
}

fn no_community() -> ApiError {
    let message = "you are in no community with a bot: `wayside bridge add --from FILE` adds the one whose file you have, and \
                   `wayside community join BRIDGE --bot WHO` says who the bot of a bridge's room is";
    ApiError::new(ErrorCode::NotFound, message)
}

pub(super) fn no_room(kind: &str) -> ApiError {
    let message = format!("nobody talks over a {kind} bridge, so that it can have no bot");
    ApiError::new(ErrorCode::Usage, message)
}
