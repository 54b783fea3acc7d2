//! What tokens cost: a dated table of list prices, which the user can replace.
//!
//! Command lines tell a cost of their own. It is never used: they invent it for models that they do not know, and add it up
//! over a conversation. What has no price here costs an unknown amount, not nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use serde::Deserialize;

use crate::proxy::{Counted, Outcome, Record};
use crate::{Usage, embedded};

/// A table of prices, `version = 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// When they were looked up: `2026-11-25`.
    pub date: String,
    models: BTreeMap<String, Model>,
}

#[derive(Debug, Clone, PartialEq)]
struct Model {
    short: Rates,
    /// From this input on, each token of the request costs these.
    long: Option<(u64, Rates)>,
}

/// Millionths of a dollar for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rates {
    input: u64,
    cache_read: u64,
    cache_write: Option<u64>,
    output: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: u32,
    date: String,
    model: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    input: f64,
    cache_read: f64,
    cache_write: Option<f64>,
    output: f64,
    #[serde(rename = "source")]
    _source: String,
    long: Option<Long>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    above: u64,
    input: f64,
    cache_read: f64,
    cache_write: Option<f64>,
    output: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum BadPrices {
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    #[error("`version = {0}` is not known; this tool reads version 1")]
    Version(u32),
    #[error("`date = \"{0}\"` is no day in the form 2026-11-25")]
    Date(String),
    #[error("{model}: a price must be from 0 to 100000 dollars for a million tokens, not {price}")]
    Price { model: String, price: f64 },
    #[error("{0} is there twice")]
    Twice(String),
}

impl Prices {
    /// `study/prices.toml` as it was when this was built.
    pub fn shipped() -> Result<Self, BadPrices> {
        let file = embedded::file("study/prices.toml");
        Self::parse(&file.map_or_else(Default::default, |file| String::from_utf8_lossy(file.bytes)))
    }

    pub fn parse(text: &str) -> Result<Self, BadPrices> {
        let table: Table = toml::from_str(text)?;
        if table.version != 1 {
            return Err(BadPrices::Version(table.version));
        }
        if !is_day(&table.date) {
            return Err(BadPrices::Date(table.date));
        }
        let mut models = BTreeMap::new();
        for row in table.model {
            let rates = |prices: (f64, f64, Option<f64>, f64)| rates(&row.name, prices);
            let short = rates((row.input, row.cache_read, row.cache_write, row.output))?;
            let long = match &row.long {
                Some(long) => Some((
                    long.above,
                    rates((long.input, long.cache_read, long.cache_write, long.output))?,
                )),
                None => None,
            };
            if models
                .insert(row.name.clone(), Model { short, long })
                .is_some()
            {
                return Err(BadPrices::Twice(row.name));
            }
        }
        Ok(Self {
            date: table.date,
            models,
        })
    }

    fn find(&self, model: &str) -> Option<&Model> {
        let found = self.models.get(model);
        found.or_else(|| self.models.get(without_date(model)?))
    }

    pub fn knows(&self, model: &str) -> bool {
        self.find(model).is_some()
    }

    /// One request's cost.
    pub fn request(&self, model: &str, usage: Usage) -> Cost {
        self.cost(model, usage, false)
    }

    /// The cost of several requests' tokens together. Where long requests cost more, a sum does not tell how long each one
    /// was, and this is the least that they cost.
    pub fn sum(&self, model: &str, usage: Usage) -> Cost {
        self.cost(model, usage, true)
    }

