//! Measures the link beside its peers.
//!
//! `compare` starts a process for either end of every run: this program again, with a hidden command (see [`processes`] and [`worker`]). What is compared is in [`subjects`], what is measured in [`scenarios`], and what is said about it in
//! [`report`].

mod assignment;
mod compare;
mod failover;
mod machine;
mod nat_peer;
mod netns;
mod place;
mod processes;
mod relay;
mod report;
mod scenarios;
mod subjects;
mod usage;
mod wire;
mod worker;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// What everything here fails with: words for the person who runs it.
type Failure = Box<dyn Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "Measures wayside's link beside its peers.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures all subjects in alternating runs, each end in a process of its own.
    Compare(compare::Options),
    /// Measures for how long data stands still when the network in use dies, or an address changes.
    Failover(failover::Options),
    /// Measures what a relay costs and what it adds.
    Relay(relay::Options),
    /// One end of a run; started by `compare`.
    #[command(hide = true)]
    Serve {
        /// What to do, as JSON.
        assignment: String,
    },
    /// The other end of a run; started by `compare`.
    #[command(hide = true)]
    Dial {
        /// What to do, as JSON.
        assignment: String,
        /// How to reach the server, as JSON.
        ticket: String,
    },
    /// One end of a link that records go over; started by `failover`.
    #[command(hide = true)]
    Records {
        /// Which, as JSON.
        end: String,
    },
    /// One of two that have a relay in common; started by `relay`.
    #[command(hide = true)]
    RelayEnd {
        /// Which, as JSON.
        part: String,
    },
    /// The relay; started by `relay`.
    #[command(hide = true)]
    RelayForwarder {
        /// How many links each end will have, as JSON.
        links: String,
    },
    /// One end of iroh behind a NAT; started by `wayside-nat-lab`.
    #[command(hide = true)]
    NatPeer {
        /// How long to try, in seconds.
        patience: u64,
    },
    /// What is between them; started by both.
    #[command(hide = true)]
    Wire {
        /// What it does with packets, as JSON.
        wire: String,
        /// What it is between, as JSON.
        ends: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Compare(options) => {
            // What is interrupted is dropped, and with it processes and namespaces.
            tokio::select! {
                done = compare::run(options) => done,
                () = interruption() => Err("interrupted; nothing is left behind".into()),
            }
        }
        Command::Failover(options) => {
            tokio::select! {
                done = failover::run(options) => done,
                () = interruption() => Err("interrupted; nothing is left behind".into()),
            }
        }
        Command::Relay(options) => {
            tokio::select! {
                done = relay::run(options) => done,
                () = interruption() => Err("interrupted; nothing is left behind".into()),
            }
        }
        Command::RelayEnd { part } => relay::end(&part).await.map(|()| ExitCode::SUCCESS),
        Command::RelayForwarder { links } => relay::forwarder(&links).await.map(|()| ExitCode::SUCCESS),
        Command::Records { end } => failover::end(&end).await.map(|()| ExitCode::SUCCESS),
        Command::Serve { assignment } => worker::serve(&assignment).await.map(|()| ExitCode::SUCCESS),
        Command::Dial { assignment, ticket } => {
            worker::dial(&assignment, &ticket).await.map(|()| ExitCode::SUCCESS)
        }
        Command::NatPeer { patience } => {
            nat_peer::run(std::time::Duration::from_secs(patience)).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Wire { wire, ends } => worker::told(wire::run(&wire, &ends)).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|failure| {
        report::note(&format!("error: {failure}"));
        ExitCode::FAILURE
    })
}

/// Waits for Ctrl-C, or to be told to end.
async fn interruption() {
    match signal(SignalKind::terminate()) {
        Ok(mut end) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = end.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
