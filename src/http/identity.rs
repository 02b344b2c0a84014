//! Who a request comes from: a user by their token, in the mode `trusted` by `userId`, or the application's backend by its key.

use super::credentials;
use crate::{
    identity::{Gate, Mode, TokenFault},
    protocol::{
        Caller, ErrorCode, Grant, Principal, Refusal, Role, Timestamp, UserId, Validity,
        fields::{MAX_ID, id_parameter},
        resume::Cursor,
    },
};
use actix_web::{HttpMessage, HttpRequest, web::Query};
use serde::Deserialize;

#[derive(Deserialize)]
struct UserParameter {
    #[serde(rename = "userId")]
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct RoleParameter {
    role: Option<String>,
}

#[derive(Deserialize)]
struct CursorParameters {
    since: Option<String>,
    log: Option<String>,
}

/// Who a request comes from, and for how long that holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker {
    User(Grant),
    ServerKey,
}

/// Where a client that comes back stopped: `since` and `log`.
pub(super) fn cursor(request: &HttpRequest) -> Result<Option<Cursor>, Refusal> {
    let parameters = Query::<CursorParameters>::from_query(request.query_string());
    let parameters = parameters.map_err(|_| Refusal::field("since", "since and log may each stand there once"))?;
    Cursor::from_parameters(parameters.since.as_deref(), parameters.log.as_deref())
}

/// The user who asks, and for how long they are who they are.
pub(super) fn grant(request: &HttpRequest) -> Result<Grant, Refusal> {
    match asker(request)? {
        Asker::User(grant) => Ok(grant),
        Asker::ServerKey => Err(Refusal::new(ErrorCode::Unauthorized, "a server key is no user: this needs a user's token")),
    }
}

/// Who asks: a user, or the application's backend.
pub(super) fn principal(request: &HttpRequest) -> Result<Principal, Refusal> {
    Ok(match asker(request)? {
        Asker::User(grant) => Principal::User(grant.caller),
        Asker::ServerKey => Principal::ServerKey,
    })
}

/// What was found out when the request came through the gate; what came another way is refused.
fn asker(request: &HttpRequest) -> Result<Asker, Refusal> {
    let found = request.extensions().get::<Result<Asker, Refusal>>().cloned();
    found.unwrap_or_else(|| Err(Refusal::internal()))
}

/// Finds out who a request comes from.
pub(super) async fn authenticate(request: &HttpRequest, gate: &Gate, now: Timestamp) -> Result<Asker, Refusal> {
    if credentials::bearers(request).any(|key| gate.server_keys.contain(key)) {
        return Ok(Asker::ServerKey);
    }
    let grant = match &gate.mode {
        Mode::Trusted => Grant { caller: believed(request)?, validity: Validity { issued_at: Some(now), expires_at: None } },
        Mode::Jwt(verifier) => {
            let grant = verifier.verify(&credentials::token(request)?).await.map_err(|fault| refusal(fault, request))?;
            must_be(grant.caller.user, request)?;
            grant
        }
    };
    Ok(Asker::User(grant))
}

/// Where what was brought can't be a token, it may have been meant as a server key: which of them is at fault, nobody knows.
fn refusal(fault: TokenFault, request: &HttpRequest) -> Refusal {
    let may_be_a_key = fault == TokenFault::Malformed && credentials::bearers(request).next().is_some();
    let refusal = Refusal::from(fault);
    if may_be_a_key {
        Refusal { message: "what stands in Authorization: Bearer is no server key, and no signed JWT".into(), ..refusal }
    } else {
        refusal
    }
}

/// Beside a token, `userId` may be left out, or say the same.
fn must_be(user: UserId, request: &HttpRequest) -> Result<(), Refusal> {
    match parameter(request) {
        None => Ok(()),
        Some(user_id) if user_id == user.to_string() => Ok(()),
        Some(_) => {
            let message = format!("userId must be {user}, the token's user, or be left out");
            Err(Refusal { field: Some("userId"), ..Refusal::new(ErrorCode::SenderMismatch, message) })
        }
    }
}

/// Whom the request says that it is from.
fn believed(request: &HttpRequest) -> Result<Caller, Refusal> {
    let believed = user(request).and_then(|user| Ok(Caller { user, role: role(request)? }));
    believed.map_err(|refusal| Refusal { code: ErrorCode::Unauthorized, ..refusal })
}

fn user(request: &HttpRequest) -> Result<UserId, Refusal> {
    let Some(user_id) = parameter(request) else {
        let message = match credentials::bearers(request).next() {
            Some(_) => "what stands in Authorization: Bearer is none of api.keys, and userId is not given either".to_owned(),
            None => format!("userId is required: an integer from 1 to {MAX_ID}"),
        };
        return Err(Refusal::field("userId", message));
    };
    id_parameter("userId", &user_id).map(UserId)
}

/// `userId` as it stands in the address.
fn parameter(request: &HttpRequest) -> Option<String> {
    match Query::<UserParameter>::from_query(request.query_string()) {
        Ok(parameter) => parameter.into_inner().user_id,
        // It stands there twice, or is no text: what it must be is said by the check itself.
        Err(_) => Some(String::new()),
    }
}

fn role(request: &HttpRequest) -> Result<Role, Refusal> {
    match Query::<RoleParameter>::from_query(request.query_string()) {
        Ok(Query(RoleParameter { role: None })) => Ok(Role::default()),
        Ok(Query(RoleParameter { role: Some(role) })) => role.parse().map_err(|expected| Refusal::field("role", expected)),
        Err(_) => Err(Refusal::field("role", "role may stand there once")),
    }
}
