//! Intervals that keep each session's verdicts together: the percentile bootstrap over clusters (Davison and Hinkley 1997).
//!
//! Up to five sessions every resample there is is counted; above that [`DRAWS`] are drawn. With few sessions the interval
//! is too narrow, and a cell of one session has none: [`interval`] then says so by spanning everything.

use super::{Dice, Session, share};

/// Resamples that are drawn where there are too many to count.
const DRAWS: usize = 9_999;
/// The largest number of sessions of which all resamples are counted: 5^5 = 3,125.
const COUNTED: usize = 5;

/// A share, or a difference of two, and the bounds that hold it in 95 of 100 studies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// The 95 % interval of a share.
pub fn interval(sessions: &[Session], seed: u64) -> Interval {
    let value = share(sessions);
    if sessions.len() < 2 {
        return Interval {
            value,
            low: 0.0,
            high: 1.0,
        };
    }
    let mut shares = resampled(sessions, &mut Dice::new(seed));
    let (low, high) = middle(&mut shares);
    Interval { value, low, high }
}

/// The 95 % interval of the second share minus the first.
pub fn difference_interval(first: &[Session], second: &[Session], seed: u64) -> Interval {
    let value = share(second) - share(first);
    if first.len() < 2 || second.len() < 2 {
        return Interval {
            value,
            low: -1.0,
            high: 1.0,
        };
    }
    let mut dice = Dice::new(seed);
    let mut differences: Vec<f64> = (0..DRAWS)
        .map(|_| drawn(second, &mut dice) - drawn(first, &mut dice))
        .collect();
    let (low, high) = middle(&mut differences);
    Interval { value, low, high }
}

fn resampled(sessions: &[Session], dice: &mut Dice) -> Vec<f64> {
    let n = sessions.len();
    if n > COUNTED {
        return (0..DRAWS).map(|_| drawn(sessions, dice)).collect();
    }
    let all = n.pow(n as u32);
    (0..all)
        .map(|number| {
            let mut left = number;
            let picked: Vec<Session> = (0..n)
                .map(|_| {
                    let one = sessions[left % n];
                    left /= n;
                    one
                })
                .collect();
            share(&picked)
        })
        .collect()
}

fn drawn(sessions: &[Session], dice: &mut Dice) -> f64 {
    let picked: Vec<Session> = (0..sessions.len())
        .map(|_| sessions[dice.below(sessions.len())])
        .collect();
    share(&picked)
}

/// The 2.5th and the 97.5th percentile, between values in proportion (the usual "type 7").
fn middle(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |thousandths: usize| {
        let place = thousandths * (values.len() - 1);
        let (below, part) = (place / 1000, (place % 1000) as f64 / 1000.0);
        let above = (below + 1).min(values.len() - 1);
        values[below] + (values[above] - values[below]) * part
    };
    (at(25), at(975))
}

#[cfg(test)]
mod tests {
    use super::super::sessions as of;
    use super::*;

    #[test]
    fn sessions_that_agree_have_no_width_and_one_session_has_no_interval() {
        let same = interval(&of(&[20, 20, 20]), 1);
        assert!((same.low - 0.8).abs() < 1e-12 && (same.high - 0.8).abs() < 1e-12);
        let one = interval(&of(&[20]), 1);
        assert!(one.low < 1e-12 && (one.high - 1.0).abs() < 1e-12);
        assert!(interval(&[], 1).value < 1e-12);
    }

    #[test]
    fn three_sessions_are_counted_by_hand() {
        // Of 27 resamples the lowest is all three of the lowest, once: the 2.5th percentile lies between the first and
        // the second of the sorted 27, at 0.65 of the way.
        let found = interval(&of(&[10, 20, 25]), 1);
        let (first, second) = (10.0 / 25.0, (10.0 + 10.0 + 20.0) / 75.0);
        let low = first + (second - first) * (0.025 * 26.0);
        assert!((found.low - low).abs() < 1e-12, "{found:?}");
        assert!((found.value - 55.0 / 75.0).abs() < 1e-12);
    }

    #[test]
    fn a_seed_gives_the_same_interval_again_and_a_difference_its_sign() {
        let (a, b) = (
            of(&[10, 12, 11, 13, 9, 12, 10]),
            of(&[20, 21, 19, 22, 20, 18, 21]),
        );
        let (once, again) = (interval(&a, 7), interval(&a, 7));
        assert!((once.low - again.low).abs() < 1e-15 && (once.high - again.high).abs() < 1e-15);
        let difference = difference_interval(&a, &b, 7);
        assert!(difference.low > 0.0 && difference.value > 0.3);
        let back = difference_interval(&b, &a, 7);
        assert!((back.value + difference.value).abs() < 1e-12);
    }
}
