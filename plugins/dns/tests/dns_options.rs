//! How a bridge is configured.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use wayside_bridge::{BridgeExt, BridgeKind, BridgeOptions, Class, Collision, ErrorKind, Writers};
use wayside_bridge_dns::{DnsKind, Pace};

const KEY: &str = "key \"ada\" { algorithm hmac-sha256; secret \"dmVyeXNlY3JldA==\"; };";

async fn error(options: &[(&str, &str)]) -> String {
    let options: Vec<_> = options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let error = open(&options, FAST, &TestClock::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    error.message().to_owned()
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, contents: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (key, token, junk) = (file("key", KEY), file("token", "secret"), file("junk", "two words"));
    let (zone, server) = (("zone", "ada.example"), ("server", "192.0.2.53"));
    assert!(error(&[]).await.contains("--zone"));
    for bad in
        ["", "-a.example", "a b.example", "a..example", "192.0.2.1", "\u{e4}.example", &"x.".repeat(90)]
    {
        assert!(error(&[("zone", bad)]).await.contains("--zone"), "{bad}");
    }
    assert!(error(&[zone, server]).await.contains("--tsig-file"));
    assert!(error(&[zone, ("tsig-file", &key)]).await.contains("--server"));
    assert!(error(&[zone, ("server", "ns.example"), ("tsig-file", &key)]).await.contains("--server"));
    assert!(error(&[zone, server, ("tsig-file", "/nowhere/key")]).await.contains("--tsig-file"));
    assert!(error(&[zone, server, ("tsig-file", &junk)]).await.contains("tsig-keygen"));
    assert!(error(&[zone, ("shared", "maybe")]).await.contains("--shared"));
    assert!(error(&[zone, ("direct", "maybe")]).await.contains("--direct"));
    assert!(error(&[zone, ("resolver", "dns.example")]).await.contains("--resolver"));
    assert!(error(&[zone, ("resolver", "192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4")]).await.contains("three"));
    assert!(error(&[zone, ("ca", &key)]).await.contains("--resolver"));
    assert!(
        error(&[zone, ("resolver", "tls://192.0.2.1"), ("ca", "/nowhere/ca.pem")]).await.contains("--ca")
    );
    assert!(error(&[zone, ("provider", "duckdns"), ("token-file", &token)]).await.contains("desec"));
    assert!(error(&[zone, ("provider", "desec")]).await.contains("--token-file"));
    assert!(error(&[zone, ("provider", "desec"), ("token-file", &junk)]).await.contains("--token-file"));
    let desec = [zone, ("provider", "desec"), ("token-file", token.as_str())];
    assert!(error(&[desec[0], desec[1], desec[2], ("api", "http://desec.example/")]).await.contains("https"));
    assert!(error(&[desec[0], desec[1], desec[2], ("shared", "yes")]).await.contains("each needs a zone"));
    assert!(error(&[desec[0], desec[1], desec[2], ("hook", "/bin/true")]).await.contains("not several"));
    assert!(error(&[zone, ("token-file", &token)]).await.contains("--provider"));
}

/// Who writes decides how records of one name stand to each other.
#[tokio::test]
async fn a_zone_is_ones_own_or_shared() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let opened = async |more: &[(&'static str, &str)]| {
        let zone = [("zone", "Ada.Example.")];
        let options: Vec<_> =
            zone.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect();
        open(&options, Pace::default(), &TestClock::new()).await.unwrap()
    };
    let writes = [("server", "192.0.2.53"), ("tsig-file", key.to_str().unwrap())];
    let own = opened(&writes).await;
    let shared = opened(&[writes[0], writes[1], ("shared", "yes")]).await;
    assert_eq!(own.info().locators[0].to_string(), "dns:ada.example");
    assert_eq!(own.info().locators, shared.info().locators);
    let meetings =
        |bridge: &dyn wayside_bridge::Bridge| bridge.capability().class(Class::Meeting).unwrap().collision;
    assert_eq!((own.capability().writers, meetings(&*own)), (Writers::One, Collision::Overwrite));
    assert_eq!((shared.capability().writers, meetings(&*shared)), (Writers::Shared, Collision::Append));
    assert!([own, shared].iter().all(|bridge| bridge.capability().class(Class::Custody).is_none()));
    // Who only reads can leave nothing of any class, and is told why.
    for bridge in [opened(&[]).await, opened(&[("shared", "yes")]).await] {
        assert!(bridge.capability().classes.is_empty());
        let error = bridge.publish_one(&meeting(1, b"x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
}

/// No cache stands before the server of a zone that is shared.
#[tokio::test]
async fn a_shared_zone_is_looked_at_more_often_at_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let interval = async |more: &[(&'static str, &str)]| {
        let mut options = vec![
            ("zone", "ada.example".to_owned()),
            ("server", "192.0.2.53".to_owned()),
            ("tsig-file", key.to_str().unwrap().to_owned()),
        ];
        options.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let bridge = open(&options, Pace::default(), &TestClock::new()).await.unwrap();
        bridge.capability().delivery.latency().as_secs()
    };
    assert_eq!(interval(&[]).await, 10);
    assert_eq!(interval(&[("shared", "yes")]).await, 3);
    assert_eq!(interval(&[("shared", "yes"), ("resolver", "192.0.2.1")]).await, 10);
}

#[test]
fn a_source_is_a_public_domain_and_nothing_else() {
    let kind = DnsKind::default();
    let options = kind.source("dns:Alice.Example").unwrap().unwrap();
    assert_eq!(options.iter().collect::<Vec<_>>(), [("zone", "alice.example")]);
    for other in ["https://alice.example", "alice.example", "DNS:alice.example", ""] {
        assert!(kind.source(other).is_none(), "{other}");
    }
    for hostile in [
        "dns:",
        "dns:.",
        "dns:192.0.2.1",
        "dns:localhost",
        "dns:router",
        "dns:printer.local",
        "dns:x.onion",
        "dns:-v.example",
        "dns:a..b",
        "dns:a.example/../b",
        "dns:a b.example",
        "dns:a.example\n",
        "dns:[::1]",
        "dns:\u{430}.example",
    ] {
        let error = kind.source(hostile).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{hostile}");
    }
}

#[test]
fn what_is_handed_on_has_nothing_of_ours() {
    let kind = DnsKind::default();
    let options = BridgeOptions::from_iter(kind.options().iter().map(|option| (option.name, "x")));
    let shared: Vec<_> = kind.shared(&options).iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(shared, ["server", "shared", "zone"]);
    assert_eq!(kind.usage("alice.example"), "--zone alice.example --server ADDR --tsig-file FILE");
    assert!(!kind.usage("$(reboot)").contains("reboot"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_may_read_is_said() {
    use std::os::unix::fs::PermissionsExt;

    let Some(server) = Server::started() else { return skip(NONE) };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::copy(server.key("ada"), &path).unwrap();
    for (mode, is_said) in [(0o600, false), (0o640, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut options = server.options("wayside.test", "ada");
        options[2].1 = path.to_str().unwrap().to_owned();
        let note =
            open(&options, FAST, &TestClock::new()).await.unwrap().probe().await.unwrap().note.unwrap();
        assert_eq!(note.contains("chmod 600"), is_said, "{note}");
    }
}
