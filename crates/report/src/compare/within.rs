//! What made a difference among the sessions of one selection: framework, agent and arm, each beyond the others, and whether
//! the effect of one depends on another ("regardless of prompting" is a claim to test). And how alike replicates are.
//!
//! The family of tests is stated here: each factor with two levels or more and each pair of them, in each group of tests that all
//! sessions, some or none were asked for. They are corrected together.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Word;
use model::run::{Judged, Session, Tier};

use super::{LEVEL, SEED, Side, counted, probability, sessions, share, wrap};
use crate::paint::{Paint, clean};
use crate::statistics::{self, Interval};

/// Exploits that are named where replicates differ.
const NAMED: usize = 4;

struct Factor {
    name: &'static str,
    levels: Vec<String>,
    /// The level of each session.
    of: Vec<usize>,
}

impl Factor {
    fn new(name: &'static str, sessions: &[&Session], of: fn(&Session) -> &str) -> Self {
        let mut levels: Vec<String> = Vec::new();
        let of = sessions
            .iter()
            .map(|one| {
                let level = of(one);
                let known = levels.iter().position(|known| known == level);
                known.unwrap_or_else(|| {
                    levels.push(level.to_owned());
                    levels.len() - 1
                })
            })
            .collect();
        Self { name, levels, of }
    }

    /// The cell of each session in both factors.
    fn with(&self, other: &Self) -> Vec<usize> {
        let both = self.of.iter().zip(&other.of);
        both.map(|(a, b)| a * other.levels.len() + b).collect()
    }
}

const GROUPS: [&str; 3] = ["requirement", "asked of some", "hardening"];

/// In which group an exploit is, by how many sessions were asked for its control.
fn groups<'a>(sessions: &[&'a Session]) -> BTreeMap<&'a str, &'static str> {
    let mut asked: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for judged in sessions.iter().flat_map(|one| &one.verdicts) {
        let (yes, all) = asked.entry(&judged.exploit).or_default();
        *yes += usize::from(judged.tier == Tier::Requirement);
        *all += 1;
    }
    let group = |(yes, all): (usize, usize)| match yes {
        0 => GROUPS[2],
        yes if yes == all => GROUPS[0],
        _ => GROUPS[1],
    };
    asked.into_iter().map(|(id, of)| (id, group(of))).collect()
}

/// One factor in one group of tests, or two together.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) group: &'static str,
    /// `agent`, `agent x arm`
    pub(crate) name: String,
    /// The share of each level; empty for two together.
    pub(crate) levels: Vec<(String, Interval)>,
    /// The highest share minus the lowest; of two together, how far they are from adding up where that is farthest.
    pub(crate) apart: f64,
    /// Where that is.
    pub(crate) place: String,
    /// Corrected over the table; `None` where nothing is left over to compare it with.
    pub(crate) p: Option<f64>,
}

/// The whole table.
pub(crate) fn tested(all: &[&Session]) -> Vec<Tested> {
    let factors: Vec<Factor> = [
        Factor::new("framework", all, |one| &one.framework),
        Factor::new("agent", all, |one| &one.agent),
        Factor::new("arm", all, |one| &one.arm),
    ]
    .into_iter()
    .filter(|one| one.levels.len() > 1)
    .collect();
    let groups = groups(all);
    let mut table = Vec::new();
    for group in GROUPS {
        let is_in = |judged: &Judged| groups.get(judged.exploit.as_str()) == Some(&group);
        let counts: Vec<statistics::Session> = all.iter().map(|one| counted(one, &is_in)).collect();
        if counts.iter().all(|one| one.of > 0) {
            of_group(&mut table, group, &factors, &counts);
        }
    }
    let p: Vec<f64> = table.iter().filter_map(|one| one.p).collect();
    let known = table.iter_mut().filter_map(|one| one.p.as_mut());
    for (p, corrected) in known.zip(statistics::holm(&p)) {
        *p = corrected;
    }
    table
}

