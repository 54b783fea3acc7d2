//! One request to the vendor, and its reply back, as it comes.

use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{
    self, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue,
};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::key::Scrub;
use super::meter::{Form, Meter};
use super::rules::{self, Asked, Refusal, Vendor};
use super::{Counted, Log, Outcome, Passed, Record, Settings};

/// Both vendors refuse more.
const LARGEST_REQUEST: usize = 32 << 20;
/// An agent asks one thing at a time, and a few for its helpers.
pub(super) const MOST_AT_A_TIME: usize = 32;
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
const REQUEST_WITHIN: Duration = Duration::from_secs(120);
/// From the request to the head of the reply: a model may think for long before the first byte.
const REPLY_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Headers of one connection, not of the message.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// Where agents put credentials.
const CREDENTIALS: [&str; 5] = [
    "authorization",
    "x-api-key",
    "api-key",
    "cookie",
    "chatgpt-account-id",
];

type Reply = Response<BoxBody<Bytes, hyper::Error>>;
type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

pub(super) struct Forward {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    log: Log,
    passed: Passed,
    slots: Arc<Semaphore>,
}

impl Forward {
    pub(super) fn new(
        settings: Settings,
        tls: Option<ClientConfig>,
        log: Log,
        passed: Passed,
        slots: Arc<Semaphore>,
    ) -> io::Result<Self> {
        let tls = match tls {
            Some(config) => {
                let name =
                    ServerName::try_from(settings.api.host.clone()).map_err(io::Error::other)?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
            None => None,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                tls,
                log,
                passed,
                slots,
            }),
        })
    }

    pub(super) async fn accept(self, listener: TcpListener) {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        loop {
            let Ok((agent, _)) = listener.accept().await else {
                // Too many open files, or the cell is gone: neither is helped by asking at once again.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let inner = Arc::clone(&inner);
                    inner.answer(request)
                });
                // An agent that hangs up is no error of ours.
                let _ = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(REQUEST_WITHIN)
                    .serve_connection(TokioIo::new(agent), service)
                    .await;
            });
        }
    }
}

/// A request whose reply has not begun. Dropped then, for the agent hung up or all ends, it was sent all the same.
struct Open {
    shared: Arc<Inner>,
    asked: Asked,
    begun: Instant,
    is_sent: bool,
}

impl Open {
    fn record(&mut self, outcome: Outcome) {
        self.is_sent = false;
        let asked = std::mem::take(&mut self.asked);
        self.shared.record(Record {
            model: asked.model,
            served_by: None,
            outcome,
            tools: asked.tools,
            took: self.begun.elapsed(),
        });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.is_sent {
            self.record(Outcome::HungUp);
        }
    }
}

