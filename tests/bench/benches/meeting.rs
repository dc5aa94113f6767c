//! From wanting a friend to the first byte of an application, over a service in memory and loopback.
//!
//! Each round one of two friends starts its node anew, so that there is no link, and pings the other: an offer is made, published, found, answered,
//! found, dialled, and eight bytes go there and back over a stream. Everything that a real meeting does is done, the writes to disk (fsync) included.
//! The bar is a median below 50 ms.

mod support;

use std::time::{Duration, Instant};

use support::{Failure, Person};
use wayside_bridge::{MemoryService, Registry};
use wayside_node::api::types::{AddBridge, Ping, Pong};

const ROUNDS: usize = 50;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let service = memory_service();
    let registry = Registry::new().with(service.clone());
    let ann = Person::new("ann", registry.clone(), over_memory("ann")).await?;
    let mut bob = Person::new("bob", registry, over_memory("bob")).await?;
    bob.accept(&ann.invite(1).await?).await?;

    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        bob.stop().await;
        // Each takes back what it published, bob as he leaves and ann soon after; rounds do not mix.
        while service.stored() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bob.start().await?;
        let began = Instant::now();
        let mut pongs =
            bob.api()?.post_lines("/v1/friends/ann/ping", &Ping { count: 1, wait_ms: 60_000 }).await?;
        let _: Option<Pong> = pongs.next().await?;
        times.push(began.elapsed());
    }
    println_figure(&format!("meeting over memory to the first byte, {ROUNDS} rounds: {}", spread(times)));
    Ok(())
}

/// A service in this process, by the system's clock.
fn memory_service() -> MemoryService {
    MemoryService::builder().clock(wayside_node::bridge_context(None).clock).build()
}

/// A bridge to [`memory_service`].
fn over_memory(member: &str) -> AddBridge {
    let options = [("member".to_owned(), member.to_owned())].into();
    AddBridge { kind: "memory".to_owned(), options, ..AddBridge::default() }
}

/// The least, the median, the ninth decile and the most, in milliseconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| {
        let index = ((times.len().saturating_sub(1)) as f64 * share).round() as usize;
        times.get(index).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    format!("min {:.1} ms, median {:.1} ms, p90 {:.1} ms, max {:.1} ms", at(0.0), at(0.5), at(0.9), at(1.0))
}

#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
fn println_figure(figure: &str) {
    println!("{figure}");
}
