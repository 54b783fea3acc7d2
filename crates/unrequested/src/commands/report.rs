//! `report`: a run of the ledger, judged again.

use std::fmt::Write as _;

use agent::Prices;
use report::Paint;

use super::{atif, bench, called, check, conclude, print};
use crate::cli::{Cli, Format};
use crate::exit::{Exit, Fatal};
use crate::ledger::Ledger;
use crate::output::{self, Kind, Output};
use crate::spent;
use crate::view;

/// What is asked of the ledger.
pub(super) enum What<'a> {
    Run(&'a [Output]),
    List,
    Cost(&'a Prices),
    /// What agents said; of one session, or of all.
    Atif(Option<&'a str>, &'a Prices),
}

pub(super) fn run(
    cli: &Cli,
    run: Option<&str>,
    what: &What<'_>,
    paint: Paint,
) -> Result<Exit, Fatal> {
    if !cli.dir.join("ledger.db").is_file() {
        return Err(Fatal::nothing(format!(
            "there is no ledger in {}; `unrequested bench` or `unrequested check` makes one",
            cli.dir.display()
        )));
    }
    let ledger = Ledger::open(&cli.dir)?;
    if matches!(what, What::List) {
        let mut out = String::new();
        for row in ledger.runs()? {
            let state = if row.ended.is_some() {
                "finished"
            } else {
                "unfinished"
            };
            let what = match &row.origin {
                Some(origin) => format!("of {origin}"),
                None if row.command == "check" => row.study.clone(),
                None => String::new(),
            };
            let _ = writeln!(out, "{}  {:<7} {state:<10} {what}", row.id, row.command);
        }
        print(&out)?;
        return Ok(Exit::Done);
    }
    let row = ledger.run(run)?;
    let format = match what {
        What::Cost(prices) => {
            let text = cost(&view::run(&ledger, &row)?);
            print(&(text + &spent::table(&ledger, &row.id, prices)?))?;
            return Ok(Exit::Done);
        }
        What::Atif(session, prices) => {
            print(&atif::lines(&ledger, &row, *session, prices)?)?;
            return Ok(Exit::Done);
        }
        What::Run(format) => *format,
        What::List => &[],
    };
    let judged = view::run(&ledger, &row)?;
    if row.command == "check" {
        output::verify(format)?;
        let rules = conclude::rules()?;
        let mut apps = conclude::apps(&ledger, &row, &judged, &rules)?;
        let mut notices = conclude::accepted(&ledger, &row, &mut apps)?;
        if row.ended.is_none() {
            notices.insert(
                0,
                "This run was ended before it had finished: it is a part.".to_owned(),
            );
        }
        let report = report::Report {
            run: &judged,
            rules: &rules,
            apps,
            notices,
            hardening: false,
            called: called().to_owned(),
            shown: row.study.clone(),
            prefix: String::new(),
        };
        let lines = check::lines(&report, &row, None);
        let fails = report::junit::Fails::Requirement;
        print(&output::write(format, &report, fails, &lines, paint)?)?;
        return Ok(Exit::Done);
    }
    let plain =
        |one: &&Output| one.file.is_some() || !matches!(one.kind, Kind::Terminal | Kind::Json);
    if format.len() > 1 || format.iter().any(|one| plain(&one)) {
        return Err(Fatal::usage(
            "of a `bench` there is one --format, terminal or json, and it goes to stdout",
        ));
    }
    let format = if format.iter().any(|one| one.kind == Kind::Json) {
        Format::Json
    } else {
        Format::Terminal
    };
    print(&bench::shown(&judged, &row, &[], format, paint))?;
    Ok(Exit::Done)
}

fn cost(run: &model::run::Run) -> String {
    let mut out = format!(
        "{:<34} {:>8} {:>8} {:>9} {:>6}   {}\n",
        "session", "requests", "wall s", "app CPU s", "ratio", "boot s"
    );
    for session in &run.sessions {
        let Some(cost) = &session.attack else {
            continue;
        };
        let wall = cost.wall_ms as f64 / 1000.0;
        let boot = session
            .boot
            .as_ref()
            .map_or(0.0, |boot| boot.ms as f64 / 1000.0);
        let (cpu, ratio) = match cost.app_cpu_ms {
            Some(ms) if ms > 0 => {
                let cpu = ms as f64 / 1000.0;
                (format!("{cpu:.1}"), format!("{:.2}", wall / cpu))
            }
            Some(_) | None => ("unknown".to_owned(), "-".to_owned()),
        };
        let _ = writeln!(
            out,
            "{:<34} {:>8} {wall:>8.1} {cpu:>9} {ratio:>6}   {boot:.1}",
            session.id, cost.requests
        );
    }
    out.push_str("wall: without the boot that was attacked, with the boots that exploits ask for; CPU: of all of them\n");
    out
}
