//! A panic in one session, command, delivery or request ends that one, is counted, and takes nothing else with it.
//!
//! Natter has no switch that makes it panic. The panics come in by the places where its parts take something from outside: a
//! `Subscriber` of the hub, the listener of a connection, the log that a session resumes from, the clock of the rules, a route. All
//! else here is the product's own code, over real sockets and a real database.

use crate::harness::{Backend, PATIENCE, TestDatabase};
use actix::{Actor, Recipient, System};
use actix_rt::net::{TcpListener, TcpStream};
use actix_web::{App, HttpResponse, HttpServer, middleware::from_fn, web};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future::LocalBoxFuture};
use natter::{
    access::Unlisted,
    chat::Chat,
    clock::Clock,
    delivery::{Batch, Deliver, Hub, Reply, ReplySort, Subscriber, hub::HubActor},
    http::observe,
    limits::{Limiter, Network},
    metrics::{self, panics},
    protocol::{
        Addressed, Audience, Caller, Change, CloseCode, Conversation, ConversationId, ConversationKind, Dialect, Encoding, Event,
        Grant, Limits, Message, MessageId, Refusal, Revocations, Role, Seq, Share, Timestamp, Token, UserId, Validity,
        resume::{Cursor, Missed},
    },
    server::{AddHub, ChatServer, Publish},
    session::{Bounds, CheckToken, Connection, Halt, Identity, MissedEvents, Outbox, Port, Session, Unreadable},
    store::{QueueBounds, Retention, Store},
};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    ops::ControlFlow,
    panic::{set_hook, take_hook},
    rc::Rc,
    sync::{Arc, Once},
};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message as WsMessage, protocol::Role as WsRole},
};

/// Counts panics as the service does, and prints them as tests do.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let printing = take_hook();
        panics::install_hook();
        let counting = take_hook();
        set_hook(Box::new(move |panic| {
            counting(panic);
            printing(panic);
        }));
    });
}

