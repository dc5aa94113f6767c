//! How a room is configured.

use async_trait::async_trait;
use matrix_sdk::ruma::RoomOrAliasId;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, Opened, OptionSpec};

use crate::bridge::MatrixBridge;
use crate::options::Settings;
use crate::place::Place;

/// The `matrix` kind: `bridge add matrix --homeserver URL --user @ME:SERVER --password-file FILE --room '#ALIAS:SERVER'`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MatrixKind;

#[async_trait]
impl BridgeKind for MatrixKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "a Matrix room that both of you are in"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn option(
            name: &'static str,
            value: &'static str,
            help: &'static str,
            required: bool,
            path: bool,
        ) -> OptionSpec {
            let spec = OptionSpec::new(name, value, help);
            let spec = if required { spec.required() } else { spec };
            if path { spec.path() } else { spec }
        }
        const OPTIONS: &[OptionSpec] = &[
            option("homeserver", "URL", "your homeserver, like https://matrix.example.org", true, false),
            option("user", "@ME:SERVER", "your account there", true, false),
            option(
                "password-file",
                "FILE",
                "a file with its password and nothing else; used once",
                false,
                true,
            ),
            option(
                "token-file",
                "FILE",
                "instead of it, a file with an access token that no other program uses",
                false,
                true,
            ),
            option("room", "ROOM", "the room: #alias:server, or !id:server", true, false),
            option(
                "ca",
                "FILE",
                "certificates of authorities to trust beside the usual ones (PEM)",
                false,
                true,
            ),
        ];
        OPTIONS
    }

    fn source(&self, _source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, address: &str) -> String {
        // Quoted, since `#` and `!` mean something to a shell; what could end the quotes is no room's usual name.
        let room = RoomOrAliasId::parse(address).ok().filter(|room| !room.as_str().contains('\''));
        let room = room.as_ref().map_or("ROOM", |room| room.as_str());
        format!(
            "--homeserver https://YOUR-SERVER --user @YOU:YOUR-SERVER --password-file FILE --room '{room}'"
        )
    }

    /// The room, and the homeserver as a suggestion: who has an account elsewhere gives their own.
    fn talks(&self) -> bool {
        true
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        options.only(&["homeserver", "room"])
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let settings = Settings::parse(options)?;
        let place = Place::open(settings, context).await?;
        let bridge = MatrixBridge::new(std::sync::Arc::clone(&place));
        let room = crate::room::MatrixRoom::new(place);
        Ok(Opened::new(std::sync::Arc::new(bridge), Some(std::sync::Arc::new(room))))
    }
}
