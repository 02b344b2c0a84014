//! What surrounds every route: each answer is counted, and a panic is answered 500 and ends nothing but its request.

use super::{problem::Problem, route::Route};
use crate::{
    metrics::{
        self,
        panics::{Panicked, Place, caught_in},
    },
    protocol::Refusal,
};
use actix_web::{
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};

/// The label of what is no route, so that nobody can make series by asking for new paths.
const OTHER: &str = "other";

/// The label of each route.
fn templates() -> impl Iterator<Item = &'static str> {
    Route::ALL.into_iter().map(Route::path).chain([OTHER])
}

/// Makes the series of all routes.
pub(super) fn declare() {
    metrics::routes(&templates().collect::<Vec<_>>());
}

/// Serves a request by what comes next, and counts its answer.
///
/// # Errors
/// Those of what comes next, and 500 where that panics.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let pattern = request.match_pattern();
    let answer = caught_in(Place::Http, async { next.call(request).await }).await;
    let answer = answer.unwrap_or_else(|Panicked| Err(Problem::from(Refusal::internal()).into()));
    let status = match &answer {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let known = templates().find(|template| pattern.as_deref() == Some(*template));
    metrics::answered(known.unwrap_or(OTHER), status.as_u16());
    answer.map(ServiceResponse::map_into_boxed_body)
}
