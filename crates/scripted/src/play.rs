//! What the model says next: it looks around, reads what it will write over, writes the recording's files, says that it is
//! done.

use agent::{Usage, recorded};

use crate::{Conversation, Script};

/// One message of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub text: String,
    pub calls: Vec<Call>,
    pub usage: Usage,
    pub stop: Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// As its calls say: it waits for them, or is done.
    Usual,
    Safeguards,
}

/// A tool that the model uses. Each way of speaking names it as its agent does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Shell(String),
    /// Paths are relative to the work tree.
    Read(String),
    Write(String, String),
}

/// What a message of the script costs, in tokens: other numbers for each.
pub fn tokens(step: usize, message: usize) -> Usage {
    let (step, message) = (step as u64, message as u64);
    Usage {
        input: 1000 * step + 10 * message + 3,
        cache_read: 100 * message,
        cache_write: 0,
        output: 20 + 7 * message + step,
        reasoning: 0,
    }
}

pub(crate) fn reply(script: &Script, recording: &str, conversation: &Conversation) -> Reply {
    if !script.scenes.is_empty() {
        return scene(script, conversation);
    }
    let Some((step, message)) = conversation.at() else {
        return done("ok", Usage::default());
    };
    let usage = tokens(step, message);
    let mut plan: Vec<(String, Vec<Call>)> = Vec::new();
    for (_, command) in script.commands.iter().filter(|(at, _)| *at == step) {
        plan.push((
            "I run a command.".into(),
            vec![Call::Shell(command.clone())],
        ));
    }
    plan.push((
        "I look at what is there.".into(),
        vec![Call::Shell("echo PWD=$PWD; ls -a".into())],
    ));
    if let Some(framework) = framework(conversation) {
        plan.extend(work(recording, framework, step, conversation));
    }
    match plan.into_iter().nth(message) {
        Some((text, calls)) => Reply {
            text,
            calls,
            usage,
            stop: Stop::Usual,
        },
        None => done(&format!("Step {step} is done."), usage),
    }
}

fn scene(script: &Script, conversation: &Conversation) -> Reply {
    let of = |text: &str| {
        let mut scenes = script.scenes.iter();
        scenes.find(|scene| text.contains(&scene.when))
    };
    let found = conversation.since(of);
    let (scene, message) = match found {
        Some(found) if !conversation.tools.is_empty() => found,
        _ => return done("ok", Usage::default()),
    };
    let usage = tokens(1, message);
    match scene.calls.get(message) {
        Some(calls) => Reply {
            text: "I go on.".to_owned(),
            calls: calls.clone(),
            usage,
            stop: Stop::Usual,
        },
        None => done("That is done.", usage),
    }
}

fn work(
    recording: &str,
    framework: &str,
    step: usize,
    conversation: &Conversation,
) -> Vec<(String, Vec<Call>)> {
    let steps = recorded::steps(framework, recording);
    let Some(name) = steps.get(step - 1) else {
        return Vec::new();
    };
    let overlay = agent::folder(&format!("recordings/{framework}/{recording}/{name}"));
    let before = recorded::texts(framework, recording, step - 1).unwrap_or_default();
    let reads: Vec<Call> = overlay
        .iter()
        .filter(|(path, _)| before.contains_key(*path))
        .map(|(path, _)| Call::Read((*path).to_owned()))
        .collect();
    let writes = overlay
        .iter()
        .map(|(path, file)| {
            let text = String::from_utf8_lossy(file.bytes).into_owned();
            Call::Write((*path).to_owned(), text)
        })
        .collect();
    let mut plan = Vec::new();
    // An agent whose tool refuses to write over what was not read.
    if !reads.is_empty() && conversation.tools.iter().any(|tool| tool == "Write") {
        plan.push(("I read what I will change.".to_owned(), reads));
    }
    plan.push(("I write it.".to_owned(), writes));
    plan
}

/// By what the agent's tools have shown, as any model would know it.
fn framework(conversation: &Conversation) -> Option<&'static str> {
    let shown = |word: &str| conversation.results().any(|text| text.contains(word));
    if shown("next.config") || shown("next-env.d.ts") || shown("tsconfig.json") {
        Some("nextjs")
    } else if shown("requirements.txt") {
        Some("fastapi")
    } else {
        None
    }
}

fn done(text: &str, usage: Usage) -> Reply {
    Reply {
        text: text.to_owned(),
        calls: Vec::new(),
        usage,
        stop: Stop::Usual,
    }
}

pub(crate) fn refusal(planned: &Reply) -> Reply {
    done("I'm sorry, but I can't help with that.", planned.usage)
}

pub(crate) fn idle(planned: &Reply) -> Reply {
    done("All of it is in place already.", planned.usage)
}

pub(crate) fn safeguards(planned: &Reply) -> Reply {
    Reply {
        stop: Stop::Safeguards,
        ..done("", planned.usage)
    }
}
