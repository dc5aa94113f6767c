//! `wayside nearby`: two people who meet on a local network become friends.
//!
//! Whoever is visible has a card there for so long, as with `wayside pointer publish`, under a name of its own. So either side knows the other's account before
//! anything is said, and both screens show what the two accounts give to compare. Of two who agree the one with the smaller account knocks, and the other lets it in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;
use wayside::AccountId;
use wayside::api::types::{
    Accept, AcceptRequest, AcceptState, Accepted, BridgeView, ChangeFriend, FetchPointer, FoundPointer,
    FriendView, Id, LinkState, PlacePointers, PointerView, PublishPointer, RequestKind, RequestView,
    WithdrawnPointer,
};

use super::Context;
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, one_line};
use super::session::{Session, bridge_path, friend_path, parse_name, pointer_path, request_path};
use super::signals::Signals;
use super::words::{parse_duration, short_duration};

/// Become friends with somebody on the same local network
///
/// Lists who is visible there. With --visible, or a NAME, you are visible yourself for ten minutes: your name and your account, to everybody on the
/// network. Both of you do that; both screens show the same digits, and both say yes to them. It needs the bridge `mdns`, and no internet.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside nearby                 # who is visible?
  wayside nearby --visible       # be visible, and be asked about others
  wayside nearby ada             # become friends with ada, who is visible")]
pub(super) struct Nearby {
    /// Whom you want: a name as it is listed
    #[arg(value_parser = parse_name)]
    name: Option<String>,
    /// Be visible
    #[arg(long)]
    visible: bool,
    /// For how long: a minute to an hour
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    lasts: Duration,
    /// Say without being asked that both screens show the same; needs the NAME
    #[arg(long, short, requires = "name")]
    yes: bool,
}

/// What stands before the name in the public name of such a card: other cards may lie there too.
const PREFIX: &str = "nearby-";
/// The kind of bridge whose place is here.
const KIND: &str = "mdns";
/// How often it is looked who is there.
const LOOK: Duration = Duration::from_secs(1);
/// How long the first link is waited for.
const LINK: Duration = Duration::from_secs(5);
/// The most people that are shown: whoever floods a network does not flood a terminal.
const MOST: usize = 64;

/// Somebody who is visible.
#[derive(Clone, Debug, Serialize)]
struct Person {
    /// What they call themselves here.
    name: String,
    account: String,
    /// What both screens show.
    comparison: String,
    /// What they are called here, where they are a friend.
    friend: Option<String>,
}

/// Where one looks, and as whom.
struct Place {
    bridge: String,
    me: Id,
    account: AccountId,
}

