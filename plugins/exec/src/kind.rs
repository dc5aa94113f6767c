//! How an `exec` bridge is configured.

use std::time::Duration;

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec};

use crate::{ExecBridge, Program};

/// The kind `exec`: a program of the user's that is a bridge.
///
/// Which program runs comes from the user's own configuration and from nowhere else: no locator, invite or
/// card ever starts one.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExecKind;

impl ExecKind {
    /// Its name.
    pub const KIND: &'static str = "exec";
}

#[async_trait]
impl BridgeKind for ExecKind {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn summary(&self) -> &'static str {
        "a program of yours, in any language, that speaks the exec protocol"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::new(
                "command",
                "COMMAND",
                "the program and its arguments, quoted as in a shell and run without one",
            )
            .required(),
            OptionSpec::new(
                "timeout",
                "SECONDS",
                "how long an answer may take before the program is started anew (60)",
            ),
        ];
        OPTIONS
    }

    fn source(&self, _source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _address: &str) -> String {
        "--command 'PROGRAM …'".to_owned()
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let program = Program::parse(options.required("command")?)?;
        let timeout = match options.value("timeout") {
            None => ExecBridge::TIMEOUT,
            Some(text) => parse_timeout(text)?,
        };
        Ok(Opened::bridge(ExecBridge::open(program, timeout, context).await?))
    }
}

/// Whole seconds, from one to an hour.
fn parse_timeout(text: &str) -> Result<Duration, BridgeError> {
    let seconds = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        BridgeError::new(ErrorKind::Configuration, "--timeout is a number of seconds from 1 to 3600")
    })
}
