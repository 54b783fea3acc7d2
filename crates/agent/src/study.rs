//! A study: which agents build on which frameworks, under which arms, how often.

use serde::Deserialize;

use crate::{embedded, recorded};

/// A study file, `version = 1`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    pub version: u32,
    pub agents: Vec<String>,
    pub frameworks: Vec<String>,
    pub arms: Vec<String>,
    pub replicates: u32,
}

/// One session of a study, before it has been run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub agent: String,
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
    #[error("`{0}` must not be empty")]
    Empty(&'static str),
    #[error("`replicates` must be from 1 to 1000, not {0}")]
    Replicates(u32),
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
        let arms = folder_names("study/arms");
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
            let known: Vec<String> = recorded::names(framework)
                .iter()
                .map(|name| format!("recorded:{name}"))
                .collect();
            for agent in &study.agents {
                if !known.contains(agent) {
                    return Err(unknown("the agent", agent, known));
                }
            }
        }
        Ok(study)
    }

    /// Every session, frameworks first.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for framework in &self.frameworks {
            for arm in &self.arms {
                for agent in &self.agents {
                    for replicate in 1..=self.replicates {
                        cells.push(Cell {
                            agent: agent.clone(),
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
    fn the_prompts_name_25_controls() {
        let prompts = crate::prompts().unwrap();
        assert_eq!(prompts.len(), 6);
        let mut controls: Vec<_> = prompts.iter().flat_map(|prompt| &prompt.controls).collect();
        controls.sort();
        controls.dedup();
        assert_eq!(controls.len(), 25);
    }
}
