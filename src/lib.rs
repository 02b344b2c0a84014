#![doc = include_str!("ARCHITECTURE.md")]

// In the order of dependency: a module may use those above it. `tests/it/architecture.rs` holds them to it.
pub mod app;
pub mod chat;
pub mod clock;
pub mod delivery;
pub mod http;
pub mod protocol;
pub mod server;
pub mod session;
pub mod settings;
pub mod store;
