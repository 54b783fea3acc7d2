//! What the hook says. The reason reaches a coding agent: control, place, what is wanted, how to see that it is done; a
//! remedy's own words, and no word of an attack. The message is one line for the user.

use std::fmt::Write as _;

use report::checklist;
use report::remedy::NOT_FOR_AGENTS;
use serde_json::{Value, json};

use super::rule::Finding;

/// More would be a list to work off, not a control that was forgotten.
const MOST: usize = 6;

/// The block: the agent goes on, with this to do.
pub(super) fn block(findings: &[Finding], notes: &[Finding], called: &str) -> Value {
    json!({
        "decision": "block",
        "reason": reason(findings, called),
        "systemMessage": message(findings, notes),
    })
}

/// For the user alone.
pub(super) fn note(text: &str) -> Value {
    json!({"systemMessage": format!("unrequested: {text}")})
}

pub(super) fn not_checked(why: &str) -> Value {
    note(&format!("not checked: {}", cut(why, 400)))
}

fn reason(findings: &[Finding], called: &str) -> String {
    let mut text = match findings {
        [_] => "A control is missing in code that was just written.".to_owned(),
        many => format!(
            "{} controls are missing in code that was just written.",
            many.len()
        ),
    };
    for (number, one) in findings.iter().take(MOST).enumerate() {
        let read = if one.choice.is_empty() {
            String::new()
        } else {
            format!(" now {};", plain(&one.choice))
        };
        let _ = write!(
            text,
            " {}) {} at {}:{read} wanted: {}.",
            number + 1,
            one.title,
            place(one),
            one.remedy.wanted
        );
    }
    if findings.len() > MOST {
        let rest: Vec<&str> = findings[MOST..].iter().map(|one| one.title).collect();
        let _ = write!(text, " Also: {}.", rest.join(", "));
    }
    let tests = unique(findings.iter().flat_map(tests));
    let matters = unique(findings.iter().map(|one| one.matter));
    let _ = write!(
        text,
        " Acceptance: `{}`, and what worked before still works. If the user decided otherwise, change nothing and say so; they can \
         record it with `{called} decisions --accept {} --reason \"why\"`.",
        checklist::acceptance(called, &tests),
        matters.join(",")
    );
    text
}

/// What `check --only` is to be given: the tests by their names, or the remedy's where these are not for an agent.
fn tests(one: &Finding) -> Vec<&'static str> {
    let plain = |id: &&str| !NOT_FOR_AGENTS.iter().any(|word| id.contains(word));
    if one.tests.iter().all(plain) {
        one.tests.clone()
    } else {
        vec![one.remedy.id]
    }
}

/// Each once, in their order.
fn unique<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut list: Vec<&str> = Vec::new();
    for one in all {
        if !list.contains(&one) {
            list.push(one);
        }
    }
    list
}

fn message(findings: &[Finding], notes: &[Finding]) -> String {
    let list = |all: &[Finding]| {
        let each = all
            .iter()
            .map(|one| format!("{} at {}", one.matter, place(one)));
        each.collect::<Vec<_>>().join("; ")
    };
    let mut text = format!("unrequested: sent the agent back once: {}", list(findings));
    if !notes.is_empty() {
        let _ = write!(text, ". {}", unsure(notes));
    }
    text
}

/// What was not sure enough to send anybody back for.
pub(super) fn unsure(notes: &[Finding]) -> String {
    let each = notes.iter().map(|one| {
        let why = one.doubt.as_deref().unwrap_or_default();
        format!("{} at {}: {}", one.matter, place(one), cut(why, 160))
    });
    format!("not decided: {}", each.collect::<Vec<_>>().join("; "))
}

fn place(one: &Finding) -> String {
    let file = format!("{}:{}", plain(&one.site.file), one.site.line);
    match &one.site.route {
        Some(route) => format!("{} ({file})", plain(route)),
        None => file,
    }
}

/// Words of an app or of an event as one short word: paths and names pass, nothing that could be read as more.
pub(super) fn plain(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || " /._-:[]{}()<>@*$,+~".contains(c) {
                c
            } else {
                '?'
            }
        })
        .collect();
    cut(&text, 120)
}

fn cut(text: &str, most: usize) -> String {
    let text = report::clean(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let mut short: String = line.chars().take(most).collect();
    short.push_str(" ...");
    short
}
