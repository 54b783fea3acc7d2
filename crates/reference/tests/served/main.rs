//! The app as it is served: the contract, the switches, the decoys.
#![expect(
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "tests, and a client that only they use"
)]

mod attacks;
mod contract;
mod decoys;
mod honest;
mod support;
mod switches;
