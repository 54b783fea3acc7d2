//! What a study would cost and take, before its first token, and from what that is known.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use crate::{Cost, Prices, Usage, embedded};

/// A session that is still to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// `claude-code@2.1.88`.
    pub agent: String,
    pub model: String,
    /// How many prompts are left of it.
    pub steps: u32,
}

/// A session that was finished, in this ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    pub agent: String,
    pub model: String,
    pub steps: u32,
    /// `None` where it is not known.
    pub dollars: Option<f64>,
    pub took: Duration,
}

/// One kind of session in a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub agent: String,
    pub model: String,
    pub sessions: usize,
    /// Low and high, all sessions of this kind together; `None` where there is no price.
    pub dollars: Option<(f64, f64)>,
    pub minutes: (f64, f64),
    pub basis: Basis,
}

/// From what a line is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// So many finished sessions of the same agent and model.
    Past(usize),
    /// The assumptions of `study/assumed.toml`.
    Assumed,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    pub lines: Vec<Line>,
    /// The date of the prices.
    pub date: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Assumed {
    #[serde(rename = "version")]
    _version: u32,
    calls: (f64, f64),
    input: (f64, f64),
    fresh: (f64, f64),
    output: (f64, f64),
    minutes: (f64, f64),
}

fn assumed() -> Option<Assumed> {
    let file = embedded::file("study/assumed.toml")?;
    toml::from_str(std::str::from_utf8(file.bytes).ok()?).ok()
}

impl Estimate {
    /// Sessions run one after the other.
    pub fn of(planned: &[Planned], past: &[Past], prices: &Prices) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        for session in planned {
            let one = line(session, past, prices);
            let same = |line: &&mut Line| {
                line.agent == one.agent && line.model == one.model && line.basis == one.basis
            };
            match lines.iter_mut().find(same) {
                Some(line) => {
                    line.sessions += 1;
                    line.dollars = line.dollars.zip(one.dollars).map(|(a, b)| plus(a, b));
                    line.minutes = plus(line.minutes, one.minutes);
                }
                None => lines.push(one),
            }
        }
        Self {
            lines,
            date: prices.date.clone(),
        }
    }

    pub fn sessions(&self) -> usize {
        self.lines.iter().map(|line| line.sessions).sum()
    }

    /// Low and high; `None` where a part has no price.
    pub fn dollars(&self) -> Option<(f64, f64)> {
        self.lines
            .iter()
            .try_fold((0.0, 0.0), |sum, line| Some(plus(sum, line.dollars?)))
    }

    pub fn minutes(&self) -> (f64, f64) {
        self.lines
            .iter()
            .fold((0.0, 0.0), |sum, line| plus(sum, line.minutes))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let money = line.dollars.map_or_else(
                || format!("price unknown: {} is not in the table", line.model),
                money,
            );
            let basis = match line.basis {
                Basis::Past(1) => "from 1 finished session here, halved and doubled".to_owned(),
                Basis::Past(2) => "from 2 finished sessions here, halved and doubled".to_owned(),
                Basis::Past(count) => format!("from {count} finished sessions here"),
                Basis::Assumed => "assumed, not measured: study/assumed.toml".to_owned(),
            };
            let _ = writeln!(
                out,
                "  {} with {}: {}, {money}, {} ({basis})",
                line.agent,
                line.model,
                count(line.sessions),
                time(line.minutes),
            );
        }
        let money = self
            .dollars()
            .map_or_else(|| "an unknown price".to_owned(), money);
        let _ = writeln!(
            out,
            "  together: {}, {money}, {}; list prices of {}",
            count(self.sessions()),
            time(self.minutes()),
            self.date
        );
        out
    }
}

fn line(session: &Planned, past: &[Past], prices: &Prices) -> Line {
    let same: Vec<&Past> = past
        .iter()
        .filter(|one| {
            one.agent == session.agent
                && one.model == session.model
                && one.steps > 0
                && one.dollars.is_some()
        })
        .collect();
    let steps = f64::from(session.steps);
    let (dollars, minutes, basis) = if same.is_empty() {
        let known = assumed().map(|one| {
            (
                assumed_dollars(&one, &session.model, steps, prices),
                (one.minutes.0 * steps, one.minutes.1 * steps),
            )
        });
        let (dollars, minutes) = known.unwrap_or((None, (0.0, f64::INFINITY)));
        (dollars, minutes, Basis::Assumed)
    } else {
        // Two sessions say little of how far they lie apart.
        let (down, up) = if same.len() < 3 {
            (0.5, 2.0)
        } else {
            (1.0, 1.0)
        };
        let range = |of: &dyn Fn(&Past) -> f64| {
            let each = same.iter().map(|one| of(one) / f64::from(one.steps));
            let low = each.clone().fold(f64::INFINITY, f64::min);
            let high = each.fold(0.0, f64::max);
            (low * steps * down, high * steps * up)
        };
        (
            Some(range(&|one| one.dollars.unwrap_or_default())),
            range(&|one| one.took.as_secs_f64() / 60.0),
            Basis::Past(same.len()),
        )
    };
    Line {
        agent: session.agent.clone(),
        model: session.model.clone(),
        sessions: 1,
        dollars,
        minutes,
        basis,
    }
}

