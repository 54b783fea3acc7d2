//! `report`: a run of the ledger, judged again.

use std::fmt::Write as _;

use model::run::Run;
use report::finding::Rule;
use report::{Paint, clean};

use super::{atif, board, called, check, conclude, consent, print, serve};
use crate::bundle;
use crate::cli::{Cli, Report as Asked};
use crate::exit::{Exit, Fatal};
use crate::ledger::{Ledger, RunRow};
use crate::output;
use crate::spent;
use crate::view;

pub(super) fn run(cli: &Cli, asked: &Asked, paint: Paint) -> Result<Exit, Fatal> {
    if let Some(bundle) = &asked.verify {
        let (text, exit) = bundle::verify(bundle)?;
        print(&text)?;
        return Ok(exit);
    }
    let prices = consent::prices(asked.prices.as_deref())?;
    let format = asked.format.as_slice();
    let atif = output::atif(format)?;
    if !cli.dir.join("ledger.db").is_file() {
        return Err(Fatal::nothing(format!(
            "there is no ledger in {}; `unrequested bench` or `unrequested check` makes one",
            cli.dir.display()
        )));
    }
    let ledger = Ledger::open(&cli.dir)?;
    if asked.serve {
        let listener = serve::listen(asked.port)?;
        print(&format!(
            "all runs   http://{}/   Ctrl-C ends it\n",
            listener.local_addr()?
        ))?;
        serve::serve(ledger, &listener)?;
        return Ok(Exit::Done);
    }
    if asked.list {
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
    let row = ledger.run(asked.run.as_deref())?;
    if let Some(to) = &asked.bundle {
        let made = bundle::write(&ledger, &row, to)?;
        let mut out = format!(
            "wrote     {}: run {}, {} files, {:.1} MB\nmanifest  blake3 {}\nnext      {} report --verify {}\n",
            to.display(),
            row.id,
            made.files,
            made.bytes as f64 / 1e6,
            made.hash,
            called(),
            to.display()
        );
        for one in &made.left_out {
            let _ = writeln!(out, "left out  {}", clean(one));
        }
        print(&out)?;
        return Ok(Exit::Done);
    }
    if asked.cost {
        let text = cost(&view::run(&ledger, &row)?);
        print(&(text + &spent::table(&ledger, &row.id, &prices)?))?;
        return Ok(Exit::Done);
    }
    if atif {
        let session = asked.session.as_deref();
        print(&atif::lines(&ledger, &row, session, &prices)?)?;
        return Ok(Exit::Done);
    }
    let judged = view::run(&ledger, &row)?;
    if row.command == "check" {
        output::verify(format)?;
        let rules = conclude::rules()?;
        let report = of_check(&ledger, &row, &judged, &rules)?;
        let lines = check::lines(&report, &row, None);
        let fails = report::junit::Fails::Requirement;
        print(&output::write(format, &report, fails, &lines, paint)?)?;
        return Ok(Exit::Done);
    }
    output::verify_sessions(format)?;
    print(&board::shown(&ledger, &row, &judged, &[], format, paint)?)?;
    Ok(Exit::Done)
}

/// The run of a `check`, as it is reported.
fn of_check<'a>(
    ledger: &Ledger,
    row: &RunRow,
    run: &'a Run,
    rules: &'a [Rule],
) -> Result<report::Report<'a>, Fatal> {
    let mut apps = conclude::apps(ledger, row, run, rules)?;
    let mut notices = conclude::accepted(ledger, row, &mut apps)?;
    if row.ended.is_none() {
        notices.insert(
            0,
            "This run was ended before it had finished: it is a part.".to_owned(),
        );
    }
    Ok(report::Report {
        run,
        rules,
        apps,
        notices,
        hardening: false,
        called: called().to_owned(),
        shown: row.study.clone(),
        prefix: String::new(),
    })
}

/// The page of a `check`.
pub(super) fn check_page(ledger: &Ledger, row: &RunRow, run: &Run) -> Result<String, Fatal> {
    let rules = conclude::rules()?;
    Ok(report::html::render(&of_check(ledger, row, run, &rules)?))
}

/// What went wrong, as it can be shown.
pub(super) fn said(error: &Fatal) -> String {
    clean(&error.why)
}

fn cost(run: &Run) -> String {
    let mut out = format!(
        "{:<34} {:>8} {:>8} {:>9} {:>6}   {}\n",
        "session", "requests", "wall s", "app CPU s", "ratio", "boot s"
    );
    let seconds = |ms: u64| format!("{:.1}", ms as f64 / 1000.0);
    let mut rows = Vec::new();
    for session in &run.sessions {
        let boot = session.boot.as_ref().map_or(0, |boot| boot.ms);
        rows.push((session.id.clone(), &session.attack, seconds(boot)));
        for stage in &session.stages {
            rows.push((format!("  after {}", stage.step), &stage.attack, "-".into()));
        }
    }
    for (name, cost, boot) in rows {
        let Some(cost) = cost else {
            continue;
        };
        let wall = cost.wall_ms as f64 / 1000.0;
        let (cpu, ratio) = match cost.app_cpu_ms {
            Some(ms) if ms > 0 => {
                let cpu = ms as f64 / 1000.0;
                (format!("{cpu:.1}"), format!("{:.2}", wall / cpu))
            }
            Some(_) | None => ("unknown".to_owned(), "-".to_owned()),
        };
        let _ = writeln!(
            out,
            "{name:<34} {:>8} {wall:>8.1} {cpu:>9} {ratio:>6}   {boot}",
            cost.requests
        );
    }
    out.push_str("wall: without the boot that was attacked, with the boots that exploits ask for; CPU: of all of them\n");
    out
}
