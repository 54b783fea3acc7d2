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

pub(crate) static MATTER: Matter = Matter {
    title: "dependency pinning",
    exploits: &[],
    words: &["pin dependenc", "pinned version", "lock file", "lockfile"],
    read,
};

fn read(index: &Index) -> Outcome {
    let manifests = &index.project.manifests;
    let used: Vec<&Packages> = [&manifests.python, &manifests.script, &manifests.rust]
        .into_iter()
        .filter(|one| !one.direct.is_empty())
        .collect();
    if used.is_empty() {
        return Outcome::NoPlace;
    }
    let exact = used.iter().all(|one| one.direct.values().all(|asked| is_exact(asked)));
    let locked = used.iter().all(|one| one.locked.is_some());
    let bare = used.iter().any(|one| one.direct.values().any(|asked| matches!(asked.as_str(), "" | "*" | "latest")));
    let (choice, below) = match (exact, locked, bare) {
        (true, true, _) => ("exact, with lock file", None),
        (true, false, _) => ("exact", None),
        (false, true, _) => ("lock file", None),
        (false, false, false) => ("ranges", Some("an install may bring other packages than were tried")),
        (false, false, true) => ("unpinned", Some("an install brings whatever is newest")),
    };
    let place = index.project.others.iter().find(|(name, _)| {
        let name = name.rsplit('/').next().unwrap_or(name);
        matches!(name, "requirements.txt" | "pyproject.toml" | "package.json" | "Cargo.toml")
    });
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
            text: text.lines().next().unwrap_or_default().trim().chars().take(160).collect(),
        }],
        own: std::collections::BTreeSet::new(),
        notes: Vec::new(),
    }])
}

/// `==1.2.3`, `1.2.3`, `=1.2.3`; in a Cargo manifest a plain number is a range.
fn is_exact(asked: &str) -> bool {
    let plain = asked.trim_start_matches("==").trim_start_matches('=');
    plain.starts_with(|c: char| c.is_ascii_digit())
        && plain.matches('.').count() >= 2
        && !plain.contains(['*', '^', '~', '<', '>', ',', '|', ' ', 'x'])
}
