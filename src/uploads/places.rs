//! How many uploads there may be at once, in all and of one user, so that those who drip can't keep out the others.

use super::Fault;
use crate::protocol::UserId;
use dashmap::DashMap;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::Semaphore;

/// Uploads under way; one more is refused.
const AT_ONCE: u32 = 64;

/// Those of one user; one more is refused.
const OF_USER_AT_ONCE: u32 = 4;

/// Counts the uploads under way of all workers.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: AtomicU32,
    /// Those who have one: no more than there are uploads.
    users: DashMap<UserId, OfUser>,
}

/// What one user has under way.
#[derive(Debug)]
struct OfUser {
    uploads: u32,
    /// One of their images is redrawn, or is the next but for others'.
    redrawing: Arc<Semaphore>,
}

/// One upload's place.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    user: UserId,
    redrawing: Arc<Semaphore>,
}

impl Places {
    pub(super) fn take(self: &Arc<Self>, user: UserId) -> Result<Place, Fault> {
        let redrawing = self.count(user)?;
        self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place { places: Arc::clone(self), user, redrawing };
        if self.taken.load(Ordering::Relaxed) > AT_ONCE { Err(Fault::Busy) } else { Ok(place) }
    }

    fn count(&self, user: UserId) -> Result<Arc<Semaphore>, Fault> {
        let nothing = || OfUser { uploads: 0, redrawing: Arc::new(Semaphore::new(1)) };
        let mut of_user = self.users.entry(user).or_insert_with(nothing);
        if of_user.uploads >= OF_USER_AT_ONCE {
            return Err(Fault::TooManyOfUser { most: OF_USER_AT_ONCE });
        }
        of_user.uploads += 1;
        Ok(Arc::clone(&of_user.redrawing))
    }
}

impl Place {
    /// Whose upload it is.
    pub(super) fn user(&self) -> UserId {
        self.user
    }

    /// Of which one is had by whoever redraws an image of this user.
    pub(super) fn redrawing(&self) -> Arc<Semaphore> {
        Arc::clone(&self.redrawing)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
        self.places.users.remove_if_mut(&self.user, |_, of_user| {
            of_user.uploads -= 1;
            of_user.uploads == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_its_upload_has_ended() {
        let places = Arc::new(Places::default());
        let of_one: Vec<Place> = (0..OF_USER_AT_ONCE).map(|_| places.take(UserId(1)).unwrap()).collect();
        assert!(matches!(places.take(UserId(1)), Err(Fault::TooManyOfUser { .. })));
        let others: Vec<Place> =
            (0..i64::from(AT_ONCE - OF_USER_AT_ONCE)).map(|user| places.take(UserId(2 + user)).unwrap()).collect();
        assert!(matches!(places.take(UserId(1_000)), Err(Fault::Busy)));
        drop(of_one);
        let again = places.take(UserId(1)).unwrap();
        drop((others, again));
        assert_eq!(places.taken.load(Ordering::Relaxed), 0);
        assert!(places.users.is_empty());
    }
}
