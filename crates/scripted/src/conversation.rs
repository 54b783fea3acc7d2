//! A conversation as a model sees it, whoever's form it came in.

use std::sync::OnceLock;

use agent::{Arm, FINDINGS};
use serde_json::Value;

/// What was said so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    pub model: String,
    /// The names of the tools that the agent offers.
    pub tools: Vec<String>,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    User(String),
    /// One message of the model, whatever it holds.
    Model,
    /// What a tool said.
    Result(String),
}

/// The words of a message: as they are, or in parts of which some have none.
pub(crate) fn text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let parts = value.as_array().into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
    texts.join("\n")
}

/// How every prompt of every arm begins, up to what only a session knows, and its number; the longest first, because one arm's
/// prompt may begin as another's.
fn prompts() -> &'static [(String, usize)] {
    static PROMPTS: OnceLock<Vec<(String, usize)>> = OnceLock::new();
    PROMPTS.get_or_init(|| {
        let arms = Arm::ids();
        let arms = arms.iter().filter_map(|id| Arm::find(id).ok());
        let mut all: Vec<(String, usize)> = arms
            .flat_map(|arm| arm.prompts.into_iter().enumerate())
            .map(|(index, prompt)| {
                let text = prompt.text.split(FINDINGS).next().unwrap_or_default();
                (text.trim().to_owned(), index + 1)
            })
            .collect();
        all.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        all
    })
}

impl Conversation {
    /// The prompt that was given last, from 1, and how many of the model's messages since came to their results: what was
    /// cut off is said again. `None` for what is no part of a session: an agent's request on the side.
    pub fn at(&self) -> Option<(usize, usize)> {
        let of = |text: &str| {
            let found = prompts()
                .iter()
                .find(|(prompt, _)| text.contains(prompt.as_str()));
            found.map(|(_, number)| *number)
        };
        let (prompt, came) = self.since(of)?;
        (!self.tools.is_empty()).then_some((prompt, came))
    }

    /// What is found in the last of the user's messages that has it, and how many of the model's messages since came to
    /// their results.
    pub(crate) fn since<T>(&self, of: impl Fn(&str) -> Option<T>) -> Option<(T, usize)> {
        let mut items = self.items.iter().enumerate().rev();
        let (place, found) = items.find_map(|(place, item)| match item {
            Item::User(text) => Some((place, of(text)?)),
            Item::Model | Item::Result(_) => None,
        })?;
        let (mut came, mut waits) = (0, false);
        for item in &self.items[place..] {
            match item {
                Item::Model => waits = true,
                Item::Result(_) if waits => {
                    came += 1;
                    waits = false;
                }
                Item::Result(_) | Item::User(_) => {}
            }
        }
        Some((found, came))
    }

    pub fn results(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match item {
            Item::Result(text) => Some(text.as_str()),
            Item::User(_) | Item::Model => None,
        })
    }
}
