//! `wayside mailbox …`: what this machine keeps for friends who are away, who keeps mail for us, and what that may cost.

use clap::{Args, Subcommand};
use wayside::Relay as Amounts;
use wayside::api::types::{ChangeMailbox, KeptView, MailboxHostView, MailboxLimits, MailboxView};

use super::Context;
use super::exit::Outcome;
use super::output::one_line;
use super::relay::amount;
use super::show::show_or_change;
use super::words::count;

/// Show what is kept here for friends who are away, and who keeps mail for you; or change what that may cost
///
/// `wayside friend allow mailbox FRIEND` keeps sealed mail for a friend while it is away. Friends who let you keep yours.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Mailbox {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Change what keeping mail may cost: in the configuration, and at once
    Limit(Limit),
}

/// Amounts are like 100MB or 2GB, on the disk. What lies here already stays until it is fetched or over.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside mailbox limit --total 5GB --friend 500MB
  wayside mailbox limit --days 14")]
#[group(required = true, multiple = true)]
struct Limit {
    /// All friends together
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount)]
    total: Option<u64>,
    /// One friend
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount)]
    friend: Option<u64>,
    /// From one sender for one friend
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount)]
    queue: Option<u64>,
    /// The same, in messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    queue_items: Option<u64>,
    /// For how many days it is kept (1 to 30); a sender may want less
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=30))]
    days: Option<u32>,
}

fn parse_amount(text: &str) -> Result<u64, String> {
    Amounts::parse_amount(text)?.ok_or_else(|| "a disk has an end: give an amount".to_owned())
}

impl Mailbox {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let change = self.what.map(|What::Limit(limit)| limit.into_change());
        show_or_change(context, "/v1/mailbox", change, in_words).await
    }
}

impl Limit {
    const fn into_change(self) -> ChangeMailbox {
        ChangeMailbox {
            total_bytes: self.total,
            friend_bytes: self.friend,
            queue_bytes: self.queue,
            queue_items: self.queue_items,
            days: self.days,
        }
    }
}

fn in_words(view: &MailboxView) -> String {
    let mut lines = vec![limits(&view.limits)];
    if view.friends.is_empty() {
        lines.push("kept here: nothing; `wayside friend allow mailbox FRIEND` lets a friend".to_owned());
    } else {
        lines.push(format!("kept here: {}", amount(view.bytes)));
        lines.extend(view.friends.iter().map(|friend| format!("  {}", kept_line(friend))));
    }
    if view.hosts.is_empty() {
        lines.push(
            "friends who keep mail for you: none; ask one for `wayside friend allow mailbox`".to_owned(),
        );
    } else {
        lines.push("friends who keep mail for you:".to_owned());
        lines.extend(view.hosts.iter().map(|host| format!("  {}", host_line(host))));
    }
    let couriers = if view.couriers { "; friends of yours carry it where there are fewer" } else { "" };
    let copies = count(view.copies.into(), "friend");
    lines.push(format!("what you send is left with {copies} of the recipient{couriers}"));
    lines.push(format!("attachments of one message: {} at most", amount(view.attach_bytes)));
    lines.push(match &view.bell {
        Some(bell) => format!("your bell: {}", one_line(bell)),
        None => "your bell: none; a bridge with --ring-name has one".to_owned(),
    });
    lines.join("\n")
}

fn limits(limits: &MailboxLimits) -> String {
    format!(
        "limits: {}, {}, for {} at most\n  one friend: {}\n  from one sender for one friend: {}, {}",
        amount(limits.total_bytes),
        "all friends together",
        count(limits.days.into(), "day"),
        amount(limits.friend_bytes),
        amount(limits.queue_bytes),
        count(limits.queue_items, "message"),
    )
}

fn kept_line(friend: &KeptView) -> String {
    let allowed = if friend.allowed { "" } else { ", not allowed any more" };
    let what = match friend.items {
        0 => "nothing".to_owned(),
        items => format!("{}, {}", count(items, "sealed piece"), amount(friend.bytes)),
    };
    format!("{}: {what}{allowed}", one_line(&friend.friend))
}

fn host_line(host: &MailboxHostView) -> String {
    let linked = if host.linked { "linked" } else { "not linked" };
    format!("{}: {linked}, up to {}", one_line(&host.friend), amount(host.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> MailboxView {
        MailboxView {
            limits: MailboxLimits {
                total_bytes: 1_000_000_000,
                friend_bytes: 100_000_000,
                queue_bytes: 20_000_000,
                queue_items: 10_000,
                days: 1,
            },
            bytes: 2_100_000,
            friends: vec![KeptView {
                friend: "Ann\u{1b}[2J".into(),
                allowed: false,
                items: 1,
                bytes: 2_100_000,
            }],
            hosts: vec![MailboxHostView {
                friend: "Carol".into(),
                device: "d".into(),
                bytes: 100_000_000,
                linked: true,
            }],
            copies: 2,
            couriers: true,
            attach_bytes: 16_777_216,
            bell: Some("dir:0123 as ada-desk".into()),
        }
    }

    #[test]
    fn it_is_said_what_is_kept_for_whom_and_by_whom() {
        let said = in_words(&view());
        for part in [
            "limits: 1.0 GB, all friends together, for 1 day at most\n",
            "from one sender for one friend: 20.0 MB, 10000 messages",
            "1 sealed piece, 2.1 MB, not allowed any more",
            "Carol: linked, up to 100.0 MB",
            "left with 2 friends of the recipient; friends of yours carry it",
            "your bell: dir:0123 as ada-desk",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains('\u{1b}'), "{said}");
        let nobody = in_words(&MailboxView { friends: vec![], hosts: vec![], bell: None, ..view() });
        assert!(nobody.contains("wayside friend allow mailbox FRIEND"), "{nobody}");
        assert!(nobody.contains("--ring-name"), "{nobody}");
    }

    #[test]
    fn a_disk_has_an_end() {
        assert_eq!(parse_amount("2GB"), Ok(2_000_000_000));
        assert!(parse_amount("unlimited").is_err() && parse_amount("lots").is_err());
    }
}
