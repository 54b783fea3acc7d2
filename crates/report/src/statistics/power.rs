//! What a design can show, before it is run.
//!
//! Sessions are simulated: each has a share of its own, drawn around its group's (a beta distribution whose spread is the
//! intraclass correlation), and then its tests. The test is the one that the report makes: [`super::unpaired`] at 5 %.

use super::{Dice, Session, smallest_p, unpaired};

/// How often a simulated study of the difference in question must find it.
const POWER: f64 = 0.8;
const STUDIES: u32 = 200;

/// A comparison that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Sessions in each of the two groups.
    pub sessions: usize,
    /// Tests in each session.
    pub tests: u32,
    /// The share that is expected without the difference.
    pub base: f64,
    /// How alike the tests of one session are: 0 not at all, 1 wholly.
    pub alike: f64,
}

/// The smallest difference of shares, in steps of 0.01, that the plan finds in four of five studies; `None` where no
/// difference can be found, however large.
pub fn detectable(plan: Plan, seed: u64) -> Option<f64> {
    if smallest_p(plan.sessions, plan.sessions) > 0.05 {
        return None;
    }
    // Towards the far end there is more room.
    let up = plan.base <= 0.5;
    let room = if up { 1.0 - plan.base } else { plan.base };
    let found = |hundredths: u32| {
        let other = f64::from(hundredths) / 100.0;
        let other = if up {
            plan.base + other
        } else {
            plan.base - other
        };
        power(plan, other, seed) >= POWER
    };
    let steps = (1..=100_u32).take_while(|step| f64::from(*step) / 100.0 < room + 1e-9);
    let most = steps.last()?;
    if !found(most) {
        return None;
    }
    let (mut low, mut high) = (0, most);
    while high - low > 1 {
        let middle = u32::midpoint(low, high);
        if found(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(f64::from(high) / 100.0)
}

/// The part of simulated studies that find a difference between these shares.
fn power(plan: Plan, other: f64, seed: u64) -> f64 {
    let mut dice = Dice::new(seed);
    let mut found = 0;
    for study in 0..STUDIES {
        let group = |share: f64, dice: &mut Dice| -> Vec<f64> {
            (0..plan.sessions)
                .map(|_| session(plan.tests, share, plan.alike, dice).share())
                .collect()
        };
        let first = group(plan.base, &mut dice);
        let second = group(other, &mut dice);
        found += u32::from(unpaired(&first, &second, seed ^ u64::from(study)) <= 0.05);
    }
    f64::from(found) / f64::from(STUDIES)
}

/// Sessions as [`detectable`] simulates them, to see how often an interval holds their share.
pub fn simulated(sessions: usize, tests: u32, share: f64, alike: f64, seed: u64) -> Vec<Session> {
    let mut dice = Dice::new(seed);
    (0..sessions)
        .map(|_| session(tests, share, alike, &mut dice))
        .collect()
}

/// One session. Each test copies an earlier one of its session as often as they are alike (Pólya's urn), which gives the
/// beta-binomial distribution without drawing from a beta.
fn session(tests: u32, share: f64, alike: f64, dice: &mut Dice) -> Session {
    let alike = alike.clamp(0.0, 0.999);
    let weight = (1.0 - alike) / alike.max(1e-9);
    let mut hits = 0;
    for drawn in 0..tests {
        let chance = (share * weight + f64::from(hits)) / (weight + f64::from(drawn));
        hits += u32::from(dice.part() < chance);
    }
    Session { hits, of: tests }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sessions: usize) -> Plan {
        Plan {
            sessions,
            tests: 25,
            base: 0.85,
            alike: 0.1,
        }
    }

    #[test]
    fn three_sessions_find_nothing_and_more_find_less() {
        assert_eq!(detectable(plan(3), 1), None);
        let (four, eight) = (detectable(plan(4), 1), detectable(plan(8), 1));
        let (four, eight) = (four.unwrap(), eight.unwrap());
        assert!(eight < four, "{eight} {four}");
        assert!((0.02..0.4).contains(&eight));
    }

    #[test]
    fn sessions_have_the_mean_and_the_spread_that_was_asked() {
        let all = simulated(20_000, 25, 0.85, 0.1, 5);
        let shares: Vec<f64> = all.into_iter().map(Session::share).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let spread =
            shares.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / shares.len() as f64;
        // p(1-p)/n · (1 + (n-1)·alike)
        let wanted = 0.85 * 0.15 / 25.0 * (1.0 + 24.0 * 0.1);
        assert!((mean - 0.85).abs() < 0.005, "{mean}");
        assert!((spread / wanted - 1.0).abs() < 0.05, "{spread} {wanted}");
    }
}
