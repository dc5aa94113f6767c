//! `wayside bot email` as a subscriber of a list: people with plain mail programs, programs of wayside, and whoever else writes to it.
//!
//! `tests/run email` starts the servers; without any every test is skipped and says so.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::pointers::request;
use crate::support::mail_lab::{Mail, MailLab, Mailbox};
use crate::support::{PATIENCE, Person, Running, World, program, until};

/// A meeting by mail: some mails one after another, each about two seconds.
const MEETING: Duration = Duration::from_secs(150);

/// A list with a bot on it.
struct Scene {
    lab: MailLab,
    world: World,
    list: String,
    bot: Mailbox,
    /// Who is not subscribed.
    outsider: Mailbox,
    /// Prints who is subscribed.
    members: String,
}

impl Scene {
    /// A list to which these are subscribed, and a bot.
    fn new(names: &[&str]) -> Option<(Self, Vec<Mailbox>)> {
        let lab = MailLab::started()?;
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        let unique = format!("{:x}{}", since.as_millis() & 0xfff_ffff, names.len());
        let domains = ["one.test", "two.test"].into_iter().cycle();
        let people: Vec<Mailbox> = names
            .iter()
            .zip(domains)
            .map(|(name, domain)| lab.mailbox(&format!("{name}-{unique}@{domain}")))
            .collect();
        let bot = lab.mailbox(&format!("bot-{unique}@one.test"));
        let list = format!("bees-{unique}@lists.test");
        let outsider = lab.mailbox(&format!("eve-{unique}@two.test"));
        let folder = lab.list(&list, &people.iter().chain([&bot]).collect::<Vec<_>>());
        lab.settle();
        let members = format!("mlmmj-list -L {}", folder.display());
        Some((Self { lab, world: World::new(), list, bot, outsider, members }, people))
    }

    fn bot_command(&self, who: &Mailbox, more: &[&str]) -> Command {
        let state = self.world.path().join(format!("bot {}", who.address));
        let mut command = program();
        command.args(["--json", "bot", "email", "--state"]).arg(state).args(self.lab.bridge(who, &self.list));
        command.args(["--hears", "all", "--members-command", &self.members]).args(more);
        command
    }

    /// The bot at work.
    fn start_bot(&self, more: &[&str]) -> Running {
        let bot = Running::start(self.bot_command(&self.bot, more));
        let ready = bot.event("ready");
        assert_eq!(ready["name"], self.bot.address.as_str(), "{ready}");
        assert!(ready["room"].as_str().is_some_and(|room| room.contains(&self.list)), "{ready}");
        bot
    }

    /// Somebody with a mailbox and a home, who has the list as a bridge.
    fn person(&self, name: &str, mailbox: &Mailbox, more: &[&str]) -> Person {
        let person = self.world.stranger(name);
        let mut add = ["bridge", "add", "email", "--name", "bees"].map(str::to_owned).to_vec();
        add.extend(self.lab.bridge(mailbox, &self.list));
        add.extend(more.iter().map(|word| (*word).to_owned()));
        person.run(&add).ok();
        person
    }

    /// A card as a person pastes it into a mail, whose program breaks lines.
    fn card(&self, person: &Person, name: &str) -> String {
        let card = person.home.join("card");
        let path = card.to_str().expect("text").to_owned();
        let published =
            person.run(&["pointer", "publish", name, "--bridge", "bees", "--file", &path]).object();
        let card = published["card"].as_str().expect("text").to_owned();
        let lines: Vec<_> = card.as_bytes().chunks(70).map(String::from_utf8_lossy).collect();
        lines.join("\r\n")
    }

    /// Puts somebody on the bot's list, by plain mails.
    fn joins(&self, person: &Person, mailbox: &Mailbox) {
        let card = self.card(person, &person.name.to_lowercase());
        mailbox.says(
            &self.bot.address,
            &format!("join {card}\r\n\r\n-- \r\n{}", person.name),
            "You are on the list now",
        );
    }
}

/// Waits until somebody is asked whether to let in who knocks, and says yes.
fn lets_in(person: &Person) {
    until("somebody knocks", MEETING, || (!person.run(&["requests"]).ok().stdout.is_empty()).then_some(()));
    let id = request(person)["id"].as_str().expect("text").to_owned();
    person.run(&["request", "accept", &id]).ok();
}

