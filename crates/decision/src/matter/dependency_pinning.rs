//! Whether an install tomorrow brings the packages of today.
//!
//! ## What is read
//! The manifest and whether a lock file lies beside it.
//!
//! ## Does not see
//! Whether the install command honours the lock file.

use model::decision::{Confidence, Origin, Span};

use crate::index::Index;
use crate::manifest::Packages;
use crate::matter::{Found, Matter, Outcome};
use crate::tree::Lang;

pub(crate) static MATTER: Matter = Matter {
    title: "dependency pinning",
    exploits: &[],
    words: &["pin dependenc", "pinned version", "lock file", "lockfile"],
    read,
};

fn read(index: &Index) -> Outcome {
    let manifests = &index.project.manifests;
    let used: Vec<(Lang, &Packages)> = [Lang::Python, Lang::Script, Lang::Rust]
        .into_iter()
        .map(|lang| (lang, manifests.of(lang)))
        .filter(|(_, one)| !one.direct.is_empty())
        .collect();
    let is_loose =
        |(lang, one): &(Lang, &Packages)| !one.direct.values().all(|asked| is_exact(*lang, asked));
    let exact = !used.iter().any(is_loose);
    let locked = used.iter().all(|(_, one)| one.locked.is_some());
    let bare = used.iter().any(|(_, one)| {
        one.direct
            .values()
            .any(|asked| matches!(asked.as_str(), "" | "*" | "latest"))
    });
    let (choice, below) = match (exact, locked, bare) {
        (true, true, _) => ("exact, with lock file", None),
        (true, false, _) => ("exact", None),
        (false, true, _) => ("lock file", None),
        (false, false, false) => (
            "ranges",
            Some("an install may bring other packages than were tried"),
        ),
        (false, false, true) => ("unpinned", Some("an install brings whatever is newest")),
    };
    // The manifest that decides: the first that leaves something open.
    let Some(first) = used.first().copied() else {
        return Outcome::NoPlace;
    };
    let open = |one: &&(Lang, &Packages)| is_loose(one) && one.1.locked.is_none();
    let (lang, _) = used.iter().find(open).copied().unwrap_or(first);
    let place = index
        .project
        .others
        .iter()
        .filter(|(path, _)| {
            let name = path.rsplit('/').next().unwrap_or(path);
            match lang {
                Lang::Python => matches!(name, "requirements.txt" | "pyproject.toml"),
                Lang::Script => name == "package.json",
                Lang::Rust => name == "Cargo.toml",
            }
        })
        .min_by_key(|(path, _)| path.matches('/').count());
    let Some((file, text)) = place else {
        return Outcome::NoPlace;
    };
    Outcome::Found(vec![Found {
        choice: choice.to_owned(),
        origin: Origin::HandWritten,
        parameters: Vec::new(),
        below: below.map(str::to_owned),
        confidence: Confidence::High,
        spans: vec![Span {
            file: file.clone(),
            line: 1,
            column: 1,
            end_line: 1,
            text: text
                .lines()
                .next()
                .unwrap_or_default()
                .trim()
                .chars()
                .take(160)
                .collect(),
        }],
        own: std::collections::BTreeSet::new(),
        notes: Vec::new(),
    }])
}

/// `==1.2.3` in Python, `1.2.3` in JavaScript, `=1.2.3` in Rust.
fn is_exact(lang: Lang, asked: &str) -> bool {
    let is_version = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit())
            && !text.contains(['*', '^', '~', '<', '>', ',', '|', ' '])
            && !text.split('.').any(|part| part == "x")
    };
    let plain = asked.trim_start_matches('=');
    match lang {
        Lang::Python if asked.starts_with("==") => is_version(plain),
        Lang::Rust if !asked.starts_with('=') => false,
        Lang::Python | Lang::Script | Lang::Rust => {
            is_version(plain) && plain.matches('.').count() >= 2
        }
    }
}
