//! How a folder is configured.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec, Retry,
};

use crate::bell::Bell;
use crate::bridge::DirBridge;
use crate::error::DirError;
use crate::hook::Hook;
use crate::jobs::Jobs;
use crate::place::Place;
use crate::ring::RingName;

/// The option that names our bell.
const RING_NAME: &str = "ring-name";
/// The option that says what to do when it rings.
const ON_RING: &str = "on-ring";

/// The `dir` kind: `bridge add dir --path DIR`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DirKind;

#[async_trait]
impl BridgeKind for DirKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "a folder that both of you can see: a network share, Syncthing, a USB stick"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn may(name: &'static str, value: &'static str, help: &'static str) -> OptionSpec {
            OptionSpec::new(name, value, help)
        }
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::new("path", "DIR", "the folder; each side may have it at another path")
                .required()
                .path(),
            may(RING_NAME, "NAME", "our bell in the folder: friends who hold mail for us ring it"),
            may(ON_RING, "COMMAND", "run this by `sh -c` when our bell rings, at most once a minute"),
        ];
        OPTIONS
    }

    fn source(&self, _source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _address: &str) -> String {
        "--path FOLDER".to_owned()
    }

    fn talks(&self) -> bool {
        false
    }

    fn has_few_readers(&self) -> bool {
        true
    }

    fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let (path, bell) = (path(options)?, bell(options)?);
        let hook = bell.and_then(|(name, hook)| Some((name, hook?)));
        match DirBridge::open(path, hook, context).await {
            Ok(bridge) => Ok(Opened::bridge(bridge)),
            Err(error @ DirError::Missing(_)) => {
                Err(BridgeError::new(ErrorKind::Configuration, format!("--path: {error}"))
                    .with_retry(Retry::BackOff))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl DirKind {
    /// The bell of a bridge with these options, for whoever waits for it without the bridge. Touches nothing yet.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) where an option is wrong or there is no bell.
    pub fn bell(options: &BridgeOptions, context: BridgeContext) -> Result<Bell, BridgeError> {
        let (path, bell) = (path(options)?, bell(options)?);
        let (name, hook) = bell.ok_or_else(|| wrong(format!("it has no bell: give it a --{RING_NAME}")))?;
        let jobs = Jobs::new(path.clone(), Arc::clone(&context.clock));
        Ok(Bell::new(Arc::new(Place::new(path, context)), jobs, name, hook))
    }
}

fn path(options: &BridgeOptions) -> Result<PathBuf, BridgeError> {
    let path = PathBuf::from(options.required("path")?);
    match path.is_absolute() {
        true => Ok(path),
        false => Err(wrong(format!("--path {} is not absolute", path.display()))),
    }
}

fn bell(options: &BridgeOptions) -> Result<Option<(RingName, Option<Hook>)>, BridgeError> {
    let hook = options.value(ON_RING).map(|command| {
        Hook::new(command)
            .ok_or_else(|| wrong(format!("--{ON_RING} is empty, too long or no text: give a command")))
    });
    let hook = hook.transpose()?;
    match options.value(RING_NAME) {
        Some(name) => {
            let name = RingName::parse(name)
                .ok_or_else(|| wrong(format!("--{RING_NAME}: {}", DirError::RingName)))?;
            Ok(Some((name, hook)))
        }
        None if hook.is_some() => Err(wrong(format!("--{ON_RING} needs a --{RING_NAME}: what friends ring"))),
        None => Ok(None),
    }
}

fn wrong(message: String) -> BridgeError {
    BridgeError::new(ErrorKind::Configuration, message)
}
