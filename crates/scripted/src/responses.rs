//! OpenAI's Responses, as Codex speaks them.

use serde_json::{Value, json};

use crate::conversation::text;
use crate::messages::heredoc;
use crate::{Call, Conversation, Item, Reply, Stop};

pub(crate) fn conversation(body: &Value) -> Conversation {
    let mut items = Vec::new();
    // One message of the model comes back as several items: its words, and each call.
    let mut in_message = false;
    for item in body["input"].as_array().into_iter().flatten() {
        let kind = item["type"].as_str().unwrap_or("message");
        let is_models = matches!(kind, "function_call" | "custom_tool_call" | "reasoning")
            || item["role"] == "assistant";
        if is_models {
            if !in_message {
                items.push(Item::Model);
            }
            in_message = true;
            continue;
        }
        in_message = false;
        match kind {
            // Codex 0.116 hands on what a hook says as its developer's.
            "message" if item["role"] == "user" || item["role"] == "developer" => {
                items.push(Item::User(text(&item["content"])));
            }
            "function_call_output" | "custom_tool_call_output" => {
                items.push(Item::Result(text(&item["output"])));
            }
            _ => {}
        }
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    Conversation {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        tools: tools.map(name).collect(),
        items,
    }
}

pub(crate) fn stream(reply: &Reply, conversation: &Conversation) -> Vec<String> {
    let (step, message) = conversation.at().unwrap_or_default();
    let id = format!("{step}_{message}_{}", conversation.items.len());
    let usage = reply.usage;
    let mut events =
        vec![json!({"type": "response.created", "response": {"id": format!("resp_{id}")}})];
    let mut items = Vec::new();
    if !reply.text.is_empty() {
        // Of a part of type `refusal` Codex would say nothing at all.
        let part = json!({"type": "output_text", "text": reply.text, "annotations": []});
        items.push(json!({"type": "message", "id": format!("msg_{id}"), "role": "assistant", "status": "completed",
                          "content": [part]}));
    }
    let patch = has_patch(conversation)
        && reply
            .calls
            .iter()
            .any(|call| matches!(call, Call::Write(..)));
    if patch {
        items.push(json!({"type": "custom_tool_call", "id": format!("ctc_{id}"), "call_id": format!("call_{id}_p"),
                          "name": "apply_patch", "input": whole_patch(&reply.calls), "status": "completed"}));
    }
    for (number, call) in reply.calls.iter().enumerate() {
        let command = match call {
            Call::Shell(command) => command.clone(),
            Call::Read(path) => format!("cat '{path}'"),
            Call::Write(..) if patch => continue,
            Call::Write(path, content) => heredoc(path, content),
        };
        items.push(
            json!({"type": "function_call", "id": format!("fc_{id}_{number}"),
                          "call_id": format!("call_{id}_{number}"), "name": "exec_command",
                          "arguments": json!({"cmd": command}).to_string(), "status": "completed"}),
        );
    }
    for (index, item) in items.iter().enumerate() {
        events.push(
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        );
    }
    let usage = json!({
        "input_tokens": usage.all_input(), "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.all_input() + usage.output});
    let response = json!({"id": format!("resp_{id}"), "usage": usage});
    events.push(if reply.stop == Stop::Safeguards {
        let mut response = response;
        response["status"] = "incomplete".into();
        response["incomplete_details"] = json!({"reason": "content_filter"});
        json!({"type": "response.incomplete", "response": response})
    } else {
        json!({"type": "response.completed", "response": response})
    });
    events
        .iter()
        .map(|event| {
            let kind = event["type"].as_str().unwrap_or_default();
            format!("event: {kind}\ndata: {event}\n\n")
        })
        .collect()
}

fn has_patch(conversation: &Conversation) -> bool {
    conversation.tools.iter().any(|tool| tool == "apply_patch")
}

/// All files of a message in one patch. The agent's tool writes a file anew where there is one.
fn whole_patch(calls: &[Call]) -> String {
    let mut lines = vec!["*** Begin Patch".to_owned()];
    for call in calls {
        if let Call::Write(path, content) = call {
            lines.push(format!("*** Add File: {path}"));
            lines.extend(content.lines().map(|line| format!("+{line}")));
        }
    }
    lines.push("*** End Patch\n".to_owned());
    lines.join("\n")
}

pub(crate) fn too_long() -> String {
    let error = json!({"code": "context_length_exceeded", "message": "the input is longer than the context window"});
    let event = json!({"type": "response.failed", "response": {"id": "resp_long", "status": "failed", "error": error}});
    format!("event: response.failed\ndata: {event}\n\n")
}

pub(crate) fn error(status: u16) -> String {
    let (kind, code) = match status {
        401 => ("invalid_request_error", "invalid_api_key"),
        404 => ("invalid_request_error", "model_not_found"),
        429 => ("requests", "rate_limit_exceeded"),
        _ => ("server_error", "server_error"),
    };
    json!({"error": {"message": format!("scripted: {code}"), "type": kind, "code": code}})
        .to_string()
}
