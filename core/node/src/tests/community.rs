//! Communities: two nodes in a room, and a bot that says what a test has it say.

use wayside_bridge::{ErrorKind, MemoryRoom, Outgoing, Sender, SharedRoom, Standing};
use wayside_proto::introducer::{Notice, Person as Member, Request, Spelling, Unmet};
use wayside_proto::pointer::Pointer;

use super::support::rooms::Rooms;
use super::{Person, befriend, service, until};
use crate::api::types::*;

const BOT: &str = "@bot";

/// The room as the test has it.
struct Scene {
    rooms: Rooms,
    bot: SharedRoom,
}

impl Scene {
    fn new() -> Self {
        let room = MemoryRoom::new();
        let bot = room.member(BOT);
        Self { rooms: Rooms { service: service(), room }, bot }
    }

    /// Somebody in the room whose bridge has the bot.
    async fn person(&self, name: &'static str, member: &str, listed: bool) -> Person {
        let person =
            Person::new_with(name, &self.rooms.service, |node| node.kind_of_bridge(self.rooms.clone())).await;
        person.api().delete::<()>("/v1/bridges/memory").await.unwrap();
        let options = [("member".to_owned(), member.to_owned())].into();
        let community = Some(RoomBot { bot: BOT.into(), listed });
        let bridge = AddBridge { kind: "rooms".into(), options, community, ..AddBridge::default() };
        person.api().post::<_, BridgeView>("/v1/bridges", &bridge).await.unwrap();
        person
    }

    async fn restart(&self, person: &mut Person) {
        person.stop().await;
        person.start_with(|node| node.kind_of_bridge(self.rooms.clone())).await;
    }

    /// What somebody said to the bot alone, as it reads it.
    fn requests_of(&self, member: &str) -> Vec<Request> {
        let said = self.rooms.room.said().into_iter();
        let of = said.filter(|(from, said)| from.0 == member && said.to == Some(Sender(BOT.into())));
        of.map(|(_, said)| {
            assert!(!said.automatic, "a bot does not listen to programs");
            Request::parse(&said.text, Spelling::Marked).unwrap().unwrap()
        })
        .collect()
    }

    async fn says(&self, to: &str, notice: &Notice) {
        self.says_by(&self.bot, Some(to), notice).await;
    }

    async fn says_by(&self, by: &SharedRoom, to: Option<&str>, notice: &Notice) {
        let text = format!("Words for people.\n\n{notice}");
        let to = to.map(|to| Sender(to.to_owned()));
        by.say(&Outgoing { to, text, automatic: true, answers: None }).await.unwrap();
    }

    /// The card that somebody gave the bot last, once it has.
    async fn card(&self, member: &str) -> Pointer {
        let card = || {
            self.requests_of(member).into_iter().rev().find_map(|request| match request {
                Request::Join(card) => Some(*card),
                _ => None,
            })
        };
        until("the bot gets a card", async || card().is_some()).await;
        card().unwrap()
    }

    async fn wait_for(&self, member: &str, request: Request) {
        until(&format!("{member} says {request}"), async || self.requests_of(member).contains(&request))
            .await;
    }

    /// The bot gets the card of both, and says that they are on its list.
    async fn list(&self, person: &Person, member: &str) -> Pointer {
        let card = self.card(member).await;
        until("it is on the list", async || {
            self.says(member, &Notice::Joined).await;
            community(person).await.list == ListState::Listed
        })
        .await;
        card
    }
}

fn member(name: &str) -> Member {
    Member::new(name).unwrap()
}

fn meet(who: &str, card: &Pointer, asked: bool) -> Notice {
    Notice::Meet { who: member(who), card: Box::new(card.clone()), asked }
}

async fn community(person: &Person) -> CommunityView {
    person.api().get::<Vec<CommunityView>>("/v1/communities").await.unwrap().remove(0)
}

async fn introduce(person: &Person, whom: &str) -> Result<EncounterView, ApiError> {
    let whom = AskToMeet { person: whom.into(), bridge: None, name: None };
    person.api().post("/v1/encounters", &whom).await
}

async fn encounter(person: &Person) -> EncounterView {
    person.api().get::<Vec<EncounterView>>("/v1/encounters").await.unwrap().remove(0)
}

async fn requests(person: &Person) -> Vec<RequestView> {
    person.api().get("/v1/requests").await.unwrap()
}

async fn answer(person: &Person, how: &str) -> RequestView {
    let id = requests(person).await.remove(0).id;
    let path = format!("/v1/requests/{id}/{how}");
    person.api().post(&path, &AcceptRequest::default()).await.unwrap()
}

async fn friends(person: &Person) -> Vec<String> {
    let friends: Vec<FriendView> = person.api().get("/v1/friends").await.unwrap();
    friends.into_iter().map(|friend| friend.name).collect()
}

