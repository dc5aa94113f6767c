//! Invites that are scanned and carried: files there and back with no bridge at all, and codes in pictures.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Person, World, until};

/// Somebody who has no bridge, and listens at one port whenever a node of theirs runs.
fn alone(world: &World, name: &str) -> Person {
    let person = world.stranger(name);
    let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let config = person.home.join("config.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, text.replace("udp://127.0.0.1:0", &format!("udp://127.0.0.1:{port}")))
        .expect("it is written");
    person
}

/// A path in the folder that people carry about.
fn at(world: &World, name: &str) -> String {
    world.path().join(name).to_str().expect("text").to_owned()
}

fn accept(person: &Person, file: &str, reply: &str) -> Value {
    let accepted = person.run(&["accept", "--yes", file, "--reply", reply]).object();
    assert_eq!(accepted["state"], "done", "{accepted}");
    accepted
}

fn friends(person: &Person) -> Vec<String> {
    let shown = person.run(&["friends"]);
    shown.ok().objects().iter().map(|friend| friend["name"].as_str().expect("a name").to_owned()).collect()
}

fn linked(person: &Person, friend: &str) -> bool {
    let shown = person.run(&["friends"]);
    shown.ok().objects().iter().any(|it| it["name"] == friend && it["link"] == "up")
}

#[test]
fn a_file_there_and_one_back_and_no_bridge_at_all() {
    let world = World::new();
    let (mut ada, mut ben) = (alone(&world, "Ada"), alone(&world, "Benn"));
    let (file, reply) = (at(&world, "ada.wayside"), at(&world, "ben.wayside"));
    let made = ada.run(&["invite", "--file", &file]).object();
    assert_eq!(
        (&made["file"], &made["replies"]),
        (&Value::from(file.as_str()), &Value::from(true)),
        "{made}"
    );
    let text = fs::read_to_string(&file).expect("a file");
    assert!(text.starts_with("# An invitation to become friends over wayside, from Ada."), "{text}");
    assert!(text.lines().all(|line| line.len() < 120), "{text}");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    // It is not written over, and no invite is made for nothing.
    ada.run(&["invite", "--file", &file]).fails(9);
    assert_eq!(fs::read_to_string(&file).expect("a file"), text);

    let accepted = accept(&ben, &file, &reply);
    assert_eq!(accepted["friend"], "Ada");
    assert_eq!((friends(&ben), friends(&ada)), (vec!["Ada".to_owned()], vec![]));
    let first = fs::read_to_string(&reply).expect("a reply");
    assert!(first.starts_with("# The reply to an invitation"), "{first}");
    ben.run(&["accept", "--yes", &file, "--reply", &reply]).fails(9);
    ben.run(&["accept", "--yes", &file, "--reply", &reply, "--force"]).ok();
    assert_eq!(fs::read_to_string(&reply).expect("a reply"), first, "the same file is the same reply");

    let completed = ada.run(&["complete", &reply]).object();
    assert_eq!((&completed["state"], &completed["friend"]), (&"done".into(), &"Benn".into()), "{completed}");
    assert_eq!(friends(&ada), ["Benn"]);
    // Neither was up until here.
    ada.up_with(&["up"]);
    ben.up_with(&["up"]);
    until("both are linked", Duration::from_secs(90), || linked(&ben, "Ada").then_some(()));
    ben.run(&["ping", "Ada"]).ok();
    assert_eq!(ben.send("Ada", "by a stick and back", "60s"), "delivered");
    assert_eq!(ada.inbox(), ["by a stick and back"]);
    assert_eq!(ada.run(&["complete", &reply]).object()["state"], "done", "the same again changes nothing");
    assert!(linked(&ada, "Benn"));

    // They meet again where they were then: both ended in good order, and then one of them not.
    ada.down();
    ben.down();
    ben.up_with(&["up"]);
    ada.up_with(&["up"]);
    until("both are linked again", Duration::from_secs(90), || linked(&ben, "Ada").then_some(()));
    assert_eq!(ada.send("Benn", "the next day", "60s"), "delivered");
    ben.kill();
    ben.up_with(&["up"]);
    assert_eq!(ben.send("Ada", "after a power cut", "90s"), "delivered");
    assert_eq!(ada.inbox(), ["after a power cut"]);
}

#[test]
fn files_and_replies_that_lead_to_nothing_say_why() {
    let world = World::new();
    let people = ["Ada", "Benn", "Cleo"].map(|name| alone(&world, name));
    let [ada, ben, cleo] = &people;
    let [file, bens, cleos, other] = ["ada", "ben", "cleo", "other"].map(|name| at(&world, name));
    ada.run(&["invite", "--file", &file]).ok();
    accept(ben, &file, &bens);
    accept(cleo, &file, &cleos);
    assert!(ada.run(&["accept", "--yes", &file]).fails(5).contains("own invite"));
    assert!(cleo.run(&["complete", &bens]).fails(5).contains("no invite of this account"));
    ada.run(&["complete", &cleos]).ok();
    assert!(ada.run(&["complete", &bens]).fails(5).contains("used already"));
    assert_eq!(friends(ada), ["Cleo"]);
    // The one for the other.
    assert!(ada.run(&["complete", &file]).fails(2).contains("wayside accept"));
    assert!(ben.run(&["accept", &bens]).fails(2).contains("wayside complete"));

    let text = fs::read_to_string(&file).expect("a file");
    let damages = |damaged: &str, what: &str| {
        fs::write(&other, damaged).expect("a file");
        let refused = ben.run(&["accept", "--yes", &other]);
        assert!(refused.fails(5).contains(what), "{refused:?}");
    };
    damages(&text[..text.len() - 30], "cut short or damaged");
    let middle = text.len() - 300;
    let changed = if &text[middle..=middle] == "A" { "B" } else { "A" };
    damages(&format!("{}{changed}{}", &text[..middle], &text[middle + 1..]), "cut short or damaged");
    let replied = fs::read_to_string(&bens).expect("a reply");
    fs::write(&other, &replied[..replied.len() - 9]).expect("a file");
    assert!(ada.run(&["complete", &other]).fails(5).contains("cut short or mistyped"));
    ada.run(&["invite", "--file", &other, "--force", "--expires", "1s"]).ok();
    std::thread::sleep(Duration::from_millis(2500));
    let ended = ben.run(&["accept", "--yes", &other]);
    assert!(ended.fails(5).contains("ended") || ended.fails(5).contains("expired"), "{ended:?}");

    // A gigabyte, a pipe that nobody writes to, a device, a folder: at once, and nothing of it is read.
    fs::File::create(&other).and_then(|file| file.set_len(1 << 30)).expect("a sparse file");
    let pipe = at(&world, "pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("it runs").success());
    for (what, why) in [(&*other, "too large"), (&*pipe, "no file"), ("/dev/zero", "no file")] {
        for arguments in
            [&["accept", "--yes", what][..], &["complete", what], &["accept", "--yes", "--qr", what]]
        {
            let began = Instant::now();
            let refused = ben.run(arguments);
            let sentence = refused.fails(2);
            assert!(sentence.contains(why) || sentence.contains("larger than"), "{sentence}");
            assert!(began.elapsed() < Duration::from_secs(10), "{refused:?}");
        }
    }
}

#[test]
fn where_both_share_a_folder_a_file_needs_no_reply() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.person("Benn"));
    ada.up();
    let (file, reply) = (at(&world, "ada.wayside"), at(&world, "ben.wayside"));
    assert_eq!(ada.run(&["invite", "--file", &file]).object()["replies"], false);
    let text = fs::read_to_string(&file).expect("a file");
    let accepted = ben.run_with(&["accept", "-", "--wait", "60s"], &text).object();
    assert_eq!((&accepted["state"], &accepted["friend"]), (&"done".into(), &"Ada".into()), "{accepted}");
    assert_eq!(accepted.get("reply"), None);
    ben.run(&["ping", "Ada"]).ok();
    // Asked for one afterwards, there is none to give.
    assert_eq!(accept(&ben, &file, &reply).get("reply"), None);
    assert!(!Path::new(&reply).exists());
    world.until_tidy();
}

