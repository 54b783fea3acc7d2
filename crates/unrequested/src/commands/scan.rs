//! `scan`: static scanners of others on the trees of a run or on a folder. Nothing of it is kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::report::Paint;
use ::report::scan::{Looked, Outcome, SCHEMA, Scan, Tree, beside, exploits, render};
use model::run::{Run, Session};

use super::{nearest, print, regrade};
use crate::cli::{Cli, Format, Scan as Wanted};
use crate::context::Context;
use crate::exit::{Exit, Fatal};
use crate::ledger::{RunRow, UnitRow};
use crate::progress::Progress;
use crate::scan::{ALL, Asked, Copy, Rules, Scanner, Tool, examine, version};
use crate::view;

pub(super) fn run(cli: &Cli, wanted: &Wanted, paint: Paint) -> Result<Exit, Fatal> {
    let scanners = chosen(&wanted.only)?;
    let rules = wanted.semgrep_config.as_deref().map(Rules::named);
    let rules = rules.transpose().map_err(Fatal::usage)?;
    let folder = wanted.what.as_deref().map(Path::new);
    let folder = folder.filter(|path| path.is_dir());
    if folder.is_none() && !cli.dir.join("ledger.db").is_file() {
        return Err(Fatal::usage(match &wanted.what {
            Some(name) => format!(
                "{name} is no folder, and there is no ledger in {} that could have such a run",
                cli.dir.display()
            ),
            None => format!(
                "there is no ledger in {}, so no run; for a folder: unrequested scan PATH",
                cli.dir.display()
            ),
        }));
    }
    let context = Context::open(&cli.dir, cli.require_box)?;
    let progress = Progress::new(cli.quiet);
    let room = Room {
        asked: Asked {
            network: wanted.network,
            rules,
            longest: Duration::from_secs(wanted.longest),
            level: context.level,
        },
        cells: context.cells(),
        tools: tools(&scanners, &context),
        progress: &progress,
    };
    if let Some(why) = &context.no_box {
        progress.warn(&format!(
            "no box here, so scanners run as plain processes: {why}"
        ));
    }
    let (row, trees) = if let Some(path) = folder {
        (None, vec![room.folder(path)])
    } else {
        let row = context.ledger.run(wanted.what.as_deref())?;
        let trees = room.of_run(&context, &row)?;
        (Some(row), trees)
    };
    progress.clear();
    let scan = Scan {
        schema: SCHEMA,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        run: row.map(|row| row.id),
        level: context.level.to_string(),
        trees,
    };
    print(&match wanted.format {
        Format::Terminal => render(&scan, wanted.findings || folder.is_some(), paint),
        Format::Json => {
            serde_json::to_string_pretty(&scan).map_err(|error| Fatal::failed(error.to_string()))?
                + "\n"
        }
    })?;
    Ok(exit(
        &scan,
        room.tools.iter().any(|(_, tool)| tool.is_some()),
    ))
}

fn chosen(only: &[String]) -> Result<Vec<&'static Scanner>, Fatal> {
    for id in only {
        if ALL.iter().all(|one| one.id != id) {
            return Err(Fatal::usage(format!(
                "there is no scanner `{id}`; did you mean `{}`?",
                nearest(id, ALL.iter().map(|one| one.id))
            )));
        }
    }
    let all = ALL.into_iter();
    Ok(all
        .filter(|one| only.is_empty() || only.iter().any(|id| id == one.id))
        .collect())
}

