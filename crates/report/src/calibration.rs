//! The instrument's own results: what each exploit caught, what it missed, what it is known not to see.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Word;
use model::calibration::{Calibration, Expected, Kind, Row, Share, Status};
use model::run::Run;

use crate::paint::{Paint, clean};

/// The fewest controls from which anything can be said of an exploit.
pub const FEWEST_MUTANTS: usize = 2;
pub const FEWEST_NEAR_MISSES: usize = 1;

/// One summary per framework and exploit, in `order`; an exploit without any row is `missing`.
pub fn summarise(rows: &[Row], order: &[&str]) -> Vec<Calibration> {
    let mut frameworks: Vec<&str> = rows.iter().map(|row| row.framework.as_str()).collect();
    frameworks.sort_unstable();
    frameworks.dedup();
    let mut all = Vec::new();
    for framework in frameworks {
        for exploit in order {
            let of_it: Vec<&Row> = rows
                .iter()
                .filter(|row| row.framework == framework && row.exploit == *exploit)
                .collect();
            all.push(one(framework, exploit, &of_it));
        }
    }
    all
}

fn one(framework: &str, exploit: &str, rows: &[&Row]) -> Calibration {
    let (mut sensitivity, mut specificity) = (Share::default(), Share::default());
    let (mut near_misses, mut reported) = (0, 0);
    let mut blind_spots = Vec::new();
    let mut worst = Status::Validated;
    for row in rows {
        let fault = match (row.expected, row.verdict) {
            _ if row.is_right() => None,
            (_, Word::Inconclusive | Word::NotApplicable) => Some(Status::Inconclusive),
            (Expected::Resisted, Word::Exploited) if row.kind != Kind::BlindSpot => {
                Some(Status::Noisy)
            }
            (_, Word::Exploited | Word::Resisted) => Some(Status::Wrong),
        };
        worst = fault.map_or(worst, |fault| worst.min(fault));
        match (row.kind, row.expected) {
            (Kind::BlindSpot, _) if row.control.starts_with(&format!("{exploit}/")) => {
                blind_spots.push(row.control.clone());
            }
            (_, Expected::Exploited) => sensitivity.add(row.is_right()),
            (_, Expected::Reported) => reported += 1,
            (kind, Expected::Resisted) => {
                specificity.add(row.is_right());
                let own = row.control.starts_with(&format!("{exploit}/"));
                near_misses += usize::from(kind == Kind::NearMiss && own);
            }
        }
    }
    if sensitivity.of < FEWEST_MUTANTS || near_misses < FEWEST_NEAR_MISSES {
        worst = worst.min(Status::Missing);
    }
    if reported > 0 {
        worst = worst.min(Status::Reported);
    }
    Calibration {
        framework: framework.to_owned(),
        exploit: exploit.to_owned(),
        status: worst,
        sensitivity,
        specificity,
        blind_spots,
        measured: rows
            .iter()
            .map(|row| row.date.clone())
            .min()
            .unwrap_or_default(),
    }
}

/// All of a framework in two shares.
pub fn totals<'a>(all: impl Iterator<Item = &'a Calibration>) -> (Share, Share) {
    all.fold(
        (Share::default(), Share::default()),
        |(hits, clean), one| {
            let add = |a: Share, b: Share| Share {
                hits: a.hits + b.hits,
                of: a.of + b.of,
            };
            (add(hits, one.sensitivity), add(clean, one.specificity))
        },
    )
}

