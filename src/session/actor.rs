//! One connected client: reads frames, answers what concerns the connection, and forwards commands to the server.

use super::{
    connection::{Connection, Halt, Message},
    decoder::Bounds,
    liveness::HEARTBEAT_TICKS,
    outbox::Outbox,
    port::{Connect, Disconnect, Identity, Port, Submit},
    refresh::{Refresh, Refreshing},
    resume::resume,
};
use crate::{
    delivery::{Registration, Subscriber, hub::SWEEP},
    metrics::{self, OpenSession},
    protocol::{
        Caller, CloseCode, Dialect, Refusal, RequestId, UserId, Window,
        command::Request,
        decode::{Asked, Frame, Refused, decode},
        frame,
        welcome::Welcome,
    },
};
use actix::{Actor, ActorContext, ActorFuture, AsyncContext, Context, WrapFuture, dev::SendError};
use actix_rt::net::TcpStream;
use std::{
    any::Any,
    ops::ControlFlow,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Poll, ready},
};
use uuid::Uuid;

/// Bytes of one session that may be under way; past them, nothing more is heard from it until some are carried out.
const UNDER_WAY: usize = 256 * 1024;

/// What a command that is answered with a page takes of them, until the page has left: two at a time.
const PAGE: usize = UNDER_WAY / 2;

/// A live session.
pub struct Session {
    pub(super) connection: Connection,
    pub(super) identity: Identity,
    pub(super) port: Rc<Port>,
    pub(super) refreshing: Refreshing,
    /// The connection's place among all: given back before the server hears that the session has ended.
    _permit: Box<dyn Any>,
    presence: Presence,
    /// What is under way of what it sent; none has sent nothing yet.
    window: Option<Arc<Window>>,
    /// What came with the handshake, until the session has started.
    early: Vec<u8>,
}

/// The session's place in its hub and in the server's roster, given back however it ends, a panic included.
struct Presence {
    registration: Rc<Registration>,
    /// Whom the server was told of, if it had room to hear it.
    announced: Option<UserId>,
    port: Rc<Port>,
    _counted: OpenSession,
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
        let announced = match port.connect.try_send(Connect { user: identity.caller.user }) {
            Ok(()) => Some(identity.caller.user),
            Err(error) => {
                log::warn!(cause = "no_room"; "no room for a session of user {}: {error}", identity.caller.user);
                outbox.close(CloseCode::TryAgainLater);
                None
            }
        };
        let presence = Presence { registration, announced, port: Rc::clone(&port), _counted: OpenSession::new() };
        let (connection, early) = (Connection::new(outbox), early.to_vec());
        let refreshing = Refreshing::default();
        Self { connection, identity, port, refreshing, _permit: permit, presence, window: None, early }.start();
    }

    /// The session's place in its hub.
    pub(super) fn registration(&self) -> &Registration {
        &self.presence.registration
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            message_bytes: self.port.limits.frame_bytes,
            fragments: self.port.fragments,
            deflate: self.identity.deflate.is_some(),
        }
    }

    /// Takes what came with the handshake.
    fn take_early(&mut self) {
        let mut early = std::mem::take(&mut self.early);
        if early.is_empty() {
            return;
        }
        let bounds = self.bounds();
        let mut heard = Heard::default();
        let Self { connection, identity, port, .. } = self;
        connection.input(&mut early, bounds, &mut |outbox, message| heard.hear(message, outbox, *identity, port));
        self.submit(heard);
    }

    /// Takes a turn, and forwards the commands that came together.
    fn poll_read(&mut self, cx: &mut std::task::Context<'_>) -> Poll<ControlFlow<()>> {
        if let Some(window) = &self.window
            && window.poll_room(UNDER_WAY, cx).is_pending()
        {
            self.connection.outbox().is_left_unread();
            return Poll::Pending;
        }
        let bounds = self.bounds();
        let mut heard = Heard::default();
        let Self { connection, identity, port, .. } = self;
        let flow = ready!(connection.poll_read(cx, bounds, &mut |outbox, message| heard.hear(message, outbox, *identity, port)));
        self.submit(heard);
        Poll::Ready(flow)
    }

    fn submit(&mut self, Heard { requests, bytes, refreshes }: Heard) {
        self.refreshing.want(refreshes);
        if requests.is_empty() {
            return;
        }
        let share = self.window.get_or_insert_default().take(bytes);
        let submit = Submit { session: self.presence.registration.key(), caller: self.identity.caller, requests, share };
        let Err(SendError::Full(submit) | SendError::Closed(submit)) = self.port.submit.try_send(submit) else { return };
        let refusal = Refusal::unavailable("the server is busy: nothing was stored, try again");
        for request in submit.requests {
            refuse(self.connection.outbox(), self.identity.caller.user, request.request_id.as_ref(), &refusal);
        }
    }
}

