//! Who a request comes from. In the mode `trusted`, `userId` is believed, and `role` where it is given.

use crate::protocol::{
    Caller, ErrorCode, Principal, Refusal, Role, UserId,
    fields::{MAX_ID, id_parameter},
    resume::Cursor,
};
use actix_web::{HttpRequest, http::header::AUTHORIZATION, web::Query};
use serde::Deserialize;
use subtle::ConstantTimeEq;

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

/// Where a client that comes back stopped: `since` and `log`.
pub(super) fn cursor(request: &HttpRequest) -> Result<Option<Cursor>, Refusal> {
    let parameters = Query::<CursorParameters>::from_query(request.query_string());
    let parameters = parameters.map_err(|_| Refusal::field("since", "since and log may each stand there once"))?;
    Cursor::from_parameters(parameters.since.as_deref(), parameters.log.as_deref())
}

/// The keys of the application's own backend.
#[derive(Clone)]
pub struct ServerKeys(Vec<Box<[u8]>>);

impl ServerKeys {
    /// These keys.
    #[must_use]
    pub fn new(keys: &[String]) -> Self {
        Self(keys.iter().map(|key| key.as_bytes().into()).collect())
    }

    /// Whether this is one of them; how long it takes to say so, tells nothing of them but their lengths.
    fn has(&self, offered: &[u8]) -> bool {
        self.0.iter().fold(false, |found, key| found | bool::from(key.ct_eq(offered)))
    }
}

/// Who asks: the application's backend by one of its keys, or a user.
pub(super) fn principal(request: &HttpRequest, keys: &ServerKeys) -> Result<Principal, Refusal> {
    let Some(offered) = request.headers().get(AUTHORIZATION) else { return caller(request).map(Principal::User) };
    match offered.as_bytes().split_at_checked(BEARER.len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(BEARER) && keys.has(key) => Ok(Principal::ServerKey),
        _ => Err(Refusal::new(ErrorCode::Unauthorized, "the key in Authorization is not one of api.keys")),
    }
}

const BEARER: &[u8] = b"Bearer ";

/// The user who asks, and as what.
pub(super) fn caller(request: &HttpRequest) -> Result<Caller, Refusal> {
    let believed = user(request).and_then(|user| Ok(Caller { user, role: role(request)? }));
    believed.map_err(|refusal| Refusal { code: ErrorCode::Unauthorized, ..refusal })
}

fn user(request: &HttpRequest) -> Result<UserId, Refusal> {
    let user_id = match Query::<UserParameter>::from_query(request.query_string()) {
        Ok(parameter) => parameter.into_inner().user_id,
        // It stands there twice, or is no text: what it must be is said by the check itself.
        Err(_) => Some(String::new()),
    };
    let Some(user_id) = user_id else {
        let message = format!("userId is required: an integer from 1 to {MAX_ID}");
        return Err(Refusal::field("userId", message));
    };
    id_parameter("userId", &user_id).map(UserId)
}

fn role(request: &HttpRequest) -> Result<Role, Refusal> {
    match Query::<RoleParameter>::from_query(request.query_string()) {
        Ok(Query(RoleParameter { role: None })) => Ok(Role::default()),
        Ok(Query(RoleParameter { role: Some(role) })) => role.parse().map_err(|expected| Refusal::field("role", expected)),
        Err(_) => Err(Refusal::field("role", "role may stand there once")),
    }
}
