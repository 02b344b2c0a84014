//! What may happen in a case, and how a case is made up.

use crate::harness::Kind;
use proptest::{collection::vec, prelude::*};

/// Sessions of a case. The first two are one user's.
pub(super) const USER_OF_SESSION: [i64; 4] = [0, 0, 1, 2];

/// Where messages are posted: the kind, and the number of its conversation in the case.
pub(super) const PLACES: [(Kind, i64); 3] = [(Kind::Chat, 0), (Kind::Support, 0), (Kind::Chat, 1)];

/// One thing that happens. What is impossible at the time (who is away says nothing) is passed over, so that what shrinking leaves
/// of a case still means something.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A session sends a command; where `wait`, it has its answer before the next step.
    Say { session: usize, saying: Saying, wait: bool },
    /// A session says goodbye.
    Leave { session: usize },
    /// A session is gone without a word, with whatever is unanswered.
    Vanish { session: usize },
    /// A session comes back: with its cursor, or with nothing.
    Return { session: usize, afresh: bool },
    /// The server is killed by SIGKILL, and started again.
    Kill,
}

/// A command. Messages are meant by their number among those acknowledged so far, round and round.
#[derive(Clone, Copy, Debug)]
pub(super) enum Saying {
    /// A new message, with an idempotency key of its own or without one.
    Post {
        place: usize,
        keyed: bool,
    },
    /// Any keyed message so far, with the same key, whoever sent it first and whether or not it was answered.
    Repeat {
        post: usize,
    },
    Edit {
        message: usize,
    },
    Delete {
        message: usize,
    },
    /// An edit of a message that never was.
    EditNothing {
        place: usize,
    },
}

/// A case of at most this many steps.
pub(super) fn steps(at_most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..=at_most)
}

fn step() -> impl Strategy<Value = Step> {
    let session = || 0..USER_OF_SESSION.len();
    prop_oneof![
        96 => (session(), saying(), any::<bool>()).prop_map(|(session, saying, wait)| Step::Say { session, saying, wait }),
        8 => session().prop_map(|session| Step::Leave { session }),
        12 => session().prop_map(|session| Step::Vanish { session }),
        20 => (session(), prop::bool::weighted(0.2)).prop_map(|(session, afresh)| Step::Return { session, afresh }),
        1 => Just(Step::Kill),
    ]
}

fn saying() -> impl Strategy<Value = Saying> {
    // Few, so that one message meets with much.
    let any_of = || 0..3_usize;
    prop_oneof![
        8 => (0..PLACES.len(), prop::bool::weighted(0.7)).prop_map(|(place, keyed)| Saying::Post { place, keyed }),
        4 => any_of().prop_map(|post| Saying::Repeat { post }),
        5 => any_of().prop_map(|message| Saying::Edit { message }),
        3 => any_of().prop_map(|message| Saying::Delete { message }),
        1 => (0..PLACES.len()).prop_map(|place| Saying::EditNothing { place }),
    ]
}
