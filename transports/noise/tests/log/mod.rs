//! What is said to whoever runs a node while it is under attack: lines are counted.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing::{Level, level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

/// Everything that the crate says, and from `INFO` up what those beneath it say; on this thread, until it is dropped.
pub(crate) struct Log {
    text: Text,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn capture() -> Self {
        let text = Text::default();
        let writer = text.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let filter =
            Targets::new().with_default(LevelFilter::INFO).with_target("wayside_noise", Level::DEBUG);
        let _guard =
            tracing::subscriber::set_default(tracing_subscriber::registry().with(filter).with(lines));
        Self { text, _guard }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let text = self.text.0.lock().unwrap();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }

    /// It was said, once, and little else was.
    pub(crate) fn said_once(&self, what: &str) {
        let lines = self.lines();
        assert_eq!(lines.iter().filter(|line| line.contains(what)).count(), 1, "{what}: {lines:#?}");
        self.said_little();
    }

    /// Nothing fills the log: what links do anyway has some lines.
    pub(crate) fn said_little(&self) {
        let lines = self.lines();
        assert!(lines.len() < 40, "{} lines: {:#?}", lines.len(), &lines[..40]);
    }
}
