//! What follows from what bots said, and what a person is told of it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::{CommandError, Knock};
use wayside_proto::introducer::{Person, Unmet};
use wayside_proto::pointer::Pointer;

use super::talk::is_told;
use super::{Ask, AskedId, Communities, Far};
use crate::api::types::{ApiError, EncounterState, NodeEvent};
use crate::lock::lock;

/// How often it is looked at where nothing says that something has changed.
const LOOK: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// How long to wait where the disk takes nothing.
const AGAIN: Duration = Duration::from_secs(5);

impl Communities {
    /// Takes part in communities for as long as the node runs.
    pub(crate) async fn keep(self) {
        let (mut changes, mut events) = (self.changes(), self.0.driver.events());
        let mut ready = self.0.driver.ready();
        // The node is ending otherwise.
        let _ = ready.wait_for(|ready| *ready).await;
        let admitted = self.0.driver.admitted().clone();
        loop {
            changes.borrow_and_update();
            self.talk_with_all();
            if let Err(error) = self.run().await {
                tracing::debug!(%error, "communities wait");
                tokio::time::sleep(AGAIN).await;
            }
            let something = is_told(&mut events, |event| {
                matches!(event, NodeEvent::FriendAdded { .. } | NodeEvent::BridgeUp { .. })
            });
            tokio::select! {
                _ = changes.changed() => {}
                () = admitted.0.came.notified() => {}
                () = something => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// A conversation with each configured bot, and with no other.
    fn talk_with_all(&self) {
        let bots = self.bots();
        let mut talks = lock(&self.0.talks);
        talks.retain(|bridge, talk| {
            let stays = bots.contains_key(bridge);
            if !stays {
                talk.cancel();
            }
            stays
        });
        for bridge in bots.into_keys() {
            if !talks.contains_key(&bridge) {
                let (ends, talk) = (CancellationToken::new(), self.clone().talk(bridge.clone()));
                talks.insert(bridge, ends.clone());
                self.0.driver.spawn(async move {
                    ends.run_until_cancelled(talk).await;
                });
            }
        }
    }

    async fn run(&self) -> Result<(), ApiError> {
        self.tidy().await?;
        self.knock().await?;
        self.let_in().await
    }

    /// Forgets what is over, and what belongs to bridges that have no bot any more.
    async fn tidy(&self) -> Result<(), ApiError> {
        let bots = self.bots();
        let kept: Vec<String> = self.0.books.lock().await.keys().cloned().collect();
        for bridge in kept.into_iter().filter(|bridge| !bots.contains_key(bridge)) {
            self.withdraw(&bridge).await?;
            self.forget(&bridge).await?;
        }
        let now = self.time().await?;
        for bridge in bots.into_keys() {
            for who in self.change(&bridge, |book| book.expire(now)).await?.into_iter().flatten() {
                self.tell_ask(&bridge, &who).await;
            }
        }
        Ok(())
    }

    /// Knocks by the cards that we asked for.
    async fn knock(&self) -> Result<(), ApiError> {
        for (bridge, book) in self.books().await {
            for ask in book.asks {
                let Far::Card { card, .. } = &ask.far else { continue };
                let far = match Pointer::read(card) {
                    Ok(card) => self.knock_by(&ask, card).await?,
                    Err(error) => Some(Far::Useless(error.to_string())),
                };
                let Some(far) = far else { continue };
                let who = ask.who.clone();
                let set = self.change(&bridge, |book| {
                    let same = book.asks.iter_mut().find(|it| it.who == who && it.far == ask.far);
                    same.map(|it| it.far = far)
                });
                if set.await?.flatten().is_some() {
                    self.tell_ask(&bridge, &ask.who).await;
                }
            }
        }
        Ok(())
    }

    /// What has come of it; `None` where it is to be tried again.
    async fn knock_by(&self, ask: &Ask, card: Pointer) -> Result<Option<Far>, ApiError> {
        let (account, alias) = (card.account(), ask.alias.clone());
        let knocked = self.0.driver.change(move |engine, now| {
            match engine.knock_by_pointer(now, &card, alias) {
                // Taken meanwhile: then it gets the name that its card says.
                Err(CommandError::Name(_)) => engine.knock_by_pointer(now, &card, None),
                other => other,
            }
        });
        Ok(match knocked.await? {
            Ok(_) => {
                self.0.pointers.met_by_card(account).await?;
                Some(Far::Knocked(account))
            }
            Err(CommandError::AlreadyFriend(_)) => Some(Far::Known(account)),
            Err(CommandError::NoBridge { .. } | CommandError::Bridge(_) | CommandError::TooMany(_)) => None,
            Err(error) => Some(Far::Useless(error.to_string())),
        })
    }

    /// Lets in whom our person agreed to, and forgets those who are friends.
    async fn let_in(&self) -> Result<(), ApiError> {
        for (bridge, book) in self.books().await {
            for (account, alias) in book.admitted() {
                let (is_friend, knock) = self
                    .0
                    .driver
                    .look(move |engine, _| {
                        let knock = engine.waiting_knocks().find(|knock| knock.account == account);
                        (engine.friend(&account).is_some(), knock)
                    })
                    .await?;
                let by_it = |knock: &Knock| Some(&knock.pointer) == book.pointer.as_ref();
                if !is_friend {
                    let Some(knock) = knock.filter(by_it) else { continue };
                    if !self.accept(&knock, alias).await? {
                        continue;
                    }
                }
                self.change(&bridge, |book| {
                    book.asked.retain(|asked| asked.answer != super::Answer::Met(account));
                })
                .await?;
                if is_friend {
                    let name = self.0.driver.name_of(&account).await;
                    let what = format!(
                        "the bot of `{bridge}` brings you together with {name}, who is your friend already: nothing new comes of it"
                    );
                    self.0.driver.tell(NodeEvent::Warning { what });
                }
            }
        }
        Ok(())
    }

    async fn accept(&self, knock: &Knock, alias: Option<String>) -> Result<bool, ApiError> {
        // First of all, so that it is never forgotten that it was a card by which they came.
        self.0.pointers.met_by_card(knock.account).await?;
        let id = knock.id;
        let accepted = self.0.driver.change(move |engine, now| match engine.accept_knock(now, &id, alias) {
            Err(CommandError::Name(_)) => engine.accept_knock(now, &id, None),
            other => other,
        });
        let accepted = accepted.await?;
        if let Err(error) = &accepted {
            tracing::debug!(%error, "a knock was not let in");
        }
        Ok(accepted.is_ok())
    }

    /// How far we have got with somebody, in a word and in a sentence, and what they are called where they are a friend.
    pub(crate) async fn describe(&self, bot: &Person, ask: &Ask) -> (EncounterState, String, Option<String>) {
        let who = &ask.who;
        let account = ask.account();
        let friend = match account {
            Some(account) => self.friend(account).await,
            None => None,
        };
        let says = |account: &AccountId| format!("{bot} says that the account {account} is {who}'s");
        match (&ask.far, friend) {
            (Far::Known(_), Some(name)) => {
                let text =
                    format!("{who} is your friend {name} already, by {bot}'s word: nothing new comes of it");
                (EncounterState::Friends, text, Some(name))
            }
            (Far::Knocked(account) | Far::Card { account, .. }, Some(name)) => {
                let text = format!("you and {name} are friends now; {}", says(account));
                (EncounterState::Friends, text, Some(name))
            }
            (Far::Asked, _) if ask.said.times == 0 => {
                (EncounterState::Asked, format!("{bot} is to be asked for {who}"), None)
            }
            (Far::Asked, _) => {
                (EncounterState::Asked, format!("{bot} was asked for {who} and has not answered yet"), None)
            }
            (Far::Waiting, _) => {
                (EncounterState::Waiting, format!("{bot} has asked {who}, who has not answered yet"), None)
            }
            (Far::Card { account, .. }, None) => {
                let text = format!(
                    "{who} wants to meet you, at a place that no bridge of yours reaches now; {}",
                    says(account)
                );
                (EncounterState::Met, text, None)
            }
            (Far::Knocked(account) | Far::Known(account), None) => {
                let text = format!("{who} wants to meet you: their machine is knocked at; {}", says(account));
                (EncounterState::Met, text, None)
            }
            (Far::Useless(why), _) => (
                EncounterState::Unmet,
                format!("the card that {bot} says is {who}'s is of no use: {why}"),
                None,
            ),
            (Far::Unmet(why), _) => (EncounterState::Unmet, unmet(bot, who, why.0), None),
        }
    }

    async fn friend(&self, account: AccountId) -> Option<String> {
        let name =
            self.0.driver.look(move |engine, _| engine.friend(&account).map(|it| it.name().to_owned()));
        name.await.ok().flatten()
    }

    pub(super) async fn tell_ask(&self, bridge: &str, who: &Person) {
        let Some(book) = self.books().await.remove(bridge) else { return };
        let Some(ask) = book.asks.iter().find(|ask| ask.who == *who) else { return };
        let (state, text, _) = self.describe(&book.bot, ask).await;
        let (person, bridge) = (who.to_string(), bridge.to_owned());
        self.0.driver.tell(NodeEvent::Encounter { person, bridge, state, text });
    }

    pub(super) async fn tell_request(&self, bridge: &str, id: [u8; 16]) {
        let Some(book) = self.books().await.remove(bridge) else { return };
        let Some(asked) = book.asked.iter().find(|asked| asked.id == AskedId(id)) else { return };
        let title = self.title(bridge).await;
        let text = says(&book.bot, title.as_deref().unwrap_or(bridge), &asked.who);
        self.0.driver.tell(NodeEvent::Request { id: asked.id.to_string(), kind: "community".into(), text });
    }

    /// What a bridge's room is called, where it works.
    pub(crate) async fn title(&self, bridge: &str) -> Option<String> {
        Some(self.0.driver.room(bridge).await?.info().title)
    }
}

/// Whose word it is, and for what.
pub(crate) fn says(bot: &Person, room: &str, who: &Person) -> String {
    format!("{bot}, the bot of {room}, says that {who} would like to meet you")
}

fn unmet(bot: &Person, who: &Person, why: Unmet) -> String {
    match why {
        Unmet::Unlisted => {
            format!("{bot} does not have you on its list: `wayside community join` asks for that")
        }
        Unmet::Limited => format!("{bot} says that you have asked much lately: ask for {who} again tomorrow"),
        Unmet::Paused => format!("{bot} introduces nobody just now: ask for {who} again later"),
        Unmet::Over => format!("{who} has not answered in time, or it was taken back"),
        // What a later version says besides is no nearer to a meeting.
        _ => format!("{bot} cannot ask {who}: they are not on its list, or do not want to be asked"),
    }
}
