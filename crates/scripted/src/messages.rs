//! Anthropic's Messages, as Claude Code speaks them.

use serde_json::{Value, json};

use crate::conversation::text;
use crate::{Call, Conversation, Item, Reply, Stop};

pub(crate) fn conversation(body: &Value) -> Conversation {
    let mut items = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        if message["role"] == "assistant" {
            items.push(Item::Model);
            continue;
        }
        if let Some(text) = message["content"].as_str() {
            items.push(Item::User(text.to_owned()));
        }
        for block in message["content"].as_array().into_iter().flatten() {
            match block["type"].as_str() {
                Some("tool_result") => items.push(Item::Result(text(&block["content"]))),
                Some("text") => items.push(Item::User(text(&block["text"]))),
                _ => {}
            }
        }
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    Conversation {
        model: text(&body["model"]),
        tools: tools.map(|tool| text(&tool["name"])).collect(),
        items,
    }
}

/// A string, or the texts of a list of blocks.
pub(crate) fn stream(reply: &Reply, conversation: &Conversation) -> Vec<String> {
    let (step, message) = conversation.at().unwrap_or_default();
    let id = format!("{step}_{message}_{}", conversation.items.len());
    let usage = reply.usage;
    let mut events = vec![json!({"type": "message_start", "message": {
        "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": conversation.model, "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": usage.input, "cache_creation_input_tokens": usage.cache_write,
                  "cache_read_input_tokens": usage.cache_read, "output_tokens": 1}}})];
    let mut index = 0;
    let mut block = |start: Value, delta: Value| {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        events.push(json!({"type": "content_block_stop", "index": index}));
        index += 1;
    };
    if !reply.text.is_empty() {
        block(
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": reply.text}),
        );
    }
    for (number, call) in reply.calls.iter().enumerate() {
        let (name, input) = tool(call, conversation);
        block(
            json!({"type": "tool_use", "id": format!("toolu_{id}_{number}"), "name": name, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": input.to_string()}),
        );
    }
    let stop = match reply.stop {
        Stop::Safeguards => "refusal",
        Stop::Usual if reply.calls.is_empty() => "end_turn",
        Stop::Usual => "tool_use",
    };
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
                       "usage": {"output_tokens": usage.output}}),
    );
    events.push(json!({"type": "message_stop"}));
    events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", text(&event["type"])))
        .collect()
}

/// As the agent calls it. Its paths are absolute: the folder is in what it says of itself.
fn tool(call: &Call, conversation: &Conversation) -> (&'static str, Value) {
    let has = |name: &str| conversation.tools.iter().any(|tool| tool == name);
    let inside = |path: &str| match folder(conversation) {
        Some(folder) => format!("{folder}/{path}"),
        None => path.to_owned(),
    };
    match call {
        Call::Shell(command) => ("Bash", json!({"command": command})),
        Call::Read(path) => ("Read", json!({"file_path": inside(path)})),
        Call::Write(path, content) if has("Write") => (
            "Write",
            json!({"file_path": inside(path), "content": content}),
        ),
        Call::Write(path, content) => ("Bash", json!({"command": heredoc(path, content)})),
    }
}

/// Where `pwd` says that we are.
fn folder(conversation: &Conversation) -> Option<&str> {
    let mut lines = conversation.results().flat_map(str::lines);
    lines.find_map(|line| line.strip_prefix("PWD="))
}

/// A command that writes a file, for agents that have no tool for it.
pub(crate) fn heredoc(path: &str, content: &str) -> String {
    let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let end = if content.ends_with('\n') { "" } else { "\n" };
    format!("mkdir -p '{folder}' && cat > '{path}' <<'SCRIPTED_END'\n{content}{end}SCRIPTED_END")
}

pub(crate) fn too_long() -> String {
    let message = "prompt is too long: 210000 tokens > 200000 maximum";
    json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}})
        .to_string()
}

pub(crate) fn error(status: u16) -> String {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let message = match status {
        404 => "model: no-such-model",
        401 => "invalid x-api-key",
        _ => kind,
    };
    json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
}
