//! `bench`: sessions of a study, attacked and scored.

use std::fs;
use std::path::Path;

use agent::proxy::Auth;
use agent::{Cell, Driven, Estimate, Planned, Study, recorded};
use exploit::Seed;
use model::decision::Told;
use model::{Cause, Fault, Step, Word};
use report::Paint;
use report::bench::Next;

use super::decisions::sample_told;
use super::{board, called, consent, findings_exit, is_incomplete, plan, print, studied};
use crate::cli::{Bench, Cli};
use crate::context::{Context, suite_hash};
use crate::drive::{self, Driver};
use crate::exit::{Exit, Fatal};
use crate::feedback;
use crate::ledger::{Ledger, NewUnit, RunRow, UnitRow};
use crate::output;
use crate::program;
use crate::progress::Progress;
use crate::session::{Attackers, Outcome, boot_and_attack, worth_another};
use crate::spent::{self, Ways};
use crate::stages;
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
    let entries = studied(&bench.only)?;
    output::verify_sessions(&bench.format)?;
    let prices = consent::prices(bench.prices.as_deref())?;
    let progress = Progress::new(cli.quiet);
    if bench.plan {
        // A question makes no ledger.
        let past = if cli.dir.join("ledger.db").is_file() {
            spent::past(&Ledger::open(&cli.dir)?, LAST_STEP, &prices)?
        } else {
            Vec::new()
        };
        let cells = study.cells();
        let left: Vec<Planned> = cells.iter().filter_map(|cell| planned(cell, 0)).collect();
        let mut text = plan::text(&study, &name, &left, &past, (&prices, bench.auth.into()));
        if bench.score_steps {
            text += &(stages::expectation(&cells)? + "\n");
        }
        print(&text)?;
        return Ok(Exit::Done);
    }
    let (tools, skipped) = skip_missing(&mut study)?;
    let mut cells = study.cells();
    // Before anything is paid: one unknown version would end a study half-way.
    for driven in cells.iter().filter_map(|cell| cell.driven.as_ref()) {
        if let Some(template) = &driven.template {
            program::find(&driven.cli, template)?;
        } else if let Some(cli) = agent::find(&driven.cli) {
            drive::package(cli, driven)?;
        }
    }
    spent::check_limit(&cells, &study.budget, &prices)?;
    let ways = Ways::open(&cells, bench.model_server.as_deref(), bench.auth.into())?;
    for line in introduction(&name, &cells, ways.auth) {
        progress.line(&line);
    }
    if bench.score_steps {
        progress.line(&stages::expectation(&cells)?);
    }
    let context = Context::open(&cli.dir, cli.require_box)?;
    let programs = program::label(&mut cells, &context)?;
    say_machine(&context, &tools, &progress);
    for line in &skipped {
        progress.warn(&format!("NOTE: {line}"));
    }
    if cells.iter().all(|cell| cell.driven.is_none()) {
        progress.line(&expectation(&study, bench.score_steps));
    }

    let only: Vec<&str> = entries.iter().map(|entry| entry.id).collect();
    let hash =
        blake3::hash(format!("{text}\n{:?}\n{only:?}{programs}", study.frameworks).as_bytes())
            .to_hex()
            .to_string();
    let suite = suite_hash();
    let old = if bench.fresh {
        None
    } else {
        context.ledger.unfinished("bench", &suite, &hash)?
    };
    let done = match &old {
        Some(row) => context.ledger.units(&row.id)?,
        None => Vec::new(),
    };
    // Before anything is written: a refusal leaves no run that waits for its end.
    let left: Vec<Planned> = cells
        .iter()
        .filter(|cell| !is_done(&done, &cell.id()))
        .map(|cell| {
            let steps = match &old {
                Some(row) => context.ledger.steps_done(&row.id, &cell.id())?,
                None => 0,
            };
            Ok(planned(cell, steps))
        })
        .collect::<Result<Vec<_>, Fatal>>()?
        .into_iter()
        .flatten()
        .collect();
    let estimate = Estimate::of(
        &left,
        &spent::past(&context.ledger, LAST_STEP, &prices)?,
        &prices,
    );
    let mut person = consent::Terminal;
    consent::consent(&estimate, ways.auth, bench.yes, &mut person, |text| {
        progress.warn(text);
    })?;
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

    let _lock = context.hold(&row.id)?;
    // Another process may have finished some of it meanwhile.
    let done = context.ledger.units(&row.id)?;
    let bencher = Bencher {
        context: &context,
        row: &row,
        done: &done,
        entries: &entries,
        progress: &progress,
    };
    bencher.reference()?;
    let mut on_the_way = 0;
    for cell in &cells {
        let driver = Driver {
            context: &context,
            row: &row,
            progress: &progress,
            ways: &ways,
            prices: &prices,
            budget: study.budget,
            findings: &|cell, tree, told, step| {
                feedback::findings(&bencher, cell, (tree, told), step)
            },
        };
        let settled = match &cell.driven {
            Some(driven) => bencher.driven(cell, driven, &driver)?,
            None => bencher.cell(cell).map(|()| true)?,
        };
        if settled && bench.score_steps {
            stages::attack(&bencher, cell, cell.driven.is_some().then_some(&driver))?;
        }
        on_the_way += usize::from(!settled);
    }
    if on_the_way == 0 {
        context.ledger.end_run(&row.id)?;
    } else {
        progress.warn(&format!(
            "NOTE: {on_the_way} of {} sessions could not go on; the same command goes on with them",
            cells.len()
        ));
    }
    let row = context.ledger.run(Some(&row.id))?;
    let run = view::run(&context.ledger, &row)?;
    let shown = board::shown(&context.ledger, &row, &run, &skipped, &bench.format, paint)?;
    print(&shown)?;
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

