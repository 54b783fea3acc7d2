//! How a real agent's model is reached, and what its sessions used and cost.

use agent::proxy::{Api, BadKey, Key, Settings, Vendor};
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
            let Some(cli) = agent::find(&driven.cli) else {
                continue;
            };
            let vendor = cli.vendor;
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
                            cli.name
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
pub(crate) fn settled(told: &ToldTurn, before: Option<&Usage>, prices: &Prices) -> Settled {
    settle(
        &told.transcript(),
        before,
        told.asked.as_deref(),
        &told.model,
        prices,
    )
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
        for one in &told {
            match settled(one, None, prices).cost {
                Some(part) => cost += part,
                None => is_known = false,
            }
        }
        let Some(first) = told.first() else { continue };
        past.push(Past {
            agent: first.agent.clone(),
            model: first.model.clone(),
            steps: steps as u32,
            dollars: cost.dollars().filter(|_| is_known),
            took: std::time::Duration::from_millis(told.iter().map(|one| one.took_ms).sum()),
        });
    }
    Ok(past)
}
