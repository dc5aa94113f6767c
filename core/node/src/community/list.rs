//! Our card for a bot's list: a pointer for this bridge alone, made anew before it ends, and withdrawn where we leave.

use std::time::Duration;

use wayside_proto::engine::{BridgeName, CommandError, PointerOptions};
use wayside_proto::introducer::Request;
use wayside_proto::pointer::{Pointer, PointerName};

use super::talk::say_to;
use super::{Book, Communities};
use crate::api::types::{ApiError, BridgeView, ErrorCode};

/// For how long a card is made.
const LIFETIME: Duration = Duration::from_secs(90 * 86_400);

impl Communities {
    /// Our card for a bridge's bot, where we are to be on its list: made where there is none that lasts, or the bridge leads elsewhere.
    pub(super) async fn card(&self, bridge: &str) -> Result<Option<Pointer>, ApiError> {
        if !self.bot(bridge).is_some_and(|bot| bot.listed) {
            return Ok(None);
        }
        let name = self.pointer_name(bridge).await?;
        let now = self.time().await?;
        let wanted = name.clone();
        let current = self
            .0
            .driver
            .look(move |engine, _| engine.pointers().find(|it| *it.name() == wanted).cloned())
            .await?;
        let places = self.0.driver.bridges().await?.into_iter().find(|view| view.name == bridge);
        let places = places.map(|view: BridgeView| view.locators).unwrap_or_default();
        let leads = |card: &Pointer| matches!(card.points(), [point] if places.contains(&point.to_string()));
        if let Some(card) = &current
            && card.expires().since(now) >= LIFETIME / 3
            && (places.is_empty() || leads(card))
        {
            return Ok(current);
        }
        let bridges = vec![BridgeName(bridge.to_owned())];
        let options = PointerOptions { name, bridges, lifetime: LIFETIME };
        let made = self.0.driver.change(move |engine, now| engine.make_pointer(now, &options)).await?;
        match made {
            Ok(card) => Ok(Some(card)),
            // Not up just now: the one that the bot has holds as long as it does.
            Err(CommandError::Bridge(_)) if current.is_some() => Ok(current),
            Err(error) => Err(ApiError::new(ErrorCode::Bridge, error.to_string())),
        }
    }

    /// What our card for a bridge's bot is called: chosen once, and no other card's name.
    async fn pointer_name(&self, bridge: &str) -> Result<PointerName, ApiError> {
        if let Some(name) = self.change(bridge, |book| book.pointer.clone()).await?.flatten() {
            return Ok(name);
        }
        let ours = self.0.driver.look(|engine, _| engine.pointers().map(|it| it.name().clone()).collect());
        let mut taken: Vec<PointerName> = ours.await?;
        taken.extend(self.0.pointers.names().into_keys());
        taken.extend(self.0.books.lock().await.values().filter_map(|book| book.pointer.clone()));
        let stem = format!("community-{}", bridge.to_lowercase());
        let names = std::iter::once(stem.clone()).chain((2..1000).map(|number| format!("{stem}-{number}")));
        let mut names = names.filter_map(|name| PointerName::new(&name));
        let name = names.find(|name| !taken.contains(name)).ok_or_else(|| {
            ApiError::new(ErrorCode::Usage, "there are too many cards: withdraw some of them")
        })?;
        let chosen = name.clone();
        self.change(bridge, |book| book.pointer = Some(chosen)).await?;
        Ok(name)
    }

    /// Withdraws our card for a bridge's bot: nobody is let in by it any more.
    pub(super) async fn withdraw(&self, bridge: &str) -> Result<(), ApiError> {
        let name = self.0.books.lock().await.get(bridge).and_then(|book| book.pointer.clone());
        let Some(name) = name else { return Ok(()) };
        let withdrawn = name.clone();
        // There may be none by now.
        let _ = self.0.driver.change(move |engine, now| engine.withdraw_pointer(now, &withdrawn)).await?;
        Ok(())
    }

    /// A bridge is about to be removed: the bot is told where it can be, the card is withdrawn, and all of it is forgotten.
    pub(crate) async fn leave(&self, bridge: &str, patience: Duration) -> Result<(), ApiError> {
        let given = self.books().await.remove(bridge).filter(|book: &Book| book.given.is_some());
        self.set(bridge, None);
        if let (Some(book), Some(room)) = (given, self.0.driver.room(bridge).await) {
            let bot = wayside_bridge::Sender(book.bot.as_str().to_owned());
            // A bot that is not told has a card that leads nowhere.
            let _ = tokio::time::timeout(patience, say_to(&*room, bot, &Request::Leave)).await;
        }
        self.withdraw(bridge).await?;
        self.forget(bridge).await
    }
}
