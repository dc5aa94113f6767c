//! The laboratory: what its networks are made of, and what is tried in them.

mod arguments;
mod classify;
mod dice;
mod ground;
mod hardships;
mod home;
mod interrupt;
mod iroh;
mod kind;
mod lanes;
mod newcomer;
mod oracle;
mod pair;
mod person;
mod relayed;
mod report;
mod rules;
mod say;
mod series;
mod session;
mod shell;
mod space;
mod table;
mod trio;
mod upnp;
mod watch;
mod wire;

pub(crate) use session::main;

/// Whatever went wrong, for a person to read.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The program under test: `WAYSIDE_BIN`, or the one that was built beside this.
fn program() -> &'static std::path::Path {
    static PROGRAM: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    PROGRAM.get_or_init(|| {
        let beside = || std::env::current_exe().unwrap_or_default().with_file_name("wayside");
        std::env::var_os("WAYSIDE_BIN").map_or_else(beside, std::path::PathBuf::from)
    })
}