/// A line per framework for the foot of other reports.
pub fn foot(run: &Run) -> Vec<String> {
    let mut names: Vec<&str> = run
        .sessions
        .iter()
        .filter(|session| session.agent != "reference" && !session.verdicts.is_empty())
        .map(|session| session.framework.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut lines = Vec::new();
    for name in names {
        let of_it: Vec<&Calibration> = run
            .instrument
            .iter()
            .filter(|one| one.framework == name)
            .collect();
        let (hits, clean) = totals(of_it.iter().copied());
        if hits.of == 0 {
            lines.push(format!("instrument on {name}: not measured"));
            continue;
        }
        lines.push(format!(
            "instrument on {name}: caught {} of {} known holes, clean {} of {}",
            hits.hits, hits.of, clean.hits, clean.of
        ));
        for (title, wanted) in [
            ("too little measured", [Status::Missing].as_slice()),
            (
                "IN DOUBT",
                &[Status::Wrong, Status::Noisy, Status::Inconclusive],
            ),
        ] {
            let which: Vec<&str> = of_it
                .iter()
                .filter(|one| wanted.contains(&one.status))
                .map(|one| one.exploit.as_str())
                .collect();
            match which.as_slice() {
                [] => {}
                [one] => lines.push(format!("  {title}: {one}")),
                many => lines.push(format!(
                    "  {title}: {} exploits, see docs/calibration.md",
                    many.len()
                )),
            }
        }
    }
    lines
}

fn percent(share: Share) -> String {
    let (low, high) = share.wilson();
    format!("{:.0}-{:.0} %", low * 100.0, high * 100.0)
}

/// The table for people, at most 80 columns; what is not right comes last, with its reason.
pub fn render(rows: &[Row], order: &[&str], paint: Paint) -> String {
    let all = summarise(rows, order);
    let mut out = String::new();
    let mut last = "";
    for one in &all {
        if one.framework != last {
            last = &one.framework;
            let head = format!(
                " {:<28}{:>8}{:>14}{:>8}{:>14}",
                one.framework, "caught", "95 % of it", "clean", "95 % of it"
            );
            let _ = writeln!(out, "{}", paint.head(&head));
        }
        let _ = write!(
            out,
            "   {:<26}{:>8}{:>14}{:>8}{:>14}  ",
            one.exploit,
            format!("{}/{}", one.sensitivity.hits, one.sensitivity.of),
            percent(one.sensitivity),
            format!("{}/{}", one.specificity.hits, one.specificity.of),
            percent(one.specificity),
        );
        let name = one.status.name();
        let _ = writeln!(
            out,
            "{}",
            if one.status.is_good() {
                paint.good(&name[..2])
            } else {
                paint.bad(&name[..2])
            }
        );
    }
    let signs: Vec<String> = Status::ALL
        .iter()
        .rev()
        .filter(|status| all.iter().any(|one| one.status == **status))
        .map(|status| format!("{} {}", &status.name()[..2], status.name()))
        .collect();
    let _ = writeln!(out, "\n {}", signs.join("   "));
    for row in rows.iter().filter(|row| !row.is_right()) {
        let _ = writeln!(
            out,
            " {} {} {}: {} said {}, not {}: {}",
            paint.bad("!"),
            row.framework,
            row.control,
            row.exploit,
            row.verdict.name(),
            row.expected.name(),
            clean(&row.why)
        );
    }
    let mut blind: Vec<&str> = all
        .iter()
        .flat_map(|one| one.blind_spots.iter().map(String::as_str))
        .collect();
    blind.dedup();
    if !blind.is_empty() {
        let _ = writeln!(out, " known not to be seen: {}", blind.len());
        for name in blind {
            let _ = writeln!(out, "   {name}");
        }
    }
    let (hits, clean_) = totals(all.iter());
    let good = all.iter().filter(|one| one.status.is_good()).count();
    let _ = writeln!(
        out,
        "\n {good} of {} can be trusted as far as measured: caught {} of {}, clean {} of {}",
        all.len(),
        hits.hits,
        hits.of,
        clean_.hits,
        clean_.of
    );
    out
}

/// `docs/calibration.md`. `about` gives a control's own words.
pub fn markdown(
    rows: &[Row],
    order: &[&str],
    about: &BTreeMap<(String, String), String>,
) -> String {
    let all = summarise(rows, order);
    let mut out = String::from(
        "# Calibration\n\nDerived from `calibration.json` by `unrequested calibrate --table`; do not edit. Each exploit was run against apps whose\nholes are known: `controls/`. *Caught*: mutants of which it said \"exploited\", and must. *Clean*: safe apps of which it said\n\"resisted\". The intervals are Wilson's, at 95 %. They speak of these controls, which are a sample of what authors write.\n",
    );
    let mut last = "";
    for one in &all {
        if one.framework != last {
            last = &one.framework;
            let (hits, clean) = totals(all.iter().filter(|other| other.framework == last));
            let _ = write!(
                out,
                "\n## {last}\n\nCaught {} of {} ({}), clean {} of {} ({}).\n\n| exploit | caught | 95 % | clean | 95 % | status | measured |\n| --- | --- | --- | --- | --- | --- | --- |\n",
                hits.hits,
                hits.of,
                percent(hits),
                clean.hits,
                clean.of,
                percent(clean)
            );
        }
        let _ = writeln!(
            out,
            "| {} | {}/{} | {} | {}/{} | {} | {} | {} |",
            one.exploit,
            one.sensitivity.hits,
            one.sensitivity.of,
            percent(one.sensitivity),
            one.specificity.hits,
            one.specificity.of,
            percent(one.specificity),
            one.status.name(),
            one.measured
        );
    }
    out.push_str("\n## Blind spots\n\nHoles that are known and that no exploit sees.\n\n");
    for one in &all {
        for name in &one.blind_spots {
            let words = about
                .get(&(one.framework.clone(), name.clone()))
                .map_or("", String::as_str);
            let _ = writeln!(out, "- {} `{name}`: {words}", one.framework);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(control: &str, kind: Kind, expected: Expected, verdict: Word) -> Row {
        Row {
            framework: "fastapi".into(),
            control: control.into(),
            kind,
            exploit: "a".into(),
            expected,
            verdict,
            noted: false,
            why: String::new(),
            key: String::new(),
            date: "2026-11-23".into(),
            ms: 1,
            packed: false,
        }
    }

    fn good() -> Vec<Row> {
        vec![
            row("a/one", Kind::Mutant, Expected::Exploited, Word::Exploited),
            row("a/two", Kind::Mutant, Expected::Exploited, Word::Exploited),
            row("a/near", Kind::NearMiss, Expected::Resisted, Word::Resisted),
        ]
    }

    fn status(rows: &[Row]) -> Status {
        summarise(rows, &["a"])[0].status
    }

    #[test]
    fn two_mutants_and_a_near_miss_validate() {
        assert_eq!(status(&good()), Status::Validated);
        for left_out in 0..3 {
            let mut rows = good();
            rows.remove(left_out);
            assert_eq!(status(&rows), Status::Missing);
        }
    }

    #[test]
    fn every_way_of_being_wrong_has_its_word() {
        let change = |index: usize, word| {
            let mut rows = good();
            rows[index].verdict = word;
            status(&rows)
        };
        assert_eq!(change(0, Word::Resisted), Status::Wrong);
        assert_eq!(change(0, Word::Inconclusive), Status::Inconclusive);
        assert_eq!(change(0, Word::NotApplicable), Status::Inconclusive);
        assert_eq!(change(2, Word::Exploited), Status::Noisy);
        assert_eq!(change(2, Word::Inconclusive), Status::Inconclusive);
    }

    #[test]
    fn two_labels_swapped_are_both_seen() {
        let mut rows = good();
        rows[0].expected = Expected::Resisted;
        rows[0].kind = Kind::NearMiss;
        rows[2].expected = Expected::Exploited;
        rows[2].kind = Kind::Mutant;
        assert_eq!(status(&rows), Status::Wrong);
        assert_eq!(rows.iter().filter(|row| !row.is_right()).count(), 2);
    }

    #[test]
    fn a_blind_spot_is_listed_and_counts_nowhere_until_it_is_seen() {
        let mut rows = good();
        rows.push(row(
            "a/blind",
            Kind::BlindSpot,
            Expected::Resisted,
            Word::Resisted,
        ));
        let one = &summarise(&rows, &["a"])[0];
        assert_eq!(
            (one.status, one.sensitivity.of, one.specificity.of),
            (Status::Validated, 2, 1)
        );
        assert_eq!(one.blind_spots, ["a/blind"]);
        rows[3].verdict = Word::Exploited;
        assert_eq!(status(&rows), Status::Wrong);
    }

    #[test]
    fn a_weakness_that_is_only_reported_must_leave_a_note() {
        let mut rows = good();
        rows.push(row(
            "a/mild",
            Kind::Mutant,
            Expected::Reported,
            Word::Resisted,
        ));
        assert_eq!(status(&rows), Status::Wrong);
        rows[3].noted = true;
        assert_eq!(status(&rows), Status::Reported);
    }

    #[test]
    fn an_exploit_that_nothing_was_measured_of_is_missing() {
        let all = summarise(&good(), &["a", "b"]);
        assert_eq!(all[1].status, Status::Missing);
        assert!(render(&good(), &["a", "b"], Paint(false)).contains("mi missing"));
    }

    #[test]
    fn no_line_is_wider_than_80_columns() {
        let text = render(&good(), &["a"], Paint(false));
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }
}
