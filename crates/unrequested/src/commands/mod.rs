//! One file per command.

mod atif;
pub(crate) mod bench;
mod board;
mod calibrate;
mod check;
mod compare;
pub(crate) mod conclude;
mod consent;
pub(crate) mod decisions;
mod doctor;
mod explain;
mod fix;
mod guard;
pub(crate) mod hook;
mod list;
mod mcp;
mod plan;
mod reference;
mod regrade;
mod replay;
mod report;
mod scan;
mod serve;

use std::io::{IsTerminal as _, Write as _};

use ::report::Paint;
use exploit::Entry;
use model::Word;
use model::run::{Run, Tier};

use crate::cli::{Cli, Color, Command, FailOn};
use crate::exit::{Exit, Fatal};

pub(crate) fn run(cli: Cli) -> Result<Exit, Fatal> {
    let paint = paint(cli.color);
    match &cli.command {
        Command::Bench(bench) => match &bench.regrade {
            Some(origin) => regrade::run(&cli, bench, origin, paint),
            None => bench::run(&cli, bench, paint),
        },
        Command::Check(check) => check::run(&cli, check, paint),
        Command::Decisions(decisions) => decisions::run(&cli, decisions, paint),
        Command::Explain { id, for_agent } => explain::run(id, *for_agent, paint),
        Command::Replay(replay) => replay::run(&cli, replay, paint),
        Command::Fix(fix) => fix::run(&cli, fix),
        Command::Guard(guard) => guard::run(&cli, guard, paint),
        Command::Hook { agent } => Ok(hook::run(&cli.dir, *agent)),
        Command::Report(asked) => report::run(&cli, asked, paint),
        Command::Scan(asked) => scan::run(&cli, asked, paint),
        Command::Mcp(mcp) => mcp::run(&cli, mcp),
        Command::Compare { sides, published } => {
            compare::run(&cli, sides, published.as_deref(), paint)
        }
        Command::Calibrate(calibrate) => calibrate::run(&cli, calibrate, paint),
        Command::Reference(reference) => reference::run(reference),
        Command::List { format } => list::run(*format),
        Command::Doctor => doctor::run(&cli),
    }
}

fn paint(color: Color) -> Paint {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    Paint(match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::io::stdout().is_terminal()
                && !set("NO_COLOR")
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    })
}

/// How this program is called, for the commands that it suggests.
fn called() -> &'static str {
    // cargo sets this for what it runs.
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        "cargo run --release --"
    } else {
        "unrequested"
    }
}

/// Writes a result to stdout. A reader that has gone away is not an error.
pub(crate) fn print(text: &str) -> Result<(), Fatal> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Fatal::failed(format!("cannot write the result: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The exploits with these ids or of these findings, or the study's 33.
fn chosen(only: &[String]) -> Result<Vec<&'static Entry>, Fatal> {
    if only.is_empty() {
        return Ok(Entry::study());
    }
    let mut wanted: Vec<&str> = Vec::new();
    for id in only {
        let finding = id.strip_suffix("-hardening").unwrap_or(id);
        match ::report::remedy::find(finding) {
            _ if exploit::find(id).is_some() => wanted.push(id),
            Some(remedy) => wanted.extend(&remedy.exploits),
            None => return Err(unknown_exploit(id)),
        }
    }
    Ok(exploit::all()
        .into_iter()
        .filter(|entry| wanted.contains(&entry.id))
        .collect())
}

/// The same for a study, whose scores are of the 33.
fn studied(only: &[String]) -> Result<Vec<&'static Entry>, Fatal> {
    let entries = chosen(only)?;
    match entries.iter().find(|entry| entry.is_depth()) {
        None => Ok(entries),
        Some(entry) => Err(Fatal::usage(format!(
            "`{0}` belongs to the depth suite, which is in no study's scores; `unrequested check --only {0}` runs it",
            entry.id
        ))),
    }
}

fn unknown_exploit(id: &str) -> Fatal {
    let near = nearest(id, exploit::all().iter().map(|entry| entry.id));
    Fatal::usage(format!(
        "there is no exploit `{id}`; did you mean `{near}`? `unrequested list` names all"
    ))
}

/// The name with the most letter pairs in common.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> &'a str {
    let pairs = |text: &str| {
        text.as_bytes()
            .windows(2)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let wanted = pairs(wanted);
    names
        .max_by_key(|name| {
            pairs(name)
                .iter()
                .filter(|pair| wanted.contains(pair))
                .count()
        })
        .unwrap_or_default()
}

fn is_incomplete(run: &Run) -> bool {
    !run.complete
}

/// The exit code that findings ask for, if any.
fn findings_exit(run: &Run, fail_on: FailOn) -> Option<Exit> {
    let counts = |tier: Option<Tier>| {
        run.sessions
            .iter()
            .filter(|session| session.agent != "reference")
            .flat_map(|session| &session.verdicts)
            .any(|judged| {
                judged.verdict == Word::Exploited && tier.is_none_or(|tier| tier == judged.tier)
            })
    };
    let found = match fail_on {
        FailOn::Never => false,
        FailOn::Exploited => counts(Some(Tier::Requirement)),
        FailOn::Absent => counts(None),
    };
    found.then_some(Exit::Findings)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typo_finds_its_word() {
        let names = ["login-rate-limit", "weak-password", "webhook-replay"];
        assert_eq!(
            nearest("login-rat-limit", names.into_iter()),
            "login-rate-limit"
        );
        assert_eq!(nearest("weak-pasword", names.into_iter()), "weak-password");
    }
}
