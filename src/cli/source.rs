//! What a person names who accepts, completes or looks: an invite, a reply, a card, a file with one of them, or where a card lies.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use wayside::greeting::Greeting;
use wayside::pointer::Pointer;
use wayside::reply::Reply;

use super::exit::{Exit, Failure};
use super::output::one_line;
use super::{Context, output};

/// The longest text that is read.
const LONGEST: u64 = Greeting::MAX_TEXT as u64;
/// What an invite begins with.
pub(super) const INVITE: &str = "wayside:";

/// The text that an argument stands for: itself, or what stands in a file or on stdin.
pub(super) fn read(argument: &str) -> Result<String, Failure> {
    if argument == "-" {
        return from_stdin().map(tidied);
    }
    let (path, named) = (Path::new(argument), argument.trim_start());
    let is_path = ["/", "./", "../"].iter().any(|begins| argument.starts_with(begins));
    let is_text =
        [INVITE, Greeting::SCHEME, Reply::SCHEME, Pointer::SCHEME].iter().any(|scheme| begins(named, scheme))
            || argument.contains('#');
    if is_path || (!is_text && path.is_file()) {
        return from_file(path).map(tidied);
    }
    Ok(tidied(argument.to_owned()))
}

/// Whether a person agrees; to press Enter is to.
pub(super) fn agreed(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "" | "y" | "yes")
}

/// Has a person agree to contact a service that is none of their bridges.
pub(super) fn may_contact(context: &Context, service: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let service = one_line(service);
    if context.output.is_json() || !output::can_ask() {
        return Err(Failure::usage(format!(
            "{service} is none of your bridges, and nobody can be asked whether to contact it: add --yes if you want that"
        )));
    }
    output::remark(&format!("{service} is none of your bridges. Whoever runs it will see your address."));
    match agreed(&output::ask("Contact it? [Y/n]")?) {
        true => Ok(()),
        false => Err(Failure::new(Exit::Failed, "nobody was contacted")),
    }
}

/// Mail programs and chats break long lines: an invite is one without blanks. A card's remarks need theirs.
fn tidied(text: String) -> String {
    let is_line = begins(text.trim_start(), INVITE) || begins(text.trim_start(), Reply::SCHEME);
    if is_line { text.split_whitespace().collect() } else { text }
}

/// The first line that is neither empty nor a remark.
pub(super) fn first_line(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default()
}

/// Whether a text begins so, in upper or lower case.
pub(super) fn begins(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(with))
}

/// The first line that is neither empty nor a remark, and what belongs to it: a person who pastes it has no end of file to give.
fn from_stdin() -> Result<String, Failure> {
    let stdin = BufReader::new(std::io::stdin().lock().take(LONGEST));
    let text = tokio::task::block_in_place(|| whole(stdin.lines().map_while(Result::ok)));
    text.ok_or_else(|| {
        Failure::usage(
            "there was neither invite nor card nor reply on stdin: paste it or pass it as the argument",
        )
    })
}

/// What the lines hold, up to where it is complete: of files and replies, which are broken into lines, all; else the first line.
fn whole(lines: impl Iterator<Item = String>) -> Option<String> {
    let mut text = String::new();
    let lines = lines.map(|line| line.trim().to_owned());
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        text.push_str(&line);
        let is_complete = if Greeting::is_one(&text) {
            text.parse::<Greeting>().is_ok()
        } else {
            !begins(&text, Reply::SCHEME) || text.parse::<Reply>().is_ok()
        };
        if is_complete {
            break;
        }
    }
    Some(text).filter(|text| !text.is_empty())
}

fn from_file(path: &Path) -> Result<String, Failure> {
    let failed = |why: String| Failure::usage(format!("{} cannot be read: {why}", path.display()));
    let metadata = path.metadata().map_err(|error| failed(error.to_string()))?;
    // Nothing is waited for that is no file, and nothing read of what is none of ours.
    if !metadata.is_file() {
        return Err(failed("it is no file".to_owned()));
    }
    let too_large = || failed("it is too large to be a card, an invite or a reply".to_owned());
    if metadata.len() > LONGEST {
        return Err(too_large());
    }
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut text = String::new();
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    match read {
        Ok(read) if read as u64 > LONGEST => Err(too_large()),
        Ok(_) => Ok(text),
        Err(_) => Err(failed("it is no text".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{read, whole};

    #[test]
    fn what_is_broken_into_lines_is_read_to_its_end() {
        let lines = |text: &str| {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            whole(lines.into_iter())
        };
        assert_eq!(lines("# one\n\n wayside:AB\nmore"), Some("wayside:AB".to_owned()));
        assert_eq!(lines("hello\nmore"), Some("hello".to_owned()));
        assert_eq!(lines("# a reply\nwayside-reply:AB\nCD\n\n"), Some("wayside-reply:ABCD".to_owned()));
        assert_eq!(lines("wayside-invite:AB\nCD"), Some("wayside-invite:ABCD".to_owned()));
        assert_eq!(lines("# nothing\n"), None);
    }

    #[test]
    fn what_is_named_is_told_apart() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("alice.card");
        let file = path.to_string_lossy();
        std::fs::write(&path, "# a remark\nwayside-card:ABC\n")?;
        let named = |text: &str| read(text).map_err(|failure| failure.message.unwrap_or_default());
        assert_eq!(named(" wayside:AB\n CD "), Ok("wayside:ABCD".to_owned()));
        assert_eq!(named("Wayside-Reply:AB\n CD"), Ok("Wayside-Reply:ABCD".to_owned()));
        assert_eq!(named("git+https://host/path#alice"), Ok("git+https://host/path#alice".to_owned()));
        assert_eq!(named("wayside-card:ABC"), Ok("wayside-card:ABC".to_owned()));
        assert_eq!(named("hello"), Ok("hello".to_owned()));
        assert_eq!(named(&file), Ok("# a remark\nwayside-card:ABC\n".to_owned()));
        assert!(named("/dev/zero").is_err_and(|why| why.contains("no file")));
        assert!(named("./not-there").is_err());
        std::fs::write(&path, "x".repeat(17_000))?;
        assert!(named(&file).is_err_and(|why| why.contains("too large")));
        // A gigabyte is refused by its length: nothing of it is read.
        std::fs::File::create(&path)?.set_len(1 << 30)?;
        let began = std::time::Instant::now();
        assert!(named(&file).is_err_and(|why| why.contains("too large")));
        assert!(began.elapsed() < std::time::Duration::from_millis(100));
        #[cfg(unix)]
        {
            let fifo = folder.path().join("fifo");
            let made = std::process::Command::new("mkfifo").arg(&fifo).status()?;
            assert!(
                made.success() && named(&fifo.to_string_lossy()).is_err_and(|why| why.contains("no file"))
            );
        }
        std::fs::write(&path, [0xff, 0xfe])?;
        assert!(named(&file).is_err_and(|why| why.contains("no text")));
        Ok(())
    }
}
