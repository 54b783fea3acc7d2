//! A subscription in the place of an API key: the user's own sign-in is read where the agent's vendor has put it, and given to
//! the proxy alone. It is never refreshed or written.

use std::ffi::OsString;
use std::time::SystemTime;

use crate::proxy::Key;

pub type FindSignIn = fn(&Surroundings<'_>) -> Result<Key, BadSignIn>;

/// Where a sign-in is looked for.
pub struct Surroundings<'a> {
    /// A variable of this tool's environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    pub now: SystemTime,
}

/// Why there is no sign-in; never with a part of it.
#[derive(Debug, thiserror::Error)]
#[error("{what}; {way}")]
pub struct BadSignIn {
    pub(crate) what: String,
    /// The way out.
    pub(crate) way: String,
}

impl BadSignIn {
    pub(crate) fn new(what: impl Into<String>, way: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            way: way.into(),
        }
    }
}
