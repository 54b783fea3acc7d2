//! `explain`: an exploit's page, or a decision's.

use std::fmt::Write as _;

use report::Paint;

use super::{print, unknown_exploit};
use crate::exit::{Exit, Fatal};
use crate::view;

pub(super) fn run(id: &str, paint: Paint) -> Result<Exit, Fatal> {
    if let Some(entry) = decision::find(id) {
        return matter(entry, paint);
    }
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
    page(&mut out, entry.page, paint);
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

fn page(out: &mut String, text: &str, paint: Paint) {
    for line in text.lines() {
        let line = line
            .strip_prefix("## ")
            .map_or_else(|| line.to_owned(), |title| paint.head(title));
        let _ = writeln!(out, "{line}");
    }
}

fn matter(entry: &decision::Entry, paint: Paint) -> Result<Exit, Fatal> {
    let mut out = format!(
        "{}  (decision: {})\n\n",
        paint.head(entry.id),
        entry.matter.title
    );
    page(&mut out, entry.page, paint);
    let tests = entry.matter.exploits;
    let _ = writeln!(
        out,
        "\n{}\n{}",
        paint.head("Whether it is in force"),
        if tests.is_empty() {
            "No exploit tests it.".to_owned()
        } else {
            format!("is tested by {}.", tests.join(", "))
        }
    );
    print(&out)?;
    Ok(Exit::Done)
}
