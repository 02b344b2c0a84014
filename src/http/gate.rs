//! What every request passes before it is routed: where it comes from, and who it is from.

use super::{
    Site,
    address::look_at_proxy,
    admission::{admit_handshake, admit_refused, admit_request},
    credentials, identity,
    problem::Problem,
    route,
};
use crate::{
    identity::{Gate, Mode},
    protocol::{ErrorCode, Refusal},
};
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
    look_at_proxy(request.request(), &site.trusted_proxies);
    let origin = listed_origin(request.request(), gate);
    if is_preflight(request.request()) {
        let answer = if origin.is_some() { HttpResponse::NoContent().finish() } else { elsewhere().error_response() };
        return Ok(guarded(with_cors(request.into_response(answer), origin)));
    }
    match identify(request.request(), &site, origin.is_some()).await {
        Ok(()) => Ok(guarded(with_cors(next.call(request).await?, origin))),
        Err(problem) => Ok(guarded(with_cors(request.into_response(problem.error_response()), origin))),
    }
}

/// What a request asks for, as far as the gate tells requests apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Socket,
    Api,
    /// What is for anyone: nobody is asked who they are.
    Open,
}

impl Door {
    fn of(request: &HttpRequest) -> Self {
        match path(request) {
            path if route::SOCKETS.contains(&path) => Self::Socket,
            path if path.starts_with("/api/") => Self::Api,
            _ => Self::Open,
        }
    }
}

/// Finds out who asks, for the handler to look at. An address pays before a token is looked at, which is what costs, and once more for
/// one that is refused.
async fn identify(request: &HttpRequest, site: &Site, is_listed: bool) -> Result<(), Problem> {
    let door = Door::of(request);
    match door {
        Door::Socket => admit_handshake(request, site)?,
        Door::Api => admit_request(request, site)?,
        Door::Open => return Ok(()),
    }
    if !is_listed && must_be_listed(request, door, &site.gate) {
        return Err(elsewhere());
    }
    let asker = identity::authenticate(request, &site.gate, site.clock.now()).await;
    if let Err(refusal) = &asker
        && door == Door::Api
        && is_a_guess(refusal)
        && credentials::are_given(request)
    {
        admit_refused(request, site)?;
    }
    request.extensions_mut().insert(asker);
    Ok(())
}

/// Whether it may have been tried in the hope that it fits, rather than come at a time when nobody could tell.
fn is_a_guess(refusal: &Refusal) -> bool {
    matches!(refusal.code, ErrorCode::Unauthorized | ErrorCode::SenderMismatch)
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
fn must_be_listed(request: &HttpRequest, door: Door, gate: &Gate) -> bool {
    let has_origin = request.headers().contains_key(header::ORIGIN);
    match gate.mode {
        Mode::Trusted => false,
        Mode::Jwt(_) if door == Door::Socket => has_origin || credentials::has_cookie(request),
        Mode::Jwt(_) => !request.method().is_safe() && credentials::has_cookie(request),
    }
}

/// The path by which a request is routed: `/%77s` is `/ws`. What is looked at here must be what is served.
fn path(request: &HttpRequest) -> &str {
    request.match_info().as_str()
}

/// A browser asks whether a page may call the API.
fn is_preflight(request: &HttpRequest) -> bool {
    request.method() == Method::OPTIONS
        && Door::of(request) == Door::Api
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
    if Door::of(response.request()) != Door::Api {
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
