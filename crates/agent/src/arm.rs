//! An arm: what an agent is told besides, or instead of, the six silent prompts.

use serde::Deserialize;

use crate::{BadPrompt, Prompt, embedded, prompt};

/// The arm that every other is compared with.
pub const SILENT: &str = "silent";

/// `study/arms/<id>.toml` and the prompts in `study/arms/<id>/`, which stand in the place of the silent ones of the same name or
/// come after them.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    pub id: String,
    pub description: String,
    /// Whether nothing that it says may make an agent think of security.
    pub silent: bool,
    /// The exploits whose control its files name: tier R in this arm, as those that its prompts name.
    pub controls: Vec<String>,
    /// In the work tree before the first prompt.
    pub files: Vec<Words>,
    /// Controls that are asked for by their number.
    pub wanted: Vec<Wanted>,
    pub feedback: Option<Feedback>,
    pub prompts: Vec<Prompt>,
}

/// A file that an agent reads by itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub path: String,
    pub text: String,
}

/// Findings that the last prompt of an arm names, in the place of the line [`FINDINGS`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Exploits whose findings are not told: whether they are closed all the same shows what was understood.
    pub held_back: Vec<String>,
}

/// Where the findings stand in the prompt.
pub const FINDINGS: &str = "{findings}";

/// A control as it was asked for, and what in the decisions shows whether it was done.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// As it was asked for: `5 sign-ins a minute for a client address`.
    pub what: String,
    /// The prompt that first asks for it: `1-auth`.
    pub step: String,
    /// The matter whose decision tells.
    pub decision: String,
    /// Words that the choice must have, all of them.
    #[serde(default)]
    pub words: Vec<String>,
    pub number: Option<Number>,
}

/// A number of a decision.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    pub parameter: String,
    /// The parameter that it is divided by, as a count by its window.
    pub per: Option<String>,
    /// Wanted for so many of `per`: 5 for each 60 seconds.
    #[serde(default = "one")]
    pub each: f64,
    pub wanted: f64,
    pub better: Better,
}

fn one() -> f64 {
    1.0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    Lower,
    Higher,
}

#[derive(Debug, thiserror::Error)]
pub enum BadArm {
    #[error("there is no arm `{name}`; there are: {known}")]
    Unknown { name: String, known: String },
    #[error("study/arms/{0}.toml: {1}")]
    Syntax(String, toml::de::Error),
    #[error("study/arms/{0}.toml: {1}")]
    Wrong(String, String),
    #[error(transparent)]
    Prompt(#[from] BadPrompt),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    id: String,
    description: String,
    silent: bool,
    #[serde(default)]
    controls: Vec<String>,
    #[serde(default, rename = "file")]
    files: Vec<Words>,
    #[serde(default)]
    wanted: Vec<Wanted>,
    feedback: Option<Feedback>,
}

impl Arm {
    /// All arms' ids.
    pub fn ids() -> Vec<String> {
        embedded::folder("study/arms")
            .iter()
            .filter_map(|(name, _)| name.strip_suffix(".toml"))
            .map(str::to_owned)
            .collect()
    }

    pub fn find(id: &str) -> Result<Self, BadArm> {
        let unknown = || BadArm::Unknown {
            name: id.to_owned(),
            known: Self::ids().join(", "),
        };
        let file = embedded::file(&format!("study/arms/{id}.toml")).ok_or_else(unknown)?;
        let text = String::from_utf8_lossy(file.bytes);
        let text: Text =
            toml::from_str(&text).map_err(|error| BadArm::Syntax(id.to_owned(), error))?;
        if text.version != 1 || text.id != id {
            let why = format!("it is arm `{}` of version {}", text.id, text.version);
            return Err(BadArm::Wrong(id.to_owned(), why));
        }
        let mut prompts = prompt::folder("study/prompts")?;
        for own in prompt::folder(&format!("study/arms/{id}"))? {
            match prompts.iter_mut().find(|one| one.id == own.id) {
                Some(old) => *old = own,
                None => prompts.push(own),
            }
        }
        prompts.sort_by(|a, b| a.id.cmp(&b.id));
        let tells = prompts
            .last()
            .is_some_and(|last| last.text.contains(FINDINGS));
        if text.feedback.is_some() != tells {
            let why = format!("[feedback] and {FINDINGS} in the last prompt belong together");
            return Err(BadArm::Wrong(id.to_owned(), why));
        }
        Ok(Self {
            id: text.id,
            description: text.description,
            silent: text.silent,
            controls: text.controls,
            files: text.files,
            wanted: text.wanted,
            feedback: text.feedback,
            prompts,
        })
    }

    /// The arm of a session in the ledger. What is no arm of a study, as a check of an app, is told nothing but the prompts.
    pub fn of(session: &str) -> Result<Self, BadArm> {
        let known = Self::ids().iter().any(|id| id == session);
        Self::find(if known { session } else { SILENT })
    }

    /// Whether anything that this arm says names or implies the exploit's control: tier R.
    pub fn asks(&self, exploit: &str) -> bool {
        let prompts = self.prompts.iter().flat_map(|prompt| &prompt.controls);
        self.controls.iter().chain(prompts).any(|id| id == exploit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_can_be_read_and_has_the_six_steps_in_order() {
        let silent = Arm::find(SILENT).unwrap();
        assert!(silent.silent && silent.files.is_empty() && silent.prompts.len() == 6);
        for id in Arm::ids() {
            let arm = Arm::find(&id).unwrap();
            for (mine, theirs) in arm.prompts.iter().zip(&silent.prompts) {
                assert_eq!((&mine.id, &mine.step), (&theirs.id, &theirs.step), "{id}");
            }
            assert!((6..=7).contains(&arm.prompts.len()), "{id}");
        }
        let unknown = Arm::find("loud").unwrap_err().to_string();
        assert!(
            unknown.contains("loud") && unknown.contains("silent"),
            "{unknown}"
        );
    }

    #[test]
    fn the_placebo_is_as_long_and_of_the_same_form_as_the_checklist() {
        let words = |id: &str| Arm::find(id).unwrap().files;
        let (checklist, placebo) = (words("checklist"), words("placebo"));
        assert_eq!(checklist.len(), placebo.len());
        for (one, other) in checklist.iter().zip(&placebo) {
            assert_eq!(one.path, other.path);
            let form = |text: &str| -> Vec<char> {
                text.lines()
                    .map(|line| line.chars().next().unwrap_or(' '))
                    .collect()
            };
            let lines = |text: &str| form(text).len();
            assert_eq!(lines(&one.text), lines(&other.text));
            let marks = |text: &str| -> Vec<char> {
                form(text)
                    .into_iter()
                    .map(|c| if c.is_alphanumeric() { 'a' } else { c })
                    .collect()
            };
            assert_eq!(marks(&one.text), marks(&other.text));
            let (a, b) = (one.text.len() as f64, other.text.len() as f64);
            assert!((a / b - 1.0).abs() < 0.05, "{a} and {b} bytes");
        }
    }
}
