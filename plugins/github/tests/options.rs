//! How a bridge is configured.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::fake::{Answer, Fake};
use common::*;
use serde_json::json;
use wayside_bridge::{BridgeKind, ErrorKind};
use wayside_bridge_github::GitHubKind;

async fn error(options: &[(&str, &str)]) -> String {
    let options: Vec<_> = options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let error = open(&options, FAST, &TestClock::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    error.message().to_owned()
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    let ok = ("repo", "ada/box");
    assert!(error(&[]).await.contains("--repo"));
    assert!(error(&[("repo", "https://github.com/ada/box")]).await.contains("--repo"));
    assert!(error(&[ok, ("issue", "1"), ("branch", "x")]).await.contains("not both"));
    assert!(error(&[ok, ("issue", "0")]).await.contains("--issue"));
    assert!(error(&[ok, ("branch", "-x")]).await.contains("--branch"));
    assert!(error(&[ok, ("api", "http://github.example.org")]).await.contains("https"));
    assert!(error(&[ok, ("token-file", "/nowhere/token")]).await.contains("--token-file"));
    let dir = tempfile::tempdir().unwrap();
    for contents in ["", "two words", "a\nb", "\u{e4}", &"x".repeat(5000)] {
        let path = dir.path().join("token");
        std::fs::write(&path, contents).unwrap();
        let said = error(&[ok, ("token-file", path.to_str().unwrap())]).await;
        assert!(said.contains("--token-file"), "{said}");
    }
    assert!(error(&[ok, ("token-file", dir.path().to_str().unwrap())]).await.contains("no file"));
}

/// Without a token github.com gives so few requests that it is looked at less often; nothing is contacted to know it.
#[tokio::test]
async fn who_has_no_token_looks_less_often() {
    let interval = async |options: &[(&str, String)]| {
        let bridge = open(options, wayside_bridge_github::Pace::default(), &TestClock::new()).await.unwrap();
        bridge.capability().delivery.latency().as_secs()
    };
    let (_dir, path) = token_file("ghp_secret");
    let repo = ("repo", "ada/box".to_owned());
    assert_eq!(interval(&[repo.clone(), ("token-file", path)]).await, 30);
    assert_eq!(interval(std::slice::from_ref(&repo)).await, 180);
    assert_eq!(interval(&[repo, ("api", "https://github.example.org/api/v3".to_owned())]).await, 30);
}

#[test]
fn a_source_is_a_repository_and_nothing_else() {
    let kind = GitHubKind::default();
    let options = kind.source("github:Ada/Box").unwrap().unwrap();
    assert_eq!(options.iter().collect::<Vec<_>>(), [("repo", "ada/box")]);
    for other in ["git+https://github.com/ada/box", "Github:ada/box", "ada/box", ""] {
        assert!(kind.source(other).is_none(), "{other}");
    }
    for bad in [
        "github:",
        "github:ada",
        "github:ada/box/x",
        "github:-a/b",
        "github:a/b#c",
        "github:a/b\n",
        "github://a/b",
        "github:a/..",
        "github:x@a/b",
    ] {
        let refused = kind.source(bad).unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Configuration, "{bad}");
    }
}

#[tokio::test]
async fn others_who_may_read_the_token_are_told_of() {
    let fake =
        Fake::start(|_| Answer::ok(&json!({ "default_branch": "main", "permissions": { "push": true } })))
            .await;
    let (_dir, path) = token_file("ghp_secret");
    let options = [("repo", "ada/box".to_owned()), ("api", fake.api.clone()), ("token-file", path.clone())];
    let bridge = open(&options, FAST, &TestClock::new()).await.unwrap();
    assert_eq!(bridge.probe().await.unwrap().note, None);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let bridge = open(&options, FAST, &TestClock::new()).await.unwrap();
        assert!(bridge.probe().await.unwrap().note.unwrap().contains("chmod 600"));
    }
    fake.now(|_| {
        Answer::ok(&json!({ "default_branch": "main", "archived": true, "permissions": { "push": false } }))
    });
    assert!(bridge.probe().await.unwrap().note.unwrap().contains("archived"));
    fake.now(|_| Answer::ok(&json!({ "default_branch": "main", "permissions": { "push": false } })));
    assert!(bridge.probe().await.unwrap().note.unwrap().contains("may not write"));
}
