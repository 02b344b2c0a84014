//! The composition root: the only place where the parts meet.

mod identity;
mod listen;
mod uploads;
mod workers;

use crate::{
    access::Unlisted,
    chat::Chat,
    clock::Clock,
    delivery::Drain,
    http::{Bounds, Connections, Site},
    limits::Limiter,
    protocol::{Committed, Revocations},
    server::{ChatServer, Publish},
    settings::Settings,
    store::{BrokenLog, Lane, OpenError, Store},
    uploads::Wake,
};
use actix::{Actor, Addr, Arbiter, Recipient};
use actix_server::ServerHandle;
use actix_web::web::Data;
use anyhow::Context;
use futures_util::{FutureExt, future::join_all};
pub use identity::development_token;
use listen::Port;
use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout, timeout_at},
};
use workers::Workers;

/// A first wait for a database that can't be reached; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);

const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// On the way out: how long the lane has for what is queued, then the sessions for saying goodbye, HTTP for its answers, and the
/// database for its own goodbye. Together less than the ten seconds that supervisors give.
const LANE_GRACE: Duration = Duration::from_secs(4);
const SESSION_GRACE: Duration = Duration::from_secs(3);
const HTTP_GRACE: Duration = Duration::from_secs(1);
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Runs the service until it is told to stop.
///
/// # Errors
/// Where the address can't be listened on, or the database is in use or can't be opened.
pub async fn serve(settings: &Settings) -> anyhow::Result<()> {
    let mut stop = StopSignal::listen()?;
    let descriptors = rlimit::increase_nofile_limit(u64::MAX)?;
    warn_of(settings, descriptors);
    let port = Port::take(SocketAddr::new(settings.server.host, settings.server.port))?;
    let store = tokio::select! {
        store = open(settings) => store?,
        () = stop.received() => return Ok(()),
    };
    tokio::select! {
        adopted = adopt(settings, &store) => adopted?,
        () = stop.received() => return Ok(()),
    }
    let revocations = tokio::select! {
        revocations = store.revocations() => revocations.context("can't read whose tokens were revoked")?,
        () = stop.received() => return Ok(()),
    };
    let mut running = Running::start(settings, store, revocations, port.listen()?).await?;
    log::info!("the database is {}", settings.database.url);
    log::info!("natter {} listens on http://{}", env!("CARGO_PKG_VERSION"), running.address);
    let broken = tokio::select! {
        () = stop.received() => None,
        error = running.broken() => Some(error),
    };
    if let Some(error) = &broken {
        log::error!("{error}: the server ends");
    }
    running.stop().await?;
    broken.map_or(Ok(()), Err)
}

