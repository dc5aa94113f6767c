//! Serves the local API.

use std::future::IntoFuture;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::access::{self, Access, Tokens};
use super::tcp::Tcp;
use super::types::{ApiError, ErrorCode};
use super::{handlers, socket};
use crate::home::{Home, HomeError};
use crate::requests::Requests;

/// What every handler is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) requests: Requests,
    pub(crate) tokens: Tokens,
    /// Ends answers that would go on for ever.
    pub(crate) stop: CancellationToken,
}

/// The API as it is served.
#[derive(Debug)]
pub(crate) struct Server {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

#[cfg(unix)]
type Listener = tokio::net::UnixListener;
#[cfg(not(unix))]
type Listener = tokio::net::TcpListener;

impl Server {
    /// Listens at the home's socket, and serves what listens on TCP, where something does. The home's lock is held.
    pub(crate) fn start(requests: Requests, tokens: Tokens, tcp: Option<Tcp>) -> Result<Self, HomeError> {
        let path = requests.home.socket();
        let listener = socket::listen(&path).map_err(|error| HomeError::io(&path, error))?;
        let stop = CancellationToken::new();
        let owner = owner_of(&requests.home);
        let access = Access::new(tokens.clone(), *requests.driver.clock());
        let context = Context { requests, tokens, stop: stop.clone() };
        let routes = handlers::routes().with_state(context);
        let served = |access: Access| -> Router {
            let allow = middleware::from_fn_with_state(access, access::allow);
            routes.clone().layer(allow).layer(middleware::map_response(in_our_words))
        };
        let router =
            served(access.of_owner()).layer(middleware::from_fn(move |connection, request, next| {
                only(owner, connection, request, next)
            }));
        let tcp = tcp.map(|tcp| {
            let guard = middleware::from_fn_with_state(tcp.pages(), access::guard);
            tcp.serve(served(access).layer(guard), stop.clone())
        });
        let serving = axum::serve(listener, router.into_make_service_with_connect_info::<Caller>());
        let serving = serving.with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            let tcp = async {
                if let Some(tcp) = tcp {
                    tcp.await;
                }
            };
            if let (Err(error), ()) = tokio::join!(serving.into_future(), tcp) {
                tracing::error!(%error, "the local API ended");
            }
            // The next node removes what a crash leaves behind.
            let _ = std::fs::remove_file(path);
        });
        Ok(Self { stop, task })
    }

    /// Takes no more requests, and finishes those under way; what is not finished by then is given up.
    pub(crate) async fn shutdown(mut self, patience: Duration) {
        self.stop.cancel();
        let _ = tokio::time::timeout(patience, &mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// Whose process is at the other end.
#[derive(Clone, Copy, Debug)]
struct Caller {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, Listener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        #[cfg(unix)]
        let uid = stream.io().peer_cred().ok().map(|credentials| credentials.uid());
        #[cfg(not(unix))]
        let uid = {
            let _ = stream;
            None
        };
        Self { uid }
    }
}

/// The user whose home it is, where the system has users of that sort.
fn owner_of(home: &Home) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(home.path()).ok().map(|metadata| metadata.uid())
    }
    #[cfg(not(unix))]
    {
        let _ = home;
        None
    }
}

/// Lets in the home's owner and the superuser. The folder's mode says so already; this holds where somebody loosened it.
async fn only(
    owner: Option<u32>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request<axum::body::Body>,
    next: Next,
) -> Response {
    let allowed = caller.uid.is_some_and(|uid| uid == 0 || Some(uid) == owner);
    if allowed {
        next.run(request).await
    } else {
        ApiError::new(ErrorCode::Home, "this home belongs to somebody else").into_response()
    }
}

/// Errors that axum answers by itself, about paths, methods and bodies, said as all others are.
async fn in_our_words(response: Response) -> Response {
    let json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    let ours = response.headers().get(CONTENT_TYPE).is_some_and(json);
    let status = response.status();
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let said = axum::body::to_bytes(response.into_body(), MOST_SAID).await.unwrap_or_default();
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::new(
            ErrorCode::NotFound,
            "the node knows no such request: it may be older than the command",
        ),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new(
            ErrorCode::Usage,
            "the node does not do this with that path: see the API's documentation",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(ErrorCode::Usage, "the request is too long: send less at once")
        }
        _ if status.is_client_error() => {
            let said = String::from_utf8_lossy(&said);
            ApiError::new(ErrorCode::Usage, format!("the request makes no sense to the node: {said}"))
        }
        _ => ApiError::new(ErrorCode::Internal, "the node failed at this: its log says more"),
    };
    (status, axum::Json(error)).into_response()
}

/// The longest sentence of axum's that is passed on, in bytes.
const MOST_SAID: usize = 4096;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match self.code {
            ErrorCode::Usage | ErrorCode::Invite => StatusCode::BAD_REQUEST,
            ErrorCode::Pending => StatusCode::REQUEST_TIMEOUT,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Exists => StatusCode::CONFLICT,
            ErrorCode::NoBridge | ErrorCode::Bridge => StatusCode::BAD_GATEWAY,
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::TooMany => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Home => StatusCode::INSUFFICIENT_STORAGE,
            ErrorCode::Busy | ErrorCode::Away => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, axum::Json(self)).into_response()
    }
}
