//! What `check` makes of a run, finished or interrupted: findings with proofs, what is accepted, what was decided before,
//! the formats, the exit code.

use std::path::{Path, PathBuf};

use model::decision::{Decision, Origin};
use model::run::{Run, Session};
use model::{Cause, Facts, Fault, Step, judge};
use report::finding::{self, Finding, Proof, Rule, State};
use report::{App, Paint, Report, junit};

use super::check::{exit, lines};
use super::{called, decisions, print};
use crate::baseline::{BASELINE, Baseline, is_day};
use crate::cli::{Check, FailOn};
use crate::exit::{Exit, Fatal};
use crate::ledger::{self, Ledger, RunRow};
use crate::output;
use crate::proof::proof;
use crate::view;

/// What the command line says about findings, read and found good before anything is attacked.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) check: Check,
    pub(crate) shown: String,
    paint: Paint,
    /// All exploits that are to be run.
    planned: Vec<&'static str>,
    baseline: Option<(PathBuf, Baseline)>,
    /// What the revision of `--since` had decided.
    before: Option<(String, Vec<Decision>)>,
}

impl Wanted {
    /// `tree` is the app's folder, where it has one.
    pub(crate) fn read(
        check: &Check,
        tree: Option<&Path>,
        shown: &str,
        planned: &[&'static exploit::Entry],
        paint: Paint,
    ) -> Result<Self, Fatal> {
        output::verify(&check.format)?;
        let path = match (&check.baseline, tree) {
            (Some(path), _) if !path.is_file() && check.accept.is_none() => {
                return Err(Fatal::usage(format!(
                    "there is no baseline {}",
                    path.display()
                )));
            }
            (Some(path), _) => Some(path.clone()),
            (None, Some(tree)) => Some(tree.join(BASELINE)),
            (None, None) => None,
        };
        let baseline = path
            .map(|path| Baseline::read(&path).map(|baseline| (path, baseline)))
            .transpose()?;
        if check.accept.is_some() {
            if baseline.is_none() {
                return Err(Fatal::usage(
                    "--accept wants the app's folder, or --baseline FILE",
                ));
            }
            let until = check.until.as_deref().unwrap_or_default();
            if !is_day(until) || until < ledger::today()?.as_str() {
                return Err(Fatal::usage(format!(
                    "--until {until}: name a day to come, such as 2027-01-31"
                )));
            }
            if check
                .reason
                .as_deref()
                .is_none_or(|reason| reason.trim().is_empty())
            {
                return Err(Fatal::usage(
                    "--accept wants --reason TEXT: why it is right for this app",
                ));
            }
        }
        let before = match (&check.since, tree) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(Fatal::usage("--since wants a folder in a git repository"));
            }
            (Some(revision), Some(tree)) => Some((
                revision.clone(),
                decisions::at_revision(tree, revision)?.decisions,
            )),
        };
        Ok(Self {
            check: check.clone(),
            shown: shown.to_owned(),
            paint,
            planned: planned.iter().map(|entry| entry.id).collect(),
            baseline,
            before,
        })
    }

    /// Says all that is known of a run, and how the process is to end.
    pub(crate) fn conclude(
        &self,
        ledger: &Ledger,
        run: &str,
        interrupted: bool,
    ) -> Result<Exit, Fatal> {
        let row = ledger.run(Some(run))?;
        let mut run = view::run(ledger, &row)?;
        let mut notices = Vec::new();
        if interrupted {
            notices.push(self.interrupted(&mut run)?);
        }
        let rules = rules()?;
        let mut apps = apps(ledger, &row, &run, &rules)?;
        let accepted = self.states(&mut apps, run.complete, &mut notices)?;
        let report = Report {
            run: &run,
            rules: &rules,
            apps,
            notices,
            hardening: self.check.hardening,
            called: called().to_owned(),
            shown: self.shown.clone(),
            prefix: prefix(&self.check.app),
        };
        let exit = exit(&report, &self.check);
        let mut last = lines(&report, &row, Some(exit));
        if let Some(line) = last_time(ledger, &row, &report)? {
            last.insert(0, line);
        }
        if let Some(line) = accepted {
            last.insert(0, line);
        }
        for output in &self.check.format {
            if let Some(file) = &output.file {
                last.insert(0, format!("wrote   {}", file.display()));
            }
        }
        let fails = match self.check.fail_on {
            FailOn::Exploited | FailOn::Never => junit::Fails::Requirement,
            FailOn::Absent => junit::Fails::All,
        };
        print(&output::write(
            &self.check.format,
            &report,
            fails,
            &last,
            self.paint,
        )?)?;
        Ok(exit)
    }

    /// Exploits that never ended are undecided, by our own fault.
    fn interrupted(&self, run: &mut Run) -> Result<String, Fatal> {
        let tiers = view::tiers()?;
        let mut ended = 0;
        for session in &mut run.sessions {
            ended += session.verdicts.len();
            for id in &self.planned {
                if session.verdicts.iter().any(|one| one.exploit == *id) {
                    continue;
                }
                let Some(entry) = exploit::find(id) else {
                    continue;
                };
                let verdict = judge(&Facts {
                    stop: Some(Cause {
                        fault: Fault::Harness,
                        step: Step::Setup,
                        why: "interrupted before it had ended".into(),
                    }),
                    ..Facts::default()
                });
                let tries = (entry.exploit.revision, 0);
                let undecided = view::judged(entry, &tiers, &verdict, tries);
                session.verdicts.push(undecided);
            }
        }
        run.complete = false;
        run.scores = report::score(run);
        Ok(format!(
            "INTERRUPTED: {ended} of {} exploits had ended; this is what they say",
            self.planned.len()
        ))
    }

    /// Marks what is accepted and what was decided before; writes what `--accept` names.
    fn states(
        &self,
        apps: &mut [App<'_>],
        complete: bool,
        notices: &mut Vec<String>,
    ) -> Result<Option<String>, Fatal> {
        let mut line = None;
        let today = ledger::today()?;
        if let Some((path, baseline)) = &self.baseline {
            let mut baseline = baseline.clone();
            if let Some(ids) = &self.check.accept {
                let count = self.accept(&mut baseline, apps, ids)?;
                baseline.write(path)?;
                line = Some(format!("accepted {count} in {}; commit it", path.display()));
            }
            for app in apps.iter_mut() {
                let whole = complete && self.check.only.is_empty() && app.session.trouble.is_none();
                notices.extend(baseline.apply(&mut app.findings, &today, whole));
            }
            let count = apps
                .iter()
                .flat_map(|app| &app.findings)
                .filter(|one| matches!(one.state, State::Accepted { .. }))
                .count();
            if count > 0 && !baseline.is_empty() {
                notices.push(format!("{count} accepted in {}", path.display()));
            }
        }
        if let Some((revision, old)) = &self.before {
            for app in apps.iter_mut() {
                since(app.session, &mut app.findings, revision, old);
            }
        }
        Ok(line)
    }

    fn accept(
        &self,
        baseline: &mut Baseline,
        apps: &[App<'_>],
        ids: &[String],
    ) -> Result<usize, Fatal> {
        let found: Vec<&Finding> = apps.iter().flat_map(|app| &app.findings).collect();
        if let Some(id) = ids.iter().find(|id| found.iter().all(|one| one.id != **id)) {
            let known: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
            return Err(Fatal::usage(format!(
                "{id} was not found in this run, so there is nothing to accept; found: {}",
                known.join(", ")
            )));
        }
        let reason = self.check.reason.as_deref().unwrap_or_default();
        let until = self.check.until.as_deref().unwrap_or_default();
        let by = self
            .check
            .by
            .clone()
            .or_else(|| std::env::var("USER").ok())
            .unwrap_or_else(|| "somebody".into());
        let chosen: Vec<&&Finding> = found
            .iter()
            .filter(|one| ids.is_empty() || ids.contains(&one.id))
            .collect();
        for finding in &chosen {
            baseline.accept(finding, reason, &by, until);
        }
        Ok(chosen.len())
    }
}

/// What changed since the last finished run of the same app.
fn last_time(ledger: &Ledger, row: &RunRow, report: &Report<'_>) -> Result<Option<String>, Fatal> {
    let same = |other: &RunRow| {
        other.command == "check"
            && other.study == row.study
            && other.id != row.id
            && other.begun <= row.begun
    };
    let Some(before) = ledger
        .runs()?
        .into_iter()
        .find(|other| same(other) && other.ended.is_some())
    else {
        return Ok(None);
    };
    let run = view::run(ledger, &before)?;
    let (Some(app), Some(then)) = (report.apps.first(), run.sessions.first()) else {
        return Ok(None);
    };
    let old = finding::gather(then, report.rules, &run.instrument, &[]);
    let (fixed, new) = finding::compared(&old, then, &app.findings, app.session);
    let list = |ids: Vec<String>| {
        if ids.is_empty() {
            "none".to_owned()
        } else {
            ids.join(", ")
        }
    };
    Ok(Some(format!(
        "before  since the last run: fixed {}; new {}",
        list(fixed),
        list(new)
    )))
}

/// From here to the app's folder, as places in a repository are named.
fn prefix(app: &str) -> String {
    let path = Path::new(app);
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            std::path::Component::CurDir => {}
            // Elsewhere: its files are named from its own folder.
            std::path::Component::Prefix(_)
            | std::path::Component::RootDir
            | std::path::Component::ParentDir => return String::new(),
        }
    }
    if parts.is_empty() || app.contains("://") {
        return String::new();
    }
    parts.join("/") + "/"
}

