//! Sessions beside sessions, and beside figures that others published.
//!
//! The session is the unit. The family of tests is stated here, before anything is seen: both tiers, over all sessions and
//! per framework that both sides have; they are corrected together. Exploits are a second family of their own. Nothing is averaged
//! over the tiers, and what was not decided counts as neither: the bounds say what it could change. Where the sides were asked
//! for other things, as under two arms, what one alone was asked for is a group of its own.

pub(crate) mod arms;
mod exploits;
mod published;
pub(crate) mod within;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::Word;
use model::run::{Judged, Session, Tier};

use crate::paint::{Paint, clean};
use crate::statistics::{self, Interval};

pub use published::{Published, beside};
pub use within::within;

const SEED: u64 = 20_260_401;
/// Under this a difference is said to be one.
const LEVEL: f64 = 0.05;

/// The arm that says nothing of security: others are compared with it where it was run.
pub(crate) const SILENT: &str = "silent";

/// Some sessions under one name.
#[derive(Debug)]
pub struct Side<'a> {
    pub name: String,
    pub sessions: Vec<&'a Session>,
}

/// Sessions by what they have in common, in the order in which it first appears.
pub(crate) fn sides<'a>(
    sessions: &[&'a Session],
    by: impl Fn(&Session) -> String,
) -> Vec<Side<'a>> {
    let mut all: Vec<Side<'a>> = Vec::new();
    for session in sessions {
        let name = by(session);
        match all.iter_mut().find(|one| one.name == name) {
            Some(side) => side.sessions.push(session),
            None => all.push(Side {
                name,
                sessions: vec![session],
            }),
        }
    }
    all
}

/// The sessions whose shares can stand together: those of the silent arm, or of the first, since each arm was asked for other
/// things.
pub(crate) fn of_one_arm<'a>(sessions: &[&'a Session]) -> Vec<&'a Session> {
    let arm = sessions
        .iter()
        .find(|one| one.arm == SILENT)
        .or(sessions.first())
        .map(|one| &one.arm);
    let those = sessions.iter().filter(|one| Some(&one.arm) == arm);
    those.copied().collect()
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
    pub(crate) name: String,
    pub(crate) first: Interval,
    pub(crate) second: Interval,
    pub(crate) p: f64,
    pub(crate) pairs: bool,
    /// What is undecided, and what it could change.
    open: Option<String>,
}

/// Tests that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Both,
    Second,
    First,
    Neither,
}

impl Group {
    const ALL: [Self; 4] = [Self::Both, Self::Second, Self::First, Self::Neither];

    fn name(self) -> &'static str {
        match self {
            Self::Both => Tier::Requirement.name(),
            Self::Second => "asked in B",
            Self::First => "asked in A",
            Self::Neither => Tier::Hardening.name(),
        }
    }
}

/// In which group each exploit is, by who was asked for its control; `None` where the sessions of one side were asked for
/// different things: then each session counts by its own tiers.
fn groups<'a>(first: &Side<'a>, second: &Side<'a>) -> Option<BTreeMap<&'a str, Group>> {
    let asked = |side: &Side<'a>| -> Option<BTreeMap<&'a str, bool>> {
        let mut all: BTreeMap<&str, bool> = BTreeMap::new();
        for judged in side.sessions.iter().flat_map(|one| &one.verdicts) {
            let is = judged.tier == Tier::Requirement;
            if *all.entry(&judged.exploit).or_insert(is) != is {
                return None;
            }
        }
        Some(all)
    };
    let (a, b) = (asked(first)?, asked(second)?);
    let all = a.iter().filter_map(|(id, a)| {
        let group = match (*a, *b.get(id)?) {
            (true, true) => Group::Both,
            (false, true) => Group::Second,
            (true, false) => Group::First,
            (false, false) => Group::Neither,
        };
        Some((*id, group))
    });
    Some(all.collect())
}

fn rows(first: &Side<'_>, second: &Side<'_>) -> Vec<Row> {
    let shared = frameworks(first, second);
    let all = (shared.len() != 1).then_some(None);
    let which: Vec<Option<&str>> = all
        .into_iter()
        .chain(shared.iter().map(|one| Some(one.as_str())))
        .collect();
    let rows = grouped(first, second, &which);
    rows.into_iter()
        .map(|(group, framework, row)| Row {
            name: format!("{}, {}", group.name(), framework.unwrap_or("all")),
            ..row
        })
        .collect()
}

