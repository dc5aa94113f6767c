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
    assert!(shared(&[("read", "https://h.example/")]).is_empty(), "one's own is nobody else's");
}
