//! How a folder is configured.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, OptionSpec, Retry, SharedBridge,
};

use crate::bridge::DirBridge;
use crate::error::DirError;

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
        const OPTIONS: &[OptionSpec] = &[OptionSpec {
            name: "path",
            value: "DIR",
            help: "the folder; each side may have it at another path",
            required: true,
            path: true,
        }];
        OPTIONS
    }

    async fn open(
        &self,
        options: &BridgeOptions,
        context: BridgeContext,
    ) -> Result<SharedBridge, BridgeError> {
        let path = PathBuf::from(options.required("path")?);
        if !path.is_absolute() {
            let message = format!("--path {} is not absolute", path.display());
            return Err(BridgeError::new(ErrorKind::Configuration, message));
        }
        match DirBridge::open(path, context).await {
            Ok(bridge) => Ok(Arc::new(bridge)),
            Err(error @ DirError::Missing(_)) => {
                Err(BridgeError::new(ErrorKind::Configuration, format!("--path: {error}"))
                    .with_retry(Retry::BackOff))
            }
            Err(error) => Err(error.into()),
        }
    }
}
