//! The keys of a JWKS address: fetched by one task, kept, and fetched again when they are old or a token names one that is not there.

use super::{Keys, TokenFault, Unverified};
use reqwest::{Client, Url, redirect};
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

/// How often keys are fetched.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Once there are keys: no more than one fetch in this time, however many tokens name keys that are not there.
    pub between: Duration,
    /// Until there are keys: the first wait for the next try. It doubles up to `between`.
    pub first_wait: Duration,
    /// How old keys may become: one that was taken off the list is believed for no longer.
    pub oldest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { between: Duration::from_mins(1), first_wait: Duration::from_secs(1), oldest: Duration::from_mins(10) }
    }
}

/// How long an answer may take, and how large it may be, in bytes.
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 256 * 1024;

/// Tokens that may wait for a fetch; one more is refused as if there were no keys.
const WAITING: usize = 1_024;

/// The keys as they were last fetched, and the way to have them fetched again.
#[derive(Clone, Debug)]
pub struct Jwks {
    /// None: they were never fetched.
    fetched: watch::Receiver<Option<Keys>>,
    /// Answered when the keys are as new as they may be.
    ask: mpsc::Sender<oneshot::Sender<()>>,
}

impl Jwks {
    /// The keys as they were last fetched, if they ever were.
    pub(super) fn known(&self) -> Option<Keys> {
        self.fetched.borrow().clone()
    }

    /// Keys among which is the one that the token means, if there is one. Where it is not known yet, this waits for a fetch, unless
    /// the last one was a moment ago.
    pub(super) async fn keys_for(&self, token: &Unverified<'_>) -> Result<Keys, TokenFault> {
        if let Some(keys) = self.known().filter(|keys| keys.meant_by(token).is_some()) {
            return Ok(keys);
        }
        let (done, answered) = oneshot::channel();
        self.ask.try_send(done).map_err(|_| TokenFault::NoKeys)?;
        // Dropped unanswered where the server stops.
        let _ = answered.await;
        self.known().ok_or(TokenFault::NoKeys)
    }
}

/// The task that fetches, one at a time.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    url: Url,
    pace: Pace,
    fetched: watch::Sender<Option<Keys>>,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer is {0}, not 200; redirects are not followed")]
    Status(reqwest::StatusCode),
    #[error("the answer has more than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("the answer is no JWKS: {0}")]
    NoJwks(#[from] serde_json::Error),
    #[error("the answer has no key for RS256, ES256 or EdDSA")]
    Empty,
}

impl Fetcher {
    /// A task for the keys at `url`, which fetches nothing before it runs, and the keys that it will have fetched.
    ///
    /// # Errors
    /// Where the system's certificates can't be read.
    pub fn new(url: Url, pace: Pace) -> Result<(Self, Jwks), reqwest::Error> {
        let client = Client::builder()
            // What is set is trusted, and not where it may point to.
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("natter/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let (fetched, keys) = watch::channel(None);
        let (ask, asked) = mpsc::channel(WAITING);
        Ok((Self { client, url, pace, fetched, asked }, Jwks { fetched: keys, ask }))
    }

    /// Fetches now, and again when it is asked to or the keys are old, until nobody can ask any more.
    pub async fn run(mut self) {
        let Pace { between, mut first_wait, oldest } = self.pace;
        let mut waiting = None;
        loop {
            let begun = Instant::now();
            let is_fetched = self.refresh().await;
            drop(waiting.take());
            // Whoever asked meanwhile has what they asked for.
            while self.asked.try_recv().is_ok() {}
            let pause = if self.fetched.borrow().is_some() { between } else { first_wait };
            let until = if is_fetched { oldest } else { pause };
            first_wait = (first_wait * 2).min(between);
            waiting = match self.wait(begun + pause, begun + until).await {
                Wake::Asked(done) => Some(done),
                Wake::Old => None,
                Wake::Over => return,
            };
        }
    }

    /// Fetches; where that fails, the keys stay that were there before.
    async fn refresh(&self) -> bool {
        match self.fetch().await {
            Ok(keys) => {
                let noun = if keys.len() == 1 { "key" } else { "keys" };
                log::info!("fetched {} {noun} from {}", keys.len(), self.url);
                self.fetched.send_replace(Some(keys));
                true
            }
            Err(error) => {
                log::error!("the keys that tokens are checked with can't be fetched from {}: {error}", self.url);
                false
            }
        }
    }

    /// Waits until the next fetch. Those who ask before `earliest` are answered at once: the keys are as new as they may be.
    async fn wait(&mut self, earliest: Instant, latest: Instant) -> Wake {
        loop {
            let asked = tokio::select! {
                asked = self.asked.recv() => asked,
                () = sleep_until(latest) => return Wake::Old,
            };
            match asked {
                None => return Wake::Over,
                Some(done) if Instant::now() >= earliest => return Wake::Asked(done),
                Some(done) => drop(done),
            }
        }
    }

    async fn fetch(&self) -> Result<Keys, FetchError> {
        let mut response = self.client.get(self.url.clone()).send().await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut json = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if json.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLarge);
            }
            json.extend_from_slice(&chunk);
        }
        let (keys, unfit) = Keys::from_jwks(&json)?;
        if let Some(fault) = unfit.first() {
            let noun = if unfit.len() == 1 { "key is" } else { "keys are" };
            log::warn!("{} {noun} passed over that {} has; the first {fault}", unfit.len(), self.url);
        }
        if keys.is_empty() { Err(FetchError::Empty) } else { Ok(keys) }
    }
}

/// Why the next fetch is due.
enum Wake {
    Asked(oneshot::Sender<()>),
    Old,
    Over,
}
