//! A study: which agents build on which frameworks, under which arms, how often.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::command::template::{PREFIX, check_name};
use crate::proxy::Vendor;
use crate::{Arm, BadTemplate, Template, cli, embedded, recorded};

/// A study file, `version = 1`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    pub version: u32,
    pub agents: Vec<String>,
    pub frameworks: Vec<String>,
    pub arms: Vec<String>,
    pub replicates: u32,
    /// Versions and models, by the agent's id; what is left out is as `unrequested list` says.
    #[serde(default, deserialize_with = "choices")]
    pub agent: BTreeMap<String, Choice>,
    #[serde(default)]
    pub budget: Budget,
}

/// Which of its versions and models an agent is driven with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Choice {
    pub version: Option<String>,
    pub model: Option<String>,
    /// How an agent is started that has no other description.
    #[serde(skip)]
    pub template: Option<Template>,
}

/// `[agent.ID]`, or `[agent."command:NAME"]`, which has other keys.
fn choices<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Choice>, D::Error> {
    struct Choices;

    impl<'de> Visitor<'de> for Choices {
        type Value = BTreeMap<String, Choice>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table for each agent")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while let Some(agent) = map.next_key::<String>()? {
                let choice = if agent.starts_with(PREFIX) {
                    let template: Template = map.next_value()?;
                    Choice {
                        version: None,
                        model: Some(template.model.clone()),
                        template: Some(template),
                    }
                } else {
                    map.next_value()?
                };
                found.insert(agent, choice);
            }
            Ok(found)
        }
    }

    from.deserialize_map(Choices)
}

/// What an agent may take, the same for every agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    pub step_seconds: u64,
    pub session_seconds: u64,
    /// Without a word of the agent, its commands or its model.
    pub quiet_seconds: u64,
    /// How often a step is run when what surrounds the agent is at fault.
    pub attempts: u32,
    pub pause_seconds: u64,
    /// At list prices. Once a session has cost so much no further request of it passes; what is under way goes on.
    pub session_dollars: Option<u32>,
    /// The same for one attempt at a step; the next step goes on.
    pub step_dollars: Option<u32>,
    /// Read, from caches as well, and written, as the vendor counts them.
    pub session_tokens: Option<u64>,
    pub step_tokens: Option<u64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            step_seconds: 3600,
            session_seconds: 4 * 3600,
            quiet_seconds: 900,
            attempts: 3,
            pause_seconds: 60,
            session_dollars: None,
            step_dollars: None,
            session_tokens: None,
            step_tokens: None,
        }
    }
}

impl Budget {
    pub fn step(&self) -> Duration {
        Duration::from_secs(self.step_seconds)
    }

    pub fn session(&self) -> Duration {
        Duration::from_secs(self.session_seconds)
    }

    pub fn quiet(&self) -> Duration {
        Duration::from_secs(self.quiet_seconds)
    }

    pub fn pause(&self) -> Duration {
        Duration::from_secs(self.pause_seconds)
    }
}

/// A real agent, as it is driven in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driven {
    pub cli: String,
    /// Empty for an agent by template, until its program was asked.
    pub version: String,
    pub model: String,
    pub template: Option<Template>,
}

impl Driven {
    /// Whose interface it speaks to its model; `None` for an agent that is not known.
    pub fn vendor(&self) -> Option<Vendor> {
        match &self.template {
            Some(template) => Some(template.speaks.vendor()),
            None => cli::find(&self.cli).map(|cli| cli.vendor),
        }
    }
}

/// One session of a study, before it has been run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// `recorded:hardened`, `claude-code@2.1.330`; `command:opencode` without its version until its program was asked.
    pub agent: String,
    /// `None` for a sample.
    pub driven: Option<Driven>,
    pub framework: String,
    pub arm: String,
    pub replicate: u32,
}

