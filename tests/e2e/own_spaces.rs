//! Nodes over web space and over DNS zones, on the servers that `tests/run web` and `tests/run dns` start: one that two share, and one of each, where an
//! invite is answered by a line that is sent back.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::{Person, World, befriend, until};

/// How long two may take to meet: a look each 15 s, and caches.
const MEETING: Duration = Duration::from_secs(120);

/// Says past the test runner's capture why it was not tested: that is a failure in the stage that has the server, and nowhere else.
fn skip(reason: &str) {
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "skipped: {reason}");
    // Without stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// A folder of nginx' that is written by WebDAV.
struct Web {
    url: String,
    folder: PathBuf,
}

impl Web {
    fn new() -> Option<Self> {
        let (Ok(url), Some(dir)) = (std::env::var("WAYSIDE_WEB_URL"), std::env::var_os("WAYSIDE_WEB_DIR"))
        else {
            skip("there is no web server: `tests/run web` starts one");
            return None;
        };
        let name = format!("e2e-{}", fresh());
        let folder = Path::new(&dir).join("www").join(&name);
        make(&folder);
        Some(Self { url: format!("{url}/{name}"), folder })
    }

    /// Somebody who writes in a folder of it.
    fn person(&self, world: &World, name: &str, folder: &str, options: &[&str]) -> Person {
        make(&self.folder.join(folder));
        let (user, password) = if name.len() % 2 == 1 { ("u1", "pw1") } else { ("u2", "pw2") };
        let file = private(&world.path().join(format!("password of {name}")), password);
        let write = format!("dav+{}/{folder}/", self.url);
        let person = world.stranger(name);
        let add = ["bridge", "add", "web", "--write", &write, "--user", user, "--password-file", &file];
        person.run(&[&add[..], options].concat()).ok();
        person
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A name that nobody has used there.
fn fresh() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("{now:x}-{:x}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// For whoever nginx runs as.
fn make(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("its mode");
}

fn private(path: &Path, contents: &str) -> String {
    fs::write(path, contents).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
    path.to_str().expect("text").to_owned()
}

/// Somebody with a zone at BIND, which others read through its forwarder.
fn with_a_zone(world: &World, name: &str, zone: &str, options: &[&str]) -> Option<Person> {
    let setting = |name: &str| std::env::var(name).ok();
    let (Some(server), Some(cache), Some(keys)) =
        (setting("WAYSIDE_DNS_SERVER"), setting("WAYSIDE_DNS_CACHE"), setting("WAYSIDE_DNS_KEYS"))
    else {
        skip("there is no name server: `tests/run dns` starts one");
        return None;
    };
    let key = format!("{keys}/{}.key", if name.len() % 2 == 1 { "ada" } else { "ben" });
    let person = world.stranger(name);
    let add = ["bridge", "add", "dns", "--zone", zone, "--server", &server, "--tsig-file", &key];
    person.run(&[&add[..], &["--resolver", &cache], options].concat()).ok();
    Some(person)
}

/// A domain name below a zone of BIND's.
fn fresh_zone() -> String {
    format!("e2e-{}.wayside.test", fresh())
}

/// That what is said gets there, both ways.
fn talk(ada: &Person, ben: &Person) {
    assert_eq!(ben.send(&ada.name, "over the web and back", "120s"), "delivered");
    assert_eq!(ada.inbox(), ["over the web and back"]);
    assert_eq!(ada.send(&ben.name, "so it is", "120s"), "delivered");
    assert_eq!(ben.inbox(), ["so it is"]);
}

/// Accepts, and has the line that is to be sent back.
fn reply(joiner: &Person, invite: &str) -> String {
    let accepted = joiner.run(&["accept", "--yes", "--wait", "100s", invite]);
    assert_eq!(accepted.code, Some(3), "{accepted:?}");
    let said = accepted.objects();
    assert_eq!(said[0]["state"], "pending", "{accepted:?}");
    said[0]["reply"].as_str().expect("a reply").to_owned()
}

/// Two who read each other's spaces become friends, with a restart of both between any two steps.
fn meet_by_reply(ada: &mut Person, ben: &mut Person, bridge: &str) -> String {
    ada.up();
    ben.up();
    let invite = ada.invite(&["--bridge", bridge]);
    let line = reply(ben, &invite);
    assert!(line.starts_with("wayside-reply:") && line.len() < 200, "{line}");
    ben.kill();
    ada.kill();
    ada.up();
    ben.up();
    assert_eq!(reply_again(ben, &invite), line, "the same line after a restart");
    // Whoever it was not meant for is told so, and a damaged one is told apart.
    let wrong = ben.run(&["complete", "--yes", "--wait", "1s", &line]);
    assert!(wrong.fails(5).contains("no invite"), "{wrong:?}");
    ada.run(&["complete", "--yes", "--wait", "1s", &line[..line.len() - 3]]).fails(5);
    let completed = ada.run(&["complete", "--yes", "--wait", "120s", &line]).object();
    assert_eq!(completed["state"], "done", "{completed}");
    assert_eq!(completed["friend"], ben.name.as_str(), "{completed}");
    until("both are linked", MEETING, || linked(ben, &ada.name).then_some(()));
    talk(ada, ben);
    // They meet again without any line.
    ada.down();
    ben.down();
    ada.up();
    ben.up();
    ada.run(&["ping", &ben.name]).ok();
    let again = ada.run(&["complete", "--yes", "--wait", "10s", &line]).object();
    assert_eq!(again["state"], "done", "the same line again changes nothing");
    line
}

/// Two who write in one place become friends, and find each other again when both were away.
fn meet_by_invite(ada: &mut Person, ben: &mut Person) {
    ada.up();
    ben.up();
    befriend(ada, ben);
    talk(ada, ben);
    ada.down();
    ben.down();
    ada.up();
    ben.up();
    ben.run(&["ping", "Ada"]).ok();
}

fn reply_again(joiner: &Person, invite: &str) -> String {
    let accepted = joiner.run(&["accept", "--yes", "--wait", "1s", invite]);
    assert_eq!(accepted.code, Some(3), "{accepted:?}");
    accepted.objects()[0]["reply"].as_str().expect("a reply").to_owned()
}

fn linked(person: &Person, friend: &str) -> bool {
    let shown = person.run(&["friends"]);
    shown.ok().objects().iter().any(|it: &Value| it["name"] == friend && it["link"] == "up")
}

#[test]
fn web_space_that_two_share_serves_an_invite() {
    let Some(web) = Web::new() else { return };
    let world = World::new();
    let mut ada = web.person(&world, "Ada", "both", &["--shared", "yes"]);
    let mut ben = web.person(&world, "Benn", "both", &["--shared", "yes"]);
    meet_by_invite(&mut ada, &mut ben);
}

#[test]
fn web_spaces_of_their_own_meet_by_a_reply() {
    let Some(web) = Web::new() else { return };
    let world = World::new();
    let (mut ada, mut ben) = (web.person(&world, "Ada", "hers", &[]), web.person(&world, "Benn", "his", &[]));
    meet_by_reply(&mut ada, &mut ben, "web");
}

#[test]
fn web_reader_without_a_space_hands_the_join_over() {
    let Some(web) = Web::new() else { return };
    let world = World::new();
    let mut ada = web.person(&world, "Ada", "hers", &[]);
    let mut ben = world.stranger("Benn");
    let read = format!("{}/hers/", web.url);
    ben.run(&["bridge", "add", "web", "--read", &read]).ok();
    ada.up();
    ben.up();
    let line = reply(&ben, &ada.invite(&["--bridge", "web"]));
    assert!((300..1000).contains(&line.len()), "{} characters", line.len());
    // By way of a file, as what is long goes.
    let file = world.path().join("reply.txt");
    fs::write(&file, format!("{line}\n")).expect("a file");
    let completed = ada.run(&["complete", "--yes", file.to_str().expect("text")]).object();
    assert_eq!((&completed["state"], &completed["friend"]), (&"done".into(), &"Benn".into()), "{completed}");
    until("both are linked", MEETING, || linked(&ben, "Ada").then_some(()));
    talk(&ada, &ben);
}

#[test]
fn dns_zone_that_two_share_serves_an_invite() {
    let (world, zone) = (World::new(), fresh_zone());
    let Some(mut ada) = with_a_zone(&world, "Ada", &zone, &["--shared", "yes"]) else { return };
    let Some(mut ben) = with_a_zone(&world, "Benn", &zone, &["--shared", "yes"]) else { return };
    meet_by_invite(&mut ada, &mut ben);
}

#[test]
fn dns_zones_of_their_own_meet_by_a_reply() {
    let world = World::new();
    let Some(mut ada) = with_a_zone(&world, "Ada", &fresh_zone(), &[]) else { return };
    let Some(mut ben) = with_a_zone(&world, "Benn", &fresh_zone(), &[]) else { return };
    meet_by_reply(&mut ada, &mut ben, "dns");
}

/// Ada has a site and reads zones, Benn has a zone and reads sites.
#[test]
fn one_of_each_meets_by_a_reply() {
    let (world, zone) = (World::new(), fresh_zone());
    let Some(web) = Web::new() else { return };
    let Some(mut ben) = with_a_zone(&world, "Benn", &zone, &[]) else { return };
    let mut ada = web.person(&world, "Ada", "hers", &[]);
    let cache = std::env::var("WAYSIDE_DNS_CACHE").expect("it was there before");
    ada.run(&["bridge", "add", "dns", "--zone", &zone, "--resolver", &cache]).ok();
    ben.run(&["bridge", "add", "web", "--read", &format!("{}/hers/", web.url)]).ok();
    meet_by_reply(&mut ada, &mut ben, "web");
}
