//! This program is a test and, when it is told so, the child that it tests: [`serve`] on the real standard input and
//! output of a real process.
#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

mod support;

use wayside_bridge::{BridgeExt, MemoryService};
use wayside_bridge_exec::serve;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    match std::env::args().nth(1).as_deref() {
        Some("child") => runtime.block_on(child()),
        // what runs tests may want a list of them
        Some("--list") => println!("a_bridge_in_a_process_of_its_own: test"),
        _ => {
            runtime.block_on(a_bridge_in_a_process_of_its_own());
            println!("test a_bridge_in_a_process_of_its_own ... ok");
        }
    }
}

async fn child() {
    eprintln!("a child's log is no part of the protocol");
    serve(MemoryService::new().bridge("child")).await.expect("the node speaks the protocol");
}

async fn a_bridge_in_a_process_of_its_own() {
    let program = std::env::current_exe().expect("this program is a file");
    let command = format!("'{}' child", program.display());
    let bridge = support::open(&command, None).await.expect("it says a good hello");
    assert_eq!(bridge.capability(), MemoryService::new().capability());

    let record = support::record(1, b"sealed");
    let receipt = bridge.publish(&record).await.expect("it is published");
    let found = bridge.fetch_keys([record.key.clone()]).await.expect("it can be fetched");
    assert_eq!(found, vec![record.clone()]);
    bridge.retract(&[receipt]).await.expect("it is taken back");
    let found = bridge.fetch_keys([record.key]).await.expect("it can be fetched");
    assert_eq!(found, vec![]);
}
