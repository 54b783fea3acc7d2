//! The arm `feedback`: the app is attacked before the last prompt, which tells a part of what was found.

use std::path::Path;

use agent::{Arm, Cell};
use model::run::{Judged, Part, Session, Split};
use model::{Fault, Word, decision};
use report::finding::{self, Finding};

use crate::commands::bench::{Bencher, label};
use crate::commands::conclude;
use crate::exit::Fatal;
use crate::ledger::UnitRow;
use crate::stages::BEFORE;
use crate::view;

/// What the last prompt says in the place of the findings.
pub(crate) enum Told {
    Words(String),
    /// The app cannot be attacked, and it is the app's fault: the session ends with what it built.
    NoApp,
    /// Why the session cannot go on now.
    NotNow(String),
}

/// Attacks the tree, unless an earlier process did, and says the findings that are not held back.
pub(crate) fn findings(
    bencher: &Bencher<'_>,
    cell: &Cell,
    (tree, read): (&Path, &decision::Told),
    step: &str,
) -> Result<Told, Fatal> {
    let new = Bencher::new_unit(cell, format!("{BEFORE}{step}"), Some(tree));
    let ledger = &bencher.context.ledger;
    let last = || -> Result<Option<UnitRow>, Fatal> {
        let units = ledger.units(&bencher.row.id)?;
        Ok(units
            .into_iter()
            .rfind(|unit| unit.new.session == new.session && unit.new.step == new.step))
    };
    let is_no_app = |unit: &UnitRow| {
        let cause = unit.cause.as_ref();
        cause.is_some_and(|cause| cause.fault == Fault::App)
    };
    let is_settled = |unit: &UnitRow| unit.state == "done" || is_no_app(unit);
    if !last()?.as_ref().is_some_and(is_settled) {
        let name = format!(
            "{}  before the feedback",
            label(&cell.framework, &cell.agent, &cell.arm)
        );
        bencher.tree(&new, read, tree, &name)?;
    }
    let Some(unit) = last()?.filter(is_settled) else {
        let why = "the app could not be attacked before the feedback";
        return Ok(Told::NotNow(why.to_owned()));
    };
    if is_no_app(&unit) {
        return Ok(Told::NoApp);
    }
    let arm = view::arm(&cell.arm)?;
    let session = view::session(ledger, &unit, &view::tiers_in(&arm))?;
    let all = finding::gather(&session, &conclude::rules()?, &[], &[]);
    let kept = arm.feedback.unwrap_or_default().held_back;
    let told: Vec<&Finding> = all
        .iter()
        .filter(|one| one.exploits.iter().all(|id| !kept.contains(id)))
        .collect();
    Ok(Told::Words(words(&session, &told)))
}

/// That nothing was found is said only where enough was decided.
fn words(session: &Session, told: &[&Finding]) -> String {
    if !told.is_empty() {
        finding::told(told)
    } else if finding::too_little(session) {
        "Too little of it could be checked to say anything.".to_owned()
    } else {
        "Nothing was found.".to_owned()
    }
}

/// What became of the findings that were told, and of those that were not.
pub(crate) fn split(arm: &Arm, before: &[Judged], after: &[Judged]) -> Option<Split> {
    let held = &arm.feedback.as_ref()?.held_back;
    let now = |id: &str| after.iter().find(|one| one.exploit == id);
    let part = |held_back: bool| {
        let found = before.iter().filter(|one| {
            one.verdict == Word::Exploited && held.contains(&one.exploit) == held_back
        });
        let mut part = Part::default();
        for id in found.map(|one| one.exploit.clone()) {
            match now(&id).map(|one| one.verdict) {
                Some(Word::Resisted) => part.closed.push(id),
                Some(Word::Exploited) => part.open.push(id),
                Some(Word::Inconclusive | Word::NotApplicable) | None => part.undecided.push(id),
            }
        }
        part
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

#[cfg(test)]
mod tests {
    use model::run::Tier;

    use super::*;

    fn judged(exploit: &str, verdict: Word) -> Judged {
        Judged {
            exploit: exploit.into(),
            area: "auth".into(),
            tier: Tier::Hardening,
            verdict,
            reason: String::new(),
            fault: None,
            step: None,
            revision: 1,
            calibration: None,
            attempts: 1,
            notes: vec![],
            evidence: vec![],
            title: String::new(),
        }
    }

    fn session(verdicts: Vec<Judged>) -> Session {
        Session {
            id: "s".into(),
            agent: "codex@0".into(),
            auth: None,
            framework: "fastapi".into(),
            arm: "feedback".into(),
            replicate: 1,
            step: "before-7-feedback".into(),
            boot: None,
            attack: None,
            trouble: None,
            ended: None,
            verdicts,
            decisions: vec![],
            source: None,
            wanted: vec![],
            feedback: None,
            stages: vec![],
            regressions: vec![],
        }
    }

    #[test]
    fn an_attack_that_decided_little_found_not_nothing() {
        let sound = session(vec![
            judged("a", Word::Resisted),
            judged("b", Word::Resisted),
        ]);
        assert_eq!(words(&sound, &[]), "Nothing was found.");
        let dead = session(vec![
            judged("a", Word::Resisted),
            judged("b", Word::Inconclusive),
        ]);
        assert!(words(&dead, &[]).starts_with("Too little"));
    }

    #[test]
    fn what_cannot_be_decided_any_more_is_neither_closed_nor_open() {
        let arm = Arm::find("feedback").unwrap();
        let ids = [
            "search-other-user",
            "weak-password",
            "login-rate-limit",
            "missing-token",
        ];
        let before = ids[..3].iter().map(|id| judged(id, Word::Exploited));
        let before: Vec<Judged> = before.chain([judged(ids[3], Word::Resisted)]).collect();
        let after = [
            judged(ids[0], Word::Inconclusive),
            judged(ids[1], Word::Resisted),
            judged(ids[2], Word::Exploited),
            judged(ids[3], Word::Exploited),
        ];
        let split = split(&arm, &before, &after).unwrap();
        assert_eq!(split.told.closed, [ids[1]]);
        assert_eq!(split.told.undecided, [ids[0]]);
        assert!(split.told.open.is_empty());
        assert_eq!(split.held_back.open, [ids[2]]);
        assert_eq!(split.broken, [ids[3]]);
    }
}
