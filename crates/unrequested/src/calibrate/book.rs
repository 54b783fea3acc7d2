//! `docs/calibration.json`: the rows of the last measurements, each under the hash of what it was measured with.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use model::calibration::{Calibration, Row};

use super::control::{self, Control};
use super::measure::{Key, key};
use crate::exit::Fatal;

/// What is known of each exploit on a framework, from the rows carried in the binary that were measured with what is
/// in the binary. Empty for a framework without controls.
pub(crate) fn instrument(framework: &str) -> Vec<Calibration> {
    let rows: Vec<Row> = agent::file("docs/calibration.json")
        .and_then(|file| serde_json::from_slice(file.bytes).ok())
        .unwrap_or_default();
    let Ok(mut controls) = control::shipped(framework) else {
        return Vec::new();
    };
    controls.push(Control::base(framework));
    // Looked up and hashed once each: there are thousands of rows, and every report asks.
    let sources: Vec<(&exploit::Entry, String)> = exploit::all()
        .into_iter()
        .map(|entry| (entry, entry.source_hash()))
        .collect();
    let mut by_name: HashMap<(&str, &str), Vec<&Row>> = HashMap::new();
    for row in rows.iter().filter(|row| row.framework == framework) {
        let name = (row.control.as_str(), row.exploit.as_str());
        by_name.entry(name).or_default().push(row);
    }
    let mut fresh = Vec::new();
    for control in &controls {
        let base = Key::of(control);
        for (entry, source) in &sources {
            let Some(rows) = by_name.get(&(control.id.as_str(), entry.id)) else {
                continue;
            };
            let key = base.with(Some(source));
            let found = rows.iter().find(|row| is_today(row, control, entry, &key));
            fresh.extend(found.map(|row| (*row).clone()));
        }
    }
    let order: Vec<&str> = exploit::all().iter().map(|entry| entry.id).collect();
    report::calibration::summarise(&fresh, &order)
}

pub(crate) fn read(path: &Path) -> Result<Vec<Row>, Fatal> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Fatal::usage(format!(
                "cannot read {}: {error}",
                path.display()
            )));
        }
    };
    serde_json::from_slice(&text).map_err(|error| {
        Fatal::usage(format!(
            "{} is no calibration: {error}; remove it and measure again",
            path.display()
        ))
    })
}

/// One row a line, so that a change is a line of a diff.
pub(crate) fn text(rows: &[Row]) -> Result<String, Fatal> {
    let mut lines = Vec::new();
    for row in rows {
        let line = serde_json::to_string(row).map_err(|error| Fatal::failed(error.to_string()))?;
        lines.push(line);
    }
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

/// Puts new rows in the place of old ones, and drops those whose control is gone; rows of frameworks that were not looked
/// at stay.
pub(crate) fn merge(old: Vec<Row>, new: &[Row], controls: &[Control]) -> Vec<Row> {
    let same = |a: &Row, b: &Row| {
        (&a.framework, &a.control, &a.exploit) == (&b.framework, &b.control, &b.exploit)
    };
    let mut all: Vec<Row> = old
        .into_iter()
        .filter(|row| !new.iter().any(|other| same(row, other)))
        .filter(|row| {
            let looked_at = controls.iter().any(|one| one.framework == row.framework);
            !looked_at || find(controls, row).is_some()
        })
        .collect();
    all.extend(new.iter().cloned());
    all.sort_by_cached_key(|row| {
        let number = exploit::find(&row.exploit).map(|entry| entry.exploit.number);
        (row.framework.clone(), row.control.clone(), number)
    });
    all
}

fn find<'a>(controls: &'a [Control], row: &Row) -> Option<&'a Control> {
    controls
        .iter()
        .find(|control| control.framework == row.framework && control.id == row.control)
}

/// The row of a control and an exploit, if it was measured with what is here today.
pub(crate) fn today<'a>(
    rows: &'a [Row],
    control: &Control,
    entry: &exploit::Entry,
) -> Option<&'a Row> {
    let key = key(control, Some(entry));
    rows.iter().find(|row| is_today(row, control, entry, &key))
}

fn is_today(row: &Row, control: &Control, entry: &exploit::Entry, key: &str) -> bool {
    row.framework == control.framework
        && row.control == control.id
        && row.exploit == entry.id
        && row.key == key
        && row.expected == control.expected(entry.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_is_what_is_found_row_by_row() {
        let rows: Vec<Row> =
            serde_json::from_slice(agent::file("docs/calibration.json").unwrap().bytes).unwrap();
        let order: Vec<&str> = exploit::all().iter().map(|entry| entry.id).collect();
        for framework in ["fastapi", "nextjs"] {
            let mut controls = control::shipped(framework).unwrap();
            controls.push(Control::base(framework));
            let mut fresh = Vec::new();
            for control in &controls {
                for entry in exploit::all() {
                    fresh.extend(today(&rows, control, entry).cloned());
                }
            }
            let wanted = report::calibration::summarise(&fresh, &order);
            assert_eq!(instrument(framework), wanted, "{framework}");
        }
    }

    #[test]
    fn a_look_at_one_framework_drops_nothing_of_the_others() {
        let controls = vec![Control::base("fastapi")];
        let row = |framework: &str, control: &str| Row {
            framework: framework.to_owned(),
            control: control.to_owned(),
            kind: model::calibration::Kind::NearMiss,
            exploit: exploit::all()[0].id.to_owned(),
            expected: model::calibration::Expected::Resisted,
            verdict: model::Word::Resisted,
            noted: false,
            why: String::new(),
            key: String::new(),
            date: String::new(),
            ms: 0,
            packed: false,
        };
        let old = vec![
            row("fastapi", "hardened"),
            row("fastapi", "gone"),
            row("nextjs", "any"),
        ];
        let kept: Vec<String> = merge(old, &[], &controls)
            .into_iter()
            .map(|row| format!("{} {}", row.framework, row.control))
            .collect();
        assert_eq!(kept, ["fastapi hardened", "nextjs any"]);
    }
}
