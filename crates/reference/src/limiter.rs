//! Sliding windows: how often a key did something within the last minute.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Past this many keys, those whose window has passed are dropped.
const SWEEP: usize = 10_000;

pub(crate) struct Limiter<K> {
    most: usize,
    window: Duration,
    seen: Mutex<HashMap<K, VecDeque<Instant>>>,
}

impl<K: Eq + Hash> Limiter<K> {
    pub(crate) fn new(most: usize, window: Duration) -> Self {
        Self {
            most,
            window,
            seen: Mutex::new(HashMap::new()),
        }
    }

    /// Counts one attempt, or says how long to wait. Refused attempts do not count, so waiting always ends.
    pub(crate) fn attempt(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.with(key, now, |times, most, window| match times.front() {
            Some(first) if times.len() >= most => {
                Err(window.saturating_sub(now.duration_since(*first)))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        })
    }

    /// Whether the key has used up its attempts; counts nothing.
    pub(crate) fn is_full(&self, key: K, now: Instant) -> bool {
        self.with(key, now, |times, most, _| times.len() >= most)
    }

    pub(crate) fn forget(&self, key: &K) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    fn with<T>(
        &self,
        key: K,
        now: Instant,
        act: impl FnOnce(&mut VecDeque<Instant>, usize, Duration) -> T,
    ) -> T {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |time: &Instant| now.duration_since(*time) < self.window;
        if seen.len() > SWEEP {
            seen.retain(|_, times| times.back().is_some_and(fresh));
        }
        let times = seen.entry(key).or_default();
        while times.front().is_some_and(|time| !fresh(time)) {
            times.pop_front();
        }
        act(times, self.most, self.window)
    }
}

/// One client: an IPv4 address, or an IPv6 /64, which is what one subscriber has.
pub(crate) fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides() {
        let limiter = Limiter::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(limiter.attempt("a", at(0)).is_ok());
        assert!(limiter.attempt("a", at(30)).is_ok());
        assert_eq!(limiter.attempt("a", at(40)), Err(Duration::from_secs(20)));
        assert!(limiter.attempt("b", at(40)).is_ok());
        assert!(limiter.attempt("a", at(60)).is_ok());
        assert!(limiter.is_full("a", at(61)));
    }

    #[test]
    fn a_subscriber_is_one_client() {
        let at = |text: &str| client(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:127.0.0.1"), at("127.0.0.1"));
    }
}
