//! What users are promised, shown through real sockets and real databases.

mod harness;
mod programs;

mod architecture;
mod asyncapi;
mod backup;
mod bad_input;
mod change;
mod close_codes;
mod dashboard;
mod deflate;
mod faults;
mod frames;
mod handshake;
mod history;
mod limits;
mod metrics;
mod page;
mod panics;
mod post;
mod prisma;
mod readme;
mod resume;
mod seed_client;
mod settings;
mod shutdown;
mod slow_reader;
mod websocket;
