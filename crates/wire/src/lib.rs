//! The raw HTTP/1.1 client: what a caller writes is what goes onto the socket, byte for byte.
//!
//! Common clients rewrite `/files/../../etc/passwd`, refuse illegal characters and repair framing, which turns
//! attacks into false passes. This one normalises nothing, follows nothing, retries nothing, and keeps what it sent.
//! It reads while it writes, so an early 413 is seen.

mod exchange;
mod reply;
mod request;

pub use exchange::{Limits, Received, Trouble, exchange, socket};
#[doc(hidden)]
pub use reply::Progress;
pub use reply::Reply;
pub use request::{Framing, Request};
