//! `guard`: the checklist where coding agents read it, a hook that sends them back once, and a skill. It shows what it
//! would write, asks, and can take all of it out again.

mod block;
mod diff;
mod files;
mod settings;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use model::Word;
use model::decision::{Decided, InForce};
use model::run::Session;
use report::checklist::{self, Project, Route};
use report::{Paint, clean, remedy};

use super::consent::{Person, Terminal};
use super::{called, conclude, print};
use crate::baseline::{BASELINE, Baseline};
use crate::cli::{Cli, Guard};
use crate::decided::{self, Lock};
use crate::exit::{Exit, Fatal};
use crate::ledger::Ledger;
use crate::progress::Progress;
use crate::view;

use files::{Change, File};

const CLAUDE: &str = "CLAUDE.md";
const AGENTS: &str = "AGENTS.md";
/// Files of hooks, and what is run.
const HOOKS: [(&str, &str); 2] = [
    (".claude/settings.json", "unrequested hook claude-code"),
    (".codex/hooks.json", "unrequested hook codex"),
];
/// Where Claude Code looks for a project's skills, and where Codex does.
const SKILLS: [&str; 2] = [
    ".claude/skills/unrequested/SKILL.md",
    ".agents/skills/unrequested/SKILL.md",
];
const SKILL_TEXT: &str = include_str!("guard/skill.md");

pub(super) fn run(cli: &Cli, guard: &Guard, paint: Paint) -> Result<Exit, Fatal> {
    if guard.prompt {
        print(&checklist::prompt())?;
        return Ok(Exit::Done);
    }
    let root = root(&guard.folder)?;
    let progress = Progress::new(cli.quiet);
    let changes = if guard.remove {
        removed(&root, guard)?
    } else {
        written(cli, &root, guard, &progress)?
    };
    if changes.is_empty() {
        let why = if guard.remove {
            "nothing of `guard` is here; nothing was changed"
        } else {
            "all is as `guard` writes it; nothing was changed"
        };
        print(&format!(" {why}\n"))?;
        return Ok(Exit::Done);
    }
    let mut shown = String::new();
    for change in &changes {
        let before = change.file.text.as_deref();
        let after = change.after.as_deref();
        shown.push_str(&diff::unified(&change.file.name, before, after, paint));
    }
    print(&shown)?;
    ask(guard, changes.len(), &mut Terminal)?;
    files::write(&root, &changes)?;
    print(&told(&changes, guard))?;
    Ok(Exit::Done)
}

fn root(folder: &Path) -> Result<PathBuf, Fatal> {
    let real = folder.canonicalize().map_err(|error| {
        Fatal::usage(format!(
            "cannot read the folder {}: {error}",
            folder.display()
        ))
    })?;
    if real.is_dir() {
        Ok(real)
    } else {
        Err(Fatal::usage(format!("{} is no folder", folder.display())))
    }
}

fn ask(guard: &Guard, count: usize, person: &mut dyn Person) -> Result<(), Fatal> {
    if guard.yes {
        return Ok(());
    }
    if !person.is_there() {
        return Err(Fatal::usage(
            "nothing was written: nobody is there to be asked whether that is wanted. Say --yes, or ask on a terminal",
        ));
    }
    let files = if count == 1 {
        "this file".to_owned()
    } else {
        format!("these {count} files")
    };
    let answer = person.answer(&format!("Change {files}? [y/N] "))?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Fatal {
        exit: Exit::Nothing,
        why: "nothing was written, as you wish".into(),
    })
}

