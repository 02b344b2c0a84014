//! One end of a WebSocket: reads the socket, does what RFC 6455 asks of any endpoint, and hands on the messages.

use super::{
    decoder::{Bounds, Decoder, Incoming},
    header::Violation,
    outbox::Outbox,
};
use crate::{delivery::Subscriber, protocol::CloseCode};
use std::{
    cell::RefCell,
    ops::ControlFlow,
    rc::Rc,
    task::{Context, Poll, ready},
};
use tokio::io::ReadBuf;

/// Bytes that one read takes at most.
const READ: usize = 64 * 1024;

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

/// Hears of each message, with the way to answer; `Break` closes the connection with its code.
pub type Listener<'l> = dyn FnMut(&Outbox, Message<'_>) -> ControlFlow<CloseCode> + 'l;

/// What is known of a peer between two reads.
pub struct Connection {
    outbox: Rc<Outbox>,
    decoder: Decoder,
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
        Self { outbox, decoder: Decoder::default(), phase: Phase::Open }
    }

    /// The way out.
    #[must_use]
    pub fn outbox(&self) -> &Rc<Outbox> {
        &self.outbox
    }

    /// Reads once, and takes what came; `Break` where the connection is over.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, bounds: Bounds, each: &mut Listener<'_>) -> Poll<ControlFlow<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = ready!(self.outbox.poll_read(cx, &mut buffer));
            let bytes = buffer.filled_mut();
            if read.is_err() || bytes.is_empty() {
                return Poll::Ready(ControlFlow::Break(()));
            }
            self.input(bytes, bounds, each);
            let is_over = self.phase == Phase::Parted && self.outbox.is_flushed();
            Poll::Ready(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    }

    /// Takes what was read: connection business is done at once, messages are handed on.
    pub fn input(&mut self, bytes: &mut [u8], bounds: Bounds, each: &mut Listener<'_>) {
        self.outbox.heard();
        if self.phase != Phase::Open {
            return;
        }
        let Self { outbox, decoder, phase } = self;
        let result = decoder.decode(bytes, bounds, &mut |incoming| {
            let (next, code) = match hear(incoming, outbox, each) {
                ControlFlow::Continue(()) => return ControlFlow::Continue(()),
                ControlFlow::Break(parting) => parting,
            };
            *phase = next;
            outbox.close(code);
            ControlFlow::Break(())
        });
        if let Err(violation) = result {
            self.phase = Phase::Parting;
            self.outbox.close(close_code(violation));
        }
    }
}

/// Does what an endpoint does; `Break` says how it parts from its peer.
fn hear(incoming: Incoming<'_>, outbox: &Outbox, each: &mut Listener<'_>) -> ControlFlow<(Phase, CloseCode)> {
    let message = match incoming {
        Incoming::Text(text) => Message::Text(text),
        Incoming::Binary(bytes) => Message::Binary(bytes),
        Incoming::Ping(payload) => {
            outbox.pong(payload);
            return ControlFlow::Continue(());
        }
        Incoming::Pong => return ControlFlow::Continue(()),
        Incoming::Close => return ControlFlow::Break((Phase::Parted, CloseCode::Normal)),
    };
    each(outbox, message).map_break(|code| (Phase::Parting, code))
}

fn close_code(violation: Violation) -> CloseCode {
    match violation {
        Violation::Protocol => CloseCode::ProtocolError,
        Violation::Utf8 => CloseCode::InvalidUtf8,
        Violation::Deflate => CloseCode::InvalidDeflate,
        Violation::TooLarge => CloseCode::TooLarge,
    }
}
