//! `decisions`: what an app's source decided, whether anybody asked, and whether anybody reviewed it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ::report::{Paint, decisions as shown};
use agent::recorded;
use model::decision::{Change, Decision, Reading, Told, changes};
use serde_json::json;

use super::{nearest, print};
use crate::cli::{Cli, DecisionFormat, Decisions, FailOnDecision};
use crate::decided::{self, LOCK, Lock};
use crate::exit::{Exit, Fatal};
use crate::ledger::Ledger;
use crate::view;

/// One app: how it is called, where it lies, what was read.
struct App {
    name: String,
    /// `None` for a sample and for a session of a run.
    tree: Option<PathBuf>,
    told: Told,
}

pub(super) fn run(cli: &Cli, asked: &Decisions, paint: Paint) -> Result<Exit, Fatal> {
    for id in asked.only.iter().chain(asked.accept.iter().flatten()) {
        if decision::find(id).is_none() {
            let near = nearest(id, decision::all().iter().map(|entry| entry.id));
            return Err(Fatal::usage(format!(
                "there is no decision `{id}`; did you mean `{near}`? `unrequested list` names all"
            )));
        }
    }
    let mut apps = apps(cli, asked)?;
    for app in &mut apps {
        if !asked.only.is_empty() {
            app.told
                .decisions
                .retain(|one| asked.only.contains(&one.decision.decision));
            for stride in &mut app.told.steps {
                stride.changes.retain(|turn| {
                    turn.decision()
                        .is_some_and(|one| asked.only.contains(&one.decision))
                });
            }
        }
    }
    if let Some(ids) = &asked.accept {
        return accept(asked, &apps, ids);
    }
    if asked.steps && asked.format != DecisionFormat::Json {
        return steps(&apps, paint);
    }
    if let Some(since) = &asked.since {
        return compare(asked, &apps, since, paint);
    }
    let columns: Vec<(&str, &Told)> = apps
        .iter()
        .map(|app| (app.name.as_str(), &app.told))
        .collect();
    print(&match (asked.format, apps.as_slice()) {
        (DecisionFormat::Json, _) => object(&apps, &[])?,
        (DecisionFormat::Markdown, _) => shown::markdown(&columns),
        (DecisionFormat::Terminal, [app]) => {
            format!("{}{}", shown::list(&app.told, paint), foot(app))
        }
        (DecisionFormat::Terminal, _) => shown::beside(&columns, paint),
    })?;
    if apps.iter().all(|app| app.told.files == 0) {
        return Err(Fatal::nothing(format!(
            "no source that can be read was found in {}; read are Python, JavaScript, TypeScript and Rust, without tests, packages and what tools made",
            apps.iter()
                .map(|app| app.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    Ok(exit(asked, &apps, None))
}

/// What stands below the list of one app.
fn foot(app: &App) -> String {
    let mut lines = String::new();
    let changed = changed_since_review(&app.told);
    if !changed.is_empty() {
        let (s, they) = if changed.len() == 1 {
            ("", "it was")
        } else {
            ("s", "they were")
        };
        let _ = writeln!(
            lines,
            " {} decision{s} changed since {they} reviewed: {}",
            changed.len(),
            changed.join(", ")
        );
    }
    if app.tree.is_some() {
        lines.push_str(
            " Whether they are in force: unrequested check\n Reviewed one? unrequested decisions --accept ID --reason TEXT\n",
        );
    }
    lines
}

fn changed_since_review(told: &Told) -> Vec<&str> {
    let mut ids: Vec<&str> = told
        .decisions
        .iter()
        .filter(|one| one.reviewed.as_ref().is_some_and(|review| !review.holds))
        .map(|one| one.decision.decision.as_str())
        .collect();
    ids.dedup();
    ids
}

fn exit(asked: &Decisions, apps: &[App], changes: Option<usize>) -> Exit {
    let any = |is: &dyn Fn(&model::decision::Decided) -> bool| {
        apps.iter().flat_map(|app| &app.told.decisions).any(is)
    };
    let found = match asked.fail_on {
        FailOnDecision::Never => false,
        FailOnDecision::Changed => {
            changes.unwrap_or(0) > 0
                || apps
                    .iter()
                    .any(|app| !changed_since_review(&app.told).is_empty())
        }
        FailOnDecision::Below => any(&|one| one.decision.below.is_some()),
        FailOnDecision::Unreviewed => any(&|one| {
            one.decision.origin.is_chosen()
                && one.reviewed.as_ref().is_none_or(|review| !review.holds)
        }),
    };
    if found { Exit::Findings } else { Exit::Done }
}

fn apps(cli: &Cli, asked: &Decisions) -> Result<Vec<App>, Fatal> {
    let mut all = Vec::new();
    for name in &asked.sample {
        all.push(sample(name)?);
    }
    for path in &asked.apps {
        all.extend(named(cli, path)?);
    }
    if all.is_empty() {
        all.extend(named(cli, ".")?);
    }
    Ok(all)
}

/// A folder, or a run of the ledger.
fn named(cli: &Cli, name: &str) -> Result<Vec<App>, Fatal> {
    let path = Path::new(name);
    if path.is_dir() {
        return Ok(vec![folder(path)?]);
    }
    let missing = || {
        Fatal::usage(format!(
            "{name} is no folder, and no run in {}; `unrequested report --list` names the runs",
            cli.dir.display()
        ))
    };
    if path.exists() || !cli.dir.join("ledger.db").is_file() {
        return Err(missing());
    }
    let ledger = Ledger::open(&cli.dir)?;
    let row = ledger.run(Some(name)).map_err(|_| missing())?;
    let run = view::run(&ledger, &row)?;
    let apps: Vec<App> = run
        .sessions
        .into_iter()
        .filter_map(|session| {
            Some(App {
                told: session.told()?,
                name: session.id,
                tree: None,
            })
        })
        .collect();
    if apps.is_empty() {
        return Err(Fatal::nothing(format!(
            "run {} has no session whose source was read",
            row.id
        )));
    }
    Ok(apps)
}

fn folder(path: &Path) -> Result<App, Fatal> {
    let lock = Lock::read(path)?;
    let wishes = decided::wishes(path);
    let reading = decision::read(path);
    Ok(App {
        name: path.display().to_string(),
        told: decided::told(vec![(String::new(), reading)], &wishes, &lock),
        tree: Some(path.to_path_buf()),
    })
}

fn sample(name: &str) -> Result<App, Fatal> {
    let (framework, recording) = name.split_once('/').unwrap_or(("fastapi", name));
    Ok(App {
        name: format!("{framework}/{recording}"),
        tree: None,
        told: sample_told(framework, recording, agent::SILENT, usize::MAX)?,
    })
}

/// A sample's decisions with their steps, up to step number `last`.
pub(crate) fn sample_told(
    framework: &str,
    recording: &str,
    arm: &str,
    last: usize,
) -> Result<Told, Fatal> {
    let mut steps = recorded::steps(framework, recording);
    steps.truncate(last);
    let mut readings = Vec::new();
    for number in 1..=steps.len().max(1) {
        let texts = recorded::texts_in(framework, recording, arm, number)?;
        let files: Vec<(String, String)> = texts.into_iter().collect();
        let step = steps.get(number - 1).cloned().unwrap_or_default();
        readings.push((step, decision::read_files(&files)));
    }
    let last = steps.last().map_or("", String::as_str);
    let wishes = decided::given(&view::arm(arm)?, &[], last);
    Ok(decided::told(readings, &wishes, &Lock::default()))
}

/// `--accept`: writes the reviews into the app's lock file.
fn accept(asked: &Decisions, apps: &[App], ids: &[String]) -> Result<Exit, Fatal> {
    let [app] = apps else {
        return Err(Fatal::usage("--accept takes one app"));
    };
    let Some(tree) = &app.tree else {
        return Err(Fatal::usage(
            "--accept wants the app's folder: the reviews are kept in it",
        ));
    };
    let Some(reason) = asked
        .reason
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
    else {
        return Err(Fatal::usage(
            "--accept wants --reason TEXT: why this decision is right for this app",
        ));
    };
    let chosen: Vec<&Decision> = app
        .told
        .decisions
        .iter()
        .map(|one| &one.decision)
        .filter(|one| ids.is_empty() || ids.contains(&one.decision))
        .collect();
    if let Some(id) = ids
        .iter()
        .find(|id| !chosen.iter().any(|one| one.decision == **id))
    {
        return Err(Fatal::usage(format!(
            "nothing about `{id}` was read in {}, so there is nothing to accept",
            app.name
        )));
    }
    let unknown = |one: &&&Decision| matches!(one.origin, model::decision::Origin::Unknown { .. });
    if let Some(one) = chosen.iter().find(unknown)
        && !ids.is_empty()
    {
        return Err(Fatal::usage(format!(
            "what was decided about `{}` is not known, so it cannot be accepted: {}",
            one.decision,
            shown::origin(&one.origin)
        )));
    }
    let known: Vec<&Decision> = chosen.into_iter().filter(|one| !unknown(&one)).collect();
    let mut lock = Lock::read(tree)?;
    lock.accept(
        &known,
        &reviewer(tree, asked),
        &crate::ledger::today()?,
        reason,
    );
    lock.write(tree)?;
    print(&format!(
        " {} decisions are reviewed in {}; commit it\n",
        known.len(),
        tree.join(LOCK).display()
    ))?;
    Ok(Exit::Done)
}

fn reviewer(tree: &Path, asked: &Decisions) -> String {
    asked
        .by
        .clone()
        .or_else(|| git(tree, &["config", "user.name"]).map(|text| text.trim().to_owned()))
        .filter(|name| !name.is_empty())
        .or_else(|| std::env::var("USER").ok())
        .unwrap_or_else(|| "somebody".to_owned())
}

/// `--steps`: what each step of each session decided.
fn steps(apps: &[App], paint: Paint) -> Result<Exit, Fatal> {
    let mut out = String::new();
    for app in apps {
        if app.told.steps.is_empty() {
            return Err(Fatal::usage(format!(
                "{} has no steps: --steps wants a run of `bench`, or --sample fastapi/imports-first",
                app.name
            )));
        }
        out.push_str(&::report::strides::list(&app.name, &app.told, paint));
    }
    print(&out)?;
    Ok(Exit::Done)
}

/// `--since`: what this change decided.
fn compare(asked: &Decisions, apps: &[App], since: &str, paint: Paint) -> Result<Exit, Fatal> {
    let [app] = apps else {
        return Err(Fatal::usage("--since takes one app"));
    };
    let Some(tree) = &app.tree else {
        return Err(Fatal::usage("--since wants a folder in a git repository"));
    };
    let before = at_revision(tree, since)?;
    let old: Vec<Decision> = before
        .decisions
        .into_iter()
        .filter(|one| asked.only.is_empty() || asked.only.contains(&one.decision))
        .collect();
    let new: Vec<Decision> = app
        .told
        .decisions
        .iter()
        .map(|one| one.decision.clone())
        .collect();
    let all = changes(&old, &new);
    print(&match asked.format {
        DecisionFormat::Json => object(apps, &all)?,
        DecisionFormat::Markdown | DecisionFormat::Terminal => {
            shown::changed(&all, &app.told, since, paint)
        }
    })?;
    Ok(exit(asked, apps, Some(all.len())))
}

/// What was decided in a revision; read from git's own store, nothing is checked out.
pub(super) fn at_revision(tree: &Path, revision: &str) -> Result<Reading, Fatal> {
    let files = files_at(tree, revision).map_err(|error| Fatal {
        why: format!("--since {}", error.why),
        ..error
    })?;
    Ok(decision::read_files(&files))
}

/// The sources of a revision by their paths.
pub(super) fn files_at(tree: &Path, revision: &str) -> Result<Vec<(String, String)>, Fatal> {
    let failed = |why: &str| Fatal::usage(format!("{revision}: {why}"));
    if revision.starts_with('-') {
        return Err(failed("this is no revision"));
    }
    let whole = format!("{revision}^{{commit}}");
    let commit = git(tree, &["rev-parse", "--verify", "--quiet", &whole])
        .ok_or_else(|| failed("git knows no such commit here"))?;
    let commit = commit.trim();
    // Relative to the folder, and only what lies in it.
    let names = git(tree, &["ls-tree", "-r", "-z", "--name-only", commit, "."])
        .ok_or_else(|| failed("git cannot list it"))?;
    let mut files = Vec::new();
    let wanted: Vec<&str> = names
        .split('\0')
        .filter(|name| !name.is_empty() && decision::is_read(name))
        .collect();
    for (name, text) in wanted.iter().zip(contents(tree, commit, &wanted)?) {
        files.push(((*name).to_owned(), text));
    }
    Ok(files)
}

/// The texts of these files, through one `git cat-file`.
fn contents(tree: &Path, commit: &str, names: &[&str]) -> Result<Vec<String>, Fatal> {
    use std::io::{BufRead as _, Read as _, Write as _};
    let failed = |error: std::io::Error| Fatal::failed(format!("git cat-file: {error}"));
    let mut child = git_command(tree)
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Fatal::failed("git cat-file has no pipes"));
    };
    let lines: String = names
        .iter()
        .map(|name| format!("{commit}:./{name}\n"))
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let mut out = std::io::BufReader::new(stdout);
    let mut texts = Vec::new();
    for name in names {
        let mut head = String::new();
        out.read_line(&mut head).map_err(failed)?;
        let size: Option<usize> = head
            .trim()
            .rsplit(' ')
            .next()
            .and_then(|size| size.parse().ok());
        let Some(size) = size.filter(|_| head.contains(" blob ")) else {
            return Err(Fatal::failed(format!("git cannot read {name} at {commit}")));
        };
        let mut bytes = vec![0; size + 1];
        out.read_exact(&mut bytes).map_err(failed)?;
        bytes.pop();
        texts.push(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect()),
        );
    }
    let _ = writer.join();
    child.wait().map_err(failed)?;
    Ok(texts)
}

/// git without hooks, pagers, prompts or file-system monitors: the repository may be an agent's.
fn git_command(tree: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            "-C",
        ])
        .arg(tree)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null());
    command
}

pub(super) fn git(tree: &Path, args: &[&str]) -> Option<String> {
    let output = git_command(tree)
        .args(args)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// One object; its schema is docs/decisions.schema.json.
fn object(apps: &[App], all: &[Change<'_>]) -> Result<String, Fatal> {
    let changed: Vec<serde_json::Value> = all
        .iter()
        .map(|change| match change {
            Change::New(new) => json!({"change": "new", "after": new}),
            Change::Changed(old, new) => json!({"change": "changed", "before": old, "after": new}),
            Change::Gone(old) => json!({"change": "gone", "before": old}),
        })
        .collect();
    let apps: Vec<serde_json::Value> = apps
        .iter()
        .map(|app| json!({"app": app.name, "told": app.told}))
        .collect();
    let object = json!({"schema": "unrequested/decisions/1", "apps": apps, "changes": changed});
    let text = serde_json::to_string_pretty(&object);
    text.map(|text| text + "\n")
        .map_err(|error| Fatal::failed(error.to_string()))
}
