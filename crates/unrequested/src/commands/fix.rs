//! `fix`: a finding as a prompt for a coding agent. It names the control, the place and how to see that it is done; it holds
//! no payload and no words of the app.

use report::Finding;
use report::finding::prompt;

use super::{called, conclude, print};
use crate::cli::{Cli, Fix};
use crate::exit::{Exit, Fatal};
use crate::ledger::Ledger;
use crate::view;

pub(super) fn run(cli: &Cli, fix: &Fix) -> Result<Exit, Fatal> {
    if !cli.dir.join("ledger.db").is_file() {
        return Err(Fatal::nothing(format!(
            "there is no ledger in {}; `unrequested check` makes one",
            cli.dir.display()
        )));
    }
    let ledger = Ledger::open(&cli.dir)?;
    let row = ledger.run(fix.run.as_deref())?;
    let run = view::run(&ledger, &row)?;
    let rules = conclude::rules()?;
    let apps = conclude::apps(&ledger, &row, &run, &rules)?;
    let found = apps
        .iter()
        .find_map(|app| named(&app.findings, &fix.finding).map(|finding| (app, finding)));
    let Some((app, finding)) = found else {
        let known: Vec<String> = apps
            .iter()
            .flat_map(|app| &app.findings)
            .map(|one| format!("{} {}", one.number, one.id))
            .collect();
        return Err(Fatal::usage(format!(
            "run {} has no finding {}; it has: {}",
            row.id,
            fix.finding,
            known.join(", ")
        )));
    };
    print(&prompt(finding, &app.session.framework, called()))?;
    Ok(Exit::Done)
}

/// By number, by id, or by one of its exploits.
pub(super) fn named<'a>(findings: &'a [Finding], name: &str) -> Option<&'a Finding> {
    let number = name.parse::<usize>().ok();
    findings
        .iter()
        .find(|one| number == Some(one.number) || one.id == name)
        .or_else(|| {
            findings
                .iter()
                .find(|one| one.exploits.iter().any(|id| id == name))
        })
}
