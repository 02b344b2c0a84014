//! `GET /ws-online-status` and `/ws`: from an HTTP request to a session.

use super::{Site, address::address, connections::Permit, handshake, identity, problem::Problem, takeover::OnUpgrade};
use crate::{
    limits::Network,
    metrics::{self, HandshakeFault},
    protocol::{Deflate, Dialect, Grant, Refusal, deflate, session::NATTER_V1},
    session::{Identity, Port, Session, turn_away, turn_away_one_too_many},
};
use actix_rt::net::TcpStream;
use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::header::{HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL},
    web::Data,
};
use std::rc::Rc;

/// What the sessions of a worker share, as the application's data. Only the instance of the application that serves upgrades has
/// it.
#[derive(Clone)]
pub struct SessionPort(pub Rc<Port>);

/// Answers 101 and leaves the socket to a session. Who the client is, is refused on the WebSocket, with 4001: a browser shows its
/// page nothing of a refused handshake.
pub(super) async fn upgrade(request: HttpRequest, site: Data<Site>) -> Result<HttpResponse, Problem> {
    handshake::check(&request).inspect_err(|_| metrics::handshake_refused(HandshakeFault::Malformed))?;
    if site.is_draining() {
        metrics::handshake_refused(HandshakeFault::NotServing);
        return Err(Problem::unavailable("the server is going away: connect again"));
    }
    let network = Network::of(address(&request, &site.trusted_proxies));
    let Some(permit) = site.connections.permit(network) else {
        metrics::handshake_refused(HandshakeFault::Full);
        return Err(Problem::unavailable("too many connections: try again later"));
    };
    let Some(SessionPort(port)) = request.app_data::<SessionPort>().cloned() else {
        metrics::handshake_refused(HandshakeFault::NotServing);
        return Err(Problem::unavailable("the server is starting: try again"));
    };
    let mut response = match actix_web_actors::ws::handshake_with_protocols(&request, &[NATTER_V1]) {
        Ok(response) => response,
        Err(refused) => {
            metrics::handshake_refused(HandshakeFault::Malformed);
            return Ok(refused.error_response());
        }
    };
    let agreed = if port.compression { deflate::agree(extensions(&request)) } else { None };
    if let Some(agreed) = agreed {
        response.insert_header((SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(agreed.answer)));
    }
    let mut response = response.finish();
    let dialect = if response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL) { Dialect::NatterV1 } else { Dialect::Classic };
    let identity = identify(&request, network, dialect, agreed.map(|agreed| agreed.deflate));
    response.extensions_mut().insert(OnUpgrade::new(move |stream, early| match identity {
        Ok(identity) => begin(stream, &early, identity, port, permit),
        Err(refusal) => turn_away(stream, &refusal, Box::new(permit)),
    }));
    Ok(response)
}

/// Begins a session, if its user and its address may have one more.
fn begin(stream: TcpStream, early: &[u8], identity: Identity, port: Rc<Port>, mut permit: Permit) {
    match permit.join(identity.caller.user) {
        Ok(()) => Session::open(stream, early, identity, port, Box::new(permit)),
        Err(too_many) => {
            log::info!(cause = "too_many_connections"; "🚫 WS: Connection refused: {too_many}");
            turn_away_one_too_many(stream, Box::new(permit));
        }
    }
}

/// Who connects, and where they stopped.
fn identify(request: &HttpRequest, network: Network, dialect: Dialect, deflate: Option<Deflate>) -> Result<Identity, Refusal> {
    let Grant { caller, validity } = identity::grant(request)?;
    let cursor = match dialect {
        Dialect::Classic => None,
        Dialect::NatterV1 => identity::cursor(request)?,
    };
    Ok(Identity { caller, validity, network, dialect, deflate, cursor })
}

/// What extensions the client offers.
fn extensions(request: &HttpRequest) -> impl Iterator<Item = &str> {
    request.headers().get_all(SEC_WEBSOCKET_EXTENSIONS).filter_map(|offers| offers.to_str().ok())
}
