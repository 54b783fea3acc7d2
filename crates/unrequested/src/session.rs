//! Boots one app and attacks it: from a unit to facts in the ledger.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use exploit::{Entry, Event, Seed, Target};
use model::{Cause, Fault, Step};

use crate::context::Context;
use crate::exit::Fatal;
use crate::ledger::{Cost, LedgerError};
use crate::progress::Progress;
use crate::target::{Stand, millis};

/// Exploits that run side by side on one app. More would only wait for the app's processor.
const THREADS: usize = 4;

/// How a unit ended.
pub(crate) enum Outcome {
    Attacked(Cost),
    /// Stored as the unit's cause.
    NotBooted(Cause),
}

/// What to attack with, and how to speak of it.
pub(crate) struct Attackers<'a> {
    pub(crate) entries: &'a [&'static Entry],
    pub(crate) seed: Seed,
    pub(crate) name: &'a str,
    /// What is there and not bound.
    pub(crate) unbound: &'a [infer::Unbound],
}

/// Boots and attacks. Every exploit's facts are in the ledger as soon as it has ended.
pub(crate) fn boot_and_attack(
    context: &Context,
    unit: i64,
    stand: &Stand,
    attackers: &Attackers<'_>,
    progress: &Progress,
) -> Result<Outcome, Fatal> {
    progress.live(&format!("  {}  booting", attackers.name));
    // What cannot be hashed cannot be copied either, and the boot says why.
    if let Some(Ok(hash)) = stand.tree().map(app::tree_hash) {
        context.ledger.put_tree_hash(unit, &hash)?;
    }
    let (target, boot, cell) = match stand.target(&[]) {
        Ok(booted) => booted,
        Err(error) => {
            let cause = Cause {
                fault: error.fault,
                step: Step::Boot,
                why: error.why,
            };
            context.ledger.fail_unit(unit, &cause, &error.log)?;
            return Ok(Outcome::NotBooted(cause));
        }
    };
    context.ledger.booted(
        unit,
        (&boot.level.to_string(), cell.limits()),
        "production",
        millis(boot.took),
    )?;
    let booting = cell.cpu();
    let (requests, wall) = attack(context, unit, &target, attackers, progress)?;
    let running = cell.cpu();
    let ended = cell
        .exited()
        .map_or_else(String::new, |exit| exit.to_string());
    drop(target);
    let main = booting
        .zip(running)
        .map(|(before, after)| millis(after.saturating_sub(before)));
    // The copy that was attacked has just been booked with its boot; the others with theirs, which were waited for.
    let copies = stand.spent().saturating_sub(running.map_or(0, millis));
    let cost = Cost {
        requests,
        wall_ms: wall,
        app_cpu_ms: main.map(|main| main + copies),
    };
    context.ledger.end_unit(unit, cost, &ended)?;
    Ok(Outcome::Attacked(cost))
}

/// Attacks an app that runs. Returns the requests sent and the wall time in milliseconds.
pub(crate) fn attack(
    context: &Context,
    unit: i64,
    target: &Target,
    attackers: &Attackers<'_>,
    progress: &Progress,
) -> Result<(u64, u64), Fatal> {
    let begun = Instant::now();
    let requests = AtomicU64::new(0);
    let ended = AtomicUsize::new(0);
    let broken: Mutex<Option<LedgerError>> = Mutex::new(None);
    let total = attackers.entries.len();
    let tell = |event: Event<'_>| match event {
        Event::Started(id) => {
            progress.live(&format!(
                "  {}  {} of {total}  {id}",
                attackers.name,
                ended.load(Ordering::Relaxed)
            ));
        }
        Event::Ended(ran) => {
            ended.fetch_add(
                usize::from(ran.attempt == 1 && !ran.repeat),
                Ordering::Relaxed,
            );
            requests.fetch_add(ran.exchanges.len() as u64, Ordering::Relaxed);
            let revision = exploit::find(ran.id).map_or(0, |entry| entry.exploit.revision);
            let told = crate::bind::not_absent(ran, attackers.unbound);
            if let Err(error) =
                context
                    .ledger
                    .attacked(unit, revision, told.as_ref().unwrap_or(ran))
            {
                broken
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .get_or_insert(error);
            }
        }
    };
    exploit::attack(target, attackers.entries, &attackers.seed, THREADS, &tell);
    if let Some(error) = broken
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
    {
        return Err(error.into());
    }
    Ok((requests.load(Ordering::Relaxed), millis(begun.elapsed())))
}

/// Whether a boot is worth a second try: only for causes that are not the app's.
pub(crate) fn worth_another(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NotBooted(cause) if cause.fault == Fault::Harness)
}
