//! Statistics over sessions: the session is the unit, never the verdict.
//!
//! The 33 verdicts of one session come from one author who read one repository: they are not 33 independent observations.
//! Intervals resample whole sessions, tests permute whole sessions, and a family of tests is corrected as a family.
//! Everything here is a pure function; what draws at random is given its seed. `.ci/against-scipy` compares each function
//! with SciPy or statsmodels on random designs.

mod bootstrap;
mod clustered;
mod effects;
mod family;
mod permutation;
mod power;
mod table;

pub use bootstrap::{Interval, difference_interval, interval};
pub use clustered::{apart, clustered, t};
pub use effects::{Effect, effect, left_over};
pub use family::holm;
pub use permutation::{paired, smallest_p, unpaired};
pub use power::{Plan, detectable, simulated};
pub use table::fisher;

/// What one session did in one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub hits: u32,
    pub of: u32,
}

impl Session {
    /// Its share of hits; 0 where nothing was counted.
    pub fn share(self) -> f64 {
        if self.of == 0 {
            return 0.0;
        }
        f64::from(self.hits) / f64::from(self.of)
    }
}

/// The share over sessions: all hits of all that was counted.
pub fn share(sessions: &[Session]) -> f64 {
    let (hits, of) = sessions.iter().fold((0_u64, 0_u64), |(hits, of), one| {
        (hits + u64::from(one.hits), of + u64::from(one.of))
    });
    if of == 0 {
        return 0.0;
    }
    hits as f64 / of as f64
}

/// Numbers that only a seed decides (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, all equally likely: multiplied, not divided, so the bias is under 2^-32 for the sizes here.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// From 0 to 1.
    pub(crate) fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Sessions of 25 tests each, for tests.
#[cfg(test)]
fn sessions(hits: &[u32]) -> Vec<Session> {
    let session = |hits: &u32| Session {
        hits: *hits,
        of: 25,
    };
    hits.iter().map(session).collect()
}