async fn asked(scene: &Scene, person: &Person, to: &str, who: &str) -> RequestView {
    until("somebody asks", async || {
        scene.says(to, &Notice::Asked(member(who))).await;
        !requests(person).await.is_empty()
    })
    .await;
    requests(person).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_agree_are_linked_without_typing_anything_more() {
    let scene = Scene::new();
    let (ann, ben) = (scene.person("ann", "@ann", true).await, scene.person("ben", "@ben", true).await);
    let (anns, bens) = (scene.list(&ann, "@ann").await, scene.list(&ben, "@ben").await);
    assert_eq!((anns.name().as_str(), anns.points().len()), ("community-rooms", 1));
    assert_eq!(scene.rooms.service.stored(), 0, "the card lies nowhere");
    let mut events = ben.node().driver().events();
    assert_eq!(introduce(&ann, "@ben").await.unwrap().state, EncounterState::Asked);
    assert_eq!(introduce(&ann, "@ben").await.unwrap_err().code, ErrorCode::Exists);
    scene.wait_for("@ann", Request::Meet(member("@ben"))).await;
    scene.says("@ann", &Notice::Asking(member("@ben"))).await;
    let request = asked(&scene, &ben, "@ben", "@ann").await;
    assert_eq!(request.text, "@bot, the bot of a room in memory, says that @ann would like to meet you");
    assert!(
        matches!(&request.what, RequestKind::Community { person, bridge, .. } if person == "@ann" && bridge == "rooms")
    );
    until("it is waited for", async || encounter(&ann).await.state == EncounterState::Waiting).await;
    assert_eq!(answer(&ben, "accept").await.state, RequestState::Accepted);
    scene.wait_for("@ben", Request::Yes(member("@ann"))).await;
    // Twice, since a service may deliver twice.
    for _ in 0..2 {
        scene.says("@ben", &meet("@ann", &anns, false)).await;
        scene.says("@ann", &meet("@ben", &bens, true)).await;
    }
    until("ann has a friend", async || friends(&ann).await == ["ben"]).await;
    until("ben has a friend", async || friends(&ben).await == ["ann"]).await;
    assert!(ann.ping("ben").await.is_ok());
    assert_eq!(ben.send("ann", "hello", Some(10_000)).await.unwrap().state, MessageState::Delivered);
    until("all is said", async || {
        let met = encounter(&ann).await;
        met.state == EncounterState::Friends
            && met.friend.as_deref() == Some("ben")
            && requests(&ben).await.is_empty()
    })
    .await;
    let view: FriendView = ben.api().get("/v1/friends/ann").await.unwrap();
    assert!(view.by_card, "that it is ann is the bot's word");
    while let Ok(event) = events.try_recv() {
        assert!(
            !matches!(&event, NodeEvent::Request { kind, .. } if kind == "knock"),
            "nobody is asked twice"
        );
    }
    assert_eq!(scene.requests_of("@ann").len(), 2, "join and meet, each once");
    assert_eq!(scene.requests_of("@ben").len(), 2, "join and yes, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_at_each_step_loses_nothing() {
    let scene = Scene::new();
    let (mut ann, mut ben) =
        (scene.person("ann", "@ann", true).await, scene.person("ben", "@ben", true).await);
    scene.restart(&mut ann).await;
    let (anns, bens) = (scene.list(&ann, "@ann").await, scene.list(&ben, "@ben").await);
    scene.restart(&mut ann).await;
    introduce(&ann, "@ben").await.unwrap();
    scene.restart(&mut ann).await;
    scene.wait_for("@ann", Request::Meet(member("@ben"))).await;
    scene.restart(&mut ann).await;
    scene.restart(&mut ben).await;
    asked(&scene, &ben, "@ben", "@ann").await;
    scene.restart(&mut ben).await;
    answer(&ben, "accept").await;
    scene.restart(&mut ben).await;
    scene.wait_for("@ben", Request::Yes(member("@ann"))).await;
    scene.restart(&mut ben).await;
    until("ben knows whom to let in", async || {
        scene.says("@ben", &meet("@ann", &anns, false)).await;
        requests(&ben).await.iter().any(|request| request.state == RequestState::Meeting)
    })
    .await;
    scene.restart(&mut ben).await;
    until("ann knows whom to meet", async || {
        scene.says("@ann", &meet("@ben", &bens, true)).await;
        encounter(&ann).await.account.is_some()
    })
    .await;
    scene.restart(&mut ann).await;
    until("ann has a friend", async || friends(&ann).await == ["ben"]).await;
    until("ben has a friend", async || friends(&ben).await == ["ann"]).await;
    assert!(ann.ping("ben").await.is_ok());
    let joins = |member: &str| {
        let requests = scene.requests_of(member);
        requests
            .iter()
            .filter(|request| matches!(request, Request::Join(card) if card.seq() == anns.seq()))
            .count()
    };
    assert!(joins("@ann") >= 1);
    assert_eq!(scene.card("@ann").await, anns, "the card stays the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_to_the_bot_and_stays() {
    let scene = Scene::new();
    let ben = scene.person("ben", "@ben", true).await;
    scene.list(&ben, "@ben").await;
    asked(&scene, &ben, "@ben", "@ann").await;
    assert_eq!(answer(&ben, "refuse").await.state, RequestState::Refused);
    scene.wait_for("@ben", Request::No(member("@ann"))).await;
    for _ in 0..5 {
        scene.says("@ben", &Notice::Asked(member("@ann"))).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(requests(&ben).await.is_empty(), "nobody is asked again");

    // The other side hears why it comes to nothing.
    introduce(&ben, "@dora").await.unwrap();
    scene.wait_for("@ben", Request::Meet(member("@dora"))).await;
    scene.says("@ben", &Notice::Unmet(member("@dora"), Unmet::Absent)).await;
    until("it came to nothing", async || encounter(&ben).await.state == EncounterState::Unmet).await;
    assert!(encounter(&ben).await.text.contains("cannot ask @dora"));
    assert!(introduce(&ben, "@dora").await.is_ok(), "it may be asked again");
}

/// What others say, what the bot says to everybody, and what nobody asked for.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_bot_is_heard_and_only_where_it_was_asked() {
    let scene = Scene::new();
    let (ann, eve) = (scene.person("ann", "@ann", true).await, scene.person("eve", "@eve", true).await);
    let mallory = scene.rooms.room.member("@mallory");
    let (_, eves) = (scene.list(&ann, "@ann").await, scene.list(&eve, "@eve").await);
    let everything =
        [Notice::Asked(member("@eve")), meet("@eve", &eves, true), meet("@eve", &eves, false), Notice::Left];
    for notice in &everything {
        scene.says_by(&mallory, Some("@ann"), notice).await;
        scene.says_by(&mallory, None, notice).await;
        scene.says_by(&scene.bot, None, notice).await;
    }
    // Cards that nobody asked for, from the bot itself, and junk, many times.
    for _ in 0..20 {
        scene.says("@ann", &everything[1]).await;
        scene.says("@ann", &everything[2]).await;
        let junk = format!("{} meet @x they-asked wayside-card:AAAA\u{0}\n", Notice::MARK).repeat(50);
        let outgoing =
            Outgoing { to: Some(Sender("@ann".into())), text: junk, automatic: true, answers: None };
        scene.bot.say(&outgoing).await.unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(community(&ann).await.list, ListState::Listed);
    assert!(
        requests(&ann).await.is_empty() && friends(&ann).await.is_empty() && friends(&eve).await.is_empty()
    );
    assert_eq!(scene.requests_of("@ann").len(), 1, "nothing is answered");
    assert_eq!(requests(&eve).await.len(), 0, "nobody is knocked at");
}

/// Our person agrees to meet Ben, and the bot names the account of somebody else: who has that account is let in, and nobody else is.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_account_that_the_bot_named_is_let_in_unasked() {
    let scene = Scene::new();
    let (ann, ben, eve) = (
        scene.person("ann", "@ann", true).await,
        scene.person("ben", "@ben", true).await,
        scene.person("eve", "@eve", true).await,
    );
    let anns = scene.list(&ann, "@ann").await;
    let (bens, eves) = (scene.list(&ben, "@ben").await, scene.list(&eve, "@eve").await);
    asked(&scene, &ann, "@ann", "@ben").await;
    answer(&ann, "accept").await;
    scene.wait_for("@ann", Request::Yes(member("@ben"))).await;
    let mut events = ann.node().driver().events();
    scene.says("@ann", &meet("@ben", &bens, false)).await;
    scene.says("@ann", &meet("@ben", &eves, false)).await;
    until("the account is shown", async || {
        let request = requests(&ann).await.remove(0);
        request.state == RequestState::Meeting && request.hint.unwrap().contains(&bens.account().to_string())
    })
    .await;
    // Eve has the card as well, and knocks: a usual request.
    let knock = Accept { invite: anns.to_string(), name: None, wait_ms: 0 };
    eve.api().post::<_, Accepted>("/v1/accept", &knock).await.unwrap();
    until("eve's knock waits", async || requests(&ann).await.len() == 2).await;
    assert!(friends(&ann).await.is_empty());
    ben.api().post::<_, Accepted>("/v1/accept", &knock).await.unwrap();
    until("ben is let in", async || friends(&ann).await == ["ben"]).await;
    assert_eq!(requests(&ann).await.len(), 1, "eve's knock still waits");
    let mut warned = false;
    while let Ok(event) = events.try_recv() {
        warned |= matches!(event, NodeEvent::Warning { what } if what.contains("named two accounts"));
    }
    assert!(warned);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_a_friend_already_is_said_to_be() {
    let scene = Scene::new();
    let (ann, ben) = (scene.person("ann", "@ann", true).await, scene.person("ben", "@ben", true).await);
    befriend(&ann, &ben).await;
    scene.list(&ann, "@ann").await;
    let bens = scene.list(&ben, "@ben").await;
    introduce(&ann, "@ben").await.unwrap();
    scene.wait_for("@ann", Request::Meet(member("@ben"))).await;
    scene.says("@ann", &meet("@ben", &bens, true)).await;
    until("it is said", async || encounter(&ann).await.state == EncounterState::Friends).await;
    let met = encounter(&ann).await;
    assert!(met.text.contains("your friend ben already") && met.text.contains("nothing new"), "{met:?}");
    assert_eq!(friends(&ann).await, ["ben"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_may_stay_off_the_list_join_and_leave() {
    let scene = Scene::new();
    let ann = scene.person("ann", "@ann", false).await;
    assert_eq!(community(&ann).await.list, ListState::Unlisted);
    let refused = introduce(&ann, "@ben").await.unwrap_err();
    assert!(refused.message.contains("wayside community join rooms"), "{refused}");
    scene.says("@ann", &Notice::Asked(member("@ben"))).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(requests(&ann).await.is_empty() && scene.requests_of("@ann").is_empty());
    let pointers = async || ann.api().get::<Vec<PointerView>>("/v1/pointers").await.unwrap().len();
    assert_eq!(pointers().await, 0);

    let change = |listed| ChangeCommunity { bot: None, listed: Some(listed) };
    let path = "/v1/communities/rooms";
    let view: CommunityView = ann.api().patch(path, &change(true)).await.unwrap();
    assert_eq!(view.list, ListState::Joining);
    scene.list(&ann, "@ann").await;
    assert_eq!(community(&ann).await.pointer.as_deref(), Some("community-rooms"));
    ann.api().patch::<_, CommunityView>(path, &change(false)).await.unwrap();
    scene.wait_for("@ann", Request::Leave).await;
    until("the card is withdrawn", async || pointers().await == 0).await;
    until("it has left", async || community(&ann).await.list == ListState::Unlisted).await;
    assert!(!crate::Home::open(&ann.home()).unwrap().bridges().unwrap()[0].bot.clone().unwrap().listed);

    // With the bridge all of it goes; the bot is told.
    ann.api().patch::<_, CommunityView>(path, &change(true)).await.unwrap();
    scene.list(&ann, "@ann").await;
    ann.api().delete::<()>("/v1/bridges/rooms").await.unwrap();
    assert_eq!(scene.requests_of("@ann").last(), Some(&Request::Leave));
    assert_eq!(pointers().await, 0);
    assert_eq!(introduce(&ann, "@ben").await.unwrap_err().code, ErrorCode::NotFound);
    assert!(ann.node().driver().store().communities().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_waited_for() {
    let scene = Scene::new();
    let ann = scene.person("ann", "@ann", true).await;
    scene.list(&ann, "@ann").await;
    scene.rooms.service.fail_with(Some(ErrorKind::Unreachable));
    until("the bridge is down", async || community(&ann).await.hint.is_some()).await;
    introduce(&ann, "@ben").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(scene.requests_of("@ann").len(), 1, "nothing is said meanwhile");
    scene.rooms.service.fail_with(None);
    for _ in 0..3 {
        if !scene.requests_of("@ann").contains(&Request::Meet(member("@ben"))) {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
    }
    scene.wait_for("@ann", Request::Meet(member("@ben"))).await;

    // Put out of the room, it goes on trying, and not faster and faster.
    scene.rooms.room.set("@ann", Standing::Banned);
    introduce(&ann, "@carl").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(!scene.requests_of("@ann").contains(&Request::Meet(member("@carl"))));
    scene.rooms.room.set("@ann", Standing::Member);
    scene.wait_for("@ann", Request::Meet(member("@carl"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_without_a_room_has_no_bot() {
    let ann = Person::new("ann", &service()).await;
    let options = [("member".to_owned(), "again".to_owned())].into();
    let community = Some(RoomBot { bot: BOT.into(), listed: true });
    let bridge = AddBridge { kind: "memory".into(), options, community, ..AddBridge::default() };
    let refused = ann.api().post::<_, BridgeView>("/v1/bridges", &bridge).await.unwrap_err();
    assert!(refused.message.contains("nobody talks over a memory bridge"), "{refused}");
    let change = ChangeCommunity { bot: Some(BOT.into()), listed: None };
    let refused = ann.api().patch::<_, CommunityView>("/v1/communities/memory", &change).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Usage);
    let refused = ann.api().patch::<_, CommunityView>("/v1/communities/none", &change).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotFound);
}
