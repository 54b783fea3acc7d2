//! The arm `feedback`: the app is attacked before the last prompt, which tells a part of what was found.

use std::path::Path;

use agent::{Arm, Cell};
use model::Word;
use model::decision::Told;
use model::run::{Judged, Part, Split};
use report::finding;

use crate::commands::bench::{Bencher, label};
use crate::commands::conclude;
use crate::exit::Fatal;
use crate::ledger::{NewUnit, UnitRow};
use crate::view;

/// How the step of a unit begins that was attacked on the way and is no session's end.
const BEFORE: &str = "before-";

pub(crate) fn is_before(unit: &NewUnit) -> bool {
    unit.step.starts_with(BEFORE)
}

/// Attacks the tree, unless an earlier process did, and says the findings that are not held back. Why not, if it could not be
/// attacked.
pub(crate) fn findings(
    bencher: &Bencher<'_>,
    cell: &Cell,
    (tree, told): (&Path, &Told),
    step: &str,
) -> Result<Result<String, String>, Fatal> {
    let new = Bencher::new_unit(cell, format!("{BEFORE}{step}"), Some(tree));
    let ledger = &bencher.context.ledger;
    let last = || -> Result<Option<UnitRow>, Fatal> {
        let units = ledger.units(&bencher.row.id)?;
        Ok(units
            .into_iter()
            .rfind(|unit| unit.new.session == new.session && unit.new.step == new.step))
    };
    let is_done = |unit: &UnitRow| unit.state == "done";
    if !last()?.as_ref().is_some_and(is_done) {
        bencher.tree(&new, told, tree, &label(cell, &cell.agent))?;
    }
    let Some(unit) = last()?.filter(is_done) else {
        return Ok(Err(
            "the app could not be attacked before the feedback".to_owned()
        ));
    };
    let arm = view::arm(&cell.arm)?;
    let session = view::session(ledger, &unit, &view::tiers_in(&arm))?;
    let all = finding::gather(&session, &conclude::rules()?, &[], &[]);
    let kept = arm.feedback.unwrap_or_default().held_back;
    let told: Vec<&finding::Finding> = all
        .iter()
        .filter(|one| one.exploits.iter().all(|id| !kept.contains(id)))
        .collect();
    if told.is_empty() {
        return Ok(Ok("Nothing was found.".to_owned()));
    }
    Ok(Ok(finding::told(&told)))
}

/// What became of the findings that were told, and of those that were not.
pub(crate) fn split(arm: &Arm, before: &[Judged], after: &[Judged]) -> Option<Split> {
    let held = &arm.feedback.as_ref()?.held_back;
    let now = |id: &str| after.iter().find(|one| one.exploit == id);
    let part = |held_back: bool| {
        let found = before.iter().filter(|one| {
            one.verdict == Word::Exploited && held.contains(&one.exploit) == held_back
        });
        let (closed, open) = found
            .map(|one| one.exploit.clone())
            .partition(|id| now(id).is_some_and(|one| one.verdict == Word::Resisted));
        Part { closed, open }
    };
    let broken = before
        .iter()
        .filter(|one| one.verdict == Word::Resisted)
        .filter(|one| now(&one.exploit).is_some_and(|now| now.verdict == Word::Exploited))
        .map(|one| one.exploit.clone())
        .collect();
    Some(Split {
        told: part(false),
        held_back: part(true),
        broken,
    })
}
