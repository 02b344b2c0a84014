//! `natter load`: many sessions on a running server, how soon each is told what the others write, and what it costs the server.

mod connect;
mod fault;
mod ledger;
mod marker;
mod options;
mod pacer;
mod progress;
mod report;
mod seen;
mod session;
mod tokens;
mod usage;

pub use fault::LoadFault;
use futures_util::{StreamExt, stream};
use ledger::{Latency, Ledger, Tally};
use marker::Marker;
use options::Pace;
pub use options::{Kind, Load};
use pacer::Pacer;
use progress::Progress;
pub use report::Report;
use report::{Asked, Connecting, Deliveries, Generator, Latencies, Messages, Percentiles, Server, rounded};
use session::{ORDERS, Order, Run, Session};
use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    time::{Duration, Instant},
};
pub use tokens::Signer;
use tokens::Tokens;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval, sleep_until},
};
use usage::{Meter, Used};

/// Handshakes under way at a time.
const OPENING: usize = 256;

/// How long is waited for what is still under way when the time is over.
const DRAIN: Duration = Duration::from_secs(10);

/// How often the drain looks whether everything has come.
const LOOK: Duration = Duration::from_millis(20);

/// Open files beside the sessions' sockets.
const OTHER_FILES: u64 = 64;

/// Loads the server until the time is over, or `interrupted` resolves.
///
/// # Errors
/// Where the server can't be reached, refuses, or ends the sessions for a reason that holds for all: it says what to change.
pub async fn run(load: &Load, signer: &Signer<'_>, interrupted: impl Future<Output = ()>) -> Result<Report, LoadFault> {
    allow_descriptors(load.sessions)?;
    let tokens = Tokens::new(load, signer)?;
    let mut interrupted = std::pin::pin!(interrupted);
    let mut bench = Bench::new(load).await?;
    tokio::select! {
        connected = bench.connect(&tokens) => connected?,
        () = &mut interrupted => return Err(LoadFault::Interrupted),
    }
    let report = bench.measure(interrupted).await;
    bench.progress.end();
    bench.leave().await;
    report
}

fn descriptors_for(sessions: u32) -> u64 {
    u64::from(sessions) + OTHER_FILES
}

fn allow_descriptors(sessions: u32) -> Result<(), LoadFault> {
    let needed = descriptors_for(sessions);
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(allowed) if allowed < needed => Err(LoadFault::Descriptors { sessions, needed, allowed }),
        // Where it can't be known, connecting will tell.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A run, from the first connection to the last.
struct Bench<'a> {
    load: &'a Load,
    run: Rc<Run>,
    meter: Meter,
    progress: Progress,
    /// To give each session its orders; the senders come first.
    orders: Vec<mpsc::Sender<Order>>,
    sessions: JoinSet<()>,
    opening: Latency,
    opened_in: Duration,
    /// What the server used before the first session, and with all of them open.
    before: Option<Used>,
    connected: Option<Used>,
}

/// What stood where at a moment.
struct Mark {
    at: Instant,
    tally: Tally,
    server: Option<Used>,
    own: Used,
}

impl<'a> Bench<'a> {
    async fn new(load: &'a Load) -> Result<Self, LoadFault> {
        let run = Run {
            ledger: RefCell::new(Ledger::begin()),
            marker: Marker::new(load.payload as usize),
            senders: load.senders(),
            chats: load.chats,
            kind: load.kind,
            is_classic: load.classic,
            goes_on: Cell::new(matches!(load.pace(), Pace::Window(_))),
        };
        let meter = Meter::find(load.pid, &load.url).await?;
        let before = meter.read().await;
        Ok(Self {
            load,
            run: Rc::new(run),
            meter,
            progress: Progress::begin(),
            orders: Vec::with_capacity(load.sessions as usize),
            sessions: JoinSet::new(),
            opening: Latency::new(),
            opened_in: Duration::ZERO,
            before,
            connected: None,
        })
    }

