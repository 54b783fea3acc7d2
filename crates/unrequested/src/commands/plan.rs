//! `bench --plan`: what would be run, for how much, and what it could show.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use agent::proxy::Auth;
use agent::{Cell, Estimate, Past, Planned, Prices, Study};
use report::statistics::{self, Plan};

use super::consent;

/// How often each session is played, beside what the study says: once, and two, four and eight times as often.
const TIMES: [u32; 4] = [1, 2, 4, 8];
const SEED: u64 = 20_260_401;
/// What sessions are like, as the published study found them: shares, and tests of a session. How alike the tests of a session
/// are it does not say; docs/statistics.md.
const TIERS: [(u32, f64); 2] = [(25, 0.85), (8, 0.40)];
const ALIKE: f64 = 0.1;

pub(super) fn text(
    study: &Study,
    name: &str,
    left: &[Planned],
    past: &[Past],
    (prices, auth): (&Prices, Auth),
) -> String {
    let cells = study.cells();
    let plural = if cells.len() == 1 { "" } else { "s" };
    let mut out = format!("{name}: {} session{plural}\n", cells.len());
    for cell in &cells {
        let _ = writeln!(out, "  {}", cell.id());
    }
    let samples = cells.len() - left.len();
    if samples > 0 {
        let _ = writeln!(
            out,
            "{samples} of them are hand-written samples: no model is called, nothing is paid for"
        );
    }
    let estimate = Estimate::of(left, past, prices);
    if !left.is_empty() {
        let _ = write!(
            out,
            "Real agents, {}:\n{}",
            consent::bill(auth),
            estimate.text()
        );
    }
    // A sample is the same however often it is played.
    if samples == 0 {
        shows(&mut out, study, &cells, &estimate);
    }
    out
}

/// The smallest difference for each thing that the study varies.
fn shows(out: &mut String, study: &Study, cells: &[Cell], estimate: &Estimate) {
    let factors = [
        ("agents", study.agents.len()),
        ("frameworks", study.frameworks.len()),
        ("arms", study.arms.len()),
    ];
    let mut found: BTreeMap<(u32, usize), Option<f64>> = BTreeMap::new();
    for (factor, levels) in factors.into_iter().filter(|(_, levels)| *levels > 1) {
        let _ = writeln!(
            out,
            "\nThe smallest difference between two {factor} that four of five such studies find, in points:\n\
             {:>10}{:>10}{:>10}{:>10}{:>14}{:>15}",
            "replicates", "sessions", "each", "of 25", "of 8", "dollars"
        );
        for times in TIMES {
            let sessions = cells.len() * times as usize;
            let each = sessions / levels;
            let points: Vec<String> = TIERS
                .into_iter()
                .map(|(tests, base)| {
                    let plan = Plan {
                        sessions: each,
                        tests,
                        base,
                        alike: ALIKE,
                    };
                    found
                        .entry((tests, each))
                        .or_insert_with(|| statistics::detectable(plan, SEED))
                        .map_or_else(
                            || "none".to_owned(),
                            |share| format!("{:.0}", share * 100.0),
                        )
                })
                .collect();
            let dollars = estimate.dollars().map_or_else(
                || "unknown".to_owned(),
                |(low, high)| {
                    let times = f64::from(times);
                    format!("{:.0}-{:.0}", low * times, high * times)
                },
            );
            let _ = writeln!(
                out,
                "{:>10}{sessions:>10}{each:>10}{:>10}{:>14}{dollars:>15}",
                study.replicates * times,
                points[0],
                points[1]
            );
        }
    }
    if factors.iter().any(|(_, levels)| *levels > 1) {
        let _ = writeln!(
            out,
            "p of 0.05 before correction, sessions as the unit, from 85 % of 25 and 40 % of 8, tests of a session alike by {ALIKE};\n\
             `none`: no difference can be shown, however large. docs/statistics.md"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_sessions_of_each_agent_can_show_nothing_and_more_can() {
        let text = "version = 1\nagents = [\"claude-code\", \"codex\"]\nframeworks = [\"fastapi\"]\narms = [\"silent\"]\nreplicates = 3\n";
        let study = Study::parse(text).unwrap();
        let one = Planned {
            agent: "claude-code".into(),
            model: "claude-sonnet-4-5".into(),
            steps: 6,
        };
        let left = vec![one; 6];
        let prices = Prices::shipped().unwrap();
        let text = self::text(&study, "s", &left, &[], (&prices, Auth::Key));
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .filter(|row: &Vec<&str>| row.len() == 6 && row[0].parse::<u32>().is_ok())
            .collect();
        assert_eq!(rows.len(), 4, "{text}");
        assert_eq!(rows[0][..5], ["3", "6", "3", "none", "none"], "{text}");
        let points = |row: usize, column: usize| rows[row][column].parse::<u32>().unwrap();
        assert!(
            points(1, 3) > points(2, 3) && points(2, 3) > points(3, 3),
            "{text}"
        );
        assert!(points(1, 4) > points(3, 4), "{text}");
        assert!(!text.contains("two frameworks"), "{text}");
    }
}
