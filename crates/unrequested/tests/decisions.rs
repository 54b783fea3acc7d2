//! What is read of the samples equals tables that were written by hand from their source, step by step.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeMap;

use model::decision::{Decision, Origin};

/// By decision, what each finding must say: `choice | origin | name=value, …`.
type Table = BTreeMap<String, Vec<String>>;

fn origin(origin: &Origin) -> String {
    let with = |word: &str, name: &str, version: &Option<String>| match version {
        Some(version) => format!("{word} {name} {version}"),
        None => format!("{word} {name}"),
    };
    match origin {
        Origin::Library { name, version } => with("library", name, version),
        Origin::Framework { name, version } => with("framework", name, version),
        Origin::Runtime { module } => format!("runtime {module}"),
        other @ (Origin::HandWritten | Origin::Absent | Origin::Unknown { .. }) => {
            other.word().to_owned()
        }
    }
}

fn said(decision: &Decision) -> String {
    if !decision.origin.is_chosen() {
        return decision.origin.word().to_owned();
    }
    let parameters: Vec<String> = decision
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!(
        "{} | {} | {}",
        decision.choice,
        origin(&decision.origin),
        parameters.join(", ")
    )
}

/// Whether a finding is what a row of the table says; what the row leaves out is free.
fn fits(decision: &Decision, row: &str) -> bool {
    let parts: Vec<&str> = row.split(" | ").collect();
    if !decision.origin.is_chosen() {
        return parts == [decision.origin.word()];
    }
    let from = origin(&decision.origin);
    decision.choice == parts[0]
        && parts.get(1).is_none_or(|wanted| from == *wanted)
        && parts.get(2).is_none_or(|list| {
            list.split(", ").all(|parameter| {
                parameter
                    .split_once('=')
                    .is_some_and(|(name, value)| decision.parameter(name) == Some(value))
            })
        })
}

fn compare(framework: &str) -> Vec<String> {
    let path = format!("recordings/{framework}/decisions.toml");
    let file = agent::file(&path).unwrap();
    let whole: BTreeMap<String, BTreeMap<String, Table>> =
        toml::from_str(std::str::from_utf8(file.bytes).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (sample, steps) in whole {
        let names = agent::recorded::steps(framework, &sample);
        assert_eq!(
            names,
            steps.keys().cloned().collect::<Vec<_>>(),
            "{framework}/{sample}: every step has a table"
        );
        let mut wanted = Table::new();
        for (number, name) in names.iter().enumerate() {
            wanted.extend(steps[name].clone());
            let texts = agent::recorded::texts(framework, &sample, number + 1).unwrap();
            let files: Vec<(String, String)> = texts.into_iter().collect();
            let reading = decision::read_files(&files);
            assert_eq!(reading.unread, [], "{framework}/{sample}");
            for entry in decision::all() {
                let found: Vec<&Decision> = reading
                    .decisions
                    .iter()
                    .filter(|one| one.decision == entry.id)
                    .collect();
                let rows = wanted.get(entry.id).cloned().unwrap_or_default();
                let mut left = rows.clone();
                let mut more = Vec::new();
                for one in &found {
                    match left.iter().position(|row| fits(one, row)) {
                        Some(at) => {
                            left.remove(at);
                        }
                        None => more.push(said(one)),
                    }
                }
                if !left.is_empty() || !more.is_empty() {
                    wrong.push(format!(
                        "{framework}/{sample} {name} {}\n      by hand: {left:?}\n      read:    {more:?}",
                        entry.id
                    ));
                }
            }
        }
    }
    wrong
}

#[test]
fn the_samples_are_read_as_they_were_by_hand() {
    let wrong: Vec<String> = ["fastapi", "nextjs"]
        .into_iter()
        .flat_map(compare)
        .collect();
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
