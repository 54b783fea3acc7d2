//! Variables that a tree wants beside the contract's: those of its example file, and secrets that its source names.

use std::path::Path;

use crate::tree::{read_text, source_files};

/// Other names for the contract's variables: they get its values, and go when it goes.
const NAMES: [(&str, &[&str]); 4] = [
    ("JWT_SECRET", SECRETS),
    ("WEBHOOK_SECRET", WEBHOOKS),
    ("ADMIN_EMAIL", EMAILS),
    ("ADMIN_PASSWORD", PASSWORDS),
];
/// What signs tokens or sessions.
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
const WEBHOOKS: &[&str] = &[
    "WEBHOOK_SIGNING_SECRET",
    "WEBHOOK_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_ENDPOINT_SECRET",
    "STRIPE_SIGNING_SECRET",
    "GITHUB_WEBHOOK_SECRET",
    "SVIX_SECRET",
    "SVIX_WEBHOOK_SECRET",
    "CLERK_WEBHOOK_SECRET",
    "CLERK_WEBHOOK_SIGNING_SECRET",
    "RESEND_WEBHOOK_SECRET",
    "PAYMENT_WEBHOOK_SECRET",
];
const EMAILS: &[&str] = &[
    "FIRST_SUPERUSER",
    "SUPERUSER_EMAIL",
    "DJANGO_SUPERUSER_EMAIL",
    "INITIAL_ADMIN_EMAIL",
    "DEFAULT_ADMIN_EMAIL",
];
const PASSWORDS: &[&str] = &[
    "FIRST_SUPERUSER_PASSWORD",
    "SUPERUSER_PASSWORD",
    "DJANGO_SUPERUSER_PASSWORD",
    "INITIAL_ADMIN_PASSWORD",
    "DEFAULT_ADMIN_PASSWORD",
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
/// One variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The contract's variable with which it is left out.
    pub(crate) with: Option<&'static str>,
}

/// What the tree wants. `set` are the contract's variables, `known` the names that are set anyway.
pub(crate) fn wanted(
    tree: &Path,
    set: &[(&str, &str)],
    database: &Path,
    known: &[&str],
) -> Vec<Variable> {
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
    for (of, names) in NAMES {
        let Some((_, value)) = set.iter().find(|(name, _)| *name == of) else {
            continue;
        };
        for name in names {
            // Pydantic's settings are fields in lower case.
            let field = name.to_lowercase();
            if [&source, &text].iter().any(|text| names_it(text, name)) || names_it(&source, &field)
            {
                add(name, (*value).to_owned(), Some(of));
            }
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

/// Whether a text has the name, and not only as a part of a longer one.
fn names_it(text: &str, name: &str) -> bool {
    let part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = text.as_bytes();
    text.match_indices(name).any(|(at, _)| {
        !part(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !part(bytes.get(at + name.len()))
    })
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
            "session({ secret: process.env.SESSION_SECRET }); hook(process.env.STRIPE_WEBHOOK_SECRET, MY_SVIX_SECRET)",
        )
        .unwrap();
        let fields = "class Settings(BaseSettings):\n    auth_secret: str\n";
        std::fs::write(folder.path().join("settings.py"), fields).unwrap();
        let set = [("JWT_SECRET", "s3"), ("WEBHOOK_SECRET", "w4")];
        let found = wanted(folder.path(), &set, Path::new("/data/app.db"), &["PORT"]);
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.name.as_str(), one.value.as_str(), one.with))
            .collect();
        assert_eq!(
            shown,
            [
                ("SECRET_KEY", "s3", Some("JWT_SECRET")),
                ("AUTH_SECRET", "s3", Some("JWT_SECRET")),
                ("SESSION_SECRET", "s3", Some("JWT_SECRET")),
                ("STRIPE_WEBHOOK_SECRET", "w4", Some("WEBHOOK_SECRET")),
                ("DATABASE_URL", "sqlite+aiosqlite:////data/app.db", None),
                ("MODE", "fast", None),
            ]
        );
    }
}