    /// Opens all sessions, at the rate that was asked for.
    async fn connect(&mut self, tokens: &Tokens) -> Result<(), LoadFault> {
        let begun = Instant::now();
        let load = self.load;
        let each = Duration::from_secs(1) / load.connect_rate;
        let mut opened = stream::iter(0..load.sessions)
            .map(|number| async move {
                sleep_until((begun + each * number).into()).await;
                let at = Instant::now();
                let opened = connect::open(load, number, tokens.of(number)).await?;
                Ok::<_, LoadFault>((number, at.elapsed(), opened))
            })
            .buffered(OPENING);
        while let Some(opened) = opened.next().await {
            let (number, took, opened) = opened?;
            self.opening.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            self.progress.connecting(number + 1, load.sessions);
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
        (number < self.run.senders).then_some(number)
    }

    fn fault(&self) -> Option<LoadFault> {
        self.run.ledger.borrow_mut().fault.take()
    }

    /// Has the senders write, and looks at what becomes of it.
    async fn measure(&mut self, mut interrupted: Pin<&mut impl Future<Output = ()>>) -> Result<Report, LoadFault> {
        let begun = self.run.ledger.borrow().begun();
        let start = Instant::now();
        let from = start + Duration::from_secs(self.load.warm_up);
        let to = from + Duration::from_secs(self.load.seconds);
        {
            let mut ledger = self.run.ledger.borrow_mut();
            let measured = ledger.ns(from)..ledger.ns(to);
            ledger.measure(measured);
        }
        let senders = self.orders[..self.run.senders as usize].to_vec();
        let pacer = match self.load.pace() {
            Pace::Idle => None,
            Pace::Rate(rate) => Some(Pacer::start(rate, begun, senders).map_err(|_| LoadFault::NoThread)?),
            Pace::Window(window) => {
                for order in senders {
                    for _ in 0..window {
                        // A session that is gone has been noted.
                        let _ = order.send(Order::Post(None)).await;
                    }
                }
                None
            }
        };
        self.watch("warming up", from, interrupted.as_mut()).await?;
        let first = self.mark().await;
        self.watch("measuring ", to, interrupted).await?;
        let last = self.mark().await;
        drop(pacer);
        self.run.goes_on.set(false);
        self.drain().await;
        Ok(self.report(&first, &last))
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
            if ledger.unanswered() == 0 && ledger.lost(self.load.sessions) == 0 {
                return;
            }
        }
    }

    async fn mark(&self) -> Mark {
        let server = self.meter.read().await;
        Mark { at: Instant::now(), tally: self.run.ledger.borrow().tally(), server, own: usage::own() }
    }

    fn report(&self, first: &Mark, last: &Mark) -> Report {
        let ledger = self.run.ledger.borrow();
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        let (tally, own) = (ledger.tally(), last.own.since(first.own));
        let rate = |now: u64, before: u64| rounded(float(now - before) / seconds);
        Report {
            natter: env!("CARGO_PKG_VERSION"),
            asked: Asked::of(self.load),
            connect: Connecting {
                seconds: rounded(self.opened_in.as_secs_f64()),
                per_second: rounded(f64::from(self.load.sessions) / self.opened_in.as_secs_f64()),
                ms: Percentiles::of(&self.opening),
            },
            messages: Messages {
                sent: tally.sent,
                accepted: tally.accepted,
                per_second: rate(last.tally.accepted, first.tally.accepted),
                refused: ledger.refused.clone(),
                unanswered: ledger.unanswered(),
            },
            deliveries: Deliveries {
                count: tally.deliveries,
                per_second: rate(last.tally.deliveries, first.tally.deliveries),
                lost: ledger.lost(self.load.sessions),
                duplicated: tally.duplicated,
                out_of_order: tally.out_of_order,
            },
            latency_ms: Latencies::of(&ledger),
            server: self.server(first, last),
            generator: Generator {
                cores: rounded(own.cpu_seconds / seconds),
                waited_seconds: rounded(own.waited_seconds.unwrap_or_default()),
                late_ms: rounded(float(ledger.late_ns) / 1e6),
            },
            closed: ledger.closed.clone(),
        }
    }

    fn server(&self, first: &Mark, last: &Mark) -> Option<Server> {
        let (before, connected, end) = (self.before?, self.connected?, last.server?);
        let used = end.since(first.server?);
        let per = |count: u64| (count > 0).then(|| rounded(used.cpu_seconds * 1e6 / float(count)));
        Some(Server {
            source: self.meter.name()?,
            cpu_seconds: rounded(used.cpu_seconds),
            cpu_us_per_delivery: per(last.tally.deliveries - first.tally.deliveries),
            cpu_us_per_message: per(last.tally.accepted - first.tally.accepted),
            waited_seconds: used.waited_seconds.map(rounded),
            rss_kib_before: rounded(before.rss_kib),
            rss_kib_connected: rounded(connected.rss_kib),
            rss_kib_per_session: rounded((connected.rss_kib - before.rss_kib) / f64::from(self.load.sessions)),
            rss_kib: rounded(end.rss_kib),
        })
    }

    /// Says goodbye to the server, for all sessions.
    async fn leave(&mut self) {
        for order in self.orders.drain(..) {
            // A session that is gone, or can't write, is left all the same.
            let _ = order.try_send(Order::Leave);
        }
        let _ = tokio::time::timeout(DRAIN, async { while self.sessions.join_next().await.is_some() {} }).await;
        self.sessions.abort_all();
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are exact in 53 bits")]
fn float(count: u64) -> f64 {
    count as f64
}
