//! How long a connection may go on without a request: idle, and then with a head that does not end.

use actix_rt::net::TcpStream;
use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// A socket that ends where its next request does not come whole in time. actix-http gives a time to a connection's first head alone,
/// and that of an idle connection stops with the first byte of the next.
pub struct Timed {
    stream: TcpStream,
    pause: Rc<Pause>,
    patience: Duration,
    timer: Pin<Box<Sleep>>,
}

/// The time since a connection's last answer.
pub struct Pause {
    /// None while a request is served, which may take its time.
    since: Cell<Option<Instant>>,
}

/// A request that is served, until its answer has been handed over to be sent.
pub(super) struct Serving(Rc<Pause>);

impl Timed {
    /// Gives each head `patience`, counted from the answer before it.
    #[must_use]
    pub fn new(stream: TcpStream, patience: Duration) -> Self {
        let pause = Rc::new(Pause { since: Cell::new(Some(Instant::now())) });
        Self { stream, pause, patience, timer: Box::pin(sleep(patience)) }
    }

    /// What its requests tell when they are served.
    #[must_use]
    pub fn pause(&self) -> Rc<Pause> {
        Rc::clone(&self.pause)
    }

    /// Whether the next request has not come in time.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(since) = self.pause.since.get() else { return Poll::Pending };
        let deadline = since + self.patience;
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(cx)
    }
}

/// The socket, which is no connection of HTTP any more.
impl From<Timed> for TcpStream {
    fn from(timed: Timed) -> Self {
        timed.stream
    }
}

impl Serving {
    pub(super) fn new(pause: &Rc<Pause>) -> Self {
        pause.since.set(None);
        Self(Rc::clone(pause))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.since.set(Some(Instant::now()));
    }
}

/// Who is late has reached the end of what is read.
impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.poll_late(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
