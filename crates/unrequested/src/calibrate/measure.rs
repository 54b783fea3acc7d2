//! Runs exploits on controls: real apps, booted and attacked as any other.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use agent::recorded;
use exploit::{Alone, Entry, Seed};
use infer::Unbound;
use model::calibration::Row;
use model::run::Judged;
use model::{Cause, Fault, Step, Word};

use super::control::{BASE, Control};
use super::{pack, side_by_side};
use crate::bind;
use crate::context::{Context, suite_hash};
use crate::exit::Fatal;
use crate::ledger::{NewUnit, RunRow};
use crate::progress::Progress;
use crate::session::{Attackers, boot_and_attack};
use crate::target::{Stand, millis};
use crate::view;

pub(crate) const LAST_STEP: usize = 6;

/// One control and the exploits to run on it.
pub(crate) struct Job {
    pub(crate) control: Control,
    pub(crate) entries: Vec<&'static Entry>,
}

impl Job {
    /// Whether something in it measures time, so that nothing else may run then.
    fn is_quiet(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.exploit.alone == Alone::Quiet)
    }
}

pub(crate) struct Measure<'a> {
    pub(crate) context: &'a Context,
    pub(crate) run: &'a RunRow,
    pub(crate) progress: &'a Progress,
    pub(crate) date: String,
    /// Each app's binding is found out, as `check` does for an app that nobody described.
    pub(crate) withhold: bool,
}

