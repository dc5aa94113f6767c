//! The examples, in simulated time.

use std::time::Duration;

use wayside::testing::pair;

#[path = "../../examples/echo.rs"]
#[allow(dead_code)]
mod echo;
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
