//! From the ledger to a run as its readers see it: facts are judged here, at every read.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use agent::Arm;
use model::calibration::Calibration;
use model::decision::{Decided, InForce, Told};
use model::run::{Boot, Cost, Judged, Regrade, Run, SCHEMA, Session, Source, Tier, Trouble};
use model::{Facts, Fault, Reason, Verdict, Word, judge, repeated};
use report::regrade::{App, Gone};

use crate::calibrate::book;
use crate::exit::Fatal;
use crate::feedback;
use crate::ledger::{AttackRow, Ledger, RunRow, UnitRow};
use crate::stages;
use crate::wanted;

/// Which exploits the silent prompts name: tier R.
pub(crate) fn tiers() -> Result<HashMap<String, Tier>, Fatal> {
    Ok(tiers_in(&arm(agent::SILENT)?))
}

/// Which exploits an arm names, in its prompts or its files.
pub(crate) fn tiers_in(arm: &Arm) -> HashMap<String, Tier> {
    exploit::all()
        .iter()
        .map(|entry| {
            let tier = if arm.asks(entry.id) {
                Tier::Requirement
            } else {
                Tier::Hardening
            };
            (entry.id.to_owned(), tier)
        })
        .collect()
}

/// Which exploits an arm has named by the end of a step.
fn tiers_after(arm: &Arm, step: &str) -> HashMap<String, Tier> {
    let mut asked = arm.clone();
    asked.prompts.retain(|prompt| prompt.id.as_str() <= step);
    tiers_in(&asked)
}

/// The arm of a session.
pub(crate) fn arm(session: &str) -> Result<Arm, Fatal> {
    Arm::of(session).map_err(|error| Fatal::failed(error.to_string()))
}

/// Nobody asks for what no prompt names.
pub(crate) fn tier(tiers: &HashMap<String, Tier>, exploit: &str) -> Tier {
    tiers.get(exploit).copied().unwrap_or(Tier::Hardening)
}

/// Reads and judges a run; one that attacked the trees of another is compared with that one.
pub(crate) fn run(ledger: &Ledger, row: &RunRow) -> Result<Run, Fatal> {
    let mut run = alone(ledger, row)?;
    if let Some(origin) = &row.origin {
        let origin = ledger.run(Some(origin))?;
        let before = alone(ledger, &origin)?;
        // What the origin left out is not there to be attacked again.
        run.complete &= origin.ended.is_some();
        run.regrade = Some(compared(ledger, (&origin, &before), (row, &run))?);
    }
    Ok(run)
}

fn compared(
    ledger: &Ledger,
    (origin, before): (&RunRow, &Run),
    (row, after): (&RunRow, &Run),
) -> Result<Regrade, Fatal> {
    type Name = (String, String);
    let last = |units: Vec<UnitRow>| -> HashMap<Name, UnitRow> {
        units
            .into_iter()
            .map(|unit| ((unit.new.session.clone(), unit.new.step.clone()), unit))
            .collect()
    };
    let (then, now) = (
        last(ledger.units(&origin.id)?),
        last(ledger.units(&row.id)?),
    );
    let mut gone = Vec::new();
    for (name, unit) in then
        .iter()
        .filter(|(_, unit)| !stages::is_on_the_way(&unit.new))
    {
        let mut lost: BTreeMap<String, Verdict> = BTreeMap::new();
        for attack in ledger.attacks(unit.id)? {
            if !attack.repeat && exploit::find(&attack.exploit).is_none() {
                lost.insert(attack.exploit, judge(&attack.facts));
            }
        }
        gone.extend(lost.into_iter().map(|(exploit, verdict)| Gone {
            session: name.0.clone(),
            step: name.1.clone(),
            exploit,
            verdict: verdict.word(),
        }));
    }
    let app = |session: &Session| {
        let name = (session.id.clone(), session.step.clone());
        let hash = |units: &HashMap<Name, UnitRow>| units.get(&name)?.tree_hash.clone();
        match (hash(&then), hash(&now)) {
            (Some(before), Some(after)) if before == after => App::Same,
            (Some(_), Some(_)) => App::Differs,
            _ if session.agent == "reference" => App::Same,
            _ => App::Unknown,
        }
    };
    let finished = origin.ended.is_some();
    Ok(report::regrade::compare(
        before, after, finished, app, &gone,
    ))
}

fn alone(ledger: &Ledger, row: &RunRow) -> Result<Run, Fatal> {
    let mut sessions = sessions(ledger.units(&row.id)?, |unit, tiers| {
        session(ledger, unit, tiers)
    })?;
    // A regraded session was driven in its origin.
    let paid = ledger.paid(row.origin.as_ref().unwrap_or(&row.id))?;
    for session in &mut sessions {
        session.auth = paid.get(&session.id).cloned();
    }
    Ok(whole(row, sessions))
}

