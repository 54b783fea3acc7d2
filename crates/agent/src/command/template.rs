//! How a study says that an agent is started: words with places to fill in. No shell reads them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::proxy::Vendor;

/// What every template's agent is called first: `command:opencode`.
pub(crate) const PREFIX: &str = "command:";

/// `[agent."command:NAME"]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub model: String,
    /// The command of the first prompt, and of each that follows it in the same conversation.
    pub first: Vec<String>,
    pub next: Vec<String>,
    /// Says the program's version.
    pub version: Vec<String>,
    pub speaks: Speaks,
    /// What is on its standard input: some command lines change a prompt that is a word. Nothing, where it is left out.
    pub stdin: Option<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// Which requests it sends to its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    ChatCompletions,
    Messages,
    Responses,
}

impl Speaks {
    pub fn vendor(self) -> Vendor {
        match self {
            Self::ChatCompletions => Vendor::OpenAiChat,
            Self::Messages => Vendor::Anthropic,
            Self::Responses => Vendor::OpenAi,
        }
    }
}

/// What a step fills in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) prompt: &'a str,
    pub(super) server: &'a str,
    pub(super) key: &'a str,
    pub(super) model: &'a str,
    pub(super) home: &'a str,
}

/// What may be filled in, and what of it a variable may hold.
const PLACES: [&str; 5] = ["prompt", "server", "key", "model", "home"];
/// Set for every agent: its box would not be what it is.
const OURS: [&str; 3] = ["HOME", "PATH", "TMPDIR"];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    #[error("`{0}` is no name: letters, digits, `-`, `_` and `.` after `command:`")]
    Name(String),
    #[error("there is no [agent.\"{0}\"]; it says how the agent is started (docs/real-agents.md)")]
    Missing(String),
    #[error("`{0}` is empty: it is a list of words, the program first")]
    Empty(&'static str),
    #[error(
        "`{in_what}` has {{{place}}}, which is nothing; there are {}. For these very words write {{{{{place}}}}}",
        known()
    )]
    Place { in_what: String, place: String },
    #[error(
        "`{0}` has no {{prompt}}: a word of it must be, or hold, the prompt; or `stdin = \"{{prompt}}\"`"
    )]
    NoPrompt(&'static str),
    #[error(
        "`{0}` has {{prompt}}, which is filled in only in the words of `first` and `next`, and in `stdin`"
    )]
    Prompt(String),
    #[error(
        "the program of `{0}` is `{1}`: a name to be found in PATH, or a whole path that begins with `/`"
    )]
    Program(&'static str, String),
    #[error(
        "`{0}` starts `{1}`, and `first` starts `{2}`: it must be the same program, whose hash and version are recorded"
    )]
    OtherProgram(&'static str, String, String),
    #[error("`{0}` cannot be a variable's name")]
    Variable(String),
    #[error("`{0}` is set for every agent, and cannot be set in `env`")]
    Ours(String),
    #[error("`model` is empty: it is the model's name, as its server knows it")]
    Model,
    #[error("nothing has {{server}}: without its address the agent cannot ask its model")]
    NoServer,
}

fn known() -> String {
    PLACES.map(|place| format!("{{{place}}}")).join(", ")
}

impl Template {
    /// The program, as the study names it.
    pub fn program(&self) -> &str {
        self.first.first().map_or("", String::as_str)
    }

