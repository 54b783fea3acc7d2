//! The quick gate: every exploit on the reference app, in this process, over its weaknesses and all shapes; with
//! `--everything` over a weakness of each in all shapes as well.

use std::collections::BTreeMap;
use std::time::Instant;

use exploit::{Entry, Ran, Seed, Stage as _, Target};
use model::calibration::{Expected, Kind, Row};
use model::{Word, judge};
use reference::{Shape, Twin, Weakness};

use super::side_by_side;
use crate::exit::Fatal;
use crate::target::millis;

const FRAMEWORK: &str = "reference";
/// Most of the time is spent waiting for effects that do not come.
const THREADS: usize = 12;
/// What a hash costs where only time tells.
const SLOW: u32 = 12;

enum Job {
    Weak(Weakness),
    /// `None` is the contract's own shape.
    Shaped(Option<Shape>),
    Both(&'static Entry, Weakness, Shape),
}

impl Job {
    fn trips(&self, exploit: &str) -> bool {
        match self {
            Self::Weak(weakness) => weakness.trips().contains(&exploit),
            Self::Shaped(_) => false,
            Self::Both(entry, _, shape) => entry.id == exploit && !shape.stops().contains(&exploit),
        }
    }

    fn about(&self, exploit: &str) -> bool {
        match self {
            Self::Weak(_) => self.trips(exploit),
            Self::Shaped(_) => true,
            Self::Both(entry, ..) => entry.id == exploit,
        }
    }
}

pub(crate) fn run(
    entries: &[&'static Entry],
    everything: bool,
    seed: &str,
    date: &str,
) -> Result<Vec<Row>, Fatal> {
    let mut jobs: Vec<Job> = std::iter::once(None)
        .chain(Shape::ALL.iter().copied().map(Some))
        .map(Job::Shaped)
        .collect();
    let weak = Weakness::ALL.iter().copied();
    let (quiet, loud): (Vec<Weakness>, Vec<Weakness>) =
        weak.partition(|one| *one == Weakness::EnumerateByTiming);
    jobs.extend(loud.into_iter().map(Job::Weak));
    if everything {
        for entry in entries.iter().copied() {
            let weakness = Weakness::plainest(entry.id).into_iter();
            jobs.extend(weakness.flat_map(|weakness| {
                let all = Shape::ALL.iter().copied();
                all.map(move |shape| Job::Both(entry, weakness, shape))
            }));
        }
    }
    let act = |job| one(&job, entries, &Seed::new(seed), date);
    let mut rows = side_by_side(jobs, THREADS, act)?;
    rows.extend(side_by_side(
        quiet.into_iter().map(Job::Weak).collect(),
        1,
        act,
    )?);
    Ok(rows)
}

fn one(job: &Job, entries: &[&'static Entry], seed: &Seed, date: &str) -> Result<Vec<Row>, Fatal> {
    let (name, twin) = match job {
        Job::Weak(weakness) => {
            let weak = Twin::weak(*weakness);
            let cost = if *weakness == Weakness::EnumerateByTiming {
                SLOW
            } else {
                weak.cost
            };
            (weakness.name().to_owned(), Twin { cost, ..weak })
        }
        Job::Shaped(None) => ("secure".to_owned(), Twin::secure()),
        Job::Shaped(Some(shape)) => (shape.name().to_owned(), Twin::shaped(*shape)),
        Job::Both(_, weakness, shape) => (
            format!("{}-in-{}", weakness.name(), shape.name()),
            Twin {
                shape: vec![*shape],
                ..Twin::weak(*weakness)
            },
        ),
    };
    let wanted: Vec<&'static Entry> = entries
        .iter()
        .copied()
        .filter(|entry| job.about(entry.id))
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let target: Target = twin.boot(&[]).map_err(|refused| {
        Fatal::failed(format!("the reference app did not start: {refused:?}"))
    })?;
    let begun = Instant::now();
    let mut last: BTreeMap<&str, Ran> = BTreeMap::new();
    for ran in exploit::attack(&target, &wanted, &seed.derive(&name), 4, &|_| ()) {
        if !ran.repeat {
            last.insert(ran.id, ran);
        }
    }
    Ok(last
        .into_values()
        .map(|ran| {
            let verdict = judge(&ran.facts);
            let (kind, expected) = if job.trips(ran.id) {
                (Kind::Mutant, Expected::Exploited)
            } else {
                (Kind::NearMiss, Expected::Resisted)
            };
            let right = (verdict.word() == Word::Exploited) == job.trips(ran.id);
            Row {
                framework: FRAMEWORK.to_owned(),
                control: format!("{}/{name}", ran.id),
                kind,
                exploit: ran.id.to_owned(),
                expected,
                verdict: verdict.word(),
                noted: !ran.facts.notes.is_empty(),
                why: if right && verdict.word() != Word::Inconclusive {
                    String::new()
                } else {
                    verdict.why()
                },
                key: String::new(),
                date: date.to_owned(),
                ms: millis(begun.elapsed()),
                packed: false,
            }
        })
        .collect())
}
