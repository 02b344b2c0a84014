//! A run, from the first connection to the last: what it does, and what it marks down on the way.

use super::{
    LoadFault, Report, connect,
    ledger::{Latency, Ledger, Tally},
    marker::Marker,
    options::{Load, Pace},
    pacer::Pacer,
    progress::Progress,
    rooms::Rooms,
    session::{ORDERS, Order, Run, Session},
    tokens::Tokens,
    usage::{self, Meter, Used},
};
use futures_util::{StreamExt, stream};
use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval, sleep_until, timeout},
};
use url::Url;

/// Handshakes under way at a time.
const OPENING: usize = 256;

/// How long is waited for what is still under way when the time is over.
const DRAIN: Duration = Duration::from_secs(10);

/// How often the drain looks whether everything has come.
const LOOK: Duration = Duration::from_millis(20);

/// A run, from the first connection to the last.
pub(super) struct Bench<'a> {
    pub(super) load: &'a Load,
    /// The server's WebSocket.
    pub(super) url: Url,
    pub(super) run: Rc<Run>,
    pub(super) meter: Meter,
    pub(super) progress: Progress,
    /// To give each session its orders; the senders come first.
    orders: Vec<mpsc::Sender<Order>>,
    sessions: JoinSet<()>,
    pub(super) opening: Latency,
    pub(super) opened_in: Duration,
    /// What the server used before the first session, and with all of them open.
    pub(super) before: Option<Used>,
    pub(super) connected: Option<Used>,
}

/// What stood where at a moment.
pub(super) struct Mark {
    pub(super) at: Instant,
    pub(super) tally: Tally,
    pub(super) server: Option<Used>,
    pub(super) own: Used,
}

impl Mark {
    /// Whether the process that is watched did nothing while something was delivered.
    fn is_idle_since(&self, first: &Self) -> bool {
        let used = self.server.zip(first.server).map(|(last, first)| last.since(first));
        self.tally.deliveries > first.tally.deliveries && used.is_some_and(|used| used.cpu_seconds == 0.0)
    }
}

impl<'a> Bench<'a> {
    pub(super) async fn new(load: &'a Load, url: Url, progress: Progress) -> Result<Self, LoadFault> {
        let run = Run {
            ledger: RefCell::new(Ledger::begin()),
            marker: Marker::new(load.payload as usize),
            rooms: Rooms::of(load),
            kind: load.kind,
            is_classic: load.classic,
            goes_on: Cell::new(matches!(load.pace(), Pace::Window(_))),
            is_over: Cell::new(false),
        };
        let meter = Meter::find(load.pid, &url).await?;
        let before = meter.read().await;
        Ok(Self {
            load,
            url,
            run: Rc::new(run),
            meter,
            progress,
            orders: Vec::with_capacity(load.sessions() as usize),
            sessions: JoinSet::new(),
            opening: Latency::new(),
            opened_in: Duration::ZERO,
            before,
            connected: None,
        })
    }

    /// Opens all sessions, at the rate that was asked for.
    pub(super) async fn connect(&mut self, tokens: &Tokens) -> Result<(), LoadFault> {
        let begun = Instant::now();
        let (load, url) = (self.load, &self.url);
        let each = Duration::from_secs(1) / load.connect_rate;
        let mut opened = stream::iter(0..load.sessions())
            .map(|number| async move {
                sleep_until((begun + each * number).into()).await;
                let at = Instant::now();
                let opened = connect::open(load, url, number, tokens.of(number)).await?;
                Ok::<_, LoadFault>((number, at.elapsed(), opened))
            })
            .buffered(OPENING);
        while let Some(opened) = opened.next().await {
            let (number, took, opened) = opened?;
            self.opening.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            self.progress.connecting(number + 1, load.sessions());
            let (orders, inbox) = mpsc::channel(ORDERS);
            self.orders.push(orders);
            let session = Session::new(Rc::clone(&self.run), number, opened.user, self.place(number), inbox);
            self.sessions.spawn_local(session.live(opened.socket));
            if let Some(fault) = self.fault() {
                return Err(fault);
            }
        }
        self.opened_in = begun.elapsed();
        self.connected = self.meter.read().await;
        Ok(())
    }

