//! Whose image is drawn next: one is at work, and of each user no more than one waits for that, so that nobody waits behind all images of
//! another.

use super::{Fault, Place};
use crate::metrics;
use std::time::{Duration, Instant};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::timeout,
};

/// Images that are redrawn at once: each takes a core, and as much memory as `uploads.image_pixels` says.
const AT_ONCE: usize = 1;

/// Gives turns in the order in which they were asked for. Those who wait are uploads, and bounded with them.
#[derive(Debug)]
pub(super) struct Redraws {
    at_work: Semaphore,
    /// How long one may wait.
    patience: Duration,
}

/// An image is at work, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    begun: Instant,
    _counted: metrics::Redraw,
    _at_work: SemaphorePermit<'a>,
    _of_user: OwnedSemaphorePermit,
}

impl Redraws {
    pub(super) fn new(patience: Duration) -> Self {
        Self { at_work: Semaphore::new(AT_ONCE), patience }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// Where it does not come in time.
    pub(super) async fn turn(&self, place: &Place) -> Result<Turn<'_>, Fault> {
        let counted = metrics::Redraw::new();
        timeout(self.patience, self.next(place, counted)).await.unwrap_or(Err(Fault::TooManyImages))
    }

    /// First among the user's own images, then among all. Neither is ever closed: where it can't be had, nothing is redrawn.
    async fn next(&self, place: &Place, counted: metrics::Redraw) -> Result<Turn<'_>, Fault> {
        let of_user = place.redrawing().acquire_owned().await.map_err(|_| Fault::Stopping)?;
        let at_work = self.at_work.acquire().await.map_err(|_| Fault::Stopping)?;
        Ok(Turn { begun: Instant::now(), _counted: counted, _at_work: at_work, _of_user: of_user })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        metrics::redrawn(self.begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::UserId, uploads::places::Places};
    use futures_util::{FutureExt, future::join_all};
    use std::sync::Arc;

    #[tokio::test]
    async fn a_user_waits_behind_one_image_of_another_and_not_for_ever() {
        let (redraws, places) = (Redraws::new(Duration::from_millis(50)), Arc::new(Places::default()));
        let place = |user| places.take(UserId(user)).unwrap();
        let (first, second, third, of_another) = (place(1), place(1), place(1), place(2));
        let at_work = redraws.turn(&first).await.unwrap();
        let mut next = Box::pin(redraws.turn(&second));
        let mut after = Box::pin(redraws.turn(&third));
        let mut others = Box::pin(redraws.turn(&of_another));
        assert!((&mut next).now_or_never().is_none() && (&mut after).now_or_never().is_none());
        assert!((&mut others).now_or_never().is_none());
        drop(at_work);
        assert!((&mut next).now_or_never().is_none(), "it was there first, but its user was at work");
        let at_work = (&mut others).now_or_never().unwrap().unwrap();
        let given_up = join_all([next, after]).await;
        assert!(given_up.iter().all(|turn| matches!(turn, Err(Fault::TooManyImages))));
        drop(at_work);
        assert!(redraws.turn(&second).now_or_never().unwrap().is_ok());
    }
}
