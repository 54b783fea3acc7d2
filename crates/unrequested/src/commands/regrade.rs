//! `bench --regrade RUN`: the kept trees of a run, attacked with today's exploits. No agent is run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use agent::session::Place;
use model::decision::Told;
use model::{Cause, Fault, Step};
use report::Paint;

use super::bench::{Bencher, label, say_machine};
use super::{board, check, findings_exit, is_incomplete, print, studied};
use crate::cli::{Bench, Cli};
use crate::context::{Context, suite_hash};
use crate::decided::{self, Lock};
use crate::drive::folder_name;
use crate::exit::{Exit, Fatal};
use crate::ledger::{Ledger, NewUnit, RunRow, UnitRow};
use crate::output;
use crate::progress::Progress;
use crate::session::Attackers;
use crate::stages;
use crate::target::Stand;
use crate::view;

pub(super) fn run(cli: &Cli, bench: &Bench, origin: &str, paint: Paint) -> Result<Exit, Fatal> {
    let entries = studied(&bench.only)?;
    output::verify_sessions(&bench.format)?;
    if !cli.dir.join("ledger.db").is_file() {
        return Err(Fatal::usage(format!(
            "there is no ledger in {}, so no run to attack again",
            cli.dir.display()
        )));
    }
    let origin = find(&Ledger::open(&cli.dir)?, origin)?;
    let context = Context::open(&cli.dir, cli.require_box)?;
    let old = kept(
        &context.ledger.units(&origin.id)?,
        bench.framework.as_deref(),
        bench.score_steps,
    );
    if old.is_empty() {
        return Err(Fatal::nothing(format!(
            "the run {} has no session{}: nothing to attack again",
            origin.id,
            bench
                .framework
                .as_ref()
                .map_or(String::new(), |id| format!(" of the framework `{id}`"))
        )));
    }
    let progress = Progress::new(cli.quiet);
    progress.line(&format!(
        "unrequested {}  bench --regrade {}: {} kept tree{}, no agent is run",
        env!("CARGO_PKG_VERSION"),
        origin.id,
        old.len(),
        if old.len() == 1 { "" } else { "s" }
    ));
    say_machine(&context, &[], &progress);
    let row = begin(&context, &origin, bench, &entries, &progress)?;
    let _lock = context.hold(&row.id)?;
    let done = context.ledger.units(&row.id)?;
    let bencher = Bencher {
        context: &context,
        row: &row,
        done: &done,
        entries: &entries,
        progress: &progress,
    };
    bencher.reference()?;
    for unit in &old {
        again(&bencher, &origin, unit)?;
    }
    if bench.score_steps {
        for unit in &old {
            for earlier in snapshots(&bencher, &origin, unit, &old)? {
                again(&bencher, &origin, &earlier)?;
            }
        }
    }
    context.ledger.end_run(&row.id)?;
    let row = context.ledger.run(Some(&row.id))?;
    let run = view::run(&context.ledger, &row)?;
    let shown = board::shown(&context.ledger, &row, &run, &[], &bench.format, paint)?;
    print(&shown)?;
    if run
        .sessions
        .iter()
        .filter(|session| session.agent != "reference")
        .all(|session| session.trouble.is_some())
    {
        return Ok(Exit::Nothing);
    }
    Ok(
        findings_exit(&run, bench.fail_on).unwrap_or(if is_incomplete(&run) {
            Exit::Coverage
        } else {
            Exit::Done
        }),
    )
}

/// The run to attack again: one that keeps trees.
fn find(ledger: &Ledger, name: &str) -> Result<RunRow, Fatal> {
    let row = ledger.run(Some(name))?;
    match row.command.as_str() {
        "bench" | "regrade" => Ok(row),
        other => Err(Fatal::usage(format!(
            "{} is a run of `{other}`, which keeps no trees; only runs of `bench` can be attacked again",
            row.id
        ))),
    }
}

