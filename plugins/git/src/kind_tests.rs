#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn sources_are_links_of_ours() {
    let remote = |source: &str| {
        GitKind.source(source).map(|options| {
            options.map(|options| options.value("remote").unwrap().to_owned()).map_err(|error| error.kind())
        })
    };
    assert_eq!(remote("github:us/project"), None);
    assert_eq!(remote("https://example.org/p"), None);
    assert_eq!(remote("git+https://example.org/p"), Some(Ok("git+https://example.org/p".to_owned())));
    for refused in
        ["git+http://example.org/p", "git+https://u@example.org/p", "git+ssh://-x/p", "git+", "git+ext::sh"]
    {
        assert_eq!(remote(refused), Some(Err(ErrorKind::Configuration)), "{refused}");
    }
}

#[test]
fn usage_is_what_a_person_would_type() {
    assert_eq!(GitKind.usage("example.org/us/p"), "--remote https://example.org/us/p");
    assert_eq!(GitKind.usage("example.org/us/p#meet"), "--remote https://example.org/us/p --branch meet");
    assert_eq!(GitKind.usage("file/srv/p"), "--remote /srv/p");
    assert_eq!(GitKind.usage("example.org/$(id)"), "--remote 'https://example.org/$(id)'");
    assert_eq!(GitKind.usage("e/p#;id"), "--remote https://e/p --branch ';id'");
}

#[test]
fn branches() {
    for good in ["wayside", "a/b", "x-1_y.z"] {
        assert!(is_branch(good), "{good}");
    }
    for bad in [
        "", "-x", "a..b", "a b", "a:b", "+a:b", "a*", "a/", "/a", ".a", "a.lock", "a\n", "HEAD", "a@{1}",
        "a#b",
    ] {
        assert!(!is_branch(bad), "{bad}");
    }
}