/// Opens the database; where it can't be reached, tries again with growing waits, as long as it takes.
async fn open(settings: &Settings) -> Result<Store, OpenError> {
    let mut wait = FIRST_WAIT;
    loop {
        match Store::open(&settings.database.url, settings.database.readers).await {
            Err(error @ OpenError::Unreachable { .. }) if settings.database.url.is_remote() => {
                log::error!("{error}; trying again in {} ms", wait.as_millis());
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            opened => return opened,
        }
    }
}

/// Where conversations without members are closed, support chats from the time when they were open get their owners.
async fn adopt(settings: &Settings, store: &Store) -> anyhow::Result<()> {
    match settings.access.unlisted {
        Unlisted::Open => {}
        Unlisted::Deny => match store.adopt_support_chats(&settings.database.url, Clock::system().now()).await? {
            0 => {}
            1 => log::info!("1 support chat without members belongs to who first wrote to it, from now on"),
            count => log::info!("{count} support chats without members belong to who first wrote to them, from now on"),
        },
    }
    Ok(())
}

fn warn_of(settings: &Settings, descriptors: u64) {
    identity::warn_of(settings);
    if descriptors < settings.server.max_connections as u64 {
        log::warn!(
            "at most {descriptors} files may be open, fewer than server.max_connections = {}",
            settings.server.max_connections
        );
    }
}

/// SIGTERM, or Ctrl-C.
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The parts, at work.
struct Running {
    address: SocketAddr,
    site: Data<Site>,
    /// Each worker's hub, as it comes.
    hubs: mpsc::UnboundedReceiver<Recipient<Drain>>,
    /// Told once, the lane takes nothing more and ends when its queue is empty.
    stop_lane: oneshot::Sender<()>,
    /// Resolves when everything that was committed is published, or can't be.
    published: oneshot::Receiver<Result<(), BrokenLog>>,
    /// Resolves when `ChatServer` is gone.
    chat_server_is_gone: oneshot::Receiver<()>,
    /// Takes away files that nobody needs.
    sweeping: JoinHandle<()>,
    server: ServerHandle,
    served: JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start(settings: &Settings, store: Store, revocations: Revocations, listener: TcpListener) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let (revocations, revoked) = watch::channel(revocations);
        let (head, unlisted) = (store.head(), settings.access.unlisted);
        let reader = store.reader(unlisted);
        let limiter = Arc::new(Limiter::new(settings.limits.enabled.then_some(&settings.limits.quotas)));
        let (writer, lane) =
            store.lane(settings.database.queue, settings.log.retention, unlisted, Arc::clone(&limiter), clock).await?;
        // A thread of its own: the main one waits, blocked, until the workers have started, and they wait for the server.
        let thread = Arbiter::new();
        let (gate, fetcher) = identity::gate(settings, revoked, clock)?;
        if let Some(fetcher) = fetcher {
            thread.spawn(fetcher.run());
        }
        let chat = Chat::new(writer.clone(), reader.clone(), clock);
        let (life, chat_server_is_gone) = oneshot::channel();
        let chat_server = ChatServer::start_in_arbiter(&thread.handle(), move |_| ChatServer::new(chat, head.seq, life));
        let (uploads, sweeper, wake) = uploads::open(settings, &store, clock).await?;
        let sweeping = actix_rt::spawn(sweeper.run());
        let (stop_lane, published) = run(lane, &thread, chat_server.clone(), wake);
        let site = Data::new(Site {
            store,
            reader: reader.clone(),
            writer,
            inspect: chat_server.clone().recipient(),
            gate,
            revocations,
            clock,
            connections: Arc::new(Connections::new(bounds(settings))),
            uploads: Arc::new(uploads),
            limiter: Arc::clone(&limiter),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            draining: AtomicBool::new(false),
        });
        // One message a worker, at its start.
        let (announce, hubs) = mpsc::unbounded_channel();
        let workers = Workers {
            chat_server,
            site: site.clone(),
            log_id: head.log_id,
            reader,
            limits: settings.limits,
            limiter,
            compression: settings.server.compression,
            max_missed: settings.resume.max_events,
            announce,
        };
        let address = listener.local_addr()?;
        let server = workers.listen(listener, settings.server.workers)?;
        let (server, serving) = (server.handle(), actix_rt::spawn(server));
        Ok(Self { address, site, hubs, stop_lane, published, chat_server_is_gone, sweeping, server, served: serving })
    }

    /// Resolves when a part has ended without which nothing is taken any more, with the reason.
    async fn broken(&mut self) -> anyhow::Error {
        tokio::select! {
            biased;
            outcome = &mut self.published => match outcome {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) | Err(_) => anyhow::anyhow!("the lane to the database has ended unexpectedly"),
            },
            _ = &mut self.chat_server_is_gone => anyhow::anyhow!("ChatServer has ended unexpectedly"),
        }
    }

    /// Finishes what is queued, says goodbye to every session, and ends.
    async fn stop(mut self) -> anyhow::Result<()> {
        log::info!("stopping: no new sessions, {} to say goodbye to", self.site.connections.open());
        self.site.draining.store(true, Ordering::Relaxed);
        // It is gone only where the lane has ended by itself, and then there is nothing to stop.
        let _ = self.stop_lane.send(());
        if !self.published.is_terminated() && timeout(LANE_GRACE, &mut self.published).await.is_err() {
            log::error!(
                "the database did not take what was queued within {} s; none of it was acknowledged",
                LANE_GRACE.as_secs()
            );
        }
        let deadline = Instant::now() + SESSION_GRACE;
        self.hubs.close();
        let mut goodbyes = Vec::new();
        while let Some(hub) = self.hubs.recv().await {
            goodbyes.push(async move { hub.send(Drain).await });
        }
        for goodbye in timeout_at(deadline, join_all(goodbyes)).await.into_iter().flatten() {
            if let Err(error) = goodbye {
                log::error!("the sessions of a worker could not be told goodbye: {error}");
            }
        }
        while self.site.connections.open() > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(10)).await;
        }
        // Keep-alive connections of HTTP may be left; they are cut.
        let _ = timeout(HTTP_GRACE, self.server.stop(true)).await;
        self.served.abort();
        self.sweeping.abort();
        if let Err(error) = timeout(CLOSE_GRACE, self.site.uploads.close()).await.unwrap_or(Ok(())) {
            log::warn!("the list of uploads was not closed in good order: {error}");
        }
        match timeout(CLOSE_GRACE, self.site.store.close()).await {
            Ok(Ok(())) => log::info!("stopped"),
            Ok(Err(error)) => log::warn!("stopped; the database was not closed in good order: {error}"),
            Err(_) => log::warn!("stopped; the database did not answer the goodbye"),
        }
        Ok(())
    }
}

/// Runs the lane beside `ChatServer`, which it hands each commit to: how it is told to stop, and how it tells that it has.
fn run(
    lane: Lane,
    thread: &Arbiter,
    chat_server: Addr<ChatServer>,
    wake: Wake,
) -> (oneshot::Sender<()>, oneshot::Receiver<Result<(), BrokenLog>>) {
    let (stop_lane, lane_is_stopped) = oneshot::channel::<()>();
    let (is_published, published) = oneshot::channel();
    let publish = move |committed| publish(committed, chat_server.clone(), wake.clone());
    // Nobody listens where the stop took too long.
    thread.spawn(lane.run(publish, lane_is_stopped.map(|_| ())).map(|outcome| drop(is_published.send(outcome))));
    (stop_lane, published)
}

/// How many connections there may be.
fn bounds(settings: &Settings) -> Bounds {
    if !settings.limits.enabled {
        return Bounds::NONE;
    }
    Bounds {
        total: settings.server.max_connections,
        user: settings.limits.connections_per_user,
        address: settings.limits.connections_per_address,
    }
}

/// Takes what was committed to the server; resolves when every hub has it.
async fn publish(committed: Committed, chat_server: Addr<ChatServer>, wake: Wake) {
    let frees_files = committed.frees_files;
    if let Err(error) = chat_server.send(Publish(committed)).await {
        log::error!("a commit could not be published: {error}");
    }
    if frees_files {
        wake.wake();
    }
}
