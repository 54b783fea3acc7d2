//! `doctor`: what this machine has, and what is missing.

use std::fmt::Write as _;

use super::print;
use crate::cli::Cli;
use crate::context::Context;
use crate::exit::{Exit, Fatal};

pub(super) fn run(cli: &Cli) -> Result<Exit, Fatal> {
    let mut out = String::new();
    let mut exit = Exit::Done;
    match app::Python::look() {
        Ok(tools) => {
            let _ = writeln!(
                out,
                "python   {} ({})",
                tools.version,
                tools.program.display()
            );
            let how = if tools.uv.is_some() {
                "yes"
            } else {
                "no: venv and pip are used, which takes 20 s longer (pip install uv)"
            };
            let _ = writeln!(out, "uv       {how}");
        }
        Err(error) => {
            let _ = writeln!(out, "python   MISSING: {error}");
            exit = Exit::Missing;
        }
    }
    match app::Node::look() {
        Ok(node) => {
            let _ = writeln!(out, "node     {} ({})", node.version, node.bin.display());
        }
        Err(error) => {
            let _ = writeln!(out, "node     MISSING: {error}");
            exit = Exit::Missing;
        }
    }
    let probe = cell::probe();
    let _ = writeln!(out, "box      {}", probe.level);
    if let Some(why) = &probe.why_not {
        let _ = writeln!(out, "         {why}");
    }
    let _ = writeln!(out, "limits   {}", probe.limits);
    for detail in &probe.details {
        let _ = writeln!(out, "         {detail}");
    }
    match Context::open(&cli.dir, false) {
        Ok(context) => {
            let _ = writeln!(out, "ledger   {}", context.dir.join("ledger.db").display());
        }
        Err(fatal) => {
            let _ = writeln!(out, "ledger   CANNOT BE USED: {}", fatal.why);
            exit = Exit::Failed;
        }
    }
    let _ = writeln!(out, "packages {}", app::cache_folder().display());
    print(&out)?;
    Ok(exit)
}
