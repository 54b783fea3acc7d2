//! What an author decided for a security matter, as the source says it.

use serde::{Deserialize, Serialize};

/// Where what was chosen comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum Origin {
    /// A third-party package.
    Library {
        name: String,
        /// As the manifest or the lock file says; `None` where neither does.
        version: Option<String>,
    },
    /// A feature of the app's framework.
    Framework {
        name: String,
        version: Option<String>,
    },
    /// The language's standard library or runtime.
    Runtime { module: String },
    /// Written in the app's own source.
    HandWritten,
    /// All source that matters was read, and nothing decides it.
    Absent,
    /// Nothing was found, and something could not be read or followed.
    Unknown { why: String },
}

impl Origin {
    /// `library`, `framework`, `runtime`, `hand-written`, `absent` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Library { .. } => "library",
            Self::Framework { .. } => "framework",
            Self::Runtime { .. } => "runtime",
            Self::HandWritten => "hand-written",
            Self::Absent => "absent",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether something was chosen.
    pub fn is_chosen(&self) -> bool {
        !matches!(self, Self::Absent | Self::Unknown { .. })
    }
}

/// How sure the reading is that this is what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Guessed from names.
    Low,
    /// One step could not be followed.
    Medium,
    /// Every name was followed to where it comes from.
    High,
}

/// A place in the source. Lines and columns start at 1; columns count bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Relative to the tree, with `/`.
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    /// The first line of what stands there, cut at 160 characters.
    pub text: String,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The matter: the id of its file, `password-hash`.
    pub decision: String,
    /// What was chosen, in a few words: `bcrypt`; empty where nothing was.
    pub choice: String,
    pub origin: Origin,
    /// Read from the code, in the order of their names: `cost` is `12`.
    pub parameters: Vec<(String, String)>,
    /// A published floor that it does not reach, in words: `35 % of OWASP's 600,000`.
    pub below: Option<String>,
    pub confidence: Confidence,
    /// The places that say so; the deciding one first.
    pub spans: Vec<Span>,
    /// Lines of the app's own code that do it by hand.
    pub lines: u32,
    pub notes: Vec<String>,
}

impl Decision {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What changes when the decision does: everything but where it stands.
    pub fn fingerprint(&self) -> String {
        let mut text = format!("{}: {} ({})", self.decision, self.choice, self.origin.word());
        for (name, value) in &self.parameters {
            text.push_str(&format!(" {name}={value}"));
        }
        text
    }
}

/// A file, or a part of one, that could not be read or followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    pub file: String,
    /// 0 for the whole file.
    pub line: u32,
    pub why: String,
}

/// What it costs to review a tree's choices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burden {
    /// Packages that the manifest names.
    pub direct: u32,
    /// Packages that the lock file adds to those; `None` without a lock file.
    pub transitive: Option<u32>,
    /// Lines of the app's own code that do a security matter by hand.
    pub hand_written: u32,
}

/// All that was read in one tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub decisions: Vec<Decision>,
    pub unread: Vec<Unread>,
    pub burden: Burden,
    /// Source files and lines that were read.
    pub files: u32,
    pub lines: u32,
}
