//! How a real agent's model is reached, and what its sessions used and cost.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::SystemTime;

use agent::proxy::{Api, Auth, BadKey, Budget, Key, Refusal, Settings, Tally, Vendor};
use agent::{Cell, Cost, Past, Prices, Settled, Surroundings, Usage, settle};

use crate::exit::{Exit, Fatal};
use crate::ledger::{Ledger, ToldTurn, by_session};

/// The way to the model of each vendor that a study needs, with its key.
pub(crate) struct Ways {
    ways: Vec<(Api, Option<Key>)>,
    pub(crate) auth: Auth,
}

impl Ways {
    /// `server`: another than the vendors' own, that need not want a key.
    pub(crate) fn open(cells: &[Cell], server: Option<&str>, auth: Auth) -> Result<Self, Fatal> {
        let mut ways: Vec<(Api, Option<Key>)> = Vec::new();
        for driven in cells.iter().filter_map(|cell| cell.driven.as_ref()) {
            let (Some(cli), Some(vendor)) = (agent::find(&driven.cli), driven.vendor()) else {
                continue;
            };
            if auth == Auth::Subscription && cli.subscription.is_none() {
                return Err(Fatal::usage(format!(
                    "{} cannot use a subscription: --auth key, or a study without it",
                    cli.name
                )));
            }
            if ways.iter().any(|(api, _)| api.vendor == vendor) {
                continue;
            }
            let key = match auth {
                Auth::Key => key(cli, vendor, server)?,
                Auth::Subscription => subscription(cli)?,
            };
            let api = match server {
                Some(address) => {
                    Api::at(vendor, address).map_err(|error| Fatal::usage(error.to_string()))?
                }
                None => Api::of(vendor, auth),
            };
            ways.push((api, key));
        }
        Ok(Self { ways, auth })
    }

    /// For one step.
    pub(crate) fn to(&self, vendor: Vendor) -> Result<Settings, Fatal> {
        let found = self.ways.iter().find(|(api, _)| api.vendor == vendor);
        found
            .map(|(api, key)| Settings::new(api.clone(), key.clone()))
            .ok_or_else(|| Fatal::failed("no way to this agent's model was opened"))
    }

    /// With what the vendor is paid; `None` where a server of the user's own wants nothing.
    pub(crate) fn paid_with(&self, vendor: Vendor) -> Option<&'static str> {
        let found = self.ways.iter().find(|(api, _)| api.vendor == vendor)?;
        found.1.as_ref().map(|key| key.auth().name())
    }
}

fn key(cli: &agent::Cli, vendor: Vendor, server: Option<&str>) -> Result<Option<Key>, Fatal> {
    match (Key::from_env(vendor.variable()), server) {
        (Ok(key), _) => Ok(Some(key)),
        (Err(BadKey::Missing(_)), Some(_)) => Ok(None),
        (Err(error @ BadKey::Missing(_)), None) => Err(Fatal {
            exit: Exit::Missing,
            why: format!(
                "{} needs its model: {error}. See docs/real-agents.md; a subscription: --auth subscription; another server: \
                 --model-server ADDRESS",
                cli.name
            ),
        }),
        (Err(error @ BadKey::Form(_)), _) => Err(Fatal::usage(error.to_string())),
    }
}

fn subscription(cli: &agent::Cli) -> Result<Option<Key>, Fatal> {
    let around = Surroundings {
        variable: &|name| std::env::var_os(name),
        now: SystemTime::now(),
    };
    let found = cli.subscription.map(|find| find(&around)).transpose();
    found.map_err(|error| Fatal {
        exit: Exit::Missing,
        why: format!(
            "{} needs the sign-in of its subscription: {error}. See docs/real-agents.md",
            cli.name
        ),
    })
}

/// The tokens of subscriptions that are found here, for what may hold none.
pub(crate) fn tokens() -> Vec<Key> {
    let around = Surroundings {
        variable: &|name| std::env::var_os(name),
        // Expired ones as well.
        now: SystemTime::UNIX_EPOCH,
    };
    let finders = agent::ALL.iter().filter_map(|cli| cli.subscription);
    finders.filter_map(|find| find(&around).ok()).collect()
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

/// What a session has used so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spent {
    cost: Cost,
    tokens: u64,
}

pub(crate) fn of_session(
    ledger: &Ledger,
    run: &str,
    session: &str,
    prices: &Prices,
) -> Result<Spent, Fatal> {
    let told = by_session(ledger.told(run)?)
        .remove(session)
        .unwrap_or_default();
    let mut all = Spent::default();
    for settled in settle_all(&told, prices) {
        // Without a cost nothing was told, and the proxy saw no reply that is paid for.
        all.cost += settled.cost.unwrap_or_default();
        all.tokens += settled.usage.map_or(0, |(usage, _)| usage.all());
    }
    Ok(all)
}

/// Money is spent when what has a price has cost so much, or when something has none: then nobody knows. Tokens when those
/// that are known of are so many.
pub(crate) fn limit(of: agent::Budget, before: Spent, prices: &Prices) -> Budget {
    let prices = prices.clone();
    Box::new(move |records| {
        // Request by request, as the report counts: a long one costs more than its tokens in a sum.
        let cost = prices.records(records);
        let tokens = Tally::of(records).usage().all();
        let cost_so_much = |cost: &Cost, most: Option<u32>| {
            let is_less = |most| cost.dollars().is_some_and(|cost| cost < f64::from(most));
            most.is_some_and(|most| !is_less(most))
        };
        let so_many = |tokens: u64, most: Option<u64>| most.is_some_and(|most| tokens >= most);
        let mut all = before.cost.clone();
        all += cost.clone();
        if cost_so_much(&all, of.session_dollars)
            || so_many(before.tokens + tokens, of.session_tokens)
        {
            Some(Refusal::Spent)
        } else if cost_so_much(&cost, of.step_dollars) || so_many(tokens, of.step_tokens) {
            Some(Refusal::StepSpent)
        } else {
            None
        }
    })
}

/// A limit in money can be kept only for models that have a price.
pub(crate) fn check_limit(
    cells: &[Cell],
    budget: &agent::Budget,
    prices: &Prices,
) -> Result<(), Fatal> {
    let name = match (budget.session_dollars, budget.step_dollars) {
        (Some(_), _) => "session_dollars",
        (None, Some(_)) => "step_dollars",
        (None, None) => return Ok(()),
    };
    let mut driven = cells.iter().filter_map(|cell| cell.driven.as_ref());
    match driven.find(|one| !prices.knows(&one.model)) {
        Some(one) => Err(Fatal::usage(format!(
            "[budget] {name} cannot be kept: {} has no price; add it to a table of your own (--prices FILE)",
            one.model
        ))),
        None => Ok(()),
    }
}

const SUBSCRIPTION: Option<&str> = Some(Auth::Subscription.name());

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
    let attempts = || sessions.values().flatten();
    let on_subscription = attempts().filter(|one| one.auth.as_deref() == SUBSCRIPTION);
    let bill = match on_subscription.count() {
        0 => "not an invoice".to_owned(),
        count => format!(
            "not an invoice: {count} of {} attempts ran on a subscription, which is not billed by token; this is what the tokens would cost",
            attempts().count()
        ),
    };
    let _ = writeln!(
        out,
        "together {all}{unknown}; list prices of {}, {bill}",
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
