#![doc = include_str!("ARCHITECTURE.md")]

// In the order of dependency: a module uses only those above it. `tests/it/architecture.rs` holds them to it.
pub mod logging;
pub mod protocol;
pub mod limits;
pub mod clock;
pub mod access;
pub mod metrics;
pub mod identity;
pub mod store;
pub mod uploads;
pub mod demo;
pub mod load;
pub mod chat;
pub mod delivery;
pub mod session;
pub mod server;
pub mod http;
pub mod settings;
pub mod app;