/// A new run, or the unfinished one of the same wish.
fn begin(
    context: &Context,
    origin: &RunRow,
    bench: &Bench,
    entries: &[&'static exploit::Entry],
    progress: &Progress,
) -> Result<RunRow, Fatal> {
    let only: Vec<&str> = entries.iter().map(|entry| entry.id).collect();
    let wish = format!("{}\n{:?}\n{only:?}", origin.id, bench.framework);
    let hash = blake3::hash(wish.as_bytes()).to_hex().to_string();
    let suite = suite_hash();
    let unfinished = if bench.fresh {
        None
    } else {
        context.ledger.unfinished("regrade", &suite, &hash)?
    };
    Ok(match unfinished {
        Some(row) => {
            progress.line(&format!(
                "resuming run {}: what was finished is kept",
                row.id
            ));
            row
        }
        None => context.ledger.begin_regrade(&suite, &hash, origin)?,
    })
}

/// The last attempt at the last step of each session that has a tree, and with `steps` at earlier ones.
pub(super) fn kept(units: &[UnitRow], framework: Option<&str>, steps: bool) -> Vec<UnitRow> {
    let mut last: Vec<UnitRow> = Vec::new();
    for unit in units {
        let wanted = framework.is_none_or(|id| unit.new.framework == id);
        // What was told came from the exploits of then.
        let left_out = stages::is_before(&unit.new) || !steps && stages::is_on_the_way(&unit.new);
        if unit.new.tree.is_none() || !wanted || left_out {
            continue;
        }
        let same =
            |one: &UnitRow| one.new.session == unit.new.session && one.new.step == unit.new.step;
        match last.iter_mut().find(|one| same(one)) {
            Some(one) => *one = unit.clone(),
            None => last.push(unit.clone()),
        }
    }
    last
}

/// What a real agent's session was after its earlier steps, written from its snapshots, where `known` has no unit of them.
fn snapshots(
    bencher: &Bencher<'_>,
    origin: &RunRow,
    unit: &UnitRow,
    known: &[UnitRow],
) -> Result<Vec<UnitRow>, Fatal> {
    let (context, new) = (bencher.context, &unit.new);
    if stages::is_on_the_way(new) {
        return Ok(Vec::new());
    }
    let name = folder_name(&new.session);
    let place = Place::new(context.dir.join("agents").join(&origin.id).join(&name));
    let mut found = Vec::new();
    for turn in context.ledger.turns(&origin.id, &new.session)? {
        let step = format!("{}{}", stages::AFTER, turn.step);
        let is_known = |one: &UnitRow| one.new.session == new.session && one.new.step == step;
        let Some(commit) = turn.snapshot.filter(|_| turn.state == "done") else {
            continue;
        };
        if turn.step >= new.step || known.iter().any(is_known) {
            continue;
        }
        let runs = context.dir.join("runs").join(&bencher.row.id);
        let tree = runs.join(format!("{name}-{step}"));
        // Half a tree is nobody's app: without its snapshot it is gone, and that is what is said of it.
        if let Err(error) = place.snapshots().export(&commit, &tree) {
            cell::remove_folder(&tree)?;
            bencher
                .progress
                .warn(&format!("NOTE: {name}  {step}: {error}"));
        }
        found.push(UnitRow {
            // No reading is kept of it.
            id: 0,
            new: NewUnit {
                step,
                tree: Some(tree.display().to_string()),
                ..new.clone()
            },
            ..unit.clone()
        });
    }
    Ok(found)
}

/// Where a unit's tree is now: where it was, or, when the whole folder was moved, in there.
pub(super) fn tree_of(context: &Context, origin: &RunRow, unit: &UnitRow) -> Option<PathBuf> {
    let noted = PathBuf::from(unit.new.tree.as_deref()?);
    if noted.is_dir() {
        return Some(noted);
    }
    let name = noted.file_name()?;
    let moved = context.dir.join("runs").join(&origin.id).join(name);
    moved.is_dir().then_some(moved)
}

fn again(bencher: &Bencher<'_>, origin: &RunRow, unit: &UnitRow) -> Result<(), Fatal> {
    let (context, progress) = (bencher.context, bencher.progress);
    let old = &unit.new;
    let is_done = |one: &UnitRow| {
        one.new.session == old.session && one.new.step == old.step && one.state == "done"
    };
    if bencher.done.iter().any(is_done) {
        return Ok(());
    }
    let agent = old.agent.strip_prefix("recorded:").unwrap_or(&old.agent);
    let mut name = label(&old.framework, agent, &old.arm);
    if let Some(step) = old.step.strip_prefix(stages::AFTER) {
        let _ = write!(name, "  after {step}");
    }
    let found = tree_of(context, origin, unit);
    let new = NewUnit {
        key: blake3::hash(format!("{} {} {}", old.session, old.step, suite_hash()).as_bytes())
            .to_hex()
            .to_string(),
        tree: found
            .as_ref()
            .map_or_else(|| old.tree.clone(), |tree| Some(tree.display().to_string())),
        ..old.clone()
    };
    let Some(tree) = found else {
        let why = format!(
            "its tree is gone: {} is no folder",
            old.tree.as_deref().unwrap_or_default()
        );
        return failed(bencher, &new, None, &name, Fault::Harness, why);
    };
    let told = told(context, origin, unit, &tree)?;
    let framework = app::framework::find(&old.framework)
        .filter(|one| app::framework::recognise(&tree).is_some_and(|found| found.id == one.id));
    let Some(framework) = framework else {
        let why = "the tree is no app of its framework".to_owned();
        return failed(bencher, &new, Some(&told), &name, Fault::App, why);
    };
    progress.live(&format!("  {name}  installing its packages"));
    let seed = bencher.seed(&old.session);
    let plan = match context.ready(&tree, framework, &seed) {
        Ok(plan) => plan,
        Err(error) if error.is_missing() => return Err(error.into()),
        Err(error) => {
            let why = error.to_string();
            return failed(bencher, &new, Some(&told), &name, error.fault(), why);
        }
    };
    let stand = Stand::new(plan, exploit::contract());
    let attackers = Attackers {
        entries: bencher.entries,
        seed,
        name: &name,
        unbound: &[],
    };
    check::attack_copies(
        context,
        bencher.row,
        (&new, &told),
        &stand,
        &attackers,
        progress,
    )?;
    let now = context.ledger.units(&bencher.row.id)?;
    if let Some(ended) = now.iter().rev().find(|one| is_done(one)) {
        progress.line(&format!(
            "  {name}  {:>2} of {} resisted",
            bencher.resisted(ended.id)?,
            bencher.entries.len()
        ));
    }
    Ok(())
}

fn failed(
    bencher: &Bencher<'_>,
    new: &NewUnit,
    told: Option<&Told>,
    name: &str,
    fault: Fault,
    why: String,
) -> Result<(), Fatal> {
    let unit = bencher.context.ledger.begin_unit(&bencher.row.id, new)?;
    if let Some(told) = told {
        bencher.context.ledger.put_reading(unit, told)?;
    }
    bencher
        .progress
        .line(&format!("  {name}  not attacked: {}", report::clean(&why)));
    let cause = Cause {
        fault,
        step: Step::Boot,
        why,
    };
    bencher.context.ledger.fail_unit(unit, &cause, "")?;
    Ok(())
}

/// The kept source read with today's readers. Earlier steps are not kept, so that a decision's step is the one that was
/// found then.
fn told(context: &Context, origin: &RunRow, unit: &UnitRow, tree: &Path) -> Result<Told, Fatal> {
    let readings = vec![(String::new(), decision::read(tree))];
    let turns = context.ledger.turns(&origin.id, &unit.new.session)?;
    let arm = view::arm(&unit.new.arm)?;
    let step = stages::step(&unit.new, &arm).unwrap_or(&unit.new.step);
    let wishes = decided::given(&arm, &turns, step);
    let mut told = decided::told(readings, &wishes, &Lock::default());
    if let Some(then) = context.ledger.reading(unit.id)? {
        for one in &mut told.decisions {
            let print = one.decision.fingerprint();
            if let Some(old) = then
                .decisions
                .iter()
                .find(|old| old.decision.fingerprint() == print)
            {
                one.step.clone_from(&old.step);
            }
        }
    }
    Ok(told)
}
