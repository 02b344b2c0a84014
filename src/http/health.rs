//! `GET /healthz`: the process answers. `GET /readyz`: it can take messages.

use super::Site;
use crate::store::StoreError;
use actix_web::{
    HttpResponse,
    http::{StatusCode, header::ContentType},
    web::Data,
};
use std::time::Duration;

/// How long the database has for its answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn healthz() -> HttpResponse {
    plain(StatusCode::OK, "ok\n")
}

pub(super) async fn readyz(site: Data<Site>) -> HttpResponse {
    if site.is_draining() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the server is going away\n");
    }
    match tokio::time::timeout(PATIENCE, site.store.check()).await {
        Ok(Ok(())) => plain(StatusCode::OK, "ready\n"),
        Ok(Err(StoreError::TakesNoWrites)) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the database takes no writes: every change is refused\n")
        }
        Ok(Err(error @ StoreError::FileGone(_))) => {
            log::error!(cause = "not_ready"; "not ready: {error}");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the database's file was removed or replaced\n")
        }
        Ok(Err(error)) => {
            log::warn!(cause = "not_ready"; "not ready: {error}");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the database takes too long to answer\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type(ContentType::plaintext()).body(text)
}
