//! One session: it reads what it is sent, and writes what is due, neither holding up the other.

use super::{
    fault::{self, LoadFault},
    ledger::Ledger,
    marker::Marker,
    options::Kind,
    rooms::{Place, Rooms},
    seen::{Seen, Sight},
    socket::{Heard, Socket, code_and_reason},
};
use actix_http::ws::{CloseCode, Message};
use serde::Deserialize;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    ops::ControlFlow,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

/// Orders that wait for a session. The pacer waits for room, and the schedule shows for how long.
pub(super) const ORDERS: usize = 1_024;

/// How long the server has to answer a goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// What a session is told to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// To write a message that is due at this time; `None`: now.
    Post(Option<u64>),
    /// To close.
    Leave,
}

/// What all sessions of a run have in common.
pub(super) struct Run {
    pub(super) ledger: RefCell<Ledger>,
    pub(super) marker: Marker,
    pub(super) rooms: Rooms,
    pub(super) kind: Kind,
    pub(super) is_classic: bool,
    /// Whether an answer is followed by the next message.
    pub(super) goes_on: Cell<bool>,
    /// Whether everything is counted: nothing is written any more.
    pub(super) is_over: Cell<bool>,
}

/// One WebSocket of the run.
pub(super) struct Session {
    run: Rc<Run>,
    number: u32,
    user: u64,
    /// Its place among the senders, if it writes.
    sender: Option<u32>,
    /// Messages that it wrote.
    posted: u64,
    /// When the messages that it has still to write were due: at most a window, and one order.
    due: Vec<u64>,
    seen: Seen,
    orders: mpsc::Receiver<Order>,
    /// What the last `ERROR` said, for the close that may follow it.
    said: String,
}

#[derive(Deserialize)]
struct Answer {
    request_id: Option<String>,
    #[serde(default)]
    payload: Problem,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    message: String,
}

impl Session {
    pub(super) fn new(run: Rc<Run>, number: u32, user: u64, sender: Option<u32>, orders: mpsc::Receiver<Order>) -> Self {
        let (due, seen, said) = (Vec::new(), Seen::default(), String::new());
        Self { run, number, user, sender, posted: 0, due, seen, orders, said }
    }

