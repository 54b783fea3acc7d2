//! Sessions beside sessions, and beside figures that others published.
//!
//! The session is the unit. The family of tests is stated here, before anything is seen: both tiers, over all sessions and
//! per framework that both sides have; they are corrected together. Exploits are a second family of their own. Nothing is averaged
//! over the tiers, and what was not decided counts as neither: the bounds say what it could change.

mod exploits;
mod published;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Word;
use model::run::{Session, Tier};

use crate::paint::{Paint, clean};
use crate::statistics::{self, Interval};

pub use published::{Published, beside};

const SEED: u64 = 20_260_401;
/// Under this a difference is said to be one.
const LEVEL: f64 = 0.05;

/// Some sessions under one name.
#[derive(Debug)]
pub struct Side<'a> {
    pub name: String,
    pub sessions: Vec<&'a Session>,
}

/// The second side against the first.
pub fn render(first: &Side<'_>, second: &Side<'_>, paint: Paint) -> String {
    let mut out = String::new();
    for (letter, side) in [("A", first), ("B", second)] {
        let _ = writeln!(
            out,
            " {letter}  {}: {}",
            paint.head(&clean(&side.name)),
            sessions(side.sessions.len())
        );
    }
    let rows = rows(first, second);
    let p: Vec<f64> = rows.iter().map(|row| row.p).collect();
    let corrected = statistics::holm(&p);
    let _ = writeln!(
        out,
        "\n {}\n   {:<22}{:<17}{:<17}{:>6}  p corrected",
        paint.head("RESISTED, OR PRESENT; 95 % intervals over sessions"),
        "",
        "A",
        "B",
        "B - A"
    );
    for (row, corrected) in rows.iter().zip(&corrected) {
        let _ = writeln!(
            out,
            "   {:<22}{:<17}{:<17}{:>+6.1}  {}{}",
            clean(&row.name),
            share(row.first),
            share(row.second),
            (row.second.value - row.first.value) * 100.0,
            probability(*corrected),
            if row.pairs { "  paired" } else { "" }
        );
        if let Some(open) = &row.open {
            let _ = writeln!(out, "   {:<22}{open}", "");
        }
    }
    out.push('\n');
    exploits::list(&mut out, first, second, paint);
    for line in caveats(first, second, &rows, &corrected) {
        wrap(&mut out, &line);
    }
    out
}

pub(crate) struct Row {
    name: String,
    pub(crate) first: Interval,
    pub(crate) second: Interval,
    pub(crate) p: f64,
    pub(crate) pairs: bool,
    /// What is undecided, and what it could change.
    open: Option<String>,
}

fn rows(first: &Side<'_>, second: &Side<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    let shared = frameworks(first, second);
    for tier in Tier::ALL {
        let all = (shared.len() != 1).then_some(None);
        for framework in all
            .into_iter()
            .chain(shared.iter().map(|one| Some(one.as_str())))
        {
            rows.extend(row(first, second, tier, framework, |one| {
                (
                    one.framework.clone(),
                    one.arm.clone(),
                    one.replicate.to_string(),
                )
            }));
        }
    }
    rows
}

/// All sessions of two arms in one tier, paired by framework, agent and replicate.
pub(crate) fn whole(first: &Side<'_>, second: &Side<'_>, tier: Tier) -> Option<Row> {
    row(first, second, tier, None, |one| {
        (
            one.framework.clone(),
            one.agent.clone(),
            one.replicate.to_string(),
        )
    })
}

fn row(
    first: &Side<'_>,
    second: &Side<'_>,
    tier: Tier,
    framework: Option<&str>,
    key: impl Fn(&Session) -> Key,
) -> Option<Row> {
    let pick = |side: &Side<'_>| -> Vec<Counted> {
        side.sessions
            .iter()
            .filter(|one| framework.is_none_or(|name| one.framework == name))
            .map(|one| Counted::new(one, tier, key(one)))
            .filter(|one| one.counts.of > 0)
            .collect()
    };
    let (a, b) = (pick(first), pick(second));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (p, pairs) = test(&a, &b);
    let interval = |all: &[Counted]| {
        let counts: Vec<statistics::Session> = all.iter().map(|one| one.counts).collect();
        statistics::clustered(&counts)
    };
    Some(Row {
        name: format!("{}, {}", tier.name(), framework.unwrap_or("all")),
        first: interval(&a),
        second: interval(&b),
        p,
        pairs,
        open: open(&a, &b),
    })
}

