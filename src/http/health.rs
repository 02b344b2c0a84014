//! `GET /healthz`: the process answers. `GET /readyz`: it can take messages.

use super::Site;
use crate::store::StoreError;
use actix_web::{HttpResponse, web::Data};
use std::time::Duration;

/// How long the database has for its answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().body("ok\n")
}

pub(super) async fn readyz(site: Data<Site>) -> HttpResponse {
    if site.is_draining() {
        return HttpResponse::ServiceUnavailable().body("the server is going away\n");
    }
    match tokio::time::timeout(PATIENCE, site.store.check()).await {
        Ok(Ok(())) => HttpResponse::Ok().body("ready\n"),
        Ok(Err(StoreError::TakesNoWrites)) => {
            HttpResponse::ServiceUnavailable().body("the database takes no writes: every change is refused\n")
        }
        Ok(Err(error)) => {
            log::warn!(cause = "not_ready"; "not ready: {error}");
            HttpResponse::ServiceUnavailable().body("the database does not answer\n")
        }
        Err(_) => HttpResponse::ServiceUnavailable().body("the database takes too long to answer\n"),
    }
}
