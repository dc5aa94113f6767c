//! Our account at the homeserver: logged in once, and the session kept.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::config::RequestConfig;
use matrix_sdk::reqwest;
use matrix_sdk::ruma::api::client::session::login;
use matrix_sdk::ruma::api::client::uiaa::{MatrixUserIdentifier, UserIdentifier};
use matrix_sdk::ruma::{OwnedUserId, UserId};
use matrix_sdk::{Client, HttpResult, SessionMeta, SessionTokens, SqliteStoreConfig};
use serde::Deserialize;
use wayside_bridge::BridgeContext;

use crate::error::{MatrixError, of_http, of_sdk, of_transport, said};
use crate::folder::{Folder, Session};
use crate::gate::Gate;
use crate::options::{Login, Settings};
use crate::sdk;
use crate::secret::Secret;

/// As what our session is shown in the account's list of devices.
const DEVICE_NAME: &str = "wayside";
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most of an answer about a token.
const MOST_OF_WHOAMI: usize = 64 * 1024;

/// Our account, logged in.
pub(crate) struct Account {
    /// The library's client.
    pub(crate) client: Client,
    /// The homeserver's name, as errors show it.
    pub(crate) host: String,
    /// Who we are.
    pub(crate) own: OwnedUserId,
    /// When something may be written.
    pub(crate) gate: Gate,
    /// The session as it is kept, and the folder that keeps it.
    pub(crate) kept: Option<(Folder, Session)>,
    /// Whether we logged in for this time alone.
    pub(crate) passing: bool,
}

impl Account {
    /// Takes the session that is kept, or logs in and keeps it.
    pub(crate) async fn open(
        settings: &Settings,
        folder: Option<Folder>,
        context: &BridgeContext,
    ) -> Result<Self, MatrixError> {
        let http = http(settings)?;
        let host = settings.host();
        let stored = folder.as_ref().and_then(Folder::session).filter(|session| {
            session.homeserver == settings.homeserver.as_str() && session.user == settings.user.as_str()
        });
        let (session, passing) = match stored {
            Some(session) => (session, false),
            None => {
                if let Some(folder) = &folder {
                    folder.clear()?;
                }
                let session = begin(settings, &http).await?;
                if let Some(folder) = &folder {
                    folder.keep_session(&session)?;
                }
                (session, folder.is_none() && matches!(settings.login, Login::Password(_)))
            }
        };
        let client = client(settings, http, folder.as_ref(), context).await?;
        let own = UserId::parse(&session.user).map_err(|_| garbled("it calls us by a name that is none"))?;
        let meta = SessionMeta { user_id: own.clone(), device_id: session.device.as_str().into() };
        let tokens = SessionTokens { access_token: session.token.clone(), refresh_token: None };
        sdk::restore(&client, MatrixSession { meta, tokens })
            .await
            .map_err(|error| of_sdk(&error, &host, &host))?;
        let gate = Gate::new(Arc::clone(&context.clock));
        Ok(Self { client, host, own, gate, kept: folder.map(|folder| (folder, session)), passing })
    }

    /// What a request that only asks came to, in this room.
    pub(crate) fn read<T>(&self, answer: HttpResult<T>, room: &str) -> Result<T, MatrixError> {
        answer.map_err(|error| of_http(&error, &self.host, room))
    }

    /// What a request that changes something came to, in this room.
    pub(crate) fn written<T>(&self, answer: HttpResult<T>, room: &str) -> Result<T, MatrixError> {
        self.gate.note(self.read(answer, room))
    }

    /// The same of what the library does in several requests.
    pub(crate) fn done<T>(&self, answer: matrix_sdk::Result<T>, room: &str) -> Result<T, MatrixError> {
        self.gate.note(answer.map_err(|error| of_sdk(&error, &self.host, room)))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("own", &self.own).field("host", &self.host).finish_non_exhaustive()
    }
}

