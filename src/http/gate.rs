//! What every request passes before it is routed: where it comes from, and who it is from.

use super::{Site, credentials, identity, problem::Problem, route};
use crate::identity::{Gate, Mode};
use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};

/// Lets a request through, with who it is from; what it may do is for its handler to say.
///
/// # Errors
/// What the handler failed with.
pub async fn pass(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(site) = request.app_data::<Data<Site>>().cloned() else { return next.call(request).await };
    let gate = &site.gate;
    let origin = listed_origin(request.request(), gate);
    if is_preflight(request.request()) {
        let answer = if origin.is_some() { HttpResponse::NoContent().finish() } else { elsewhere().error_response() };
        return Ok(guarded(with_cors(request.into_response(answer), origin)));
    }
    if origin.is_none() && must_be_listed(request.request(), gate) {
        return Ok(guarded(request.into_response(elsewhere().error_response())));
    }
    let asker = identity::authenticate(request.request(), gate, site.clock.now()).await;
    request.extensions_mut().insert(asker);
    Ok(guarded(with_cors(next.call(request).await?, origin)))
}

fn elsewhere() -> Problem {
    Problem::forbidden("Origin", "pages of this origin may not connect: auth.allowed_origins does not have it")
}

/// The origin of the request's page, if that is on the list.
fn listed_origin(request: &HttpRequest, gate: &Gate) -> Option<HeaderValue> {
    let mut origins = request.headers().get_all(header::ORIGIN);
    let origin = origins.next().filter(|_| origins.next().is_none())?;
    origin.to_str().is_ok_and(|text| gate.origins.contain(text)).then(|| origin.clone())
}

/// Whether this can be the doing of any page that a user looks at, and must come from one on the list: browsers let every page open a
/// WebSocket, and send cookies along. Whoever is no browser sends no `Origin`, and has no cookie.
fn must_be_listed(request: &HttpRequest, gate: &Gate) -> bool {
    let has_origin = request.headers().contains_key(header::ORIGIN);
    match gate.mode {
        Mode::Trusted => false,
        Mode::Jwt(_) if route::SOCKETS.contains(&request.path()) => has_origin || credentials::has_cookie(request),
        Mode::Jwt(_) => !request.method().is_safe() && credentials::has_cookie(request),
    }
}

fn is_of_the_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// A browser asks whether a page may call the API.
fn is_preflight(request: &HttpRequest) -> bool {
    request.method() == Method::OPTIONS
        && is_of_the_api(request.path())
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Has browsers take an answer for what it says that it is, keep it nowhere, and run nothing in it, where its handler has not said
/// otherwise.
fn guarded(mut response: ServiceResponse) -> ServiceResponse {
    const UNLESS_SAID: [(HeaderName, &str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ];
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        for (name, value) in UNLESS_SAID {
            let headers = response.headers_mut();
            if !headers.contains_key(&name) {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
    }
    response
}

/// Lets a page on the list read the answer. An answer that is kept somewhere is for one origin.
fn with_cors(mut response: ServiceResponse, origin: Option<HeaderValue>) -> ServiceResponse {
    const FOR_PAGES_ON_THE_LIST: [(HeaderName, &str); 5] = [
        (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, range"),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "retry-after, ratelimit, ratelimit-policy, location, content-range, content-disposition",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    if !is_of_the_api(response.request().path()) {
        return response;
    }
    let headers: &mut HeaderMap = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        for (name, value) in FOR_PAGES_ON_THE_LIST {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}
