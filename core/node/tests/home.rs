//! What a home says when something is wrong with it.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use wayside_bridge::Registry;
use wayside_node::{Home, HomeError, Node};

#[test]
fn a_home_is_made_once_and_keeps_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/home");
    let made = Home::init(&path, "ann").unwrap().id();
    assert_eq!(Home::open(&path).unwrap().id(), made);
    assert!(matches!(Home::init(&path, "eve"), Err(HomeError::Exists(_))));
    assert_eq!(Home::open(&path).unwrap().id(), made);
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("keys.toml"), mode("config.toml")), (0o700, 0o600, 0o600));
}

#[test]
fn each_damage_has_its_sentence_and_no_secret_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("home");
    assert!(matches!(Home::open(&path), Err(HomeError::Missing(_))));
    Home::init(&path, "ann").unwrap();
    let keys = path.join("keys.toml");
    let text = fs::read_to_string(&keys).unwrap();
    for cut in [0, 1, text.len() / 2, text.len() - 3] {
        fs::write(&keys, &text[..cut]).unwrap();
        let error = Home::open(&path).unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains("backup"), "{error}");
        let secret = text.split('"').find(|part| part.len() == 64).unwrap();
        assert!(!error.contains(&secret[..16]), "{error}");
    }
    fs::write(&keys, [0xff, 0xfe]).unwrap();
    assert!(matches!(Home::open(&path), Err(HomeError::Damaged { .. })));
    fs::write(&keys, &text).unwrap();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Home::open(&path), Err(HomeError::Exposed(_))));
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path.join("config.toml"), "[network]\nlisten = 7\n").unwrap();
    let error = Home::open(&path).unwrap().config().unwrap_err().to_string();
    assert!(error.contains("config.toml makes no sense"), "{error}");
}

#[tokio::test]
async fn a_damaged_store_stops_the_node_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("home");
    let home = Home::init(&path, "ann").unwrap();
    fs::write(path.join("store.redb"), b"this is no database, and long enough to be looked at").unwrap();
    let error = Node::builder(home, Registry::new()).start().await.unwrap_err();
    assert!(error.message.contains("store.redb is damaged"), "{}", error.message);
    assert!(
        fs::read(path.join("store.redb")).unwrap().starts_with(b"this is no database"),
        "it is left for a rescue"
    );
}

#[tokio::test]
async fn a_long_path_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x".repeat(120)).join("home");
    let home = Home::init(&path, "ann").unwrap();
    let builder = Node::builder(home, Registry::new()).listen(vec!["udp://127.0.0.1:0".into()]);
    let node = builder.serve_api().start().await.unwrap();
    let id: wayside_node::api::types::Id = node.client().get("/v1/id").await.unwrap();
    assert_eq!(id.name, "ann");
    node.shutdown().await;
}
