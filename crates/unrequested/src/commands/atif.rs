//! `report --format atif`: what real agents said and did, in the form that other tools read.

use agent::Prices;
use agent::atif::{About, Part, trajectory};

use crate::exit::Fatal;
use crate::ledger::{Ledger, RunRow, ToldTurn, by_session};
use crate::spent::settle_all;

/// One object a line for each session. Attempts that failed for what surrounds the agent are no part of a session.
pub(super) fn lines(
    ledger: &Ledger,
    row: &RunRow,
    session: Option<&str>,
    prices: &Prices,
) -> Result<String, Fatal> {
    let mut sessions = by_session(ledger.told(&row.id)?);
    if sessions.is_empty() {
        return Err(Fatal::nothing(format!(
            "the run {} has no session of a real agent: samples are hand-written, and nobody said anything",
            row.id
        )));
    }
    if let Some(id) = session {
        let known: Vec<String> = sessions.keys().cloned().collect();
        sessions.retain(|name, _| name == id);
        if sessions.is_empty() {
            return Err(Fatal::usage(format!(
                "the run has no session `{id}` of a real agent; it has: {}",
                known.join(", ")
            )));
        }
    }
    let mut out = String::new();
    for (name, told) in &sessions {
        out.push_str(&line(name, told, prices));
        out.push('\n');
    }
    Ok(out)
}

fn line(session: &str, told: &[ToldTurn], prices: &Prices) -> String {
    let settled = settle_all(told, prices);
    let transcripts: Vec<_> = told.iter().map(ToldTurn::transcript).collect();
    let parts: Vec<Part<'_>> = told
        .iter()
        .zip(&transcripts)
        .zip(&settled)
        .filter(|((one, _), _)| !one.failed)
        .filter_map(|((one, transcript), settled)| {
            Some(Part {
                transcript,
                settled,
                ending: one.ending?,
            })
        })
        .collect();
    let agent = told.first().map_or("", |one| one.agent.as_str());
    let (name, version) = agent.split_once('@').unwrap_or((agent, "unknown"));
    let about = About {
        session,
        agent: name,
        version,
        model: told.first().map_or("", |one| one.model.as_str()),
    };
    trajectory(&about, &parts, prices).to_string()
}
