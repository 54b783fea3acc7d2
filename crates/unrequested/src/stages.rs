//! Attacks that are no session's end: after an earlier step (`bench --score-steps`), or before a prompt that tells findings.
//!
//! Each is a unit whose step begins with what it is. Whoever reads units as sessions leaves them out.

use agent::{Arm, Cell, recorded};
use model::Fault;
use model::run::{Session, Stage};

use crate::commands::bench::{Bencher, label, write_tree};
use crate::commands::decisions::sample_told;
use crate::drive::{Driver, folder_name};
use crate::exit::Fatal;
use crate::ledger::{NewUnit, UnitRow};
use crate::view;

/// Before a prompt that tells findings.
pub(crate) const BEFORE: &str = "before-";
/// After an earlier step.
pub(crate) const AFTER: &str = "after-";

/// Whether a unit is no session's end, and so in no score.
pub(crate) fn is_on_the_way(unit: &NewUnit) -> bool {
    is_before(unit) || unit.step.starts_with(AFTER)
}

pub(crate) fn is_before(unit: &NewUnit) -> bool {
    unit.step.starts_with(BEFORE)
}

/// The step after which a unit was attacked on the way.
pub(crate) fn step<'a>(unit: &'a NewUnit, arm: &'a Arm) -> Option<&'a str> {
    if let Some(step) = unit.step.strip_prefix(AFTER) {
        return Some(step);
    }
    let next = unit.step.strip_prefix(BEFORE)?;
    let at = arm.prompts.iter().position(|prompt| prompt.id == next)?;
    Some(&arm.prompts.get(at.checked_sub(1)?)?.id)
}

/// The units of a session's earlier steps in their order, of each the last attempt. What was attacked before findings were told
/// is one of them where there are others.
pub(crate) fn of<'a>(
    session: &Session,
    arm: &'a Arm,
    on_the_way: &'a [UnitRow],
) -> Vec<(&'a str, &'a UnitRow)> {
    let own = || {
        on_the_way
            .iter()
            .filter(|one| one.new.session == session.id)
    };
    if own().all(|one| is_before(&one.new)) {
        return Vec::new();
    }
    let mut found: Vec<(&str, &UnitRow)> = Vec::new();
    for unit in own() {
        let Some(step) = step(&unit.new, arm).filter(|step| *step < session.step.as_str()) else {
            continue;
        };
        match found.iter_mut().find(|(known, _)| *known == step) {
            Some(known) => known.1 = unit,
            None => found.push((step, unit)),
        }
    }
    found.sort_by_key(|(step, _)| *step);
    found
}

/// What was judged of such a unit, as a stage of its session.
pub(crate) fn stage(step: &str, judged: Session) -> Stage {
    Stage {
        step: step.to_owned(),
        attack: judged.attack,
        trouble: judged.trouble,
        ended: judged.ended,
        verdicts: judged.verdicts,
        decisions: judged.decisions,
    }
}

/// What `--score-steps` costs, before anything happens.
pub(crate) fn expectation(cells: &[Cell]) -> Result<String, Fatal> {
    let mut apps = 0;
    for cell in cells {
        apps += match cell.recording() {
            Some(recording) => recorded::steps(&cell.framework, recording).len(),
            None => view::arm(&cell.arm)?.prompts.len(),
        };
    }
    let sessions = cells.len().max(1);
    Ok(format!(
        "--score-steps: the app after every step, {apps} apps instead of {}: about {} times the\n\
         boots, builds and attacks, and their time. No model is asked more often.",
        cells.len(),
        (apps + sessions / 2) / sessions
    ))
}

/// Attacks what a session was after each of its earlier steps, but for what was finished before.
pub(crate) fn attack(
    bencher: &Bencher<'_>,
    cell: &Cell,
    driver: Option<&Driver<'_>>,
) -> Result<(), Fatal> {
    let session = cell.id();
    let arm = view::arm(&cell.arm)?;
    let units = bencher.context.ledger.units(&bencher.row.id)?;
    let is_done = |wanted: &str| {
        units.iter().any(|unit| {
            unit.new.session == session
                && unit.state == "done"
                && step(&unit.new, &arm) == Some(wanted)
        })
    };
    let recording = cell.recording().unwrap_or(&cell.agent);
    let steps: Vec<String> = match driver {
        Some(driver) => driver.steps(cell)?,
        None => recorded::steps(&cell.framework, recording),
    };
    let earlier = steps.len().saturating_sub(1);
    for (at, step) in steps.iter().take(earlier).enumerate() {
        if is_done(step) {
            continue;
        }
        let name = format!("{}-{AFTER}{step}", folder_name(&session));
        let shown = label(&cell.framework, recording, &cell.arm);
        let shown = format!("{shown}  after {step}");
        let runs = bencher.context.dir.join("runs");
        let tree = runs.join(&bencher.row.id).join(name);
        let new = Bencher::new_unit(cell, format!("{AFTER}{step}"), Some(&tree));
        let told = if let Some(driver) = driver {
            match driver.earlier(cell, &arm, &tree, at + 1)? {
                Ok(told) => told,
                Err(why) => {
                    bencher.failed(&new, None, &shown, Fault::Harness, why)?;
                    continue;
                }
            }
        } else {
            write_tree(cell, recording, at + 1, &tree)?;
            sample_told(&cell.framework, recording, &cell.arm, at + 1)?
        };
        bencher.tree(&new, &told, &tree, &shown)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(id: i64, session: &str, step: &str) -> UnitRow {
        UnitRow {
            id,
            new: NewUnit {
                key: String::new(),
                session: session.into(),
                agent: "codex@0".into(),
                framework: "fastapi".into(),
                arm: "feedback".into(),
                replicate: 1,
                step: step.into(),
                tree: None,
            },
            attempt: 1,
            state: "done".into(),
            level: None,
            limits: None,
            profile: None,
            boot_ms: None,
            requests: None,
            wall_ms: None,
            app_cpu_ms: None,
            cause: None,
            log: String::new(),
            tree_hash: None,
        }
    }

    fn found(arm: &str, last: &str, units: &[UnitRow]) -> Vec<String> {
        let arm = Arm::find(arm).unwrap();
        let end = unit(0, "s", last);
        let session =
            view::judged_unit(&end, &[], None, &view::tiers_in(&arm), |_| Ok(vec![])).unwrap();
        of(&session, &arm, units)
            .iter()
            .map(|(step, unit)| format!("{step} {}", unit.id))
            .collect()
    }

    #[test]
    fn earlier_steps_are_told_from_the_end_and_of_each_the_last_attempt_counts() {
        let units = [
            unit(1, "s", "after-2-uploads"),
            unit(2, "s", "after-1-auth"),
            unit(3, "other", "after-3-search"),
            unit(4, "s", "after-2-uploads"),
            unit(5, "s", "before-7-feedback"),
        ];
        assert_eq!(
            found("feedback", "7-feedback", &units),
            ["1-auth 2", "2-uploads 4", "6-production 5"]
        );
        // The session ended before it could be told anything: that step is its end.
        assert_eq!(
            found("feedback", "6-production", &units),
            ["1-auth 2", "2-uploads 4"]
        );
        // Without --score-steps the arm reads as ever.
        assert_eq!(found("feedback", "7-feedback", &units[4..]), [""; 0]);
        for unit in &units {
            assert!(is_on_the_way(&unit.new));
        }
        assert!(!is_on_the_way(&unit(9, "s", "6-production").new));
    }
}