fn is_done(units: &[UnitRow], session: &str) -> bool {
    units.iter().any(|unit| {
        unit.new.session == session && unit.state == "done" && !stages::is_on_the_way(&unit.new)
    })
}

/// A session that costs money, if it is one of which any step is left.
fn planned(cell: &Cell, done: usize) -> Option<Planned> {
    let driven = cell.driven.as_ref()?;
    let steps = agent::Arm::find(&cell.arm)
        .map_or(LAST_STEP, |arm| arm.prompts.len())
        .saturating_sub(done);
    (steps > 0).then(|| Planned {
        agent: cell.agent.clone(),
        model: driven.model.clone(),
        steps: steps as u32,
    })
}

/// What a study is, before anything happens.
fn introduction(name: &str, cells: &[Cell], auth: Auth) -> Vec<String> {
    let real = cells.iter().filter(|cell| cell.driven.is_some()).count();
    let samples = cells.len() - real;
    let mut parts = Vec::new();
    if samples > 0 {
        parts.push(format!("{samples} hand-written sample sessions"));
    }
    if real > 0 {
        parts.push(format!("{real} sessions of real agents"));
    }
    let first = format!(
        "unrequested {}  bench  {name}, {}",
        env!("CARGO_PKG_VERSION"),
        parts.join(", ")
    );
    let mut lines = vec![first];
    if real == 0 {
        lines.push("No model is called: these samples show the instrument, not any agent.".into());
    } else if auth == Auth::Subscription {
        lines.push(
            "The agents' models are asked with your subscription's sign-in, which no agent sees."
                .into(),
        );
    }
    lines
}

