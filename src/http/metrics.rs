//! `GET /metrics`: what the operator's Prometheus scrapes.

use super::Site;
use crate::metrics;
use actix_web::{HttpResponse, error::ErrorInternalServerError, web::Data};

pub(super) async fn metrics(site: Data<Site>) -> actix_web::Result<HttpResponse> {
    let (drafts, bytes) = site.writer.waiting();
    metrics::queue(drafts, bytes);
    let text = metrics::text().map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().content_type(metrics::MEDIA_TYPE).body(text))
}
