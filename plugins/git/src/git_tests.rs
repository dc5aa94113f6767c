#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn versions() {
    assert_eq!(version("git version 2.47.3\n"), Some(Version(2, 47)));
    assert_eq!(version("git version 2.39.5 (Apple Git-154)\n"), Some(Version(2, 39)));
    assert_eq!(version("git version 2.46.0.windows.1\n"), Some(Version(2, 46)));
    assert_eq!(version("git version 3.0-rc1\n"), Some(Version(3, 0)));
    assert_eq!(version("something else"), None);
    assert!(Version(2, 9) < LEAST && Version(3, 0) > LEAST);
}

#[test]
fn what_redirects_git_is_taken_out() {
    let of = |names: &[&str]| Environment::of(names.iter().map(OsString::from));
    let all = ["PATH", "GIT_DIR", "GIT_SSL_CAINFO", "GIT_TRACE_CURL", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0"];
    assert_eq!(of(&all).remove, ["GIT_DIR", "GIT_TRACE_CURL"]);
    assert!(of(&all).batch_ssh);
    assert!(!of(&["GIT_SSH_COMMAND"]).batch_ssh);
    assert!(!of(&["GIT_SSH"]).batch_ssh);
    assert!(of(&["GIT_ALLOW_PROTOCOL"]).keep_protocols);
}