impl Cell {
    /// `fastapi/recorded:hardened/silent/1`.
    pub fn id(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.framework, self.agent, self.arm, self.replicate
        )
    }

    /// The sample's name, for the agent `recorded`.
    pub fn recording(&self) -> Option<&str> {
        self.agent.strip_prefix("recorded:")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BadStudy {
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    #[error("`version = {0}` is not known; this tool reads version 1")]
    Version(u32),
    #[error("{what} `{name}` is not known; known: {known}")]
    Unknown {
        what: &'static str,
        name: String,
        known: String,
    },
    #[error("the sample {sample} was not written for the arm `{arm}`; it was for: {known}")]
    NotRecorded {
        sample: String,
        arm: String,
        known: String,
    },
    #[error("`{0}` must not be empty")]
    Empty(&'static str),
    #[error("`replicates` must be from 1 to 1000, not {0}")]
    Replicates(u32),
    #[error("[agent.{0}] is about an agent that the study does not name in `agents`")]
    Unused(String),
    #[error("[agent.\"{0}\"]: {1}")]
    Template(String, BadTemplate),
    #[error("[budget] `{0}` must be more than zero")]
    Budget(&'static str),
}

impl Study {
    /// The embedded default: the shipped sample sessions.
    pub fn default_text() -> &'static str {
        embedded::file("study/default.toml")
            .and_then(|file| std::str::from_utf8(file.bytes).ok())
            .unwrap_or_default()
    }

    /// Reads a study and checks every name in it.
    pub fn parse(text: &str) -> Result<Self, BadStudy> {
        let study: Self = toml::from_str(text)?;
        if study.version != 1 {
            return Err(BadStudy::Version(study.version));
        }
        for (name, list) in [
            ("agents", &study.agents),
            ("frameworks", &study.frameworks),
            ("arms", &study.arms),
        ] {
            if list.is_empty() {
                return Err(BadStudy::Empty(name));
            }
        }
        if !(1..=1000).contains(&study.replicates) {
            return Err(BadStudy::Replicates(study.replicates));
        }
        let unknown = |what, name: &str, known: Vec<String>| BadStudy::Unknown {
            what,
            name: name.to_owned(),
            known: known.join(", "),
        };
        let arms = Arm::ids();
        for arm in &study.arms {
            if !arms.contains(arm) {
                return Err(unknown("the arm", arm, arms));
            }
        }
        let frameworks = folder_names("study/starters");
        for framework in &study.frameworks {
            if !frameworks.contains(framework) {
                return Err(unknown("the framework", framework, frameworks));
            }
            let drivable = cli::ALL.iter().map(|cli| cli.id.to_owned());
            let known: Vec<String> = recorded::names(framework)
                .iter()
                .map(|name| format!("recorded:{name}"))
                .chain(drivable)
                .chain([format!("{PREFIX}NAME")])
                .collect();
            for agent in &study.agents {
                if agent.starts_with(PREFIX) {
                    continue;
                }
                if !known.contains(agent) {
                    return Err(unknown("the agent", agent, known));
                }
                if let Some(sample) = agent.strip_prefix("recorded:") {
                    let known = recorded::arms(framework, sample);
                    if let Some(arm) = study.arms.iter().find(|arm| !known.contains(arm)) {
                        return Err(BadStudy::NotRecorded {
                            sample: format!("{framework}/{sample}"),
                            arm: arm.clone(),
                            known: known.join(", "),
                        });
                    }
                }
            }
        }
        for agent in study.agents.iter().filter(|id| id.starts_with(PREFIX)) {
            check_name(agent)
                .and_then(|()| {
                    let choice = study.agent.get(agent);
                    let template = choice.and_then(|choice| choice.template.as_ref());
                    template
                        .ok_or_else(|| BadTemplate::Missing(agent.clone()))?
                        .check()
                })
                .map_err(|error| BadStudy::Template(agent.clone(), error))?;
        }
        for agent in study.agent.keys() {
            if !study.agents.contains(agent) {
                return Err(BadStudy::Unused(agent.clone()));
            }
        }
        let budget = study.budget;
        for (name, value) in [
            ("step_seconds", budget.step_seconds),
            ("session_seconds", budget.session_seconds),
            ("quiet_seconds", budget.quiet_seconds),
            ("attempts", u64::from(budget.attempts)),
            (
                "session_dollars",
                budget.session_dollars.map_or(1, u64::from),
            ),
            ("step_dollars", budget.step_dollars.map_or(1, u64::from)),
            ("session_tokens", budget.session_tokens.unwrap_or(1)),
            ("step_tokens", budget.step_tokens.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(BadStudy::Budget(name));
            }
        }
        Ok(study)
    }

    /// How an agent of the study is driven; `None` for a sample.
    fn driven(&self, agent: &str) -> Option<Driven> {
        let cli = cli::find(agent)?;
        let choice = self.agent.get(agent).cloned().unwrap_or_default();
        Some(Driven {
            cli: match &choice.template {
                Some(_) => agent.to_owned(),
                None => cli.id.to_owned(),
            },
            template: choice.template,
            version: choice.version.unwrap_or_else(|| cli.version.to_owned()),
            model: choice.model.unwrap_or_else(|| cli.model.to_owned()),
        })
    }

    /// Every session, frameworks first.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for framework in &self.frameworks {
            for arm in &self.arms {
                for agent in &self.agents {
                    let driven = self.driven(agent);
                    let name = driven.as_ref().map_or_else(
                        || agent.clone(),
                        |driven| match driven.template {
                            Some(_) => driven.cli.clone(),
                            None => format!("{}@{}", driven.cli, driven.version),
                        },
                    );
                    for replicate in 1..=self.replicates {
                        cells.push(Cell {
                            agent: name.clone(),
                            driven: driven.clone(),
                            framework: framework.clone(),
                            arm: arm.clone(),
                            replicate,
                        });
                    }
                }
            }
        }
        cells
    }
}

