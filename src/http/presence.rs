//! `GET /api/v1/presence`: who is connected.

use super::{Site, identity, problem::Problem};
use crate::server::Inspect;
use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;

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
    identity::principal(&request)?;
    let inspection = site.inspect.send(Inspect).await.map_err(|_| Problem::unavailable("the server is busy: try again"))?;
    let user = |(user, sessions): (crate::protocol::UserId, u32)| Online { user_id: user.0, status: "online", sessions };
    Ok(HttpResponse::Ok().json(Presence { users: inspection.users.into_iter().map(user).collect() }))
}