    /// Reads and writes until it is told to leave, or the server closes.
    pub(super) async fn live(mut self, mut socket: Socket) {
        match poll_fn(|cx| self.poll_end(cx, &mut socket)).await {
            End::Closed => {}
            // A server that does not answer is left all the same.
            End::Leaves => drop(timeout(GOODBYE, goodbye(socket)).await),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, socket: &mut Socket) -> Poll<End> {
        loop {
            // It reads first: a server that goes says why. And what the kernel does not take yet must not keep it from reading: a server
            // waits for its readers, too.
            let read = self.poll_read(cx, socket);
            if let Poll::Ready(ControlFlow::Break(end)) = read {
                return Poll::Ready(end);
            }
            let flushed = socket.poll_flush(cx).map(|flushed| self.went(flushed));
            if let Poll::Ready(ControlFlow::Break(end)) = flushed {
                return Poll::Ready(end);
            }
            let obeyed = if flushed.is_ready() { self.poll_orders(cx) } else { Poll::Pending };
            if let Poll::Ready(ControlFlow::Break(end)) = obeyed {
                return Poll::Ready(end);
            }
            if let ControlFlow::Break(end) = self.write(socket) {
                return Poll::Ready(end);
            }
            let is_written = flushed.is_ready() && !socket.is_flushed();
            if read.is_pending() && obeyed.is_pending() && !is_written {
                return Poll::Pending;
            }
        }
    }

    fn poll_orders(&mut self, cx: &mut Context<'_>) -> Poll<ControlFlow<End>> {
        // Whoever gave them is gone, where the order to leave found no room.
        self.orders.poll_recv(cx).map(|order| self.obey(order.unwrap_or(Order::Leave)))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, socket: &mut Socket) -> Poll<ControlFlow<End>> {
        let (mut closed, mut read_at) = (None, None);
        let read = socket.poll_read(cx, &mut |heard| match heard {
            // Looking at the clock for each would take a tenth of all the time.
            Heard::Message(text) => {
                let now = *read_at.get_or_insert_with(|| self.run.ledger.borrow().now());
                self.read(text, now);
            }
            Heard::Ping(_) => {}
            Heard::Close(reason) => closed = Some(code_and_reason(reason)),
        });
        match closed {
            Some((code, reason)) => Poll::Ready(self.closed(code, reason)),
            None => read.map(|read| self.went(read)),
        }
    }

    /// Adds what is due to what is flushed next.
    fn write(&mut self, socket: &mut Socket) -> ControlFlow<End> {
        for due in std::mem::take(&mut self.due) {
            // An order that came too late: its message would stand in no result.
            if self.run.is_over.get() {
                break;
            }
            let number = self.posted * self.run.rooms.senders() + u64::from(self.sender.unwrap_or_default());
            self.posted += 1;
            let text = self.message(number);
            {
                let mut ledger = self.run.ledger.borrow_mut();
                let now = ledger.now();
                ledger.sent(number, due, now);
            }
            self.went(socket.write(Message::Text(text.into())))?;
        }
        ControlFlow::Continue(())
    }

    fn message(&self, number: u64) -> String {
        let Run { marker, rooms, kind, is_classic, .. } = &*self.run;
        let (name, key) = match kind {
            Kind::Chat => ("NEW_MESSAGE", "chat_id"),
            Kind::Support => ("NEW_SUPPORT_MESSAGE", "support_chat_id"),
        };
        let request_id = if *is_classic { String::new() } else { format!(r#""request_id":"{number}","#) };
        let (chat, user, content) = (rooms.conversation(number), self.user, marker.content(number));
        format!(r#"{{"type":"{name}",{request_id}"{key}":{chat},"sender_id":{user},"content":"{content}"}}"#)
    }

    fn obey(&mut self, order: Order) -> ControlFlow<End> {
        match order {
            Order::Post(due) => {
                self.due.push(due.unwrap_or_else(|| self.run.ledger.borrow().now()));
                ControlFlow::Continue(())
            }
            Order::Leave => ControlFlow::Break(End::Leaves),
        }
    }

    fn went(&self, outcome: std::io::Result<()>) -> ControlFlow<End> {
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => self.closed(1006, error.to_string()),
        }
    }

    fn read(&mut self, text: &str, now: u64) {
        if text.starts_with(r#"{"type":"ACK""#) || text.starts_with(r#"{"type":"ERROR""#) {
            self.read_answer(text, now);
        } else if let Some(number) = self.run.marker.number(text.as_bytes()) {
            self.read_message(number, now);
        }
    }

    fn read_message(&mut self, number: u64, now: u64) {
        let run = Rc::clone(&self.run);
        let mut ledger = run.ledger.borrow_mut();
        if !ledger.knows(number) {
            return;
        }
        let Some(Place { number: place, next }) = run.rooms.place(self.number, number) else {
            ledger.strayed();
            return;
        };
        let sight = self.seen.add(place, next);
        ledger.delivered(number, now, sight);
        let is_own = self.sender.is_some_and(|sender| number % run.rooms.senders() == u64::from(sender));
        if run.is_classic && is_own && sight != Sight::Again {
            ledger.accepted(number, now);
            self.go_on(now);
        }
    }

    /// The answer to a message: in natter.v1 it says to which.
    fn read_answer(&mut self, text: &str, now: u64) {
        let Ok(Answer { request_id, payload }) = serde_json::from_str(text) else { return };
        let number = request_id.and_then(|id| id.parse().ok());
        let run = Rc::clone(&self.run);
        let mut ledger = run.ledger.borrow_mut();
        if payload.code.is_empty() {
            if let Some(number) = number {
                ledger.accepted(number, now);
            }
        } else {
            ledger.refused(number, &payload.code);
            if fault::concerns_all(&payload.code) && self.sender.is_some() && self.posted > 0 {
                ledger.end(LoadFault::Forbidden { code: payload.code, message: payload.message.clone() });
            }
            self.said = payload.message;
        }
        self.go_on(now);
    }

    /// One of its messages was answered: the next one is due, where answers make the pace.
    fn go_on(&mut self, now: u64) {
        if self.run.goes_on.get() && self.sender.is_some() {
            self.due.push(now);
        }
    }

    fn closed(&self, code: u16, reason: String) -> ControlFlow<End> {
        let reason = if self.said.is_empty() { reason } else { self.said.clone() };
        let mut ledger = self.run.ledger.borrow_mut();
        let how = format!("{code} {reason}").trim_end().to_owned();
        *ledger.closed.entry(how.clone()).or_default() += 1;
        let (sessions, closed) = (self.run.rooms.sessions(), ledger.closed.values().sum::<u64>());
        if fault::ends_all(code) {
            ledger.end(LoadFault::Closed { number: self.number, code, reason });
        } else if closed >= sessions.into() {
            ledger.end(LoadFault::AllClosed { sessions, how });
        }
        ControlFlow::Break(End::Closed)
    }
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was closed, and that is noted.
    Closed,
    /// It was told to.
    Leaves,
}

async fn goodbye(mut socket: Socket) -> std::io::Result<()> {
    socket.write(Message::Close(Some(CloseCode::Normal.into())))?;
    poll_fn(|cx| socket.poll_flush(cx)).await?;
    let mut is_answered = false;
    while !is_answered {
        poll_fn(|cx| socket.poll_read(cx, &mut |heard| is_answered |= matches!(heard, Heard::Close(_)))).await?;
    }
    Ok(())
}