/// Two lines about the machine before anything happens.
pub(super) fn say_machine(context: &Context, tools: &[String], progress: &Progress) {
    progress.line(&format!(
        "{}box: {}   {}",
        tools
            .iter()
            .map(|tool| format!("{tool}   "))
            .collect::<String>(),
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
fn expectation(study: &Study, score_steps: bool) -> String {
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
    let of_what = if score_steps {
        "the last steps alone: "
    } else {
        ""
    };
    format!("{of_what}{known}{compiled}   Ctrl-C is safe\n")
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

pub(crate) struct Bencher<'a> {
    pub(crate) context: &'a Context,
    pub(crate) row: &'a RunRow,
    pub(crate) done: &'a [UnitRow],
    pub(crate) entries: &'a [&'static exploit::Entry],
    pub(crate) progress: &'a Progress,
}

impl Bencher<'_> {
    pub(super) fn is_done(&self, session: &str) -> bool {
        is_done(self.done, session)
    }

    pub(super) fn seed(&self, session: &str) -> Seed {
        Seed::new(&self.row.seed).derive(session)
    }

    /// The instrument's own check: a secure app must resist everything.
    pub(super) fn reference(&self) -> Result<(), Fatal> {
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
        self.unit(&new, None, &stand, "axum       reference     ")
    }

    /// A sample's session.
    fn cell(&self, cell: &Cell) -> Result<(), Fatal> {
        let session = cell.id();
        if self.is_done(&session) {
            return Ok(());
        }
        let recording = cell.recording().unwrap_or(&cell.agent);
        let tree = self
            .context
            .dir
            .join("runs")
            .join(&self.row.id)
            .join(drive::folder_name(&session));
        write_tree(cell, recording, LAST_STEP, &tree)?;
        let steps = recorded::steps(&cell.framework, recording);
        let new = Self::new_unit(cell, steps.last().cloned().unwrap_or_default(), Some(&tree));
        let told = sample_told(&cell.framework, recording, &cell.arm, LAST_STEP)?;
        let name = label(&cell.framework, recording, &cell.arm);
        self.tree(&new, &told, &tree, &name)
    }

    /// A real agent's session: what is left of it is run, then its tree is attacked. False when it could not go on.
    fn driven(&self, cell: &Cell, driven: &Driven, driver: &Driver<'_>) -> Result<bool, Fatal> {
        if self.is_done(&cell.id()) {
            return Ok(true);
        }
        let name = label(&cell.framework, &cell.agent, &cell.arm);
        match driver.session(cell, driven)? {
            drive::Outcome::Built { tree, told, step } => {
                let new = Self::new_unit(cell, step, Some(&tree));
                self.tree(&new, &told, &tree, &name)?;
                Ok(true)
            }
            drive::Outcome::NoResult(why) => {
                let prompts = view::arm(&cell.arm)?.prompts;
                let last = prompts.last().map(|prompt| prompt.id.clone());
                let new = Self::new_unit(cell, last.unwrap_or_default(), None);
                self.failed(&new, None, &name, Fault::Harness, why)?;
                Ok(false)
            }
        }
    }

    pub(crate) fn new_unit(cell: &Cell, step: String, tree: Option<&Path>) -> NewUnit {
        let session = cell.id();
        NewUnit {
            key: blake3::hash(format!("{session} {}", suite_hash()).as_bytes())
                .to_hex()
                .to_string(),
            session,
            agent: cell.agent.clone(),
            framework: cell.framework.clone(),
            arm: cell.arm.clone(),
            replicate: cell.replicate,
            step,
            tree: tree.map(|tree| tree.display().to_string()),
        }
    }

    /// Installs, boots and attacks what a session left.
    pub(crate) fn tree(
        &self,
        new: &NewUnit,
        told: &Told,
        tree: &Path,
        name: &str,
    ) -> Result<(), Fatal> {
        let framework = app::framework::find(&new.framework);
        let Some(framework) = framework
            .filter(|one| app::framework::recognise(tree).is_some_and(|found| found.id == one.id))
        else {
            let why = "the tree is no longer an app of its framework".into();
            return self.failed(new, Some(told), name, Fault::App, why);
        };
        self.progress
            .live(&format!("  {name}  installing its packages"));
        let plan = match self
            .context
            .ready(tree, framework, &self.seed(&new.session))
        {
            Ok(plan) => plan,
            Err(error) if error.is_missing() => return Err(error.into()),
            Err(error) => {
                return self.failed(new, Some(told), name, error.fault(), error.to_string());
            }
        };
        let stand = Stand::new(plan, exploit::contract());
        self.unit(new, Some(told), &stand, name)
    }

    /// What the source of a session's tree decided, with each attempt.
    fn read(&self, unit: i64, told: Option<&Told>) -> Result<(), Fatal> {
        if let Some(told) = told {
            self.context.ledger.put_reading(unit, told)?;
        }
        Ok(())
    }

    pub(crate) fn failed(
        &self,
        new: &NewUnit,
        told: Option<&Told>,
        name: &str,
        fault: Fault,
        why: String,
    ) -> Result<(), Fatal> {
        let unit = self.context.ledger.begin_unit(&self.row.id, new)?;
        self.read(unit, told)?;
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
    fn unit(
        &self,
        new: &NewUnit,
        told: Option<&Told>,
        stand: &Stand,
        name: &str,
    ) -> Result<(), Fatal> {
        let attackers = Attackers {
            entries: self.entries,
            seed: self.seed(&new.session),
            name,
            unbound: &[],
        };
        for _ in 0..2 {
            let unit = self.context.ledger.begin_unit(&self.row.id, new)?;
            self.read(unit, told)?;
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

    pub(super) fn resisted(&self, unit: i64) -> Result<usize, Fatal> {
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

/// A session on a line of progress; the silent arm goes without saying.
pub(crate) fn label(framework: &str, agent: &str, arm: &str) -> String {
    let arm = if matches!(arm, agent::SILENT | "none") {
        String::new()
    } else {
        format!("  {arm:<9}")
    };
    format!("{framework:<9}  {agent:<14}{arm}")
}

/// The sample's tree after step number `last`, written anew: an earlier run that was killed may have left half of it.
pub(crate) fn write_tree(
    cell: &Cell,
    recording: &str,
    last: usize,
    tree: &Path,
) -> Result<(), Fatal> {
    if tree.exists() {
        fs::remove_dir_all(tree)?;
    }
    fs::create_dir_all(tree)?;
    recorded::write_in(&cell.framework, recording, &cell.arm, last, tree)?;
    Ok(())
}
