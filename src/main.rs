//! The command `wayside`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
