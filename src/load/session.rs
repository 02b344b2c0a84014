//! One session: it reads what it is sent, and writes what is due, neither holding up the other.

use super::{
    connect::Socket,
    fault::{self, LoadFault},
    ledger::Ledger,
    marker::Marker,
    options::Kind,
    rooms::{Place, Rooms},
    seen::{Seen, Sight},
};
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde::Deserialize;
use std::{
    cell::{Cell, RefCell},
    ops::ControlFlow,
    rc::Rc,
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// Orders that wait for a session. The pacer waits for room, and the schedule shows for how long.
pub(super) const ORDERS: usize = 1_024;

/// Frames that are read before what is due is written.
const BURST: usize = 256;

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
    /// When the frames that are being read were there: looking at the clock for each would take a tenth of all the time.
    read_at: u64,
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

type Sink = SplitSink<Socket, Message>;

/// What the socket brings.
type Incoming = Option<Result<Message, Error>>;

impl Session {
    pub(super) fn new(run: Rc<Run>, number: u32, user: u64, sender: Option<u32>, orders: mpsc::Receiver<Order>) -> Self {
        let (due, seen, said) = (Vec::new(), Seen::default(), String::new());
        Self { run, number, user, sender, posted: 0, due, seen, read_at: 0, orders, said }
    }

    /// Reads and writes until it is told to leave, or the server closes.
    pub(super) async fn live(mut self, socket: Socket) {
        let (mut sink, mut stream) = socket.split();
        let mut is_flushed = true;
        loop {
            // What the kernel does not take yet must not keep it from reading: a server waits for its readers, too.
            let mut step = tokio::select! {
                biased;
                flushed = sink.flush(), if !is_flushed => self.wrote(flushed),
                frame = stream.next() => {
                    self.read_at = self.run.ledger.borrow().now();
                    self.hear(frame)
                }
                Some(order) = self.orders.recv(), if is_flushed => self.obey(order),
            };
            for _ in 0..BURST {
                let (ControlFlow::Continue(()), Some(frame)) = (&step, stream.next().now_or_never()) else { break };
                step = self.hear(frame);
            }
            match step {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(End::Closed) => return,
                ControlFlow::Break(End::Leaves) => {
                    // A server that does not answer is left all the same.
                    let _ = timeout(GOODBYE, goodbye(&mut sink, &mut stream)).await;
                    return;
                }
            }
            let (written, flushed) = (self.write(&mut sink).await, sink.flush().now_or_never());
            is_flushed = flushed.is_some();
            if self.wrote(written).is_break() || flushed.is_some_and(|flushed| self.wrote(flushed).is_break()) {
                return;
            }
        }
    }

    /// Hands over what is due. It waits for nothing: all that was written before was flushed, or is due later.
    async fn write(&mut self, sink: &mut Sink) -> Result<(), Error> {
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
            sink.feed(Message::text(text)).await?;
        }
        Ok(())
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

    fn wrote(&self, written: Result<(), Error>) -> ControlFlow<End> {
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => self.cut(&error),
        }
    }

    fn hear(&mut self, frame: Incoming) -> ControlFlow<End> {
        match frame {
            Some(Ok(Message::Text(text))) => self.read(&text),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                return self.closed(code, reason);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return self.cut(&error),
            None => return self.closed(1006, "cut without a close frame".to_owned()),
        }
        ControlFlow::Continue(())
    }

    fn read(&mut self, text: &str) {
        if text.starts_with(r#"{"type":"ACK""#) || text.starts_with(r#"{"type":"ERROR""#) {
            self.read_answer(text);
        } else if let Some(number) = self.run.marker.number(text.as_bytes()) {
            self.read_message(number);
        }
    }

    fn read_message(&mut self, number: u64) {
        let run = Rc::clone(&self.run);
        let mut ledger = run.ledger.borrow_mut();
        if !ledger.knows(number) {
            return;
        }
        let Some(Place { number: place, next }) = run.rooms.place(self.number, number) else {
            ledger.strayed();
            return;
        };
        let now = self.read_at;
        let sight = self.seen.add(place, next);
        ledger.delivered(number, now, sight);
        let is_own = self.sender.is_some_and(|sender| number % run.rooms.senders() == u64::from(sender));
        if run.is_classic && is_own && sight != Sight::Again {
            ledger.accepted(number, now);
            self.go_on(now);
        }
    }

    /// The answer to a message: in natter.v1 it says to which.
    fn read_answer(&mut self, text: &str) {
        let Ok(Answer { request_id, payload }) = serde_json::from_str(text) else { return };
        let number = request_id.and_then(|id| id.parse().ok());
        let run = Rc::clone(&self.run);
        let (mut ledger, now) = (run.ledger.borrow_mut(), self.read_at);
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

    fn cut(&self, error: &Error) -> ControlFlow<End> {
        self.closed(1006, error.to_string())
    }

    fn closed(&self, code: u16, reason: String) -> ControlFlow<End> {
        let reason = if self.said.is_empty() { reason } else { self.said.clone() };
        let mut ledger = self.run.ledger.borrow_mut();
        *ledger.closed.entry(format!("{code} {reason}").trim_end().to_owned()).or_default() += 1;
        if fault::ends_all(code) {
            ledger.end(LoadFault::Closed { number: self.number, code, reason });
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

async fn goodbye(sink: &mut Sink, stream: &mut SplitStream<Socket>) {
    let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    if sink.send(Message::Close(Some(normal))).await.is_ok() {
        while let Some(Ok(_)) = stream.next().await {}
    }
}
