use std::collections::BTreeSet;

use super::*;
use crate::home::{Api, Limits, Mailbox, Network, Rendezvous};

/// The names of a struct's members. One that is not named here does not compile.
macro_rules! members {
    ($section:literal, $kind:ident { $($member:ident),* }) => {{
        let $kind { $($member: _),* } = $kind::default();
        [$(concat!($section, ".", stringify!($member))),*]
    }};
}

fn parse(text: &str) -> Config {
    Config::parse("config.toml".as_ref(), text).unwrap()
}

#[test]
fn every_member_of_the_configuration_is_an_option_and_nothing_else() {
    let Config { network: _, bridges: _, limits: _, relay: _, mailbox: _, rendezvous: _, api: _ } =
        Config::default();
    let mut members = BTreeSet::new();
    members.extend(members!("network", Network { listen, stun, stun_servers, portmap }));
    members.extend(members!("limits", Limits { message_days, queue, inbox }));
    members.extend(members!(
        "relay",
        Relay { rate, month, circuits, friend_rate, friend_month, friend_circuits, hand_on }
    ));
    members.extend(members!(
        "mailbox",
        Mailbox { total, friend, queue, queue_items, days, copies, couriers, attach }
    ));
    members.extend(members!(
        "rendezvous",
        Rendezvous {
            listen,
            records,
            bytes,
            source_records,
            source_bytes,
            space_bytes,
            days,
            rate,
            source_rate
        }
    ));
    members.extend(members!("api", Api { listen, origins }));
    let options: BTreeSet<&str> = OPTIONS.iter().map(|known| known.key).collect();
    assert_eq!(options, members);
    assert_eq!(options.len(), OPTIONS.len());
}

#[test]
fn stated_defaults_are_the_defaults_read_and_written() {
    for known in OPTIONS {
        let written = (known.value)(&Config::default()).map(|value| value.to_string());
        assert_eq!(written.as_deref(), known.default, "{}", known.key);
        if let Some(default) = known.default {
            let (section, name) = known.names();
            assert_eq!(
                parse(&format!("[{section}]\n{name} = {default}")),
                Config::default(),
                "{}",
                known.key
            );
        }
    }
}

#[test]
fn the_first_configuration_has_every_option_and_its_default() {
    let document: DocumentMut = config::TEMPLATE.parse().unwrap();
    for known in OPTIONS {
        let (section, name) = known.names();
        let written = document[section].get(name).and_then(Item::as_value);
        let written = written.map(|value| value.clone().decorated("", "").to_string());
        assert_eq!(written.as_deref(), known.default, "{}", known.key);
        assert!(
            known.default.is_some() || config::TEMPLATE.contains(&format!("# {name} = ")),
            "{}",
            known.key
        );
    }
    assert_eq!(parse(config::TEMPLATE), Config::default());
}

#[test]
fn the_documentation_says_the_same() {
    let page = include_str!("../../../../docs/COMMAND.md");
    for known in OPTIONS {
        let default = known.default.map_or_else(|| "not set".to_owned(), |default| format!("`{default}`"));
        let row = format!("| `{}` | {default} | {} |", known.key, known.about);
        assert!(page.contains(&row), "docs/COMMAND.md has no row\n{row}");
    }
}

/// A value that is not the default shows, wherever it comes from.
#[test]
fn what_is_set_is_said() {
    for (known, other) in OPTIONS.iter().map(|known| (known, other_than(known))) {
        let (section, name) = known.names();
        let config = parse(&format!("[{section}]\n{name} = {other}"));
        let said = (known.value)(&config).unwrap().to_string();
        assert_ne!(Some(said.as_str()), known.default, "{}", known.key);
        assert_eq!(parse(&format!("[{section}]\n{name} = {said}")), config, "{}", known.key);
    }
}

fn other_than(known: &Known) -> &'static str {
    match (known.key, known.default) {
        ("network.listen", _) => "['tcp://127.0.0.1:1']",
        ("network.stun", _) => "'friends'",
        ("network.stun_servers", _) => "['[2001:db8::1]:3478']",
        ("network.portmap", _) => "['upnp', 'nat-pmp', 'pcp']",
        ("rendezvous.listen" | "api.listen", _) => "'127.0.0.1:1'",
        ("api.origins", _) => "['https://a.example']",
        (_, Some("true")) => "false",
        (_, Some(default)) if default.ends_with("/s\"") => "'7 kB/s'",
        (_, Some(default)) if default.starts_with('"') => "'7 kB'",
        _ => "3",
    }
}

#[test]
fn one_is_set_and_unset_and_the_rest_of_the_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::init(&folder.path().join("home"), "ann").unwrap();
    let file = || std::fs::read_to_string(home.config_path()).unwrap();
    let before = file();
    let set = |key: &str, value: &str| home.set_option(key, value).unwrap();
    assert_eq!(set("network.stun", "friends").value.as_deref(), Some("\"friends\""));
    assert_eq!(file(), before.replace("stun = \"off\"", "stun = \"friends\""));
    assert_eq!(set("network.portmap", "pcp, nat-pmp").value.as_deref(), Some(r#"["pcp", "nat-pmp"]"#));
    assert_eq!(set("network.portmap", "['upnp']").value.as_deref(), Some(r#"["upnp"]"#));
    assert_eq!(set("relay.rate", "1.5 MB/s").value.as_deref(), Some("\"1500 kB/s\""));
    assert_eq!(set("mailbox.couriers", "false").value.as_deref(), Some("false"));
    let listen = set("api.listen", "127.0.0.1:4650");
    assert_eq!((listen.value.as_deref(), listen.from), (Some("\"127.0.0.1:4650\""), ConfigSource::File));
    assert_eq!(home.config().unwrap().api.listen, Some("127.0.0.1:4650".parse().unwrap()));

    let now = file();
    for (key, wrong) in [
        ("network.stun", "everybody"),
        ("api.listen", "0.0.0.0:1"),
        ("limits.queue", "-1"),
        ("limits.queue", "many"),
        ("mailbox.days", "31"),
        ("network.portmap", "natpmp"),
        ("network.listen", "5"),
    ] {
        assert!(matches!(home.set_option(key, wrong), Err(HomeError::Value { .. })), "{key} = {wrong}");
    }
    assert!(matches!(home.set_option("network.speed", "1"), Err(HomeError::NoOption(_))));
    assert!(matches!(home.unset_option("bridges"), Err(HomeError::NoOption(_))));
    assert_eq!(file(), now);

    // One that makes no sense is said, and can be put right by the option that is wrong.
    let broken = now.replace("stun = \"friends\"", "stun = \"nobody\"");
    std::fs::write(home.config_path(), &broken).unwrap();
    assert!(matches!(home.set_option("limits.queue", "5"), Err(HomeError::Config { .. })));
    assert!(home.options().is_err() && file() == broken);
    home.set_option("network.stun", "friends").unwrap();
    assert_eq!(file(), now);

    let unset = home.unset_option("api.listen").unwrap();
    assert_eq!((unset.value, unset.from), (None, ConfigSource::Default));
    let all = home.options().unwrap();
    assert_eq!(all.len(), OPTIONS.len());
    assert_eq!(all.iter().find(|option| option.key == "mailbox.days").unwrap().value.as_deref(), Some("30"));
}
