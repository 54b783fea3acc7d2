//! Drives a session of a real agent: six prompts, one at a time, in one conversation and one work tree.
//!
//! A step counts when it is in the ledger with the agent's own ending. One that failed for what surrounds the agent is run
//! again from the tree and the conversation before it, as often as the study allows, whatever it built.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::proxy::{Auth, Outcome as Asked, Record, Refusal, Tally};
use agent::session::{Place, Ran, Room, SessionError, Snapshot, Times};
use agent::{
    Arm, Budget, Cell, Cli, Driven, Ending, Evidence, Prices, Prompt, Step, Usage, session,
};
use app::Workshop;
use model::decision::Told;

use crate::commands::bench::label;
use crate::context::Context;
use crate::decided::{self, Lock};
use crate::exit::{Exit, Fatal};
use crate::feedback;
use crate::ledger::{Ended, NewTurn, RunRow, TurnRow};
use crate::program;
use crate::progress::Progress;
use crate::spent::{self, Ways};
use crate::view;

pub(crate) struct Driver<'a> {
    pub(crate) context: &'a Context,
    pub(crate) row: &'a RunRow,
    pub(crate) progress: &'a Progress,
    pub(crate) ways: &'a Ways,
    pub(crate) prices: &'a Prices,
    pub(crate) budget: Budget,
    /// Attacks the tree before a prompt that tells findings, and says these.
    pub(crate) findings: &'a Findings<'a>,
}

/// The tree, what its source decided, the step that it is before.
pub(crate) type Findings<'a> =
    dyn Fn(&Cell, &Path, &Told, &str) -> Result<feedback::Told, Fatal> + 'a;

/// What a session left.
pub(crate) enum Outcome {
    /// The tree after its last step, what its source decided, and the name of that step.
    Built {
        tree: PathBuf,
        told: Told,
        step: String,
    },
    /// What surrounds the agent did not let it go on. Run again, the session goes on where it was.
    NoResult(String),
}

/// An agent's program, ready to be started.
struct Program {
    words: Vec<OsString>,
    read: Vec<PathBuf>,
    path: String,
    /// Of an agent by template: what is recorded of it.
    known: Option<program::Program>,
}

/// A session on its way.
struct Course<'a> {
    cell: &'a Cell,
    driven: &'a Driven,
    cli: &'static Cli,
    place: Place,
    program: Program,
    /// Of the done steps together.
    took: Duration,
    conversation: Option<String>,
    total: Usage,
    last: Option<Snapshot>,
    /// Its money is.
    spent: bool,
}

/// The agent's package, which must be known by its content.
pub(crate) fn package(cli: &Cli, driven: &Driven) -> Result<&'static agent::Package, Fatal> {
    cli.package(&driven.version).ok_or_else(|| Fatal {
        exit: Exit::Missing,
        why: format!(
            "{} {} is not known by its content for this machine ({} {}); known versions: {}",
            cli.name,
            driven.version,
            std::env::consts::OS,
            std::env::consts::ARCH,
            cli.versions().join(", ")
        ),
    })
}

