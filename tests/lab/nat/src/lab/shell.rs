//! The system's programs that make networks, run to their end.

use std::io::Write;
use std::process::{Command, Stdio};

use super::Failure;

/// Runs a program with these words; what it printed. That it failed is an error with what it complained of.
pub(crate) fn run(program: &str, words: &[&str]) -> Result<String, Failure> {
    run_with(Command::new(program).args(words), "")
}

/// Runs a command with this on its stdin.
pub(crate) fn run_with(command: &mut Command, input: &str) -> Result<String, Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing may have ended by now.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let input = if input.is_empty() { String::new() } else { format!("\nof\n{input}") };
        return Err(format!("{command:?}: {}{input}", complaint.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is there.
pub(crate) fn has_program(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(name).is_file())
}