    fn cost(&self, model: &str, usage: Usage, is_sum: bool) -> Cost {
        let mut cost = Cost::default();
        if usage.is_zero() {
            return cost;
        }
        let Some(prices) = self.find(model) else {
            cost.unpriced.insert(model.to_owned(), usage);
            return cost;
        };
        let long = prices
            .long
            .filter(|(above, _)| usage.all_input() > *above)
            .map(|(_, rates)| rates);
        let rates = match long {
            Some(rates) if !is_sum => rates,
            Some(_) | None => prices.short,
        };
        cost.at_least = is_sum && long.is_some();
        // A vendor without a price for writing to a cache asks for what was read, as usual.
        let write = rates.cache_write.unwrap_or(rates.input);
        cost.pico = [
            (usage.input, rates.input),
            (usage.cache_read, rates.cache_read),
            (usage.cache_write, write),
            (usage.output, rates.output),
        ]
        .into_iter()
        .map(|(tokens, rate)| u128::from(tokens) * u128::from(rate))
        .sum();
        cost
    }

    /// What requests cost that went through the proxy, each by the model that served it.
    pub fn records(&self, records: &[Record]) -> Cost {
        let mut all = Cost::default();
        for record in records {
            let counted = match &record.outcome {
                Outcome::Replied { counted, .. } => *counted,
                Outcome::Unanswered(_) | Outcome::HungUp => Counted::Unread,
                Outcome::Refused(_) | Outcome::NoReply(_) => continue,
            };
            let model = record.served_by.as_ref().unwrap_or(&record.model);
            let mut cost = self.request(model, counted.usage());
            cost.at_least |= matches!(counted, Counted::AtLeast(_) | Counted::Unread);
            all += cost;
        }
        all
    }
}

fn rates(
    model: &str,
    (input, cache_read, cache_write, output): (f64, f64, Option<f64>, f64),
) -> Result<Rates, BadPrices> {
    let micro = |price: f64| {
        if (0.0..=100_000.0).contains(&price) {
            #[allow(clippy::cast_sign_loss, reason = "it was just compared with 0")]
            Ok((price * 1e6).round() as u64)
        } else {
            Err(BadPrices::Price {
                model: model.to_owned(),
                price,
            })
        }
    };
    Ok(Rates {
        input: micro(input)?,
        cache_read: micro(cache_read)?,
        cache_write: cache_write.map(micro).transpose()?,
        output: micro(output)?,
    })
}

fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize, most: u32| {
        part.len() == digits && part.parse().is_ok_and(|value| (1..=most).contains(&value))
    };
    matches!(parts[..], [year, month, day]
        if number(year, 4, 9999) && number(month, 2, 12) && number(day, 2, 31))
}

/// `claude-opus-4-6-20260205`, `gpt-5.4-2026-03-05`: the name before the date.
fn without_date(model: &str) -> Option<&str> {
    let (name, last) = model.rsplit_once('-')?;
    if last.len() == 8 && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(name);
    }
    let at = model.len().checked_sub("-2026-03-05".len())?;
    let (name, date) = (model.get(..at)?, model.get(at + 1..)?);
    (model.as_bytes().get(at) == Some(&b'-') && is_day(date)).then_some(name)
}

/// An amount of money, and what of it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cost {
    /// Trillionths of a dollar: exact, as prices are for a million tokens.
    pico: u128,
    /// Tokens of models that have no price here.
    pub unpriced: BTreeMap<String, Usage>,
    /// Whether some of it could only be bounded from below.
    pub at_least: bool,
}

impl Cost {
    /// `None` where a part has no price: then there is no sum to speak of.
    pub fn dollars(&self) -> Option<f64> {
        self.unpriced.is_empty().then(|| self.known())
    }

