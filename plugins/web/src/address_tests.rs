#![allow(clippy::unwrap_used)]

use super::*;

fn own(text: &str) -> Address {
    Address::parse(text).unwrap()
}

#[test]
fn what_is_taken() {
    for good in [
        "https://alice.example",
        "https://h.example:8443/~a/",
        "http://127.0.0.1:80/x.php",
        "http://[::1]/",
        "http://localhost/",
        "https://192.168.1.2/",
    ] {
        assert!(Address::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "http://alice.example/",
        "ftp://a.example",
        "alice.example",
        "https://u:p@a.example",
        "https://a.example/?q",
        "https://a.example/#x",
        "http://127.0.0.1.example/",
        "",
    ] {
        assert!(Address::parse(bad).is_err(), "{bad}");
    }
    assert!(own("https://a.example/wayside.php").is_drop());
    assert!(!own("https://a.example").is_drop());
    assert!(!Address::folder("https://a.example/x").unwrap().is_drop());
    assert_eq!(own("https://a.example/x/").file("wayside/roll").as_str(), "https://a.example/x/wayside/roll");
}

#[test]
fn both_sides_call_a_space_the_same() {
    let space = own("https://Alice.Example:443/~a/");
    let locator = space.locator().unwrap();
    assert_eq!(locator.to_string(), "web:alice.example/~a/");
    assert_eq!(Address::of_locator(&locator, None).unwrap(), space);
}

/// A friend's card may name anything: it is not to have us ask machines of our own network.
#[test]
fn what_others_name_is_not_in_our_network() {
    let of = |address: &str, own: Option<&Address>| {
        Address::of_locator(&Locator::new("web", address).unwrap(), own)
    };
    for private in [
        "127.0.0.1/",
        "10.0.0.1/",
        "192.168.1.1/",
        "172.16.0.1/",
        "169.254.169.254/",
        "100.64.0.1/",
        "0.0.0.0/",
        "[::1]/",
        "[fe80::1]/",
        "[fd00::1]/",
        "[::ffff:127.0.0.1]/",
        "[64:ff9b::7f00:1]/",
        "localhost/",
        "x.localhost/",
        "router/",
        "2130706433/",
        "0x7f.1/",
        "user@10.0.0.1/",
    ] {
        assert!(of(private, None).is_err(), "{private}");
        assert!(of(private, Some(&own("https://alice.example/"))).is_err(), "{private}");
    }
    assert!(of("8.8.8.8/", None).is_ok());
    assert!(of("[2606:4700::1]/", None).is_ok());
    assert_eq!(
        of("127.0.0.1:81/", Some(&own("http://127.0.0.1:80/"))).unwrap().url().as_str(),
        "http://127.0.0.1:81/"
    );
    assert!(Address::of_locator(&Locator::new("dir", "x").unwrap(), None).is_err());
}