/// The sessions of these units, each judged by the tiers of its arm.
pub(crate) fn sessions(
    units: Vec<UnitRow>,
    mut judged: impl FnMut(&UnitRow, &HashMap<String, Tier>) -> Result<Session, Fatal>,
) -> Result<Vec<Session>, Fatal> {
    let (on_the_way, units): (Vec<UnitRow>, Vec<UnitRow>) = units
        .into_iter()
        .partition(|unit| stages::is_on_the_way(&unit.new));
    let mut arms: HashMap<String, (Arm, HashMap<String, Tier>)> = HashMap::new();
    let mut sessions = Vec::new();
    for unit in counting(units) {
        let (arm, tiers) = match arms.entry(unit.new.arm.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let arm = arm(&unit.new.arm)?;
                let tiers = tiers_in(&arm);
                new.insert((arm, tiers))
            }
        };
        let mut session = judged(&unit, tiers)?;
        if session.source.is_some() {
            session.wanted = wanted::answers(&arm.wanted, &session.decisions, &session.step);
        }
        for (step, unit) in stages::of(&session, arm, &on_the_way) {
            let judged = judged(unit, &tiers_after(arm, step))?;
            session.stages.push(stages::stage(step, judged));
        }
        session.regressions = report::stages::regressions(&session);
        let before = on_the_way.iter().rfind(|one| {
            one.new.session == session.id && one.state == "done" && stages::is_before(&one.new)
        });
        // Of an app that could not be attacked nothing is known afterwards.
        if let Some(before) = before.filter(|_| session.trouble.is_none()) {
            let before = judged(before, tiers)?;
            session.feedback = feedback::split(arm, &before.verdicts, &session.verdicts);
        }
        sessions.push(session);
    }
    Ok(sessions)
}

/// Of all attempts of all units, in order, those that count: of each session and step the last.
fn counting(units: Vec<UnitRow>) -> Vec<UnitRow> {
    let mut latest: BTreeMap<(String, String), UnitRow> = BTreeMap::new();
    let mut order = Vec::new();
    // A session that could not go on, and later did: what it built counts.
    let built: BTreeSet<String> = units
        .iter()
        .filter(|unit| unit.new.tree.is_some())
        .map(|unit| unit.new.session.clone())
        .collect();
    for unit in units {
        if unit.new.tree.is_none() && built.contains(&unit.new.session) {
            continue;
        }
        let name = (unit.new.session.clone(), unit.new.step.clone());
        if !latest.contains_key(&name) {
            order.push(name.clone());
        }
        latest.insert(name, unit);
    }
    order
        .iter()
        .filter_map(|name| latest.remove(name))
        .collect()
}

/// A run of these sessions, with what is known of the instrument, and scored.
pub(crate) fn whole(row: &RunRow, mut sessions: Vec<Session>) -> Run {
    let mut frameworks: Vec<&str> = sessions
        .iter()
        .map(|session| session.framework.as_str())
        .collect();
    frameworks.sort_unstable();
    frameworks.dedup();
    let instrument: Vec<Calibration> = frameworks
        .iter()
        .flat_map(|framework| book::instrument(framework))
        .filter(|one| {
            // What was not run says nothing of what was.
            let depth = exploit::find(&one.exploit).is_some_and(exploit::Entry::is_depth);
            let ran = |session: &Session| {
                let mut verdicts = session.verdicts.iter();
                verdicts.any(|judged| judged.exploit == one.exploit)
            };
            !depth || sessions.iter().any(ran)
        })
        .collect();
    for session in &mut sessions {
        let stages = session.stages.iter_mut();
        let earlier = stages.flat_map(|stage| &mut stage.verdicts);
        for judged in session.verdicts.iter_mut().chain(earlier) {
            judged.calibration = instrument
                .iter()
                .find(|one| one.framework == session.framework && one.exploit == judged.exploit)
                .map(|one| one.status);
        }
    }
    let is_whole = |trouble: Option<&Trouble>, verdicts: &[Judged]| {
        trouble.is_none_or(|trouble| trouble.fault == Fault::App)
            && verdicts
                .iter()
                .all(|judged| judged.fault != Some(Fault::Harness))
    };
    let whole = sessions.iter().all(|session| {
        let mut stages = session.stages.iter();
        is_whole(session.trouble.as_ref(), &session.verdicts)
            && stages.all(|stage| is_whole(stage.trouble.as_ref(), &stage.verdicts))
    });
    let mut run = Run {
        schema: SCHEMA,
        run: row.id.clone(),
        tool: row.tool.clone(),
        complete: row.ended.is_some() && whole,
        suite: row.suite.clone(),
        sessions,
        instrument,
        scores: Vec::new(),
        regrade: None,
    };
    run.scores = report::score(&run);
    run
}

pub(crate) fn session(
    ledger: &Ledger,
    unit: &UnitRow,
    tiers: &HashMap<String, Tier>,
) -> Result<Session, Fatal> {
    let attacks = ledger.attacks(unit.id)?;
    let told = ledger.reading(unit.id)?;
    judged_unit(unit, &attacks, told, tiers, |attack| {
        Ok(ledger.exchange_ids(attack)?)
    })
}

