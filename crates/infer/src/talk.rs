//! Asking the app: bounded, at a bounded rate, from addresses that no limit of a good app stands in the way of.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use wire::{Limits, Reply, Request, exchange};

/// After so many requests in a row without a reply the app is taken to be dead.
const SILENT: u8 = 3;
/// Waited for in all, where an app says "too many" and the address cannot be changed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Good apps limit sign-in by address; five a minute is the strictest that is common.
const REQUESTS_PER_ADDRESS: u32 = 3;

type Dial<'a> = dyn Fn(IpAddr) -> io::Result<OwnedFd> + 'a;

/// A conversation with one app.
pub struct Talk<'a> {
    dial: &'a Dial<'a>,
    at: SocketAddr,
    host: String,
    seed: String,
    many_addresses: bool,
    proxied: bool,
    patience: Duration,
    pace: Duration,
    most: u32,
    sent: u32,
    made: u64,
    silent: u8,
    waited: Duration,
    last: Option<Instant>,
    died: Option<String>,
}

impl<'a> Talk<'a> {
    /// `seed` makes names and passwords; the same seed makes the same.
    pub fn new(dial: &'a Dial<'a>, at: SocketAddr, host: &str, seed: &str) -> Self {
        Self {
            dial,
            at,
            host: host.to_owned(),
            seed: seed.to_owned(),
            many_addresses: true,
            proxied: false,
            patience: Duration::from_secs(10),
            pace: Duration::ZERO,
            most: 600,
            sent: 0,
            made: 0,
            silent: 0,
            waited: Duration::ZERO,
            last: None,
            died: None,
        }
    }

    /// All requests come from one address.
    #[must_use]
    pub fn one_address(self) -> Self {
        Self {
            many_addresses: false,
            ..self
        }
    }

    /// As behind a proxy that ends TLS.
    #[must_use]
    pub fn proxied(self, proxied: bool) -> Self {
        Self { proxied, ..self }
    }

    /// At least this long between two requests.
    #[must_use]
    pub fn paced(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// At most so many requests.
    #[must_use]
    pub fn at_most(self, most: u32) -> Self {
        Self { most, ..self }
    }

    pub fn sent(&self) -> u32 {
        self.sent
    }

    pub(crate) fn died_at(&self) -> Option<String> {
        self.died.clone()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.died.is_some() || self.sent >= self.most
    }

    /// The text that a path gives to anybody.
    pub fn page(&mut self, path: &str) -> Option<String> {
        let reply = self.ask(&Request::new("GET", path.as_bytes().to_vec()))?;
        (reply.status == 200).then(|| reply.text())
    }

    /// The reply; `None` where there was none, or where no more may be asked.
    pub(crate) fn ask(&mut self, request: &Request) -> Option<Reply> {
        loop {
            let reply = self.once(request)?;
            if reply.status != 429 {
                return Some(reply);
            }
            // A new address answers at once; a limit on all of them is waited for.
            let asked = reply
                .header("retry-after")
                .and_then(|value| value.trim().parse::<u64>().ok());
            let wait = if self.many_addresses && self.waited.is_zero() {
                Duration::from_millis(200)
            } else {
                Duration::from_secs(asked.unwrap_or(2).clamp(1, 20))
            };
            if self.waited + wait > PATIENCE {
                return Some(reply);
            }
            self.waited += wait;
            sleep(wait);
        }
    }

    fn once(&mut self, request: &Request) -> Option<Reply> {
        if self.is_over() {
            return None;
        }
        if let Some(last) = self.last {
            sleep(self.pace.saturating_sub(last.elapsed()));
        }
        self.last = Some(Instant::now());
        self.sent += 1;
        let from = self.address();
        let mut request = request.clone();
        let mut source = from;
        if self.proxied {
            request = request
                .header("X-Forwarded-For", from.to_string())
                .header("X-Forwarded-Proto", "https");
            source = Ipv4Addr::LOCALHOST.into();
        }
        let limits = Limits {
            time: self.patience,
            bytes: 4 << 20,
        };
        let bytes = request.bytes(&self.host);
        let reply = (self.dial)(source).ok().and_then(|socket| {
            exchange(socket, self.at, &request.method, &bytes, limits)
                .reply
                .ok()
        });
        if reply.is_some() {
            self.silent = 0;
        } else {
            self.silent += 1;
            if self.silent >= SILENT {
                let target = String::from_utf8_lossy(&request.target).into_owned();
                self.died = Some(format!("{} {target}", request.method));
            }
        }
        reply
    }

    fn address(&self) -> IpAddr {
        if !self.many_addresses {
            return Ipv4Addr::LOCALHOST.into();
        }
        let number = self.sent / REQUESTS_PER_ADDRESS;
        let [.., net, host] = number.to_be_bytes();
        // 127.201 to 127.203: exploits count their networks up from 127.1.
        Ipv4Addr::new(127, 201, net, host.clamp(1, 254)).into()
    }

    /// Random lower-case letters.
    pub(crate) fn letters(&mut self, count: usize) -> String {
        use sha2::{Digest as _, Sha256};
        self.made += 1;
        let digest = Sha256::digest(format!("{}/{}", self.seed, self.made));
        digest
            .iter()
            .take(count.min(32))
            .map(|byte| char::from(b'a' + byte % 26))
            .collect()
    }

    pub(crate) fn email(&mut self) -> String {
        format!("{}@example.org", self.letters(12))
    }

    /// 20 ASCII characters of all classes.
    pub(crate) fn password(&mut self) -> String {
        format!(
            "{}{}407-_.",
            self.letters(7),
            self.letters(7).to_uppercase()
        )
    }
}