fn panics_counted(place: &str) -> u64 {
    let text = metrics::text().expect("the metrics");
    let series = format!("natter_panics_total{{where=\"{place}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)).expect("its series").parse().expect("a number")
}

/// A session that writes down what it is sent, or panics.
#[derive(Default)]
struct Listening {
    sent: RefCell<Vec<Bytes>>,
    closed: Cell<Option<CloseCode>>,
    panics: bool,
}

impl Subscriber for Listening {
    fn encoding(&self) -> Encoding {
        Encoding { dialect: Dialect::NatterV1, deflate: None }
    }

    fn caller(&self) -> Caller {
        Caller { user: UserId(1), role: Role::User }
    }

    fn send(&self, frames: &Bytes) {
        assert!(!self.panics, "a session that panics");
        self.sent.borrow_mut().push(frames.clone());
    }

    fn tell(&self, json: &[u8]) {
        self.send(&Bytes::copy_from_slice(json));
    }

    fn tell_page(&self, json: &[u8], _: &Share) {
        self.tell(json);
    }

    fn close(&self, code: CloseCode) {
        self.closed.set(Some(code));
    }

    fn tick(&self) {}

    fn review(&self, _: Timestamp, _: &Revocations) {}
}

fn posted(seq: i64) -> Addressed {
    let message = Message {
        id: MessageId(seq),
        conversation: Conversation { kind: ConversationKind::Chat, id: ConversationId(1) },
        sender_id: UserId(1),
        content: "x".to_owned(),
        file_type: None,
        file_paths: None,
        selected_chat_id: None,
        created_at: noon(),
        version: 1,
        client_id: None,
        edited: None,
        deleted: None,
        attachments: Vec::new(),
    };
    Addressed { event: Event { seq: Seq(seq), change: Change::Posted(message) }, audience: Audience::Everyone }
}

#[test]
fn a_panic_while_one_session_is_told_costs_nobody_else_a_frame() {
    count_panics();
    let hub = Rc::new(Hub::new());
    let sessions = [false, true, false].map(|panics| Rc::new(Listening { panics, ..Listening::default() }));
    let registrations = sessions.each_ref().map(|session| {
        let registration = hub.register(Rc::clone(session) as Rc<dyn Subscriber>);
        registration.go_live(Seq(0));
        registration
    });
    let before = panics_counted("delivery");
    let replies = registrations.each_ref().map(|registration| {
        let (session, json) = (registration.key(), b"{}".to_vec());
        Reply { session, json, sort: ReplySort::Answer }
    });
    hub.deliver(&Batch::new(vec![posted(1)]), &replies);
    hub.deliver(&Batch::new(vec![posted(2)]), &[]);

    let [first, faulty, last] = sessions;
    assert_eq!(first.sent.borrow().len(), 3);
    assert_eq!(last.sent.borrow().len(), 3);
    assert_eq!((first.closed.get(), last.closed.get()), (None, None));
    assert_eq!(faulty.closed.get(), Some(CloseCode::Internal));
    assert_eq!(panics_counted("delivery") - before, 3);
    assert_eq!(hub.head(), Seq(2));
}

fn noon() -> Timestamp {
    Timestamp::new("2026-11-22T12:00:00Z".parse().expect("a time"))
}

fn identity(user: i64, cursor: Option<Cursor>) -> Identity {
    let caller = Caller { user: UserId(user), role: Role::User };
    let (validity, network) = (Validity::default(), Network::of([127, 0, 0, 1].into()));
    Identity { caller, validity, network, dialect: Dialect::NatterV1, deflate: None, cursor }
}

type Socket = WebSocketStream<TcpStream>;

/// Two ends of one connection, as they are once the handshake is over: the server's, and a client on it.
async fn connected() -> (TcpStream, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("it listens");
    let (server, _) = listener.accept().await.expect("a connection");
    (server, WebSocketStream::from_raw_socket(client, WsRole::Client, None).await)
}

async fn next(client: &mut Socket) -> WsMessage {
    timeout(PATIENCE, client.next()).await.expect("something comes").expect("the socket is open").expect("a frame")
}

async fn frame(client: &mut Socket) -> Value {
    let text = next(client).await.into_text().expect("text");
    serde_json::from_str(&text).expect("a frame is JSON")
}

async fn close_code(client: &mut Socket) -> u16 {
    match next(client).await {
        WsMessage::Close(Some(close)) => close.code.into(),
        other => panic!("not a close frame: {other:?}"),
    }
}

async fn say(client: &mut Socket, frame: &Value) {
    client.send(WsMessage::text(frame.to_string())).await.expect("the frame is sent");
}

#[test]
fn a_panic_over_what_a_client_sent_closes_its_connection_and_reads_it_to_its_end() {
    count_panics();
    System::new().block_on(async {
        let (server, mut client) = connected().await;
        let before = panics_counted("session");
        let mut connection = Connection::new(Outbox::new(server, identity(1, None), 1 << 20));
        let reading = actix_rt::spawn(async move {
            let bounds = Bounds { message_bytes: 1 << 16, fragments: 16, deflate: false };
            let mut heard = 0;
            let mut each = |_: &Outbox, _: natter::session::Message<'_>| -> ControlFlow<Halt> {
                heard += 1;
                panic!("a message that our code trips over");
            };
            while poll_fn(|cx| connection.poll_read(cx, bounds, &mut each)).await.is_continue() {}
            heard
        });
        say(&mut client, &json!({ "type": "PING" })).await;
        assert_eq!(close_code(&mut client).await, 1011);
        drop(client);
        assert_eq!(timeout(PATIENCE, reading).await.expect("it ends").expect("the reader lives"), 1);
        assert_eq!(panics_counted("session") - before, 1);
    });
}

/// A log that can't be read without a panic.
struct FaultyLog;

impl MissedEvents for FaultyLog {
    fn after(&self, _: Caller, _: Seq) -> LocalBoxFuture<'static, Result<Option<Missed>, Unreadable>> {
        Box::pin(async { panic!("an event that our code trips over") })
    }

    fn is_more_than(&self, _: Caller, _: Seq, _: Seq, _: i64) -> LocalBoxFuture<'static, Result<bool, Unreadable>> {
        Box::pin(async { Ok(false) })
    }
}

/// Nobody renews a token here.
struct NoTokens;

impl CheckToken for NoTokens {
    fn check(&self, _: Token) -> LocalBoxFuture<'static, Result<Grant, Refusal>> {
        Box::pin(async { Err(Refusal::internal()) })
    }
}

/// The parts as `app` puts them together, but for what panics.
struct Parts {
    port: Rc<Port>,
    _database: TestDatabase,
}

