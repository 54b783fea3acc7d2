//! `calibrate`: the exploits on apps whose holes are known.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ::report::Paint;
use ::report::calibration::{markdown, render, summarise};
use exploit::Entry;
use model::calibration::{Kind, Row, Status};

use super::{chosen, print};
use crate::calibrate::control::{self, Control};
use crate::calibrate::measure::{Job, Measure};
use crate::calibrate::{book, patch, quick};
use crate::cli::{Calibrate, Cli, Format};
use crate::context::{Context, suite_hash};
use crate::exit::{Exit, Fatal};
use crate::progress::Progress;

pub(super) fn run(cli: &Cli, asked: &Calibrate, paint: Paint) -> Result<Exit, Fatal> {
    let entries = if asked.only.is_empty() {
        exploit::all()
    } else {
        chosen(&asked.only)?
    };
    if asked.table {
        let rows = book::read(&asked.book)?;
        print(&table(&rows, &controls(asked)?))?;
        return Ok(Exit::Done);
    }
    if let Some(file) = &asked.patch {
        return patch::run(cli, asked, file, &entries, paint);
    }
    let progress = Progress::new(cli.quiet);
    let _busy = asked.busy.then(Busy::begin);
    let mut rounds: Vec<Vec<Row>> = Vec::new();
    let controls = if asked.quick {
        Vec::new()
    } else {
        controls(asked)?
    };
    if asked.quick {
        for round in 1..=asked.repeat {
            let seed = format!("quick/{round}/{}", std::process::id());
            rounds.push(quick::run(&entries, asked.everything, &seed, "")?);
        }
    } else {
        let context = Context::open(&cli.dir, cli.require_box)?;
        let date = crate::ledger::today()?;
        let known = book::read(&asked.book)?;
        for round in 1..=asked.repeat {
            let jobs = jobs(asked, &controls, &entries, &known, &date);
            progress.line(&format!(
                "unrequested {}  calibrate  {} apps with known holes or none, {} verdicts",
                env!("CARGO_PKG_VERSION"),
                jobs.len(),
                jobs.iter().map(|job| job.entries.len()).sum::<usize>()
            ));
            let study = format!("round {round} of {}", asked.repeat);
            let run = context
                .ledger
                .begin_run("calibrate", &suite_hash(), &study, &study)?;
            let measure = Measure {
                context: &context,
                run: &run,
                progress: &progress,
                date: date.clone(),
                withhold: asked.withhold,
            };
            let threads = asked
                .jobs
                .or_else(|| std::thread::available_parallelism().ok().map(usize::from));
            let rows = measure.all(jobs, threads.unwrap_or(1))?;
            context.ledger.end_run(&run.id)?;
            if asked.write {
                let rows = book::merge(book::read(&asked.book)?, &rows, &controls);
                write(&asked.book, &book::text(&rows)?)?;
                // The table is of all frameworks, whichever was measured.
                let every = of(None, asked)?;
                write(&asked.book.with_extension("md"), &table(&rows, &every))?;
            }
            rounds.push(rows);
        }
    }
    let rows = rounds.first().cloned().unwrap_or_default();
    let changed = changes(&rounds);
    let order: Vec<&str> = entries.iter().map(|entry| entry.id).collect();
    // What was measured now says little alone where the rest is known.
    let shown = if asked.gate || asked.changed {
        book::merge(book::read(&asked.book)?, &rows, &controls)
    } else {
        rows.clone()
    };
    let mut text = match asked.format {
        Format::Json => serde_json::to_string_pretty(&summarise(&shown, &order))
            .map_err(|error| Fatal::failed(error.to_string()))?,
        Format::Terminal => render(&shown, &order, paint),
    };
    if asked.format == Format::Terminal && (asked.gate || asked.changed) {
        let right = rows.iter().filter(|row| row.is_right()).count();
        let _ = writeln!(
            text,
            " measured now: {} verdicts, {right} as they must be; the others are the book's",
            rows.len()
        );
    }
    if asked.format == Format::Terminal {
        if rounds.len() > 1 {
            let _ = writeln!(
                text,
                " {} verdicts, each made {} times: {} changed",
                rows.len(),
                rounds.len(),
                changed.len()
            );
        }
        for line in &changed {
            let _ = writeln!(text, "   {line}");
        }
    }
    text.push('\n');
    print(&text)?;
    let mut exit = verdict(asked, &rounds, &order);
    if !changed.is_empty() {
        exit = Exit::Findings;
    }
    if asked.gate {
        let stale = stale(&controls, &entries, &book::read(&asked.book)?);
        if !stale.is_empty() {
            progress.warn(&format!(
                "{} rows of {} were measured with something else than what is here, or never:\n  {}\nMeasure them and keep the file: unrequested calibrate --changed --write",
                stale.len(),
                asked.book.display(),
                stale.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ")
            ));
            exit = Exit::Coverage;
        }
    }
    Ok(exit)
}

