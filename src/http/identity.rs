//! Who a request comes from. In the mode `trusted`, `userId` is believed.

use crate::protocol::{Refusal, UserId, fields::user_id_parameter};
use actix_web::{HttpRequest, web::Query};
use serde::Deserialize;

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "userId")]
    user_id: Option<String>,
}

/// The user who asks.
pub(super) fn user(request: &HttpRequest) -> Result<UserId, Refusal> {
    let user_id = match Query::<Parameters>::from_query(request.query_string()) {
        Ok(parameters) => parameters.into_inner().user_id,
        // It stands there twice, or is no text: what it is called then is said by the check itself.
        Err(_) => Some(String::new()),
    };
    user_id_parameter("userId", user_id.as_deref())
}
