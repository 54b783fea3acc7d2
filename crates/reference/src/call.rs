//! One request on its way through a handler.

use std::net::SocketAddr;

use axum::http::{Extensions, HeaderMap, Uri};
use model::binding::{Capability, Route};

use crate::body::Incoming;

pub(crate) struct Call<'a> {
    pub(crate) capability: Capability,
    pub(crate) route: &'a Route,
    /// The socket's other end. Headers about it are the client's word, and are not read.
    pub(crate) peer: SocketAddr,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
    /// What stands for `{id}`, percent-decoded.
    pub(crate) id: Option<String>,
    pub(crate) body: Incoming,
}