    /// What can be seen without a look at the machine.
    pub(crate) fn check(&self) -> Result<(), BadTemplate> {
        let commands = [
            ("first", &self.first),
            ("next", &self.next),
            ("version", &self.version),
        ];
        for (name, words) in commands {
            let program = match words.first() {
                None => return Err(BadTemplate::Empty(name)),
                Some(program) if program.is_empty() => return Err(BadTemplate::Empty(name)),
                Some(program) => program,
            };
            let is_path = program.contains('/');
            if program.contains(['{', '\0']) || is_path && !program.starts_with('/') {
                return Err(BadTemplate::Program(name, program.clone()));
            }
            if program != self.program() {
                let first = self.program().to_owned();
                return Err(BadTemplate::OtherProgram(name, program.clone(), first));
            }
        }
        if self.model.trim().is_empty() {
            return Err(BadTemplate::Model);
        }
        let stdin = self.stdin.as_deref().unwrap_or_default();
        let is_heard = places("stdin", stdin)?.contains(&"prompt");
        for (name, words) in [("first", &self.first), ("next", &self.next)] {
            let mut has_prompt = is_heard;
            for word in words {
                has_prompt |= places(name, word)?.contains(&"prompt");
            }
            if !has_prompt {
                return Err(BadTemplate::NoPrompt(name));
            }
        }
        let variables = self.env.iter().map(|(name, text)| (name.as_str(), text));
        let version = self.version.iter().map(|word| ("version", word));
        for (name, text) in version.chain(variables.clone()) {
            if places(name, text)?.contains(&"prompt") {
                return Err(BadTemplate::Prompt(name.to_owned()));
            }
        }
        for (name, _) in variables {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(BadTemplate::Variable(name.to_owned()));
            }
            if OURS.contains(&name) {
                return Err(BadTemplate::Ours(name.to_owned()));
            }
        }
        for words in [&self.first, &self.next] {
            let mut all = words.iter().chain(self.env.values());
            if !all.any(|text| places("", text).is_ok_and(|found| found.contains(&"server"))) {
                return Err(BadTemplate::NoServer);
            }
        }
        Ok(())
    }
}

/// A piece of a text: itself, or a place in it.
enum Piece<'a> {
    Text(&'a str),
    Place(&'a str),
}

/// JSON has braces, too: only `{word}` is a place, and `{{word}}` is `{word}`.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        found.push(Piece::Text(before));
        let is_escaped = from.starts_with("{{");
        let (open, close) = if is_escaped { ("{{", "}}") } else { ("{", "}") };
        let inside = &from[open.len()..];
        let length = inside
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(inside.len());
        let word = &inside[..length];
        if length > 0 && inside[length..].starts_with(close) {
            let whole = &from[..open.len() + length + close.len()];
            found.push(if is_escaped {
                Piece::Text(&whole[1..whole.len() - 1])
            } else {
                Piece::Place(word)
            });
            rest = &from[whole.len()..];
        } else {
            found.push(Piece::Text(&from[..1]));
            rest = &from[1..];
        }
    }
    found.push(Piece::Text(rest));
    found
}

/// The places of a text, which must be known.
fn places<'a>(in_what: &str, text: &'a str) -> Result<Vec<&'a str>, BadTemplate> {
    let mut found = Vec::new();
    for piece in pieces(text) {
        if let Piece::Place(place) = piece {
            if !PLACES.contains(&place) {
                return Err(BadTemplate::Place {
                    in_what: in_what.to_owned(),
                    place: place.to_owned(),
                });
            }
            found.push(place);
        }
    }
    Ok(found)
}

/// What is filled in is not looked through again.
pub(super) fn fill(text: &str, values: &Values<'_>) -> String {
    let pieces = pieces(text).into_iter().map(|piece| match piece {
        Piece::Place("prompt") => values.prompt,
        Piece::Place("server") => values.server,
        Piece::Place("key") => values.key,
        Piece::Place("model") => values.model,
        Piece::Place("home") => values.home,
        Piece::Text(text) | Piece::Place(text) => text,
    });
    pieces.collect()
}

