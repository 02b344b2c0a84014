//! `GET /`: a page to try the service with, in one file without a build step.

use actix_web::HttpResponse;

const PAGE: &str = include_str!("../../web/index.html");

/// The page's own script, style and (empty) icon, images of this server, and its WebSocket; nothing else is loaded, and nobody may frame
/// it.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

pub(super) async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", POLICY))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("referrer-policy", "no-referrer"))
        .body(PAGE)
}
