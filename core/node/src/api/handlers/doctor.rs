//! Looking at how it all is.

use std::pin::pin;

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::lines::Reader;
use crate::api::server::Context;
use crate::api::types::{ApiError, ExaminationLine, Examine};
use crate::doctor::Progress;

/// `POST /v1/doctor`: says what it looks at, and last what it found.
pub(super) async fn doctor(
    State(context): State<Context>,
    reader: Reader,
    Json(request): Json<Examine>,
) -> Result<Response, ApiError> {
    let requests = context.requests;
    if let Some(friend) = &request.friend {
        requests.find(friend.clone()).await?;
    }
    Ok(reader.answer(|writer| async move {
        let (progress, mut told) = Progress::new();
        let mut examining = pin!(requests.examine(request, progress));
        let report = loop {
            tokio::select! {
                biased;
                Some(doing) = told.recv() => writer.line(&ExaminationLine::Doing { doing }).await?,
                report = &mut examining => break report,
            }
        };
        match report {
            Ok(report) => writer.line(&ExaminationLine::Report(Box::new(report))).await,
            Err(error) => writer.error(error).await,
        }
    }))
}
