//! Links in virtual time on networks that lose, delay and cut at random. A failure names its seed; `WAYSIDE_SIM_SEED` runs it again, `WAYSIDE_SIM_SEEDS`
//! says how many there are to be.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use super::*;

/// How many there are in an ordinary run.
const SEEDS: u64 = 20;
/// No cut is longer than what a link survives.
const LONGEST_CUT: u64 = 4_000;
/// Beyond the wait for a choice, and all else.
const AT_LAST: Duration = Duration::from_secs(300);

#[test]
fn on_any_network_bytes_arrive_once_and_in_order_and_both_sides_agree() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("WAYSIDE_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WAYSIDE_SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            let _ =
                std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("WAYSIDE_SIM_SEED={seed}\n"));
            resume_unwind(panic);
        }
    }
}

struct Dice(ChaCha20Rng);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0.next_u64() % most
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

fn run(seed: u64) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice(ChaCha20Rng::seed_from_u64(seed));
        let network = MemoryNetwork::new(dice.millis(1, 100));
        network.lose(dice.below(251), seed + 1);
        network.jitter(dice.millis(0, 60));
        timeout(AT_LAST, live(&network, &mut dice)).await.expect("comes to an end");
    });
}

async fn live(network: &MemoryNetwork, dice: &mut Dice) {
    let agreed = Agreed::default();
    let config = EndpointConfig { network: Network::Memory(network.clone()), ..EndpointConfig::default() };
    // One way or two.
    let addresses = vec![loopback(); 1 + dice.below(2) as usize];
    let client = Endpoint::bind(&[loopback()], agreed.client.clone(), config.clone()).await.unwrap();
    let server = Endpoint::bind(&addresses, agreed.server.clone(), config).await.unwrap();
    server.expect(agreed.of_client());
    let to = server.local_addresses();

    let cuts = tokio::spawn(cuts(network.clone(), dice.below(u64::MAX)));
    let (dialled, accepted) = tokio::join!(
        client.connect(agreed.of_server(), &to, Duration::from_secs(100)),
        timeout(Duration::from_secs(160), server.accept()),
    );
    let dialled = dialled.expect("the client links");
    let accepted = accepted.expect("and the server learns of it").unwrap();
    assert_eq!(dialled.exporter(b"x"), accepted.exporter(b"x"), "both have the same link");

    let amounts = [20_000 + dice.below(100_000), 20_000 + dice.below(100_000)];
    tokio::join!(carry(&dialled, &accepted, amounts[0], 1), carry(&accepted, &dialled, amounts[1], 2));
    cuts.abort();
    network.cut(false);

    let (ends, other) = if dice.below(2) == 0 { (&dialled, &accepted) } else { (&accepted, &dialled) };
    ends.close("done");
    // The word may be lost, and then silence says it.
    timeout(Duration::from_secs(40), other.closed()).await.expect("both know");
    ends.closed().await;
}

/// Cuts the network now and then.
async fn cuts(network: MemoryNetwork, seed: u64) {
    let mut dice = Dice(ChaCha20Rng::seed_from_u64(seed));
    loop {
        sleep(dice.millis(100, 6_000)).await;
        network.cut(true);
        sleep(dice.millis(1, LONGEST_CUT)).await;
        network.cut(false);
    }
}

/// Sends so many bytes of a pattern, in pieces and with pauses; what arrives must be just that.
async fn carry(from: &Link, to: &Link, amount: u64, pattern: u64) {
    let byte = |at: u64| (at.wrapping_mul(2654435761 + pattern) >> 13) as u8;
    let sending = async {
        let mut stream = from.open(&format!("test/{pattern}")).await.unwrap();
        let bytes: Vec<u8> = (0..amount).map(byte).collect();
        for piece in bytes.chunks(10_000) {
            stream.send.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(300)).await;
        }
        stream.send.finished().await.unwrap();
    };
    let receiving = async {
        let (_, mut stream) = to.accept().await.unwrap();
        let mut bytes = Vec::new();
        stream.recv.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes.len() as u64, amount, "none lost, none twice");
        assert!((0..).zip(&bytes).all(|(at, seen)| *seen == byte(at)), "in order");
    };
    tokio::join!(sending, receiving);
}
