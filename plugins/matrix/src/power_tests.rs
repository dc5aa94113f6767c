#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

//! Levels as rooms of old and new versions have them.

use serde_json::json;

use super::is_enough;

#[test]
fn levels_decide_and_creators_stand_above_them() {
    let old = json!({ "sender": "@a:x", "content": { "room_version": "10" } });
    let new =
        json!({ "sender": "@a:x", "content": { "room_version": "12", "additional_creators": ["@b:x"] } });
    let levels = json!({ "content": { "users": { "@m:x": 50, "@t:x": "60" }, "users_default": 0 } });
    for (user, created, expected) in [
        ("@a:x", &old, false),
        ("@m:x", &old, true),
        ("@t:x", &old, true),
        ("@n:x", &old, false),
        ("@a:x", &new, true),
        ("@b:x", &new, true),
        ("@n:x", &new, false),
    ] {
        assert_eq!(is_enough(user, created, Some(&levels)), expected, "{user}");
    }
    assert!(is_enough("@a:x", &old, None));
    let nonsense = json!({ "content": { "users": 7, "kick": {}, "users_default": "x" } });
    assert!(!is_enough("@a:x", &old, Some(&nonsense)));
}
