//! Reads `codex exec --json`, and Codex's own record of a conversation.

use serde_json::{Value, json};

use crate::lines::{each, number, string};
use crate::{Call, CallResult, Entry, Role, Transcript, Usage};

pub(super) fn read(said: &str) -> Transcript {
    each(said, one)
}

fn one(to: &mut Transcript, value: &Value, index: u64) -> bool {
    match value["type"].as_str() {
        Some("thread.started") => to.conversation = string(&value["thread_id"]),
        Some("turn.started") => {}
        Some("item.started" | "item.updated") => return item(to, &value["item"], index, false),
        Some("item.completed") => return item(to, &value["item"], index, true),
        Some("turn.completed") => {
            to.total = usage(&value["usage"]);
            to.close.told = true;
            to.close.ok = true;
            to.close.word = "turn.completed".into();
            to.close.status = None;
            to.close.why.clear();
        }
        Some("turn.failed") => {
            to.close.told = true;
            to.close.ok = false;
            to.close.word = "turn.failed".into();
            error(to, &value["error"]["message"]);
        }
        // Also said of what is tried again, and of what is only a warning.
        Some("error") => {
            error(to, &value["message"]);
            program(to, value["message"].as_str().unwrap_or_default(), index);
        }
        _ => return false,
    }
    true
}

fn error(to: &mut Transcript, message: &Value) {
    let text = message.as_str().unwrap_or_default();
    text.clone_into(&mut to.close.why);
    to.close.status = status(text);
}

/// It names a status in words: `unexpected status 401 Unauthorized`, `last status: 429 Too Many Requests`.
fn status(text: &str) -> Option<u16> {
    let (_, after) = text.split_once("status")?;
    let digits = after.trim_start_matches([':', ' ']).get(..3)?;
    digits.parse().ok()
}

fn program(to: &mut Transcript, text: &str, index: u64) {
    to.entries.push(Entry {
        text: text.to_owned(),
        lines: vec![index],
        ..Entry::new(Role::Program)
    });
}

fn item(to: &mut Transcript, item: &Value, index: u64, is_done: bool) -> bool {
    let id = string(&item["id"]).unwrap_or_default();
    let (tool, arguments, text) = match item["type"].as_str() {
        Some("agent_message") => {
            agent(to, index).text = string(&item["text"]).unwrap_or_default();
            return true;
        }
        Some("reasoning") => {
            agent(to, index).reasoning = string(&item["text"]).unwrap_or_default();
            return true;
        }
        Some("error") => {
            program(to, item["message"].as_str().unwrap_or_default(), index);
            return true;
        }
        Some("command_execution") => (
            "command_execution",
            json!({"command": item["command"]}),
            string(&item["aggregated_output"]).unwrap_or_default(),
        ),
        Some("file_change") => (
            "file_change",
            json!({"changes": item["changes"]}),
            String::new(),
        ),
        Some(other @ ("mcp_tool_call" | "web_search" | "todo_list" | "collab_tool_call")) => {
            (other, item.clone(), String::new())
        }
        _ => return false,
    };
    let result = is_done.then(|| CallResult {
        text,
        failed: item["status"] == "failed",
    });
    let known = to.entries.iter_mut().rev();
    let known = known
        .flat_map(|entry| entry.calls.iter_mut())
        .find(|call| call.id == id);
    if let Some(call) = known {
        call.result = result;
        return true;
    }
    let call = Call {
        id,
        tool: tool.to_owned(),
        arguments,
        result,
    };
    // Several calls after the same words are the same message, as far as it tells.
    match to.entries.last_mut() {
        Some(last) if last.role == Role::Agent => {
            last.calls.push(call);
            last.lines.push(index);
        }
        _ => agent(to, index).calls.push(call),
    }
    true
}

fn agent(to: &mut Transcript, index: u64) -> &mut Entry {
    to.entries.push(Entry {
        lines: vec![index],
        ..Entry::new(Role::Agent)
    });
    let last = to.entries.len() - 1;
    &mut to.entries[last]
}

/// `input_tokens` holds the cached ones, too.
fn usage(value: &Value) -> Option<Usage> {
    let input = value["input_tokens"].as_u64()?;
    let cache_read = number(&value["cached_input_tokens"]);
    let cache_write = number(&value["cache_write_input_tokens"]);
    Some(Usage {
        input: input.saturating_sub(cache_read.saturating_add(cache_write)),
        cache_read,
        cache_write,
        output: number(&value["output_tokens"]),
        reasoning: number(&value["reasoning_output_tokens"]),
    })
}

/// The record has a line for each response of the model. Versions before such lines tell the last response's tokens beside
/// the sum, some of them twice.
pub(super) fn recorded(lines: &str) -> Option<Usage> {
    let (mut sum, mut counted, mut last) = (None, None, None);
    for line in lines.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let payload = &value["payload"];
        if value["type"] == "token_usage_record"
            && let Some(used) = usage(&payload["usage"])
        {
            sum = Some(sum.unwrap_or_default() + used);
        }
        let total = usage(&payload["info"]["total_token_usage"]);
        if payload["type"] == "token_count"
            && total != last
            && let Some(used) = usage(&payload["info"]["last_token_usage"])
        {
            counted = Some(counted.unwrap_or_default() + used);
            last = total;
        }
    }
    sum.or(counted)
}
