//! Chat Completions, as opencode and many others speak them.

use serde_json::{Value, json};

use crate::conversation::text;
use crate::messages::heredoc;
use crate::{Call, Conversation, Item, Reply, Stop};

pub(crate) fn conversation(body: &Value) -> Conversation {
    let messages = body["messages"].as_array().into_iter().flatten();
    let items = messages.filter_map(|message| {
        let text = text(&message["content"]);
        match message["role"].as_str() {
            Some("user") => Some(Item::User(text)),
            Some("assistant") => Some(Item::Model),
            Some("tool") => Some(Item::Result(text)),
            _ => None,
        }
    });
    let tools = body["tools"].as_array().into_iter().flatten();
    let name = |tool: &Value| {
        let name = tool["function"]["name"].as_str();
        name.unwrap_or_default().to_owned()
    };
    Conversation {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        tools: tools.map(name).collect(),
        items: items.collect(),
    }
}

/// The count comes only where the request asked for it, as of the real one.
pub(crate) fn stream(reply: &Reply, conversation: &Conversation, body: &Value) -> Vec<String> {
    let (step, message) = conversation.at().unwrap_or_default();
    let id = format!("{step}_{message}_{}", conversation.items.len());
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": format!("chatcmpl-{id}"), "object": "chat.completion.chunk", "created": 1, "model": conversation.model,
                           "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        chunk(json!([choice]), Value::Null)
    };
    let mut events = vec![delta(
        json!({"role": "assistant", "content": reply.text}),
        Value::Null,
    )];
    for (number, call) in reply.calls.iter().enumerate() {
        let (name, input) = tool(call, conversation);
        let call = json!({"index": number, "id": format!("call_{id}_{number}"), "type": "function",
                          "function": {"name": name, "arguments": input.to_string()}});
        events.push(delta(json!({"tool_calls": [call]}), Value::Null));
    }
    let finish = match reply.stop {
        Stop::Safeguards => "content_filter",
        Stop::Usual if reply.calls.is_empty() => "stop",
        Stop::Usual => "tool_calls",
    };
    events.push(delta(json!({}), finish.into()));
    if body["stream_options"]["include_usage"] == true {
        let usage = reply.usage;
        let usage = json!({
            "prompt_tokens": usage.all_input(), "completion_tokens": usage.output, "total_tokens": usage.all_input() + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cache_read},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning}});
        events.push(chunk(json!([]), usage));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// By the tools that the agent offers: opencode's `bash`, or whatever else is a shell.
fn tool(call: &Call, conversation: &Conversation) -> (String, Value) {
    let shells = ["bash", "run_shell_command", "shell"];
    let offered = |name: &&str| conversation.tools.iter().any(|tool| tool == name);
    let shell = shells.into_iter().find(offered).unwrap_or("bash");
    let command = match call {
        Call::Shell(command) => command.clone(),
        Call::Read(path) => format!("cat '{path}'"),
        Call::Write(path, content) => heredoc(path, content),
    };
    (
        shell.to_owned(),
        json!({"command": command, "description": "Does what the model wants"}),
    )
}