impl Nearby {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        if !(Duration::from_secs(60)..=Duration::from_secs(3600)).contains(&self.lasts) {
            return Err(Failure::usage("--for takes a minute (1m) to an hour (1h)"));
        }
        let mut session = context.session().await?;
        let outcome = self.look(context, &mut session).await;
        session.close().await;
        outcome
    }

    async fn look(&self, context: &Context, session: &mut Session) -> Outcome {
        let place = Place::find(session).await?;
        if self.visible || self.name.is_some() {
            return self.be_visible(context, session, &place).await;
        }
        let people = place.people(session).await?;
        for person in &people {
            context.output.object(person)?;
        }
        let lines: Vec<String> = people.iter().map(in_words).collect();
        context.output.text(&lines.join("\n"))?;
        if people.is_empty() {
            context.output.text("Nobody is visible here. `wayside nearby --visible` makes you so, and has to be typed by whom you look for.")?;
        }
        Ok(Exit::Done)
    }

    /// Has a card on the network, and takes it back, however it ends.
    async fn be_visible(&self, context: &Context, session: &mut Session, place: &Place) -> Outcome {
        let mut signals = Signals::catch()?;
        let card = format!("{PREFIX}{}", plain(&place.me.name));
        let wanted = PublishPointer {
            name: card.clone(),
            bridges: vec![place.bridge.clone()],
            place: Some(place.bridge.clone()),
            file: false,
            lifetime_secs: self.lasts.as_secs(),
        };
        session.post::<_, PointerView>("/v1/pointers", &wanted).await?;
        if !context.output.is_json() {
            output::remark(&format!(
                "You are visible as {} for {}, to everybody on this network; Ctrl-C ends it.",
                plain(&place.me.name),
                short_duration(self.lasts)
            ));
        }
        let outcome = tokio::select! {
            outcome = self.meet(context, session, place) => outcome,
            () = signals.next() => Ok(Exit::Done),
        };
        let taken_back = session.delete::<WithdrawnPointer>(&pointer_path(&card)).await;
        let outcome = outcome?;
        taken_back?;
        Ok(outcome)
    }

    async fn meet(&self, context: &Context, session: &mut Session, place: &Place) -> Outcome {
        let end = Instant::now() + self.lasts;
        let mut asked = BTreeSet::new();
        let mut agreed: BTreeMap<String, Person> = BTreeMap::new();
        let mut made = false;
        while Instant::now() < end {
            for person in place.people(session).await? {
                let is_meant = self.name.as_ref().is_none_or(|name| *name == person.name);
                if let (Some(_), true, Some(friend)) = (&self.name, is_meant, &person.friend) {
                    let friend = one_line(friend);
                    context.output.say(&person, || format!("{friend} is your friend already."))?;
                    return Ok(Exit::Done);
                }
                if is_meant
                    && person.friend.is_none()
                    && asked.len() < MOST
                    && asked.insert(person.account.clone())
                {
                    context.output.say(&person, || in_words(&person))?;
                    if self.yes || says_yes(context, &person).await? {
                        agreed.insert(person.account.clone(), person);
                    }
                }
            }
            for person in agreed.values().cloned().collect::<Vec<_>>() {
                let Some(friend) = place.step(session, &person).await? else { continue };
                agreed.remove(&person.account);
                // A person has compared; --yes is a script's word.
                let friend = if self.yes { friend } else { verified(session, &person.account).await? };
                context.output.say(&friend, || format!("{} is your friend now.", one_line(&friend.name)))?;
                made = true;
            }
            if self.name.is_some() && (made || (!asked.is_empty() && agreed.is_empty())) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        match &self.name {
            Some(name) if asked.is_empty() => {
                Err(Failure::new(Exit::NotFound, format!("nobody called {} was visible", one_line(name))))
            }
            Some(_) if !made && agreed.is_empty() => {
                Err(Failure::new(Exit::Failed, "you said no, and nobody was told"))
            }
            Some(name) if !made => Err(Failure::new(
                Exit::Pending,
                format!("{} has not said yes in time: try again together", one_line(name)),
            )),
            _ => Ok(Exit::Done),
        }
    }
}

impl Place {
    /// The local network, where a bridge to it works.
    async fn find(session: &mut Session) -> Result<Self, Failure> {
        let bridges: Vec<BridgeView> = session.get("/v1/bridges").await?;
        let lan = bridges.into_iter().find(|bridge| bridge.kind == KIND).ok_or_else(|| {
            Failure::new(
                Exit::NoBridge,
                "this needs the bridge to the local network: `wayside bridge add mdns`",
            )
        })?;
        let me: Id = session.get("/v1/id").await?;
        let account = parsed(&me.account)?;
        Ok(Self { bridge: lan.name, me, account })
    }

    /// Who is visible, but ourselves.
    async fn people(&self, session: &mut Session) -> Result<Vec<Person>, Failure> {
        let there: PlacePointers = session.get(&format!("{}/pointers", bridge_path(&self.bridge))).await?;
        let friends: Vec<FriendView> = session.get("/v1/friends").await?;
        let mut people = Vec::new();
        for card in there.pointers.into_iter().filter(|card| !card.own && card.fault.is_none()) {
            let (Some(name), Some(account)) = (card.name.strip_prefix(PREFIX), card.account) else {
                continue;
            };
            if people.len() >= MOST {
                break;
            }
            let comparison = wayside::comparison(&self.account, &parsed(&account)?).to_string();
            let friend = friends.iter().find(|friend| friend.account == account);
            let friend = friend.map(|friend| friend.name.clone());
            people.push(Person { name: name.to_owned(), account, comparison, friend });
        }
        Ok(people)
    }

