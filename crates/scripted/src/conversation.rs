//! A conversation as a model sees it, whoever's form it came in.

use std::sync::OnceLock;

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

fn prompts() -> &'static [String] {
    static PROMPTS: OnceLock<Vec<String>> = OnceLock::new();
    PROMPTS.get_or_init(|| {
        let all = agent::prompts().unwrap_or_default();
        all.into_iter().map(|prompt| prompt.text).collect()
    })
}

impl Conversation {
    /// The prompt that was given last, from 1, and how many of the model's messages since came to their results: what was
    /// cut off is said again. `None` for what is no part of a session: an agent's request on the side.
    pub fn at(&self) -> Option<(usize, usize)> {
        let of = |text: &str| {
            prompts()
                .iter()
                .position(|prompt| text.contains(prompt.as_str()))
        };
        let (prompt, came) = self.since(of)?;
        (!self.tools.is_empty()).then_some((prompt + 1, came))
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