fn assumed_dollars(one: &Assumed, model: &str, steps: f64, prices: &Prices) -> Option<(f64, f64)> {
    let cost = |calls: f64, input: f64, fresh: f64, output: f64| -> Option<f64> {
        #[allow(clippy::cast_sign_loss, reason = "products of what is not negative")]
        let tokens = |count: f64| count.max(0.0) as u64;
        let usage = Usage {
            // What is new is written to the cache.
            cache_write: tokens(input * fresh),
            cache_read: tokens(input * (1.0 - fresh)),
            output: tokens(output),
            ..Usage::default()
        };
        let cost: Cost = prices.request(model, usage);
        Some(cost.dollars()? * calls * steps)
    };
    Some((
        cost(one.calls.0, one.input.0, one.fresh.0, one.output.0)?,
        cost(one.calls.1, one.input.1, one.fresh.1, one.output.1)?,
    ))
}

fn plus(one: (f64, f64), other: (f64, f64)) -> (f64, f64) {
    (one.0 + other.0, one.1 + other.1)
}

fn count(sessions: usize) -> String {
    format!("{sessions} session{}", if sessions == 1 { "" } else { "s" })
}

fn money((low, high): (f64, f64)) -> String {
    let places = if high < 10.0 { 2 } else { 0 };
    format!("${low:.places$} to ${high:.places$}")
}

fn time((low, high): (f64, f64)) -> String {
    if high < 3.0 {
        format!("{low:.1} to {high:.1} minutes")
    } else if high < 120.0 {
        format!("{low:.0} to {high:.0} minutes")
    } else {
        format!("{:.1} to {:.0} hours", low / 60.0, high / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(agent: &str, model: &str, sessions: usize) -> Vec<Planned> {
        let one = Planned {
            agent: agent.into(),
            model: model.into(),
            steps: 6,
        };
        vec![one; sessions]
    }

    fn past(model: &str, dollars: Option<f64>, minutes: u64) -> Past {
        Past {
            agent: "claude-code".into(),
            model: model.into(),
            steps: 6,
            dollars,
            took: Duration::from_secs(60 * minutes),
        }
    }

    #[test]
    fn without_any_session_it_is_assumed_and_says_so() {
        let prices = Prices::shipped().unwrap();
        let plan = planned("claude-code", "claude-opus-4-6", 6);
        let estimate = Estimate::of(&plan, &[], &prices);
        // By hand, one call: low 600 x 6.25 + 14400 x 0.5 + 300 x 25 = 18450 millionths; 48 calls; 6 sessions.
        // High: 7200 x 6.25 + 52800 x 0.5 + 900 x 25 = 93900; 240 calls; 6 sessions.
        let (low, high) = estimate.dollars().unwrap();
        assert!((low - 0.018_450 * 288.0).abs() < 1e-6, "{low}");
        assert!((high - 0.093_900 * 1440.0).abs() < 1e-6, "{high}");
        assert_eq!(estimate.minutes(), (108.0, 720.0));
        let text = estimate.text();
        assert!(
            text.contains("6 sessions, $5 to $135, 1.8 to 12 hours"),
            "{text}"
        );
        assert!(text.contains("assumed, not measured"), "{text}");
        assert!(
            text.contains(&format!("list prices of {}", prices.date)),
            "{text}"
        );
    }

    #[test]
    fn finished_sessions_of_the_same_agent_and_model_are_better() {
        let prices = Prices::shipped().unwrap();
        let plan = planned("claude-code", "m", 2);
        let of = |past: &[Past]| Estimate::of(&plan, past, &prices);
        let other = [past("other", Some(1.0), 9)];
        assert_eq!(of(&other).lines[0].basis, Basis::Assumed);
        let unknown = [past("m", None, 9)];
        assert_eq!(of(&unknown).lines[0].basis, Basis::Assumed);
        let one = of(&[past("m", Some(3.0), 30)]);
        assert_eq!(one.dollars(), Some((3.0, 12.0)));
        assert_eq!(one.minutes(), (30.0, 120.0));
        let three = of(&[
            past("m", Some(3.0), 30),
            past("m", Some(2.0), 40),
            past("m", Some(5.0), 20),
        ]);
        assert_eq!(three.dollars(), Some((4.0, 10.0)));
        assert_eq!(three.minutes(), (40.0, 80.0));
        assert!(three.text().contains("from 3 finished sessions here"));
    }

    #[test]
    fn a_model_without_a_price_makes_the_whole_unknown_and_not_less() {
        let prices = Prices::shipped().unwrap();
        let mut plan = planned("claude-code", "claude-opus-4-6", 1);
        plan.extend(planned("codex", "my-local-model", 1));
        let estimate = Estimate::of(&plan, &[], &prices);
        assert_eq!(estimate.dollars(), None);
        let text = estimate.text();
        assert!(text.contains("price unknown: my-local-model"), "{text}");
        assert!(
            text.contains("together: 2 sessions, an unknown price"),
            "{text}"
        );
    }
}
