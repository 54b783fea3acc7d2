//! Variables that a tree wants beside the contract's: those of its example file, and secrets that its source names.

use std::path::Path;

use crate::tree::{read_text, source_files};

/// Other names for the secret that signs tokens or sessions: they get the contract's value, and go when it goes.
const SECRETS: &[&str] = &[
    "SECRET_KEY",
    "JWT_SECRET_KEY",
    "AUTH_SECRET",
    "SESSION_SECRET",
    "TOKEN_SECRET",
    "APP_SECRET",
    "ACCESS_TOKEN_SECRET",
    "COOKIE_SECRET",
    "NEXTAUTH_SECRET",
    "FLASK_SECRET_KEY",
    "DJANGO_SECRET_KEY",
    "JWT_KEY",
    "APP_SECRET_KEY",
];
const EXAMPLES: &[&str] = &[
    ".env.example",
    ".env.sample",
    ".env.template",
    "env.example",
];
/// Switches of the mode. What an example sets them to is for the developer's machine, and the app is tested as in production: then
/// its own default counts.
const MODES: &[&str] = &[
    "NODE_ENV",
    "APP_ENV",
    "FLASK_ENV",
    "DJANGO_ENV",
    "PYTHON_ENV",
    "ENV",
    "ENVIRONMENT",
    "DEBUG",
    "APP_DEBUG",
    "FLASK_DEBUG",
    "DJANGO_DEBUG",
];
const SIGNS: &str = "JWT_SECRET";

/// One variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The contract's variable with which it is left out.
    pub(crate) with: Option<&'static str>,
}

/// What the tree wants. `known` are the names that are set anyway.
pub(crate) fn wanted(tree: &Path, secret: &str, database: &Path, known: &[&str]) -> Vec<Variable> {
    let mut all: Vec<Variable> = Vec::new();
    let mut add = |name: &str, value: String, with| {
        if !known.contains(&name) && !all.iter().any(|one| one.name == name) {
            all.push(Variable {
                name: name.to_owned(),
                value,
                with,
            });
        }
    };
    let text = EXAMPLES
        .iter()
        .find_map(|name| read_text(tree, name))
        .unwrap_or_default();
    let source = source(tree);
    for name in SECRETS {
        if source.contains(name) || text.contains(name) {
            add(name, secret.to_owned(), Some(SIGNS));
        }
    }
    for line in text.lines() {
        let line = line.trim().trim_start_matches("export ");
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let name = name.trim();
        let plain = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain || MODES.contains(&name) {
            continue;
        }
        let value = value.trim().trim_matches(['"', '\'']);
        if value.starts_with("sqlite")
            || name == "DATABASE_URL" && (value.starts_with("file:") || value.is_empty())
        {
            let scheme = value
                .split("://")
                .next()
                .filter(|scheme| scheme.starts_with("sqlite"));
            let place = database.display();
            let url = match scheme {
                Some(scheme) => format!("{scheme}:///{place}"),
                None if value.starts_with("file:") => format!("file:{place}"),
                None => format!("sqlite:///{place}"),
            };
            add(name, url, None);
        } else if !value.is_empty() {
            add(name, value.to_owned(), None);
        }
    }
    all
}

/// All source as one text; large files left out.
fn source(tree: &Path) -> String {
    let mut all = String::new();
    for path in source_files(tree).unwrap_or_default() {
        let ends = ["py", "js", "ts", "mjs", "cjs", "tsx", "rs"];
        let is_source = path
            .extension()
            .is_some_and(|end| ends.iter().any(|one| end == *one));
        if is_source
            && path.metadata().is_ok_and(|meta| meta.len() < 1 << 20)
            && all.len() < 32 << 20
        {
            all.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_file_names_what_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let example = "# settings\nSECRET_KEY=change-me\nDATABASE_URL=sqlite+aiosqlite:///./dev.db\nMODE='fast'\nPORT=1\nEMPTY=\nDEBUG=True\nexport NODE_ENV=development\n";
        std::fs::write(folder.path().join(".env.example"), example).unwrap();
        std::fs::write(
            folder.path().join("a.js"),
            "session({ secret: process.env.SESSION_SECRET })",
        )
        .unwrap();
        let found = wanted(folder.path(), "s3", Path::new("/data/app.db"), &["PORT"]);
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.name.as_str(), one.value.as_str(), one.with))
            .collect();
        assert_eq!(
            shown,
            [
                ("SECRET_KEY", "s3", Some("JWT_SECRET")),
                ("SESSION_SECRET", "s3", Some("JWT_SECRET")),
                ("DATABASE_URL", "sqlite+aiosqlite:////data/app.db", None),
                ("MODE", "fast", None),
            ]
        );
    }
}
