//! Several controls in one app, where an app must be built: a build costs more than all attacks on it.
//!
//! A pack has at most one control of an area, no exploit is about two of them, and what decides by a boot of its own, by
//! time or by a limit is never packed. A pack that says anything but what its controls must say is measured again, each
//! control alone; a packed row says that it was.

use std::collections::{BTreeMap, BTreeSet};

use agent::recorded;
use exploit::Entry;

use super::control::BASE;
use super::measure::{Job, LAST_STEP};

/// What changes how the app starts or how often it answers.
const NEVER: [&str; 4] = [
    "default-secret",
    "login-rate-limit",
    "account-enumeration",
    "production-detection",
];

/// Puts the jobs of frameworks that are built into packs; the others, and what is left, stay alone.
pub(crate) fn packs(jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let (mut alone, mut open) = (Vec::new(), Vec::new());
    for job in jobs {
        if is_packable(&job) {
            open.push(job);
        } else {
            alone.push(vec![job]);
        }
    }
    let mut trees: BTreeMap<String, Option<BTreeMap<String, String>>> = BTreeMap::new();
    let mut all: Vec<Pack> = Vec::new();
    for job in open {
        let framework = job.control.framework.clone();
        let tree = trees
            .entry(framework.clone())
            .or_insert_with(|| recorded::texts(&framework, BASE, LAST_STEP).ok());
        let Some(tree) = tree else {
            alone.push(vec![job]);
            continue;
        };
        if let Some(place) = all.iter_mut().find_map(|pack| pack.with(&job)) {
            place.push(job);
            continue;
        }
        let mut pack = Pack {
            framework,
            tree: tree.clone(),
            exploits: BTreeSet::new(),
            areas: BTreeSet::new(),
            jobs: Vec::new(),
        };
        if let Some(place) = pack.with(&job) {
            place.push(job);
            all.push(pack);
        } else {
            alone.push(vec![job]);
        }
    }
    all.into_iter().map(|pack| pack.jobs).chain(alone).collect()
}

fn is_packable(job: &Job) -> bool {
    let built = app::framework::find(&job.control.framework)
        .is_some_and(|framework| framework.build.is_some());
    built
        && job.control.id != BASE
        && job.entries.len() < Entry::study().len()
        && !job.entries.iter().any(|entry| NEVER.contains(&entry.id))
        && !NEVER.contains(&job.control.exploit())
}

struct Pack {
    framework: String,
    /// The app with the changes so far.
    tree: BTreeMap<String, String>,
    exploits: BTreeSet<&'static str>,
    areas: BTreeSet<String>,
    jobs: Vec<Job>,
}

impl Pack {
    /// Takes a job's changes in, where they fit.
    fn with(&mut self, job: &Job) -> Option<&mut Vec<Job>> {
        let control = &job.control;
        let own: BTreeSet<&str> = exploit::all()
            .iter()
            .map(|entry| entry.id)
            .filter(|id| control.concerns(id))
            .collect();
        let areas: BTreeSet<String> = own
            .iter()
            .filter_map(|id| exploit::find(id))
            .map(|entry| entry.area.to_owned())
            .collect();
        let fits = self.framework == control.framework
            && own.is_disjoint(&self.exploits)
            && areas.is_disjoint(&self.areas);
        if !fits {
            return None;
        }
        let mut tree = self.tree.clone();
        control.apply_to(&mut tree).ok()?;
        self.tree = tree;
        let known = exploit::all().into_iter().map(|entry| entry.id);
        self.exploits
            .extend(known.filter(|id| control.concerns(id)));
        self.areas.extend(areas);
        Some(&mut self.jobs)
    }
}

/// The controls of a pack as one.
pub(crate) fn joined(jobs: &[Job]) -> Option<Job> {
    let mut all = jobs.iter();
    let first = all.next()?;
    let mut control = first.control.clone();
    let mut entries = first.entries.clone();
    for job in all {
        control = control.and(&job.control);
        entries.extend(job.entries.iter().copied());
    }
    entries.sort_by_key(|entry| entry.exploit.number);
    Some(Job { control, entries })
}

#[cfg(test)]
mod tests {
    use super::super::control::shipped;
    use super::*;

    fn jobs(framework: &str) -> Vec<Job> {
        shipped(framework)
            .unwrap()
            .into_iter()
            .map(|control| Job {
                entries: exploit::all()
                    .into_iter()
                    .filter(|entry| control.concerns(entry.id))
                    .collect(),
                control,
            })
            .collect()
    }

    #[test]
    fn packs_hold_every_control_once_and_none_twice_of_an_exploit() {
        let before = jobs("nextjs").len();
        let all = packs(jobs("nextjs"));
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), before);
        assert!(all.iter().any(|pack| pack.len() > 3), "nothing was packed");
        for pack in &all {
            let mut seen = BTreeSet::new();
            for job in pack {
                for entry in &job.entries {
                    assert!(seen.insert(entry.id), "{} twice", entry.id);
                    assert!(pack.len() == 1 || !NEVER.contains(&entry.id));
                }
            }
            let mut tree = recorded::texts("nextjs", BASE, LAST_STEP).unwrap();
            joined(pack).unwrap().control.apply_to(&mut tree).unwrap();
        }
    }

    #[test]
    fn what_needs_no_build_stays_alone() {
        assert!(packs(jobs("fastapi")).iter().all(|pack| pack.len() == 1));
    }
}
