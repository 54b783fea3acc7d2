//! Remedies: what closes a hole, why it matters, and how it is written in each framework. Exploits that one remedy closes
//! are one finding.
//!
//! A remedy is a file of `remedy/` whose name is its id: a title, the exploits, what is wanted, why, and a section for
//! each framework. Its words may reach a coding agent, so they name the control and never the attack.

use std::sync::LazyLock;

/// One file of `remedy/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    pub id: &'static str,
    /// What is wrong where the remedy is missing; for several exploits at once.
    pub title: &'static str,
    pub exploits: Vec<&'static str>,
    /// Choices of its decisions that are no part of the problem.
    pub sound: Vec<&'static str>,
    /// The control, as an acceptance criterion.
    pub wanted: &'static str,
    pub why: String,
    /// Frameworks and the Markdown of their section.
    pub idioms: Vec<(Vec<&'static str>, &'static str)>,
}

/// In the order in which they are listed: as the prompts ask, then what nobody asks for.
const FILES: [(&str, &str); 25] = files!["remedy/":
    "bound-parameters-login",
    "route-authentication",
    "token-verification",
    "unique-email",
    "server-side-role",
    "upload-naming",
    "upload-size",
    "upload-type",
    "file-ownership",
    "bound-parameters-search",
    "note-ownership",
    "admin-authorisation",
    "webhook-verification",
    "webhook-once",
    "cors-origins",
    "password-hash",
    "login-throttling",
    "password-policy",
    "login-answer",
    "upload-serving",
    "security-headers",
    "production-surface",
    "required-secrets",
    "input-checks",
    "production-mode",
];

/// Words that can end a session of a coding agent, or teach it what it need not know.
pub const NOT_FOR_AGENTS: [&str; 14] = [
    "attack",
    "exploit",
    "inject",
    "payload",
    "malicious",
    "hack",
    "steal",
    "union select",
    "vulnerab",
    "bypass",
    "brute",
    "forge",
    "compromise",
    "1=1",
];

/// Whether a text may be handed to a coding agent.
pub fn fits_agents(text: &str) -> bool {
    let text = text.to_lowercase();
    NOT_FOR_AGENTS.iter().all(|word| !text.contains(word))
}

static ALL: LazyLock<Vec<Remedy>> =
    LazyLock::new(|| FILES.iter().map(|(id, text)| parse(id, text)).collect());

/// All remedies.
pub fn all() -> &'static [Remedy] {
    &ALL
}

/// The remedy with this id.
pub fn find(id: &str) -> Option<&'static Remedy> {
    ALL.iter().find(|one| one.id == id)
}

/// The remedy that closes what this exploit finds.
pub fn of(exploit: &str) -> Option<&'static Remedy> {
    ALL.iter().find(|one| one.exploits.contains(&exploit))
}

impl Remedy {
    /// The section for a framework.
    pub fn idiom(&self, framework: &str) -> Option<&'static str> {
        let of_it = self
            .idioms
            .iter()
            .find(|(names, _)| names.contains(&framework));
        of_it.map(|(_, text)| *text)
    }
}

fn parse(id: &'static str, text: &'static str) -> Remedy {
    let mut sections = text.split("\n## ");
    let head = sections.next().unwrap_or_default();
    let mut remedy = Remedy {
        id,
        title: "",
        exploits: Vec::new(),
        sound: Vec::new(),
        wanted: "",
        why: String::new(),
        idioms: Vec::new(),
    };
    let list = |text: &'static str| text.split(", ").map(str::trim).collect::<Vec<_>>();
    for line in head.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            remedy.title = title;
        } else if let Some(ids) = line.strip_prefix("exploits: ") {
            remedy.exploits = list(ids);
        } else if let Some(choices) = line.strip_prefix("sound: ") {
            remedy.sound = list(choices);
        } else if let Some(wanted) = line.strip_prefix("wanted: ") {
            remedy.wanted = wanted;
        } else if !line.is_empty() {
            if !remedy.why.is_empty() {
                remedy.why.push(' ');
            }
            remedy.why.push_str(line);
        }
    }
    for section in sections {
        if let Some((names, body)) = section.split_once('\n') {
            remedy.idioms.push((list(names), body.trim()));
        }
    }
    remedy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_whole_and_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/remedy");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        let mut listed: Vec<String> = all().iter().map(|one| format!("{}.md", one.id)).collect();
        listed.sort_unstable();
        assert_eq!(names, listed);
        let mut exploits: Vec<&str> = all().iter().flat_map(|one| one.exploits.clone()).collect();
        // The study's 33, and two of the depth suite.
        assert_eq!(exploits.len(), 35);
        exploits.sort_unstable();
        exploits.dedup();
        assert_eq!(exploits.len(), 35, "an exploit has two remedies");
        for one in all() {
            assert!(!one.title.is_empty() && one.wanted.len() > 40, "{}", one.id);
            assert!(
                one.why.len() > 40 && !one.why.contains("wanted:"),
                "{}",
                one.id
            );
            for framework in ["fastapi", "flask", "express", "nextjs", "axum"] {
                let idiom = one.idiom(framework);
                let idiom = idiom.unwrap_or_else(|| panic!("{}: nothing for {framework}", one.id));
                assert!(
                    idiom.starts_with("```") && idiom.ends_with("```"),
                    "{}",
                    one.id
                );
            }
        }
    }

    #[test]
    fn what_reaches_an_agent_names_controls_and_no_attacks() {
        for one in all() {
            let mut text = format!("{} {}", one.id, one.wanted).to_lowercase();
            for (_, idiom) in &one.idioms {
                text.push_str(&idiom.to_lowercase());
            }
            for word in NOT_FOR_AGENTS {
                assert!(!text.contains(word), "{}: {word}", one.id);
            }
            assert!(fits_agents(&text) && !fits_agents(&format!("{text} ATTACK")));
        }
    }
}