    /// The part that has a price.
    pub fn known(&self) -> f64 {
        self.pico as f64 / 1e12
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.pico += other.pico;
        self.at_least |= other.at_least;
        for (model, usage) in other.unpriced {
            *self.unpriced.entry(model).or_default() += usage;
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = if self.known() < 1.0 { 4 } else { 2 };
        let known = format!("${:.places$}", self.known());
        if self.unpriced.is_empty() {
            let least = if self.at_least { "at least " } else { "" };
            return write!(f, "{least}{known}");
        }
        let names: Vec<&str> = self.unpriced.keys().map(String::as_str).collect();
        write!(f, "unknown: no price for {}", names.join(", "))?;
        if self.pico > 0 {
            write!(f, "; the rest {known}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, cache_read: u64, cache_write: u64, output: u64) -> Usage {
        Usage {
            input,
            cache_read,
            cache_write,
            output,
            reasoning: 0,
        }
    }

    #[test]
    fn costs_by_hand() {
        let prices = Prices::shipped().unwrap();
        // 1000 x 5 + 20000 x 0.5 + 4000 x 6.25 + 300 x 25 = 5000 + 10000 + 25000 + 7500 millionths.
        let cost = prices.request("claude-opus-4-6", usage(1000, 20_000, 4000, 300));
        assert_eq!(cost.pico, 47_500 * 1_000_000);
        assert_eq!(cost.to_string(), "$0.0475");
        let same = prices.request("claude-opus-4-6-20260205", usage(1000, 20_000, 4000, 300));
        assert_eq!(same, cost);
        // Reasoning is a part of the output, and is not paid for twice.
        let thought = Usage {
            reasoning: 200,
            ..usage(1000, 20_000, 4000, 300)
        };
        assert_eq!(prices.request("claude-opus-4-6", thought), cost);
    }

    #[test]
    fn an_unknown_model_is_never_free() {
        let prices = Prices::shipped().unwrap();
        for name in [
            "my-local-model",
            "gpt-5.4-mini",
            "claude-opus-4-60",
            "claude-opus-4",
            "gpt-5.4-2026-13-05",
            "",
            "é-2026-03-05",
        ] {
            let cost = prices.request(name, usage(100, 0, 0, 20));
            assert_eq!(cost.dollars(), None, "{name}");
            assert!(cost.to_string().starts_with("unknown"), "{cost}");
        }
        let mut sum = prices.request("gpt-5.4", usage(1_000_000, 0, 0, 0));
        sum += prices.request("my-local-model", usage(1, 0, 0, 0));
        assert_eq!(sum.dollars(), None);
        assert_eq!(
            sum.to_string(),
            "unknown: no price for my-local-model; the rest $5.00"
        );
        // Nothing used costs nothing, whoever did not use it.
        let nothing = prices.request("my-local-model", Usage::default());
        assert_eq!(nothing.dollars(), Some(0.0));
    }

    #[test]
    fn long_requests_cost_more_and_sums_say_that_they_do_not_know() {
        let prices = Prices::shipped().unwrap();
        let at = prices.request("gpt-5.4", usage(272_000, 0, 0, 0));
        let above = prices.request("gpt-5.4-2026-03-05", usage(72_000, 200_001, 0, 1000));
        assert_eq!(at.pico, 272_000 * 2_500_000);
        assert_eq!(
            above.pico,
            72_000 * 5_000_000 + 200_001 * 500_000 + 1000 * 22_500_000
        );
        let sum = prices.sum("gpt-5.4", usage(272_001, 0, 0, 0));
        assert!(sum.at_least && sum.pico == 272_001 * 2_500_000);
        assert_eq!(sum.to_string(), "at least $0.6800");
        assert!(!prices.sum("gpt-5.4", usage(272_000, 0, 0, 0)).at_least);
    }

    #[test]
    fn a_table_with_a_fault_is_refused_with_its_place() {
        let good = "version = 1\ndate = \"2026-11-25\"\n[[model]]\nname = \"m\"\ninput = 1\ncache_read = 0.1\noutput = 2\nsource = \"s\"\n";
        assert!(Prices::parse(good).is_ok());
        for (from, to, says) in [
            ("version = 1", "version = 2", "version = 2"),
            ("2026-11-25", "tomorrow", "tomorrow"),
            ("input = 1", "input = -1", "m: a price"),
            ("input = 1", "input = nan", "m: a price"),
            ("input = 1", "inputs = 1", "inputs"),
            ("output = 2\n", "", "output"),
        ] {
            let error = Prices::parse(&good.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        let row = &good[good.find("[[").unwrap()..];
        assert!(matches!(
            Prices::parse(&format!("{good}{row}")),
            Err(BadPrices::Twice(_))
        ));
    }
}
