//! A published study's figures beside ours: `study/published/<id>.toml`.
//!
//! Only totals were published, no sessions: theirs have Wilson's interval over all tests, which takes the tests of one
//! session for independent and so is too narrow. Ours is over sessions. No test is made between the two: which exploits
//! they ran, and which of them were in which tier, is not known.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Word;
use model::calibration::Share;
use model::run::{Session, Tier};
use serde::Deserialize;

use super::{counts, share, wrap};
use crate::paint::{Paint, clean};
use crate::statistics::{self, Interval};

/// The figures of a study, as its file has them.
#[derive(Debug, Deserialize)]
pub struct Published {
    pub version: u32,
    pub source: String,
    pub sessions: u32,
    pub replicates: u32,
    #[serde(rename = "agent")]
    pub agents: Vec<Agent>,
    pub omissions: BTreeMap<String, Omission>,
}

#[derive(Debug, Deserialize)]
pub struct Agent {
    pub id: String,
    pub version: String,
    pub model: String,
    pub requirement: Resisted,
    pub requirement_by_framework: BTreeMap<String, Resisted>,
    pub hardening: Present,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Resisted {
    pub resisted: usize,
    pub of: usize,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Present {
    pub present: usize,
    pub of: usize,
}

#[derive(Debug, Deserialize)]
pub struct Omission {
    pub present: usize,
    pub of: usize,
}

/// Which exploit of ours asks for what the study says was left out.
const OMISSIONS: [(&str, &str); 3] = [
    ("login_limiting", "login-rate-limit"),
    ("security_headers", "security-headers"),
    ("weak_password_rejected", "weak-password"),
];

/// Theirs and ours, row by row.
pub fn beside(theirs: &Published, ours: &[&Session], paint: Paint) -> String {
    let mut out = String::new();
    wrap(&mut out, &format!("Theirs: {}", clean(&theirs.source)));
    let mut agents: Vec<&str> = ours.iter().map(|one| one.agent.as_str()).collect();
    agents.sort_unstable();
    agents.dedup();
    let _ = writeln!(
        out,
        "\n {}\n   {:<46}{:<12}95 % interval",
        paint.head("THE PROMPT ASKED: resisted, per cent"),
        "",
        "of"
    );
    for agent in &theirs.agents {
        let name = format!("theirs: {} {}", agent.id, agent.version);
        row(
            &mut out,
            &format!("{name}, all"),
            wilson(agent.requirement.resisted, agent.requirement.of),
            agent.requirement.of,
        );
        for (framework, one) in &agent.requirement_by_framework {
            row(
                &mut out,
                &format!("{name}, {framework}"),
                wilson(one.resisted, one.of),
                one.of,
            );
        }
    }
    mine(&mut out, &agents, ours, Tier::Requirement);
    let _ = writeln!(out, "\n {}", paint.head("NOBODY ASKED: present, per cent"));
    for agent in &theirs.agents {
        let name = format!("theirs: {} {}", agent.id, agent.version);
        row(
            &mut out,
            &format!("{name}, all"),
            wilson(agent.hardening.present, agent.hardening.of),
            agent.hardening.of,
        );
    }
    mine(&mut out, &agents, ours, Tier::Hardening);
    let _ = writeln!(
        out,
        "\n {}",
        paint.head("LEFT OUT: sessions in which it is present")
    );
    for (name, exploit) in OMISSIONS {
        let Some(their) = theirs.omissions.get(name) else {
            continue;
        };
        let verdicts = ours
            .iter()
            .flat_map(|session| &session.verdicts)
            .filter(|one| one.exploit == exploit);
        let (mut present, mut decided) = (0, 0);
        for one in verdicts {
            present += usize::from(one.verdict == Word::Resisted);
            decided += usize::from(matches!(one.verdict, Word::Resisted | Word::Exploited));
        }
        let _ = writeln!(
            out,
            "   {exploit:<30}theirs {} of {:<6}ours {present} of {decided}",
            their.present, their.of
        );
    }
    out.push('\n');
    for line in differences(theirs, ours) {
        wrap(&mut out, &line);
    }
    out
}

fn mine(out: &mut String, agents: &[&str], ours: &[&Session], tier: Tier) {
    for agent in agents {
        let of_agent: Vec<&&Session> = ours.iter().filter(|one| one.agent == *agent).collect();
        let mut frameworks: Vec<&str> = of_agent.iter().map(|one| one.framework.as_str()).collect();
        frameworks.sort_unstable();
        frameworks.dedup();
        let all = (frameworks.len() > 1).then_some(None);
        for framework in all.into_iter().chain(frameworks.into_iter().map(Some)) {
            let counts: Vec<statistics::Session> = of_agent
                .iter()
                .filter(|one| framework.is_none_or(|name| one.framework == name))
                .map(|one| counts(one, tier))
                .collect();
            let of = counts.iter().map(|one| one.of as usize).sum();
            let name = format!("ours: {agent}, {}", framework.unwrap_or("all"));
            row(out, &name, statistics::clustered(&counts), of);
        }
    }
}

fn wilson(hits: usize, of: usize) -> Interval {
    let (low, high) = Share { hits, of }.wilson();
    Interval {
        value: hits as f64 / of.max(1) as f64,
        low,
        high,
    }
}

fn row(out: &mut String, name: &str, interval: Interval, of: usize) {
    let name: String = clean(name).chars().take(45).collect();
    let _ = writeln!(out, "   {name:<46}{of:<12}{}", share(interval));
}

fn differences(theirs: &Published, ours: &[&Session]) -> Vec<String> {
    let mut all = vec![
        "Read with care: the study published neither its prompts nor its tests, nor which test was in which tier. The shape is \
         the same (six steps, 25 and 8 tests), the tests are our own. Their intervals take a session's tests for independent, \
         and are too narrow. So no test between theirs and ours is made."
            .to_owned(),
    ];
    if ours.iter().any(|one| one.agent.starts_with("recorded:")) {
        all.push(
            "Ours here are hand-written samples: they show the instrument, not any agent."
                .to_owned(),
        );
    }
    let few = ours.len() < theirs.sessions as usize;
    if few {
        all.push(format!(
            "Theirs are {} sessions, {} in a cell; ours are {}.",
            theirs.sessions,
            theirs.replicates,
            ours.len()
        ));
    }
    all
}
