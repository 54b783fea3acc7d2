//! Where a decision stands, or would stand were it not left out: the place to go to, and the code by which one sees whether
//! it was touched since.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use model::decision::{Decision, Span};

use crate::index::Index;
use crate::project::At;
use crate::routes::{Purpose, Route};
use crate::tree::{Kind, NONE};

/// A place of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Relative to the tree, with `/`.
    pub file: String,
    pub line: u32,
    /// `POST /api/auth/login`, where the code there answers one.
    pub route: Option<String>,
    /// Names, values and operators of the function there, without layout and comments; empty for what is about the app as a
    /// whole.
    pub code: String,
    /// The words that names are made of, lower case, in all code that runs for that route: `failed_logins` is `failed` and
    /// `logins`. A guess at what a reader may have missed.
    pub words: BTreeSet<String>,
}

/// The places of a decision. Of one that nothing decides: the routes that it would be about; none where these are not known.
pub(crate) fn sites(index: &Index, decision: &Decision) -> Vec<Site> {
    if let Some(span) = decision.spans.first() {
        return vec![stands(index, span)];
    }
    let wanted: &[Purpose] = match decision.decision.as_str() {
        "login-throttling" | "login-answer" => &[Purpose::Login],
        "password-policy" | "unique-email" => &[Purpose::Register],
        "password-hash" => &[Purpose::Register, Purpose::Login],
        "upload-size" | "upload-type" | "upload-naming" => &[Purpose::Upload],
        "webhook-verification" | "webhook-replay" => &[Purpose::Webhook],
        "security-headers" => {
            return index
                .routes
                .first()
                .map(|one| whole(index, one))
                .into_iter()
                .collect();
        }
        _ => return Vec::new(),
    };
    let routes = wanted.iter().map(|purpose| index.routes_for(*purpose));
    let first = routes.into_iter().find(|all| !all.is_empty());
    let first = first.into_iter().flatten();
    first.map(|route| would_stand(index, route)).collect()
}

fn whole(index: &Index, route: &Route) -> Site {
    Site {
        route: None,
        code: String::new(),
        words: BTreeSet::new(),
        ..would_stand(index, route)
    }
}

fn would_stand(index: &Index, route: &Route) -> Site {
    let span = index.project.span(route.handler);
    Site {
        file: span.file,
        line: span.line,
        route: Some(name(route)),
        code: code(index, route.handler),
        words: words(index, &index.code_of(route)),
    }
}

fn words(index: &Index, functions: &[At]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for at in index.nodes_of(functions) {
        if !matches!(index.project.kind(at), Kind::Name | Kind::Num) {
            continue;
        }
        let (mut word, mut low) = (String::new(), false);
        for c in index.project.text(at).chars() {
            // `MAX_SIZE`, `maxSize` and `max_size` are the same two.
            if !c.is_alphanumeric() || c.is_uppercase() && low {
                found.insert(std::mem::take(&mut word));
            }
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            }
            low = c.is_lowercase();
        }
        found.insert(word);
    }
    found
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}

fn stands(index: &Index, span: &Span) -> Site {
    let project = &index.project;
    let mut site = Site {
        file: span.file.clone(),
        line: span.line,
        route: None,
        code: span.text.clone(),
        words: BTreeSet::new(),
    };
    let trees = (0..).zip(&project.trees);
    for (number, tree) in trees.filter(|(_, tree)| tree.path == span.file) {
        let at = (0..tree.nodes.len() as u32)
            .map(|id| At { tree: number, id })
            .find(|at| project.span(*at) == *span);
        let Some(at) = at else { continue };
        let owner = index.owner(at);
        if owner.id == tree.root {
            site.code = code(index, at);
        } else {
            site.code = code(index, owner);
            let route = index.routes.iter().find(|route| route.handler == owner);
            site.route = route.map(name);
            site.words = words(index, &[owner]);
        }
    }
    site
}

fn code(index: &Index, at: At) -> String {
    let project = &index.project;
    let mut words = String::new();
    for at in project.inside(at) {
        let word = match project.kind(at) {
            Kind::Name | Kind::Str { .. } | Kind::Num | Kind::True | Kind::False | Kind::Null => {
                project.text(at)
            }
            Kind::Binary { op, .. } => {
                let _ = writeln!(words, "{op:?}");
                continue;
            }
            Kind::Not(_) => "!",
            Kind::If { other, .. } if other != NONE => "if else",
            Kind::If { .. } => "if",
            Kind::Return(_) => "return",
            Kind::Throw(_) => "throw",
            Kind::Call { .. } => "call",
            Kind::Assign { .. } => "=",
            _ => continue,
        };
        words.push_str(word);
        words.push('\n');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.post(\"/login\")\ndef login(body: dict):\n    if body[\"a\"] > MAX_SIZE:\n        return maxCount\n    return {\"token\": fetch_user(body)}\n";

    fn login(text: &str) -> Site {
        let placed = crate::read_files_placed(&[("app.py".to_owned(), text.to_owned())]);
        let of = |one: &Decision| one.decision == "login-throttling";
        let place = placed.reading.decisions.iter().position(of).unwrap();
        let [site] = placed.sites[place].as_slice() else {
            panic!("{:?}", placed.sites[place]);
        };
        site.clone()
    }

    #[test]
    fn what_is_left_out_would_stand_at_its_route() {
        let site = login(LOGIN);
        assert_eq!(site.route.as_deref(), Some("POST /login"));
        assert_eq!((site.file.as_str(), site.line), ("app.py", 7));
        for word in ["max", "size", "count", "fetch", "user"] {
            assert!(site.words.contains(word), "{word}: {:?}", site.words);
        }
    }

    #[test]
    fn code_is_another_when_it_does_something_else_and_not_when_it_looks_otherwise() {
        let code = login(LOGIN).code;
        let moved = LOGIN.replace("@app", "# who are you\n\n\n@app");
        assert_eq!(login(&moved).code, code);
        let commented = LOGIN.replace("    return {", "\n    # now\n    return {");
        assert_eq!(login(&commented).code, code);
        for (from, to) in [
            (">", "<"),
            ("\"a\"", "\"b\""),
            ("fetch_user", "user"),
            ("return m", "raise m"),
        ] {
            assert_ne!(login(&LOGIN.replace(from, to)).code, code, "{from}");
        }
    }
}