/// What is known of the exploits.
pub(crate) fn rules() -> Result<Vec<Rule>, Fatal> {
    let tiers = view::tiers()?;
    Ok(exploit::all()
        .iter()
        .map(|entry| Rule {
            exploit: entry.id.to_owned(),
            title: entry.exploit.title.to_owned(),
            area: entry.area.to_owned(),
            tier: view::tier(&tiers, entry.id),
            cwe: entry.exploit.cwe.to_vec(),
            asvs: entry
                .exploit
                .asvs
                .iter()
                .map(|id| (*id).to_owned())
                .collect(),
            fix: entry.exploit.fix.to_owned(),
            revision: entry.exploit.revision,
        })
        .collect())
}

/// The findings of a run's apps, all of them open, with their proofs.
pub(crate) fn apps<'a>(
    ledger: &Ledger,
    row: &RunRow,
    run: &'a Run,
    rules: &[Rule],
) -> Result<Vec<App<'a>>, Fatal> {
    let units = ledger.units(&row.id)?;
    let mut all = Vec::new();
    for session in run
        .sessions
        .iter()
        .filter(|session| session.agent != "reference")
    {
        let unit = units
            .iter()
            .rfind(|unit| unit.new.session == session.id && unit.new.step == session.step);
        let mut proofs: Vec<Proof> = Vec::new();
        if let Some(unit) = unit {
            let attacks = ledger.attacks(unit.id)?;
            for judged in session
                .verdicts
                .iter()
                .filter(|one| one.verdict == model::Word::Exploited)
            {
                let last = attacks
                    .iter()
                    .rfind(|attack| attack.exploit == judged.exploit && !attack.repeat);
                if let Some(attack) = last {
                    let exchanges: Vec<_> = ledger
                        .exchanges(attack.id)?
                        .into_iter()
                        .map(|(_, one)| one)
                        .collect();
                    proofs.push(proof(&judged.exploit, &attack.facts, &exchanges));
                }
            }
        }
        all.push(App {
            session,
            findings: finding::gather(session, rules, &run.instrument, &proofs),
            undecided: finding::undecided(session, called()),
        });
    }
    Ok(all)
}

