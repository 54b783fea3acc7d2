//! A session as ATIF v1.7 (Agent Trajectory Interchange Format, Harbor's RFC 0001), the one form of trajectories that
//! several vendors' tools read.
//!
//! One ATIF step per message. `prompt_tokens` is all that the model read, from caches too. A tool that never answered has a
//! call and no result. What the form has no place for is in `extra`; what does not fit it is said in `notes`.

use serde_json::{Map, Value, json};

use crate::{Call, Ending, Entry, Prices, Role, Settled, Transcript, Usage};

/// The version that is written.
pub const SCHEMA: &str = "ATIF-v1.7";

/// What a session was, beside its transcripts.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The session's id in the study: `fastapi/claude-code/silent/1`.
    pub session: &'a str,
    pub agent: &'a str,
    pub version: &'a str,
    pub model: &'a str,
}

/// One of its steps.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub transcript: &'a Transcript,
    pub settled: &'a Settled,
    pub ending: Ending,
}

/// The whole session.
pub fn trajectory(about: &About<'_>, parts: &[Part<'_>], prices: &Prices) -> Value {
    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    for part in parts {
        for entry in &part.transcript.entries {
            steps.push(step(about, part, entry, steps.len() + 1, prices));
        }
        let unknown = part.transcript.unknown;
        if unknown > 0 {
            notes.push(format!(
                "{}: {unknown} lines of the raw transcript were not understood",
                part.transcript.step
            ));
        }
        if part.settled.usage.is_none() {
            notes.push(format!(
                "{}: its tokens are not known, and in no total",
                part.transcript.step
            ));
        } else if part.settled.at_least {
            notes.push(format!(
                "{}: its tokens are at least those that are told",
                part.transcript.step
            ));
        }
    }
    notes.push(
        "the totals are what the model's server counted, or else the agent's own sums; steps whose tokens the agent \
         does not tell singly have no metrics"
            .to_owned(),
    );
    let conversation = parts
        .iter()
        .find_map(|part| part.transcript.conversation.clone());
    let mut root = Map::new();
    let mut set = |name: &str, value: Value| root.insert(name.to_owned(), value);
    set("schema_version", SCHEMA.into());
    if let Some(id) = conversation {
        set("session_id", id.into());
    }
    set("trajectory_id", about.session.into());
    set(
        "agent",
        json!({"name": about.agent, "version": about.version, "model_name": about.model}),
    );
    set("final_metrics", totals(parts, steps.len()));
    set("steps", steps.into());
    set("notes", notes.join("; ").into());
    let endings: Map<String, Value> = parts
        .iter()
        .map(|part| (part.transcript.step.clone(), part.ending.name().into()))
        .collect();
    set("extra", json!({"endings": endings}));
    root.into()
}

fn totals(parts: &[Part<'_>], steps: usize) -> Value {
    let usage: Usage = parts
        .iter()
        .filter_map(|part| Some(part.settled.usage?.0))
        .sum();
    let mut cost = crate::Cost::default();
    let mut is_priced = !parts.is_empty();
    for part in parts {
        match &part.settled.cost {
            Some(one) => cost += one.clone(),
            None => is_priced = false,
        }
    }
    let mut metrics = json!({
        "total_prompt_tokens": usage.all_input(),
        "total_completion_tokens": usage.output,
        "total_cached_tokens": usage.cache_read,
        "total_steps": steps,
    });
    if let Some(dollars) = cost.dollars().filter(|_| is_priced && !cost.at_least) {
        metrics["total_cost_usd"] = dollars.into();
    }
    metrics
}

fn step(
    about: &About<'_>,
    part: &Part<'_>,
    entry: &Entry,
    number: usize,
    prices: &Prices,
) -> Value {
    let mut step = Map::new();
    let mut set = |name: &str, value: Value| step.insert(name.to_owned(), value);
    let mut extra = Map::new();
    extra.insert("prompt".into(), part.transcript.step.clone().into());
    set("step_id", number.into());
    match entry.at.as_deref() {
        Some(at) if is_moment(at) => {
            set("timestamp", at.into());
        }
        Some(at) => {
            extra.insert("timestamp_as_written".into(), at.into());
        }
        None => {}
    }
    set("message", entry.text.clone().into());
    let source = match entry.role {
        Role::User => "user",
        Role::Agent => "agent",
        Role::Program => "system",
    };
    set("source", source.into());
    if let Some(id) = &entry.message {
        extra.insert("message_id".into(), id.clone().into());
    }
    if entry.role == Role::Agent {
        let model = entry.model.as_deref().unwrap_or(about.model);
        set("model_name", model.into());
        if !entry.reasoning.is_empty() {
            set("reasoning_content", entry.reasoning.clone().into());
        }
        if let Some(usage) = entry.usage {
            set("metrics", metrics(model, usage, prices));
        }
        if !entry.calls.is_empty() {
            let calls: Vec<(String, &Call)> = named(&entry.calls);
            set("tool_calls", calls.iter().map(tool_call).collect());
            let results: Vec<Value> = calls.iter().filter_map(result).collect();
            if !results.is_empty() {
                set("observation", json!({"results": results}));
            }
        }
    }
    set("extra", extra.into());
    step.into()
}

/// Each call with an id that is its own within the step, whatever the agent wrote.
fn named(calls: &[Call]) -> Vec<(String, &Call)> {
    let mut named: Vec<(String, &Call)> = Vec::new();
    for call in calls {
        let taken = call.id.is_empty() || named.iter().any(|(id, _)| *id == call.id);
        let id = if taken {
            format!("{}#{}", call.id, named.len() + 1)
        } else {
            call.id.clone()
        };
        named.push((id, call));
    }
    named
}

fn tool_call((id, call): &(String, &Call)) -> Value {
    // Some tools take a text: `apply_patch`.
    let arguments = match &call.arguments {
        Value::Object(map) => map.clone(),
        Value::Null => Map::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::from_iter([("input".to_owned(), call.arguments.clone())])
        }
    };
    json!({"tool_call_id": id, "function_name": call.tool, "arguments": arguments})
}