/// The sessions of one selection.
pub fn within(side: &Side<'_>, paint: Paint) -> String {
    let all = &side.sessions;
    let mut out = String::new();
    let _ = writeln!(
        out,
        " {}: {}",
        paint.head(&clean(&side.name)),
        sessions(all.len())
    );
    let table = tested(all);
    if table.is_empty() {
        wrap(
            &mut out,
            "All are of one framework, one agent and one arm: nothing to tell apart.",
        );
    } else {
        let _ = writeln!(
            out,
            "\n {}\n   {:<35}{:<19}{:>6}  p corrected",
            paint.head("WHAT MADE A DIFFERENCE: resisted or present, 95 % over sessions"),
            "",
            "share",
            "apart"
        );
    }
    let mut group = "";
    for one in &table {
        if one.group != group {
            group = one.group;
            let _ = writeln!(out, "   {}", paint.head(group));
        }
        row(&mut out, one);
    }
    consistency(&mut out, all, paint);
    out.push('\n');
    for line in caveats(all, &table) {
        wrap(&mut out, &line);
    }
    out
}

fn of_group(
    table: &mut Vec<Tested>,
    group: &'static str,
    factors: &[Factor],
    counts: &[statistics::Session],
) {
    let shares: Vec<f64> = counts.iter().map(|one| one.share()).collect();
    let levels = |but: usize| -> Vec<Vec<usize>> {
        let others = factors.iter().enumerate().filter(|(n, _)| *n != but);
        others.map(|(_, one)| one.of.clone()).collect()
    };
    let p = |others: &[Vec<usize>], term: &[usize]| {
        statistics::effect(&shares, others, term, SEED).map(|found| found.p)
    };
    for (number, factor) in factors.iter().enumerate() {
        let levels_of = by_level(factor, counts);
        let all = levels_of.iter().map(|one| one.1.value);
        let (low, high) = all.fold((1.0_f64, 0.0_f64), |(low, high), one| {
            (low.min(one), high.max(one))
        });
        table.push(Tested {
            group,
            name: factor.name.to_owned(),
            levels: levels_of,
            apart: high - low,
            place: String::new(),
            p: p(&levels(number), &factor.of),
        });
    }
    for (number, first) in factors.iter().enumerate() {
        for second in &factors[number + 1..] {
            let (apart, place) = departure(first, second, &shares, factors);
            table.push(Tested {
                group,
                name: format!("{} x {}", first.name, second.name),
                levels: Vec::new(),
                apart,
                place,
                p: p(&levels(usize::MAX), &first.with(second)),
            });
        }
    }
}

fn row(out: &mut String, one: &Tested) {
    let p = one.p.map_or("no test".to_owned(), probability);
    let apart = one.apart * 100.0;
    if one.levels.is_empty() {
        let place: String = clean(&one.place).chars().take(33).collect();
        let _ = writeln!(out, "     {:<19}{place:<33}{apart:>+6.1}  {p}", one.name);
        return;
    }
    let _ = writeln!(out, "     {:<52}{apart:>6.1}  {p}", one.name);
    for (level, interval) in &one.levels {
        let level: String = clean(level).chars().take(30).collect();
        let _ = writeln!(out, "       {level:<31}{}", share(*interval));
    }
}

fn by_level(factor: &Factor, counts: &[statistics::Session]) -> Vec<(String, Interval)> {
    let of = |level: usize| -> Vec<statistics::Session> {
        let all = counts.iter().zip(&factor.of);
        all.filter(|(_, one)| **one == level)
            .map(|(counts, _)| *counts)
            .collect()
    };
    factor
        .levels
        .iter()
        .enumerate()
        .map(|(level, name)| (name.clone(), statistics::clustered(&of(level))))
        .collect()
}

/// Where two factors together are farthest from what both alone would add up to, and how far.
fn departure(first: &Factor, second: &Factor, shares: &[f64], factors: &[Factor]) -> (f64, String) {
    let main: Vec<Vec<usize>> = factors.iter().map(|one| one.of.clone()).collect();
    let left = statistics::left_over(shares, &main);
    let mut cells: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (cell, left) in first.with(second).into_iter().zip(left) {
        cells.entry(cell).or_default().push(left);
    }
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    let cells = cells.iter().map(|(cell, all)| (*cell, mean(all)));
    let farthest = cells.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    farthest.map_or((0.0, String::new()), |(cell, by)| {
        let (a, b) = (cell / second.levels.len(), cell % second.levels.len());
        // Rounding is no departure.
        let by = if by.abs() < 1e-9 { 0.0 } else { by };
        (by, format!("{}, {}", first.levels[a], second.levels[b]))
    })
}

