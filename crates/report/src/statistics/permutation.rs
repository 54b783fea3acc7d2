//! Tests that assume nothing but exchangeable sessions: every way of dealing the sessions to the two groups is counted
//! where there are at most [`COUNTED`], else [`DRAWS`] ways are drawn and the seen one is added (Phipson and Smyth 2010).
//! Two-sided: ways whose difference is at least as large, in either direction.

use super::Dice;

const COUNTED: u64 = 200_000;
const DRAWS: u64 = 19_999;
/// Differences that are equal but for rounding are equal.
const SAME: f64 = 1e-9;

/// The p value of two groups of sessions, by the difference of their means.
pub fn unpaired(first: &[f64], second: &[f64], seed: u64) -> f64 {
    let (n, m) = (first.len(), second.len());
    if n == 0 || m == 0 {
        return 1.0;
    }
    let all: Vec<f64> = first.iter().chain(second).copied().collect();
    let total: f64 = all.iter().sum();
    let difference = |sum: f64| (sum / n as f64 - (total - sum) / m as f64).abs();
    let seen = difference(first.iter().sum()) - SAME;
    if ways(n + m, n) <= COUNTED {
        let (mut as_large, mut counted) = (0_u64, 0_u64);
        let mut picked: Vec<usize> = (0..n).collect();
        loop {
            let sum = picked.iter().map(|index| all[*index]).sum();
            counted += 1;
            as_large += u64::from(difference(sum) >= seen);
            if !next(&mut picked, n + m) {
                return as_large as f64 / counted as f64;
            }
        }
    }
    let mut dice = Dice::new(seed);
    let mut deck = all.clone();
    let mut as_large = 1_u64;
    for _ in 0..DRAWS {
        for place in 0..n {
            let other = place + dice.below(n + m - place);
            deck.swap(place, other);
        }
        as_large += u64::from(difference(deck[..n].iter().sum()) >= seen);
    }
    as_large as f64 / (DRAWS + 1) as f64
}

/// The p value of pairs, by the mean of their differences: each difference might as well have had the other sign.
pub fn paired(differences: &[f64], seed: u64) -> f64 {
    let n = differences.len();
    if n == 0 {
        return 1.0;
    }
    let seen = differences.iter().sum::<f64>().abs() - SAME;
    let sum = |signs: &dyn Fn(usize) -> bool| -> f64 {
        differences
            .iter()
            .enumerate()
            .map(|(place, one)| if signs(place) { *one } else { -one })
            .sum()
    };
    if n < 64 && (1_u64 << n) <= COUNTED {
        let all = 1_u64 << n;
        let as_large = (0..all)
            .filter(|signs| sum(&|place| (signs >> place) & 1 == 1).abs() >= seen)
            .count();
        return as_large as f64 / all as f64;
    }
    let mut dice = Dice::new(seed);
    let mut as_large = 1_u64;
    for _ in 0..DRAWS {
        let signs: Vec<bool> = (0..n).map(|_| dice.below(2) == 1).collect();
        as_large += u64::from(sum(&|place| signs[place]).abs() >= seen);
    }
    as_large as f64 / (DRAWS + 1) as f64
}

/// The smallest two-sided p value that groups of these sizes can give at all: 0.10 for three against three.
pub fn smallest_p(n: usize, m: usize) -> f64 {
    if n == 0 || m == 0 {
        return 1.0;
    }
    let ways = ways(n + m, n) as f64;
    // Of equal groups the mirrored way is as extreme.
    if n == m { 2.0 / ways } else { 1.0 / ways }
}

/// How many ways there are to pick `k` of `n`; capped.
fn ways(n: usize, k: usize) -> u64 {
    let mut found: u64 = 1;
    for step in 0..k.min(n - k) as u64 {
        found = found.saturating_mul(n as u64 - step) / (step + 1);
        if found > u64::from(u32::MAX) {
            return found;
        }
    }
    found
}

/// The next pick of the same size out of `n`, in order.
fn next(picked: &mut [usize], n: usize) -> bool {
    let size = picked.len();
    for place in (0..size).rev() {
        if picked[place] < n - size + place {
            picked[place] += 1;
            for later in place + 1..size {
                picked[later] = picked[later - 1] + 1;
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_against_three_cannot_say_less_than_a_tenth() {
        let p = unpaired(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 1);
        assert!((p - 0.1).abs() < 1e-12);
        assert!((smallest_p(3, 3) - 0.1).abs() < 1e-12);
        assert!((smallest_p(2, 3) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn equal_groups_differ_by_nothing_and_empty_groups_say_nothing() {
        assert!((unpaired(&[1.0, 2.0], &[1.0, 2.0], 1) - 1.0).abs() < 1e-12);
        assert!((unpaired(&[], &[1.0], 1) - 1.0).abs() < 1e-12);
        assert!((paired(&[], 1) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn pairs_are_counted_by_their_signs() {
        // All of five the same way: 2 of 32.
        assert!((paired(&[1.0, 2.0, 1.0, 3.0, 1.0], 1) - 2.0 / 32.0).abs() < 1e-12);
    }

    #[test]
    fn drawn_ways_come_near_counted_ones() {
        let first: Vec<f64> = (0..12).map(f64::from).collect();
        let second: Vec<f64> = (0..12).map(|x| f64::from(x) + 4.0).collect();
        let p = unpaired(&first, &second, 3);
        assert!((0.005..0.02).contains(&p), "{p}");
    }
}
