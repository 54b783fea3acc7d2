//! Bandit: patterns in Python sources. It needs no network and no rules of ours.
//!
//! Of what the tree says to it nothing is heard: neither `.bandit` nor `# nosec`.

use std::collections::BTreeMap;

use report::scan::{Extent, Hit, Said};
use serde::Deserialize;

use super::{Asked, Job, Scanner, parsed, relative};

pub(super) const BANDIT: Scanner = Scanner {
    id: "bandit",
    program: "bandit",
    install: "python3 -m pip install bandit",
    manifests: &[],
    files: &[],
    server: |_| None,
    job: |_, _| Ok(job()),
    read,
};

pub(super) fn job() -> Job {
    let words = "-r . -f json -q --ignore-nosec --ini /dev/null";
    Job {
        arguments: words.split(' ').map(Into::into).collect(),
        ..Job::default()
    }
}

#[derive(Deserialize)]
struct Answer {
    metrics: BTreeMap<String, Metrics>,
    results: Vec<Found>,
    errors: Vec<Failed>,
}

#[derive(Deserialize)]
struct Metrics {
    loc: u64,
}

#[derive(Deserialize)]
struct Found {
    test_id: String,
    issue_severity: String,
    issue_text: String,
    filename: String,
    line_number: u32,
    line_range: Vec<u32>,
}

#[derive(Deserialize)]
struct Failed {
    filename: String,
    reason: String,
}

const TOTALS: &str = "_totals";

fn read(text: &str, _asked: &Asked) -> Result<Said, String> {
    let answer: Answer = parsed(text)?;
    if !answer.metrics.contains_key(TOTALS) {
        return Err("its answer has no totals".to_owned());
    }
    // Its metrics have the lines of files, too, that it could not parse.
    let failed = |name: &str| answer.errors.iter().any(|one| one.filename == name);
    let examined: Vec<u64> = answer
        .metrics
        .iter()
        .filter(|(name, _)| *name != TOTALS && !failed(name))
        .map(|(_, metrics)| metrics.loc)
        .collect();
    Ok(Said {
        examined: Extent {
            files: Some(examined.len() as u64),
            lines: Some(examined.iter().sum()),
            ..Extent::default()
        },
        findings: answer
            .results
            .iter()
            .map(|one| Hit {
                rule: one.test_id.clone(),
                severity: one.issue_severity.to_lowercase(),
                file: Some(relative(&one.filename)),
                line: one.line_number,
                end_line: one
                    .line_range
                    .iter()
                    .copied()
                    .fold(one.line_number, u32::max),
                package: None,
                says: one.issue_text.clone(),
            })
            .collect(),
        remarks: answer
            .errors
            .iter()
            .map(|one| format!("not read: {}: {}", relative(&one.filename), one.reason))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use report::scan::Outcome;

    use super::*;
    use crate::scan::tests::{asked, no_part_is_an_answer};

    const FOUND: &str = include_str!("../../tests/scan/bandit-1.9.4-found.json");
    const NOTHING: &str = include_str!("../../tests/scan/bandit-1.9.4-nothing.json");

    #[test]
    fn files_that_it_could_not_parse_were_not_examined() {
        let said = read(FOUND, &asked()).unwrap();
        assert_eq!(
            (said.examined.files, said.examined.lines),
            (Some(2), Some(5))
        );
        assert_eq!(
            said.remarks,
            ["not read: app/b.py: syntax error while parsing AST from file"]
        );
        let found: Vec<_> = said
            .findings
            .iter()
            .map(|one| {
                (
                    one.rule.as_str(),
                    one.severity.as_str(),
                    one.file.as_deref(),
                    one.line,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("B605", "high", Some("app/a.py"), 2),
                ("B404", "low", Some("app/c.py"), 1),
                // Behind a `# nosec`.
                ("B602", "high", Some("app/c.py"), 2),
                ("B105", "low", Some("app/c.py"), 3),
            ]
        );
    }

    #[test]
    fn a_tree_without_python_is_nothing_examined() {
        let outcome = Outcome::of(read(NOTHING, &asked()).unwrap());
        assert!(
            matches!(outcome, Outcome::ExaminedNothing { .. }),
            "{outcome:?}"
        );
    }

    #[test]
    fn half_an_answer_is_none() {
        no_part_is_an_answer(&BANDIT, FOUND);
        no_part_is_an_answer(&BANDIT, NOTHING);
    }
}
