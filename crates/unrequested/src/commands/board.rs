//! A run of sessions as it is printed, in every format that there is of it.

use std::collections::{BTreeMap, HashMap};

use model::run::{Run, Session};
use report::Paint;
use report::board::{self, Board};
use report::finding::Proof;

use super::{bench, called, conclude};
use crate::exit::Fatal;
use crate::ledger::{self, AttackRow, Ledger, LedgerError, RunRow};
use crate::output::{self, Kind, Output};
use crate::proof::proof;

/// Writes the files that are asked for, and returns what goes to stdout.
pub(super) fn shown(
    ledger: &Ledger,
    row: &RunRow,
    run: &Run,
    skipped: &[String],
    outputs: &[Output],
    paint: Paint,
) -> Result<String, Fatal> {
    output::write_each(outputs, paint, |kind, paint| match kind {
        Kind::Terminal => {
            let order: Vec<&str> = exploit::Entry::study()
                .iter()
                .map(|entry| entry.id)
                .collect();
            let mut notes = skipped.to_vec();
            notes.extend(subscribed(run));
            let mut next = bench::next(run, row, &notes);
            for output in outputs {
                if let Some(file) = &output.file {
                    next.lines.insert(0, format!("wrote   {}", file.display()));
                }
            }
            let board = report::bench::render(run, &order, &next, paint);
            Ok(board + &report::regrade::render(run, paint))
        }
        Kind::Json => Ok(report::json::render(run)),
        Kind::Html => page(ledger, row, run, skipped, None),
        Kind::Markdown => Ok(board::paper::render(&of(row, run, skipped, &rules()?)?)),
        Kind::Csv => Ok(board::csv::render(&of(row, run, skipped, &rules()?)?)),
        // The last three are refused before.
        Kind::None | Kind::Sarif | Kind::Junit | Kind::Atif => Ok(String::new()),
    })
}

/// How agents were driven that were not paid for by token.
fn subscribed(run: &Run) -> Option<String> {
    let real = run.sessions.iter().filter(|one| one.auth.is_some());
    let count = |auth: &str| {
        real.clone()
            .filter(|one| one.auth.as_deref() == Some(auth))
            .count()
    };
    let (whole, part) = (count("subscription"), count("both"));
    let part = match part {
        0 => String::new(),
        part => format!(", {part} of them in part"),
    };
    (whole > 0 || !part.is_empty()).then(|| {
        format!(
            "{} of {} sessions of real agents were signed in with a subscription{part}.",
            whole + count("both"),
            real.clone().count()
        )
    })
}

/// A run as one HTML page, which asks for itself again where the run goes on.
pub(super) fn page(
    ledger: &Ledger,
    row: &RunRow,
    run: &Run,
    skipped: &[String],
    live: Option<u32>,
) -> Result<String, Fatal> {
    let rules = rules()?;
    let board = Board {
        live,
        ..of(row, run, skipped, &rules)?
    };
    let mut evidence = Evidence::open(ledger, row)?;
    let page = board::render(&board, &mut |session, exploit| {
        evidence.of(session, exploit)
    });
    match evidence.failed {
        Some(error) => Err(error.into()),
        None => Ok(page),
    }
}

fn rules() -> Result<Vec<report::finding::Rule>, Fatal> {
    conclude::rules()
}

fn of<'a>(
    row: &RunRow,
    run: &'a Run,
    skipped: &[String],
    rules: &'a [report::finding::Rule],
) -> Result<Board<'a>, Fatal> {
    let mut notices = skipped.to_vec();
    if let Some(origin) = &row.origin {
        notices.push(format!(
            "The kept trees of run {origin}, attacked again: what changed is in the terminal's report."
        ));
    }
    notices.extend(subscribed(run));
    for session in &run.sessions {
        let lines = session.regressions.iter().map(::report::stages::sentence);
        notices.extend(lines.map(|line| format!("Regression of {}: {line}", session.id)));
    }
    let pages: BTreeMap<String, String> = exploit::all()
        .iter()
        .map(|entry| (entry.id.to_owned(), entry.page.to_owned()))
        .collect();
    Ok(Board {
        run,
        rules,
        pages,
        day: ledger::day(row.begun)?,
        notices,
        called: called().to_owned(),
        live: None,
    })
}

/// Reads the evidence of one exploit after the other; sessions are asked for one at a time.
struct Evidence<'a> {
    ledger: &'a Ledger,
    units: HashMap<(String, String), i64>,
    attacks: Option<(i64, Vec<AttackRow>)>,
    failed: Option<LedgerError>,
}

impl<'a> Evidence<'a> {
    fn open(ledger: &'a Ledger, row: &RunRow) -> Result<Self, LedgerError> {
        let units = ledger.units(&row.id)?;
        Ok(Self {
            ledger,
            // The last attempt counts.
            units: units
                .into_iter()
                .map(|unit| ((unit.new.session, unit.new.step), unit.id))
                .collect(),
            attacks: None,
            failed: None,
        })
    }

    fn of(&mut self, session: &Session, exploit: &str) -> Option<Proof> {
        match self.read(session, exploit) {
            Ok(proof) => proof,
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }

    fn read(&mut self, session: &Session, exploit: &str) -> Result<Option<Proof>, LedgerError> {
        let name = (session.id.clone(), session.step.clone());
        let Some(unit) = self.units.get(&name).copied() else {
            return Ok(None);
        };
        if self.attacks.as_ref().is_none_or(|(of, _)| *of != unit) {
            self.attacks = Some((unit, self.ledger.attacks(unit)?));
        }
        let attacks = self.attacks.as_ref().map_or(&[][..], |(_, all)| all);
        let Some(last) = attacks
            .iter()
            .rfind(|one| one.exploit == exploit && !one.repeat)
        else {
            return Ok(None);
        };
        let exchanges: Vec<_> = self
            .ledger
            .exchanges(last.id)?
            .into_iter()
            .map(|(_, one)| one)
            .collect();
        Ok(Some(proof(exploit, &last.facts, &exchanges)))
    }
}
