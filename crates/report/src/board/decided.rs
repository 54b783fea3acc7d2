//! What the sources decided, side by side, and over the steps of their sessions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::decision::{Decided, InForce};
use model::run::Session;

use super::names;
use crate::decisions::{choice, origin};
use crate::html::text;
use crate::text::{clip, markup};

/// With more sessions than these their choices are counted instead.
const BESIDE: usize = 12;

fn matters(columns: &[&Session]) -> Vec<String> {
    let mut all: Vec<String> = columns
        .iter()
        .flat_map(|one| &one.decisions)
        .map(|one| one.decision.decision.clone())
        .collect();
    all.sort();
    all.dedup();
    all
}

pub(super) fn table(out: &mut String, columns: &[&Session]) {
    let read: Vec<&Session> = columns
        .iter()
        .filter(|one| one.source.is_some())
        .copied()
        .collect();
    let matters = matters(&read);
    if matters.is_empty() {
        return;
    }
    out.push_str("<section id=\"decisions\"><h2>Decided in the sources</h2>");
    if read.len() <= BESIDE {
        beside(out, &read, &matters);
    } else {
        counts(out, &read, &matters);
    }
    out.push_str("</section>\n");
}

fn beside(out: &mut String, read: &[&Session], matters: &[String]) {
    out.push_str(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Decisions side by side\"><table class=\"beside\">\
         <caption>Decisions side by side</caption><thead><tr><td></td>",
    );
    for (session, name) in read.iter().zip(names(read)) {
        let _ = write!(
            out,
            "<th scope=\"col\">{}<br>{}</th>",
            text(&session.framework),
            text(&name)
        );
    }
    out.push_str("</tr></thead><tbody>");
    for matter in matters {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", text(matter));
        for session in read {
            out.push_str("<td>");
            let of = |one: &&Decided| one.decision.decision == *matter;
            for one in session.decisions.iter().filter(of) {
                said(out, one);
            }
            out.push_str("</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("<tr><th scope=\"row\">packages, more locked</th>");
    for session in read {
        let burden = session.source.as_ref().map(|one| &one.burden);
        let _ = write!(
            out,
            "<td>{}, {}</td>",
            burden.map_or(0, |one| one.direct),
            burden
                .and_then(|one| one.transitive)
                .map_or("no lock file".to_owned(), |more| more.to_string())
        );
    }
    out.push_str("</tr><tr><th scope=\"row\">own lines that do security</th>");
    for session in read {
        let lines = session
            .source
            .as_ref()
            .map_or(0, |one| one.burden.hand_written);
        let _ = write!(out, "<td>{lines}</td>");
    }
    out.push_str("</tr></tbody></table></div>");
}

fn said(out: &mut String, one: &Decided) {
    let chosen = one.decision.origin.is_chosen();
    let class = if chosen { "" } else { " class=\"faint\"" };
    let _ = write!(
        out,
        "<div{class}><bdi>{}</bdi></div>",
        markup(&clip(&choice(&one.decision), 120))
    );
    if chosen {
        let _ = write!(
            out,
            "<div class=\"faint\"><bdi>{}</bdi></div>",
            markup(&clip(&origin(&one.decision.origin), 80))
        );
    }
    if let Some(below) = &one.decision.below {
        let _ = write!(
            out,
            "<div class=\"below\">{}</div>",
            markup(&clip(below, 80))
        );
    }
    let force = match one.in_force {
        InForce::NotInForce => "bad",
        InForce::Enforced | InForce::Gift => "good",
        InForce::Absent | InForce::Untested => return,
    };
    let _ = write!(out, "<div class=\"{force}\">{}</div>", one.in_force.name());
}

/// Each choice with how many sessions of each framework made it.
fn counts(out: &mut String, read: &[&Session], matters: &[String]) {
    let frameworks = crate::compare::sides(read, |one| one.framework.clone());
    let _ = write!(
        out,
        "<p class=\"about\">Choices of {} sessions, and how many made each.</p><div class=\"scroll\"><table class=\"beside\">\
         <caption>Choices, counted</caption><thead><tr><td></td>",
        read.len()
    );
    for group in &frameworks {
        let _ = write!(
            out,
            "<th scope=\"col\">{} ({})</th>",
            text(&group.name),
            group.sessions.len()
        );
    }
    out.push_str("</tr></thead><tbody>");
    for matter in matters {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", text(matter));
        for group in &frameworks {
            let mut made: BTreeMap<String, usize> = BTreeMap::new();
            for session in &group.sessions {
                let mut all: Vec<String> = session
                    .decisions
                    .iter()
                    .filter(|one| one.decision.decision == *matter)
                    .map(|one| {
                        let choice = clip(&choice(&one.decision), 80);
                        if one.decision.origin.is_chosen() {
                            format!("{choice} ({})", one.decision.origin.word())
                        } else {
                            choice
                        }
                    })
                    .collect();
                all.sort();
                all.dedup();
                for choice in all {
                    *made.entry(choice).or_default() += 1;
                }
            }
            let mut made: Vec<(String, usize)> = made.into_iter().collect();
            made.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            out.push_str("<td>");
            for (choice, count) in made.iter().take(8) {
                let _ = write!(out, "<div>{count} <bdi>{}</bdi></div>", markup(choice));
            }
            if made.len() > 8 {
                let _ = write!(out, "<div class=\"faint\">{} more</div>", made.len() - 8);
            }
            out.push_str("</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

/// What each step decided anew, otherwise or no longer, and what there was to review after it.
pub(super) fn steps(out: &mut String, columns: &[&Session]) {
    let mut steps: Vec<&str> = Vec::new();
    let stridden: Vec<&Session> = columns
        .iter()
        .filter(|one| one.source.as_ref().is_some_and(|one| one.steps.len() > 1))
        .copied()
        .collect();
    for session in &stridden {
        for stride in session.source.iter().flat_map(|one| &one.steps) {
            if !steps.contains(&stride.step.as_str()) {
                steps.push(&stride.step);
            }
        }
    }
    if steps.len() < 2 {
        return;
    }
    steps.sort_unstable();
    out.push_str(
        "<section id=\"steps\"><h2>Over the steps</h2><p class=\"about\">Decisions that a step made (+), changed (~) or took \
         back (-); then packages and own lines that do security, after it.</p><div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-label=\"Decisions over the steps\"><table class=\"beside\"><caption>Decisions over the \
         steps</caption><thead><tr><td></td>",
    );
    for step in &steps {
        let _ = write!(out, "<th scope=\"col\">{}</th>", text(step));
    }
    out.push_str("</tr></thead><tbody>");
    for (session, name) in stridden.iter().zip(names(&stridden)) {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{} {}</th>",
            text(&session.framework),
            text(&name)
        );
        let strides = session.source.as_ref().map_or(&[][..], |one| &one.steps);
        for step in &steps {
            let Some(stride) = strides.iter().find(|one| one.step == *step) else {
                out.push_str("<td></td>");
                continue;
            };
            let chosen = |one: &Option<model::decision::Decision>| {
                one.as_ref().is_some_and(|one| one.origin.is_chosen())
            };
            let (mut new, mut other, mut gone) = (0, 0, 0);
            for turn in &stride.changes {
                match (chosen(&turn.before), chosen(&turn.after)) {
                    (false, true) => new += 1,
                    (true, true) => other += 1,
                    (true, false) => gone += 1,
                    (false, false) => {}
                }
            }
            let _ = write!(
                out,
                "<td>+{new} ~{other} -{gone}<div class=\"faint\">{} packages, {} lines</div></td>",
                stride.burden.direct, stride.burden.hand_written
            );
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div></section>\n");
}
