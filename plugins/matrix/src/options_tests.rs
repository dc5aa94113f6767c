#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

//! What may be said of a homeserver and a room, and what not.

use wayside_bridge::BridgeOptions;

use super::Settings;

fn parse(homeserver: &str, room: &str) -> Result<Settings, String> {
    let options = [("homeserver", homeserver), ("user", "@a:x.org"), ("password-file", "/f"), ("room", room)];
    Settings::parse(&BridgeOptions::from_iter(options)).map_err(|error| error.to_string())
}

#[test]
fn a_password_goes_over_tls_or_stays_on_this_machine() {
    for good in [
        "https://x.org",
        "https://x.org:8448/base",
        "http://127.0.0.1:8008",
        "http://localhost",
        "http://[::1]:1",
    ] {
        assert!(parse(good, "#r:x.org").is_ok(), "{good}");
    }
    for bad in [
        "http://x.org",
        "ftp://x.org",
        "x.org",
        "https://u:p@x.org",
        "https://x.org/?a",
        "https://x.org/#a",
        "http://127.0.0.1.evil.org",
    ] {
        assert!(parse(bad, "#r:x.org").unwrap_err().contains("--homeserver"), "{bad}");
    }
}

#[test]
fn a_room_is_an_alias_or_an_id() {
    assert!(parse("https://x.org", "!abc:x.org").is_ok());
    for bad in ["r", "@a:x.org", "", "#r"] {
        assert!(parse("https://x.org", bad).unwrap_err().contains("--room"), "{bad}");
    }
}
