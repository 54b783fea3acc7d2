//! The quick gate: every exploit on the reference app, in this process, over its weaknesses and all shapes.

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
}

/// Where a shape is a control of its own, a weakness is none in it; that is left to the tests.
pub(crate) fn run(entries: &[&'static Entry], seed: &str, date: &str) -> Result<Vec<Row>, Fatal> {
    let mut jobs: Vec<Job> = std::iter::once(None)
        .chain(Shape::ALL.iter().copied().map(Some))
        .map(Job::Shaped)
        .collect();
    let weak = Weakness::ALL.iter().copied();
    let (quiet, loud): (Vec<Weakness>, Vec<Weakness>) =
        weak.partition(|one| *one == Weakness::EnumerateByTiming);
    jobs.extend(loud.into_iter().map(Job::Weak));
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
        Job::Weak(Weakness::EnumerateByTiming) => (
            Weakness::EnumerateByTiming.name(),
            Twin {
                cost: SLOW,
                ..Twin::weak(Weakness::EnumerateByTiming)
            },
        ),
        Job::Weak(weakness) => (weakness.name(), Twin::weak(*weakness)),
        Job::Shaped(None) => ("secure", Twin::secure()),
        Job::Shaped(Some(shape)) => (shape.name(), Twin::shaped(*shape)),
    };
    let trips = |id: &str| matches!(job, Job::Weak(weakness) if weakness.trips().contains(&id));
    let wanted: Vec<&'static Entry> = entries
        .iter()
        .copied()
        .filter(|entry| matches!(job, Job::Shaped(_)) || trips(entry.id))
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let target: Target = twin.boot(&[]).map_err(|refused| {
        Fatal::failed(format!("the reference app did not start: {refused:?}"))
    })?;
    let begun = Instant::now();
    let mut last: BTreeMap<&str, Ran> = BTreeMap::new();
    for ran in exploit::attack(&target, &wanted, &seed.derive(name), 4, &|_| ()) {
        if !ran.repeat {
            last.insert(ran.id, ran);
        }
    }
    Ok(last
        .into_values()
        .map(|ran| {
            let verdict = judge(&ran.facts);
            let (kind, expected) = if trips(ran.id) {
                (Kind::Mutant, Expected::Exploited)
            } else {
                (Kind::NearMiss, Expected::Resisted)
            };
            let right = (verdict.word() == Word::Exploited) == trips(ran.id);
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
