//! `wayside relay …`: what this machine forwards for friends, who forwards for it, and what that may cost.

use clap::{Args, Subcommand};
use wayside::Relay as Limits;
use wayside::api::types::{ChangeRelay, RelayLimits, RelayOfferView, RelayState, RelayView, RelayedView};

use super::Context;
use super::exit::Outcome;
use super::output::one_line;
use super::show::show_or_change;
use super::words::{count, moment};

/// Show what is relayed here, and who relays for this machine; or change what that may cost
///
/// `wayside friend allow relay FRIEND` lets a friend reach its other friends through this machine.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Relay {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Change what relaying may cost: in the configuration, and at once
    Limit(Limit),
}

/// Amounts are like 2MB/s, 50GB or unlimited. Each byte is counted once, as it arrives; it leaves again, so that the line carries twice as much.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside relay limit --rate 1MB/s --month 20GB
  wayside relay limit --friend-month unlimited --circuits 16")]
#[group(required = true, multiple = true)]
struct Limit {
    /// All friends together, a second
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount)]
    rate: Option<u64>,
    /// All friends together, a calendar month
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount)]
    month: Option<u64>,
    /// Circuits at a time
    #[arg(long, value_name = "N")]
    circuits: Option<u32>,
    /// One friend, a second
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount)]
    friend_rate: Option<u64>,
    /// One friend, a calendar month
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount)]
    friend_month: Option<u64>,
    /// Circuits of one friend at a time
    #[arg(long, value_name = "N")]
    friend_circuits: Option<u32>,
    /// How often a friend may hand on what lets it use this relay, to a friend of its own (0 to 3)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=3))]
    hand_on: Option<u8>,
}

/// An amount as the API takes it: 0 is no bound.
fn parse_amount(text: &str) -> Result<u64, String> {
    Limits::parse_amount(text).map(Option::unwrap_or_default)
}

impl Relay {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let change = self.what.map(|What::Limit(limit)| limit.into_change());
        show_or_change(context, "/v1/relay", change, in_words).await
    }
}

impl Limit {
    const fn into_change(self) -> ChangeRelay {
        ChangeRelay {
            rate_bytes_per_sec: self.rate,
            month_bytes: self.month,
            circuits: self.circuits,
            friend_rate_bytes_per_sec: self.friend_rate,
            friend_month_bytes: self.friend_month,
            friend_circuits: self.friend_circuits,
            hand_on: self.hand_on,
        }
    }
}

fn in_words(view: &RelayView) -> String {
    let mut lines = vec![limits(&view.limits)];
    if view.friends.is_empty() {
        lines.push("relayed here: nothing; `wayside friend allow relay FRIEND` lets a friend".to_owned());
    } else {
        let waiting =
            if view.waiting == 0 { String::new() } else { format!(" ({} of them waiting)", view.waiting) };
        let circuits = count(view.circuits, "circuit");
        lines.push(format!(
            "relayed here: {circuits}{waiting}, {} in {}",
            amount(view.month_bytes),
            view.month
        ));
        lines.extend(view.friends.iter().map(|friend| format!("  {}", friend_line(friend))));
    }
    if view.relays.is_empty() {
        lines.push("friends who relay for this machine: none".to_owned());
    } else {
        lines.push("friends who relay for this machine:".to_owned());
        lines.extend(view.relays.iter().map(|relay| format!("  {}", relay_line(relay))));
    }
    lines.join("\n")
}

fn limits(limits: &RelayLimits) -> String {
    let one = |rate: Option<u64>, month: Option<u64>, circuits: u32| {
        let rate = match rate {
            Some(_) => format!("{}/s", Limits::write_amount(rate)),
            None => "any rate".to_owned(),
        };
        let month = match month {
            Some(_) => format!("{} a month", Limits::write_amount(month)),
            None => "any amount".to_owned(),
        };
        format!("{rate}, {month}, {}", count(circuits.into(), "circuit"))
    };
    let all = one(limits.rate_bytes_per_sec, limits.month_bytes, limits.circuits);
    let friend = one(limits.friend_rate_bytes_per_sec, limits.friend_month_bytes, limits.friend_circuits);
    let hand_on = match limits.hand_on {
        0 => "no friend may hand it on".to_owned(),
        hands => format!("a friend may hand it on {}", count(hands.into(), "time")),
    };
    format!("limits: {all}\n  one friend: {friend}\n  {hand_on}")
}

fn friend_line(friend: &RelayedView) -> String {
    let allowed = if friend.allowed { "" } else { ", not allowed any more" };
    let circuits = count(friend.circuits, "circuit");
    format!("{}: {circuits}, {}{allowed}", one_line(&friend.friend), amount(friend.month_bytes))
}

fn relay_line(relay: &RelayOfferView) -> String {
    let state = match relay.state {
        RelayState::Linked => "linked",
        RelayState::Reachable => "can be reached",
        RelayState::Away => "cannot be reached",
        RelayState::Unknown => "not tried yet",
    };
    let rtt = relay.rtt_ms.map(|rtt| format!(", {rtt:.1} ms away")).unwrap_or_default();
    format!("{}: {state}{rtt}, until {}", one_line(&relay.friend), moment(relay.until))
}

/// Bytes with three digits that matter.
pub(super) fn amount(bytes: u64) -> String {
    let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let Some((name, unit)) = units.into_iter().find(|(_, unit)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let tenths = bytes / (unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> RelayView {
        RelayView {
            limits: RelayLimits {
                rate_bytes_per_sec: Some(2_000_000),
                month_bytes: Some(50_000_000_000),
                circuits: 64,
                friend_rate_bytes_per_sec: None,
                friend_month_bytes: None,
                friend_circuits: 1,
                hand_on: 0,
            },
            month: "2026-11".into(),
            month_bytes: 1_234_567,
            circuits: 2,
            waiting: 1,
            friends: vec![RelayedView {
                friend: "Ann\u{1b}[2J".into(),
                allowed: false,
                circuits: 2,
                month_bytes: 999,
            }],
            relays: vec![],
        }
    }

    #[test]
    fn it_is_said_what_it_costs_and_for_whom() {
        let said = in_words(&view());
        assert!(said.contains("limits: 2 MB/s, 50 GB a month, 64 circuits"), "{said}");
        assert!(said.contains("one friend: any rate, any amount, 1 circuit\n"), "{said}");
        assert!(said.contains("relayed here: 2 circuits (1 of them waiting), 1.2 MB in 2026-11"), "{said}");
        assert!(said.contains("2 circuits, 999 B, not allowed any more"), "{said}");
        assert!(
            said.contains("friends who relay for this machine: none") && !said.contains('\u{1b}'),
            "{said}"
        );
        let nobody = in_words(&RelayView { friends: vec![], ..view() });
        assert!(nobody.contains("wayside friend allow relay FRIEND"), "{nobody}");
    }

    #[test]
    fn amounts_are_read_for_the_api() {
        assert_eq!((parse_amount("1MB/s"), parse_amount("unlimited")), (Ok(1_000_000), Ok(0)));
        assert!(parse_amount("lots").is_err());
    }
}
