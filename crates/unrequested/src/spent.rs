//! How a real agent's model is reached, and what its sessions used and cost.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use agent::proxy::{Api, BadKey, Budget, Key, Settings, Vendor};
use agent::{Cell, Cost, Past, Prices, Settled, Usage, settle};

use crate::exit::{Exit, Fatal};
use crate::ledger::{Ledger, ToldTurn, by_session};

/// The way to the model of each vendor that a study needs, with its key.
pub(crate) struct Ways {
    ways: Vec<(Api, Option<Key>)>,
}

impl Ways {
    /// `server`: another than the vendors' own, that need not want a key.
    pub(crate) fn open(cells: &[Cell], server: Option<&str>) -> Result<Self, Fatal> {
        let mut ways: Vec<(Api, Option<Key>)> = Vec::new();
        for driven in cells.iter().filter_map(|cell| cell.driven.as_ref()) {
            let Some(vendor) = driven.vendor() else {
                continue;
            };
            if ways.iter().any(|(api, _)| api.vendor == vendor) {
                continue;
            }
            let key = match (Key::from_env(vendor.variable()), server) {
                (Ok(key), _) => Some(key),
                (Err(BadKey::Missing(_)), Some(_)) => None,
                (Err(error @ BadKey::Missing(_)), None) => {
                    return Err(Fatal {
                        exit: Exit::Missing,
                        why: format!(
                            "{} needs its model: {error}. See docs/real-agents.md; another server: --model-server ADDRESS",
                            agent::find(&driven.cli).map_or("", |cli| cli.name)
                        ),
                    });
                }
                (Err(error @ BadKey::Form(_)), _) => return Err(Fatal::usage(error.to_string())),
            };
            let api = match server {
                Some(address) => {
                    Api::at(vendor, address).map_err(|error| Fatal::usage(error.to_string()))?
                }
                None => Api::of(vendor),
            };
            ways.push((api, key));
        }
        Ok(Self { ways })
    }

    /// For one step.
    pub(crate) fn to(&self, vendor: Vendor) -> Result<Settings, Fatal> {
        let found = self.ways.iter().find(|(api, _)| api.vendor == vendor);
        found
            .map(|(api, key)| Settings::new(api.clone(), key.clone()))
            .ok_or_else(|| Fatal::failed("no way to this agent's model was opened"))
    }
}

/// One attempt's tokens and money; `before` is what the conversation had used before it.
fn settled(told: &ToldTurn, before: Option<&Usage>, prices: &Prices) -> Settled {
    settle(
        &told.transcript(),
        before,
        told.asked.as_deref(),
        &told.model,
        prices,
    )
}

/// What a session has cost so far.
pub(crate) fn of_session(
    ledger: &Ledger,
    run: &str,
    session: &str,
    prices: &Prices,
) -> Result<Cost, Fatal> {
    let told = by_session(ledger.told(run)?)
        .remove(session)
        .unwrap_or_default();
    let mut all = Cost::default();
    for settled in settle_all(&told, prices) {
        // Without a cost nothing was told, and the proxy saw no reply that is paid for.
        all += settled.cost.unwrap_or_default();
    }
    Ok(all)
}

/// Spent when what has a price has cost so much, or when something has none: then nobody knows.
pub(crate) fn limit(before: Cost, dollars: u32, prices: &Prices) -> Budget {
    let prices = prices.clone();
    Box::new(move |records| {
        let mut cost = before.clone();
        // Request by request, as the report counts: a long one costs more than its tokens in a sum.
        cost += prices.records(records);
        cost.dollars().is_none_or(|cost| cost >= f64::from(dollars))
    })
}

/// A limit in money can be kept only for models that have a price.
pub(crate) fn check_limit(
    cells: &[Cell],
    dollars: Option<u32>,
    prices: &Prices,
) -> Result<(), Fatal> {
    let mut driven = cells.iter().filter_map(|cell| cell.driven.as_ref());
    match driven.find(|one| dollars.is_some() && !prices.knows(&one.model)) {
        Some(one) => Err(Fatal::usage(format!(
            "[budget] session_dollars cannot be kept: {} has no price; add it to a table of your own (--prices FILE)",
            one.model
        ))),
        None => Ok(()),
    }
}