fn become_friends(one: &Person, other: &Person) {
    for (who, whom) in [(one, other), (other, one)] {
        until("they are friends", MEETING, || {
            let friends = who.run(&["friends"]);
            friends.ok().objects().iter().any(|friend| friend["name"] == whom.name.as_str()).then_some(())
        });
    }
    assert_eq!(one.send(&other.name, "hello", "120s"), "delivered");
    assert_eq!(other.inbox(), ["hello"]);
}

#[test]
fn members_meet_by_plain_mails_and_by_a_program() {
    let Some((scene, people)) = Scene::new(&["ann", "ben", "cora"]) else { return };
    let [by_ann, by_ben, by_cora] = &people[..] else { panic!("three") };
    let bot = scene.bot.address.as_str();
    let running = scene.start_bot(&["--owner", &by_ann.address]);
    let mut ann = scene.person("Ann", by_ann, &[]);
    let mut ben = scene.person("Ben", by_ben, &[]);
    ann.up();
    ben.up();

    let help = by_ben.says(bot, "Help\r\n\r\nThanks!", "I introduce people of this room");
    assert_eq!(help.header("Auto-Submitted"), "auto-generated", "{help:?}");
    scene.joins(&ann, by_ann);
    scene.joins(&ben, by_ben);
    let listed = by_ben.says(bot, "list", "can be asked");
    assert!(listed.text.contains(&by_ann.address), "{listed:?}");
    by_ben.says(bot, &format!("meet {}", by_ann.address), "is asked. You hear from me");
    let asked = by_ann.next_with(bot, "would like to meet you", 0);
    assert!(by_ben.with(bot, "wayside accept wayside-card:").is_empty(), "nobody has said yes yet");
    let before = by_ann.confirmations(bot).len();
    by_ann.answer(&asked, &format!("Yes {}", by_ben.address));
    by_ann.confirms(bot, before);
    let card = by_ben.next_with(bot, "You and", 0).word("wayside-card:");
    let accepted = ben.run(&["accept", &card, "--yes", "--wait", "1s"]);
    assert!(matches!(accepted.code, Some(0 | 3)), "{accepted:?}");
    lets_in(&ann);
    become_friends(&ben, &ann);

    // Cora has the list as a bridge, and types none of it.
    let mut cora = scene.person("Cora", by_cora, &["--bot", bot]);
    cora.up();
    until("she is on the list", MEETING, || {
        let communities = cora.run(&["community", "list"]).objects();
        (communities[0]["list"] == "listed").then_some(())
    });
    cora.run(&["introduce", &by_ann.address]).ok();
    let asked = by_ann.next_with(bot, &by_cora.address, 0);
    let before = by_ann.confirmations(bot).len();
    by_ann.answer(&asked, &format!("yes {}", by_cora.address));
    by_ann.confirms(bot, before);
    lets_in(&ann);
    become_friends(&cora, &ann);

    // It ends in good order, and what it was told outlives it.
    let (code, _, errors) = running.terminate();
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let _again = scene.start_bot(&["--owner", &by_ann.address]);
    by_ben.says(bot, "leave", "nothing of yours is kept");
    let listed = by_ann.says(bot, "list", "can be asked");
    assert!(listed.text.contains(&by_cora.address) && !listed.text.contains(&by_ben.address), "{listed:?}");
    let nobody: Vec<Mail> =
        by_ben.mails().into_iter().filter(|mail| mail.text.contains("BEGIN WAYSIDE")).collect();
    assert!(nobody.iter().all(|mail| !mail.text.contains("Ann")), "{nobody:?}");
}

