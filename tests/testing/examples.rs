//! The examples, in simulated time where they are of links alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::sync::mpsc;
use wayside::bridge::{BridgeKind, BridgeOptions};
use wayside_conformance::{ConfiguredHarness, Outcome, Runner};

use wayside::testing::pair;

#[path = "../../examples/chat.rs"]
#[allow(dead_code)]
mod chat;
#[path = "../../examples/custom-bridge.rs"]
#[allow(dead_code)]
mod custom_bridge;
#[path = "../../examples/echo.rs"]
#[allow(dead_code)]
mod echo;
#[cfg(feature = "bridge-dir")]
#[path = "../../examples/embed.rs"]
#[allow(dead_code)]
mod embed;
#[path = "../../examples/voice.rs"]
#[allow(dead_code)]
mod voice;

#[tokio::test(start_paused = true)]
async fn an_echo_comes_back() {
    let pair = pair().bob(echo::echoes).await;
    assert_eq!(echo::ask(&pair.ann, "bob", "hello").await.unwrap(), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_call_hears_all_of_it_where_the_network_is_good() {
    let pair = pair().latency(Duration::from_millis(40)).bob(voice::answers).await;
    let (heard, there) = voice::call(&pair.ann, "bob", Duration::from_secs(10)).await.unwrap();
    assert!(heard.expected > 480 && heard.packets == heard.expected, "{heard}");
    let rtt = heard.rtt.unwrap().as_millis();
    assert!((80..85).contains(&rtt), "{heard}");
    assert!(heard.jitter < 0.001, "{heard}");
    assert!(there.contains("0.0 % lost") && there.contains("round trip 8"), "{there}");
}

#[tokio::test(start_paused = true)]
async fn a_call_says_what_was_lost() {
    let pair = pair().bob(voice::answers).await;
    pair.network.lose(100, 7);
    let (heard, _) = voice::call(&pair.ann, "bob", Duration::from_secs(60)).await.unwrap();
    assert!((0.05..0.15).contains(&heard.lost()), "{heard}");
    assert!(heard.rtt.unwrap().as_millis() < 25, "{heard}");
}

#[tokio::test(start_paused = true)]
async fn two_chat() {
    let ((said_ann, mut heard_ann), (said_bob, mut heard_bob)) = (mpsc::channel(16), mpsc::channel(16));
    let pair = pair()
        .ann(|builder| chat::hears(builder, said_ann))
        .bob(|builder| chat::hears(builder, said_bob))
        .await;
    let (mut of_ann, mut of_bob) = (Vec::new(), Vec::new());
    let ann_types = BufReader::new(&b"hello\nhow are \x1b[31myou?\n"[..]);
    chat::chat(&pair.ann, "bob", ann_types, &mut heard_ann, |line| of_ann.push(line)).await.unwrap();
    // Bob types nothing, and leaves after a while.
    let (open, ends) = tokio::io::duplex(1);
    let listens =
        chat::chat(&pair.bob, "ann", BufReader::new(ends), &mut heard_bob, |line| of_bob.push(line));
    let _ = tokio::time::timeout(Duration::from_secs(5), listens).await;
    drop(open);
    chat::chat(&pair.bob, "ann", BufReader::new(&b"well\n"[..]), &mut heard_bob, |_| {}).await.unwrap();
    let (open, ends) = tokio::io::duplex(1);
    let listens =
        chat::chat(&pair.ann, "bob", BufReader::new(ends), &mut heard_ann, |line| of_ann.push(line));
    let _ = tokio::time::timeout(Duration::from_secs(5), listens).await;
    drop(open);
    assert_eq!(
        of_bob,
        ["ann: hello", "ann: how are  [31myou?"],
        "in order, and nothing that steers a terminal"
    );
    assert_eq!(of_ann, ["bob: well"]);
}

#[test]
fn the_chat_has_sixty_lines() {
    assert!(include_str!("../../examples/chat.rs").lines().count() <= 60);
}

#[tokio::test]
async fn two_meet_over_a_bridge_of_the_applications_own() {
    let folder = tempfile::tempdir().unwrap();
    let (ada, ben) = custom_bridge::meet(folder.path(), &custom_bridge::Pinboard::default()).await.unwrap();
    let linked = tokio::time::timeout(Duration::from_secs(30), ben.connect("Ada")).await;
    linked.unwrap().unwrap();
    ben.shutdown().await;
    ada.shutdown().await;
}

#[tokio::test]
async fn the_applications_own_bridge_passes_the_suite() {
    let board = custom_bridge::Pinboard::default();
    let harness = ConfiguredHarness::new(Arc::new(wayside::NodeClock::system()), move || {
        let board = board.clone();
        async move { Ok(board.open(&BridgeOptions::default(), wayside::bridge_context(None)).await?.bridge) }
    });
    let mut runner = Runner::full(harness);
    let mut passed = 0;
    while let Some((case, outcome)) = runner.next().await {
        match outcome {
            Outcome::Failed(failure) => panic!("{}: {failure}", case.name),
            Outcome::Passed => passed += 1,
            _ => {}
        }
    }
    assert!(passed >= 20, "{passed} passed");
}

#[cfg(feature = "bridge-dir")]
#[tokio::test]
async fn a_node_is_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let story = embed::story(folder.path(), |line| told.push(line));
    tokio::time::timeout(Duration::from_secs(120), story).await.unwrap().unwrap();
    for expected in [
        "Ben is a friend of Ada",
        "Ada's message arrived",
        "Ada wrote: hello",
        "after a restart Ben still knows Ada",
    ] {
        assert!(told.iter().any(|line| line == expected), "{expected}: {told:#?}");
    }
}