/// What each attempt of each real agent used and cost; empty where a run has none.
pub(crate) fn table(ledger: &Ledger, run: &str, prices: &Prices) -> Result<String, Fatal> {
    let sessions = by_session(ledger.told(run)?);
    if sessions.is_empty() {
        return Ok(String::new());
    }
    let mut out = format!(
        "\n{:<16} {:<13} {:>9} {:>9} {:>8}  {}\n",
        "step", "ending", "read", "of cache", "written", "cost"
    );
    let mut all = Cost::default();
    let mut is_known = true;
    for (session, told) in &sessions {
        let _ = writeln!(out, "{}", report::clean(session));
        if let Some(program) = told.iter().find_map(|one| one.program.as_ref()) {
            let _ = writeln!(out, "  {}", report::clean(&program.text()));
        }
        for (one, settled) in told.iter().zip(settle_all(told, prices)) {
            let ending = one.ending.map_or("cut", agent::Ending::name);
            let attempt = if one.attempt > 1 {
                format!(" ({})", one.attempt)
            } else {
                String::new()
            };
            let name = format!("{}{attempt}", one.step);
            let Some((usage, source)) = settled.usage else {
                is_known = false;
                let _ = writeln!(out, "{name:<16} {ending:<13} tokens unknown");
                continue;
            };
            let cost = settled.cost.unwrap_or_default();
            let mut notes = Vec::new();
            if source != agent::Source::Proxy {
                notes.push("by the agent's word".to_owned());
            }
            if let Some(said) = settled.agent_says {
                notes.push(format!(
                    "the agent says {} read, {} written",
                    said.all_input(),
                    said.output
                ));
            }
            let notes = if notes.is_empty() {
                String::new()
            } else {
                format!("  ({})", notes.join("; "))
            };
            let _ = writeln!(
                out,
                "{name:<16} {ending:<13} {:>9} {:>9} {:>8}  {cost}{notes}",
                usage.all_input(),
                usage.cache_read,
                usage.output
            );
            all += cost;
        }
    }
    let unknown = if is_known {
        ""
    } else {
        ", and what is unknown above"
    };
    let _ = writeln!(
        out,
        "together {all}{unknown}; list prices of {}, not an invoice",
        prices.date
    );
    Ok(out)
}

/// All attempts of one session. A failed attempt's conversation is thrown away, with its count.
pub(crate) fn settle_all(told: &[ToldTurn], prices: &Prices) -> Vec<Settled> {
    let mut before = Usage::default();
    told.iter()
        .map(|one| {
            let settled = settled(one, Some(&before), prices);
            if !one.failed
                && let Some(total) = one.transcript().total
            {
                before = total;
            }
            settled
        })
        .collect()
}

/// The finished sessions of this ledger, for an estimate. Failed attempts are part of what a session costs.
pub(crate) fn past(ledger: &Ledger, steps: usize, prices: &Prices) -> Result<Vec<Past>, Fatal> {
    let mut past = Vec::new();
    for (run, session) in ledger.whole_sessions(steps)? {
        let mut sessions = by_session(ledger.told(&run)?);
        let Some(told) = sessions.remove(&session) else {
            continue;
        };
        let mut cost = Cost::default();
        let mut is_known = true;
        for settled in settle_all(&told, prices) {
            match settled.cost {
                Some(part) => cost += part,
                None => is_known = false,
            }
        }
        let Some(first) = told.first() else { continue };
        past.push(Past {
            agent: first.agent.clone(),
            model: first.model.clone(),
            // An arm may have more than the six.
            steps: steps_of(&told),
            dollars: cost.dollars().filter(|_| is_known),
            took: std::time::Duration::from_millis(told.iter().map(|one| one.took_ms).sum()),
        });
    }
    Ok(past)
}

/// How many prompts were answered.
fn steps_of(told: &[ToldTurn]) -> u32 {
    let done = told.iter().filter(|one| !one.failed);
    let steps: BTreeSet<&str> = done.map(|one| one.step.as_str()).collect();
    steps.len() as u32
}
