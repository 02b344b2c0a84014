//! Who a request comes from. In the mode `trusted`, `userId` is believed.

use crate::protocol::{
    ErrorCode, Refusal, UserId,
    fields::{MAX_ID, id_parameter},
    resume::Cursor,
};
use actix_web::{HttpRequest, web::Query};
use serde::Deserialize;

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "userId")]
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct CursorParameters {
    since: Option<String>,
    log: Option<String>,
}

/// Where a client that comes back stopped: `since` and `log`.
pub(super) fn cursor(request: &HttpRequest) -> Result<Option<Cursor>, Refusal> {
    let parameters = Query::<CursorParameters>::from_query(request.query_string());
    let parameters = parameters.map_err(|_| Refusal::field("since", "since and log may each stand there once"))?;
    Cursor::from_parameters(parameters.since.as_deref(), parameters.log.as_deref())
}

/// The user who asks.
pub(super) fn user(request: &HttpRequest) -> Result<UserId, Refusal> {
    let unauthorized = |refusal: Refusal| Refusal { code: ErrorCode::Unauthorized, ..refusal };
    let user_id = match Query::<Parameters>::from_query(request.query_string()) {
        Ok(parameters) => parameters.into_inner().user_id,
        // It stands there twice, or is no text: what it must be is said by the check itself.
        Err(_) => Some(String::new()),
    };
    let Some(user_id) = user_id else {
        let message = format!("userId is required: an integer from 1 to {MAX_ID}");
        return Err(unauthorized(Refusal::field("userId", message)));
    };
    id_parameter("userId", &user_id).map(UserId).map_err(unauthorized)
}
