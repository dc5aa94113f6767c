//! `wayside bot matrix` in a room whose members have nothing but a stock client, on the homeserver of `MATRIX_URL`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::matrix_room::homeserver;
use crate::support::matrix::Member;
use crate::support::{PATIENCE, Running, World, program, until};

/// Within so long the bot would have said it, were it to say something.
const A_WHILE: Duration = Duration::from_secs(3);

/// A bot's account, its folder, and the process.
struct Bot {
    account: Member,
    folder: PathBuf,
    room: String,
    url: String,
    running: Option<Running>,
}

impl Bot {
    fn start(folder: &Path, url: &str, room: &str) -> Self {
        let account = Member::register(url, "introducer");
        let folder = folder.join(&account.password);
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("password"), &account.password).expect("a file");
        let mut bot = Self { account, folder, room: room.to_owned(), url: url.to_owned(), running: None };
        bot.up();
        bot
    }

    fn up(&mut self) {
        let mut command = program();
        command.args(["bot", "matrix", "--json", "--homeserver", &self.url, "--user", &self.account.user]);
        command.args(["--room", &self.room, "--password-file"]).arg(self.folder.join("password"));
        command.arg("--state").arg(self.folder.join("state"));
        let running = Running::start(command);
        let ready = running.event("ready");
        assert_eq!(ready["name"], self.account.user.as_str());
        self.running = Some(running);
    }

    fn user(&self) -> &str {
        &self.account.user
    }
}

/// A card of somebody who has a home, as they would paste it.
fn card(world: &World, name: &str) -> String {
    let published = world.person(name).run(&["pointer", "publish", &name.to_lowercase()]).object();
    published["card"].as_str().expect("a card").to_owned()
}

/// What `meet` said of somebody, as its line for programs has it.
fn met(who: &str, asked: bool, card: &str) -> String {
    let by = if asked { "you-asked" } else { "they-asked" };
    format!("wayside-bot: meet {who} {by} {card}")
}

#[test]
fn the_bot_introduces_members_who_both_want_it_and_nobody_else() {
    let Some(url) = homeserver() else { return };
    let world = World::new();
    let mut owner = Member::register(&url, "owner");
    let room = owner.make_room();
    let [mut ann, mut ben, mut cat, mut dan] =
        ["ann", "ben", "cat", "dan"].map(|name| Member::register(&url, name));
    for member in [&ann, &ben, &cat, &dan] {
        member.join(&room);
    }
    let mut bot = Bot::start(world.path(), &url, &room);
    let cards = ["Ann", "Ben", "Cat", "Dan"].map(|name| card(&world, name));
    for (member, card) in [&mut ann, &mut ben, &mut cat, &mut dan].into_iter().zip(&cards) {
        member.talk_to(bot.user());
        member.say(&format!("!join {card}"));
        member.hears("wayside-bot: joined");
    }
    ann.say("!help");
    assert!(ann.hears("meet").contains("leave"));
    ann.say("list");
    assert!(ann.hears("4 can be asked").contains(&dan.user));

    // Three are introduced to one another, each pair by itself.
    introduce(&mut ben, &mut ann, [&cards[1], &cards[0]]);
    introduce(&mut cat, &mut ann, [&cards[2], &cards[0]]);
    introduce(&mut ben, &mut cat, [&cards[1], &cards[2]]);

    // Who does not want to is not introduced, and whoever asked is told nothing of it.
    ben.say(&format!("!meet {}", dan.user));
    ben.hears(&format!("wayside-bot: asking {}", dan.user));
    dan.hears(&format!("wayside-bot: asked {}", ben.user));
    dan.say(&format!("!no {}", ben.user));
    ben.hears_nothing_for(A_WHILE);
    assert!(dan.news().iter().all(|said| !said.contains("wayside-card:")));

    // A yes that nobody asked for introduces nobody.
    dan.say(&format!("!yes {}", cat.user));
    cat.hears_nothing_for(A_WHILE);

    strangers_are_nobody(&url, &bot, &mut ben);
    who_is_banned_is_forgotten(&owner, &room, &mut bot, [&mut ann, &mut ben, &mut cat]);

    // In the room itself the bot has said nothing at all.
    assert_eq!(ann.said_in(&room), Vec::<String>::new());
    owner.talk_to(bot.user());
    owner.say(&format!("!forget {}", dan.user));
    owner.hears(&dan.user);
    ann.say("!list");
    assert!(!ann.hears("can be asked").contains(&dan.user), "a moderator took them off the list");
}