impl Parts {
    /// With `clock` for the rules, and a log that panics.
    async fn start(clock: Clock) -> Self {
        let database = TestDatabase::new(Backend::Sqlite).await;
        let store = Store::open(&database.url.parse().expect("an address"), 1).await.expect("the database opens");
        let bounds = QueueBounds { drafts: 100, bytes: 1 << 20, batch: 10, batch_bytes: 1 << 16 };
        let lane =
            store.lane(bounds, Retention::default(), Unlisted::Open, Arc::new(Limiter::new(None)), Clock::told_by(noon)).await;
        let (writer, lane) = lane.expect("the database is there");
        let chat = Chat::new(writer, store.reader(Unlisted::Open), clock);
        let chat_server = ChatServer::new(chat, store.head().seq, oneshot::channel().0).start();
        let sink = chat_server.clone();
        let publish = move |committed| {
            let sink = sink.clone();
            async move { sink.send(Publish(committed)).await.expect("it is published") }
        };
        actix_rt::spawn(lane.run(publish, std::future::pending()));
        let hub = Rc::new(Hub::new());
        let actor: Recipient<Deliver> =
            HubActor { hub: Rc::clone(&hub), clock, revocations: watch::channel(Revocations::default()).1 }.start().recipient();
        let place = chat_server.send(AddHub(actor)).await.expect("it has room");
        hub.take_place(place.index, place.head);
        let port = Port {
            submit: chat_server.clone().recipient(),
            connect: chat_server.clone().recipient(),
            disconnect: chat_server.recipient(),
            hub,
            tokens: Rc::new(NoTokens),
            log_id: store.head().log_id,
            log: Rc::new(FaultyLog),
            max_missed: 100,
            limits: Limits { content_chars: 1_000, frame_bytes: 1 << 16, messages_per_second: None },
            limiter: Arc::new(Limiter::new(None)),
            fragments: 16,
            compression: false,
            outbox_bytes: 1 << 20,
        };
        Self { port: Rc::new(port), _database: database }
    }

    /// A client whose session has begun.
    async fn client(&self, user: i64, cursor: Option<Cursor>) -> Socket {
        let (server, mut client) = connected().await;
        Session::open(server, &[], identity(user, cursor), Rc::clone(&self.port), Box::new(()));
        assert_eq!(frame(&mut client).await["type"], "WELCOME");
        client
    }
}

/// It posts, and gets its own message back: everything works.
async fn is_served(client: &mut Socket, user: i64) {
    say(client, &json!({ "type": "NEW_MESSAGE", "chat_id": 1, "sender_id": user, "content": "x" })).await;
    assert_eq!(frame(client).await["type"], "MESSAGE");
}

#[test]
fn a_panic_in_a_command_is_answered_closes_its_session_and_leaves_the_server_to_the_others() {
    count_panics();
    System::new().block_on(async {
        // Only PING asks the rules for the time.
        let parts = Parts::start(Clock::told_by(|| panic!("a clock that panics"))).await;
        let mut other = parts.client(1, None).await;
        let mut faulty = parts.client(2, None).await;
        let before = panics_counted("command");
        say(&mut faulty, &json!({ "type": "PING", "request_id": "p" })).await;
        let error = frame(&mut faulty).await;
        assert_eq!(
            (&error["type"], &error["request_id"], &error["payload"]["code"]),
            (&json!("ERROR"), &json!("p"), &json!("internal"))
        );
        assert_eq!(close_code(&mut faulty).await, 1011);
        assert_eq!(panics_counted("command") - before, 1);
        is_served(&mut other, 1).await;
        let mut again = parts.client(2, None).await;
        is_served(&mut again, 2).await;
    });
}

#[test]
fn a_panic_in_a_resume_closes_that_session_and_no_other() {
    count_panics();
    System::new().block_on(async {
        let parts = Parts::start(Clock::told_by(noon)).await;
        let mut other = parts.client(1, None).await;
        is_served(&mut other, 1).await;
        let cursor = Cursor { since: Seq(0), log_id: parts.port.log_id };
        let mut faulty = parts.client(2, Some(cursor)).await;
        assert_eq!(close_code(&mut faulty).await, 1011);
        is_served(&mut other, 1).await;
    });
}

#[test]
fn a_panic_in_a_route_is_answered_500_and_the_next_request_is_served() {
    count_panics();
    System::new().block_on(async {
        let app = || {
            App::new()
                .wrap(from_fn(observe))
                .route("/faulty", web::get().to(async || -> HttpResponse { panic!("a request that our code trips over") }))
                .route("/healthz", web::get().to(async || HttpResponse::Ok()))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        let before = panics_counted("http");
        let response = reqwest::get(format!("http://{address}/faulty")).await.expect("an answer");
        assert_eq!(response.status(), 500);
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["error"]["code"], "internal");
        assert_eq!(reqwest::get(format!("http://{address}/healthz")).await.expect("an answer").status(), 200);
        assert_eq!(panics_counted("http") - before, 1);
        handle.stop(false).await;
    });
}

/// Unwinding is what all this rests on.
#[test]
fn no_profile_aborts_at_a_panic() {
    assert!(!include_str!("../../Cargo.toml").contains("panic ="));
}