/// What came with one read.
#[derive(Default)]
struct Heard {
    requests: Vec<Request>,
    /// Bytes of the session's window that they take.
    bytes: usize,
    /// Newer tokens.
    refreshes: Vec<Refresh>,
}

impl Heard {
    /// Reads a command from a message, or refuses it.
    fn hear(&mut self, message: Message<'_>, outbox: &Outbox, identity: Identity, port: &Port) -> ControlFlow<Halt> {
        let text = match message {
            // Answers could no longer be told.
            Message::Text(_) if outbox.is_closing() => return ControlFlow::Continue(()),
            Message::Text(text) => text,
            Message::Binary(_) => return ControlFlow::Break(Halt::Close(CloseCode::Unsupported)),
        };
        let user = identity.caller.user;
        match decode(text, identity.dialect, &port.limits).and_then(|frame| admitted(frame, identity, port)) {
            Ok(Frame { request_id, asked: Asked::Command(command) }) => {
                log::info!("📨 WS: Received message from user {user}: {}", command.name());
                self.bytes += if command.is_answered_with_a_page() { PAGE } else { text.len() };
                self.requests.push(Request { request_id, command });
            }
            Ok(Frame { request_id, asked: Asked::Refresh(refresh) }) => {
                self.bytes += text.len();
                self.refreshes.push(Refresh { request_id, token: refresh.token });
            }
            Err(Refused { request_id, refusal }) => {
                refuse(outbox, user, request_id.as_ref(), &refusal);
                return patience_with(user, port);
            }
        }
        if self.bytes < UNDER_WAY { ControlFlow::Continue(()) } else { ControlFlow::Break(Halt::Later) }
    }
}

/// The frame, unless it is more than its user, address or conversation may have.
fn admitted(frame: Frame, identity: Identity, port: &Port) -> Result<Frame, Refused> {
    let Identity { caller: Caller { user, .. }, network, .. } = identity;
    let admission = match &frame.asked {
        Asked::Command(command) => port.limiter.command(user, network, command),
        Asked::Refresh(_) => port.limiter.by_user_from(user, network),
    };
    match admission {
        Ok(()) => Ok(frame),
        Err(exceeded) => Err(Refused { request_id: frame.request_id, refusal: exceeded.into() }),
    }
}

/// Whether a user whose frame was refused may go on.
fn patience_with(user: UserId, port: &Port) -> ControlFlow<Halt> {
    if port.limiter.refused(user).is_ok() {
        return ControlFlow::Continue(());
    }
    log::warn!(cause = "flooding"; "🌊 WS: User {user} floods: closed");
    ControlFlow::Break(Halt::Close(CloseCode::Flooding))
}

pub(super) fn refuse(outbox: &Outbox, user: UserId, request_id: Option<&RequestId>, refusal: &Refusal) {
    // Neither the frame nor the message: both may hold what was said.
    log::debug!(cause = "refused_frame"; "refused a frame of user {user}: {}, field {:?}", refusal.code.as_str(), refusal.field);
    metrics::refused(refusal.code);
    outbox.tell(&frame::error(request_id, refusal));
}

/// `WELCOME`, before anything else.
fn greet(outbox: &Outbox, identity: Identity, port: &Port) {
    let welcome = Welcome {
        session_id: Uuid::new_v4(),
        user: identity.caller.user,
        log_id: port.log_id,
        seq: port.hub.head(),
        heartbeat_ms: u64::from(HEARTBEAT_TICKS) * SWEEP.as_secs() * 1_000,
        limits: port.limits,
    };
    outbox.tell(&frame::welcome(&welcome));
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.take_early();
        self.refresh(ctx);
        ctx.spawn(ReadLoop);
        if let Some(cursor) = self.identity.cursor {
            let registration = Rc::clone(&self.presence.registration);
            let resuming = resume(Rc::clone(self.connection.outbox()), registration, cursor, Rc::clone(&self.port));
            ctx.spawn(resuming.into_actor(self));
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let outbox = self.connection.outbox();
        if !outbox.is_closing() {
            metrics::broken_off();
        }
        outbox.cut();
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

/// Turns that a session takes before others have theirs.
const TURNS: usize = 4;

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
        for _ in 0..TURNS {
            if ready!(session.poll_read(cx)).is_break() {
                ctx.stop();
                return Poll::Ready(());
            }
            session.refresh(ctx);
            if session.connection.is_behind() {
                break;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
