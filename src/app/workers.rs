//! The worker threads: each has a hub, an actix-web application for requests, and a second instance of it for upgrades.

use crate::{
    delivery::{Drain, Hub, hub::HubActor},
    http::{SessionPort, Site, Timed, gate, keep_unread, observe, routes, takeover},
    identity::Verifier,
    limits::Limiter,
    protocol::{Caller, ErrorCode, Grant, Refusal, Seq, Token, resume::Missed},
    server::{AddHub, ChatServer},
    session::{CheckToken, MissedEvents, Port, Unreadable},
    settings::LimitSettings,
    store::{Reader, StoreError},
};
use actix::{Actor, Addr, Recipient};
use actix_codec::Framed;
use actix_http::{HttpService, Protocol, Request, Response, body::BoxBody, h1::Codec};
use actix_rt::net::TcpStream;
use actix_server::Server;
use actix_service::{IntoService, IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config};
use actix_web::{App, dev::AppConfig, middleware::from_fn, web::Data};
use futures_util::future::LocalBoxFuture;
use std::{
    future::ready,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

/// How long a client may take for the head of its request.
const REQUEST_HEAD: Duration = Duration::from_secs(5);

/// How long what a client still sends is read and thrown away after an answer that came before its end, and how long it may take for
/// the goodbye: a connection that is closed over unread bytes is reset, and the client would never see the answer.
const LINGER: Duration = Duration::from_secs(2);

/// How long an idle HTTP connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What a worker is made of.
#[derive(Clone)]
pub(super) struct Workers {
    pub(super) chat_server: Addr<ChatServer>,
    pub(super) site: Data<Site>,
    pub(super) log_id: Uuid,
    pub(super) reader: Reader,
    pub(super) limits: LimitSettings,
    pub(super) limiter: Arc<Limiter>,
    /// Whether clients may have their messages compressed.
    pub(super) compression: bool,
    /// Events that a session may have missed and be told of.
    pub(super) max_missed: i64,
    /// Where each worker's hub is made known.
    pub(super) announce: UnboundedSender<Recipient<Drain>>,
}

impl Workers {
    /// Listens with `count` workers.
    pub(super) fn listen(self, listener: TcpListener, count: usize) -> std::io::Result<Server> {
        let builder = Server::build().workers(count).max_concurrent_connections(usize::MAX).disable_signals();
        let server = builder.listen("http", listener, move || {
            let (requests, upgrades) = (self.clone(), self.clone());
            let service = HttpService::build()
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(REQUEST_HEAD)
                .client_disconnect_timeout(LINGER)
                .on_connect_ext(|stream: &Timed, data| {
                    data.insert(stream.pause());
                })
                .upgrade(fn_factory(move || upgrades.clone().upgrade_service()))
                .finish(map_config(requests.app(None), |()| AppConfig::default()));
            fn_service(|stream| ready(Ok(connection(stream)))).and_then(service)
        })?;
        Ok(server.run())
    }

    /// The application; with a port it can begin sessions.
    fn app(
        &self,
        port: Option<SessionPort>,
    ) -> impl ServiceFactory<
        Request,
        Config = AppConfig,
        Response = actix_web::dev::ServiceResponse<BoxBody>,
        Error = Response<BoxBody>,
        InitError = (),
        Service: 'static,
    > + use<> {
        // What is wrapped last is passed first: what the gate refuses is counted, too, and no answer lets go of an unread body.
        let app = App::new().app_data(self.site.clone()).configure(routes);
        let app = app.wrap(from_fn(gate::pass)).wrap(from_fn(observe)).wrap(from_fn(keep_unread));
        let app = match port {
            Some(port) => app.app_data(port),
            None => app,
        };
        app.into_factory().map_err(|error: actix_web::Error| error.error_response().into())
    }

    /// The service that is given the upgrade requests, with the hub of its thread.
    async fn upgrade_service(
        self,
    ) -> Result<impl actix_service::Service<(Request, Framed<Timed, Codec>), Response = (), Error = actix_web::Error>, ()> {
        let port = self.port().await.map_err(|error| log::error!("a worker can't begin sessions: {error}"))?;
        let app = map_config(self.app(Some(SessionPort(Rc::new(port)))), |()| AppConfig::default());
        let app = Rc::new(app.new_service(()).await?);
        Ok(fn_service(move |(request, framed)| takeover::serve(Rc::clone(&app), request, framed)).into_service())
    }

    /// Starts this thread's hub and has it told of what is committed from now on.
    async fn port(&self) -> Result<Port, actix::MailboxError> {
        let hub = Rc::new(Hub::new());
        let revocations = self.site.revocations.subscribe();
        let actor = HubActor { hub: Rc::clone(&hub), clock: self.site.clock, revocations }.start();
        let place = self.chat_server.send(AddHub(actor.clone().recipient())).await?;
        hub.take_place(place.index, place.head);
        // Nobody listens once the server is on its way out.
        let _ = self.announce.send(actor.recipient());
        Ok(Port {
            submit: self.chat_server.clone().recipient(),
            connect: self.chat_server.clone().recipient(),
            disconnect: self.chat_server.clone().recipient(),
            hub,
            tokens: Rc::new(Tokens(self.site.gate.verifier())),
            log_id: self.log_id,
            log: Rc::new(Log(self.reader.clone())),
            max_missed: self.max_missed,
            limits: self.limits.client,
            limiter: Arc::clone(&self.limiter),
            fragments: self.limits.fragments,
            compression: self.compression,
            outbox_bytes: self.limits.outbox_bytes,
        })
    }
}

/// What an accepted socket is served as.
fn connection(stream: TcpStream) -> (Timed, Protocol, Option<SocketAddr>) {
    // What a socket that is gone already refuses here, its first byte will tell.
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok();
    (Timed::new(stream, KEEP_ALIVE + REQUEST_HEAD), Protocol::Http1, peer)
}

/// What checks tokens, as a session asks it about a newer one.
struct Tokens(Option<Verifier>);

impl CheckToken for Tokens {
    fn check(&self, token: Token) -> LocalBoxFuture<'static, Result<Grant, Refusal>> {
        let verifier = self.0.clone();
        Box::pin(async move {
            match verifier {
                Some(verifier) => Ok(verifier.verify(&token).await?),
                None => Err(Refusal::new(ErrorCode::Conflict, "auth.mode is \"trusted\": there are no tokens")),
            }
        })
    }
}

/// Events that a session that comes back is told at once.
const MISSED_PAGE: u64 = 256;

/// The log, as a session that comes back reads it.
struct Log(Reader);

impl MissedEvents for Log {
    fn after(&self, caller: Caller, seq: Seq) -> LocalBoxFuture<'static, Result<Option<Missed>, Unreadable>> {
        let reader = self.0.clone();
        Box::pin(async move { reader.missed(caller, seq, MISSED_PAGE).await.map_err(|error| unreadable(&error)) })
    }

    fn is_more_than(&self, caller: Caller, seq: Seq, head: Seq, limit: i64) -> LocalBoxFuture<'static, Result<bool, Unreadable>> {
        let reader = self.0.clone();
        Box::pin(async move {
            reader.missed_more_than(caller, seq, head, limit.unsigned_abs()).await.map_err(|error| unreadable(&error))
        })
    }
}

fn unreadable(error: &StoreError) -> Unreadable {
    log::error!("the log could not be read: {error}");
    Unreadable
}