impl Driver<'_> {
    /// Runs what is left of a session. What goes wrong with its files is this session's affair, not the run's.
    pub(crate) fn session(&self, cell: &Cell, driven: &Driven) -> Result<Outcome, Fatal> {
        match self.course(cell, driven) {
            Err(Stop::Session(error)) if !matches!(error, SessionError::NoGit) => {
                Ok(Outcome::NoResult(error.to_string()))
            }
            Err(Stop::Session(error)) => Err(Fatal {
                exit: Exit::Missing,
                why: error.to_string(),
            }),
            Err(Stop::Fatal(fatal)) => Err(fatal),
            Ok(outcome) => Ok(outcome),
        }
    }

    fn course(&self, cell: &Cell, driven: &Driven) -> Result<Outcome, Stop> {
        let cli = agent::find(&driven.cli)
            .ok_or_else(|| Fatal::usage(format!("there is no agent `{}`", driven.cli)))?;
        let arm = view::arm(&cell.arm)?;
        let prompts = &arm.prompts;
        let session = cell.id();
        let name = folder_name(&session);
        let place = self.place(cell);
        let turns = self.context.ledger.turns(&self.row.id, &session)?;
        let done: Vec<&TurnRow> = turns.iter().filter(|turn| turn.state == "done").collect();
        let last = done.last();
        let program = self.program(cli, driven)?;
        let before = last.and_then(|turn| turn.program.as_ref());
        if let (Some(before), Some(now)) = (before, &program.known)
            && before != now
        {
            return Err(Fatal::usage(format!(
                "{session} began with another program: {}; now there is {}. Put that one back, or begin anew with --fresh",
                before.text(),
                now.text()
            ))
            .into());
        }
        let mut course = Course {
            program,
            took: Duration::from_millis(done.iter().map(|turn| turn.took_ms + 1).sum()),
            conversation: last.and_then(|turn| turn.conversation.clone()),
            total: last.and_then(|turn| turn.total).unwrap_or_default(),
            last: None,
            spent: last.is_some_and(|turn| was_refused(&turn.asked, &Refusal::Spent)),
            cell,
            driven,
            cli,
            place,
        };
        let mut commits = snapshots_of(done.iter().copied());
        let is_over = |course: &Course<'_>| course.spent || course.took >= self.budget.session();
        if done.len() < prompts.len() && !is_over(&course) {
            Self::begin(&mut course, &arm, done.len())?;
        }
        for (number, prompt) in prompts.iter().enumerate().skip(done.len()) {
            if is_over(&course) {
                break;
            }
            let mut prompt = prompt.clone();
            if prompt.text.contains(agent::FINDINGS) {
                match self.told(&course, &arm, &name, &commits, &prompt.id)? {
                    feedback::Told::Words(words) => {
                        prompt.text = prompt.text.replace(agent::FINDINGS, &words);
                    }
                    feedback::Told::NoApp => break,
                    feedback::Told::NotNow(why) => return Ok(Outcome::NoResult(why)),
                }
            }
            match self.step(&mut course, number, &prompt)? {
                Ok(commit) => commits.push((prompt.id.clone(), commit)),
                Err(why) => return Ok(Outcome::NoResult(why)),
            }
        }
        self.built(&course, &arm, &name, &commits)
    }

    /// Makes the work tree what it was after `done` steps.
    fn begin(course: &mut Course<'_>, arm: &Arm, done: usize) -> Result<(), Stop> {
        let place = &course.place;
        let kept = place.checkpoint(done);
        if kept.is_there() {
            kept.restore(&place.root())?;
        } else if done == 0 {
            fs::create_dir_all(&place.folder)?;
            place.begin(&course.cell.framework, &arm.files)?;
            kept.keep(&place.root())?;
        } else {
            let lost = format!(
                "{} lost what was kept after step {done}; --fresh begins anew",
                place.folder.display()
            );
            return Err(Fatal::failed(lost).into());
        }
        course.last = Some(place.snapshots().take(&place.tree(), "before", None)?);
        Ok(())
    }

    /// The commit after the step, or why there is none.
    fn step(
        &self,
        course: &mut Course<'_>,
        number: usize,
        prompt: &Prompt,
    ) -> Result<Result<String, String>, Stop> {
        let session = course.cell.id();
        let (cell, step) = (course.cell, &prompt.id);
        let label = format!("{}  {step}", label(&cell.framework, &cell.agent, &cell.arm));
        let mut why = String::new();
        for attempt in 1..=self.budget.attempts {
            if attempt > 1 {
                self.progress.line(&format!(
                    "  {label}  again in {} s: {why}",
                    self.budget.pause_seconds
                ));
                std::thread::sleep(self.budget.pause());
                course
                    .place
                    .checkpoint(number)
                    .restore(&course.place.root())?;
            }
            self.progress.live(&format!("  {label}"));
            let turn = self.context.ledger.begin_turn(&NewTurn {
                run: &self.row.id,
                session: &session,
                step: &prompt.id,
                prompt: &prompt.text,
                agent: &course.cell.agent,
                model: &course.driven.model,
                auth: self
                    .ways
                    .paid_with(course.driven.vendor().unwrap_or(course.cli.vendor)),
                program: course.program.known.as_ref(),
            })?;
            let ran = self.run(course, prompt, number == 0)?;
            self.context.ledger.put_asked(turn, &ran.records)?;
            self.say_refused(&label, &ran);
            let parent = course.last.as_ref().map(|last| last.commit.as_str());
            let taken = course
                .place
                .snapshots()
                .take(&course.place.tree(), &prompt.id, parent);
            let snapshot = match taken {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    self.keep_words(turn, &ran, course.total, &error)?;
                    return Err(error.into());
                }
            };
            course.spent = was_refused(&ran.records, &Refusal::Spent);
            let own = course.cli.ending(&Evidence {
                transcript: &ran.transcript,
                asked: &ran.records,
                waits: ran.waits,
                exit: ran.exit.code.filter(|_| ran.exit.killed.is_none()),
                stderr: &ran.stderr,
                changed: course
                    .last
                    .as_ref()
                    .is_none_or(|last| last.tree != snapshot.tree),
                stopped: ran.stopped,
            });
            // What the agent makes of our refusal is not how the step ended.
            let ending = if course.spent || was_refused(&ran.records, &Refusal::StepSpent) {
                Ending::BudgetSpent
            } else {
                own
            };
            why = reason(ending, &ran);
            let total = course.total + ran.usage.unwrap_or_default();
            let ended = Ended {
                ran: &ran,
                ending,
                why: &why,
                snapshot: &snapshot,
                total,
            };
            if ending.is_surroundings() {
                self.context.ledger.end_turn(turn, &ended)?;
                if ending.is_worth_another() {
                    continue;
                }
                if ending == Ending::NotSignedIn && self.ways.auth == Auth::Subscription {
                    let cli = course.cli.name;
                    why = format!(
                        "{why}; sign in to {cli} again, as docs/real-agents.md says, and give the same command"
                    );
                }
                break;
            }
            // First the files, then the row that says so: killed in between, the step is run again.
            let kept = course
                .place
                .checkpoint(number + 1)
                .keep(&course.place.root());
            if let Err(error) = kept {
                self.keep_words(turn, &ran, course.total, &error)?;
                return Err(error.into());
            }
            self.context.ledger.end_turn(turn, &ended)?;
            course.place.checkpoint(number).remove()?;
            course.took += ran.took;
            course.total = total;
            course.conversation.clone_from(&ran.transcript.conversation);
            self.progress.line(&format!(
                "  {label}  {ending}   {:.1} s, {}",
                ran.took.as_secs_f64(),
                tokens(&ran)
            ));
            let commit = snapshot.commit.clone();
            course.last = Some(snapshot);
            return Ok(Ok(commit));
        }
        Ok(Err(format!("{}: {why}", prompt.id)))
    }

    /// An attempt whose files could not be kept was paid for all the same.
    fn keep_words(
        &self,
        turn: i64,
        ran: &Ran,
        total: Usage,
        error: &SessionError,
    ) -> Result<(), Fatal> {
        let why = error.to_string();
        let snapshot = Snapshot {
            commit: String::new(),
            tree: String::new(),
            notes: Vec::new(),
        };
        self.context.ledger.end_turn(
            turn,
            &Ended {
                ran,
                ending: Ending::Crashed,
                why: &why,
                snapshot: &snapshot,
                total,
            },
        )?;
        Ok(())
    }

    /// What the proxy did not let pass: the agent may have built something else for it.
    fn say_refused(&self, label: &str, ran: &Ran) {
        let mut said: Vec<&Refusal> = Vec::new();
        for record in &ran.records {
            if let Asked::Refused(refusal) = &record.outcome
                && !said.contains(&refusal)
            {
                self.progress.warn(&format!(
                    "NOTE: {label}: the proxy refused a request: {}",
                    report::clean(&refusal.to_string())
                ));
                said.push(refusal);
            }
        }
    }

    fn run(&self, course: &Course<'_>, prompt: &Prompt, is_first: bool) -> Result<Ran, Stop> {
        let root = course.place.root();
        let fresh = uuid::Uuid::now_v7().to_string();
        let step = Step {
            prompt: &prompt.text,
            version: &course.driven.version,
            model: &course.driven.model,
            auth: self.ways.auth,
            program: &course.program.words,
            path: &course.program.path,
            server: session::server(self.context.level)?,
            fresh: &fresh,
            resume: course.conversation.as_deref(),
            root: &root,
            line: course
                .driven
                .template
                .as_ref()
                .map(|template| template.line(is_first)),
        };
        let room = Room {
            level: self.context.level,
            read: course.program.read.clone(),
        };
        let left = self.budget.session().saturating_sub(course.took);
        let times = Times {
            step: self.budget.step().min(left),
            quiet: self.budget.quiet(),
        };
        let vendor = course.driven.vendor().unwrap_or(course.cli.vendor);
        let mut way = self.ways.to(vendor)?;
        let ledger = &self.context.ledger;
        let spent = spent::of_session(ledger, &self.row.id, &course.cell.id(), self.prices)?;
        way.budget = Some(spent::limit(self.budget, spent, self.prices));
        Ok(session::run(
            course.cli,
            &step,
            &room,
            way,
            times,
            course.total,
        )?)
    }

    /// The tree to attack, written anew from its snapshot, and what its steps decided.
    fn built(
        &self,
        course: &Course<'_>,
        arm: &Arm,
        name: &str,
        commits: &[(String, String)],
    ) -> Result<Outcome, Stop> {
        let Some((step, _)) = commits.last() else {
            return Ok(Outcome::NoResult("no step was finished".into()));
        };
        let tree = self.tree(name);
        let told = self.export(&course.place, course.cell, arm, &tree, commits)?;
        // What the agent said is in the ledger, what it built in the snapshots.
        cell::remove_folder(&course.place.root())?;
        for step in 0..=commits.len() {
            course.place.checkpoint(step).remove()?;
        }
        Ok(Outcome::Built {
            tree,
            told,
            step: step.clone(),
        })
    }

    /// Where a tree to attack is written.
    fn tree(&self, name: &str) -> PathBuf {
        self.context.dir.join("runs").join(&self.row.id).join(name)
    }

    /// Writes the tree after the last of these steps, and says what all of them decided.
    fn export(
        &self,
        place: &Place,
        cell: &Cell,
        arm: &Arm,
        tree: &Path,
        commits: &[(String, String)],
    ) -> Result<Told, Stop> {
        let snapshots = place.snapshots();
        let mut readings = Vec::new();
        for (step, commit) in commits {
            snapshots.export(commit, tree)?;
            readings.push((step.clone(), decision::read(tree)));
        }
        let turns = self.context.ledger.turns(&self.row.id, &cell.id())?;
        let last = commits.last().map_or("", |(step, _)| step.as_str());
        let wishes = decided::given(arm, &turns, last);
        Ok(decided::told(readings, &wishes, &Lock::default()))
    }

    /// The steps that a session has done.
    pub(crate) fn steps(&self, cell: &Cell) -> Result<Vec<String>, Fatal> {
        let commits = self.commits(cell)?.into_iter();
        Ok(commits.map(|(step, _)| step).collect())
    }

    fn commits(&self, cell: &Cell) -> Result<Vec<(String, String)>, Fatal> {
        let turns = self.context.ledger.turns(&self.row.id, &cell.id())?;
        Ok(snapshots_of(
            turns.iter().filter(|turn| turn.state == "done"),
        ))
    }

    /// Writes the tree after the first so many steps, and says what they decided; or why its snapshots do not let it.
    pub(crate) fn earlier(
        &self,
        cell: &Cell,
        arm: &Arm,
        tree: &Path,
        steps: usize,
    ) -> Result<Result<Told, String>, Fatal> {
        let mut commits = self.commits(cell)?;
        commits.truncate(steps);
        match self.export(&self.place(cell), cell, arm, tree, &commits) {
            Ok(told) => Ok(Ok(told)),
            Err(Stop::Session(error)) => Ok(Err(error.to_string())),
            Err(Stop::Fatal(fatal)) => Err(fatal),
        }
    }

    fn place(&self, cell: &Cell) -> Place {
        let agents = self.context.dir.join("agents");
        Place::new(agents.join(&self.row.id).join(folder_name(&cell.id())))
    }

    /// The findings that the prompt `step` tells.
    fn told(
        &self,
        course: &Course<'_>,
        arm: &Arm,
        name: &str,
        commits: &[(String, String)],
        step: &str,
    ) -> Result<feedback::Told, Stop> {
        let tree = self.tree(&format!("{name}-before"));
        let told = self.export(&course.place, course.cell, arm, &tree, commits)?;
        Ok((self.findings)(course.cell, &tree, &told, step)?)
    }

    /// Fetches the agent's package, by its hash, into the cache; or looks at the user's own program.
    fn program(&self, cli: &Cli, driven: &Driven) -> Result<Program, Fatal> {
        if let Some(template) = &driven.template {
            let found = program::find(&driven.cli, template)?;
            return Ok(Program {
                known: Some(found.look(&driven.cli, template, self.context)?),
                words: vec![found.program.into_os_string()],
                read: found.read,
                path: found.path,
            });
        }
        let package = package(cli, driven)?;
        let wanted = self
            .context
            .cells()
            .join(format!("{}-agent", std::process::id()));
        fs::create_dir_all(&wanted)?;
        for (name, text) in package.manifest() {
            fs::write(wanted.join(name), text)?;
        }
        let workshop = Workshop::new(self.context.level, app::cache_folder());
        self.progress
            .live(&format!("  fetching {} {}", cli.name, driven.version));
        let installed = app::install_packages(&wanted, &workshop);
        cell::remove_folder(&wanted)?;
        let installed = installed?;
        let modules = installed.links.first().map(|(_, modules)| modules.clone());
        let program = modules
            .unwrap_or_default()
            .join(package.name)
            .join(package.program);
        if !program.is_file() {
            return Err(Fatal::failed(format!(
                "{} is not in its package",
                program.display()
            )));
        }
        let node = installed.bin.join("node").into_os_string();
        Ok(Program {
            words: package
                .node
                .then_some(node)
                .into_iter()
                .chain([program.into()])
                .collect(),
            path: format!("{}:/usr/local/bin:/usr/bin:/bin", installed.bin.display()),
            read: installed.read,
            known: None,
        })
    }
}