/// How many exploits had the same verdict in all replicates of a cell.
fn consistency(out: &mut String, all: &[&Session], paint: Paint) {
    let mut cells: BTreeMap<(&str, &str, &str), Vec<&Session>> = BTreeMap::new();
    for one in all {
        let cell = (one.agent.as_str(), one.framework.as_str(), one.arm.as_str());
        cells.entry(cell).or_default().push(one);
    }
    cells.retain(|_, sessions| sessions.len() > 1);
    if cells.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n {}",
        paint.head("CONSISTENCY: exploits with the same verdict in all replicates")
    );
    for ((agent, framework, arm), sessions) in cells {
        let mut words: BTreeMap<&str, Vec<Word>> = BTreeMap::new();
        for judged in sessions.iter().flat_map(|one| &one.verdicts) {
            words
                .entry(&judged.exploit)
                .or_default()
                .push(judged.verdict);
        }
        // Of what one session did not decide nothing is known.
        let (decided, open): (Vec<_>, Vec<_>) = words.into_iter().partition(|(_, words)| {
            words.len() == sessions.len() && !words.contains(&Word::Inconclusive)
        });
        let differ: Vec<&str> = decided
            .iter()
            .filter(|(_, words)| words.iter().any(|word| *word != words[0]))
            .map(|(id, _)| *id)
            .collect();
        let name: String = clean(&format!("{agent}/{framework}/{arm}"));
        let name: String = name.chars().take(44).collect();
        let _ = write!(
            out,
            "   {name:<45}{:>2} of {:>2} in {} sessions",
            decided.len() - differ.len(),
            decided.len(),
            sessions.len()
        );
        if !open.is_empty() {
            let _ = write!(out, ", {} open", open.len());
        }
        out.push('\n');
        if !differ.is_empty() {
            let mut named = differ[..differ.len().min(NAMED)].join(", ");
            if differ.len() > NAMED {
                let _ = write!(named, " and {} more", differ.len() - NAMED);
            }
            wrap(out, &format!("    not the same: {named}"));
        }
    }
}

/// What may be said of one effect that depends on another, and what may not.
pub(crate) fn depends(table: &[Tested]) -> Vec<String> {
    let mut lines = Vec::new();
    let both = || table.iter().filter(|one| one.levels.is_empty());
    if both().next().is_some() && both().all(|one| one.p.is_none()) {
        lines.push(
            "Whether one effect depends on another cannot be tested here: nothing is left over to compare with. More \
             replicates of each cell would do it."
                .to_owned(),
        );
    }
    for name in ["framework", "agent"] {
        let pair = format!("{name} x arm");
        let p: Vec<f64> = both()
            .filter(|one| one.name == pair)
            .filter_map(|one| one.p)
            .collect();
        if p.is_empty() {
            continue;
        }
        lines.push(if p.iter().any(|p| *p <= LEVEL) {
            format!("What the {name} changes depends on what was asked: not \"regardless of prompting\".")
        } else {
            format!(
                "That what the {name} changes depends on what was asked is not shown. That is not the same as \"regardless of \
                 prompting\": the shares say how far apart they could be."
            )
        });
    }
    lines
}

