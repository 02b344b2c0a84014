//! An echo server on Natter's own connections: framing, fragments, UTF-8, permessage-deflate and closing are the product's code,
//! and every message comes back. `scripts/autobahn` runs the Autobahn test suite against it.
//!
//!     cargo run --release --example echo -- 127.0.0.1:9001

use actix_codec::Framed;
use actix_http::{HttpService, Request, Response, h1::Codec};
use actix_rt::net::TcpStream;
use actix_server::Server;
use actix_service::{IntoService, IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config};
use actix_web::{
    App, HttpRequest, HttpResponse,
    dev::AppConfig,
    http::header::{HeaderValue, SEC_WEBSOCKET_EXTENSIONS},
    web,
};
use natter::{
    delivery::{Subscriber, deflate::compress},
    http::takeover::{self, OnUpgrade},
    limits::Network,
    protocol::{
        Caller, Deflate, Dialect, Role, UserId, Validity, deflate,
        websocket::{self, Opcode},
    },
    session::{Bounds, Connection, Halt, Identity, Message, Outbox},
};
use std::{
    future::poll_fn,
    net::{Ipv4Addr, TcpListener},
    ops::ControlFlow,
    rc::Rc,
    task::{Poll, ready},
};

/// Autobahn's largest message has 16 MiB, and comes in pieces of 64 bytes.
const MESSAGE_BYTES: usize = 32 << 20;
const FRAGMENTS: u32 = 1 << 20;

#[actix_rt::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address)?;
    let server = Server::build().listen("echo", listener, || {
        HttpService::build()
            .tcp_nodelay(true)
            .upgrade(fn_factory(upgrades))
            .finish(map_config(app(), |()| AppConfig::default()))
            .tcp()
    })?;
    server.run().await
}

fn app() -> impl ServiceFactory<
    Request,
    Config = AppConfig,
    Response = actix_web::dev::ServiceResponse,
    Error = Response<actix_http::body::BoxBody>,
    InitError = (),
    Service: 'static,
> {
    let app = App::new().default_service(web::to(upgrade));
    app.into_factory().map_err(|error: actix_web::Error| error.error_response().into())
}

async fn upgrades()
-> Result<impl actix_service::Service<(Request, Framed<TcpStream, Codec>), Response = (), Error = actix_web::Error>, ()> {
    let app = Rc::new(map_config(app(), |()| AppConfig::default()).new_service(()).await?);
    Ok(fn_service(move |(request, framed)| takeover::serve(Rc::clone(&app), request, framed)).into_service())
}

async fn upgrade(request: HttpRequest) -> Result<HttpResponse, actix_web::Error> {
    let mut response = actix_web_actors::ws::handshake(&request)?;
    let offers = request.headers().get_all(SEC_WEBSOCKET_EXTENSIONS).filter_map(|offer| offer.to_str().ok());
    let agreed = deflate::agree(offers);
    if let Some(agreed) = agreed {
        response.insert_header((SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(agreed.answer)));
    }
    let mut response = response.finish();
    let deflate = agreed.map(|agreed| agreed.deflate);
    response.extensions_mut().insert(OnUpgrade::new(move |stream, mut early| {
        actix_rt::spawn(async move { echo(stream, &mut early, deflate).await });
    }));
    Ok(response)
}

async fn echo(stream: TcpStream, early: &mut [u8], deflate: Option<Deflate>) {
    let network = Network::of(Ipv4Addr::LOCALHOST.into());
    let caller = Caller { user: UserId(1), role: Role::User };
    let validity = Validity::default();
    let identity = Identity { caller, validity, network, dialect: Dialect::Classic, deflate, cursor: None };
    let bounds = Bounds { message_bytes: MESSAGE_BYTES, fragments: FRAGMENTS, deflate: deflate.is_some() };
    let outbox = Outbox::new(stream, identity, 2 * MESSAGE_BYTES);
    let mut connection = Connection::new(Rc::clone(&outbox));
    connection.input(early, bounds, &mut answer);
    // Without the hub's sweeps: a heartbeat would be taken for an answer.
    poll_fn(|cx| {
        while ready!(connection.poll_read(cx, bounds, &mut answer)).is_continue() {}
        Poll::Ready(())
    })
    .await;
    outbox.cut();
}

/// Sends the message back; compressed where that was agreed on, however short it is: that is what the cases are about.
fn answer(outbox: &Outbox, message: Message<'_>) -> ControlFlow<Halt> {
    let (opcode, payload) = match message {
        Message::Text(text) => (Opcode::Text, text.as_bytes()),
        Message::Binary(bytes) => (Opcode::Binary, bytes),
    };
    let mut frame = Vec::new();
    match outbox.encoding().deflate.and_then(|deflate| compress(payload, deflate)) {
        Some(compressed) => websocket::write_compressed(&mut frame, opcode, &compressed),
        None => websocket::write(&mut frame, opcode, payload),
    }
    outbox.send(&frame.into());
    ControlFlow::Continue(())
}
