//! Ctrl-C and SIGTERM: everything is taken away, and the process ends.

use std::path::PathBuf;
use std::process::exit;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::space;

/// Waits for it on a thread of its own.
pub(crate) fn watch(folder: PathBuf) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            space::remove_all();
            // Other threads may just be writing there, until they see that it is over.
            for _ in 0..20 {
                if std::fs::remove_dir_all(&folder).is_err() && !folder.exists() {
                    break;
                }
                thread::sleep(Duration::from_millis(50));
            }
            exit(130);
        });
    });
    Ok(())
}
