//! Who may do what: one pure function over a table, asked by the lane within its transaction, and by everything that reads.

mod action;
mod membership;
pub mod policy;
mod server_action;

pub use action::{Action, UnknownAction};
pub use membership::{Membership, OpenOrDeny, Standing, Unlisted};
pub use policy::{Denial, Rank, allows};
pub use server_action::{NotForThem, ServerAction, allows_on_server};
