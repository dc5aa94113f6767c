//! The command as people and scripts use it: real processes, separate homes, loopback alone.
//!
//! `WAYSIDE_E2E_KILLS` is how often the crash test kills a node (50); `WAYSIDE_E2E_MAIL_ROUNDS` how many rounds that of the mail has (30).
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets what it did not expect has failed"
)]

mod carried;
mod clients;
mod clocks;
mod codes;
mod community;
mod contract;
mod crashes;
mod doctor;
mod homes;
mod introductions;
mod invites;
mod kit;
mod list_bot;
mod mail;
mod mail_crashes;
mod mail_servers;
mod mailbox;
mod mailing_list;
mod matrix_bot;
mod matrix_room;
mod own_spaces;
mod peer_invites;
mod places;
mod plugins;
mod pointers;
mod ring;
mod scripts;
mod support;
mod tcp;