impl Inner {
    fn record(&self, record: Record) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
    }

    /// An error ends the agent's connection: that is what a server that does not answer looks like.
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Reply> {
        let mut open = Open {
            shared: Arc::clone(&self),
            asked: Asked::default(),
            begun: Instant::now(),
            is_sent: false,
        };
        let outcome = match self.try_answer(request, &mut open).await {
            Ok(reply) => {
                open.is_sent = false;
                return Ok(reply);
            }
            Err(outcome) => outcome,
        };
        let reply = match &outcome {
            Outcome::Refused(refusal) => Ok(said(
                self.settings.api.vendor,
                refusal.status(),
                &format!("unrequested: {refusal}"),
            )),
            Outcome::NoReply(_)
            | Outcome::Unanswered(_)
            | Outcome::HungUp
            | Outcome::Replied { .. } => {
                Err(io::Error::other("the model's server does not answer"))
            }
        };
        open.record(outcome);
        reply
    }

    async fn try_answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        open: &mut Open,
    ) -> Result<Reply, Outcome> {
        let refused = Outcome::Refused;
        let vendor = self.settings.api.vendor;
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if head.uri.authority().is_some() {
            let shown: String = format!("{} {}", head.method, head.uri)
                .chars()
                .take(200)
                .collect();
            return Err(refused(Refusal::Path(shown)));
        }
        let costs = rules::path(vendor, &head.method, path).map_err(refused)?;
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            return Err(refused(Refusal::TooMany));
        };
        if let Some(budget) = &self.settings.budget {
            let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(refusal) = budget(&log) {
                return Err(refused(refusal));
            }
        }
        if head
            .headers
            .get(CONTENT_ENCODING)
            .is_some_and(|value| value != "identity")
        {
            return Err(refused(Refusal::Unreadable("it is compressed".into())));
        }
        let body = whole(body).await.map_err(refused)?;
        self.passed.fetch_add(body.len() as u64, Ordering::Relaxed);
        open.asked = rules::body(&body).map_err(refused)?;
        let body = rules::counted(vendor, &body).map_or(body, Bytes::from);

        let auth = self.settings.auth();
        let target = rules::target(vendor, auth, path, head.uri.query());
        let mut onward = Request::builder().method(head.method.clone()).uri(target);
        if let Some(headers) = onward.headers_mut() {
            *headers = self.headers(&head.headers);
        }
        let failed = |why: String| Outcome::NoReply(why);
        let onward = onward
            .body(Full::new(body))
            .map_err(|error| failed(error.to_string()))?;
        let mut sender = timeout(CONNECT_WITHIN, self.connect())
            .await
            .map_err(|_| failed("connecting took too long".into()))?
            .map_err(|error| failed(error.to_string()))?;
        open.is_sent = true;
        let reply = timeout(REPLY_WITHIN, sender.send_request(onward))
            .await
            .map_err(|_| Outcome::Unanswered("no reply came in time".into()))?
            .map_err(|error| Outcome::Unanswered(error.to_string()))?;
        let (mut parts, incoming) = reply.into_parts();
        let status = parts.status;
        let form = form(status, costs, &parts.headers);
        strip(&mut parts.headers);
        let key = self.settings.key.clone();
        if let Some(key) = &key {
            // The account's, and no agent could send them back.
            parts.headers.remove(header::SET_COOKIE);
            parts.headers = parts
                .headers
                .iter()
                .filter(|(_, value)| !key.is_in(value.as_bytes()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
        }
        let tap = Tap {
            ended: incoming.is_end_stream(),
            inner: incoming,
            scrub: Scrub::new(key),
            tail: None,
            note: Some(Note {
                shared: Arc::clone(self),
                meter: Meter::new(vendor, form),
                asked: open.asked.clone(),
                status: status.as_u16(),
                begun: open.begun,
            }),
            _sender: sender,
            _slot: slot,
        };
        if status == StatusCode::UNAUTHORIZED && self.settings.key.is_some() {
            // The vendor's words may hold parts of the key; the status is what agents go by.
            let mut tap = tap;
            tap.finish(true);
            return Ok(said(vendor, 401, auth.refused()));
        }
        Ok(Response::from_parts(parts, tap.boxed()))
    }

    async fn connect(&self) -> io::Result<Sender> {
        let api = &self.settings.api;
        let socket = TcpStream::connect((api.host.as_str(), api.port)).await?;
        socket.set_nodelay(true)?;
        match &self.tls {
            Some((connector, name)) => shake(connector.connect(name.clone(), socket).await?).await,
            None => shake(socket).await,
        }
    }

    fn headers(&self, from: &HeaderMap) -> HeaderMap {
        let mut headers = from.clone();
        strip(&mut headers);
        headers.remove(CONTENT_LENGTH);
        headers.remove(header::EXPECT);
        // What is compressed cannot be counted.
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        if let Ok(host) = HeaderValue::try_from(self.settings.api.authority()) {
            headers.insert(HOST, host);
        }
        if let Some(key) = &self.settings.key {
            for name in CREDENTIALS {
                headers.remove(name);
            }
            if let Ok(own) = key.headers(self.settings.api.vendor) {
                headers.extend(own);
            }
        }
        headers
    }
}