/// What a session's folders are called.
pub(crate) fn folder_name(session: &str) -> String {
    session.replace(['/', ':'], "-")
}

/// Steps and the commits that hold what they left.
fn snapshots_of<'a>(turns: impl Iterator<Item = &'a TurnRow>) -> Vec<(String, String)> {
    turns
        .filter_map(|turn| Some((turn.step.clone(), turn.snapshot.clone()?)))
        .collect()
}

fn was_refused(records: &[Record], why: &Refusal) -> bool {
    let mut outcomes = records.iter().map(|record| &record.outcome);
    outcomes.any(|outcome| matches!(outcome, Asked::Refused(refusal) if refusal == why))
}

/// For people: what a step used, as the agent says; of one that says nothing, as the proxy counted.
fn tokens(ran: &Ran) -> String {
    let tally = Tally::of(&ran.records);
    let counted = (!tally.models.is_empty()).then(|| tally.usage());
    match ran.usage.or(counted) {
        Some(usage) => format!("{} tokens in, {} out", usage.all_input(), usage.output),
        None => "tokens unknown".to_owned(),
    }
}

/// For people: the ending, and what the agent said of it.
fn reason(ending: Ending, ran: &Ran) -> String {
    let said = ran.transcript.close.why.trim();
    let stderr = ran.stderr.trim().lines().last().unwrap_or_default();
    let words = match (said.is_empty(), ending) {
        (false, _) => said,
        (true, Ending::Crashed) if ran.exit.success() && ran.records.is_empty() => {
            "it never asked its model"
        }
        (true, Ending::Crashed) => stderr,
        (true, _) => "",
    };
    let words: String = words.chars().take(200).collect();
    let exit = if ran.exit.success() {
        String::new()
    } else {
        format!(", {}", ran.exit)
    };
    format!(
        "{ending}{exit}{}{}",
        if words.is_empty() { "" } else { ": " },
        report::clean(&words)
    )
}

/// Why a session cannot go on.
enum Stop {
    /// Nor can any other.
    Fatal(Fatal),
    Session(SessionError),
}

impl<E: Into<Fatal>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fatal(error.into())
    }
}

impl From<SessionError> for Stop {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}