fn result((id, call): &(String, &Call)) -> Option<Value> {
    let result = call.result.as_ref()?;
    let mut value = json!({"source_call_id": id, "content": result.text});
    if result.failed {
        value["extra"] = json!({"failed": true});
    }
    Some(value)
}

fn metrics(model: &str, usage: Usage, prices: &Prices) -> Value {
    let mut metrics = json!({
        "prompt_tokens": usage.all_input(),
        "completion_tokens": usage.output,
        "cached_tokens": usage.cache_read,
        "extra": {"cache_write_tokens": usage.cache_write, "reasoning_tokens": usage.reasoning},
    });
    if let Some(dollars) = prices.request(model, usage).dollars() {
        metrics["cost_usd"] = dollars.into();
    }
    metrics
}

/// ISO 8601 as validators take it: `2026-11-23T10:00:00.123Z`.
fn is_moment(text: &str) -> bool {
    let rest = |text: &str, form: &str| -> Option<String> {
        let head = text.get(..form.len())?;
        let fits = head.bytes().zip(form.bytes()).all(|(byte, wanted)| {
            if wanted == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == wanted
            }
        });
        fits.then(|| text[form.len()..].to_owned())
    };
    let number = |from: usize, most: u32| {
        text.get(from..from + 2)
            .and_then(|part| part.parse::<u32>().ok())
            .is_some_and(|value| value <= most)
    };
    let Some(zone) = rest(text, "0000-00-00T00:00:00") else {
        return false;
    };
    let ranges = [(11, 23), (14, 59), (17, 59)];
    if !is_day(text) {
        return false;
    }
    if !ranges.iter().all(|(from, most)| number(*from, *most)) {
        return false;
    }
    let zone = match zone.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            fraction[digits..].to_owned()
        }
        None => zone,
    };
    match zone.as_str() {
        "" | "Z" => true,
        zone => {
            let sign = zone.starts_with(['+', '-']);
            let hour = zone.get(1..3).and_then(|part| part.parse::<u32>().ok());
            sign && rest(&zone[1..], "00:00").is_some_and(|left| left.is_empty())
                && hour.is_some_and(|hour| hour < 24)
                && zone
                    .get(4..6)
                    .and_then(|part| part.parse::<u32>().ok())
                    .is_some_and(|minute| minute < 60)
        }
    }
}

/// Whether there is such a day in the calendar.
fn is_day(text: &str) -> bool {
    let part =
        |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (part(0, 4), part(5, 7), part(8, 10)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year > 0 && (1..=last).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        for text in [
            "2026-11-23T10:00:00Z",
            "2026-11-23T10:00:00.123Z",
            "2026-11-30T23:59:59+02:00",
            "2028-02-29T00:00:00",
        ] {
            assert!(is_moment(text), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-11-31T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T10:00:00.Z",
            "2026-11-23T10:00:00+2",
            "2026-11-23T10:00:00+99:00",
            "2026-11-23T10:00:00é",
            "1764000000",
        ] {
            assert!(!is_moment(text), "{text}");
        }
    }
}