/// Whether the name of a template's agent can be part of a session's id and of its folder's name.
pub(crate) fn check_name(agent: &str) -> Result<(), BadTemplate> {
    let name = agent.strip_prefix(PREFIX).unwrap_or_default();
    let is_one = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_one) {
        return Err(BadTemplate::Name(agent.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        Template {
            model: "m1".into(),
            first: words("opencode run {prompt}"),
            next: words("opencode run --continue {prompt}"),
            version: words("opencode --version"),
            speaks: Speaks::ChatCompletions,
            stdin: None,
            env: [("CONFIG".to_owned(), "{\"url\":\"{server}/v1\"}".to_owned())].into(),
        }
    }

    fn values() -> Values<'static> {
        Values {
            prompt: "Do {model} \"it\" $(x)",
            server: "http://127.0.0.1:1",
            key: "dummy",
            model: "m1",
            home: "/cell/home",
        }
    }

    #[test]
    fn only_words_in_braces_are_places_and_what_is_filled_in_is_no_text_of_ours() {
        for (text, wanted) in [
            ("{prompt}", "Do {model} \"it\" $(x)"),
            ("a{model}b{home}", "am1b/cell/home"),
            (
                "{\"a\":{\"b\":\"{server}/v1\"}}",
                "{\"a\":{\"b\":\"http://127.0.0.1:1/v1\"}}",
            ),
            ("{env:KEY} {} { model } {", "{env:KEY} {} { model } {"),
            ("{{model}} {{\"a\"}}", "{model} {{\"a\"}}"),
            ("{{{model}}}", "{{model}}"),
            ("{\u{e9}}{model", "{\u{e9}}{model"),
            ("{key}", "dummy"),
        ] {
            assert_eq!(fill(text, &values()), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_the_way_out() {
        assert_eq!(template().check(), Ok(()));
        let mut heard = template();
        heard.next.pop();
        heard.stdin = Some("{prompt}".into());
        assert_eq!(heard.check(), Ok(()));
        let wrong = |change: fn(&mut Template)| {
            let mut one = template();
            change(&mut one);
            one.check().unwrap_err().to_string()
        };
        for (said, words) in [
            (
                wrong(|one| one.first[2] = "{promt}".into()),
                ["`first`", "{promt}", "{prompt}"],
            ),
            (
                wrong(|one| drop(one.env.insert("A".into(), "{nmae}".into()))),
                ["`A`", "{nmae}", "{{nmae}}"],
            ),
            (
                wrong(|one| one.stdin = Some("{promt}".into())),
                ["`stdin`", "{promt}", "{prompt}"],
            ),
            (
                wrong(|one| one.next[3] = "x".into()),
                ["`next`", "{prompt}", "no"],
            ),
            (
                wrong(|one| one.first.clear()),
                ["`first`", "empty", "program"],
            ),
            (
                wrong(|one| one.version = vec![String::new()]),
                ["`version`", "empty", "program"],
            ),
            (
                wrong(|one| one.next[0] = "other".into()),
                ["`next`", "other", "opencode"],
            ),
            (
                wrong(|one| one.first[0] = "./opencode".into()),
                ["`first`", "./opencode", "PATH"],
            ),
            (
                wrong(|one| one.first[0] = "{home}".into()),
                ["`first`", "{home}", "PATH"],
            ),
            (
                wrong(|one| drop(one.env.insert("A".into(), "{prompt}".into()))),
                ["`A`", "{prompt}", "`next`"],
            ),
            (
                wrong(|one| drop(one.env.insert("HOME".into(), "/x".into()))),
                ["HOME", "every", "env"],
            ),
            (
                wrong(|one| drop(one.env.insert("A=B".into(), String::new()))),
                ["A=B", "variable", "name"],
            ),
            (
                wrong(|one| one.env.clear()),
                ["{server}", "address", "model"],
            ),
            (wrong(|one| one.model.clear()), ["`model`", "empty", "name"]),
        ] {
            for word in words {
                assert!(said.contains(word), "{word}: {said}");
            }
        }
    }

    #[test]
    fn a_name_is_part_of_folders_names() {
        for good in ["command:opencode", "command:qwen-code_0.15"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in [
            "command:",
            "command:a/b",
            "command:..",
            "command:a@b",
            "command:a b",
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
