//! `report`: a run of the ledger, judged again.

use std::fmt::Write as _;

use report::Paint;

use super::{bench, check, print};
use crate::cli::{Cli, Format};
use crate::exit::{Exit, Fatal};
use crate::ledger::Ledger;
use crate::view;

pub(super) fn run(cli: &Cli, run: Option<&str>, list: bool, format: Format, paint: Paint) -> Result<Exit, Fatal> {
    if !cli.dir.join("ledger.db").is_file() {
        return Err(Fatal::nothing(format!(
            "there is no ledger in {}; `unrequested bench` or `unrequested check` makes one",
            cli.dir.display()
        )));
    }
    let ledger = Ledger::open(&cli.dir)?;
    if list {
        let mut out = String::new();
        for row in ledger.runs()? {
            let state = if row.ended.is_some() { "finished" } else { "unfinished" };
            let what = if row.command == "check" { row.study.as_str() } else { "" };
            let _ = writeln!(out, "{}  {:<6} {state:<10} {what}", row.id, row.command);
        }
        print(&out)?;
        return Ok(Exit::Done);
    }
    let row = ledger.run(run)?;
    let judged = view::run(&ledger, &row)?;
    print(&match (format, row.command.as_str()) {
        (Format::Json, _) => report::json::render(&judged),
        (Format::Terminal, "check") => report::check::render(&judged, &check::lines(&judged, &row, Exit::Done), paint),
        (Format::Terminal, _) => {
            let order: Vec<&str> = exploit::all().iter().map(|entry| entry.id).collect();
            report::bench::render(&judged, &order, &bench::next(&judged, &row), paint)
        }
    })?;
    Ok(Exit::Done)
}
