//! What an agent said and did in one step, in one form for all agents. The raw lines are archived beside it; a transcript
//! can always be read again from them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Usage;

/// One step of one conversation, as its command line told it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Transcript {
    /// The prompt's id, `1-auth`: set by whoever reads it.
    pub step: String,
    /// The id by which the agent takes the conversation up again.
    pub conversation: Option<String>,
    /// The agent's version as it says itself.
    pub version: Option<String>,
    /// The model as the agent says.
    pub model: Option<String>,
    /// In order. The prompt itself is the first, even where the agent does not repeat it.
    pub entries: Vec<Entry>,
    /// Lines that were read, and those among them that no reader knew: kept in the raw transcript, and counted.
    pub lines: u64,
    pub unknown: u64,
    /// What this step used, all its messages together; `None` when the agent did not tell, as when it was killed.
    pub usage: Option<Usage>,
    /// The sum over the whole conversation up to this step's end, where the agent counts so.
    pub total: Option<Usage>,
    /// Money as the agent says. It invents it for models that it does not know: never used for a result.
    pub claimed_cost: Option<f64>,
    /// How the agent says that the step ended.
    pub close: Close,
}

/// One message: of the person, or of the model with its calls and their results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub role: Role,
    /// The vendor's id of a model's message; several lines may tell of the same one.
    pub message: Option<String>,
    pub model: Option<String>,
    /// ISO 8601, as written.
    pub at: Option<String>,
    pub text: String,
    pub reasoning: String,
    pub calls: Vec<Call>,
    /// Of this message alone, never cumulative. `None` where the agent only tells sums.
    pub usage: Option<Usage>,
    /// The lines of the raw transcript that it was read from, counted from 0.
    pub lines: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The study's prompt.
    User,
    Agent,
    /// The agent's program itself: retries, warnings, errors.
    Program,
}

/// A tool that the model used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub id: String,
    pub tool: String,
    pub arguments: Value,
    /// `None` when it never came back: the agent was ended meanwhile.
    pub result: Option<CallResult>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallResult {
    pub text: String,
    pub failed: bool,
}

/// The last words of an agent about a step, before its exit code is looked at.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Close {
    /// Whether the line by which it ends a step was there at all.
    pub told: bool,
    /// Whether that line says that all went well.
    pub ok: bool,
    /// Its own word: Claude Code's `subtype`, Codex's `turn.failed`.
    pub word: String,
    /// The vendor's status, when the model's server was the reason.
    pub status: Option<u16>,
    /// Why the model stopped, by its own word: `end_turn`, `refusal`, ...
    pub stop: Option<String>,
    /// What it says of an error.
    pub why: String,
}

impl Entry {
    pub fn new(role: Role) -> Self {
        Self {
            role,
            message: None,
            model: None,
            at: None,
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            usage: None,
            lines: Vec::new(),
        }
    }
}

impl Transcript {
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.entries.iter().flat_map(|entry| &entry.calls)
    }

    /// The model's last words.
    pub fn last_words(&self) -> &str {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.role == Role::Agent && !entry.text.is_empty())
            .map_or("", |entry| entry.text.as_str())
    }

    pub(crate) fn result(&mut self, call: &str, result: CallResult) -> bool {
        let mut entries = self.entries.iter_mut().rev();
        let found = entries.find_map(|entry| entry.calls.iter_mut().find(|one| one.id == call));
        let is_known = found.is_some();
        if let Some(found) = found {
            found.result = Some(result);
        }
        is_known
    }
}