/// A row for each group, over all frameworks.
pub(crate) fn whole(first: &Side<'_>, second: &Side<'_>) -> Vec<Row> {
    let rows = grouped(first, second, &[None]);
    rows.into_iter().map(|(_, _, row)| row).collect()
}

fn grouped<'a>(
    first: &Side<'_>,
    second: &Side<'_>,
    frameworks: &[Option<&'a str>],
) -> Vec<(Group, Option<&'a str>, Row)> {
    let mut rows = Vec::new();
    let groups = groups(first, second);
    let key = Key::of(first, second);
    for group in Group::ALL {
        let is_in = |judged: &Judged| match &groups {
            Some(groups) => groups.get(judged.exploit.as_str()) == Some(&group),
            None => match judged.tier {
                Tier::Requirement => group == Group::Both,
                Tier::Hardening => group == Group::Neither,
            },
        };
        for framework in frameworks {
            let pick = |side: &Side<'_>| -> Vec<Counted> {
                side.sessions
                    .iter()
                    .filter(|one| framework.is_none_or(|name| one.framework == name))
                    .map(|one| Counted::new(one, key, &is_in))
                    .filter(|one| one.counts.of > 0)
                    .collect()
            };
            let (a, b) = (pick(first), pick(second));
            if a.is_empty() || b.is_empty() {
                continue;
            }
            let (p, pairs) = test(&a, &b);
            let interval = |all: &[Counted]| {
                let counts: Vec<statistics::Session> = all.iter().map(|one| one.counts).collect();
                statistics::clustered(&counts)
            };
            let row = Row {
                name: group.name().to_owned(),
                first: interval(&a),
                second: interval(&b),
                p,
                pairs,
                open: open(&a, &b),
            };
            rows.push((group, *framework, row));
        }
    }
    rows
}

/// What else than the framework and the replicate pairs two sessions: agents and arms, where both sides have the same ones.
#[derive(Clone, Copy)]
struct Key {
    agent: bool,
    arm: bool,
}

impl Key {
    fn of(first: &Side<'_>, second: &Side<'_>) -> Self {
        let same = |of: fn(&Session) -> &str| {
            let all = |side: &Side<'_>| -> BTreeSet<String> {
                side.sessions.iter().map(|one| of(one).to_owned()).collect()
            };
            all(first) == all(second)
        };
        Self {
            agent: same(|one| &one.agent),
            arm: same(|one| &one.arm),
        }
    }
}

/// One session in one group, with what pairs it with a session of the other side.
struct Counted {
    key: Pair,
    counts: statistics::Session,
    undecided: u32,
}

type Pair = (String, String, String, u32);

impl Counted {
    fn new(session: &Session, key: Key, is_in: &dyn Fn(&Judged) -> bool) -> Self {
        let part = |is: bool, of: &str| if is { of.to_owned() } else { String::new() };
        Self {
            key: (
                session.framework.clone(),
                part(key.agent, &session.agent),
                part(key.arm, &session.arm),
                session.replicate,
            ),
            counts: counted(session, is_in),
            undecided: count(session, is_in, |word| word == Word::Inconclusive),
        }
    }
}

/// What a session resisted, of all that are counted: what was not decided counts against it.
fn counted(session: &Session, is_in: &dyn Fn(&Judged) -> bool) -> statistics::Session {
    statistics::Session {
        hits: count(session, is_in, |word| word == Word::Resisted),
        of: count(session, is_in, |_| true),
    }
}

/// What a session resisted, of all in a tier.
pub(crate) fn counts(session: &Session, tier: Tier) -> statistics::Session {
    counted(session, &|judged| judged.tier == tier)
}

pub(crate) fn in_tier(session: &Session, tier: Tier, is: impl Fn(Word) -> bool) -> u32 {
    count(session, &|judged| judged.tier == tier, is)
}

fn count(session: &Session, is_in: &dyn Fn(&Judged) -> bool, is: impl Fn(Word) -> bool) -> u32 {
    let verdicts = session.verdicts.iter();
    let those = verdicts.filter(|one| is_in(one) && is(one.verdict));
    those.count() as u32
}

/// Paired where each session has just one counterpart of the same framework and replicate, and of the same agent and arm
/// where both sides have the same.
fn test(first: &[Counted], second: &[Counted]) -> (f64, bool) {
    let by_key = |all: &[Counted]| -> BTreeMap<Pair, f64> {
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
pub(crate) fn share(interval: Interval) -> String {
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

pub(crate) fn sessions(count: usize) -> String {
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
