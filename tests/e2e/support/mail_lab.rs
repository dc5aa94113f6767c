//! The mail servers that `tests/run email` starts, and people with plain mail programs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use data_encoding::BASE64;

use super::{skip_without_server, until};

/// How long a mail may take, and what a program does about it.
const PATIENCE: Duration = Duration::from_secs(40);
/// For so long nothing comes where nothing is to come: a mail takes about a second.
const QUIET: Duration = Duration::from_secs(4);

/// Mails that were sent, so that each has an id of its own.
static SENT: AtomicU64 = AtomicU64::new(0);
/// One at a time writes the servers' tables.
static RECIPE: Mutex<()> = Mutex::new(());

/// Postfix, Dovecot and mlmmj.
#[derive(Debug)]
pub(crate) struct MailLab(PathBuf);

/// Somebody with a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    pub(crate) address: String,
    pub(crate) password: String,
    /// Where the server keeps it.
    maildir: PathBuf,
    /// Where mail is handed in with a password, and where other servers bring it.
    submission: u16,
    mx: u16,
}

/// A mail as somebody finds it.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// Unfolded, a line each.
    pub(crate) headers: String,
    pub(crate) text: String,
}

impl MailLab {
    /// What was started for the tests, if it was.
    pub(crate) fn started() -> Option<Self> {
        let folder = std::env::var_os("WAYSIDE_MAIL_DIR");
        if folder.is_none() {
            skip_without_server("no mail server: `tests/run email` starts one");
        }
        Some(Self(folder?.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A port of the recipe's.
    pub(crate) fn port(&self, name: &str) -> u16 {
        let text = fs::read_to_string(self.0.join("ports").join(name)).expect("a port");
        text.trim().parse().expect("a port")
    }

    pub(crate) fn ca(&self) -> String {
        self.0.join("tls/ca.pem").to_str().expect("text").to_owned()
    }

    /// A new mailbox.
    pub(crate) fn mailbox(&self, address: &str) -> Mailbox {
        let password = format!("pw-{address}");
        self.recipe(&["user", &[address, &password].join(" ")]);
        Mailbox {
            address: address.to_owned(),
            password,
            maildir: self.0.join("mail").join(address).join("Maildir"),
            submission: self.port("clear_sub"),
            mx: self.port("mx"),
        }
    }

    /// A new list with these subscribers; where mlmmj keeps it.
    pub(crate) fn list(&self, address: &str, subscribers: &[&Mailbox]) -> PathBuf {
        let members: Vec<&str> = subscribers.iter().map(|who| who.address.as_str()).collect();
        self.recipe(&["list", &format!("{address} {} {}", members[0], members.join(" "))]);
        self.0.join("lists").join(address.split('@').next().expect("a name"))
    }

    /// Waits until the servers know what was added: Postfix' trivial-rewrite looks each ten seconds whether its tables have changed.
    pub(crate) fn settle(&self) {
        std::thread::sleep(Duration::from_secs(11));
    }

    fn recipe(&self, arguments: &[&str; 2]) {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/services/mail.sh");
        let _guard = RECIPE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut command = Command::new("bash");
        command.arg(recipe).arg(arguments[0]).arg(&self.0).args(arguments[1].split(' '));
        let done = command.output().expect("it starts");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// The options of a bridge to a list with this mailbox.
    pub(crate) fn bridge(&self, who: &Mailbox, list: &str) -> Vec<String> {
        let options = [
            ("--address", who.address.clone()),
            ("--list", list.to_owned()),
            ("--smtp", format!("smtp://localhost:{}", self.port("submission"))),
            ("--imap", format!("imaps://localhost:{}", self.port("imaps"))),
            ("--password-command", format!("echo {}", who.password)),
            ("--ca", self.ca()),
            ("--daily", "500".to_owned()),
        ];
        options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

impl Mailbox {
    /// Writes a plain mail, by one's own server.
    pub(crate) fn write(&self, to: &str, subject: &str, text: &str) {
        let login = Some((self.address.as_str(), self.password.as_str()));
        let headers = format!("From: {}\r\nTo: {to}\r\nSubject: {subject}\r\n", self.address);
        hand_in(self.submission, login, &self.address, to, &headers, text);
    }

    /// Somebody's server brings a mail in somebody's name, with these headers besides.
    pub(crate) fn is_brought(&self, from: &str, headers: &str, text: &str) {
        let headers = format!("From: {from}\r\nTo: {}\r\n{headers}", self.address);
        hand_in(self.mx, None, "whoever@elsewhere.test", &self.address, &headers, text);
    }

    /// Answers a mail as programs do: its subject, its id, and what it said quoted below.
    pub(crate) fn answer(&self, mail: &Mail, text: &str) {
        let (to, subject) = (mail.header("From"), mail.header("Subject"));
        let to = to.rsplit('<').next().unwrap_or_default().trim_end_matches('>').to_owned();
        let quoted: Vec<String> = mail.text.lines().map(|line| format!("> {line}")).collect();
        let id = mail.header("Message-ID");
        let login = Some((self.address.as_str(), self.password.as_str()));
        let headers = format!(
            "From: {}\r\nTo: {to}\r\nSubject: Re: {subject}\r\nIn-Reply-To: {id}\r\nReferences: {id}\r\n",
            self.address
        );
        let text = format!("{text}\r\n\r\nThe robot wrote:\r\n{}", quoted.join("\r\n"));
        hand_in(self.submission, login, &self.address, &to, &headers, &text);
    }

    /// All mails that have come, in that order.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let files = ["new", "cur"].iter().filter_map(|part| fs::read_dir(self.maildir.join(part)).ok());
        let read =
            |file: fs::DirEntry| Some((file.metadata().ok()?.modified().ok()?, fs::read(file.path()).ok()?));
        // The server may have moved one on.
        let mut mails: Vec<_> = files.flatten().flatten().filter_map(read).collect();
        mails.sort();
        mails.into_iter().map(|(_, bytes)| Mail::read(&String::from_utf8_lossy(&bytes))).collect()
    }

    /// Those from this address that say this, in the subject or in the text.
    pub(crate) fn with(&self, from: &str, what: &str) -> Vec<Mail> {
        let mut mails = self.mails();
        mails.retain(|mail| {
            mail.header("From").contains(from)
                && (mail.header("Subject").contains(what) || mail.text.contains(what))
        });
        mails
    }

    /// Waits for a mail from this address that says this, of which there were so many already.
    #[track_caller]
    pub(crate) fn next_with(&self, from: &str, what: &str, before: usize) -> Mail {
        until(&format!("{} gets a mail with {what:?}", self.address), PATIENCE, || {
            let mut found = self.with(from, what);
            (found.len() > before).then(|| found.remove(before))
        })
    }

    /// Writes to a bot, confirms that it was us, and returns what it answers, which has this in it.
    #[track_caller]
    pub(crate) fn says(&self, bot: &str, text: &str, answer: &str) -> Mail {
        let (asked, answered) = (self.confirmations(bot).len(), self.with(bot, answer).len());
        self.write(bot, "hello", text);
        self.confirms(bot, asked);
        self.next_with(bot, answer, answered)
    }

    /// Waits for one more question whether a mail was ours than there were, and says yes.
    #[track_caller]
    pub(crate) fn confirms(&self, bot: &str, before: usize) {
        let asked = until("we are asked whether it was us", PATIENCE, || {
            let asked = self.confirmations(bot);
            (asked.len() > before).then_some(asked)
        });
        for mail in &asked[before..] {
            self.answer(mail, "Yes, that was me.");
        }
    }

    /// The mails that ask whether a mail was ours.
    pub(crate) fn confirmations(&self, bot: &str) -> Vec<Mail> {
        self.with(bot, "Please confirm")
    }

    /// Waits, and says that no mail came.
    #[track_caller]
    pub(crate) fn gets_nothing_more_than(&self, count: usize) {
        std::thread::sleep(QUIET);
        let mails = self.mails();
        assert_eq!(mails.len(), count, "{mails:?}");
    }
}

impl Mail {
    fn read(mail: &str) -> Self {
        let mail = mail.replace("\r\n", "\n");
        let (headers, body) = mail.split_once("\n\n").unwrap_or((&mail, ""));
        let headers = headers.replace("\n\t", " ").replace("\n ", " ");
        let quoted = headers.to_ascii_lowercase().contains("content-transfer-encoding: quoted-printable");
        let text = if quoted { unquoted(body) } else { body.to_owned() };
        Self { headers, text }
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> String {
        let of = |line: &str| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        self.headers.lines().find_map(of).unwrap_or_default()
    }

    /// The word in its text that begins so.
    #[track_caller]
    pub(crate) fn word(&self, beginning: &str) -> String {
        let word = self.text.split_whitespace().find(|word| word.starts_with(beginning));
        word.unwrap_or_else(|| panic!("no {beginning}: {self:?}")).to_owned()
    }
}

/// Quoted-printable (RFC 2045, section 6.7) of ASCII.
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let mut parts = joined.split('=');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()).expect("two digits");
        plain.push(char::from(code));
        plain.push_str(&part[2..]);
    }
    plain
}

/// Hands a mail in, line by line.
fn hand_in(port: u16, login: Option<(&str, &str)>, from: &str, to: &str, headers: &str, text: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut ask = |command: &str, code: &str| {
        if !command.is_empty() {
            stream.write_all(format!("{command}\r\n").as_bytes()).expect("it is written");
        }
        let mut line = String::new();
        while line.get(3..4) != Some(" ") {
            line.clear();
            assert!(answers.read_line(&mut line).expect("an answer") > 0, "{command}: hung up");
        }
        assert!(line.starts_with(code), "{command}: {line}");
    };
    ask("", "220");
    ask("EHLO localhost", "250");
    if let Some((user, password)) = login {
        let secret = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
        ask(&format!("AUTH PLAIN {secret}"), "235");
    }
    ask(&format!("MAIL FROM:<{from}>"), "250");
    ask(&format!("RCPT TO:<{to}>"), "250");
    ask("DATA", "354");
    let number = SENT.fetch_add(1, Ordering::SeqCst);
    let id = format!("Message-ID: <{number}.{}@mua.test>\r\n", std::process::id());
    let text =
        text.lines().map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() });
    ask(&format!("{headers}{id}\r\n{}\r\n.", text.collect::<Vec<_>>().join("\r\n")), "250");
    ask("QUIT", "221");
}
