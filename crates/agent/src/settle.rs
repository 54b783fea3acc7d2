//! Which count of a step's tokens is believed: the proxy's, the agent's sum, or the sum over its messages.
//!
//! The proxy saw what the vendor counted, also in a step that was killed, and tells models apart. The agent's own sum is
//! compared with it. Where nothing went through the proxy whole, the agent's words are all there is.

use crate::prices::{Cost, Prices};
use crate::proxy::{Record, Tally};
use crate::{Transcript, Usage};

/// Where a count is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The vendor's replies, as they passed.
    Proxy,
    /// The agent's sum for the step.
    Agent,
    /// The agent's sum for the conversation, less the one before this step.
    Difference,
    /// The single messages of the transcript: what a killed step leaves.
    Messages,
}

/// A step's tokens and money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// `None` where nobody knows.
    pub usage: Option<(Usage, Source)>,
    /// Some of it is missing.
    pub at_least: bool,
    /// What the agent said, where it differs from what the vendor counted.
    pub agent_says: Option<Usage>,
    pub cost: Option<Cost>,
}

/// Settles one step. `before` is the agent's total at the end of the step before, when it counts over the conversation;
/// `records` are the proxy's of this step, `None` where there was no proxy.
pub fn settle(
    transcript: &Transcript,
    before: Option<&Usage>,
    records: Option<&[Record]>,
    model: &str,
    prices: &Prices,
) -> Settled {
    let mut told = told(transcript, before);
    let tally = records.map(Tally::of).unwrap_or_default();
    if let Some(records) = records
        && !tally.models.is_empty()
    {
        let usage = tally.usage();
        let whole = tally.short == 0;
        // Messages that the agent did not get to the end are in no sum of its own.
        let differs = |said: &Usage| whole && !same(said, &usage);
        return Settled {
            usage: Some((usage, Source::Proxy)),
            at_least: !whole,
            agent_says: told
                .filter(|(_, source)| *source != Source::Messages)
                .map(|(said, _)| said)
                .filter(differs),
            cost: Some(prices.records(records)),
        };
    }
    // Only refusals and errors passed, if anything: that is no cost, and not an unknown one.
    if records.is_some() && tally.short == 0 && told.is_none() {
        told = Some((Usage::default(), Source::Proxy));
    }
    let served = transcript.model.as_deref().unwrap_or(model);
    let at_least = tally.short > 0 || matches!(told, Some((_, Source::Messages)));
    Settled {
        usage: told,
        at_least,
        agent_says: None,
        cost: told.map(|(usage, _)| {
            let mut cost = prices.sum(served, usage);
            cost.at_least |= at_least;
            cost
        }),
    }
}

/// Not every command line tells how much of the output was reasoning.
fn same(one: &Usage, other: &Usage) -> bool {
    let plain = |usage: &Usage| Usage {
        reasoning: 0,
        ..*usage
    };
    plain(one) == plain(other)
}

/// What the agent itself says of this step.
fn told(transcript: &Transcript, before: Option<&Usage>) -> Option<(Usage, Source)> {
    if let Some(usage) = transcript.usage {
        return Some((usage, Source::Agent));
    }
    if let Some(total) = transcript.total {
        // A counter that went down was reset, and then the difference means nothing.
        let since = total.since(&before.copied().unwrap_or_default());
        if let Some(usage) = since {
            return Some((usage, Source::Difference));
        }
    }
    let messages: Vec<Usage> = transcript
        .entries
        .iter()
        .filter_map(|entry| entry.usage)
        .collect();
    (!messages.is_empty()).then(|| (messages.into_iter().sum(), Source::Messages))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proxy::{Counted, Outcome};
    use crate::{Entry, Role};

    fn usage(input: u64, output: u64) -> Usage {
        Usage {
            input,
            output,
            ..Usage::default()
        }
    }

    fn record(model: &str, counted: Counted) -> Record {
        Record {
            model: model.into(),
            served_by: None,
            outcome: Outcome::Replied {
                status: 200,
                counted,
                stop: None,
                ended: true,
            },
            tools: vec![],
            took: Duration::ZERO,
        }
    }

    fn of(transcript: &Transcript, before: Option<&Usage>, records: Option<&[Record]>) -> Settled {
        let prices = Prices::shipped().unwrap();
        settle(transcript, before, records, "gpt-5.4", &prices)
    }

    #[test]
    fn a_conversations_counter_is_not_a_steps() {
        let second = Transcript {
            total: Some(usage(1500, 60)),
            ..Transcript::default()
        };
        let settled = of(&second, Some(&usage(1300, 40)), None);
        assert_eq!(settled.usage, Some((usage(200, 20), Source::Difference)));
        assert_eq!(settled.cost.unwrap().to_string(), "$0.0008");
        // After a kill the counter begins anew: nothing may be made of it.
        let settled = of(&second, Some(&usage(1600, 70)), None);
        assert_eq!((settled.usage, settled.cost), (None, None));
    }

    #[test]
    fn a_killed_step_is_the_sum_of_its_messages_and_said_to_be_at_least_that() {
        let mut killed = Transcript::default();
        for number in [100, 200] {
            let mut entry = Entry::new(Role::Agent);
            entry.usage = Some(usage(number, 1));
            killed.entries.push(entry);
        }
        let settled = of(&killed, None, None);
        assert_eq!(settled.usage, Some((usage(300, 2), Source::Messages)));
        assert!(settled.at_least && settled.cost.unwrap().at_least);
    }

    #[test]
    fn the_vendors_count_wins_and_tells_models_apart() {
        let told = Transcript {
            usage: Some(usage(1000, 20)),
            model: Some("gpt-5.4".into()),
            claimed_cost: Some(99.0),
            ..Transcript::default()
        };
        let records = [
            record("gpt-5.4", Counted::Whole(usage(600, 10))),
            record("helper", Counted::Whole(usage(400, 10))),
        ];
        let settled = of(&told, None, Some(&records));
        assert_eq!(settled.usage, Some((usage(1000, 20), Source::Proxy)));
        assert_eq!(settled.agent_says, None);
        assert_eq!(
            settled.cost.unwrap().dollars(),
            None,
            "the helper has no price"
        );
        let less = [record("gpt-5.4", Counted::Whole(usage(600, 10)))];
        let settled = of(&told, None, Some(&less));
        assert_eq!(settled.agent_says, Some(usage(1000, 20)));
        let cut = [record("gpt-5.4", Counted::AtLeast(usage(600, 10)))];
        let settled = of(&told, None, Some(&cut));
        assert!(settled.at_least && settled.agent_says.is_none());
        // A proxy that counted nothing says nothing against the agent.
        let errors = [record("gpt-5.4", Counted::Nothing)];
        let settled = of(&told, None, Some(&errors));
        assert_eq!(settled.usage, Some((usage(1000, 20), Source::Agent)));
    }

    #[test]
    fn a_step_that_met_only_errors_cost_nothing() {
        let silent = Transcript::default();
        let errors = [record("gpt-5.4", Counted::Nothing)];
        for records in [&errors[..], &[]] {
            let settled = of(&silent, None, Some(records));
            assert_eq!(settled.usage, Some((Usage::default(), Source::Proxy)));
            assert_eq!(settled.cost.unwrap().dollars(), Some(0.0));
        }
        let unread = [record("gpt-5.4", Counted::Unread)];
        let settled = of(&silent, None, Some(&unread));
        assert_eq!((settled.usage, settled.cost), (None, None));
        assert_eq!(of(&silent, None, None).usage, None);
    }
}
