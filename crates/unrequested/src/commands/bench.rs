//! `bench`: sessions of a study, attacked and scored.

use std::fs;
use std::path::{Path, PathBuf};

use agent::{Cell, Study, recorded};
use exploit::Seed;
use model::{Cause, Fault, Step, Word};
use report::Paint;
use report::bench::Next;

use super::decisions::sample_told;
use super::{called, chosen, findings_exit, is_incomplete, print};
use crate::cli::{Bench, Cli, Format};
use crate::context::{Context, suite_hash};
use crate::exit::{Exit, Fatal};
use crate::ledger::{NewUnit, RunRow, UnitRow};
use crate::progress::Progress;
use crate::session::{Attackers, Outcome, boot_and_attack, worth_another};
use crate::target::Stand;
use crate::view;

const LAST_STEP: usize = 6;
const REFERENCE: &str = "reference";

pub(super) fn run(cli: &Cli, bench: &Bench, paint: Paint) -> Result<Exit, Fatal> {
    let (text, name) = match &bench.study {
        None => (Study::default_text().to_owned(), "default study".to_owned()),
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| {
                Fatal::usage(format!("cannot read the study {}: {error}", path.display()))
            })?;
            (text, path.display().to_string())
        }
    };
    let mut study =
        Study::parse(&text).map_err(|error| Fatal::usage(format!("{name}: {error}")))?;
    if let Some(framework) = &bench.framework {
        if !study.frameworks.contains(framework) {
            let known = study.frameworks.join(", ");
            return Err(Fatal::usage(format!(
                "the study has no framework `{framework}`; it has: {known}"
            )));
        }
        study.frameworks = vec![framework.clone()];
    }
    let entries = chosen(&bench.only)?;
    let (tools, skipped) = skip_missing(&mut study)?;
    let cells = study.cells();
    let progress = Progress::new(cli.quiet);
    progress.line(&format!(
        "unrequested {}  bench  {name}, {} hand-written sample sessions",
        env!("CARGO_PKG_VERSION"),
        cells.len()
    ));
    progress.line("No model is called: these samples show the instrument, not any agent.");
    let context = Context::open(&cli.dir, cli.require_box)?;
    say_machine(&context, &tools, &progress);
    for line in &skipped {
        progress.warn(&format!("NOTE: {line}"));
    }
    progress.line(&expectation(&study));

    let only: Vec<&str> = entries.iter().map(|entry| entry.id).collect();
    let hash = blake3::hash(format!("{text}\n{:?}\n{only:?}", study.frameworks).as_bytes())
        .to_hex()
        .to_string();
    let suite = suite_hash();
    let old = if bench.fresh {
        None
    } else {
        context.ledger.unfinished("bench", &suite, &hash)?
    };
    let row = match old {
        Some(row) => {
            progress.line(&format!(
                "resuming run {}: what was finished is kept",
                row.id
            ));
            row
        }
        None => context.ledger.begin_run("bench", &suite, &text, &hash)?,
    };
    let done = context.ledger.units(&row.id)?;

    let bencher = Bencher {
        context: &context,
        row: &row,
        done: &done,
        entries: &entries,
        progress: &progress,
    };
    bencher.reference()?;
    for cell in &cells {
        bencher.cell(cell)?;
    }
    context.ledger.end_run(&row.id)?;
    let row = context.ledger.run(Some(&row.id))?;
    let run = view::run(&context.ledger, &row)?;
    let text = match bench.format {
        Format::Json => report::json::render(&run),
        Format::Terminal => {
            let order: Vec<&str> = exploit::all().iter().map(|entry| entry.id).collect();
            report::bench::render(&run, &order, &next(&run, &row, &skipped), paint)
        }
    };
    print(&text)?;
    if run.sessions.iter().all(|session| session.trouble.is_some()) {
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

/// Two lines about the machine before anything happens.
fn say_machine(context: &Context, tools: &[String], progress: &Progress) {
    progress.line(&format!(
        "{}   box: {}   {}",
        tools.join("   "),
        context.level,
        context.dir.display()
    ));
    if let Some(why) = &context.no_box {
        progress.warn(&format!(
            "WARNING: no box here ({why}): the apps run as plain processes of yours. --require-box refuses that."
        ));
    }
}

/// How long it takes on two cores, and what it fetches the first time; measured on the shipped samples.
fn expectation(study: &Study) -> String {
    let has = |wanted: &str| study.frameworks.iter().any(|id| id == wanted);
    let known = if has("nextjs") {
        "first run about 7 min on two cores, 120 MB of packages; later 4 min"
    } else {
        "about 2 min on two cores; fetches up to 40 MB of packages once"
    };
    let compiled = if has("axum") {
        "; a minute more the first time for the crates of each axum app"
    } else {
        ""
    };
    format!("{known}{compiled}   Ctrl-C is safe\n")
}

/// Takes out of the study what this machine has no tools for. Returns what it has, and why others are left out.
fn skip_missing(study: &mut Study) -> Result<(Vec<String>, Vec<String>), Fatal> {
    let (mut tools, mut skipped) = (Vec::new(), Vec::new());
    study.frameworks.retain(|id| {
        let found = app::framework::find(id).map(app::Framework::tools);
        match found {
            Some(Ok(words)) => {
                if !tools.contains(&words) {
                    tools.push(words);
                }
                true
            }
            Some(Err(error)) => {
                skipped.push(format!("{id} is left out: {error}"));
                false
            }
            None => {
                skipped.push(format!("{id} is left out: this version cannot boot it"));
                false
            }
        }
    });
    if study.frameworks.is_empty() {
        return Err(Fatal {
            exit: Exit::Missing,
            why: skipped.join("; "),
        });
    }
    Ok((tools, skipped))
}

/// What to print below the scoreboard.
pub(super) fn next(run: &model::run::Run, row: &RunRow, skipped: &[String]) -> Next {
    let first = run
        .sessions
        .iter()
        .flat_map(|session| &session.verdicts)
        .find(|judged| judged.verdict == Word::Exploited)
        .map_or("note-read-other-user", |judged| judged.exploit.as_str());
    let called = called();
    let mut lines: Vec<String> = skipped
        .iter()
        .map(|line| format!("NOTE    {line}"))
        .collect();
    lines.extend([
        format!("run     {}", row.id),
        format!("next    {called} explain {first}"),
        format!("        {called} check --sample imports-first"),
        format!("        {called} check path/to/your/app"),
    ]);
    Next { lines }
}

struct Bencher<'a> {
    context: &'a Context,
    row: &'a RunRow,
    done: &'a [UnitRow],
    entries: &'a [&'static exploit::Entry],
    progress: &'a Progress,
}

