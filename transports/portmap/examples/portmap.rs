//! Keeps a UDP port mapped at the gateway, and says what happens, a line each, until it is told to end.
//!
//! ```text
//! cargo run -p wayside-portmap --example portmap -- 4242 pcp nat-pmp upnp
//! ```
//!
//! After the port: the protocols; `lease=SECONDS`; `nonce=TEXT` (12 bytes, for PCP); `for=SECONDS`, after which it closes as on SIGTERM and Ctrl-C. It answers each
//! datagram that comes in at the port with the same bytes.

// What it is for.
#![allow(clippy::print_stdout)]

use std::{error::Error, net::Ipv4Addr, num::NonZeroU16, time::Duration};

use tokio::{net::UdpSocket, time::sleep};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use wayside_portmap::{Options, PortMap, Status};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter()?).with(lines).init();
    let mut arguments = std::env::args().skip(1);
    let port: NonZeroU16 = arguments.next().ok_or("which port?")?.parse()?;
    let mut options = Options::new(&[]);
    let mut until = Duration::MAX;
    for argument in arguments {
        match argument.split_once('=') {
            Some(("lease", seconds)) => options.lease = Duration::from_secs(seconds.parse()?),
            Some(("nonce", text)) => options.pcp_nonce = Some(text.as_bytes().try_into()?),
            Some(("for", seconds)) => until = Duration::from_secs(seconds.parse()?),
            Some(_) => return Err(format!("{argument}?").into()),
            None => options.protocols.push(argument.parse()?),
        }
    }
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port.get())).await?;
    let port_map = PortMap::start_with(port, options);
    let told = tokio::select! {
        told = tell(&port_map, &socket) => told,
        ended = end() => ended,
        () = sleep(until) => Ok(()),
    };
    match port_map.close().await {
        Ok(()) => println!("closed"),
        Err(error) => println!("not removed: {error}"),
    }
    Ok(told?)
}

/// Says how things stand, and what comes in.
async fn tell(port_map: &PortMap, socket: &UdpSocket) -> std::io::Result<()> {
    let mut watch = port_map.watch();
    let mut buffer = [0; 1500];
    loop {
        match &*watch.borrow_and_update() {
            Status::Off => println!("off"),
            Status::Asking => println!("asking"),
            Status::Mapped(mapping) => {
                println!(
                    "mapped {} by {} for {} s",
                    mapping.external,
                    mapping.protocol,
                    mapping.lease.as_secs()
                );
            }
            Status::Failed(error) => println!("failed: {error}"),
            _ => {}
        }
        loop {
            tokio::select! {
                changed = watch.changed(), if port_map.status() != Status::Off => match changed {
                    Ok(()) => break,
                    Err(_) => return Ok(()),
                },
                received = socket.recv_from(&mut buffer) => {
                    let (length, from) = received?;
                    println!("{length} bytes from {from}");
                    socket.send_to(buffer.get(..length).unwrap_or_default(), from).await?;
                }
            }
        }
    }
}

/// Waits for SIGTERM, where there are signals, or Ctrl-C.
async fn end() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// What `RUST_LOG` says, and else nothing.
fn filter() -> Result<Targets, Box<dyn Error>> {
    Ok(match std::env::var("RUST_LOG") {
        Ok(asked) if !asked.is_empty() => asked.parse()?,
        _ => Targets::new(),
    })
}
