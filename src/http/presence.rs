//! `GET /api/v1/presence`: who is connected.

use super::{Site, admission::admit, problem::Problem};
use crate::{
    access::{NotForThem, ServerAction, allows_on_server},
    identity::Mode,
    protocol::{ErrorCode, Principal, Refusal, UserId, fields::id_parameter},
    server::Inspect,
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Query},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Users that may be asked for at once.
const MAX_USERS: usize = 200;

#[derive(Deserialize)]
struct Parameters {
    user_ids: Option<String>,
}

#[derive(Serialize)]
struct Presence {
    users: Vec<Online>,
}

#[derive(Serialize)]
struct Online {
    user_id: i64,
    status: &'static str,
    sessions: u32,
}

pub(super) async fn presence(request: HttpRequest, site: Data<Site>) -> Result<HttpResponse, Problem> {
    let who = admit(&request, &site)?;
    let whom = match named(&request)? {
        Some(users) => Inspect::Of(users),
        None => everyone(who, &site.gate.mode)?,
    };
    let inspection = site.inspect.send(whom).await.map_err(|_| Problem::unavailable("the server is busy: try again"))?;
    let user = |(user, sessions): (UserId, u32)| Online { user_id: user.0, status: "online", sessions };
    Ok(HttpResponse::Ok().json(Presence { users: inspection.users.into_iter().map(user).collect() }))
}

/// Whom the request names, as `user_ids=1,2,3`.
fn named(request: &HttpRequest) -> Result<Option<BTreeSet<UserId>>, Refusal> {
    let Ok(Query(Parameters { user_ids })) = Query::from_query(request.query_string()) else {
        return Err(Refusal::field("user_ids", "user_ids may stand there once: user_ids=1,2,3"));
    };
    let Some(user_ids) = user_ids else { return Ok(None) };
    let ids = user_ids.split(',').take(MAX_USERS + 1);
    let users: Vec<UserId> = ids.map(|id| id_parameter("user_ids", id).map(UserId)).collect::<Result<_, _>>()?;
    if users.len() > MAX_USERS {
        return Err(Refusal::field("user_ids", format!("user_ids may name at most {MAX_USERS} users")));
    }
    Ok(Some(users.into_iter().collect()))
}

/// All who are connected. In the mode `trusted` everyone can be an administrator anyway.
fn everyone(who: Principal, mode: &Mode) -> Result<Inspect, Refusal> {
    match mode {
        Mode::Trusted => Ok(Inspect::Everyone),
        Mode::Jwt(_) => allows_on_server(who, ServerAction::ListOnline)
            .map(|()| Inspect::Everyone)
            .map_err(|NotForThem(why)| Refusal { field: Some("user_ids"), ..Refusal::new(ErrorCode::Forbidden, why) }),
    }
}
