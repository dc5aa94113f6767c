#![allow(clippy::unwrap_used)]

use secrecy::ExposeSecret;

use super::*;

fn login(options: &[(&str, &str)]) -> Result<Login, EmailError> {
    Login::of(&options.iter().copied().collect(), "ann@one.test")
}

#[test]
fn a_secret_comes_from_one_place() {
    assert_eq!(login(&[("password-command", "true")]).unwrap().user, "ann@one.test");
    let token = login(&[("token-command", "true"), ("user", "ann")]).unwrap();
    assert_eq!((token.user.as_str(), token.token), ("ann", true));
    for bad in [
        &[][..],
        &[("password-command", "x"), ("password-file", "y")],
        &[("password-command", "x"), ("token-command", "y")],
        &[("password-command", "x"), ("user", "a\nb")],
    ] {
        assert!(login(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn the_first_line_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter 2 \nsecond\n").unwrap();
    let path = path.to_str().unwrap();
    let from_file = login(&[("password-file", path)]).unwrap();
    assert_eq!(from_file.secret().unwrap().expose_secret(), "hunter 2 ");
    let command = format!("cat {path}");
    let from_command = login(&[("password-command", &command)]).unwrap();
    assert_eq!(from_command.secret().unwrap().expose_secret(), "hunter 2 ");
    for (command, why) in [("false", "failed"), ("true", "empty"), ("echo; echo x", "empty")] {
        let error = login(&[("password-command", command)]).unwrap().secret().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(login(&[("password-file", "/nowhere")]).unwrap().secret().is_err());
}
