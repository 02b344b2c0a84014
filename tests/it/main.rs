//! What users are promised, shown through real sockets and real databases.

mod harness;
mod programs;

mod architecture;
mod asyncapi;
mod backup;
mod bad_input;
mod change;
mod close_codes;
mod deflate;
mod faults;
mod frames;
mod handshake;
mod history;
mod identity;
mod identity_jwks;
mod identity_origin;
mod identity_recipes;
mod identity_session;
mod identity_vectors;
mod page;
mod post;
mod prisma;
mod readme;
mod resume;
mod seed_client;
mod settings;
mod shutdown;
mod slow_reader;
mod websocket;
