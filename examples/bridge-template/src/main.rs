//! The program that a node starts: `{{project-name}} FOLDER`.

use std::process::ExitCode;

use {{crate_name}}::{Kind, Service};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        // Standard output belongs to the protocol; this is the log.
        eprintln!("usage: {{project-name}} FOLDER");
        return ExitCode::from(2);
    };
    let service = match Service::open(folder.as_ref()) {
        Ok(service) => service,
        Err(error) => {
            eprintln!("the folder cannot be used: {error}");
            return ExitCode::FAILURE;
        }
    };
    match wayside_bridge_exec::serve(Kind::new(service)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
