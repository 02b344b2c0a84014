//! What each fuzz target does with its input. `tests/it/fuzz.rs` runs the same functions over the kept corpus, without a nightly
//! compiler.
//!
//! A target fails by panicking. Where there is a second implementation, the two are compared; where there is none, what must hold
//! of every input is.

pub mod command;
pub mod database_url;
pub mod decoder;
pub mod file_name;
pub mod fragments;
pub mod ids;
pub mod inflate;
pub mod query;
pub mod settings;

/// Takes one input, whatever it is.
pub type Target = fn(&[u8]);

/// Every target with its name, which is that of its folder in `corpus/` too.
pub const TARGETS: [(&str, Target); 9] = [
    ("command", command::run),
    ("database_url", database_url::run),
    ("decoder", decoder::run),
    ("file_name", file_name::run),
    ("fragments", fragments::run),
    ("ids", ids::run),
    ("inflate", inflate::run),
    ("query", query::run),
    ("settings", settings::run),
];
