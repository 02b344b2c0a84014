//! What users are promised, shown through real sockets and real databases.

mod harness;

mod architecture;
mod bad_input;
mod handshake;
mod post;
mod settings;
mod shutdown;
mod websocket;