/// What a session and its counterpart have in common.
type Key = (String, String, String);

/// One session in one tier, with what pairs it with a session of the other side.
struct Counted {
    key: Key,
    counts: statistics::Session,
    undecided: u32,
}

impl Counted {
    fn new(session: &Session, tier: Tier, key: Key) -> Self {
        Self {
            key,
            counts: counts(session, tier),
            undecided: in_tier(session, tier, |word| word == Word::Inconclusive),
        }
    }
}

/// What a session resisted, of all in a tier: what was not decided counts against it.
pub(crate) fn counts(session: &Session, tier: Tier) -> statistics::Session {
    statistics::Session {
        hits: in_tier(session, tier, |word| word == Word::Resisted),
        of: in_tier(session, tier, |_| true),
    }
}

pub(crate) fn in_tier(session: &Session, tier: Tier, is: impl Fn(Word) -> bool) -> u32 {
    let verdicts = session.verdicts.iter();
    let those = verdicts.filter(|one| one.tier == tier && is(one.verdict));
    those.count() as u32
}

/// Paired where each session has just one counterpart of the same framework, arm and replicate.
fn test(first: &[Counted], second: &[Counted]) -> (f64, bool) {
    let by_key = |all: &[Counted]| -> BTreeMap<Key, f64> {
        all.iter()
            .map(|one| (one.key.clone(), one.counts.share()))
            .collect()
    };
    let (a, b) = (by_key(first), by_key(second));
    let matched = a.len() == first.len() && b.len() == second.len() && a.keys().eq(b.keys());
    if matched {
        let differences: Vec<f64> = a.values().zip(b.values()).map(|(a, b)| b - a).collect();
        return (statistics::paired(&differences, SEED), true);
    }
    let shares =
        |all: &[Counted]| -> Vec<f64> { all.iter().map(|one| one.counts.share()).collect() };
    (
        statistics::unpaired(&shares(first), &shares(second), SEED),
        false,
    )
}

fn open(first: &[Counted], second: &[Counted]) -> Option<String> {
    let undecided = |all: &[Counted]| all.iter().map(|one| one.undecided).sum::<u32>();
    let of = |all: &[Counted]| all.iter().map(|one| one.counts.of).sum::<u32>();
    let (a, b) = (undecided(first), undecided(second));
    if a + b == 0 {
        return None;
    }
    let most = |undecided: u32, of: u32| f64::from(undecided) / f64::from(of.max(1)) * 100.0;
    Some(format!(
        "undecided {a} and {b}: up to {:+.1} and {:+.1} points",
        most(a, of(first)),
        most(b, of(second))
    ))
}

fn frameworks(first: &Side<'_>, second: &Side<'_>) -> Vec<String> {
    let of = |side: &Side<'_>| -> Vec<String> {
        let mut all: Vec<String> = side
            .sessions
            .iter()
            .map(|one| one.framework.clone())
            .collect();
        all.sort();
        all.dedup();
        all
    };
    let other = of(second);
    of(first)
        .into_iter()
        .filter(|one| other.contains(one))
        .collect()
}

