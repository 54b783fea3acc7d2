use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::refusal::Refusal;

const MINUTE: Duration = Duration::from_secs(60);
const MOST_ADDRESSES: usize = 10_000;

/// Calls a minute for each socket's own address: X-Forwarded-For is anybody's to write.
pub struct Limit {
    calls: usize,
    seen: Mutex<HashMap<IpAddr, VecDeque<Instant>>>,
}

impl Limit {
    pub fn a_minute(calls: usize) -> Self {
        Self {
            calls,
            seen: Mutex::default(),
        }
    }

    pub fn count(&self, address: IpAddr) -> Result<(), Refusal> {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_ADDRESSES {
            seen.retain(|_, times| times.back().is_some_and(|last| now - *last < MINUTE));
        }
        let times = seen.entry(address).or_default();
        while times.front().is_some_and(|first| now - *first >= MINUTE) {
            times.pop_front();
        }
        if let Some(first) = times.front()
            && times.len() >= self.calls
        {
            return Err(Refusal::too_many((MINUTE - (now - *first)).as_secs() + 1));
        }
        times.push_back(now);
        Ok(())
    }
}
