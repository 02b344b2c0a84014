//! How many sockets there are, in all, by address and by user. Each holds a permit, and gives its places back when it ends.

use crate::{limits::Network, protocol::UserId};
use dashmap::DashMap;
use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Sockets of one address, in sessions that it may have: beside those, as many may be on their way out.
const SOCKETS_A_SESSION: u32 = 2;

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Sockets in all.
    pub total: usize,
    /// Sessions of one user.
    pub user: u32,
    /// Sessions from one address.
    pub address: u32,
}

impl Bounds {
    /// As many as come.
    pub const NONE: Self = Self { total: usize::MAX, user: u32::MAX, address: u32::MAX };
}

/// Counts the sockets of all workers.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    /// Those who have a socket: no more than there are sockets.
    addresses: DashMap<Network, Held>,
    /// Those who have a session: no more than there are sockets.
    users: DashMap<UserId, u32>,
    bounds: Bounds,
}

/// What one address has.
#[derive(Debug, Default)]
struct Held {
    /// Sessions, and what is being turned away.
    sockets: u32,
    sessions: u32,
}

/// One socket's place, and its session's.
#[derive(Debug)]
pub struct Permit {
    connections: Arc<Connections>,
    network: Network,
    /// Whose session it is, if it is one.
    user: Option<UserId>,
}

/// Who has as many sessions as they may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// The user.
    #[error("user {0} has too many connections")]
    OfUser(UserId),
    /// The address.
    #[error("address {0} has too many connections")]
    OfAddress(Network),
}

impl Connections {
    /// None open, and room within `bounds`.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { open: AtomicUsize::new(0), addresses: DashMap::new(), users: DashMap::new(), bounds }
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// A place for one more socket of this address, if there is one.
    #[must_use]
    pub fn permit(self: &Arc<Self>, network: Network) -> Option<Permit> {
        let mut held = self.addresses.entry(network).or_default();
        let one_more = |open: usize| (open < self.bounds.total).then_some(open + 1);
        let has_room = held.sockets < self.bounds.address.saturating_mul(SOCKETS_A_SESSION)
            && self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok();
        held.sockets += u32::from(has_room);
        drop(held);
        if has_room {
            return Some(Permit { connections: Arc::clone(self), network, user: None });
        }
        self.forget(network);
        None
    }

    /// Drops what is known of an address that has no socket.
    fn forget(&self, network: Network) {
        self.addresses.remove_if(&network, |_, held| held.sockets == 0);
    }
}

impl Permit {
    /// A place for a session of this user.
    ///
    /// # Errors
    /// Where the user or the address has as many as it may have.
    pub fn join(&mut self, user: UserId) -> Result<(), TooMany> {
        let Connections { addresses, users, bounds, .. } = &*self.connections;
        let mut held = addresses.entry(self.network).or_default();
        if held.sessions >= bounds.address {
            return Err(TooMany::OfAddress(self.network));
        }
        let mut sessions = users.entry(user).or_default();
        if *sessions >= bounds.user {
            return Err(TooMany::OfUser(user));
        }
        *sessions += 1;
        held.sessions += 1;
        self.user = Some(user);
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Connections { open, addresses, users, .. } = &*self.connections;
        let user = mem::take(&mut self.user);
        if let Some(mut held) = addresses.get_mut(&self.network) {
            held.sockets -= 1;
            held.sessions -= u32::from(user.is_some());
        }
        self.connections.forget(self.network);
        if let Some(user) = user {
            users.remove_if_mut(&user, |_, sessions| {
                *sessions -= 1;
                *sessions == 0
            });
        }
        open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Network {
        Network::of([192, 0, 2, last].into())
    }

    #[test]
    fn a_place_is_free_again_once_its_holder_has_ended_and_nobody_is_remembered() {
        let connections = Arc::new(Connections::new(Bounds { total: 5, user: 2, address: 2 }));
        let join = |last, user| connections.permit(network(last)).map(|mut permit| (permit.join(UserId(user)), permit));
        let first = join(1, 1).unwrap();
        let second = join(1, 2).unwrap();
        assert_eq!((first.0, second.0), (Ok(()), Ok(())));
        let third = join(1, 1).unwrap();
        assert_eq!(third.0, Err(TooMany::OfAddress(network(1))));
        let elsewhere = join(2, 1).unwrap();
        assert_eq!(elsewhere.0, Ok(()));
        assert_eq!(join(3, 1).unwrap().0, Err(TooMany::OfUser(UserId(1))));
        let on_its_way_out = join(1, 9).unwrap();
        assert!(join(1, 9).is_none(), "a third session's place and more");
        drop((first, on_its_way_out));
        assert_eq!(join(1, 1).unwrap().0, Ok(()));
        drop((second, third, elsewhere));
        assert_eq!(connections.open(), 0);
        assert!(connections.addresses.is_empty() && connections.users.is_empty());
    }

    #[test]
    fn one_too_many_in_all_has_no_place() {
        let connections = Arc::new(Connections::new(Bounds { total: 1, ..Bounds::NONE }));
        let first = connections.permit(network(1));
        assert!(connections.permit(network(2)).is_none());
        drop(first);
        assert!(connections.permit(network(2)).is_some());
        assert!(connections.addresses.is_empty());
    }
}
