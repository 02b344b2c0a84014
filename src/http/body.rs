//! The body of a request of the API: read after it is known who asks, and not for ever.

use super::problem::Problem;
use crate::protocol::{ErrorCode, Refusal};
use actix_web::{
    http::StatusCode,
    web::{Bytes, Payload},
};
use std::time::Duration;
use tokio::time::timeout;

/// A body holds one small JSON object.
const MAX_BYTES: usize = 64 * 1024;

/// How long a client may take for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The whole body.
pub(super) async fn read(payload: Payload) -> Result<Bytes, Problem> {
    let refuse = |status, message: String| Problem::new(status, Refusal::new(ErrorCode::InvalidJson, message));
    match timeout(PATIENCE, payload.to_bytes_limited(MAX_BYTES)).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(error))) => Err(refuse(StatusCode::BAD_REQUEST, format!("the body can't be read: {error}"))),
        Ok(Err(_)) => Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, format!("the body must not have more than {MAX_BYTES} bytes"))),
        Err(_) => Err(refuse(StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {} s", PATIENCE.as_secs()))),
    }
}
