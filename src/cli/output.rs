//! Owns stdout and stderr: nothing else writes to them.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::exit::Failure;

/// Where a command says what it has to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// For a program, as one JSON object a line, or for a person.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads it.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Says one thing: the object to a program, the text (one or more lines) to a person.
    pub(crate) fn say<T: Serialize>(self, object: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { self.object(object) } else { self.text(&text()) }
    }

    /// The object to a program; nothing to a person.
    pub(crate) fn object<T: Serialize>(self, object: &T) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        let mut line = serde_json::to_vec(object).map_err(io::Error::other)?;
        line.push(b'\n');
        write_out(&line)
    }

    /// Text to a person; nothing to a program. What others have written in it cannot move the terminal.
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        if self.json || text.is_empty() {
            return Ok(());
        }
        write_out(format!("{}\n", harmless(text)).as_bytes())
    }

    /// A drawing of our own making to a person, with what steers the terminal in it; nothing to a program.
    pub(crate) fn drawing(self, draw: impl FnOnce(bool) -> String) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        write_out(draw(io::stdout().is_terminal()).as_bytes())
    }
}

/// How many columns a terminal on stdout has; none where it goes elsewhere.
pub(crate) fn columns() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width.0))
}

/// A remark beside the result, on stderr.
pub(crate) fn remark(text: &str) {
    // Without stderr there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", harmless(text));
}

/// The sentence of a failure, on stderr.
pub(crate) fn complain(sentence: &str) {
    remark(&format!("wayside: {sentence}"));
}

/// Help, as clap has laid it out.
pub(crate) fn help(text: &str) {
    // A reader who has gone needs no help.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Whether a person sits in front of it and can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a person and returns the answer, trimmed.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{} ", harmless(question))?;
    stderr.flush()?;
    // Whoever else has something to say need not wait for a person.
    drop(stderr);
    let mut answer = String::new();
    tokio::task::block_in_place(|| io::stdin().read_line(&mut answer))?;
    Ok(answer.trim().to_owned())
}

/// Text without what would steer a terminal: control characters other than line ends and tabs, and those that turn
/// the direction of writing around.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if text.contains(steers) {
        Cow::Owned(text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The same on one line, for names and other words in a sentence or a table.
pub(crate) fn one_line(text: &str) -> String {
    harmless(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Written and flushed when this returns.
fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{harmless, one_line};

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(harmless("\u{1b}[2Jboo\r\u{9b}31m"), "\u{fffd}[2Jboo\u{fffd}\u{fffd}31m");
        assert_eq!(harmless("abc\u{202e}cba"), "abc\u{fffd}cba");
        assert_eq!(harmless("two\nlines\tand ünïcödé"), "two\nlines\tand ünïcödé");
        assert_eq!(one_line("two\nlines\t and"), "two lines and");
    }
}
