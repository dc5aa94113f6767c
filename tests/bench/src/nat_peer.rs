//! One end of iroh in the laboratory of `tests/lab/nat`, without relay and address lookup: what it knows of the other end is told by hand.
//!
//! It prints its own name and addresses, reads the other end's, dials it while it lets it dial, and sends what is long enough to be counted.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use iroh::endpoint::{Connection, PortmapperConfig, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode};
use serde::{Deserialize, Serialize};

use crate::Failure;

const ALPN: &[u8] = b"nat-peer";
/// How long it looks for its own addresses.
const LOOK: Duration = Duration::from_millis(500);
/// What is sent, in bytes.
const BULK: usize = 60_000;

/// How one end is reached.
#[derive(Serialize, Deserialize)]
struct Ticket {
    id: String,
    addresses: Vec<SocketAddr>,
}

/// What came of it.
#[derive(Serialize)]
struct Linked {
    took_ms: u128,
}

/// Runs until the other end has all, or `patience` is over.
pub(crate) async fn run(patience: Duration) -> Result<(), Failure> {
    let endpoint = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .portmapper_config(PortmapperConfig::Disabled)
        .alpns(vec![ALPN.to_vec()])
        .bind()
        .await?;
    tokio::time::sleep(LOOK).await;
    let own = endpoint.addr();
    say(&Ticket { id: endpoint.id().to_string(), addresses: own.ip_addrs().copied().collect() })?;
    let line = tokio::task::spawn_blocking(|| io::stdin().lock().lines().next()).await?;
    let other: Ticket = serde_json::from_str(&line.ok_or("nobody said who is at the other end")??)?;
    let mut address = EndpointAddr::new(other.id.parse::<EndpointId>()?);
    for ip in other.addresses {
        address = address.with_ip_addr(ip);
    }
    let began = Instant::now();
    // Both dial and both listen: whichever comes about first.
    let linked = tokio::time::timeout(patience, async {
        tokio::select! {
            connection = dial(&endpoint, address) => connection,
            connection = accept(&endpoint) => connection,
        }
    });
    let connection = linked.await.map_err(|_| "no link came up in time")??;
    let mut stream = connection.open_uni().await?;
    stream.write_all(&vec![0; BULK]).await?;
    stream.finish()?;
    let mut other = connection.accept_uni().await?;
    other.read_to_end(BULK).await?;
    say(&Linked { took_ms: began.elapsed().as_millis() })?;
    // The other end may still be reading.
    tokio::time::sleep(LOOK).await;
    endpoint.close().await;
    Ok(())
}

async fn dial(endpoint: &Endpoint, address: EndpointAddr) -> Result<Connection, Failure> {
    loop {
        match endpoint.connect(address.clone(), ALPN).await {
            Ok(connection) => return Ok(connection),
            // Until whoever waits for this has waited long enough.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn accept(endpoint: &Endpoint) -> Result<Connection, Failure> {
    loop {
        let incoming = endpoint.accept().await.ok_or("the endpoint has ended")?;
        if let Ok(connection) = incoming.await {
            return Ok(connection);
        }
    }
}

fn say(what: &impl Serialize) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(what)?)?;
    Ok(stdout.flush()?)
}