/// Single wrong rows count in a part of the controls; in the whole also what is missing.
fn verdict(asked: &Calibrate, rounds: &[Vec<Row>], order: &[&str]) -> Exit {
    let part = asked.gate || asked.changed || asked.control.is_some();
    let statuses = rounds
        .iter()
        .flat_map(|rows| summarise(rows, order))
        .map(|one| one.status);
    let worst = statuses
        .filter(|status| !(part && *status == Status::Missing))
        .min();
    match worst {
        Some(Status::Wrong | Status::Noisy) => Exit::Findings,
        Some(Status::Inconclusive | Status::Missing) => Exit::Coverage,
        None if rounds.iter().all(Vec::is_empty) && !asked.changed && !asked.gate => Exit::Nothing,
        Some(Status::Reported | Status::Validated) | None => Exit::Done,
    }
}

fn controls(asked: &Calibrate) -> Result<Vec<Control>, Fatal> {
    let known = app::framework::ALL.map(|framework| framework.id);
    if let Some(framework) = &asked.framework
        && !known.contains(&framework.as_str())
    {
        return Err(Fatal::usage(format!(
            "there is no framework `{framework}`; known: {}",
            known.join(", ")
        )));
    }
    of(asked.framework.as_deref(), asked)
}

/// The controls of one framework, or of all.
fn of(only: Option<&str>, asked: &Calibrate) -> Result<Vec<Control>, Fatal> {
    let mut all = Vec::new();
    for framework in app::framework::ALL.map(|framework| framework.id) {
        if only.is_some_and(|one| one != framework) {
            continue;
        }
        let found = match &asked.controls {
            Some(folder) => control::read_folder(folder, framework),
            None => control::shipped(framework),
        };
        let found = found.map_err(|error| Fatal::usage(error.to_string()))?;
        if !found.is_empty() {
            all.push(Control::base(framework));
            all.extend(found);
        }
    }
    if all.is_empty() {
        return Err(Fatal::usage(
            "no controls were found; they are FRAMEWORK/EXPLOIT/NAME.toml below the folder",
        ));
    }
    Ok(all)
}

/// What to run: each control with the exploits that it is about, or with all.
fn jobs(
    asked: &Calibrate,
    controls: &[Control],
    entries: &[&'static Entry],
    known: &[Row],
    date: &str,
) -> Vec<Job> {
    let day = blake3::hash(date.as_bytes()).as_bytes()[0] as usize;
    let mut sampled: Vec<&str> = Vec::new();
    if asked.gate {
        for entry in entries {
            let mutants: Vec<&Control> = controls
                .iter()
                .filter(|one| one.exploit() == entry.id && one.kind == Kind::Mutant)
                .collect();
            sampled.extend(
                mutants
                    .get(day % mutants.len().max(1))
                    .map(|one| one.id.as_str()),
            );
        }
        let others = controls
            .iter()
            .filter(|one| !sampled.contains(&one.id.as_str()));
        let tenth: Vec<&str> = others
            .skip(day % 10)
            .step_by(10)
            .map(|one| one.id.as_str())
            .collect();
        sampled.extend(tenth);
    }
    controls
        .iter()
        .filter(|control| {
            asked
                .control
                .as_ref()
                .is_none_or(|text| control.id.contains(text.as_str()))
        })
        .map(|control| Job {
            entries: entries
                .iter()
                .copied()
                // Of depth only what a control is about: it also sees what others are the first to see.
                .filter(|entry| {
                    (asked.everything && !entry.is_depth()) || control.concerns(entry.id)
                })
                .filter(|entry| {
                    !(asked.gate || asked.changed)
                        || sampled.contains(&control.id.as_str())
                        || book::today(known, control, entry).is_none()
                })
                .collect(),
            control: control.clone(),
        })
        .filter(|job| !job.entries.is_empty())
        .collect()
}

/// Controls and exploits of which the book has no row made with what is here today.
fn stale(controls: &[Control], entries: &[&'static Entry], known: &[Row]) -> Vec<String> {
    let mut all = Vec::new();
    for control in controls {
        for entry in entries.iter().filter(|entry| control.concerns(entry.id)) {
            if book::today(known, control, entry).is_none_or(|row| !row.is_right()) {
                all.push(format!("{} {} {}", control.framework, control.id, entry.id));
            }
        }
    }
    all
}

/// Every verdict that was not the same in all rounds.
fn changes(rounds: &[Vec<Row>]) -> Vec<String> {
    let mut words: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for row in rounds.iter().flatten() {
        words
            .entry((&row.framework, &row.control, &row.exploit))
            .or_default()
            .push(row.verdict.name());
    }
    words
        .into_iter()
        .filter(|(_, said)| said.iter().any(|word| *word != said[0]))
        .map(|((framework, control, exploit), said)| {
            format!("{framework} {control} {exploit}: {}", said.join(", "))
        })
        .collect()
}

fn table(rows: &[Row], controls: &[Control]) -> String {
    let order: Vec<&str> = exploit::all().iter().map(|entry| entry.id).collect();
    let about = controls
        .iter()
        .map(|one| ((one.framework.clone(), one.id.clone()), one.about.clone()))
        .collect();
    markdown(rows, &order, &about)
}

fn write(path: &Path, text: &str) -> Result<(), Fatal> {
    std::fs::write(path, text)
        .map_err(|error| Fatal::failed(format!("cannot write {}: {error}", path.display())))
}

/// One thread per core that does nothing but be in the way.
struct Busy {
    stop: std::sync::Arc<AtomicBool>,
}

impl Busy {
    fn begin() -> Self {
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box(blake3::hash(&[0; 4096]));
                }
            });
        }
        Self { stop }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