/// Marks what the baseline in the app's folder accepts today; for a run that is shown again.
pub(crate) fn accepted(
    ledger: &Ledger,
    row: &RunRow,
    apps: &mut [App<'_>],
) -> Result<Vec<String>, Fatal> {
    let units = ledger.units(&row.id)?;
    let Some(tree) = units.iter().rev().find_map(|unit| unit.new.tree.as_deref()) else {
        return Ok(Vec::new());
    };
    let baseline = Baseline::read(&Path::new(tree).join(BASELINE))?;
    let today = ledger::today()?;
    let mut said = Vec::new();
    for app in apps {
        said.extend(baseline.apply(&mut app.findings, &today, false));
    }
    Ok(said)
}

/// Marks what was decided before a revision: code that decides it is known, and was decided alike at the same places. One route
/// more without an owner is the same choice at one place more, so places count, by their text: moved lines are the same.
fn since(session: &Session, findings: &mut [Finding], revision: &str, old: &[Decision]) {
    let new = || session.decisions.iter().map(|one| &one.decision);
    for finding in findings.iter_mut().filter(|one| one.state == State::Open) {
        let of_it: Vec<&Decision> = session
            .decisions
            .iter()
            .filter(|one| one.tests.iter().any(|id| finding.exploits.contains(id)))
            .map(|one| &one.decision)
            .collect();
        // What could not be read may have changed, and what no place explains may be anywhere.
        let known = !finding.places.is_empty()
            && of_it
                .iter()
                .all(|one| !matches!(one.origin, Origin::Unknown { .. }));
        let alike = of_it
            .iter()
            .all(|one| places(&one.decision, old.iter()) == places(&one.decision, new()));
        if known && alike {
            finding.state = State::Before {
                revision: revision.to_owned(),
            };
        }
    }
}

/// How and where a matter was decided.
pub(super) fn places<'a>(matter: &str, all: impl Iterator<Item = &'a Decision>) -> Vec<String> {
    let mut found: Vec<String> = all
        .filter(|one| one.decision == matter)
        .map(|one| {
            let mut texts: Vec<&str> = one.spans.iter().map(|span| span.text.as_str()).collect();
            texts.sort_unstable();
            format!("{:?}", (one.fingerprint(), &one.below, texts))
        })
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn places_are_named_from_where_check_was_run() {
        assert_eq!(prefix("."), "");
        assert_eq!(prefix("./services//api/"), "services/api/");
        for elsewhere in ["/srv/app", "../app", "http://127.0.0.1:1"] {
            assert_eq!(prefix(elsewhere), "", "{elsewhere}");
        }
    }
}