#[test]
fn an_invite_is_scanned() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.person("Benn"));
    ada.up();
    let [png, svg] = ["invite.png", "invite.svg"].map(|name| at(&world, name));
    let made = ada.run(&["invite", "--png", &png, "--svg", &svg]).object();
    assert!(made["invite"].as_str().expect("text").starts_with("wayside:"), "{made}");
    for picture in [&png, &svg] {
        assert_eq!(fs::metadata(picture).expect("a picture").permissions().mode() & 0o777, 0o600);
    }
    ada.run(&["invite", "--png", &png]).fails(9);
    let accepted = ben.run(&["accept", "--yes", "--wait", "60s", "--qr", &png]).object();
    assert_eq!((&accepted["state"], &accepted["friend"]), (&"done".into(), &"Ada".into()), "{accepted}");
    // Printed, half blocks stand under the line that they stand for.
    let shown = ada.run_plain(&["invite", "--qr"]);
    assert!(shown.ok().stdout.contains('▀') && shown.stdout.contains("wayside:"), "{shown:?}");
    assert!(ada.run(&["invite", "--qr"]).fails(2).contains("--png"));
    // Whatever a code says is read as any other invite.
    let garbage = format!("{}/src/cli/fixtures/photo.jpg", env!("CARGO_MANIFEST_DIR"));
    ben.run(&["accept", "--yes", "--qr", &garbage]).fails(5);
    ben.run(&["accept", "--yes", "--qr", &svg]).fails(2);
}
