//! `explain`: an exploit's page.

use std::fmt::Write as _;

use report::Paint;

use super::{print, unknown_exploit};
use crate::exit::{Exit, Fatal};
use crate::view;

pub(super) fn run(id: &str, paint: Paint) -> Result<Exit, Fatal> {
    let entry = exploit::find(id).ok_or_else(|| unknown_exploit(id))?;
    let tier = view::tiers()?
        .get(entry.id)
        .copied()
        .unwrap_or(model::run::Tier::Hardening);
    let said = match tier {
        model::run::Tier::Requirement => "requirement: a prompt's words imply it",
        model::run::Tier::Hardening => "hardening: nobody asks for it",
    };
    let mut out = format!(
        "{}  ({}, number {}, revision {})\n",
        paint.head(entry.id),
        entry.area,
        entry.exploit.number,
        entry.exploit.revision
    );
    let _ = writeln!(out, "{said}\n");
    for line in entry.page.lines() {
        let line = line
            .strip_prefix("## ")
            .map_or_else(|| line.to_owned(), |title| paint.head(title));
        let _ = writeln!(out, "{line}");
    }
    let cwe: Vec<String> = entry
        .exploit
        .cwe
        .iter()
        .map(|id| format!("CWE-{id}"))
        .collect();
    let _ = writeln!(out, "\n{}\n{}\n", paint.head("Fix"), entry.exploit.fix);
    let _ = writeln!(
        out,
        "{}   OWASP ASVS 5.0 {}",
        cwe.join(", "),
        entry.exploit.asvs.join(", ")
    );
    print(&out)?;
    Ok(Exit::Done)
}
