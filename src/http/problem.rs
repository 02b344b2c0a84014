//! An error as HTTP tells it: a status, and the payload of an `ERROR` frame.

use crate::{
    limits::Quota,
    protocol::{ErrorCode, Refusal},
};
use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

/// A request that was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{refusal}")]
pub(super) struct Problem {
    status: StatusCode,
    refusal: Refusal,
    /// What was exceeded.
    quota: Option<Quota>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, refusal: Refusal) -> Self {
        Self { status, refusal, quota: None }
    }

    /// The caller has asked for too much.
    pub(super) fn limited(quota: Quota, refusal: Refusal) -> Self {
        Self { quota: Some(quota), ..Self::from(refusal) }
    }

    /// What it is.
    pub(super) fn code(&self) -> ErrorCode {
        self.refusal.code
    }

    /// It comes from where it may not.
    pub(super) fn forbidden(field: &'static str, message: &'static str) -> Self {
        Refusal { field: Some(field), ..Refusal::new(ErrorCode::Forbidden, message) }.into()
    }

    /// The server can't take this now; come back.
    pub(super) fn unavailable(message: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Refusal::unavailable(message))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code {
            ErrorCode::InvalidJson | ErrorCode::UnknownType | ErrorCode::InvalidField => StatusCode::BAD_REQUEST,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::SenderMismatch | ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, refusal)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let Refusal { code, message, field, retry_after_ms } = &self.refusal;
        let payload = json!({ "code": code.as_str(), "message": message, "retry_after_ms": retry_after_ms, "field": field });
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::UPGRADE_REQUIRED {
            response.insert_header(("upgrade", "websocket")).insert_header(("sec-websocket-version", "13"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750: whoever brought no token is not told that it was at fault.
            let challenge = if *field == Some("token") {
                r#"Bearer realm="natter", error="invalid_token""#
            } else {
                r#"Bearer realm="natter""#
            };
            response.insert_header(("www-authenticate", challenge));
        }
        if let Some(ms) = retry_after_ms {
            let seconds = ms.div_ceil(1_000);
            response.insert_header(("retry-after", seconds));
            if let Some(quota) = &self.quota {
                response.insert_header(("ratelimit-policy", policy(quota)));
                response.insert_header(("ratelimit", format!("\"{}\";r=0;t={seconds}", quota.name)));
            }
        }
        response.json(json!({ "error": payload }))
    }
}

/// A quota in the words of draft-ietf-httpapi-ratelimit-headers-10: so many units in so many seconds.
fn policy(Quota { name, per_second, burst, .. }: &Quota) -> String {
    format!("\"{name}\";q={burst};w={}", burst.get().div_ceil(per_second.get()))
}