/// What is said once all is written.
fn told(changes: &[Change], guard: &Guard) -> String {
    let names = |gone: bool| {
        let of_it = changes.iter().filter(|one| one.after.is_none() == gone);
        of_it
            .map(|one| clean(&one.file.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut out = String::from("\n");
    for (word, names) in [("wrote", names(false)), ("deleted", names(true))] {
        if !names.is_empty() {
            let _ = writeln!(out, " {word:<8}{names}");
        }
    }
    if guard.remove {
        return out;
    }
    let folder = match guard.folder.to_string_lossy() {
        here if here == "." => String::new(),
        there => format!(" {}", clean(&there)),
    };
    let _ = writeln!(out, " undo    {} guard{folder} --remove", called());
    if changes.iter().any(|one| one.file.name == HOOKS[1].0) {
        out.push_str(
            " Codex runs a project's hook only once you have trusted the project and, with /hooks, the hook.\n",
        );
    }
    let hooked = changes
        .iter()
        .any(|one| HOOKS.iter().any(|(name, _)| one.file.name == *name));
    if hooked && !is_on_path("unrequested") {
        out.push_str(
            " `unrequested` is not on your PATH, so no hook will run: cargo install --path crates/unrequested\n",
        );
    }
    let _ = write!(
        out,
        "\n For a new endpoint, give your agent this (again: {} guard --prompt):\n\n{}",
        called(),
        checklist::prompt()
    );
    out
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

// --- what is written ---------------------------------------------------------------------------------------------------

fn written(
    cli: &Cli,
    root: &Path,
    guard: &Guard,
    progress: &Progress,
) -> Result<Vec<Change>, Fatal> {
    let body = checklist::block(&project(cli, root, progress)?);
    let mut changes = texts(
        root,
        |file| {
            let text = block::insert(file.text.as_deref(), &body, guard.overwrite);
            text.map(Some).map_err(|why| refused(file, &why))
        },
        guard,
    )?;
    if !guard.no_hook {
        for (name, command) in HOOKS {
            let file = File::read(root, name)?;
            let text = settings::insert(file.text.as_deref(), command);
            let after = Some(text.map_err(|why| refused(&file, &why))?);
            changes.push(Change { file, after });
        }
        for name in SKILLS {
            let file = File::read(root, name)?;
            if let Some(text) = &file.text {
                ours(&file, text, guard)?;
            }
            changes.push(Change {
                file,
                after: Some(skill().into_bytes()),
            });
        }
    }
    files::whole(changes)
}

/// CLAUDE.md and AGENTS.md, each once: one is often a link to the other, or takes it in.
fn texts(
    root: &Path,
    with: impl Fn(&File) -> Result<Option<Vec<u8>>, Fatal>,
    guard: &Guard,
) -> Result<Vec<Change>, Fatal> {
    let (claude, agents) = (File::read(root, CLAUDE)?, File::read(root, AGENTS)?);
    let mut changes = vec![Change {
        after: with(&agents)?,
        file: agents,
    }];
    if !changes[0].file.is_same_as(&claude) {
        let text = claude.text.as_deref().unwrap_or_default();
        let after = if block::imports(text, AGENTS) {
            without(&claude, guard)?
        } else {
            with(&claude)?
        };
        changes.insert(
            0,
            Change {
                file: claude,
                after,
            },
        );
    }
    Ok(changes)
}

fn without(file: &File, guard: &Guard) -> Result<Option<Vec<u8>>, Fatal> {
    let Some(text) = &file.text else {
        return Ok(None);
    };
    block::remove(text, guard.overwrite).map_err(|why| refused(file, &why))
}

fn removed(root: &Path, guard: &Guard) -> Result<Vec<Change>, Fatal> {
    let mut changes = texts(root, |file| without(file, guard), guard)?;
    if guard.no_hook {
        return files::whole(changes);
    }
    for (name, command) in HOOKS {
        let file = File::read(root, name)?;
        let Some(text) = &file.text else { continue };
        // What is no plain JSON was not written here.
        let names_it = text
            .windows(command.len())
            .any(|part| part == command.as_bytes());
        let after = if names_it {
            settings::remove(text, command).map_err(|why| refused(&file, &why))?
        } else {
            file.text.clone()
        };
        changes.push(Change { file, after });
    }
    for name in SKILLS {
        let file = File::read(root, name)?;
        if let Some(text) = &file.text {
            ours(&file, text, guard)?;
            changes.push(Change { file, after: None });
        }
    }
    files::whole(changes)
}

fn refused(file: &File, why: &dyn std::fmt::Display) -> Fatal {
    Fatal::usage(format!("{}: {why}. Nothing was written", file.name))
}

const SKILL_MARK: &str = "<!-- unrequested:file sum=";

/// The skill's file, with a hash that tells whether somebody changed it.
fn skill() -> String {
    let hash = block::hash(SKILL_TEXT.as_bytes());
    format!("{SKILL_TEXT}\n{SKILL_MARK}{hash} -->\n")
}

/// An error where the skill's file is not as some version of this tool wrote it.
fn ours(file: &File, text: &[u8], guard: &Guard) -> Result<(), Fatal> {
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
    let parts = text.rsplit_once(SKILL_MARK);
    let is_ours = parts.is_some_and(|(words, hash)| {
        let words = words.strip_suffix('\n').unwrap_or(words);
        hash.trim_end().strip_suffix(" -->") == Some(block::hash(words.as_bytes()).as_str())
    });
    if is_ours || guard.overwrite {
        return Ok(());
    }
    Err(refused(
        file,
        &"it was changed by hand, or is not of `guard`; keep it under another name, or say --overwrite: then it is lost",
    ))
}

// --- what is known of the project ------------------------------------------------------------------------------------------

fn project(cli: &Cli, root: &Path, progress: &Progress) -> Result<Project, Fatal> {
    let framework = app::framework::recognise(root);
    let reading = decision::read(root);
    let is_read = reading.files > 0;
    let lock = Lock::read(root)?;
    let accepted = accepted(root)?;
    let mut told = decided::told(vec![(String::new(), reading)], &[], &lock);
    let mut exploited = Vec::new();
    let last = last_check(cli, root)?;
    if let Some((_, session)) = &last {
        let holds: Vec<(&str, Word)> = session
            .verdicts
            .iter()
            .filter(|one| is_current(&one.exploit, session, &told))
            .map(|one| (one.exploit.as_str(), one.verdict))
            .collect();
        for one in &mut told.decisions {
            let tests = asked_of(one);
            let words: Vec<Word> = holds
                .iter()
                .filter(|(id, _)| tests.contains(id))
                .map(|(_, word)| *word)
                .collect();
            let all = words.len() == tests.len();
            let known = InForce::of(&one.decision.origin, &words);
            // Of some of its exploits nothing is known that still holds.
            let open = !all && matches!(known, InForce::Enforced | InForce::Gift);
            one.in_force = if open { InForce::Untested } else { known };
        }
        let succeeded = holds.iter().filter(|(_, word)| *word == Word::Exploited);
        exploited = succeeded.map(|(id, _)| (*id).to_owned()).collect();
    }
    let name = framework.map_or("not an app that is known here", |one| one.name);
    progress.line(&format!("unrequested guard: {} ({name})", root.display()));
    progress.line(&match &last {
        Some((run, _)) => format!(
            " What the source says, and what run {run} saw of what is still the same."
        ),
        None if framework.is_some() => format!(
            " What the source says; nothing was run. After `{} check --depth` it says what is in force as well.",
            called()
        ),
        None => " The lines as they are for any app.".to_owned(),
    });
    Ok(Project {
        framework: framework.map(|one| (one.id, one.name)),
        is_read,
        decisions: told.decisions,
        exploited,
        accepted,
        routes: routes(root),
    })
}

/// The exploits that say whether it is in force: those of the study, which every check runs; others where it has none.
fn asked_of(one: &Decided) -> Vec<&str> {
    let all = || one.tests.iter().map(String::as_str);
    let is_of_the_study = |id: &&str| exploit::Entry::study().iter().any(|entry| entry.id == *id);
    let study: Vec<&str> = all().filter(is_of_the_study).collect();
    if study.is_empty() {
        all().collect()
    } else {
        study
    }
}

/// Exploits whose findings the baseline covers today.
fn accepted(root: &Path) -> Result<Vec<String>, Fatal> {
    let baseline = Baseline::read(&root.join(BASELINE))?;
    let today = crate::ledger::today()?;
    let covered =
        |id: &&str| remedy::of(id).is_some_and(|remedy| baseline.covers(remedy.id, &[*id], &today));
    let lines = checklist::all().iter();
    let exploits = lines.flat_map(|line| line.exploits.iter().copied());
    Ok(exploits.filter(covered).map(str::to_owned).collect())
}

fn routes(root: &Path) -> Vec<Route> {
    decision::routes(root)
        .into_iter()
        .map(|place| Route {
            purpose: place.purpose,
            method: place.method,
            path: place.path,
            file: place.file,
        })
        .collect()
}

/// The newest finished check of this folder that booted it.
fn last_check(cli: &Cli, root: &Path) -> Result<Option<(String, Session)>, Fatal> {
    if !cli.dir.join("ledger.db").is_file() {
        return Ok(None);
    }
    let ledger = Ledger::open(&cli.dir)?;
    let here = root.display().to_string();
    for row in ledger.runs()? {
        if row.command != "check" || row.ended.is_none() {
            continue;
        }
        let units = ledger.units(&row.id)?;
        if !units
            .iter()
            .any(|unit| unit.new.tree.as_ref() == Some(&here))
        {
            continue;
        }
        let run = view::run(&ledger, &row)?;
        let session = run.sessions.into_iter().find(|one| one.trouble.is_none());
        if let Some(session) = session {
            return Ok(Some((row.id, session)));
        }
    }
    Ok(None)
}

/// Whether all that an exploit tests is decided as it was when the app was checked: else its verdict is of another app.
fn is_current(exploit: &str, then: &Session, now: &model::decision::Told) -> bool {
    let of_it = |all: &[Decided]| -> Vec<String> {
        let mut ids: Vec<String> = all
            .iter()
            .filter(|one| one.tests.iter().any(|id| id == exploit))
            .map(|one| one.decision.decision.clone())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let (before, after) = (of_it(&then.decisions), of_it(&now.decisions));
    let places =
        |id: &str, all: &[Decided]| conclude::places(id, all.iter().map(|one| &one.decision));
    // What no decision is about may have changed in any way.
    !after.is_empty()
        && before == after
        && after
            .iter()
            .all(|id| places(id, &then.decisions) == places(id, &now.decisions))
}

#[cfg(test)]
mod tests {
    use report::remedy::NOT_FOR_AGENTS;

    use super::*;

    #[test]
    fn each_line_of_the_checklist_has_exploits_and_decisions_that_check_it() {
        for line in checklist::all() {
            for id in &line.exploits {
                assert!(exploit::find(id).is_some(), "{}: {id}", line.id);
            }
            assert!(
                !line.exploits.is_empty(),
                "{}: nothing checks it at run time",
                line.id
            );
            for id in &line.decisions {
                let matter = decision::find(id).unwrap_or_else(|| panic!("{}: {id}", line.id));
                let tests = matter.matter.exploits;
                assert!(
                    tests.iter().any(|test| line.exploits.contains(test)),
                    "{}: no exploit of it tests {id}",
                    line.id
                );
            }
            assert!(!line.decisions.is_empty(), "{}", line.id);
        }
    }

    /// `decisions` reads who asked for what from these files.
    #[test]
    fn the_block_asks_for_its_own_matters_and_for_few_others() {
        let body = checklist::block(&Project::default());
        let text = block::insert(None, &body, false).unwrap();
        let text = String::from_utf8(text).unwrap().to_lowercase();
        let asks = |id: &str| {
            let words = decision::find(id).unwrap().matter.words;
            words.iter().any(|word| text.contains(word))
        };
        let own = checklist::all()
            .iter()
            .flat_map(|line| line.decisions.clone());
        for id in own.clone() {
            assert!(asks(id), "{id}");
        }
        let all = decision::all().iter().map(|entry| entry.id);
        let others: Vec<&str> = all
            .filter(|id| asks(id) && own.clone().all(|one| one != *id))
            .collect();
        assert_eq!(others, ["error-handling"]);
    }

    #[test]
    fn the_skill_names_controls_and_no_attacks_and_only_commands_that_are() {
        use clap::CommandFactory as _;
        let text = skill();
        for word in NOT_FOR_AGENTS {
            assert!(!text.to_lowercase().contains(word), "{word}");
        }
        assert!(text.starts_with("---\nname: unrequested\ndescription: "));
        let known = Cli::command();
        let mut seen = 0;
        for part in text.split("unrequested ").skip(1) {
            let line = part.lines().next().unwrap_or_default();
            let line = line.split(['`', ';', '>']).next().unwrap_or_default();
            if !text.contains(&format!("    unrequested {line}")) {
                continue;
            }
            let words = std::iter::once("unrequested").chain(line.split_whitespace());
            let words: Vec<String> = words
                .map(|word| word.replace("DAY", "2999-01-01"))
                .collect();
            known.clone().try_get_matches_from(&words).unwrap();
            seen += 1;
        }
        assert!(seen >= 6, "{seen}");
    }

    #[test]
    fn a_skill_is_ours_until_somebody_changes_it() {
        let guard = |overwrite| Guard {
            folder: ".".into(),
            yes: true,
            remove: false,
            no_hook: false,
            overwrite,
            prompt: false,
        };
        let folder = tempfile::tempdir().unwrap();
        let file = File::read(&folder.path().canonicalize().unwrap(), SKILLS[0]).unwrap();
        let is = |text: &str, overwrite| ours(&file, text.as_bytes(), &guard(overwrite)).is_ok();
        assert!(is(&skill(), false));
        assert!(is(&skill().replace('\n', "\r\n"), false));
        let other = "mine\n";
        let old = format!(
            "{other}\n{SKILL_MARK}{} -->\n",
            block::hash(other.as_bytes())
        );
        assert!(is(&old, false), "of an older version");
        let edited = skill().replace("fix 2", "fix 3");
        assert!(!is(&edited, false) && is(&edited, true));
        assert!(!is("mine\n", false) && !is("", false));
    }

    struct Somebody(&'static str);

    impl Person for Somebody {
        fn is_there(&self) -> bool {
            true
        }

        fn answer(&mut self, _question: &str) -> std::io::Result<String> {
            Ok(self.0.to_owned())
        }
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        let guard = Guard {
            folder: ".".into(),
            yes: false,
            remove: false,
            no_hook: false,
            overwrite: false,
            prompt: false,
        };
        for says in ["y\n", "YES\n"] {
            assert!(ask(&guard, 2, &mut Somebody(says)).is_ok(), "{says:?}");
        }
        for says in ["", "\n", "n\n", "yep\n"] {
            let fatal = ask(&guard, 2, &mut Somebody(says)).unwrap_err();
            assert_eq!(fatal.exit, Exit::Nothing, "{says:?}");
        }
    }
}