async fn shake<S>(stream: S) -> io::Result<Sender>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // Ends with its sender and its reply.
    tokio::spawn(connection);
    Ok(sender)
}

async fn whole(body: Incoming) -> Result<Bytes, Refusal> {
    let limited = Limited::new(body, LARGEST_REQUEST).collect();
    match timeout(REQUEST_WITHIN, limited).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(_)) => Err(Refusal::Unreadable("it is half of one".into())),
        Err(_) => Err(Refusal::Unreadable("it came too slowly".into())),
    }
}

/// Takes away what belongs to one connection, also what `connection` names.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn form(status: StatusCode, costs: bool, headers: &HeaderMap) -> Form {
    let is = |name: HeaderName, start: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.to_ascii_lowercase().starts_with(start))
    };
    if !costs || !status.is_success() {
        Form::Free
    } else if headers.contains_key(CONTENT_ENCODING) && !is(CONTENT_ENCODING, "identity") {
        Form::Opaque
    } else if is(CONTENT_TYPE, "text/event-stream") {
        Form::Events
    } else if is(CONTENT_TYPE, "application/json") {
        Form::Json
    } else {
        Form::Opaque
    }
}

/// An error in the vendor's form, by us.
fn said(vendor: Vendor, status: u16, message: &str) -> Reply {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        _ => "invalid_request_error",
    };
    let error = serde_json::json!({"type": kind, "message": message});
    let object = match vendor {
        Vendor::Anthropic => serde_json::json!({"type": "error", "error": error}),
        Vendor::OpenAi | Vendor::OpenAiChat => serde_json::json!({"error": error}),
    };
    let body = Full::new(Bytes::from(object.to_string()))
        .map_err(|never| match never {})
        .boxed();
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// What is written down when a reply has ended.
struct Note {
    shared: Arc<Inner>,
    meter: Meter,
    asked: Asked,
    status: u16,
    begun: Instant,
}

/// A reply on its way: read, scrubbed, and recorded once, at its end or when somebody hangs up.
struct Tap {
    inner: Incoming,
    scrub: Scrub,
    /// What was held back, to be sent last.
    tail: Option<Frame<Bytes>>,
    ended: bool,
    note: Option<Note>,
    /// The connection lives as long as its reply.
    _sender: Sender,
    _slot: tokio::sync::OwnedSemaphorePermit,
}

impl Tap {
    fn end(&mut self) {
        self.ended = true;
        self.finish(true);
        let rest = self.scrub.rest();
        self.tail = (!rest.is_empty()).then(|| Frame::data(rest));
    }

    fn finish(&mut self, ended: bool) {
        let Some(mut note) = self.note.take() else {
            return;
        };
        let counted: Counted = note.meter.end(ended);
        note.shared.record(Record {
            model: std::mem::take(&mut note.asked.model),
            served_by: note.meter.model.take(),
            outcome: Outcome::Replied {
                status: note.status,
                counted,
                stop: note.meter.stop.take(),
                ended,
            },
            tools: std::mem::take(&mut note.asked.tools),
            took: note.begun.elapsed(),
        });
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.finish(self.ended);
    }
}

impl Body for Tap {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(tail) = this.tail.take() {
                return Poll::Ready(Some(Ok(tail)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let Poll::Ready(next) = Pin::new(&mut this.inner).poll_frame(context) else {
                return Poll::Pending;
            };
            match next {
                // Nobody needs a model's trailers.
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    if let Some(note) = &mut this.note {
                        let passed = &note.shared.passed;
                        passed.fetch_add(data.len() as u64, Ordering::Relaxed);
                        note.meter.read(&data);
                    }
                    let data = this.scrub.pass(data);
                    // Where the length is known nobody asks for more after the last byte.
                    if this.inner.is_end_stream() {
                        this.end();
                    }
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Some(Err(error)) => {
                    this.finish(false);
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.end();
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.tail.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // Scrubbing keeps the length.
        if self.ended || self.tail.is_some() {
            SizeHint::default()
        } else {
            self.inner.size_hint()
        }
    }
}