/// What is stored of a unit, judged; `ids` gives those of the exchanges of a try.
pub(crate) fn judged_unit(
    unit: &UnitRow,
    attacks: &[AttackRow],
    told: Option<Told>,
    tiers: &HashMap<String, Tier>,
    ids: impl Fn(i64) -> Result<Vec<i64>, Fatal>,
) -> Result<Session, Fatal> {
    let mut verdicts = Vec::new();
    for entry in exploit::all() {
        let (again, tries): (Vec<&AttackRow>, Vec<&AttackRow>) = attacks
            .iter()
            .filter(|attack| attack.exploit == entry.id)
            .partition(|attack| attack.repeat);
        if let Some(last) = tries.last() {
            let mut verdict = judge(&last.facts);
            for repetition in again {
                verdict = repeated(verdict, &judge(&repetition.facts));
            }
            let ids = ids(last.id)?;
            verdicts.push(Judged {
                notes: last.facts.notes.clone(),
                evidence: evidence(&last.facts, &verdict, &ids),
                ..judged(entry, tiers, &verdict, (last.revision, last.attempt))
            });
        } else if let Some(cause) = unit.cause.as_ref().filter(|_| !entry.is_depth()) {
            let verdict = judge(&Facts {
                stop: Some(cause.clone()),
                ..Facts::default()
            });
            let tries = (entry.exploit.revision, unit.attempt as u8);
            verdicts.push(judged(entry, tiers, &verdict, tries));
        }
    }
    let (decisions, source) = match told {
        Some(told) => decided(told, &verdicts),
        None => (Vec::new(), None),
    };
    Ok(Session {
        id: unit.new.session.clone(),
        agent: unit.new.agent.clone(),
        auth: None,
        framework: unit.new.framework.clone(),
        arm: unit.new.arm.clone(),
        replicate: unit.new.replicate,
        step: unit.new.step.clone(),
        boot: unit.boot_ms.map(|ms| Boot {
            profile: match unit.profile.as_deref() {
                Some("production") => "production",
                Some("development") => "development",
                _ => "unknown",
            },
            level: unit.level.clone().unwrap_or_default(),
            limits: unit.limits.clone().unwrap_or_default(),
            ms,
        }),
        attack: unit
            .requests
            .zip(unit.wall_ms)
            .map(|(requests, wall_ms)| Cost {
                requests,
                wall_ms,
                app_cpu_ms: unit.app_cpu_ms,
            }),
        trouble: unit.cause.as_ref().map(|cause| Trouble {
            fault: cause.fault,
            step: cause.step,
            why: cause.why.clone(),
            log: unit.log.clone(),
        }),
        ended: (unit.cause.is_none() && !unit.log.is_empty()).then(|| unit.log.clone()),
        verdicts,
        decisions,
        source,
        wanted: Vec::new(),
        feedback: None,
        stages: Vec::new(),
        regressions: Vec::new(),
    })
}

/// A verdict as readers see it, without its evidence.
pub(crate) fn judged(
    entry: &exploit::Entry,
    tiers: &HashMap<String, Tier>,
    verdict: &Verdict,
    (revision, attempts): (u16, u8),
) -> Judged {
    Judged {
        exploit: entry.id.to_owned(),
        area: entry.area.to_owned(),
        tier: tier(tiers, entry.id),
        verdict: verdict.word(),
        reason: verdict.why(),
        fault: verdict.fault(),
        step: verdict.step(),
        revision,
        calibration: None,
        attempts,
        notes: Vec::new(),
        evidence: Vec::new(),
        title: entry.exploit.title.to_owned(),
    }
}

/// Joins each decision with the verdicts of the exploits that test it.
fn decided(told: Told, verdicts: &[Judged]) -> (Vec<Decided>, Option<Source>) {
    let decisions = told
        .decisions
        .into_iter()
        .map(|mut one| {
            let words: Vec<Word> = verdicts
                .iter()
                .filter(|judged| one.tests.contains(&judged.exploit))
                .map(|judged| judged.verdict)
                .collect();
            one.in_force = InForce::of(&one.decision.origin, &words);
            one
        })
        .collect();
    let source = Source {
        files: told.files,
        lines: told.lines,
        unread: told.unread,
        burden: told.burden,
        steps: told.steps,
    };
    (decisions, Some(source))
}

/// The exchanges that show the effect first, then the others that were looked at.
fn evidence(facts: &Facts, verdict: &Verdict, ids: &[i64]) -> Vec<i64> {
    let shows = verdict.word() == Word::Exploited && matches!(verdict.reason(), Reason::Effect(_));
    let mut looks: Vec<_> = facts
        .looked
        .iter()
        .filter(|look| !shows || look.held)
        .collect();
    looks.sort_by_key(|look| !look.held);
    let mut found: Vec<i64> = looks
        .iter()
        .filter_map(|look| look.exchange)
        .filter_map(|number| ids.get(number as usize).copied())
        .collect();
    found.dedup();
    if found.is_empty() {
        found.extend(ids.last());
    }
    found
}