impl Measure<'_> {
    /// Runs the jobs, a few at a time, then those that measure time one by one.
    pub(crate) fn all(&self, jobs: Vec<Job>, threads: usize) -> Result<Vec<Row>, Fatal> {
        let total = jobs.len();
        let (quiet, loud): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(Job::is_quiet);
        let ended = AtomicUsize::new(0);
        let act = |jobs: Vec<Job>| {
            let mut found = self.packed(&jobs)?;
            for job in &jobs {
                let mine = |row: &&Row| row.control == job.control.id;
                let own: Vec<Row> = found.iter().filter(mine).cloned().collect();
                let own = if own.is_empty() {
                    let alone = self.one(job)?;
                    found.extend(alone.iter().cloned());
                    alone
                } else {
                    own
                };
                let done = ended.fetch_add(1, Ordering::Relaxed) + 1;
                self.tell(job, &own, done, total);
            }
            Ok::<_, Fatal>(found)
        };
        let mut rows = side_by_side(pack::packs(loud), threads, act)?;
        let quiet = quiet.into_iter().map(|job| vec![job]).collect();
        rows.extend(side_by_side(quiet, 1, act)?);
        rows.sort_by_cached_key(|row| {
            let number = exploit::find(&row.exploit).map(|entry| entry.exploit.number);
            (row.framework.clone(), row.control.clone(), number)
        });
        Ok(rows)
    }

    fn tell(&self, job: &Job, rows: &[Row], done: usize, total: usize) {
        let wrong: Vec<&Row> = rows.iter().filter(|row| !row.is_right()).collect();
        let control = &job.control;
        let name = format!("{} {}", control.framework, control.id);
        self.progress.live(&format!("  {done} of {total}  {name}"));
        for row in wrong {
            self.progress.line(&format!(
                "! {name}: {} said {}, not {}: {}",
                row.exploit,
                row.verdict.name(),
                row.expected.name(),
                report::clean(&row.why)
            ));
        }
    }

    /// The rows of several controls in one app; none where they are not all right together, or where there is but one.
    fn packed(&self, jobs: &[Job]) -> Result<Vec<Row>, Fatal> {
        if jobs.len() < 2 {
            return Ok(Vec::new());
        }
        let Some(whole) = pack::joined(jobs) else {
            return Ok(Vec::new());
        };
        let (judged, took) = self.attacked(&whole)?;
        let mut rows = Vec::new();
        for job in jobs {
            for entry in &job.entries {
                let found = judged.iter().find(|one| one.exploit == entry.id);
                let mut row = self.row(&job.control, entry, found, took);
                row.packed = true;
                rows.push(row);
            }
        }
        if !rows.iter().all(Row::is_right) {
            rows.clear();
        }
        Ok(rows)
    }

    /// Boots one control and attacks it. What cannot be booted is inconclusive, never right.
    pub(crate) fn one(&self, job: &Job) -> Result<Vec<Row>, Fatal> {
        let (judged, took) = self.attacked(job)?;
        Ok(job
            .entries
            .iter()
            .map(|entry| {
                let found = judged.iter().find(|one| one.exploit == entry.id);
                self.row(&job.control, entry, found, took)
            })
            .collect())
    }

    /// What the exploits of a job said, and how long each took, in milliseconds.
    fn attacked(&self, job: &Job) -> Result<(Vec<Judged>, u64), Fatal> {
        let control = &job.control;
        let session = format!("control/{}/{}", control.framework, control.id);
        let begun = Instant::now();
        let folder = self
            .context
            .dir
            .join("runs")
            .join(&self.run.id)
            .join(&blake3::hash(session.as_bytes()).to_hex()[..16]);
        let unit = self.context.ledger.begin_unit(
            &self.run.id,
            &NewUnit {
                key: format!("{} {}", key(control, None), suite_hash()),
                session: session.clone(),
                agent: format!("control:{}", control.id),
                framework: control.framework.clone(),
                arm: "none".to_owned(),
                replicate: 1,
                step: "6-production".to_owned(),
                tree: None,
            },
        )?;
        let seed = Seed::new(&self.run.seed).derive(&session);
        let judged = match self.stand(control, &folder, &seed) {
            Ok((stand, unbound)) => {
                let attackers = Attackers {
                    entries: &job.entries,
                    seed,
                    name: &control.id,
                    unbound: &unbound,
                };
                let quiet = Progress::new(true);
                boot_and_attack(self.context, unit, &stand, &attackers, &quiet)?;
                let tiers = view::tiers()?;
                let units = self.context.ledger.units(&self.run.id)?;
                let row = units.iter().find(|row| row.id == unit);
                let row = row.ok_or_else(|| Fatal::failed("the unit is not in the ledger"))?;
                view::session(&self.context.ledger, row, &tiers)?.verdicts
            }
            Err(cause) => {
                self.context.ledger.fail_unit(unit, &cause, "")?;
                Vec::new()
            }
        };
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let took = millis(begun.elapsed()) / job.entries.len().max(1) as u64;
        Ok((judged, took))
    }

    fn row(&self, control: &Control, entry: &Entry, found: Option<&Judged>, ms: u64) -> Row {
        let mut row = Row {
            framework: control.framework.clone(),
            control: control.id.clone(),
            kind: control.kind,
            exploit: entry.id.to_owned(),
            expected: control.expected(entry.id),
            verdict: found.map_or(Word::Inconclusive, |one| one.verdict),
            noted: found.is_some_and(|one| !one.notes.is_empty()),
            why: found.map_or_else(
                || "the control could not be built".to_owned(),
                |one| one.reason.clone(),
            ),
            key: key(control, Some(entry)),
            date: self.date.clone(),
            ms,
            packed: false,
        };
        if row.is_right() {
            row.why.clear();
        }
        row
    }

    fn stand(
        &self,
        control: &Control,
        folder: &std::path::Path,
        seed: &Seed,
    ) -> Result<(Stand, Vec<Unbound>), Cause> {
        let failed = |fault, why: String| Cause {
            fault,
            step: Step::Boot,
            why,
        };
        let harness = |error: &dyn std::fmt::Display| failed(Fault::Harness, error.to_string());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| harness(&error))?;
        }
        fs::create_dir_all(folder).map_err(|error| harness(&error))?;
        recorded::write(&control.framework, BASE, LAST_STEP, folder)
            .map_err(|error| harness(&error))?;
        control.apply(folder).map_err(|error| harness(&error))?;
        let framework = app::framework::find(&control.framework)
            .ok_or_else(|| failed(Fault::Harness, "its framework is not known".to_owned()))?;
        let plan = self
            .context
            .ready(folder, framework, seed)
            .map_err(|error| harness(&error))?;
        if !self.withhold {
            return Ok((Stand::new(plan, exploit::contract()), Vec::new()));
        }
        let offer = bind::withheld(folder, &plan, seed);
        Ok((Stand::new(plan, offer.binding), offer.unbound))
    }
}

/// A hash of all that could change what an exploit says of a control.
pub(crate) fn key(control: &Control, entry: Option<&Entry>) -> String {
    Key::of(control).with(entry.map(Entry::source_hash).as_deref())
}

/// What is the same for all exploits on a control, hashed once.
pub(crate) struct Key(blake3::Hasher);

impl Key {
    pub(crate) fn of(control: &Control) -> Self {
        let mut hasher = blake3::Hasher::new();
        add(&mut hasher, control.text.as_bytes());
        let starter = format!("study/starters/{}", control.framework);
        let base = format!("recordings/{}/{BASE}", control.framework);
        for folder in [starter, base] {
            for (name, file) in agent::folder(&folder) {
                add(&mut hasher, name.as_bytes());
                add(&mut hasher, file.bytes);
            }
        }
        if let Some(framework) = app::framework::find(&control.framework) {
            add(&mut hasher, framework.source.as_bytes());
        }
        Self(hasher)
    }

    /// With the source of one exploit, by its hash.
    pub(crate) fn with(&self, source: Option<&str>) -> String {
        let mut hasher = self.0.clone();
        if let Some(source) = source {
            add(&mut hasher, source.as_bytes());
        }
        hasher.finalize().to_hex().as_str()[..16].to_owned()
    }
}

fn add(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}
