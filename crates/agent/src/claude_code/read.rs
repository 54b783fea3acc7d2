//! Reads `--output-format stream-json`, and Claude Code's own record of a conversation.

use std::collections::HashMap;

use serde_json::Value;

use crate::lines::{each, number, string, text_of};
use crate::{Call, CallResult, Entry, Role, Transcript, Usage};

/// Of each content block one line comes, with the same message id. Its usage is that of the message's start: only the line
/// `result` tells what was used.
pub(super) fn read(said: &str) -> Transcript {
    each(said, one)
}

fn one(to: &mut Transcript, value: &Value, index: u64) -> bool {
    match (value["type"].as_str(), value["subtype"].as_str()) {
        (Some("system"), Some("init")) => {
            to.conversation = string(&value["session_id"]);
            to.version = string(&value["claude_code_version"]);
            to.model = string(&value["model"]);
            true
        }
        (Some("system"), Some("api_retry")) => {
            let mut entry = Entry::new(Role::Program);
            entry.text = format!(
                "retry {} of {}: {} {}",
                value["attempt"], value["max_retries"], value["error_status"], value["error"]
            );
            entry.lines.push(index);
            to.entries.push(entry);
            true
        }
        (Some("system"), Some(_)) => matches!(
            value["subtype"].as_str(),
            Some(
                "ui_invalidate"
                    | "status"
                    | "task_started"
                    | "task_updated"
                    | "task_notification"
                    | "background_tasks_changed"
            )
        ),
        (Some("assistant"), _) => {
            said(to, value, index);
            true
        }
        (Some("user"), _) => came_back(to, &value["message"]["content"], index),
        (Some("result"), _) => {
            result(to, value);
            true
        }
        _ => false,
    }
}

fn said(to: &mut Transcript, value: &Value, index: u64) {
    let message = &value["message"];
    let model = string(&message["model"]);
    let role = if model.as_deref() == Some("<synthetic>") {
        Role::Program
    } else {
        Role::Agent
    };
    let id = string(&message["id"]);
    let is_same = |last: &Entry| last.role == role && id.is_some() && last.message == id;
    let place = to.entries.iter().rposition(is_same);
    let place = place.unwrap_or_else(|| {
        to.entries.push(Entry {
            message: id,
            model: model.filter(|_| role == Role::Agent),
            at: string(&value["timestamp"]),
            ..Entry::new(role)
        });
        to.entries.len() - 1
    });
    let entry = &mut to.entries[place];
    entry.lines.push(index);
    for block in message["content"].as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("text") => entry.text += block["text"].as_str().unwrap_or_default(),
            Some("thinking") => entry.reasoning += block["thinking"].as_str().unwrap_or_default(),
            Some("tool_use" | "server_tool_use") => entry.calls.push(Call {
                id: string(&block["id"]).unwrap_or_default(),
                tool: string(&block["name"]).unwrap_or_default(),
                arguments: block["input"].clone(),
                result: None,
            }),
            _ => {}
        }
    }
}

/// The results of tools. A text in a user's line is the agent's own word to the model.
fn came_back(to: &mut Transcript, content: &Value, index: u64) -> bool {
    let mut known = true;
    let mut words = content.as_str().unwrap_or_default().to_owned();
    for block in content.as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("tool_result") => {
                let result = CallResult {
                    text: text_of(&block["content"]),
                    failed: block["is_error"] == true,
                };
                known &= to.result(block["tool_use_id"].as_str().unwrap_or_default(), result);
            }
            Some("text") => words += block["text"].as_str().unwrap_or_default(),
            _ => known = false,
        }
    }
    if !words.is_empty() {
        to.entries.push(Entry {
            text: words,
            lines: vec![index],
            ..Entry::new(Role::Program)
        });
    }
    known
}

/// A process can end several turns; the last one counts, and the tokens of all.
fn result(to: &mut Transcript, value: &Value) {
    let close = &mut to.close;
    close.told = true;
    close.ok = value["is_error"] == false && value["subtype"] == "success";
    close.word = string(&value["subtype"]).unwrap_or_default();
    close.status = value["api_error_status"]
        .as_u64()
        .map(|status| status as u16);
    close.stop = string(&value["stop_reason"]);
    close.why = if close.ok {
        String::new()
    } else {
        let errors = value["errors"].as_array().into_iter().flatten();
        let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
        let said = value["result"].as_str().unwrap_or_default();
        [said, &errors.join("; ")].join(" ").trim().to_owned()
    };
    if to.conversation.is_none() {
        to.conversation = string(&value["session_id"]);
    }
    to.total = models(&value["modelUsage"]);
    let since = models(&value["model_usage_since_last_result"]);
    // Versions before it: `usage` is of this result alone, but all zeros when the budget was spent.
    let used = since.or_else(|| of_message(&value["usage"]).filter(|used| !used.is_zero()));
    to.usage = match (to.usage, used) {
        (Some(before), Some(used)) => Some(before + used),
        (before, used) => used.or(before),
    };
    to.claimed_cost = value["total_cost_usd"].as_f64();
}

fn models(value: &Value) -> Option<Usage> {
    let models = value.as_object()?;
    let of = |one: &Value| Usage {
        input: number(&one["inputTokens"]),
        cache_read: number(&one["cacheReadInputTokens"]),
        cache_write: number(&one["cacheCreationInputTokens"]),
        output: number(&one["outputTokens"]),
        reasoning: number(&one["thinkingTokens"]),
    };
    Some(models.values().map(of).sum())
}

fn of_message(usage: &Value) -> Option<Usage> {
    usage.is_object().then(|| Usage {
        input: number(&usage["input_tokens"]),
        cache_read: number(&usage["cache_read_input_tokens"]),
        cache_write: number(&usage["cache_creation_input_tokens"]),
        output: number(&usage["output_tokens"]),
        reasoning: number(&usage["output_tokens_details"]["thinking_tokens"]),
    })
}

/// The record has a line for each content block with the whole message's final usage.
pub(super) fn recorded(lines: &str) -> Option<Usage> {
    let mut messages: HashMap<String, Usage> = HashMap::new();
    for line in lines.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let message = &value["message"];
        if value["type"] == "assistant"
            && message["model"] != "<synthetic>"
            && let Some(usage) = of_message(&message["usage"])
        {
            messages.insert(string(&message["id"]).unwrap_or_default(), usage);
        }
    }
    (!messages.is_empty()).then(|| messages.into_values().sum())
}
