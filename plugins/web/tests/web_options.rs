//! How a bridge is configured.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use wayside_bridge::{BridgeKind, BridgeOptions, ErrorKind, Writers};
use wayside_bridge_web::WebKind;

async fn error(options: &[(&str, &str)]) -> String {
    let options: Vec<_> = options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let error = open(&options, FAST, &TestClock::new(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    error.message().to_owned()
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let read = ("read", "https://ada.example/");
    assert!(error(&[]).await.contains("--read"));
    assert!(error(&[("read", "http://ada.example/")]).await.contains("https"));
    assert!(error(&[("read", "https://u:p@ada.example/")]).await.contains("--user"));
    assert!(error(&[("write", "dav+http://ada.example/")]).await.contains("this machine"));
    assert!(error(&[("write", "php+https://ada.example/")]).await.contains("wayside.php"));
    assert!(error(&[("write", "https://ada.example/")]).await.contains("dav+https"));
    assert!(error(&[("write", "dir:/x")]).await.contains("--read"));
    assert!(error(&[read, ("write", "dir:x")]).await.contains("whole path"));
    assert!(error(&[read, ("write", "exec:x 'y")]).await.contains("quotes"));
    assert!(error(&[read, ("write", "exec:true")]).await.contains("folder"));
    assert!(error(&[read, ("write", "s3://x")]).await.contains("s3"));
    assert!(error(&[read, ("shared", "perhaps")]).await.contains("--shared"));
    assert!(error(&[read, ("user", "ada")]).await.contains("together"));
    assert!(
        error(&[read, ("user", "ada"), ("password-file", "/nowhere/x")]).await.contains("--password-file")
    );
    assert!(error(&[read, ("ca", "/nowhere/x")]).await.contains("--ca"));
    let dir = tempfile::tempdir().unwrap();
    let file = password_file(dir.path(), "secret");
    assert!(error(&[read, ("user", "a:b"), ("password-file", &file)]).await.contains("--user"));
    assert!(error(&[read, ("ca", &file)]).await.contains("PEM"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(error(&[read, ("user", "ada"), ("password-file", &file)]).await.contains("chmod 600"));
    }
}

#[tokio::test]
async fn a_space_is_ones_own_unless_it_is_shared() {
    let of = async |shared: &str| {
        let options = [
            ("read", "https://ada.example/~a".to_owned()),
            ("write", "dav+https://dav.example/a".to_owned()),
            ("shared", shared.to_owned()),
        ];
        open(&options, FAST, &TestClock::new(), None).await.unwrap()
    };
    let own = of("no").await;
    assert_eq!(own.capability().writers, Writers::One);
    assert_eq!(own.info().locators[0].to_string(), "web:ada.example/~a/");
    assert_eq!(of("yes").await.capability().writers, Writers::Shared);
}

#[test]
fn a_source_is_a_public_https_address() {
    let kind = WebKind::default();
    let options = kind.source("https://alice.example").unwrap().unwrap();
    assert_eq!(options.iter().collect::<Vec<_>>(), [("public", "yes"), ("read", "https://alice.example/")]);
    for other in ["git+https://a.example/x", "alice.example", "ftp://a.example", ""] {
        assert!(kind.source(other).is_none(), "{other}");
    }
    for bad in [
        "http://alice.example",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.1",
        "https://localhost/",
        "https://router/",
        "https://u@a.example/",
        "https://a.example/?x",
        "https://",
        "https://169.254.169.254/latest",
        "https://2130706433/",
    ] {
        assert!(kind.source(bad).unwrap().is_err(), "{bad}");
    }
}

#[test]
fn what_is_handed_on_holds_no_secrets() {
    let kind = WebKind::default();
    let shared = |pairs: &[(&str, &str)]| {
        let options = BridgeOptions::from_iter(pairs.iter().copied());
        kind.shared(&options).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let all = [
        ("write", "dav+https://h.example/s/"),
        ("shared", "yes"),
        ("user", "ada"),
        ("password-file", "/home/ada/x"),
        ("ca", "/home/ada/y"),
    ];
    assert_eq!(shared(&all), ["read=https://h.example/s/", "shared=yes", "write=dav+https://h.example/s/"]);
    assert_eq!(
        shared(&[("write", "dir:/home/ada/www"), ("read", "https://h.example/"), ("shared", "yes")]),
        ["read=https://h.example/", "shared=yes"]
    );
    assert_eq!(
        shared(&[("write", "drop+http://h.example:3480/us"), ("shared", "yes")]),
        ["shared=yes", "write=drop+http://h.example:3480/us"]
    );
    assert!(shared(&[("read", "https://h.example/")]).is_empty(), "one's own is nobody else's");
}

/// A drop on a node may be anywhere, over plain http too, as long as there is no password to be read on the way.
#[tokio::test]
async fn a_drop_on_a_node_needs_no_password() {
    let dir = tempfile::tempdir().unwrap();
    let file = password_file(dir.path(), "secret");
    let (plain, shared) = (("write", "drop+http://node.example:3480/us"), ("shared", "yes"));
    let login = [("user", "ada"), ("password-file", file.as_str())];
    assert!(error(&[plain]).await.contains("--shared yes"));
    assert!(error(&[plain, shared, login[0], login[1]]).await.contains("on the way"));
    assert!(error(&[("write", "drop+http://node.example:3480"), shared]).await.contains("HOST:PORT/NAME"));
    assert!(error(&[("write", "drop+ftp://node.example/us"), shared]).await.contains("https"));
    let opened = async |options: &[(&str, &str)]| {
        let options: Vec<_> = options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        open(&options, FAST, &TestClock::new(), Some(dir.path())).await.unwrap()
    };
    let bridge = opened(&[plain, shared]).await;
    assert_eq!(bridge.info().locators[0].to_string(), "web:node.example:3480/us");
    let service = bridge.capability().visible.service.join("; ");
    assert!(service.contains("on the way"), "{service}");
    let made_up = std::fs::read_to_string(dir.path().join("drop-password")).unwrap();
    assert_eq!(made_up.len(), 32);
    // The same the next time: what was put there before is ours to take away.
    let again = opened(&[("write", "drop+https://node.example/us"), login[0], login[1]]).await;
    assert!(!again.capability().visible.service.join("; ").contains("on the way"));
    opened(&[plain, shared]).await;
    assert_eq!(std::fs::read_to_string(dir.path().join("drop-password")).unwrap(), made_up);
    let said = format!("{bridge:?} {again:?} {:?}", bridge.info());
    assert!(!said.contains(&made_up), "{said}");
}

#[test]
fn how_to_add_a_place_is_said_by_what_it_is() {
    let kind = WebKind::default();
    assert!(kind.usage("a.example/x/").contains("dav+https://a.example/x/"));
    assert!(kind.usage("a.example/wayside.php").contains("php+https://a.example/wayside.php"));
    assert_eq!(kind.usage("a.example:3480/us"), "--write drop+http://a.example:3480/us --shared yes");
}
