//! The proxy that alone holds the API key.
//!
//! An agent gets a dummy key and the address of a listener in its cell; what comes there is served from outside the cell.
//! The proxy puts the real key in, passes what asks a model and nothing else, and counts tokens itself from the replies,
//! which pass as they come. It never retries or caches, and changes nothing but what makes a stream tell its tokens
//! (`rules::counted`): `retry-after` and the vendor's errors reach the agent as
//! they are, but for a key, and for the words of a 401, which some vendors make of the key.
//!
//! A subscription's token is such a key: the agent has a dummy sign-in. Without a key, for a server that wants none, what the
//! agent sends passes; the rest holds.

mod forward;
mod key;
mod meter;
mod rules;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::rustls;

pub use key::{Auth, BadKey, Key};
pub use meter::Counted;
pub use rules::{Api, BadAddress, Refusal, Vendor};

use crate::Usage;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// As the agent asked; empty where the request was not read.
    pub model: String,
    /// As the vendor says.
    pub served_by: Option<String>,
    pub outcome: Outcome,
    /// Tools by their `type` that are neither functions nor custom ones: recorded, as the vendor may run them.
    pub tools: Vec<String>,
    pub took: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Refused(Refusal),
    /// Nothing was sent, as the server could not be reached.
    NoReply(String),
    /// It was sent and the server broke off before a reply began; it may count it all the same.
    Unanswered(String),
    /// It was sent, and the agent hung up or was ended before a reply began.
    HungUp,
    Replied {
        status: u16,
        counted: Counted,
        /// Why the model stopped, in the vendor's word: `end_turn`, `tool_use`, `refusal`, `completed`.
        stop: Option<String>,
        /// Whether the reply came to its own end, and the agent waited for it.
        ended: bool,
    },
}

/// What a number of requests came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    pub requests: u64,
    pub refused: u64,
    /// By the model that served, as the vendor says; else as it was asked for.
    pub models: BTreeMap<String, Usage>,
    /// Replies that cost, of which the count is not known, or only in part: the sums are then lower bounds.
    pub short: u64,
}

impl Tally {
    pub fn of(records: &[Record]) -> Self {
        let mut tally = Self::default();
        for record in records {
            tally.requests += 1;
            match &record.outcome {
                Outcome::Refused(_) => tally.refused += 1,
                Outcome::NoReply(_) => {}
                Outcome::Unanswered(_) | Outcome::HungUp => tally.short += 1,
                Outcome::Replied { counted, .. } => {
                    tally.short +=
                        u64::from(matches!(counted, Counted::AtLeast(_) | Counted::Unread));
                    let usage = counted.usage();
                    if !usage.is_zero() {
                        let model = record.served_by.as_ref().unwrap_or(&record.model);
                        *tally.models.entry(model.clone()).or_default() += usage;
                    }
                }
            }
        }
        tally
    }

    pub fn usage(&self) -> Usage {
        self.models.values().copied().sum()
    }
}

/// Why the next request of a step may not pass, by what was asked in it so far.
pub type Budget = Box<dyn Fn(&[Record]) -> Option<Refusal> + Send + Sync>;

/// How to serve.
pub struct Settings {
    pub api: Api,
    /// `None`: the server wants none, and the agent's dummy passes.
    pub key: Option<Key>,
    pub budget: Option<Budget>,
    /// Certificates that are trusted beside the system's, in DER: for a company's own gateway.
    pub roots: Vec<Vec<u8>>,
}

impl Settings {
    pub fn new(api: Api, key: Option<Key>) -> Self {
        Self {
            api,
            key,
            budget: None,
            roots: Vec::new(),
        }
    }

    pub(super) fn auth(&self) -> Auth {
        self.key.as_ref().map_or_else(Auth::default, Key::auth)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error("cannot serve the model's proxy: {0}")]
    Io(#[from] io::Error),
    #[error(
        "this machine has no root certificates, so the model's server cannot be told from another; install ca-certificates, or set SSL_CERT_FILE"
    )]
    NoRoots,
    #[error("cannot speak TLS to the model's server: {0}")]
    Tls(#[from] rustls::Error),
}

type Log = Arc<Mutex<Vec<Record>>>;
/// Bytes of requests and replies, as they pass.
type Passed = Arc<AtomicU64>;

/// Serves until it is dropped; then every connection ends.
pub struct Proxy {
    address: SocketAddr,
    log: Log,
    passed: Passed,
    /// One is taken by each request that is under way.
    slots: Arc<Semaphore>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Accepts agents' connections on a listener of this or of a cell's network.
pub fn serve(listener: TcpListener, settings: Settings) -> Result<Proxy, ProxyError> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let tls = settings
        .api
        .tls
        .then(|| client_config(&settings.roots))
        .transpose()?;
    let (log, passed) = (Log::default(), Passed::default());
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let slots = Arc::new(Semaphore::new(forward::MOST_AT_A_TIME));
    let forward = forward::Forward::new(
        settings,
        tls,
        Arc::clone(&log),
        Arc::clone(&passed),
        Arc::clone(&slots),
    )?;
    let thread = std::thread::Builder::new()
        .name("model-proxy".into())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = forward.accept(listener) => {}
                    _ = stopped => {}
                }
            });
            // What is still under way ends here, and is recorded as cut.
            runtime.shutdown_background();
        })?;
    Ok(Proxy {
        address,
        log,
        passed,
        slots,
        stop: Some(stop),
        thread: Some(thread),
    })
}

fn client_config(extra: &[Vec<u8>]) -> Result<rustls::ClientConfig, ProxyError> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().certs;
    roots.add_parsable_certificates(found);
    roots.add_parsable_certificates(extra.iter().map(|der| der.clone().into()));
    if roots.is_empty() {
        return Err(ProxyError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

impl Proxy {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many bytes went either way so far: whether the model is heard of at all.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Whether a request is under way: the model is being waited for.
    pub fn waits(&self) -> bool {
        self.slots.available_permits() < forward::MOST_AT_A_TIME
    }

    /// All that was asked so far and has ended, in the order of the ends. A step's part is what came since it began.
    pub fn records(&self) -> Vec<Record> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Ends every connection, and says what was asked.
    pub fn end(mut self) -> Vec<Record> {
        self.shut();
        self.records()
    }

    fn shut(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shut();
    }
}