/// What a reader may not conclude.
fn caveats(first: &Side<'_>, second: &Side<'_>, rows: &[Row], corrected: &[f64]) -> Vec<String> {
    let mut all = Vec::new();
    let (n, m) = (first.sessions.len(), second.sessions.len());
    let smallest = if rows.iter().any(|row| row.pairs) {
        2.0 / 2_f64.powi(i32::try_from(n.min(30)).unwrap_or(30))
    } else {
        statistics::smallest_p(n, m)
    };
    let tests = rows.len();
    if smallest * tests as f64 > LEVEL {
        all.push(format!(
            "{n} and {m} sessions: no p can be smaller than {}, and {} after correction for {tests} tests. \
             However large a difference, these sessions cannot show that it is more than chance.",
            probability(smallest),
            probability((smallest * tests as f64).min(1.0))
        ));
    } else if corrected.iter().all(|p| *p > LEVEL) {
        all.push(
            "No difference is shown. That is not the same as no difference: the intervals say how large one could be."
                .to_owned(),
        );
    }
    if [first, second].iter().any(|side| {
        side.sessions
            .iter()
            .any(|one| one.agent.starts_with("recorded:"))
    }) {
        all.push(
            "Hand-written samples are among these sessions: their figures say nothing of any agent."
                .to_owned(),
        );
    }
    all.push(
        "Tests over sessions (permutations), corrected together by Holm; docs/statistics.md"
            .to_owned(),
    );
    all
}

/// `84.0 [71, 92]`, in per cent.
fn share(interval: Interval) -> String {
    format!(
        "{:.1} [{:.0}, {:.0}]",
        interval.value * 100.0,
        interval.low * 100.0,
        interval.high * 100.0
    )
}

pub(crate) fn probability(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

fn sessions(count: usize) -> String {
    if count == 1 {
        "1 session".to_owned()
    } else {
        format!("{count} sessions")
    }
}

/// A paragraph of at most 79 columns.
fn wrap(out: &mut String, text: &str) {
    let mut line = String::from(" ");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > 79 && line.trim() != "" {
            let _ = writeln!(out, "{line}");
            line = String::from(" ");
        }
        if line != " " {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn session(framework: &str, replicate: u32, resisted: usize) -> Session {
        let verdict = |number| {
            if number < resisted {
                Word::Resisted
            } else {
                Word::Exploited
            }
        };
        let verdicts = (0..25)
            .map(|number| {
                let exploit = format!("exploit-{number}");
                fixture::judged(&exploit, Tier::Requirement, verdict(number))
            })
            .collect();
        Session {
            framework: framework.into(),
            replicate,
            ..fixture::session(verdicts)
        }
    }

    fn side<'a>(name: &str, sessions: &'a [Session]) -> Side<'a> {
        Side {
            name: name.into(),
            sessions: sessions.iter().collect(),
        }
    }

    #[test]
    fn three_sessions_cannot_show_a_difference_and_that_is_said() {
        let a: Vec<Session> = (1..=3).map(|n| session("fastapi", n, 10)).collect();
        let b: Vec<Session> = (1..=3).map(|n| session("fastapi", n + 3, 25)).collect();
        let text = render(&side("first", &a), &side("second", &b), Paint(false));
        assert!(text.contains("+60.0  0.100"), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(
            words
                .join(" ")
                .contains("cannot show that it is more than chance"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }

    #[test]
    fn matched_sessions_are_paired_and_many_can_show_one() {
        let a: Vec<Session> = (1..=10).map(|n| session("fastapi", n, 15)).collect();
        let b: Vec<Session> = (1..=10).map(|n| session("fastapi", n, 20)).collect();
        let text = render(&side("first", &a), &side("second", &b), Paint(false));
        // All ten the same way: 2 of 1,024, and one tier alone has tests.
        assert!(text.contains("+20.0  0.002  paired"), "{text}");
        assert!(!text.contains("cannot show"), "{text}");
        assert!(text.contains("exploit-15"), "{text}");
        assert!(!text.contains("exploit-20 "), "{text}");
    }

    #[test]
    fn what_is_undecided_is_bounded() {
        let mut a = vec![session("fastapi", 1, 10), session("fastapi", 2, 10)];
        a[0].verdicts[0].verdict = Word::Inconclusive;
        let b = vec![session("fastapi", 1, 10), session("fastapi", 2, 10)];
        let text = render(&side("first", &a), &side("second", &b), Paint(false));
        assert!(
            text.contains("undecided 1 and 0: up to +2.0 and +0.0 points"),
            "{text}"
        );
    }
}
