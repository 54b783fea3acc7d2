//! The study's contract, built as it should be: an app to read, to start from, and to calibrate the exploits on.
//!
//! Every control is one switch ([`Weakness`]) and every harmless way of answering differently another ([`Shape`]).
//! Read `routes`, then `session`, `auth`, `uploads`, `notes`, `admin`, `webhooks`: with no switch set, what they do is
//! what a production app should. [`decoy`] has the servers that are no app at all.

mod admin;
mod auth;
mod bindings;
mod body;
mod call;
mod cors;
pub mod decoy;
mod filetype;
mod headers;
mod input;
mod leaks;
mod limiter;
mod notes;
mod passwords;
mod refusal;
mod reply;
mod routes;
mod server;
mod session;
mod settings;
mod shape;
mod site;
mod store;
mod tokens;
mod twin;
mod uploads;
mod weakness;
mod webhooks;

pub use bindings::{contract, demanding_binding, other_binding};
pub use server::{App, Running};
pub use settings::{Settings, StartError};
pub use shape::{LimitStyle, RefusalStyle, Shape};
pub use twin::Twin;
pub use weakness::Weakness;
