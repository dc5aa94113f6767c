#![allow(clippy::unwrap_used)]

use wayside_conformance::support::TestClock;

use super::*;

fn ask(whose: Whose, method: Method, url: &str) -> Ask {
    Ask {
        whose,
        method,
        url: Url::parse(url).unwrap(),
        headers: Vec::new(),
        body: None,
        most: 1,
        doing: "read there",
    }
}

fn answer(status: u16, location: &str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: [(LOCATION, HeaderValue::from_str(location).unwrap())].into_iter().collect(),
        body: Bytes::new(),
        host: "from.example".to_owned(),
        doing: "read there",
        sent: 0,
        had_login: false,
    }
}

fn http(login: Option<&str>) -> Http {
    let address = login.map(|address| Address::parse(address).unwrap());
    let login = Login { user: "ada".to_owned(), password: "secret".to_owned().into() };
    let login = address.as_ref().map(|address| (address, login));
    Http::new(login, None, Pace::default(), Arc::new(TestClock::new())).unwrap()
}

#[test]
fn redirects_lead_neither_inside_nor_downwards() {
    let open = http(None);
    let follows = |whose, method: Method, status, to: &str| {
        open.next(&ask(whose, method, "https://from.example/x"), &answer(status, to)).is_ok()
    };
    for whose in [Whose::Own, Whose::Others] {
        assert!(follows(whose, Method::GET, 302, "/y"));
        assert!(follows(whose, Method::GET, 301, "https://www.from.example/x"));
        for bad in ["http://from.example/x", "ftp://from.example/x", "file:///etc/passwd", "data:,x"] {
            assert!(!follows(whose, Method::GET, 302, bad), "{bad}");
        }
    }
    for inside in [
        "https://127.0.0.1/",
        "https://192.168.1.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://169.254.169.254/",
    ] {
        assert!(!follows(Whose::Others, Method::GET, 302, inside), "{inside}");
    }
    assert!(follows(Whose::Own, Method::PUT, 308, "/y"), "to the same host, with what is written");
    assert!(!follows(Whose::Own, Method::PUT, 302, "/y"), "a browser would read there instead");
    assert!(!follows(Whose::Own, Method::PUT, 307, "https://other.example/x"));
}

#[test]
fn a_password_goes_to_one_host_and_port() {
    let http = http(Some("https://from.example/x"));
    let at = |whose, url: &str| http.login_for(&ask(whose, Method::GET, url)).is_some();
    assert!(at(Whose::Own, "https://from.example/other"));
    assert!(!at(Whose::Others, "https://from.example/other"), "where somebody else named it");
    for other in ["https://from.example:444/x", "http://from.example/x", "https://www.from.example/x"] {
        assert!(!at(Whose::Own, other), "{other}");
    }
    assert!(
        http.next(
            &ask(Whose::Own, Method::GET, "https://from.example/x"),
            &answer(302, "https://other.example/")
        )
        .is_err()
    );
}