fn caveats(all: &[&Session], table: &[Tested]) -> Vec<String> {
    let mut lines = depends(table);
    if all.iter().any(|one| one.agent.starts_with("recorded:")) {
        lines.push(
            "Hand-written samples are among these sessions: their figures say nothing of any agent."
                .to_owned(),
        );
    }
    if !table.is_empty() {
        lines.push(
            "Apart: the highest share minus the lowest; of two factors, where they are farthest from adding up. Each is tested \
             beyond the others (F, permuted residuals of sessions), all corrected together by Holm; docs/statistics.md"
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    /// Sessions of two frameworks, two agents and two arms; `resisted` of 20 by the three.
    fn study(each: u32, resisted: impl Fn(bool, bool, bool) -> u32) -> Vec<Session> {
        let mut all = Vec::new();
        for cell in 0..8_u32 {
            let (next, codex, explicit) = (cell & 1 == 1, cell & 2 == 2, cell & 4 == 4);
            for replicate in 1..=each {
                // A session more or less, so that something is left over.
                let hits = resisted(next, codex, explicit) + replicate % 2;
                let verdicts = (0..20)
                    .map(|number| {
                        let word = if number < hits {
                            Word::Resisted
                        } else {
                            Word::Exploited
                        };
                        fixture::judged(&format!("exploit-{number}"), Tier::Requirement, word)
                    })
                    .collect();
                all.push(Session {
                    framework: if next { "nextjs" } else { "fastapi" }.into(),
                    agent: if codex { "codex@1" } else { "claude-code@2" }.into(),
                    arm: if explicit { "explicit" } else { "silent" }.into(),
                    replicate,
                    ..fixture::session(verdicts)
                });
            }
        }
        all
    }

    fn text(sessions: &[Session]) -> String {
        let side = Side {
            name: "run".into(),
            sessions: sessions.iter().collect(),
        };
        let text = within(&side, Paint(false));
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        text
    }

    fn line<'a>(text: &'a str, starts: &str) -> &'a str {
        let found = text.lines().find(|one| one.trim().starts_with(starts));
        found.unwrap_or_else(|| panic!("{starts}: {text}"))
    }

    #[test]
    fn effects_that_add_up_are_told_from_those_that_do_not() {
        let adds = |next: bool, codex: bool, explicit: bool| {
            5 + 4 * u32::from(next) + 2 * u32::from(codex) + 3 * u32::from(explicit)
        };
        let shown = text(&study(4, adds));
        for (factor, apart) in [("framework ", "20.0"), ("agent ", "10.0"), ("arm ", "15.0")] {
            let line = line(&shown, factor);
            assert!(line.contains(apart) && line.contains("0.00"), "{line}");
        }
        assert!(
            line(&shown, "agent x arm").contains("+0.0  1.000"),
            "{shown}"
        );
        let words: Vec<&str> = shown.split_whitespace().collect();
        let words = words.join(" ");
        assert!(
            words.contains("the agent changes depends on what was asked is not shown"),
            "{shown}"
        );
        // The arm helps one agent alone.
        let crossed = |next: bool, codex: bool, explicit: bool| {
            5 + 4 * u32::from(next) + 8 * u32::from(codex && explicit)
        };
        let shown = text(&study(4, crossed));
        let both = line(&shown, "agent x arm");
        assert!(both.contains("10.0") && both.contains("0.00"), "{shown}");
        assert!(line(&shown, "framework x arm").contains("1.000"), "{shown}");
        let words: Vec<&str> = shown.split_whitespace().collect();
        let words = words.join(" ");
        assert!(
            words.contains("What the agent changes depends on what was asked: not"),
            "{shown}"
        );
        assert!(
            words.contains("the framework changes depends on what was asked is not shown"),
            "{shown}"
        );
    }

    #[test]
    fn one_session_a_cell_is_no_test_of_what_depends_on_what() {
        let two = study(1, |next, codex, _| {
            5 + 3 * u32::from(next) + u32::from(codex)
        });
        let silent: Vec<Session> = two.into_iter().filter(|one| one.arm == "silent").collect();
        let shown = text(&silent);
        assert!(
            line(&shown, "framework x agent").ends_with("no test"),
            "{shown}"
        );
        assert!(shown.contains("cannot be tested here"), "{shown}");
        assert!(
            !shown.contains("arm x") && !shown.contains("CONSISTENCY"),
            "{shown}"
        );
        let shown = text(&silent[..1]);
        assert!(shown.contains("nothing to tell apart"), "{shown}");
    }

    #[test]
    fn what_differs_between_replicates_is_counted_and_named() {
        let mut all = study(3, |_, _, _| 9);
        all[1].verdicts[19].verdict = Word::Inconclusive;
        let shown = text(&all);
        // Nine or ten resisted: one exploit differs; another is open in one session.
        let cell = line(&shown, "claude-code@2/fastapi/silent");
        assert!(cell.contains("18 of 19 in 3 sessions, 1 open"), "{shown}");
        assert!(shown.contains("not the same: exploit-9\n"), "{shown}");
    }

    #[test]
    fn what_only_some_were_asked_for_is_a_group_of_its_own() {
        let mut all = study(2, |_, _, explicit| if explicit { 20 } else { 5 });
        for one in all.iter_mut().filter(|one| one.arm == "silent") {
            one.verdicts[19].tier = Tier::Hardening;
        }
        for one in &mut all {
            one.verdicts[0].tier = Tier::Hardening;
        }
        let shown = text(&all);
        let heads: Vec<usize> = GROUPS
            .iter()
            .map(|head| {
                shown
                    .find(&format!("\n   {head}\n"))
                    .unwrap_or_else(|| panic!("{shown}"))
            })
            .collect();
        assert!(heads.is_sorted(), "{shown}");
        assert!(
            line(&shown[heads[1]..], "arm ").contains("100.0"),
            "{shown}"
        );
        assert!(line(&shown[heads[2]..], "arm ").contains(" 0.0"), "{shown}");
    }
}
