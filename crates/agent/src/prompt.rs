//! The study's prompts: TOML front matter between `+++` lines, then the words that an agent is given.

use serde::Deserialize;

use crate::embedded;

/// One of the six prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The file's stem: `1-auth`.
    pub id: String,
    pub step: String,
    /// The exploits whose control these words name or imply: tier R. All others are tier H.
    pub controls: Vec<String>,
    pub text: String,
}

#[derive(Debug, thiserror::Error)]
pub enum BadPrompt {
    #[error("{0}: no front matter between +++ lines")]
    NoFrontMatter(String),
    #[error("{0}: {1}")]
    Syntax(String, toml::de::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    step: String,
    controls: Vec<String>,
}

impl Prompt {
    pub fn parse(id: &str, text: &str) -> Result<Self, BadPrompt> {
        let parts = text
            .strip_prefix("+++\n")
            .and_then(|rest| rest.split_once("\n+++\n"));
        let (front, words) = parts.ok_or_else(|| BadPrompt::NoFrontMatter(id.to_owned()))?;
        let front: Front =
            toml::from_str(front).map_err(|error| BadPrompt::Syntax(id.to_owned(), error))?;
        Ok(Self {
            id: id.to_owned(),
            step: front.step,
            controls: front.controls,
            text: words.trim().to_owned(),
        })
    }
}

/// The six prompts of the silent arm, in order.
pub fn prompts() -> Result<Vec<Prompt>, BadPrompt> {
    folder("study/prompts")
}

/// The prompts in a folder of the study, in order.
pub(crate) fn folder(path: &str) -> Result<Vec<Prompt>, BadPrompt> {
    embedded::folder(path)
        .into_iter()
        .filter_map(|(name, file)| Some((name.strip_suffix(".md")?, file)))
        .map(|(id, file)| Prompt::parse(id, &String::from_utf8_lossy(file.bytes)))
        .collect()
}
