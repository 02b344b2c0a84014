//! Persistence: the only place that names `sea_orm`. Writes go through one ordered lane, reads run beside it.

mod batch;
mod commit;
mod connect;
mod draft;
mod error;
mod ids;
mod lock;
mod log;
pub mod migrate;
mod post;
mod table;
mod url;
mod writer;

pub use connect::Store;
pub use draft::{Draft, Intent};
pub use error::{OpenError, StoreError};
pub use log::Head;
pub use url::DatabaseUrl;
pub use writer::{Lane, QueueBounds, Writer};