/// Requests go to the named homeserver alone: no redirects.
fn http(settings: &Settings) -> Result<reqwest::Client, MatrixError> {
    let wrong = |error: reqwest::Error| {
        MatrixError::Configuration(format!("TLS cannot be set up: {}", said(&error.to_string())))
    };
    let mut builder = reqwest::Client::builder()
        .user_agent("wayside")
        .redirect(reqwest::redirect::Policy::none())
        .min_tls_version(reqwest::tls::Version::TLS_1_2)
        .connect_timeout(PATIENCE);
    let certificates = settings.certificates()?;
    if !certificates.is_empty() {
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(wrong)
}

async fn client(
    settings: &Settings,
    http: reqwest::Client,
    folder: Option<&Folder>,
    context: &BridgeContext,
) -> Result<Client, MatrixError> {
    let mut builder = Client::builder()
        .homeserver_url(&settings.homeserver)
        .http_client(http)
        // An answer to a login may name another address; we stay with the one that was given.
        .respect_login_well_known(false)
        .request_config(quick());
    if let Some(folder) = folder {
        let key = folder.key(context.entropy.as_ref())?;
        let config = SqliteStoreConfig::with_low_memory_config(folder.store()).key(Some(&key));
        builder = builder.sqlite_store_with_config_and_cache_path(config, None::<&std::path::Path>);
    }
    sdk::build(builder).await.map_err(|error| MatrixError::State {
        folder: folder.map_or_else(|| "memory".to_owned(), |folder| folder.store().display().to_string()),
        reason: said(&error.to_string()),
    })
}

/// One try each: who calls decides whether and when there is another.
pub(crate) fn quick() -> RequestConfig {
    RequestConfig::new().disable_retry().timeout(PATIENCE)
}

/// Begins a session: logs in, or asks whose the token is.
async fn begin(settings: &Settings, http: &reqwest::Client) -> Result<Session, MatrixError> {
    let secret = Secret::read(&settings.login)?;
    let (user, device, token) = match settings.login {
        Login::Password(_) => log_in(settings, http, secret).await?,
        Login::Token(_) => {
            let (user, device) = whose(settings, http, &secret).await?;
            (user, device, secret.0)
        }
    };
    if user != settings.user.as_str() {
        return Err(MatrixError::Configuration(format!(
            "--user is {}, and the homeserver says that this is {}",
            settings.user,
            said(&user)
        )));
    }
    Ok(Session { homeserver: settings.homeserver.to_string(), user, device, token, room: None })
}

async fn log_in(
    settings: &Settings,
    http: &reqwest::Client,
    password: Secret,
) -> Result<(String, String, String), MatrixError> {
    let host = settings.host();
    let builder = Client::builder()
        .homeserver_url(&settings.homeserver)
        .http_client(http.clone())
        .respect_login_well_known(false)
        .request_config(quick());
    let client = sdk::build(builder)
        .await
        .map_err(|error| MatrixError::Configuration(format!("--homeserver: {}", said(&error.to_string()))))?;
    let identifier = UserIdentifier::Matrix(MatrixUserIdentifier::new(settings.user.to_string()));
    let mut request = login::v3::Request::new(login::v3::LoginInfo::Password(login::v3::Password::new(
        identifier, password.0,
    )));
    request.initial_device_display_name = Some(DEVICE_NAME.to_owned());
    let answer = client.send(request).await.map_err(|error| match of_http(&error, &host, &host) {
        MatrixError::Forbidden { said, .. } => MatrixError::Login { host: host.clone(), said },
        MatrixError::NoRoom { .. } => garbled("it knows of no logins"),
        other => other,
    })?;
    Ok((answer.user_id.to_string(), answer.device_id.to_string(), answer.access_token))
}

/// Whose token it is. Asked without the library, which wants to know that beforehand.
async fn whose(
    settings: &Settings,
    http: &reqwest::Client,
    token: &Secret,
) -> Result<(String, String), MatrixError> {
    #[derive(Deserialize)]
    struct Whoami {
        user_id: String,
        device_id: Option<String>,
    }
    let host = settings.host();
    let mut url = settings.homeserver.clone();
    url.path_segments_mut()
        .map_err(|()| garbled("its address has no path"))?
        .pop_if_empty()
        .extend(["_matrix", "client", "v3", "account", "whoami"]);
    let request = http.get(url).bearer_auth(&token.0).timeout(PATIENCE);
    let mut answer = request.send().await.map_err(|error| of_transport(&error, &host))?;
    match answer.status().as_u16() {
        200 => {}
        401 | 403 => return Err(MatrixError::Session { host }),
        status @ 500.. => return Err(MatrixError::Failing { host, status }),
        _ => return Err(garbled("it does not say whose the token is")),
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| of_transport(&error, &host))? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_OF_WHOAMI {
            return Err(garbled("it is far too long"));
        }
    }
    let whoami: Whoami =
        serde_json::from_slice(&body).map_err(|_| garbled("it does not say whose the token is"))?;
    let device = whoami.device_id.ok_or_else(|| {
        MatrixError::Configuration(
            "--token-file: the token belongs to no device; make one by logging in".to_owned(),
        )
    })?;
    Ok((whoami.user_id, device))
}

fn garbled(what: &str) -> MatrixError {
    MatrixError::Garbled(what.to_owned())
}
