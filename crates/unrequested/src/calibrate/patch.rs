//! `calibrate --patch`: anybody's change to the hardened sample, and what the suite says of it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ::report::{Paint, clean};
use agent::recorded;
use exploit::{Entry, Seed};
use model::Word;
use model::run::Judged;

use super::control::{BASE, Control};
use crate::cli::{Calibrate, Cli, Format};
use crate::context::{Context, suite_hash};
use crate::exit::{Exit, Fatal};
use crate::ledger::NewUnit;
use crate::progress::Progress;
use crate::session::{Attackers, Outcome, boot_and_attack};
use crate::target::Stand;
use crate::view;

pub(crate) fn run(
    cli: &Cli,
    asked: &Calibrate,
    file: &Path,
    entries: &[&'static Entry],
    paint: Paint,
) -> Result<Exit, Fatal> {
    let name = asked.framework.as_deref().unwrap_or("fastapi");
    let framework = app::framework::find(name)
        .ok_or_else(|| Fatal::usage(format!("there is no framework `{name}`")))?;
    let file = file
        .canonicalize()
        .map_err(|error| Fatal::usage(format!("cannot read {}: {error}", file.display())))?;
    let context = Context::open(&cli.dir, cli.require_box)?;
    let progress = Progress::new(cli.quiet);
    let shown = file.display().to_string();
    let run = context
        .ledger
        .begin_run("calibrate", &suite_hash(), &shown, &shown)?;
    let tree = context.dir.join("runs").join(&run.id).join("patched");
    fs::create_dir_all(&tree)?;
    recorded::write(name, BASE, 6, &tree)?;
    change(name, &file, &tree)?;
    let unit = context.ledger.begin_unit(
        &run.id,
        &NewUnit {
            key: run.id.clone(),
            session: "patched".to_owned(),
            agent: "control:patched".to_owned(),
            framework: name.to_owned(),
            arm: "none".to_owned(),
            replicate: 1,
            step: "6-production".to_owned(),
            tree: Some(tree.display().to_string()),
        },
    )?;
    let seed = Seed::new(&run.seed);
    let plan = context.ready(&tree, framework, &seed)?;
    let stand = Stand::new(plan, exploit::contract()).killed_at(asked.kill_app_at);
    let attackers = Attackers {
        entries,
        seed,
        name: "patched",
        unbound: &[],
    };
    let outcome = boot_and_attack(&context, unit, &stand, &attackers, &progress)?;
    context.ledger.end_run(&run.id)?;
    let row = context.ledger.run(Some(&run.id))?;
    let judged = view::run(&context.ledger, &row)?;
    if let Outcome::NotBooted(cause) = outcome {
        return Err(Fatal::nothing(format!(
            "the changed app did not boot, so nothing was attacked: {}",
            clean(&cause.why)
        )));
    }
    let verdicts: Vec<Judged> = judged
        .sessions
        .iter()
        .flat_map(|session| session.verdicts.clone())
        .collect();
    crate::commands::print(&match asked.format {
        Format::Json => ::report::json::render(&judged),
        Format::Terminal => render(&shown, name, &verdicts, paint),
    })?;
    let open = verdicts.iter().any(|one| one.verdict == Word::Inconclusive);
    Ok(if open { Exit::Coverage } else { Exit::Done })
}

/// A control is a TOML file; everything else must be a diff.
fn change(framework: &str, file: &Path, tree: &Path) -> Result<(), Fatal> {
    if file.extension().is_some_and(|end| end == "toml") {
        let text = fs::read_to_string(file)?;
        let exploit = file
            .parent()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        return Control::parse(framework, &format!("{exploit}/{stem}"), &text)
            .and_then(|control| control.apply(tree))
            .map_err(|error| Fatal::usage(error.to_string()));
    }
    // Outside a repository git applies a diff to the files as they are; a ceiling keeps it from finding ours.
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .arg(file)
        .current_dir(tree)
        .env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Fatal::failed(format!("cannot run git: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Fatal::usage(format!(
        "{} does not apply to the hardened sample of {framework}: {}",
        file.display(),
        clean(String::from_utf8_lossy(&output.stderr).trim())
    )))
}

fn render(file: &str, framework: &str, verdicts: &[Judged], paint: Paint) -> String {
    let of = |word: Word| verdicts.iter().filter(move |one| one.verdict == word);
    let mut out = format!(" {file}\n on the hardened sample of {framework}\n\n");
    for one in of(Word::Exploited) {
        let _ = writeln!(
            out,
            "   {}  {:<24} {}",
            paint.bad("exploited"),
            one.exploit,
            clean(&one.reason)
        );
    }
    for one in of(Word::Inconclusive) {
        let _ = writeln!(
            out,
            "   {}  {:<24} {}",
            paint.odd("undecided"),
            one.exploit,
            clean(&one.reason)
        );
    }
    for one in verdicts.iter().filter(|one| !one.notes.is_empty()) {
        let _ = writeln!(
            out,
            "   reported   {:<24} {}",
            one.exploit,
            clean(&one.notes.join("; "))
        );
    }
    let found: Vec<&str> = of(Word::Exploited)
        .map(|one| one.exploit.as_str())
        .collect();
    let _ = writeln!(
        out,
        "\n {} exploited, {} resisted, {} not applicable, {} undecided",
        found.len(),
        of(Word::Resisted).count(),
        of(Word::NotApplicable).count(),
        of(Word::Inconclusive).count()
    );
    let undecided = of(Word::Inconclusive).count() > 0;
    let _ = writeln!(
        out,
        " {}",
        match (found.as_slice(), undecided) {
            ([], true) => "Nothing can be said of what is undecided.".to_owned(),
            ([], false) => format!(
                "No exploit sees it. If it is a hole, it is a blind spot: keep the change as\n controls/{framework}/EXPLOIT/NAME.toml with kind = \"blind-spot\". If it is none, as a\n near-miss."
            ),
            ([one], _) => format!("The hole has one name: {one}."),
            (many, _) => format!("It opens {} holes: {}.", many.len(), many.join(", ")),
        }
    );
    out
}
