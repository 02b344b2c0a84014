//! The only way out of a session: pongs, errors and close frames go through it like everything else.
//!
//! A frame is written at once while nothing waits. What the kernel does not take waits in a [`Queue`]. A peer that has not read
//! what waits, and would have more than `outbox_bytes` waiting with the next events, is a slow consumer and is closed with 4100;
//! one that has read everything gets the next batch however large it is. A writer task exists only while something waits.

use super::{
    liveness::{Liveness, Pulse},
    port::Identity,
    queue::{Occasion, Piece, Queue},
};
use crate::{
    delivery::{Subscriber, deflate},
    metrics::{
        self, Sent,
        panics::{Place, caught_in},
    },
    protocol::{
        Caller, CloseCode, Encoding, Grant, Revocations, Share, Timestamp,
        websocket::{self, Opcode},
    },
};
use actix_rt::net::TcpStream;
use bytes::Bytes;
use socket2::SockRef;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    hint::black_box,
    io::ErrorKind,
    net::Shutdown,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, Interest, ReadBuf};

/// How long a closed peer has for reading its close frame and answering it, in sweeps of one second.
const CLOSE_TICKS: u8 = 2;

/// One session's socket, with what waits to be written to it. What a frame to a peer that has read everything needs stands first, so that it
/// lies in as few cache lines as may be (ADR 23).
#[repr(C)]
pub struct Outbox {
    stream: RefCell<TcpStream>,
    /// How its frames are written.
    encoding: Encoding,
    state: RefCell<State>,
    /// Who is at the other end, and for how long that holds: a newer token changes it.
    grant: Cell<Grant>,
    /// Bytes that may wait.
    bound: usize,
    /// To give the writer task its own share of this outbox.
    this: std::rc::Weak<Self>,
}

/// In an order of its own for the same reason.
#[derive(Default)]
#[repr(C)]
struct State {
    /// Set once the close frame is in the queue: nothing comes after it. Counts the sweeps since.
    closing: Option<u8>,
    /// What the kernel did not take yet.
    waiting: Queue,
    /// Whether the writer task runs.
    writing: bool,
    liveness: Liveness,
    /// Whether what the peer sends lies unread for a reason of ours: its silence says nothing.
    left_unread: bool,
    /// Woken when nothing waits any more.
    on_flushed: Option<Waker>,
    /// The read loop, where it waits for room for the answers.
    on_room: Option<Waker>,
    /// Nothing is read or written any more.
    is_cut: bool,
    /// The read loop, where it waits for the peer.
    on_cut: Option<Waker>,
}

