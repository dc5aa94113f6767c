#![allow(clippy::panic)]

use super::*;

fn kind(stderr: &str) -> Option<ErrorKind> {
    match judge("example.org/p", stderr)? {
        GitError::Said { kind, message } => {
            assert!(message.starts_with("example.org/p: "), "{message}");
            Some(kind)
        }
        other => panic!("{other:?}"),
    }
}

/// As git, ssh and hosts say it.
#[test]
fn kinds_of_what_git_says() {
    for (said, expected) in [
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", ErrorKind::Denied),
        ("fatal: Authentication failed for 'http://127.0.0.1/box.git/'", ErrorKind::Denied),
        (
            "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            ErrorKind::Denied,
        ),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", ErrorKind::Denied),
        ("fatal: remote error: service not enabled: /box.git", ErrorKind::Denied),
        (
            "remote: Permission to us/p.git denied to ann.\nfatal: unable to access 'https://h/': The requested URL returned error: 403",
            ErrorKind::Denied,
        ),
        ("fatal: detected dubious ownership in repository at '/srv/p'", ErrorKind::Denied),
        ("fatal: unable to access 'https://h/p/': Could not resolve host: h", ErrorKind::Unreachable),
        ("fatal: unable to access 'https://h/': Failed to connect to h port 443", ErrorKind::Unreachable),
        (
            "fatal: unable to access 'https://h/': The requested URL returned error: 502",
            ErrorKind::Unreachable,
        ),
        (
            "fatal: unable to access 'https://h/': The requested URL returned error: 429",
            ErrorKind::RateLimited,
        ),
        (
            "fatal: unable to access 'https://h/': SSL certificate problem: unable to get local issuer certificate",
            ErrorKind::Unreachable,
        ),
        ("fatal: unable to connect to h:\nh[0: 127.0.0.1]: errno=Connection refused", ErrorKind::Unreachable),
        ("fatal: the remote end hung up unexpectedly", ErrorKind::Unreachable),
        (
            "remote: Repository not found.\nfatal: repository 'https://h/p/' not found",
            ErrorKind::Configuration,
        ),
        (
            "fatal: '/srv/p' does not appear to be a git repository\nfatal: Could not read from remote repository.",
            ErrorKind::Configuration,
        ),
        ("bash: line 1: git-upload-pack: command not found", ErrorKind::Configuration),
        ("fatal: transport 'http' not allowed", ErrorKind::Configuration),
    ] {
        assert_eq!(kind(said), Some(expected), "{said}");
    }
    assert_eq!(kind("fatal: something new"), None);
}

#[test]
fn what_a_host_says_is_quoted_tamely() {
    let said = "remote: \u{1b}[31mno\u{202e} secrets\u{7}\nremote: \nremote: b\nremote: c\nremote: d\n";
    let GitError::Said { kind, message } = declined("h/p", "pre-receive hook declined", said) else {
        panic!("something else")
    };
    assert_eq!(kind, ErrorKind::Denied);
    assert!(message.ends_with("(pre-receive hook declined: [31mno secrets; b; c)"), "{message:?}");
    assert!(!message.contains(char::is_control));
    let full = "remote: fatal: unable to write file: No space left on device";
    assert!(matches!(declined("h/p", "unpacker error", full), GitError::Said { kind: ErrorKind::Full, .. }));
}

#[test]
fn why_a_push_did_not_take() {
    for reason in ["stale info", "fetch first", "cannot lock ref 'refs/heads/x'", "failed to update ref"] {
        assert!(overtaken(reason), "{reason}");
    }
    assert!(!overtaken("pre-receive hook declined"));
    assert!(lacks_objects("shallow update not allowed") && !lacks_objects("pre-receive hook declined"));
    assert!(forward_only("non-fast-forward", ""));
    assert!(forward_only("hook declined", "remote: You are not allowed to force push code"));
    assert!(!forward_only("hook declined", "remote: no"));
}