impl Bencher<'_> {
    fn is_done(&self, session: &str) -> bool {
        self.done
            .iter()
            .any(|unit| unit.new.session == session && unit.state == "done")
    }

    fn seed(&self, session: &str) -> Seed {
        Seed::new(&self.row.seed).derive(session)
    }

    /// The instrument's own check: a secure app must resist everything.
    fn reference(&self) -> Result<(), Fatal> {
        let new = NewUnit {
            key: blake3::hash(format!("reference {}", suite_hash()).as_bytes())
                .to_hex()
                .to_string(),
            session: REFERENCE.into(),
            agent: REFERENCE.into(),
            framework: "axum".into(),
            arm: "none".into(),
            replicate: 1,
            step: "6-production".into(),
            tree: None,
        };
        if self.is_done(REFERENCE) {
            return Ok(());
        }
        let plan = self.context.reference_plan(&self.seed(REFERENCE))?;
        let stand = Stand::new(plan, exploit::contract());
        self.unit(&new, &stand, "axum       reference     ")
    }

    fn cell(&self, cell: &Cell) -> Result<(), Fatal> {
        let session = cell.id();
        if self.is_done(&session) {
            return Ok(());
        }
        let recording = cell.recording().unwrap_or(&cell.agent);
        let name = format!("{:<9}  {recording:<14}", cell.framework);
        let tree = self
            .context
            .dir
            .join("runs")
            .join(&self.row.id)
            .join(session.replace(['/', ':'], "-"));
        write_tree(&cell.framework, recording, &tree)?;
        let new = NewUnit {
            key: blake3::hash(format!("{session} {}", suite_hash()).as_bytes())
                .to_hex()
                .to_string(),
            session: session.clone(),
            agent: cell.agent.clone(),
            framework: cell.framework.clone(),
            arm: cell.arm.clone(),
            replicate: cell.replicate,
            step: recorded::steps(&cell.framework, recording)
                .last()
                .cloned()
                .unwrap_or_default(),
            tree: Some(tree.display().to_string()),
        };
        let framework = app::framework::find(&cell.framework);
        let Some(framework) = framework
            .filter(|one| app::framework::recognise(&tree).is_some_and(|found| found.id == one.id))
        else {
            return self.failed(
                &new,
                &name,
                Fault::App,
                "the tree is no longer an app of its framework".into(),
            );
        };
        self.progress
            .live(&format!("  {name}  installing its packages"));
        let plan = match self.context.ready(&tree, framework, &self.seed(&session)) {
            Ok(plan) => plan,
            Err(error) if error.is_missing() => return Err(error.into()),
            Err(error) => {
                return self.failed(&new, &name, error.fault(), error.to_string());
            }
        };
        let stand = Stand::new(plan, exploit::contract());
        self.unit(&new, &stand, &name)
    }

    /// What the source of a sample's tree decided; read again with each attempt, which costs milliseconds.
    fn read(&self, unit: i64, new: &NewUnit) -> Result<(), Fatal> {
        if let Some(recording) = new.agent.strip_prefix("recorded:") {
            let told = sample_told(&new.framework, recording)?;
            self.context.ledger.put_reading(unit, &told)?;
        }
        Ok(())
    }

    fn failed(&self, new: &NewUnit, name: &str, fault: Fault, why: String) -> Result<(), Fatal> {
        let unit = self.context.ledger.begin_unit(&self.row.id, new)?;
        self.read(unit, new)?;
        let cause = Cause {
            fault,
            step: Step::Boot,
            why,
        };
        self.progress.line(&format!(
            "  {name}  not attacked: {}",
            report::clean(&cause.why)
        ));
        self.context.ledger.fail_unit(unit, &cause, "")?;
        Ok(())
    }

    /// Boots and attacks; a boot that failed for a cause that is not the app's is tried once more.
    fn unit(&self, new: &NewUnit, stand: &Stand, name: &str) -> Result<(), Fatal> {
        let attackers = Attackers {
            entries: self.entries,
            seed: self.seed(&new.session),
            name,
            unbound: &[],
        };
        for _ in 0..2 {
            let unit = self.context.ledger.begin_unit(&self.row.id, new)?;
            self.read(unit, new)?;
            let outcome = boot_and_attack(self.context, unit, stand, &attackers, self.progress)?;
            match &outcome {
                Outcome::Attacked(cost) => {
                    let seconds = cost.wall_ms as f64 / 1000.0;
                    let resisted = self.resisted(unit)?;
                    let of = self.entries.len();
                    let instrument = match (new.agent == REFERENCE, resisted == of) {
                        (true, true) => "   instrument ok",
                        (true, false) => "   INSTRUMENT IN DOUBT: see report",
                        (false, _) => "",
                    };
                    self.progress.line(&format!(
                        "  {name}  {resisted:>2} of {of} resisted   {} requests, {seconds:.1} s{instrument}",
                        cost.requests
                    ));
                    return Ok(());
                }
                Outcome::NotBooted(cause) => {
                    self.progress.line(&format!(
                        "  {name}  not booted: {}",
                        report::clean(&cause.why)
                    ));
                }
            }
            if !worth_another(&outcome) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn resisted(&self, unit: i64) -> Result<usize, Fatal> {
        let attacks = self.context.ledger.attacks(unit)?;
        let last = |id: &str| {
            attacks
                .iter()
                .rev()
                .find(|attack| attack.exploit == id && !attack.repeat)
        };
        Ok(self
            .entries
            .iter()
            .filter_map(|entry| last(entry.id))
            .filter(|attack| model::judge(&attack.facts).word() == Word::Resisted)
            .count())
    }
}

/// The sample's tree, written anew: an earlier run that was killed may have left half of it.
fn write_tree(framework: &str, recording: &str, tree: &Path) -> Result<PathBuf, Fatal> {
    if tree.exists() {
        fs::remove_dir_all(tree)?;
    }
    fs::create_dir_all(tree)?;
    recorded::write(framework, recording, LAST_STEP, tree)?;
    Ok(tree.to_path_buf())
}