impl Outbox {
    /// The outbox of a socket, to which nothing was written since the upgrade.
    #[must_use]
    pub fn new(stream: TcpStream, identity: Identity, bound: usize) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            stream: RefCell::new(stream),
            encoding: Encoding { dialect: identity.dialect, deflate: identity.deflate },
            state: RefCell::default(),
            grant: Cell::new(Grant { caller: identity.caller, validity: identity.validity }),
            bound,
            this: this.clone(),
        })
    }

    /// Reads what has come, like [`AsyncRead::poll_read`]; but from a peer that has much still to read, nothing is taken until it has
    /// read it. So whoever floods is slowed to their own pace of reading, and others can keep up.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        {
            let mut state = self.state.borrow_mut();
            state.left_unread = false;
            if state.is_cut {
                return Poll::Ready(Ok(()));
            }
            if state.waiting.bytes() > self.room() && state.closing.is_none() {
                state.on_room = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let read = Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buffer);
        if read.is_pending() {
            self.state.borrow_mut().on_cut = Some(cx.waker().clone());
        }
        read
    }

    /// With more than this waiting, nothing is read from the peer.
    fn room(&self) -> usize {
        self.bound / 4
    }

    /// The session goes on under a newer token.
    pub(super) fn renew(&self, grant: Grant) {
        self.grant.set(grant);
    }

    /// Anything came from the peer.
    pub(super) fn heard(&self) {
        self.state.borrow_mut().liveness.heard();
    }

    /// Whether the close frame was sent, or is on its way.
    pub(super) fn is_closing(&self) -> bool {
        self.state.borrow().closing.is_some()
    }

    /// Whether everything, the close frame included, was given to the kernel.
    pub(super) fn is_flushed(&self) -> bool {
        self.state.borrow().waiting.is_empty()
    }

    /// Resolves when nothing waits, and tells whether more may be sent. One at a time waits for it.
    pub(super) async fn flushed(&self) -> bool {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.waiting.is_empty() || state.closing.is_some() {
                return Poll::Ready(());
            }
            state.on_flushed = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        !self.is_closing()
    }

    /// Sends a pong, which the peer may provoke at any rate: one that would have to wait is dropped, as RFC 6455 allows.
    pub(super) fn pong(&self, payload: &[u8]) {
        if self.is_flushed() {
            self.send(&websocket::frame(Opcode::Pong, payload));
            metrics::frames_sent(Sent::Control, 1);
        }
    }

    /// Ends the connection, now: the session's read ends, and the socket is closed with it. The reading half is not shut down before:
    /// Linux would open no window any more, and a peer that goes on writing would hang instead of being told.
    pub fn cut(&self) {
        self.state.borrow_mut().cut();
        // The writer task finds out.
        self.end_writing();
    }

    fn end_writing(&self) {
        // Fails only where the peer was faster.
        let _ = SockRef::from(&*self.stream.borrow()).shutdown(Shutdown::Write);
    }

    /// Sends a page of what was missed, which its session asked for: it does not count against a peer that does not read, and the
    /// next one follows when it has left.
    pub(super) fn send_page(&self, frames: &Bytes) {
        if !self.is_closing() {
            self.write_or_queue(frames, Occasion::Page { _share: None });
        }
    }

    /// The session does not read for a reason of its own, until the next [`Outbox::poll_read`]: the peer's pong may lie unread.
    pub(super) fn is_left_unread(&self) {
        self.state.borrow_mut().left_unread = true;
    }

    /// Whether this much more may wait. Before a peer is given up, it is seen whether it has read in the meantime: the writer task
    /// may not have had its turn.
    fn has_room_for(&self, more: usize) -> bool {
        let mut state = self.state.borrow_mut();
        if state.waiting.is_empty() || state.waiting.counted() + more <= self.bound {
            return true;
        }
        if let Ok(written) = state.write_to(&self.stream.borrow()) {
            state.advance(written);
        }
        state.waiting.counted() == 0 || state.waiting.counted() + more <= self.bound
    }

    /// Writes at once if nothing waits; what is left, waits.
    fn write_or_queue(&self, frames: &Bytes, occasion: Occasion) {
        let mut state = self.state.borrow_mut();
        let mut written = 0;
        if state.waiting.is_empty() {
            match self.stream.borrow().try_write(frames) {
                Ok(count) => written = count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return self.fail(&mut state),
            }
            if written == frames.len() {
                return;
            }
        }
        state.waiting.push(Piece { frames: frames.clone(), occasion }, written);
        self.start_writing(&mut state);
    }

    /// A message for this session alone, as one frame.
    fn frame(&self, json: &[u8]) -> Bytes {
        let mut frame = Vec::with_capacity(json.len() + websocket::MAX_HEADER);
        deflate::write(&mut frame, Opcode::Text, json, self.encoding.deflate);
        frame.into()
    }

    fn start_writing(&self, state: &mut State) {
        if !state.writing
            && let Some(this) = self.this.upgrade()
        {
            state.writing = true;
            actix_rt::spawn(async move {
                if caught_in(Place::Session, this.write_what_waits()).await.is_err() {
                    this.cut();
                }
            });
        }
    }

    /// Gives up what waits, as far as it can be taken back, and closes with 4100 instead.
    fn give_up(&self) {
        {
            let mut state = self.state.borrow_mut();
            log::warn!(
                cause = "slow_consumer";
                "🐌 WS: User {} does not read: closed with {} bytes waiting",
                self.caller().user,
                state.waiting.bytes()
            );
            state.waiting.give_up();
        }
        self.close(CloseCode::SlowConsumer);
    }

    fn fail(&self, state: &mut State) {
        if state.closing.is_none() {
            state.closing = Some(0);
            metrics::broken_off();
        }
        state.cut();
        self.end_writing();
    }

    async fn write_what_waits(&self) {
        loop {
            let writable = poll_fn(|cx| self.stream.borrow().poll_write_ready(cx)).await;
            let mut state = self.state.borrow_mut();
            let written = writable.and_then(|()| state.write_to(&self.stream.borrow()));
            match written {
                Ok(count) => {
                    state.advance(count);
                    state.wake(self.room());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(_) => self.fail(&mut state),
            }
            if state.waiting.is_empty() {
                state.writing = false;
                state.waiting.clear();
                if state.closing.is_some() {
                    self.end_writing();
                }
                return;
            }
        }
    }
}

