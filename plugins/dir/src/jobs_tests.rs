#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use futures::future::BoxFuture;
use wayside_bridge::{Monotonic, Timestamp};

use super::*;

/// Loses patience within milliseconds.
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::default()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration / 1000))
    }
}

#[tokio::test]
async fn a_folder_that_does_not_answer_holds_few_threads() {
    let jobs = Jobs::new("/mnt/away".into(), Arc::new(Hasty));
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(std::sync::Mutex::new(wait));
    let begun = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 * AT_ONCE {
        let (wait, begun) = (Arc::clone(&wait), Arc::clone(&begun));
        let hanging = jobs.run(move || {
            begun.fetch_add(1, Ordering::SeqCst);
            let _ = wait.lock().map(|wait| wait.recv());
            Ok(())
        });
        assert!(
            matches!(hanging.await, Err(DirError::Silent(path)) if path == std::path::Path::new("/mnt/away"))
        );
    }
    assert_eq!(begun.load(Ordering::SeqCst), AT_ONCE);

    // The server is back.
    drop(release);
    while jobs.run(|| Ok(())).await.is_err() {}
}
