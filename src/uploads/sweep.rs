//! Takes away files that nobody needs: those of deleted messages, those that no message ever had, and what an upload left that was cut off.

use super::{Fault, storage::Storage};
use crate::{clock::Clock, protocol::Timestamp, store::UploadList};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{interval, sleep},
};
use uuid::Uuid;

/// How often it looks by itself, if files that no message has stay longer than that.
const INTERVAL: Duration = Duration::from_mins(1);

/// How often it looks through the folder for what was cut off while it was written.
const CLEARING: Duration = Duration::from_hours(1);

/// How long a file may take to be stored, which is no matter of the client: what takes longer was cut off.
const ARRIVING: Duration = Duration::from_hours(1);

/// How long it waits when the database or the storage fails.
const AFTER_A_FAILURE: Duration = Duration::from_secs(10);

/// Takes away files that nobody needs.
#[derive(Debug)]
pub struct Sweeper {
    storage: Storage,
    list: UploadList,
    keep_unattached: Duration,
    wake: Arc<Notify>,
    clock: Clock,
}

/// Tells the sweeper that there is something to take away. Told often, it looks once.
#[derive(Clone, Debug)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// A message lost its files.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

impl Sweeper {
    pub(super) fn new(storage: Storage, list: UploadList, keep_unattached: Duration, clock: Clock) -> (Self, Wake) {
        let wake = Arc::new(Notify::new());
        (Self { storage, list, keep_unattached, wake: Arc::clone(&wake), clock }, Wake(wake))
    }

    /// Sweeps at once, from time to time, and when it is woken; for ever.
    pub async fn run(self) {
        let (mut ticks, mut hours) = (interval(INTERVAL.min(self.keep_unattached)), interval(CLEARING));
        loop {
            let swept = tokio::select! {
                _ = ticks.tick() => self.sweep().await,
                () = self.wake.notified() => self.take_away().await,
                _ = hours.tick() => self.storage.clear().await,
            };
            if let Err(error) = swept {
                log::warn!("files that nobody needs were not taken away, and will be: {error}");
                sleep(AFTER_A_FAILURE).await;
                self.wake.notify_one();
            }
        }
    }

    async fn sweep(&self) -> Result<(), Fault> {
        let abandoned = self.list.abandon(self.ago(self.keep_unattached), self.ago(ARRIVING)).await?;
        if abandoned > 0 {
            log::info!("{abandoned} uploads that no message has are taken away");
        }
        self.take_away().await
    }

    /// The row goes last: where anything fails in between, it is found again.
    async fn take_away(&self) -> Result<(), Fault> {
        let (mut last, mut failed) = (Uuid::nil(), None);
        loop {
            let ids = self.list.gone(last).await?;
            let Some(end) = ids.last() else { return failed.map_or(Ok(()), Err) };
            last = *end;
            let mut taken = Vec::new();
            for id in ids {
                match self.storage.delete(id).await {
                    Ok(()) => taken.push(id),
                    Err(fault) => failed = Some(fault),
                }
            }
            // Files that can't be taken away leave no others behind.
            self.list.forget(&taken).await?;
        }
    }

    fn ago(&self, time: Duration) -> Timestamp {
        let now = self.clock.now();
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_unix_ms(now.unix_ms().saturating_sub(time)).unwrap_or(now)
    }
}