impl State {
    /// Gives up what waits, and wakes whoever waits for the peer.
    fn cut(&mut self) {
        self.is_cut = true;
        self.waiting.clear();
        for waker in [self.on_cut.take(), self.on_room.take(), self.on_flushed.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    fn pulse(&mut self) -> Pulse {
        if self.left_unread {
            self.liveness.heard();
        }
        self.liveness.tick()
    }

    fn write_to(&self, stream: &TcpStream) -> std::io::Result<usize> {
        let (slices, count) = self.waiting.slices();
        stream.try_write_vectored(&slices[..count])
    }

    /// Wakes those whose wait is over: with no more than `room` bytes waiting the peer is read from again.
    fn wake(&mut self, room: usize) {
        let over = self.closing.is_some();
        if (over || self.waiting.bytes() <= room)
            && let Some(waker) = self.on_room.take()
        {
            waker.wake();
        }
        if (over || self.waiting.is_empty())
            && let Some(waker) = self.on_flushed.take()
        {
            waker.wake();
        }
    }

    /// `written` bytes of what waits have left.
    fn advance(&mut self, written: usize) {
        if written > 0 {
            // A slow peer that reads is alive, though its pong waits behind what it has still to read.
            self.liveness.heard();
        }
        self.waiting.advance(written);
    }
}

impl Subscriber for Outbox {
    fn caller(&self) -> Caller {
        self.grant.get().caller
    }

    fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What is read is not used, and `black_box` keeps the compiler from leaving it out.
    fn look_ahead(&self) {
        black_box((self.encoding, self.is_closing(), self.is_flushed()));
    }

    /// The operation on the socket does nothing: to ask whether there would be one reads what the runtime knows of the socket.
    fn look_further(&self) {
        black_box(self.stream.borrow().try_io(Interest::WRITABLE, || Ok(())).is_ok());
    }

    fn send(&self, frames: &Bytes) {
        if self.is_closing() {
            return;
        }
        if self.has_room_for(frames.len()) {
            self.write_or_queue(frames, Occasion::Event);
        } else {
            self.give_up();
        }
    }

    fn tell(&self, json: &[u8]) {
        self.send(&self.frame(json));
        metrics::frames_sent(Sent::Answer, 1);
    }

    fn tell_page(&self, json: &[u8], share: &Share) {
        if !self.is_closing() {
            self.write_or_queue(&self.frame(json), Occasion::Page { _share: Some(share.clone()) });
            metrics::frames_sent(Sent::Answer, 1);
        }
    }

    fn close(&self, code: CloseCode) {
        if self.is_closing() {
            return;
        }
        self.state.borrow_mut().closing = Some(0);
        self.write_or_queue(&websocket::close(code), Occasion::Event);
        metrics::frames_sent(Sent::Control, 1);
        metrics::closed(code);
        self.state.borrow_mut().wake(self.room());
        if self.is_flushed() {
            self.end_writing();
        }
    }

    fn review(&self, now: Timestamp, revocations: &Revocations) {
        let grant = self.grant.get();
        if grant.validity.has_ended(now) {
            self.close(CloseCode::TokenExpired);
        } else if revocations.refuse(grant) {
            self.close(CloseCode::Unauthorized);
        }
    }

    fn tick(&self) {
        let pulse = {
            let mut state = self.state.borrow_mut();
            match &mut state.closing {
                Some(ticks) if *ticks >= CLOSE_TICKS => {
                    drop(state);
                    return self.cut();
                }
                Some(ticks) => {
                    *ticks += 1;
                    return;
                }
                None => state.pulse(),
            }
        };
        match pulse {
            Pulse::Nothing => {}
            // Where something waits, what the peer reads of it is its sign of life.
            Pulse::Ping if !self.is_flushed() => {}
            Pulse::Ping => {
                self.send(&websocket::frame(Opcode::Ping, b""));
                metrics::frames_sent(Sent::Control, 1);
            }
            Pulse::Dead => self.close(CloseCode::NoPong),
        }
    }
}
