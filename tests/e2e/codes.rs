//! Spoken codes: said by one process, typed in another.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Person, Running, World, until};

/// `wayside invite --code` in the background, and the code.
fn speak(person: &Person) -> (Running, String) {
    let running = Running::start(person.command(&["invite", "--code"]));
    let said = running.wait_for("code", |said| said["code"].is_string());
    assert_eq!((said["state"].as_str(), said["left"].as_u64()), (Some("open"), Some(8)), "{said}");
    (running, said["code"].as_str().unwrap().to_owned())
}

fn accept(person: &Person, code: &str) -> crate::support::Ran {
    person.run(&["accept", code, "--wait", "30s"])
}

/// Another code with the same number.
fn wrong(code: &str) -> String {
    let number = code.split('-').next().unwrap();
    let other = if code.ends_with("-adrift") { "acme" } else { "adrift" };
    format!("{number}-{}-{other}", code.split('-').nth(1).unwrap())
}

#[test]
fn said_and_typed() {
    let world = World::new();
    let (mut ada, mut ben, cleo) = (world.person("Ada"), world.person("Benn"), world.person("Cleo"));
    for up in [false, true] {
        if up {
            ada.up();
            ben.up();
        }
        let (running, code) = speak(&ada);
        assert_eq!(code.split('-').count(), 3, "a folder is read by few: two words, {code}");
        let spoken = code.to_uppercase().replace('-', " ");
        assert_eq!(accept(&ben, &spoken).object()["friend"], "Ada");
        let done = running.wait_for("end", |said| said["state"] == "done");
        assert_eq!((done["friend"].as_str(), done.get("code")), (Some("Benn"), None), "{done}");
        let (code_of_end, _, errors) = running.finish();
        assert_eq!(code_of_end, Some(0), "{errors}");
        if up {
            // Used once, by whoever came first.
            world.until_tidy();
            let late = cleo.run(&["accept", &code, "--wait", "2s"]);
            assert_eq!(late.code, Some(3), "{late:?}");
        }
        ben.run(&["friend", "remove", "Ada"]).ok();
        ada.run(&["friend", "remove", "Benn"]).ok();
    }
    world.until_tidy();
}

#[test]
fn mistyped_and_guessed_at() {
    let world = World::new();
    let (mut ada, mut ben) = (world.person("Ada"), world.person("Benn"));
    ada.up();
    ben.up();
    let (mut running, code) = speak(&ada);
    let refused = accept(&ben, &code.replace(code.rsplit('-').next().unwrap(), "xyzzy"));
    assert!(refused.fails(5).contains("is in no code"), "{refused:?}");
    for left in (0..8).rev() {
        let refused = accept(&ben, &wrong(&code));
        let sentence = refused.fails(5);
        // The same number of tries for whoever reads and writes there and is nobody's friend.
        assert!(
            sentence.contains(if left == 0 { "burnt" } else { "not those of the code" }),
            "{left}: {sentence}"
        );
        ada.node().wait_for("guess", |event| event["event"] == "code-guessed" && event["left"] == left);
    }
    let refused = accept(&ben, &code);
    assert!(refused.fails(5).contains("burnt"), "{refused:?}");
    until("it ends", Duration::from_secs(15), || (!running.runs()).then_some(()));
    let (ended, _, errors) = running.finish();
    assert_eq!(ended, Some(5));
    assert!(errors.contains("burnt"), "{errors}");
    assert_eq!(ada.run(&["friends"]).ok().stdout, "");
}

#[test]
fn withdrawn_with_the_command() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.person("Benn"));
    ada.up();
    let (running, code) = speak(&ada);
    let (ended, _, errors) = running.terminate();
    assert_eq!(ended, Some(1));
    assert!(errors.contains("withdrawn"), "{errors}");
    world.until_tidy();
    let late = ben.run(&["accept", &code, "--wait", "2s"]);
    assert_eq!(late.code, Some(3), "{late:?}");
    assert_eq!(ada.run(&["friends"]).ok().stdout, "");
}

/// From typing the code to the link, both nodes up, over a folder: what docs/BENCHMARKS.md says.
#[test]
#[ignore = "a measurement: run it optimised and alone"]
fn how_long_it_takes() {
    let world = World::new();
    let (mut ada, mut ben) = (world.person("Ada"), world.person("Benn"));
    ada.up();
    ben.up();
    let mut took = Vec::new();
    for _ in 0..11 {
        let (running, code) = speak(&ada);
        let began = Instant::now();
        let accepting = Running::start(ben.command(&["accept", &code]));
        ben.node().wait_for("link", |event: &Value| event["event"] == "link-up");
        took.push(began.elapsed());
        drop((running, accepting));
        ben.run(&["friend", "remove", "Ada"]).ok();
        ada.run(&["friend", "remove", "Benn"]).ok();
        std::thread::sleep(Duration::from_secs(3));
    }
    took.sort();
    println!("from typing to the link: median {:?}, {:?} to {:?}", took[5], took[0], took[10]);
    assert!(took[5] < Duration::from_secs(1), "{took:?}");
}
