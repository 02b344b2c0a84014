//! One connected client: reads frames, answers what concerns the connection, and forwards commands to the server.

use super::{
    decoder::{Bounds, Decoder, Incoming},
    header::Violation,
    liveness::HEARTBEAT_TICKS,
    outbox::Outbox,
    port::{Connect, Disconnect, Identity, Port, Submit},
    resume::resume,
};
use crate::{
    delivery::{Registration, Subscriber, hub::SWEEP},
    protocol::{
        CloseCode, Dialect, Refusal, RequestId, UserId, Window,
        command::Request,
        decode::{Refused, decode},
        frame,
        websocket::{self, Opcode},
        welcome::Welcome,
    },
};
use actix::{Actor, ActorContext, ActorFuture, AsyncContext, Context, WrapFuture, dev::SendError};
use actix_rt::net::TcpStream;
use std::{
    any::Any,
    cell::RefCell,
    ops::ControlFlow,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Poll, ready},
};
use tokio::io::ReadBuf;
use uuid::Uuid;

/// Bytes that one read takes at most.
const READ: usize = 64 * 1024;

/// Bytes of one session that may be under way; past them, it is not read from until some are carried out.
const UNDER_WAY: usize = 256 * 1024;

thread_local! {
    /// One buffer a worker for what was just read: an idle session has none.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// A live session.
pub struct Session {
    outbox: Rc<Outbox>,
    decoder: Decoder,
    identity: Identity,
    port: Rc<Port>,
    /// The connection's place among all: given back before the server hears that the session has ended.
    _permit: Box<dyn Any>,
    presence: Presence,
    /// What is under way of what it sent; none has sent nothing yet.
    window: Option<Arc<Window>>,
    /// What came with the handshake, until the session has started.
    early: Vec<u8>,
    phase: Phase,
}

/// How far the conversation with the peer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Frames are read and answered.
    Open,
    /// The peer broke the protocol. What else it sends is read and thrown away: closing a socket with unread bytes would reset
    /// it, and the peer would never see why.
    Parting,
    /// The peer said goodbye, and was answered.
    Parted,
}

/// The session's place in its hub and in the server's roster, given back however it ends, a panic included.
struct Presence {
    registration: Rc<Registration>,
    /// Whom the server was told of, if it had room to hear it.
    announced: Option<UserId>,
    port: Rc<Port>,
}

impl Session {
    /// Begins a session on an upgraded socket; `early` is what the client sent right behind its handshake. `permit` is held until
    /// the session has ended.
    pub fn open(stream: TcpStream, early: &[u8], identity: Identity, port: Rc<Port>, permit: Box<dyn Any>) {
        let outbox = Outbox::new(stream, identity, port.outbox_bytes);
        let registration = Rc::new(port.hub.register(Rc::clone(&outbox) as Rc<dyn Subscriber>));
        match identity.dialect {
            Dialect::Classic => {}
            Dialect::NatterV1 => greet(&outbox, identity, &port),
        }
        if identity.cursor.is_none() {
            registration.go_live(port.hub.head());
        }
        let announced = match port.connect.try_send(Connect { user: identity.user }) {
            Ok(()) => Some(identity.user),
            Err(error) => {
                log::warn!("no room for a session of user {}: {error}", identity.user);
                outbox.close(CloseCode::TryAgainLater);
                None
            }
        };
        let presence = Presence { registration, announced, port: Rc::clone(&port) };
        let (decoder, early, phase) = (Decoder::default(), early.to_vec(), Phase::Open);
        Self { outbox, decoder, identity, port, _permit: permit, presence, window: None, early, phase }.start();
    }

    fn bounds(&self) -> Bounds {
        Bounds { message_bytes: self.port.limits.frame_bytes, fragments: self.port.fragments }
    }

    /// Takes what was just read: connection business is done at once, commands are forwarded together.
    fn input(&mut self, bytes: &mut [u8]) {
        self.outbox.heard();
        if self.phase != Phase::Open {
            return;
        }
        let length = bytes.len();
        let mut requests = Vec::new();
        let mut decoder = std::mem::take(&mut self.decoder);
        let result = decoder.decode(bytes, self.bounds(), &mut |incoming| self.hear(&incoming, &mut requests));
        self.decoder = decoder;
        self.submit(requests, length);
        if let Err(violation) = result {
            let code = match violation {
                Violation::Protocol => CloseCode::ProtocolError,
                Violation::Utf8 => CloseCode::InvalidUtf8,
                Violation::TooLarge => CloseCode::TooLarge,
            };
            self.part(Phase::Parting, code);
        }
    }

