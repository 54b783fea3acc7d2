//! Bodies: one that can still be read to its end after its handler gave up, and one that is sent in pieces.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body::Frame;

/// A request's body. Whoever refuses a request half read leaves the rest to `drain`: a connection closed over unread
/// bytes is reset, and the client may never see the refusal.
#[derive(Clone)]
pub(crate) struct Incoming(Arc<Mutex<Body>>);

impl Incoming {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Reads and forgets, up to a limit.
    pub(crate) async fn drain(mut self, most: usize) {
        let mut read = 0;
        while read < most {
            match poll_fn(|context| Pin::new(&mut self).poll_frame(context)).await {
                Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => return,
            }
        }
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }
}

/// A reply whose length is not told beforehand, so that it goes out in chunks.
pub(crate) struct Pieces(VecDeque<Bytes>);

impl Pieces {
    pub(crate) fn of(whole: Bytes) -> Self {
        let size = (whole.len() / 3).clamp(1, 64 * 1024);
        let mut pieces = VecDeque::new();
        let mut rest = whole;
        while !rest.is_empty() {
            pieces.push_back(rest.split_to(size.min(rest.len())));
        }
        Self(pieces)
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
