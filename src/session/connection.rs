//! One end of a WebSocket: reads the socket, does what RFC 6455 asks of any endpoint, and hands on the messages.

use super::{
    decoder::{Bounds, Decoder, Incoming},
    header::Violation,
    outbox::Outbox,
};
use crate::{
    delivery::Subscriber,
    metrics::{
        self,
        panics::{Panicked, Place, caught},
    },
    protocol::CloseCode,
};
use std::{
    cell::RefCell,
    ops::ControlFlow,
    rc::Rc,
    task::{Context, Poll, ready},
};
use tokio::io::ReadBuf;

/// Bytes that one read takes at most.
const READ: usize = 64 * 1024;

/// What one turn may cost, in bytes of messages as they are once inflated: a read of compressed ones may hold a thousand times as
/// many. What is left waits for the next turn, so that no peer has the worker's thread for itself.
const TURN: usize = 256 * 1024;

/// What a message costs beside its bytes, a ping with its pong too.
const EACH: usize = 256;

thread_local! {
    /// One buffer a worker for what was just read: an idle connection has none.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// A whole message, as the peer meant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// UTF-8 for certain.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// Why a listener wants no further message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The connection is closed with this code.
    Close(CloseCode),
    /// What was heard is to be done first: the next message comes with the next turn.
    Later,
}

/// Hears of each message, with the way to answer.
pub type Listener<'l> = dyn FnMut(&Outbox, Message<'_>) -> ControlFlow<Halt> + 'l;

/// What is known of a peer between two reads.
pub struct Connection {
    outbox: Rc<Outbox>,
    decoder: Decoder,
    /// What was read and is for the next turn.
    later: Option<Box<[u8]>>,
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

impl Connection {
    /// A connection of which nothing was read since the upgrade.
    #[must_use]
    pub fn new(outbox: Rc<Outbox>) -> Self {
        Self { outbox, decoder: Decoder::default(), later: None, phase: Phase::Open }
    }

    /// The way out.
    #[must_use]
    pub fn outbox(&self) -> &Rc<Outbox> {
        &self.outbox
    }

    /// Whether the next turn has something to do without a read.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.later.is_some()
    }

    /// A turn: takes what the last one left, or reads once and takes what came. `Break` where the connection is over.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, bounds: Bounds, each: &mut Listener<'_>) -> Poll<ControlFlow<()>> {
        if let Some(mut later) = self.later.take() {
            self.input(&mut later, bounds, each);
            return Poll::Ready(self.flow());
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = ready!(self.outbox.poll_read(cx, &mut buffer));
            let bytes = buffer.filled_mut();
            if read.is_err() || bytes.is_empty() {
                return Poll::Ready(ControlFlow::Break(()));
            }
            self.input(bytes, bounds, each);
            Poll::Ready(self.flow())
        })
    }

    fn flow(&self) -> ControlFlow<()> {
        let is_over = self.phase == Phase::Parted && self.outbox.is_flushed();
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Takes what was read, as much as a turn may cost: connection business is done at once, messages are handed on.
    pub fn input(&mut self, bytes: &mut [u8], bounds: Bounds, each: &mut Listener<'_>) {
        self.outbox.heard();
        if self.phase != Phase::Open {
            return;
        }
        let Self { outbox, decoder, phase, .. } = self;
        let mut cost = 0;
        let mut hear_each = |incoming: Incoming<'_>| {
            cost += EACH + incoming.length();
            match hear(incoming, outbox, each) {
                Heard::Message if cost < TURN => ControlFlow::Continue(()),
                Heard::Message | Heard::Enough => ControlFlow::Break(()),
                Heard::End(next, code) => {
                    *phase = next;
                    outbox.close(code);
                    ControlFlow::Break(())
                }
            }
        };
        match caught(Place::Session, || decoder.decode(bytes, bounds, &mut hear_each)) {
            Ok(Ok(taken)) if self.phase == Phase::Open && taken < bytes.len() => self.later = Some(bytes[taken..].into()),
            Ok(Ok(_)) => {}
            Ok(Err(violation)) => self.part(close_code(violation)),
            // What the decoder holds may be half done: nothing more is read by it.
            Err(Panicked) => self.part(CloseCode::Internal),
        }
    }

    fn part(&mut self, code: CloseCode) {
        self.phase = Phase::Parting;
        self.outbox.close(code);
    }
}

/// What is to be done after a frame.
enum Heard {
    /// Hear the next.
    Message,
    /// Nothing more in this turn.
    Enough,
    /// Part from the peer.
    End(Phase, CloseCode),
}

/// Does what an endpoint does.
fn hear(incoming: Incoming<'_>, outbox: &Outbox, each: &mut Listener<'_>) -> Heard {
    metrics::frame_received();
    let message = match incoming {
        Incoming::Text(text) => Message::Text(text),
        Incoming::Binary(bytes) => Message::Binary(bytes),
        Incoming::Ping(payload) => {
            outbox.pong(payload);
            return Heard::Message;
        }
        Incoming::Pong => return Heard::Message,
        Incoming::Close => return Heard::End(Phase::Parted, CloseCode::Normal),
    };
    match each(outbox, message) {
        ControlFlow::Continue(()) => Heard::Message,
        ControlFlow::Break(Halt::Later) => Heard::Enough,
        ControlFlow::Break(Halt::Close(code)) => Heard::End(Phase::Parting, code),
    }
}

fn close_code(violation: Violation) -> CloseCode {
    match violation {
        Violation::Protocol => CloseCode::ProtocolError,
        Violation::Utf8 => CloseCode::InvalidUtf8,
        Violation::Deflate => CloseCode::InvalidDeflate,
        Violation::TooLarge => CloseCode::TooLarge,
    }
}