    fn hear(&mut self, incoming: &Incoming<'_>, requests: &mut Vec<Request>) -> ControlFlow<()> {
        match incoming {
            // Answers could no longer be told.
            Incoming::Text(_) if self.outbox.is_closing() => ControlFlow::Continue(()),
            Incoming::Text(text) => {
                match decode(text, self.identity.dialect, &self.port.limits) {
                    Ok(request) => {
                        log::info!("📨 WS: Received message from user {}: {}", self.identity.user, request.command.name());
                        requests.push(request);
                    }
                    Err(Refused { request_id, refusal }) => self.refuse(request_id.as_ref(), &refusal),
                }
                ControlFlow::Continue(())
            }
            Incoming::Ping(payload) => {
                self.outbox.pong(payload);
                ControlFlow::Continue(())
            }
            Incoming::Pong => ControlFlow::Continue(()),
            Incoming::Binary => {
                self.part(Phase::Parting, CloseCode::Unsupported);
                ControlFlow::Break(())
            }
            Incoming::Close => {
                self.part(Phase::Parted, CloseCode::Normal);
                ControlFlow::Break(())
            }
        }
    }

    /// Sends the close frame, or answers the peer's, and listens to nothing more.
    fn part(&mut self, phase: Phase, code: CloseCode) {
        self.phase = phase;
        self.outbox.close(code);
    }

    fn refuse(&self, request_id: Option<&RequestId>, refusal: &Refusal) {
        // Neither the frame nor the message: both may hold what was said.
        log::debug!("refused a frame of user {}: {}, field {:?}", self.identity.user, refusal.code.as_str(), refusal.field);
        self.outbox.send(&websocket::frame(Opcode::Text, &frame::error(request_id, refusal)));
    }

    /// Forwards what was asked for with these `bytes`.
    fn submit(&mut self, requests: Vec<Request>, bytes: usize) {
        if requests.is_empty() {
            return;
        }
        let share = self.window.get_or_insert_default().take(bytes);
        let submit = Submit { session: self.presence.registration.key(), user: self.identity.user, requests, share };
        let Err(SendError::Full(submit) | SendError::Closed(submit)) = self.port.submit.try_send(submit) else { return };
        let refusal = Refusal::unavailable("the server is busy: nothing was stored, try again");
        for request in submit.requests {
            self.refuse(request.request_id.as_ref(), &refusal);
        }
    }

    /// Whether both sides have said goodbye, and all that was to be said is out.
    fn is_over(&self) -> bool {
        self.phase == Phase::Parted && self.outbox.is_flushed()
    }
}

/// `WELCOME`, before anything else.
fn greet(outbox: &Outbox, identity: Identity, port: &Port) {
    let welcome = Welcome {
        session_id: Uuid::new_v4(),
        user: identity.user,
        log_id: port.log_id,
        seq: port.hub.head(),
        heartbeat_ms: u64::from(HEARTBEAT_TICKS) * SWEEP.as_secs() * 1_000,
        limits: port.limits,
    };
    outbox.send(&websocket::frame(Opcode::Text, &frame::welcome(&welcome)));
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let mut early = std::mem::take(&mut self.early);
        if !early.is_empty() {
            self.input(&mut early);
        }
        ctx.spawn(ReadLoop);
        if let Some(cursor) = self.identity.cursor {
            let registration = Rc::clone(&self.presence.registration);
            let resuming = resume(Rc::clone(&self.outbox), registration, cursor, Rc::clone(&self.port));
            ctx.spawn(resuming.into_actor(self));
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.outbox.cut();
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let Some(user) = self.announced else { return };
        let goodbye = Disconnect { user };
        if let Err(SendError::Full(goodbye)) = self.port.disconnect.try_send(goodbye) {
            // The roster must hear of it: wait for room.
            let port = Rc::clone(&self.port);
            actix_rt::spawn(async move { port.disconnect.send(goodbye).await });
        }
    }
}

/// Reads until the peer is gone.
struct ReadLoop;

impl ActorFuture<Session> for ReadLoop {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut Session,
        ctx: &mut Context<Session>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                if let Some(window) = &session.window {
                    ready!(window.poll_room(UNDER_WAY, cx));
                }
                let mut buffer = ReadBuf::new(scratch);
                let read = ready!(session.outbox.poll_read(cx, &mut buffer));
                let bytes = buffer.filled_mut();
                if read.is_err() || bytes.is_empty() {
                    ctx.stop();
                    return Poll::Ready(());
                }
                session.input(bytes);
                if session.is_over() {
                    ctx.stop();
                    return Poll::Ready(());
                }
            }
        })
    }
}