/// Whoever is not who they seem, and programs.
#[test]
fn nobody_is_introduced_by_those_who_are_not_who_they_seem() {
    let Some((scene, people)) = Scene::new(&["dan", "ellen"]) else { return };
    let [by_dan, by_ellen] = &people[..] else { panic!("two") };
    let bot = scene.bot.address.as_str();
    let _running = scene.start_bot(&[]);
    let dan = scene.person("Dan", by_dan, &[]);
    let ellen = scene.person("Ellen", by_ellen, &[]);
    scene.joins(&dan, by_dan);
    scene.joins(&ellen, by_ellen);

    // Who is not subscribed is not even asked: whoever wrote may have made the address up.
    let eve = &scene.outsider;
    eve.write(bot, "hello", "list");
    // A bounce, and what a program says of itself.
    let to_bot = |from: &str, headers: &str, text: &str| scene.bot.is_brought(from, headers, text);
    to_bot("MAILER-DAEMON@two.test", "Subject: Undelivered\r\n", "help");
    to_bot(&by_dan.address, "Subject: x\r\nAuto-Submitted: auto-generated\r\n", "help");
    to_bot(&by_dan.address, "Subject: x\r\nAuto-Submitted: auto-replied\r\n", "help");
    to_bot(&by_dan.address, "Subject: x\r\nPrecedence: bulk\r\n", "help");
    let dans = by_dan.mails().len();
    by_dan.gets_nothing_more_than(dans);
    eve.gets_nothing_more_than(0);

    by_ellen.says(bot, &format!("meet {}", by_dan.address), "is asked. You hear from me");
    by_dan.next_with(bot, "would like to meet you", 0);
    // Somebody says yes in Dan's name, with the results of a server's checks that no server of ours made. Dan is away, and his vacation responder answers.
    let ellens = by_ellen.mails().len();
    let yes = format!("yes {}", by_ellen.address);
    let results = "Authentication-Results: mx.two.test; dkim=pass header.d=one.test\r\n";
    let before = by_dan.confirmations(bot).len();
    to_bot(&by_dan.address, &format!("{results}Subject: yes\r\n"), &yes);
    let asked =
        until("Dan is asked whether it was him", PATIENCE, || by_dan.confirmations(bot).get(before).cloned());
    assert!(asked.text.contains(&format!("> {yes}")), "{asked:?}");
    let subject = format!("Subject: Automatic reply: {}\r\n", asked.header("Subject"));
    to_bot(&by_dan.address, &format!("{subject}Auto-Submitted: auto-replied\r\n"), "I am away.");
    let guess = format!("Subject: Re: (wayside-room {})\r\n", "0".repeat(32));
    to_bot(&by_dan.address, &guess, "Yes.");
    by_ellen.gets_nothing_more_than(ellens);

    // He says no, and she is not told of it.
    by_dan.says(bot, &format!("no {}", by_ellen.address), "You are not introduced to");
    by_ellen.gets_nothing_more_than(ellens);
    assert!(by_ellen.with(bot, "wayside accept").is_empty() && by_dan.with(bot, "You and").is_empty());
}

#[test]
fn what_is_not_urgent_is_gathered() {
    let Some((scene, people)) = Scene::new(&["finn", "gil", "hal", "ina"]) else { return };
    let bot = scene.bot.address.as_str();
    let _running = scene.start_bot(&["--gather", "1"]);
    let homes: Vec<Person> = people
        .iter()
        .zip(["Finn", "Gil", "Hal", "Ina"])
        .map(|(by, name)| scene.person(name, by, &[]))
        .collect();
    for (home, by) in homes.iter().zip(&people) {
        scene.joins(home, by);
    }
    let [by_finn, others @ ..] = &people[..] else { panic!("four") };
    let began = Instant::now();
    for other in others {
        // What they ask themselves is answered at once.
        other.says(bot, &format!("meet {}", by_finn.address), "is asked. You hear from me");
    }
    assert!(
        began.elapsed() < Duration::from_secs(50),
        "this machine is too slow to see it: {:?}",
        began.elapsed()
    );
    let told = || by_finn.with(bot, "would like to meet you");
    assert_eq!(told().len(), 1, "the first at once");
    until("the rest is told together", Duration::from_secs(90), || (told().len() == 2).then_some(()));
    let rest = told().remove(1);
    for other in &others[1..] {
        assert!(rest.text.contains(&format!("Say `yes {}`", other.address)), "{rest:?}");
    }
}

/// Two bots on one list, and somebody who has the one write to the other.
#[test]
fn two_bots_do_not_feed_each_other() {
    let Some((scene, people)) = Scene::new(&["second", "jo"]) else { return };
    let [second, by_jo] = &people[..] else { panic!("two") };
    let _one = scene.start_bot(&[]);
    let other = Running::start(scene.bot_command(second, &[]));
    other.event("ready");
    let bot = &scene.bot;
    bot.is_brought(&second.address, "Subject: x\r\n", "help");
    second.is_brought(&bot.address, "Subject: x\r\n", "help");
    // Through the list, and to both at once.
    by_jo.write(&scene.list, "hello", "!help");
    for by_bot in [bot, second] {
        by_jo.confirms(&by_bot.address, 0);
        by_jo.next_with(&by_bot.address, "I introduce people of this room", 0);
    }
    std::thread::sleep(Duration::from_secs(8));
    for (one, other) in [(bot, second), (second, bot)] {
        let came = one.with(&other.address, "");
        // What was brought in its name, and the question whether it was.
        assert_eq!(came.len(), 2, "{came:?}");
    }
    assert_eq!(by_jo.with(&bot.address, "").len(), 2, "a question and help");
}
