//! Builds everything from a `Config`, connects it, reloads, drains, stops. The only place that knows
//! all parts; two servers can run in one process.

mod balance;
mod build;
mod core_dump;
mod descriptors;
mod drain;
mod reload;

pub use build::{ServeError, serve};