    /// The first sessions are those that write.
    fn place(&self, number: u32) -> Option<u32> {
        (number < self.load.senders()).then_some(number)
    }

    fn fault(&self) -> Option<LoadFault> {
        self.run.ledger.borrow_mut().fault.take()
    }

    /// Has the senders write, and looks at what becomes of it.
    pub(super) async fn measure(&mut self, mut interrupted: Pin<&mut impl Future<Output = ()>>) -> Result<Report, LoadFault> {
        let from = Instant::now() + Duration::from_secs(self.load.warm_up);
        let to = from + Duration::from_secs(self.load.seconds);
        self.run.ledger.borrow_mut().measure(from, to);
        let pacer = self.start().await?;
        self.watch("warming up", from, interrupted.as_mut()).await?;
        let first = self.mark().await;
        self.watch("measuring ", to, interrupted).await?;
        let last = self.mark().await;
        drop(pacer);
        self.run.goes_on.set(false);
        self.drain().await;
        self.run.is_over.set(true);
        match self.load.pid {
            Some(pid) if last.is_idle_since(&first) => Err(LoadFault::IdleProcess(pid)),
            Some(_) | None => Ok(self.report(&first, &last)),
        }
    }

    /// Sets the pace: by a schedule, or by the first messages of each sender, which answers keep going.
    async fn start(&self) -> Result<Option<Pacer>, LoadFault> {
        let senders = &self.orders[..self.load.senders() as usize];
        match self.load.pace() {
            Pace::Idle => Ok(None),
            Pace::Rate(rate) => {
                let begun = self.run.ledger.borrow().begun();
                Pacer::start(rate, begun, senders.to_vec()).map(Some).map_err(|_| LoadFault::NoThread)
            }
            Pace::Window(window) => {
                for _ in 0..window {
                    for order in senders {
                        // A session that is gone has been noted.
                        let _ = order.send(Order::Post(None)).await;
                    }
                }
                Ok(None)
            }
        }
    }

    /// Shows how it goes until `end`; a fault ends it at once.
    async fn watch(
        &mut self,
        what: &str,
        end: Instant,
        mut interrupted: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), LoadFault> {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.tick().await;
        loop {
            tokio::select! {
                _ = seconds.tick() => {
                    let mut ledger = self.run.ledger.borrow_mut();
                    self.progress.second(what, ledger.tally(), &ledger.recent);
                    ledger.recent.clear();
                }
                () = sleep_until(end.into()) => return self.fault().map_or(Ok(()), Err),
                () = &mut interrupted => return Err(LoadFault::Interrupted),
            }
            if let Some(fault) = self.fault() {
                return Err(fault);
            }
        }
    }

    /// Waits until everything that is under way has come, or is not to be expected any more.
    async fn drain(&self) {
        let end = Instant::now() + DRAIN;
        let mut looks = interval(LOOK);
        while Instant::now() < end {
            looks.tick().await;
            let ledger = self.run.ledger.borrow();
            if ledger.unanswered() == 0 && ledger.lost(self.run.rooms.owed()) == 0 {
                return;
            }
        }
    }

    async fn mark(&self) -> Mark {
        let server = self.meter.read().await;
        Mark { at: Instant::now(), tally: self.run.ledger.borrow().tally(), server, own: usage::own() }
    }

    /// Says goodbye to the server, for all sessions.
    pub(super) async fn leave(&mut self) {
        for order in self.orders.drain(..) {
            // A session that is gone, or can't write, is left all the same.
            let _ = order.try_send(Order::Leave);
        }
        let _ = timeout(DRAIN, async { while self.sessions.join_next().await.is_some() {} }).await;
        self.sessions.abort_all();
    }
}
