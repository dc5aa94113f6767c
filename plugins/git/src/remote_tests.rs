#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn locator(text: &str) -> String {
    Remote::parse(text).unwrap().locator("wayside", None).unwrap().to_string()
}

#[test]
fn one_repository_has_one_name() {
    for address in [
        "https://Example.org/us/project.git",
        "https://example.org/us/project",
        "https://ann@example.org:443//us/project/",
        "ssh://git@example.org/us/project.git",
        "ssh://example.org:22/us/project",
        "git@example.org:us/project.git",
        "example.org:/us/project.git/",
        "git://example.org:9418/us/project.git",
        "http://example.org:80/us/project.git",
        "git+https://example.org/us/project",
    ] {
        assert_eq!(locator(address), "git:example.org/us/project", "{address}");
    }
    assert_eq!(locator("https://example.org:8443/p.git"), "git:example.org:8443/p");
    assert_eq!(locator("ssh://[::1]:2222/p.git"), "git:[::1]:2222/p");
    assert_eq!(locator("/srv/git//team.git"), "git:file/srv/git/team");
    assert_eq!(locator("file:///srv/git/team.git"), "git:file/srv/git/team");
    assert_eq!(Remote::parse("file:///srv/p.git").unwrap().place(), "/srv/p");
    assert_eq!(locator("git@github.com:Us/Project.git"), "git:github.com/us/project");
}

#[test]
fn branches_and_other_names() {
    let remote = Remote::parse("https://example.org/p").unwrap();
    let name = |branch, named| remote.locator(branch, named).unwrap().to_string();
    assert_eq!(name("meet", None), "git:example.org/p#meet");
    assert_eq!(name("wayside", Some("intern/p")), "git:intern/p");
    assert_eq!(name("meet", Some("intern/p")), "git:intern/p#meet");
}

#[test]
fn what_is_not_taken() {
    for (address, why) in [
        ("https://ann:secret@example.org/p", "credential helper"),
        ("ssh://ann:secret@example.org/p", "use a key"),
        ("https://ghp_0123456789@example.org/p", "token"),
        ("relative/path", "absolute"),
        ("./p.git", "absolute"),
        ("ext::sh -c id", "absolute"),
        ("ext::sh", "absolute"),
        ("fd::17", "absolute"),
        ("ftp://example.org/p", "forms"),
        ("-upload-pack=id", "begins"),
        ("ssh://-oProxyCommand=id/p", "host"),
        ("ssh://git@-oProxyCommand/p", "host"),
        ("-oProxyCommand=id@example.org:p", "begins"),
        ("ssh://-x@example.org/p", "user"),
        ("example.org:-p", "path"),
        ("ssh://example.org/-p", "path"),
        ("https://example.org", "path"),
        ("https://example.org/", "path"),
        ("https://example.org/../p", "path"),
        ("https://exa mple.org/p", "host"),
        ("https://example.org/p\nq", "control"),
        ("https://example.org/p?q", "`?`"),
        ("file://elsewhere/p", "another host"),
        ("", "absolute"),
    ] {
        let error = Remote::parse(address).unwrap_err();
        assert!(error.contains(why), "{address}: {error}");
    }
}

#[test]
fn links_are_trusted_less() {
    for link in [
        "git+https://example.org/p",
        "git+ssh://example.org/p",
        "git+file:///srv/p",
        "git+https://9.9.9.9/p",
        "git+https://[2620:fe::9]/p",
    ] {
        assert!(Remote::parse(link).unwrap().is_link(), "{link}");
    }
    for link in [
        "git+http://example.org/p",
        "git+git://example.org/p",
        "git+https://ann@example.org/p",
        "git+ssh://git@example.org/p",
        "git+https://127.0.0.1/p",
        "git+https://10.1.2.3:8443/p",
        "git+https://169.254.169.254/latest",
        "git+https://[::1]/p",
        "git+https://[::ffff:192.168.0.1]/p",
        "git+https://[fe80::1]/p",
        "git+https://2130706433/p",
        "git+https://0x7f.1/p",
        "git+https://127.1/p",
        "git+https://100.64.0.1/p",
        "git+/srv/p",
        "git+git@example.org:p",
        "git+-x",
    ] {
        assert!(Remote::parse(link).is_err(), "{link}");
    }
}

proptest! {
    /// Whatever is accepted begins with no dash and has a place that holds no user info.
    #[test]
    fn any_text_is_survived(text in "(git\\+)?(https://|ssh://|file://|git@)?[a-z0-9@:/.\\-]{0,40}") {
        if let Ok(remote) = Remote::parse(&text) {
            prop_assert!(!remote.url_text().starts_with('-'));
            prop_assert!(!remote.place().starts_with('-'));
            let host = remote.place.split('/').next().unwrap();
            prop_assert!(!host.contains('@'), "{}", remote.place());
        }
    }
}
