//! `explain`: the page of an exploit, a finding or a decision; all that share the id.

use std::fmt::Write as _;

use report::Paint;
use report::remedy::{self, Remedy};

use super::{nearest, print};
use crate::exit::{Exit, Fatal};
use crate::view;

pub(super) fn run(id: &str, for_agent: bool, paint: Paint) -> Result<Exit, Fatal> {
    if for_agent && let Some(page) = agents_page(id) {
        print(&page)?;
        return Ok(Exit::Done);
    }
    let pages = [
        exploit::find(id)
            .map(|entry| attack(entry, paint))
            .transpose()?,
        remedy::find(id).map(|remedy| finding(remedy, paint)),
        decision::find(id).map(|entry| matter(entry, paint)),
    ];
    let pages: Vec<String> = pages.into_iter().flatten().collect();
    if pages.is_empty() {
        let (exploits, decisions) = (exploit::all(), decision::all());
        let ids = exploits.iter().map(|entry| entry.id);
        let ids = ids.chain(remedy::all().iter().map(|one| one.id));
        let near = nearest(id, ids.chain(decisions.iter().map(|entry| entry.id)));
        return Err(Fatal::usage(format!(
            "there is no exploit, no finding and no decision `{id}`; did you mean `{near}`? `unrequested list` names all"
        )));
    }
    print(&pages.join("\n"))?;
    Ok(Exit::Done)
}

/// The control and how it is written; of a decision what it is and how it is read. Of an exploit it is the control that closes it.
fn agents_page(id: &str) -> Option<String> {
    let finding = id.strip_suffix("-hardening").unwrap_or(id);
    let mut out = String::new();
    if let Some(remedy) = remedy::find(finding).or_else(|| remedy::of(id)) {
        let _ = writeln!(out, "{}\n\nWanted\n{}.", remedy.id, remedy.wanted);
        for (frameworks, idiom) in &remedy.idioms {
            let _ = writeln!(out, "\n{}\n{idiom}", frameworks.join(", "));
        }
        let mut ids: Vec<String> = Vec::new();
        for entry in remedy.exploits.iter().filter_map(|id| exploit::find(id)) {
            ids.extend(entry.exploit.cwe.iter().map(|id| format!("CWE-{id}")));
            let asvs = entry.exploit.asvs.iter();
            ids.extend(asvs.map(|id| format!("OWASP ASVS 5.0 {id}")));
        }
        ids.sort();
        ids.dedup();
        let _ = writeln!(
            out,
            "\n{}\n\nDone when\n`unrequested check . --only {}` no longer lists it.",
            ids.join(", "),
            remedy.id
        );
    }
    if let Some(entry) = decision::find(id) {
        let _ = writeln!(out, "{id} (decision: {})\n", entry.matter.title);
        let lines = entry
            .page
            .lines()
            .map(|line| line.trim_start_matches("## "));
        for line in lines.filter(|line| remedy::fits_agents(line)) {
            let _ = writeln!(out, "{line}");
        }
    }
    (!out.is_empty()).then_some(out)
}

fn attack(entry: &exploit::Entry, paint: Paint) -> Result<String, Fatal> {
    let tier = view::tier(&view::tiers()?, entry.id);
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
    Ok(out)
}

fn page(out: &mut String, text: &str, paint: Paint) {
    for line in text.lines() {
        let line = line
            .strip_prefix("## ")
            .map_or_else(|| line.to_owned(), |title| paint.head(title));
        let _ = writeln!(out, "{line}");
    }
}

fn finding(remedy: &Remedy, paint: Paint) -> String {
    let mut out = format!("{}  (finding: {})\n\n", paint.head(remedy.id), remedy.title);
    let _ = writeln!(
        out,
        "{}\n\n{}\n{}.",
        remedy.why,
        paint.head("Wanted"),
        remedy.wanted
    );
    let _ = writeln!(
        out,
        "\n{}\n{}",
        paint.head("Exploits that show it"),
        remedy.exploits.join(", ")
    );
    for (frameworks, idiom) in &remedy.idioms {
        let _ = writeln!(out, "\n{}\n{idiom}", paint.head(&frameworks.join(", ")));
    }
    out
}

fn matter(entry: &decision::Entry, paint: Paint) -> String {
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
    out
}
