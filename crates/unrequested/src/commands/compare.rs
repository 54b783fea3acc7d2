//! `compare`: sessions of the ledger beside others, among themselves, or beside a published study.

use report::Paint;
use report::compare::{Published, Side, beside, render, within};

use model::run::{Run, Session};

use super::{nearest, print};
use crate::cli::Cli;
use crate::exit::{Exit, Fatal};
use crate::ledger::Ledger;
use crate::view;

const PUBLISHED: &str = "study/published";

pub(super) fn run(
    cli: &Cli,
    asked: &[String],
    published: Option<&str>,
    paint: Paint,
) -> Result<Exit, Fatal> {
    if asked.len() > if published.is_some() { 1 } else { 2 } {
        return Err(Fatal::usage(
            "compare takes two selections, `compare @imports-first @runtime-first`, one or none for what made a difference \
             within it, or --published 2026-04 and at most one",
        ));
    }
    let theirs = published.map(published_study).transpose()?;
    if !cli.dir.join("ledger.db").is_file() {
        return Err(Fatal::nothing(format!(
            "there is no ledger in {}; `unrequested bench` makes one",
            cli.dir.display()
        )));
    }
    let ledger = Ledger::open(&cli.dir)?;
    let whole = String::new();
    let picks = if asked.is_empty() {
        std::slice::from_ref(&whole)
    } else {
        asked
    };
    let mut runs: Vec<(String, Run, Vec<&str>)> = Vec::new();
    for pick in picks {
        let (run, words) = pick.split_once('@').unwrap_or((pick, ""));
        let words = words.split(',').filter(|word| !word.is_empty()).collect();
        let row = ledger.run((!run.is_empty()).then_some(run))?;
        runs.push((row.id.clone(), view::run(&ledger, &row)?, words));
    }
    let mut sides = Vec::new();
    for (pick, (id, run, words)) in picks.iter().zip(&runs) {
        let sessions = select(run, words);
        if sessions.is_empty() {
            let mut known: Vec<&str> = run.sessions.iter().flat_map(words_of).collect();
            known.sort_unstable();
            known.dedup();
            return Err(Fatal::usage(format!(
                "no session of run {id} is all of `{}`; sessions there are {}",
                words.join(","),
                known.join(", ")
            )));
        }
        let name = if words.is_empty() {
            format!("run {}", id.get(..8).unwrap_or(id))
        } else {
            pick.trim_start_matches('@').replace('@', " ")
        };
        sides.push(Side { name, sessions });
    }
    if runs.windows(2).any(|two| two[0].1.suite != two[1].1.suite) {
        return Err(Fatal::usage(
            "these runs were made with different revisions of the exploits, whose scores never mix; `unrequested bench --regrade RUN` makes the older one comparable",
        ));
    }
    print(&match (&theirs, sides.as_slice()) {
        (Some(theirs), [ours]) => {
            // Theirs were asked as `silent` asks.
            if let Some(other) = ours.sessions.iter().find(|one| one.arm != agent::SILENT) {
                return Err(Fatal::usage(format!(
                    "the published study has the arm `{}` alone, and {} is of another; `compare @{} --published {}`",
                    agent::SILENT,
                    other.id,
                    agent::SILENT,
                    published.unwrap_or_default()
                )));
            }
            beside(theirs, &ours.sessions, paint)
        }
        (_, [first, second]) => render(first, second, paint),
        (_, [one]) => within(one, paint),
        _ => return Err(Fatal::usage("compare takes two selections")),
    })?;
    Ok(Exit::Done)
}

/// The attacked sessions that have all of these words; the reference app is none.
fn select<'a>(run: &'a Run, words: &[&str]) -> Vec<&'a Session> {
    run.sessions
        .iter()
        .filter(|one| one.agent != "reference" && one.trouble.is_none())
        .filter(|one| !one.verdicts.is_empty())
        .filter(|one| words.iter().all(|word| words_of(one).contains(word)))
        .collect()
}

/// What a session can be picked by.
fn words_of(session: &Session) -> [&str; 5] {
    let agent = session.agent.as_str();
    let short = agent.strip_prefix("recorded:").unwrap_or(agent);
    let (name, _) = short.split_once('@').unwrap_or((short, ""));
    [agent, short, name, &session.framework, &session.arm]
}

fn published_study(id: &str) -> Result<Published, Fatal> {
    let file = agent::file(&format!("{PUBLISHED}/{id}.toml")).ok_or_else(|| {
        let files = agent::folder(PUBLISHED);
        let known = files
            .iter()
            .filter_map(|(name, _)| name.strip_suffix(".toml"));
        Fatal::usage(format!(
            "no published study `{id}` is known; did you mean `{}`?",
            nearest(id, known)
        ))
    })?;
    let text = String::from_utf8_lossy(file.bytes);
    let read: Published =
        toml::from_str(&text).map_err(|error| Fatal::failed(error.to_string()))?;
    if read.version != 1 {
        return Err(Fatal::failed(format!(
            "{PUBLISHED}/{id}.toml has version {}; this tool reads 1",
            read.version
        )));
    }
    Ok(read)
}