    /// Does our part of becoming friends with somebody to whom our person said yes; the friend, once that is so.
    async fn step(&self, session: &mut Session, person: &Person) -> Result<Option<FriendView>, Failure> {
        let done = if self.me.account < person.account {
            self.knock(session, person).await?
        } else {
            let_in(session, person).await?
        };
        if !done {
            return Ok(None);
        }
        // What was left for the other side has to be read before this ends, and is once the link is up.
        let end = Instant::now() + LINK;
        loop {
            let friend: FriendView = session.get(&friend_path(&person.account, "")).await?;
            if friend.link == LinkState::Up || Instant::now() >= end {
                return Ok(Some(friend));
            }
            tokio::time::sleep(LOOK / 5).await;
        }
    }

    async fn knock(&self, session: &mut Session, person: &Person) -> Result<bool, Failure> {
        let source = format!("{}#{PREFIX}{}", self.bridge, person.name);
        let wanted = FetchPointer { source, contact: false, account: Some(person.account.clone()) };
        let found: FoundPointer = match session.post_once("/v1/pointers/fetch", &wanted).await {
            Ok(found) => found,
            // No longer visible; what was knocked is answered all the same.
            Err(_) => return is_friend(session, person).await,
        };
        let wait_ms = u64::try_from(LOOK.as_millis()).unwrap_or(u64::MAX);
        let request = Accept { invite: found.card, name: None, wait_ms };
        let accepted: Accepted = session.post("/v1/accept", &request).await?;
        Ok(accepted.state == AcceptState::Done)
    }
}

/// Lets somebody in who knocked.
async fn let_in(session: &mut Session, person: &Person) -> Result<bool, Failure> {
    let requests: Vec<RequestView> = session.get("/v1/requests").await?;
    let theirs = requests.iter().find(
        |request| matches!(&request.what, RequestKind::Knock { account, .. } if *account == person.account),
    );
    if let Some(request) = theirs {
        let how = AcceptRequest { name: None };
        session.post::<_, RequestView>(&request_path(&request.id, "/accept"), &how).await?;
    }
    is_friend(session, person).await
}

async fn is_friend(session: &mut Session, person: &Person) -> Result<bool, Failure> {
    let friends: Vec<FriendView> = session.get("/v1/friends").await?;
    Ok(friends.iter().any(|friend| friend.account == person.account))
}

/// Keeps that both have compared.
async fn verified(session: &mut Session, account: &str) -> Result<FriendView, Failure> {
    let change = ChangeFriend { verified: Some(true), ..ChangeFriend::default() };
    session.patch(&friend_path(account, ""), &change).await
}

/// Asks our person, on a thread of its own, so that Ctrl-C ends the question too.
async fn says_yes(context: &Context, person: &Person) -> Result<bool, Failure> {
    if context.output.is_json() || !output::can_ask() {
        return Ok(false);
    }
    let name = one_line(&person.name);
    let question = format!("Does the screen of {name} show the same, and do you want to be friends? [y/N]");
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || answer.send(output::ask(&question)));
    match answered.await {
        Ok(answer) => Ok(matches!(answer?.to_lowercase().as_str(), "y" | "yes")),
        Err(_) => Ok(false),
    }
}

fn in_words(person: &Person) -> String {
    let friend = person.friend.as_ref().map(|friend| format!("  (your friend {})", one_line(friend)));
    format!("{:<20}  {}{}", one_line(&person.name), person.comparison, friend.unwrap_or_default())
}

fn parsed(account: &str) -> Result<AccountId, Failure> {
    AccountId::parse(account)
        .ok_or_else(|| Failure::new(Exit::Failed, "the node named an account that is none"))
}

/// A name as public names are: letters and digits of ASCII, and `-` for what is between them.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => plain.push(c),
            _ if plain.ends_with('-') || plain.is_empty() => {}
            _ => plain.push('-'),
        }
    }
    plain.truncate(40);
    let plain = plain.trim_end_matches('-');
    if plain.is_empty() { "somebody".to_owned() } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_gives_a_public_one() {
        for (name, expected) in [
            ("Ada", "ada"),
            ("Ada Lovelace", "ada-lovelace"),
            ("  -- ", "somebody"),
            ("Łukasz", "ukasz"),
            ("名前", "somebody"),
            ("a\u{202e}b", "a-b"),
        ] {
            assert_eq!(plain(name), expected);
        }
        let long = plain(&"x".repeat(200));
        assert!(wayside::pointer::PointerName::new(&format!("{PREFIX}{long}")).is_some());
    }
}
