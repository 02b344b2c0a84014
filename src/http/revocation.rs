//! `POST /api/v1/users/{id}/revoke`: a user's sessions end, and what was issued to them until now is refused.

use super::{Site, admission::admit, problem::Problem};
use crate::{
    access::{NotForThem, ServerAction, allows_on_server},
    protocol::{Caller, ErrorCode, Principal, Refusal, UserId, fields::id_parameter, message::WireTime},
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use serde::Serialize;

#[derive(Serialize)]
struct Revoked {
    user_id: i64,
    revoked_at: WireTime,
}

pub(super) async fn revoke(request: HttpRequest, id: Path<String>, site: Data<Site>) -> Result<HttpResponse, Problem> {
    let principal = admit(&request, &site)?;
    allows_on_server(principal, ServerAction::Revoke).map_err(|NotForThem(why)| Refusal::new(ErrorCode::Forbidden, why))?;
    let user = UserId(id_parameter("id", &id)?);
    let at = site.clock.now();
    site.store.revoke(user, at).await.map_err(|error| {
        log::error!("the tokens of user {user} could not be revoked: {error}");
        Refusal::unavailable("the database does not answer: nothing was revoked, try again")
    })?;
    // On disk first: what was promised holds after a restart, too. The hubs close the user's sessions when they see the change.
    site.revocations.send_modify(|revocations| revocations.revoke(user, at));
    log::info!("🔒 HTTP: Tokens of user {user} revoked by {}", by(principal));
    Ok(HttpResponse::Ok().json(Revoked { user_id: user.0, revoked_at: WireTime(at) }))
}

fn by(principal: Principal) -> String {
    match principal {
        Principal::ServerKey => "a server key".to_owned(),
        Principal::User(Caller { user, .. }) => format!("user {user}"),
    }
}