/// The one asks, the other says yes, and each has the other's card, with the commands for people.
fn introduce(one: &mut Member, other: &mut Member, cards: [&str; 2]) {
    one.say(&format!("!meet {}", other.user));
    other.hears(&format!("wayside-bot: asked {}", one.user));
    assert!(one.news().iter().all(|said| !said.contains("wayside-card:")), "not before a yes");
    other.say(&format!("yes {}", one.user));
    let said = one.hears(&met(&other.user, true, cards[1]));
    assert!(said.contains("wayside accept"), "{said}");
    other.hears(&met(&one.user, false, cards[0]));
}

/// Who is not in the room is not listened to, and cannot be asked for.
fn strangers_are_nobody(url: &str, bot: &Bot, ben: &mut Member) {
    let mut eve = Member::register(url, "eve");
    let room = eve.ask_for_talk(bot.user());
    eve.say(&format!("!meet {}", ben.user));
    ben.say(&format!("!meet {}", eve.user));
    ben.hears(&format!("wayside-bot: unmet {} absent", eve.user));
    std::thread::sleep(A_WHILE);
    assert_eq!(eve.membership(&room, bot.user()), "invite", "an invitation of a stranger is left alone");
    assert_eq!(eve.news(), Vec::<String>::new());
}

/// Who is banned is on no list, is not heard and cannot be asked for, and who left is forgotten, also after the bot was away.
fn who_is_banned_is_forgotten(owner: &Member, room: &str, bot: &mut Bot, [ann, ben, cat]: [&mut Member; 3]) {
    cat.say("!leave");
    cat.hears("wayside-bot: left");
    assert!(listed(ann).contains(&ben.user));
    owner.act(room, "ban", &ben.user);
    until("ben is on no list", PATIENCE, || (!listed(ann).contains(&ben.user)).then_some(()));
    ben.say(&format!("!meet {}", ann.user));
    ben.hears_nothing_for(A_WHILE);
    ann.say(&format!("!meet {}", ben.user));
    ann.hears(&format!("wayside-bot: unmet {} absent", ben.user));

    bot.running = None;
    bot.up();
    let listed = listed(ann);
    assert!(listed.contains(&ann.user), "the list outlived the restart: {listed}");
    assert!(!listed.contains(&ben.user) && !listed.contains(&cat.user), "{listed}");
}

fn listed(member: &mut Member) -> String {
    member.say("!list");
    member.hears("can be asked")
}

/// Two bots in one room answer a member each, and one another never.
#[test]
fn two_bots_do_not_feed_each_other() {
    let Some(url) = homeserver() else { return };
    let world = World::new();
    let owner = Member::register(&url, "owner");
    let room = owner.make_room();
    let bots = [Bot::start(world.path(), &url, &room), Bot::start(world.path(), &url, &room)];
    let ann = Member::register(&url, "ann");
    ann.join(&room);
    ann.say_in(&room, "!help");
    // Each opens a room of two for its answer.
    let mut invitations = Vec::new();
    until("both answer", PATIENCE, || {
        invitations = ann.invitations();
        (invitations.len() == 2).then_some(())
    });
    for invitation in &invitations {
        ann.join(invitation);
    }
    // Their own rooms of two, if they made any: each would be invited by the other.
    std::thread::sleep(A_WHILE);
    for invitation in &invitations {
        assert_eq!(ann.said_in(invitation).len(), 1, "one answer each");
    }
    assert_eq!(ann.said_in(&room), Vec::<String>::new());
    for bot in &bots {
        assert_eq!(bot.account.invitations(), Vec::<String>::new());
        assert_eq!(
            bot.account.ask("GET", "v3/joined_rooms", &Value::Null)["joined_rooms"]
                .as_array()
                .expect("rooms")
                .len(),
            2
        );
    }
}
