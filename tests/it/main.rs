//! What users are promised, shown through real sockets and real databases.

mod harness;
mod programs;

mod access;
mod access_matrix;
mod architecture;
mod asyncapi;
mod backup;
mod bad_input;
mod change;
mod close_codes;
mod deflate;
mod demo;
mod faults;
mod frames;
mod fuzz;
mod handshake;
mod history;
mod limits;
mod long_resume;
mod mended;
mod model;
mod page;
mod post;
mod prisma;
mod readme;
mod resume;
mod retention;
mod routing;
mod seed_client;
mod settings;
mod shutdown;
mod slow_reader;
mod websocket;