type Tools = Vec<(&'static Scanner, Option<(Tool, Option<String>)>)>;

fn tools(scanners: &[&'static Scanner], context: &Context) -> Tools {
    let find = |scanner: &Scanner| {
        let tool = Tool::find(scanner.program)?;
        let version = version(&tool, &context.cells(), context.level);
        Some((tool, version))
    };
    scanners
        .iter()
        .map(|scanner| (*scanner, find(scanner)))
        .collect()
}

/// What all trees have in common.
struct Room<'a> {
    asked: Asked,
    cells: PathBuf,
    tools: Tools,
    progress: &'a Progress,
}

impl Room<'_> {
    fn folder(&self, path: &Path) -> Tree {
        let mut tree = Tree {
            name: path.display().to_string(),
            step: String::new(),
            not_scanned: None,
            exploits: None,
            scanners: vec![],
        };
        match Copy::of(&self.cells, path) {
            Ok(copy) => tree.scanners = self.scanned(&copy, &tree.name, None),
            Err(why) => tree.not_scanned = Some(why),
        }
        tree
    }

    fn of_run(&self, context: &Context, row: &RunRow) -> Result<Vec<Tree>, Fatal> {
        let units = regrade::kept(&context.ledger.units(&row.id)?, None, false);
        if units.is_empty() {
            return Err(Fatal::nothing(format!(
                "the run {} has no session with a tree, so there is nothing to scan",
                row.id
            )));
        }
        let run = view::run(&context.ledger, row)?;
        Ok(units
            .iter()
            .map(|unit| {
                let found = regrade::tree_of(context, row, unit);
                self.unit(unit, found.as_deref(), session(&run, unit))
            })
            .collect())
    }

    fn unit(&self, unit: &UnitRow, found: Option<&Path>, session: Option<&Session>) -> Tree {
        let mut tree = Tree {
            name: unit.new.session.clone(),
            step: unit.new.step.clone(),
            not_scanned: None,
            exploits: session.map(exploits),
            scanners: vec![],
        };
        match attacked(&self.cells, unit, found) {
            Ok(copy) => tree.scanners = self.scanned(&copy, &tree.name, session),
            Err(why) => tree.not_scanned = Some(why),
        }
        tree
    }

    fn scanned(&self, copy: &Copy, name: &str, session: Option<&Session>) -> Vec<Looked> {
        let tree = copy.tree();
        let look = |(scanner, tool): &(&'static Scanner, Option<(Tool, Option<String>)>)| {
            let outcome = match (scanner.refusal(&tree, &self.asked), tool) {
                (Some(refusal), _) => refusal,
                (None, None) => scanner.missing(),
                (None, Some((tool, _))) => {
                    self.progress.live(&format!("  {name}  {}", scanner.id));
                    examine(scanner, tool, &tree, &self.cells, &self.asked)
                }
            };
            Looked {
                scanner: scanner.id,
                version: tool.as_ref().and_then(|(_, version)| version.clone()),
                beside: session
                    .zip(outcome.said())
                    .and_then(|(session, said)| beside(session, said)),
                outcome,
            }
        };
        self.tools.iter().map(look).collect()
    }
}

fn session<'a>(run: &'a Run, unit: &UnitRow) -> Option<&'a Session> {
    let mut all = run.sessions.iter();
    all.find(|one| one.id == unit.new.session && one.step == unit.new.step)
}

/// A copy of the tree, if it is what was attacked: the copy is hashed, so that nothing changes between.
fn attacked(cells: &Path, unit: &UnitRow, found: Option<&Path>) -> Result<Copy, String> {
    let Some(hash) = &unit.tree_hash else {
        return Err(match &unit.cause {
            Some(cause) => format!("it was not attacked: {}", cause.why),
            None => "the ledger has no hash of what was attacked".to_owned(),
        });
    };
    let found = found.ok_or("its tree is gone")?;
    let copy = Copy::of(cells, found)?;
    match app::tree_hash(&copy.tree()) {
        Ok(now) if now == *hash => Ok(copy),
        Ok(_) => Err(format!(
            "{} is no longer what was attacked",
            found.display()
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// What the process's exit code says of a scan; findings of others are none of ours.
fn exit(scan: &Scan, any_tool: bool) -> Exit {
    let outcomes: Vec<&Outcome> = scan
        .trees
        .iter()
        .flat_map(|tree| &tree.scanners)
        .map(|looked| &looked.outcome)
        .collect();
    let broke = outcomes
        .iter()
        .any(|one| matches!(one, Outcome::Broke { .. }));
    if broke || scan.trees.iter().any(|tree| tree.not_scanned.is_some()) {
        Exit::Coverage
    } else if outcomes.iter().any(|one| one.said().is_some()) {
        Exit::Done
    } else if any_tool {
        Exit::Nothing
    } else {
        Exit::Missing
    }
}
