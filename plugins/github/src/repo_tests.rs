#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn names_are_those_that_github_has() {
    for good in ["a/b", "Ada-L/Hello.World", "x_corp/my-repo", "a/.github"] {
        assert_eq!(Repo::parse(good).map(|repo| repo.to_string()), Some(good.to_ascii_lowercase()));
    }
    for bad in [
        "",
        "a",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "-a/b",
        "a/-b",
        "a/..",
        "a/.",
        "a/b.git",
        "a b/c",
        "a/b?x",
        "a/b#c",
        "a/b\n",
        "ä/b",
        "a/%2e",
        "a.b/c",
        "user@host/x",
    ] {
        assert_eq!(Repo::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn branches_are_those_that_git_has() {
    for good in ["wayside", "team/meet", "a.b-c_1"] {
        assert_eq!(Spot::branch(good), Some(Spot::Branch(good.to_owned())));
    }
    for bad in [
        "", "/", "a/", "/a", "a//b", "a..b", ".a", "a/.b", "-a", "a.lock", "a.", "a b", "a~", "a^", "a:b",
        "a?", "*", "a\\b", "ä",
    ] {
        assert_eq!(Spot::branch(bad), None, "{bad:?}");
    }
    for bad in ["", "0", "-1", "+1", "01", "x", "99999999999999999999999"] {
        assert_eq!(Spot::issue(bad), None, "{bad:?}");
    }
}

#[test]
fn a_place_has_the_same_name_for_everybody() {
    let (github, own) = (ApiUrl::github(), ApiUrl::parse("https://git.example.org/api/v3").unwrap());
    let repo = Repo::parse("Ada/Box").unwrap();
    let names = |api: &ApiUrl, spot: Spot| -> Vec<String> {
        locators(api, &repo, &spot).iter().map(ToString::to_string).collect()
    };
    let branch = |name: &str| Spot::branch(name).unwrap();
    assert_eq!(names(&github, branch("wayside")), ["github:ada/box", "git:github.com/ada/box"]);
    assert_eq!(names(&github, branch("x/Y")), ["github:ada/box#x/Y", "git:github.com/ada/box#x/Y"]);
    assert_eq!(names(&github, Spot::Issue(7)), ["github:ada/box/issues/7"]);
    assert_eq!(names(&own, branch("wayside")), ["github:git.example.org/ada/box"]);
    assert_eq!(names(&own, Spot::Issue(7)), ["github:git.example.org/ada/box/issues/7"]);
}

#[test]
fn usage_shows_nothing_that_was_not_understood() {
    assert_eq!(usage("ada/box"), "--repo ada/box --token-file FILE");
    assert_eq!(usage("ada/box#x/y"), "--repo ada/box --token-file FILE --branch x/y");
    assert_eq!(usage("ada/box/issues/3"), "--repo ada/box --token-file FILE --issue 3");
    assert_eq!(
        usage("git.example.org/ada/box"),
        "--repo ada/box --token-file FILE --api https://git.example.org/api/v3"
    );
    for hostile in ["a/b;rm", "$(x)/b", "a/b#`x`", "a/b/issues/$(x)", "a/b/c/d/e/f", "x y/a/b", ""] {
        assert_eq!(usage(hostile), "--repo OWNER/NAME --token-file FILE", "{hostile:?}");
    }
}