/// The first folder or file stem of each path below a folder.
fn folder_names(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = embedded::folder(folder)
        .iter()
        .map(|(path, _)| {
            path.split('/')
                .next()
                .unwrap_or(path)
                .trim_end_matches(".toml")
                .to_owned()
        })
        .collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_study_is_four_samples_per_framework() {
        let study = Study::parse(Study::default_text()).unwrap();
        assert_eq!(study.cells().len(), 4 * study.frameworks.len());
        for cell in study.cells() {
            assert_eq!(
                recorded::steps(&cell.framework, cell.recording().unwrap()).len(),
                6,
                "{}",
                cell.id()
            );
        }
    }

    #[test]
    fn a_typo_is_named_with_what_is_known() {
        let text = Study::default_text();
        let typo = Study::parse(&text.replace("recorded:hardened", "recorded:hardend"))
            .unwrap_err()
            .to_string();
        assert!(
            typo.contains("hardend") && typo.contains("recorded:hardened"),
            "{typo}"
        );
        let typo = Study::parse(&text.replace("replicates", "replicats"))
            .unwrap_err()
            .to_string();
        assert!(typo.contains("replicats"), "{typo}");
        assert!(Study::parse(&text.replace("version = 1", "version = 2")).is_err());
    }

    #[test]
    fn a_real_agent_has_a_version_and_a_model() {
        let text = "version = 1\nagents = [\"codex\", \"claude-code\"]\nframeworks = [\"fastapi\"]\narms = [\"silent\"]\nreplicates = 2\n";
        let more = "[agent.claude-code]\nmodel = \"m\"\n[budget]\nstep_seconds = 9\n";
        let study = Study::parse(&format!("{text}{more}")).unwrap();
        let cells = study.cells();
        assert_eq!(cells.len(), 4);
        assert_eq!(cells[2].id(), "fastapi/claude-code@2.1.330/silent/1");
        assert_eq!(cells[2].driven.as_ref().unwrap().model, "m");
        assert_eq!(
            study.budget,
            Budget {
                step_seconds: 9,
                ..Budget::default()
            }
        );
        let wrong = |more: &str| {
            Study::parse(&format!("{text}{more}"))
                .unwrap_err()
                .to_string()
        };
        assert!(wrong("[agent.codx]\n").contains("codx"));
        assert!(wrong("[agent.codex]\nmodle = \"m\"\n").contains("modle"));
        assert!(wrong("[budget]\nattempts = 0\n").contains("attempts"));
        assert!(wrong("[budget]\nstep_tokens = 0\n").contains("step_tokens"));
    }

    #[test]
    fn an_agent_by_template_is_one_and_a_wrong_template_is_named() {
        let text = "version = 1\nagents = [\"command:mine\"]\nframeworks = [\"fastapi\"]\narms = [\"silent\"]\nreplicates = 1\n";
        let agent = "[agent.\"command:mine\"]\nmodel = \"m1\"\nfirst = [\"mine\", \"{server}\", \"{prompt}\"]\n\
                     next = [\"mine\", \"{server}\", \"-c\", \"{prompt}\"]\nversion = [\"mine\", \"-v\"]\nspeaks = \"chat-completions\"\n";
        let study = Study::parse(&format!(
            "{text}{agent}[agent.\"command:mine\".env]\nA = \"{{key}}\"\n"
        ));
        let cells = study.unwrap().cells();
        assert_eq!(cells[0].id(), "fastapi/command:mine/silent/1");
        let driven = cells[0].driven.as_ref().unwrap();
        assert_eq!(driven.vendor(), Some(Vendor::OpenAiChat));
        assert_eq!(
            (driven.cli.as_str(), driven.model.as_str()),
            ("command:mine", "m1")
        );
        let wrong = |agent: &str| {
            let said = Study::parse(&format!("{text}{agent}")).unwrap_err();
            said.to_string()
        };
        for (change, to, words) in [
            ("{prompt}", "{promt}", ["command:mine", "{promt}"]),
            ("speaks", "speeks", ["speeks", "`speaks`"]),
            ("chat-completions", "gemini", ["gemini", "`messages`"]),
            ("next = ", "#", ["next", "missing"]),
            ("[\"mine\", \"-v\"]", "\"1.2\"", ["version", "sequence"]),
            (
                "[agent.\"command:mine\"]",
                "[agent.\"command:yours\"]",
                ["command:mine", "docs/real-agents.md"],
            ),
        ] {
            let said = wrong(&agent.replace(change, to));
            for word in words {
                assert!(said.contains(word), "{word}: {said}");
            }
        }
        let both = agent.replace("command:mine", "command:yours");
        assert!(wrong(&format!("{agent}{both}")).contains("command:yours"));
        let slash = text.replace("command:mine", "command:a/b");
        assert!(
            Study::parse(&slash)
                .unwrap_err()
                .to_string()
                .contains("command:a/b")
        );
    }

    #[test]
    fn the_prompts_name_25_controls() {
        let prompts = crate::prompts().unwrap();
        assert_eq!(prompts.len(), 6);
        let mut controls: Vec<_> = prompts.iter().flat_map(|prompt| &prompt.controls).collect();
        controls.sort();
        controls.dedup();
        assert_eq!(controls.len(), 25);
    }
}
