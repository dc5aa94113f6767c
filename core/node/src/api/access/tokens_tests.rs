use tempfile::TempDir;

use super::*;
use crate::api::types::{NewToken, Scope};
use wayside_proto::UnixMillis;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn home() -> (TempDir, crate::Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = crate::Home::init(&folder.path().join("home"), "ann").unwrap();
    (folder, home)
}

fn wanted(name: &str, scopes: &[Scope], secs: Option<u64>) -> NewToken {
    NewToken { name: name.to_owned(), scopes: scopes.to_vec(), expires_in_secs: secs }
}

#[test]
fn a_token_is_kept_as_its_hash_and_good_after_a_restart() {
    let (_folder, home) = home();
    let tokens = Tokens::open(&home).unwrap();
    let made = tokens.add(wanted("app", &[Scope::Messages, Scope::Read], None), NOW).unwrap();
    assert_eq!(made.scopes, [Scope::Read, Scope::Messages]);
    assert_eq!(made.token.len(), "wayside_".len() + 64);
    assert!(!format!("{made:?} {tokens:?}").contains(&made.token));

    let file = std::fs::read_to_string(home.tokens_path()).unwrap();
    let digits = made.token.strip_prefix("wayside_").unwrap();
    assert!(!file.contains(digits), "{file}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(home.tokens_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let again = Tokens::open(&home).unwrap();
    let grant = again.find(&made.token, NOW).unwrap();
    assert!(grant.has(Scope::Read) && grant.has(Scope::Messages));
    assert!(!grant.has(Scope::Friends) && !grant.has(Scope::Admin));
    for wrong in ["", "wayside_", digits, &made.token[..71], &format!("{}0", made.token)] {
        assert!(again.find(wrong, NOW).is_none(), "{wrong}");
    }
}

#[test]
fn one_that_has_ended_or_was_revoked_lets_nobody_in() {
    let (_folder, home) = home();
    let tokens = Tokens::open(&home).unwrap();
    let brief = tokens.add(wanted("brief", &[Scope::Read], Some(60)), NOW).unwrap();
    let other = tokens.add(wanted("other", &[Scope::Admin], None), NOW).unwrap();
    let later = |secs: u64| UnixMillis(NOW.0 + secs * 1000);
    assert!(tokens.find(&brief.token, later(59)).is_some());
    assert!(tokens.find(&brief.token, later(60)).is_none());
    assert_eq!(tokens.list(later(60)).iter().map(|view| view.expired).collect::<Vec<_>>(), [true, false]);
    tokens.revoke("other").unwrap();
    assert!(tokens.find(&other.token, NOW).is_none());
    assert_eq!(tokens.revoke("other").unwrap_err().code, ErrorCode::NotFound);
    let again = Tokens::open(&home).unwrap();
    assert!(again.find(&other.token, NOW).is_none() && again.find(&brief.token, NOW).is_some());
}

#[tokio::test]
async fn what_is_told_ends_with_the_token() {
    let (_folder, home) = home();
    let tokens = Tokens::open(&home).unwrap();
    let made = tokens.add(wanted("app", &[Scope::Read], None), NOW).unwrap();
    let grant = tokens.find(&made.token, NOW).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), grant.over()).await.is_err());
    tokens.revoke("app").unwrap();
    tokio::time::timeout(Duration::from_secs(5), grant.over()).await.unwrap();
    let ends = tokens.add(wanted("ends", &[Scope::Read], Some(1)), NOW).unwrap();
    let grant = tokens.find(&ends.token, UnixMillis(NOW.0 + 950)).unwrap();
    tokio::time::timeout(Duration::from_secs(5), grant.over()).await.unwrap();
}

#[test]
fn nonsense_is_refused_and_their_number_is_bounded() {
    let (_folder, home) = home();
    let tokens = Tokens::open(&home).unwrap();
    for (name, scopes, secs) in [
        ("", &[Scope::Read][..], None),
        ("a b", &[Scope::Read], None),
        ("a", &[], None),
        ("a", &[Scope::Read], Some(0)),
        ("a", &[Scope::Read], Some(u64::MAX)),
    ] {
        assert_eq!(tokens.add(wanted(name, scopes, secs), NOW).unwrap_err().code, ErrorCode::Usage, "{name}");
    }
    for number in 0..64 {
        tokens.add(wanted(&format!("t{number}"), &[Scope::Read], None), NOW).unwrap();
    }
    assert_eq!(tokens.add(wanted("t1", &[Scope::Read], None), NOW).unwrap_err().code, ErrorCode::Exists);
    assert_eq!(tokens.add(wanted("more", &[Scope::Read], None), NOW).unwrap_err().code, ErrorCode::Usage);
    assert_eq!(Tokens::open(&home).unwrap().list(NOW).len(), 64);
}

#[test]
fn a_file_that_is_none_lets_nobody_in() {
    let (_folder, home) = home();
    for wrong in
        ["what", "[tokens.a]\nsha256 = '00'\nscopes = ['read']\nmade = '2026-01-01T00:00:00Z'", "more = 1"]
    {
        std::fs::write(home.tokens_path(), wrong).unwrap();
        let error = Tokens::open(&home).unwrap_err().to_string();
        assert!(error.contains("tokens.toml") && error.contains("delete it"), "{error}");
    }
    std::fs::write(home.tokens_path(), "#".repeat(70_000)).unwrap();
    assert!(Tokens::open(&home).unwrap_err().to_string().contains("too long"));
}
