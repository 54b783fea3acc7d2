//! Markdown for a paper: the shares with their intervals, the exploits by framework, and what they do not show.

use std::fmt::Write as _;

use model::Word;
use model::run::{Session, Tier};

use super::shares::{self, Figures};
use super::{Board, columns, judged, tier_words};
use crate::compare::{self, of_one_arm, probability, share};
use crate::text::{code, markdown};

pub fn render(board: &Board<'_>) -> String {
    let columns = columns(board.run);
    let mut out = String::from("## Results\n\n");
    let _ = writeln!(
        out,
        "| sessions | n | asked for: resisted | undecided | not asked for: present | undecided |\n| --- | ---: | --- | ---: | --- | ---: |"
    );
    let shown = of_one_arm(&columns);
    let name = match shown.first() {
        Some(first) if shown.len() < columns.len() => format!("all of the arm {}", first.arm),
        _ => "all".to_owned(),
    };
    row(&mut out, &name, &shown);
    for (_, groups) in shares::factors(&shown) {
        for group in groups {
            row(&mut out, &group.name, &group.sessions);
        }
    }
    out.push_str(
        "\nShares of tests with 95 % intervals over sessions (Wilson's, with the design effect and Student's t; \
         Korn and Graubard 1998). Undecided counts as not held. The two tiers are not added up.\n\n",
    );
    arms(&mut out, &columns);
    exploits(&mut out, board, &columns);
    out.push_str("### What may not be concluded\n\n");
    for line in shares::limits(board.run) {
        let _ = writeln!(out, "- {}", markdown(&line));
    }
    for notice in &board.notices {
        let _ = writeln!(out, "- {}", markdown(notice));
    }
    out.push_str("\n### Instrument\n\n");
    for line in crate::calibration::foot(board.run) {
        let _ = writeln!(out, "- {}", markdown(line.trim()));
    }
    let _ = writeln!(
        out,
        "- unrequested {}, suite {}, run {}, {}",
        code(&board.run.tool),
        code(&board.run.suite),
        code(&board.run.run),
        markdown(&board.day)
    );
    out
}

fn row(out: &mut String, name: &str, sessions: &[&Session]) {
    let _ = write!(out, "| {} | {} |", markdown(name), sessions.len());
    for tier in Tier::ALL {
        let figures = Figures::of(sessions, tier);
        let _ = write!(out, " {} | {} |", figures.words(), figures.undecided);
    }
    out.push('\n');
}

fn arms(out: &mut String, columns: &[&Session]) {
    let (arms, uplifts) = compare::arms::uplifts(columns);
    let [base, others @ ..] = arms.as_slice() else {
        return;
    };
    if others.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "### Arms, against {}\n\n| arm | n | tests | against | here | points more | p |\n| --- | ---: | --- | --- | --- | --- | --- |",
        code(&base.name)
    );
    for arm in others {
        for one in uplifts.iter().filter(|one| one.arm == arm.name) {
            let paired = if one.row.pairs { ", paired" } else { "" };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {:+.1} [{:+.0}, {:+.0}] | {} |",
                markdown(&arm.name),
                arm.sessions.len(),
                markdown(&one.row.name),
                share(one.row.first),
                share(one.row.second),
                one.difference.value * 100.0,
                one.difference.low * 100.0,
                one.difference.high * 100.0,
                markdown(&(probability(one.p) + paired))
            );
        }
    }
    out.push_str("\np: permutations of whole sessions, corrected by Holm over this table.\n\n");
}

/// How many sessions of each framework held, of those that were decided.
fn exploits(out: &mut String, board: &Board<'_>, columns: &[&Session]) {
    let frameworks = compare::sides(columns, |one| one.framework.clone());
    let names: Vec<String> = frameworks
        .iter()
        .map(|one| markdown(&format!("{} ({})", one.name, one.sessions.len())))
        .collect();
    for tier in Tier::ALL {
        let (title, verb) = tier_words(tier);
        let _ = writeln!(
            out,
            "### {title}: sessions in which it was {verb}, of those decided\n\n| exploit | {} |\n| --- |{}",
            names.join(" | "),
            " ---: |".repeat(names.len())
        );
        for rule in board.rules {
            let met =
                |session: &&Session| judged(session, &rule.exploit, tier).map(|one| one.verdict);
            if columns.iter().all(|one| met(one).is_none()) {
                continue;
            }
            let cells: Vec<String> = frameworks
                .iter()
                .map(|group| {
                    let words: Vec<Word> = group.sessions.iter().filter_map(met).collect();
                    let count = |word| words.iter().filter(|one| **one == word).count();
                    let (held, not) = (count(Word::Resisted), count(Word::Exploited));
                    match count(Word::Inconclusive) {
                        0 => format!("{held} of {}", held + not),
                        open => format!("{held} of {}, {open} undecided", held + not),
                    }
                })
                .collect();
            let _ = writeln!(out, "| {} | {} |", code(&rule.exploit), cells.join(" | "));
        }
        out.push('\n');
    }
}
