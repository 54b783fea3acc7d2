//! What a source says about an app's routes to somebody who wants to use it: methods, paths, and the names near each
//! handler. Hints, not findings: what is named here may not exist, and is only ever tried.

use std::collections::BTreeSet;
use std::path::Path;

use foldhash::HashSet;

use crate::index::{Call, Index};
use crate::project::{At, Project, Thing};
use crate::routes;
use crate::source;
use crate::tree::{Kind, Lang, NONE};

/// One route that an app seems to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteHint {
    /// `ANY` where the source does not say.
    pub method: String,
    /// As the framework writes it.
    pub path: String,
    pub file: String,
    pub line: u32,
    /// Names and short strings that its handler reaches.
    pub words: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
pub struct SourceHints {
    pub routes: Vec<RouteHint>,
    /// Pages that may show a form whose taker no path names: a server action.
    pub pages: Vec<RouteHint>,
    /// Strings that may be a header, a cookie, or what stands before a signature.
    pub words: BTreeSet<String>,
}

/// Functions that a handler calls, and those that these call.
const DEEPEST: u8 = 2;
const MOST_NODES: usize = 60_000;
const MOST_WORDS: usize = 400;
const LONGEST_WORD: usize = 32;
const MOST_ROUTES: usize = 1000;

/// Reads the hints of an app in a folder.
pub fn hints(root: &Path) -> SourceHints {
    of(&Index::new(Project::new(source::read(root))))
}

/// The same for files that are held in memory.
pub fn hints_of(files: &[(String, String)]) -> SourceHints {
    of(&Index::new(Project::new(source::take(files))))
}

fn of(index: &Index) -> SourceHints {
    let project = &index.project;
    let mut found = SourceHints::default();
    for route in &index.routes {
        let span = project.span(route.handler);
        found.routes.push(RouteHint {
            method: route.method.clone(),
            path: route.path.clone(),
            file: span.file,
            line: span.line,
            words: words(index, &route.entries(), route.at),
        });
    }
    loose(index, &mut found.routes);
    found.routes.truncate(MOST_ROUTES);
    for (path, at) in routes::pages(index).into_iter().take(MOST_ROUTES) {
        let span = project.span(at);
        found.pages.push(RouteHint {
            method: "GET".to_owned(),
            path,
            file: span.file,
            line: span.line,
            words: words(index, &[at], at),
        });
    }
    for (number, tree) in project.trees.iter().enumerate() {
        for id in 0..tree.nodes.len() as u32 {
            let at = At {
                tree: number as u32,
                id,
            };
            if let Kind::Str { .. } = tree.kind(id)
                && let Some(text) = project.string(at)
            {
                // `f"sha256={digest}"` and `format!("sha256={}")` begin with what matters.
                let text = text.split('{').next().unwrap_or_default();
                let plain = text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte));
                let telling = text.contains('-') || text.ends_with('=');
                if plain && telling && (2..40).contains(&text.len()) && found.words.len() < 4000 {
                    found.words.insert(text.to_owned());
                }
            }
        }
    }
    found
}

/// The names that handlers reach: their own, those of functions, classes and values that they name.
fn words(index: &Index, entries: &[At], declared: At) -> BTreeSet<String> {
    let project = &index.project;
    let mut found = BTreeSet::new();
    let mut seen: HashSet<At> = HashSet::default();
    let mut queue: Vec<(At, u8)> = entries
        .iter()
        .chain([&declared])
        .map(|at| (*at, 0))
        .collect();
    let mut looked = 0;
    while let Some((at, depth)) = queue.pop() {
        if !seen.insert(at) {
            continue;
        }
        for inner in project.inside(at) {
            looked += 1;
            if looked > MOST_NODES || found.len() > MOST_WORDS {
                return found;
            }
            match project.kind(inner) {
                Kind::Name => {
                    word(project.text(inner), &mut found);
                    if depth < DEEPEST {
                        queue.extend(behind(project, inner).map(|next| (next, depth + 1)));
                    }
                }
                Kind::Str { .. } => {
                    if let Some(text) = project.string(inner) {
                        word(&text, &mut found);
                    }
                }
                Kind::Function { .. } | Kind::Class { .. } if inner != at => {
                    word(project.tree(inner).name_of(inner.id), &mut found);
                }
                _ => {}
            }
        }
    }
    found
}

/// What of the app a name stands for, where it holds names of its own.
fn behind(project: &Project, at: At) -> impl Iterator<Item = At> {
    let inside = match project.resolve(at) {
        Thing::Inside(inside) => Some(inside),
        _ => None,
    };
    // `const Credentials = z.object({ … })`
    let value = match (&inside, project.definition(at)) {
        (None, Some(value)) if matches!(project.kind(value), Kind::Call { .. } | Kind::Map(_)) => {
            Some(value)
        }
        _ => None,
    };
    inside.into_iter().chain(value)
}

fn word(text: &str, into: &mut BTreeSet<String>) {
    // Rust's way to name a field by a keyword.
    let text = text.strip_prefix("r#").unwrap_or(text);
    let fits = (1..=LONGEST_WORD).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    if fits {
        into.insert(text.to_owned());
    }
}

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "all", "any"];

/// Calls that look like routes to somebody who does not know the framework, and are not among those that were read:
/// `app.post('/x', …)` inside a plugin, `path('x/', view)`, `Route('/x', handler)`, `@Post('x')` of a `@Controller('y')`.
fn loose(index: &Index, routes: &mut Vec<RouteHint>) {
    let project = &index.project;
    let known: HashSet<(String, u32)> = routes
        .iter()
        .map(|route| (route.file.clone(), route.line))
        .collect();
    let prefixes = prefixes(index);
    for call in &index.calls {
        let Some((methods, path)) = named(index, call) else {
            continue;
        };
        let span = project.span(call.at);
        let handler = call
            .args
            .iter()
            .skip(1)
            .rev()
            .copied()
            .find(|arg| arg.id != NONE && !matches!(project.kind(*arg), Kind::Keyword { .. }));
        let function = handler.and_then(|arg| match project.resolve(arg) {
            Thing::Inside(function) => Some(function),
            Thing::Value(value) if matches!(project.kind(value), Kind::Function { .. }) => {
                Some(value)
            }
            _ => None,
        });
        // Below a decorator stands the function itself.
        let decorated = decorated(project, call.at);
        let Some(function) = function.or(decorated) else {
            continue;
        };
        let place = project.span(function);
        if known.contains(&(place.file.clone(), place.line))
            || known.contains(&(span.file.clone(), span.line))
        {
            continue;
        }
        let words = words(index, &[function], call.at);
        let own = own_prefix(index, call.at);
        let mut starts: Vec<String> = vec![own.clone().unwrap_or_default()];
        starts.extend(prefixes.iter().map(|prefix| match &own {
            Some(own) => format!(
                "{}/{}",
                prefix.trim_end_matches('/'),
                own.trim_start_matches('/')
            ),
            None => prefix.clone(),
        }));
        for start in starts.into_iter().take(8) {
            let whole = format!(
                "/{}/{}",
                start.trim_matches('/'),
                path.trim_start_matches('/')
            );
            let whole = whole.replace("//", "/");
            let whole = if path.is_empty() {
                whole.trim_end_matches('/').to_owned()
            } else {
                whole
            };
            for method in &methods {
                routes.push(RouteHint {
                    method: method.clone(),
                    path: whole.clone(),
                    file: span.file.clone(),
                    line: span.line,
                    words: words.clone(),
                });
            }
        }
    }
}

/// The methods and the path that a call names, if it looks like a route.
fn named(index: &Index, call: &Call) -> Option<(Vec<String>, String)> {
    let project = &index.project;
    let first = call.args.first().copied();
    let text = first.and_then(|at| project.fold(at).text().map(str::to_owned));
    let lower = call.method.to_ascii_lowercase();
    let by_method = METHODS.contains(&lower.as_str());
    if by_method
        && matches!(
            project.lang(call.at),
            Lang::Script | Lang::Rust | Lang::Python
        )
    {
        let capital = call.method.starts_with(|c: char| c.is_ascii_uppercase());
        let path = match text {
            Some(path) if path.starts_with('/') || capital => path,
            // `@Get()`
            None if capital && call.args.is_empty() => String::new(),
            _ => return None,
        };
        let method = if matches!(lower.as_str(), "all" | "any") {
            "ANY".to_owned()
        } else {
            lower.to_uppercase()
        };
        return Some((vec![method], path));
    }
    let path = text.filter(|path| path.len() < 120 && !path.contains([' ', '\n']))?;
    match call.method.as_str() {
        // Django; `re_path` is not a path.
        "path" if call.name.starts_with("django.urls") => {
            let view = call.args.get(1).copied()?;
            Some((view_methods(index, view), path))
        }
        "Route" if call.name.starts_with("starlette.") => {
            let methods = call
                .named(project, "methods")
                .map(|list| project.fold(list));
            let methods = match methods {
                Some(crate::fold::Value::List(all)) => all
                    .iter()
                    .filter_map(|one| one.text().map(str::to_uppercase))
                    .collect(),
                _ => vec!["GET".to_owned()],
            };
            Some((methods, path))
        }
        _ => None,
    }
}

/// What a Django view answers, as far as its decorators or methods say it.
fn view_methods(index: &Index, view: At) -> Vec<String> {
    let project = &index.project;
    let Thing::Inside(function) = project.resolve(view) else {
        return vec!["ANY".to_owned()];
    };
    let text = project.text(function);
    let above = match project.kind(function) {
        Kind::Function { decorators, .. } => project
            .list(function, decorators)
            .iter()
            .map(|at| project.text(*at).to_owned())
            .collect::<String>(),
        _ => String::new(),
    };
    let mut found: Vec<String> = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        .into_iter()
        .filter(|method| {
            let lower = method.to_lowercase();
            above.contains(&format!("require_{method}"))
                || above.contains(&format!("\"{method}\""))
                || above.contains(&format!("'{method}'"))
                || text.contains(&format!("def {lower}("))
                || text.contains(&format!("method == \"{method}\""))
                || text.contains(&format!("method == '{method}'"))
        })
        .map(str::to_owned)
        .collect();
    if found.is_empty() {
        found.push("ANY".to_owned());
    }
    found
}

/// The function or method below a decorator.
fn decorated(project: &Project, at: At) -> Option<At> {
    let tree = project.tree(at);
    let own = tree
        .upwards(at.id)
        .skip(1)
        .take(2)
        .map(|id| at.with(id))
        .find(|one| {
            matches!(project.kind(*one), Kind::Function { decorators, .. }
            if project.list(*one, decorators).contains(&at))
        });
    // In a class of TypeScript it stands before the method.
    own.or_else(|| {
        let mut child = at.id;
        for parent in tree.upwards(at.id).skip(1).take(2) {
            if let Kind::Block(kids) | Kind::Other(kids) = tree.kind(parent) {
                let all = tree.list(kids);
                let place = all.iter().position(|one| *one == child)?;
                let next = all[place..]
                    .iter()
                    .find(|one| matches!(tree.kind(**one), Kind::Function { .. }));
                if let Some(next) = next {
                    return Some(at.with(*next));
                }
            }
            child = parent;
        }
        None
    })
}

/// What stands before a method's path: the class's `@Controller('auth')`, the nearest above it.
fn own_prefix(index: &Index, at: At) -> Option<String> {
    let project = &index.project;
    let start = |at: At| {
        project
            .tree(at)
            .nodes
            .get(at.id as usize)
            .map_or(0, |node| node.start)
    };
    let nearest = index
        .calls_of("Controller")
        .filter(|call| call.at.tree == at.tree && start(call.at) < start(at))
        .max_by_key(|call| start(call.at))?;
    let path = nearest
        .args
        .first()
        .and_then(|first| project.fold(*first).text().map(str::to_owned));
    Some(path.unwrap_or_default())
}

/// What routers are mounted under anywhere: a route whose own mount is not known may be under any.
fn prefixes(index: &Index) -> Vec<String> {
    let project = &index.project;
    let mut found = BTreeSet::new();
    for call in &index.calls {
        match call.method.as_str() {
            "register" | "include_router" | "register_blueprint" => {
                for name in ["prefix", "url_prefix"] {
                    if let Some(text) = call
                        .named(project, name)
                        .and_then(|at| project.fold(at).text().map(str::to_owned))
                    {
                        found.insert(text);
                    }
                }
            }
            "use" | "route" | "nest" | "mount" | "basePath" | "setGlobalPrefix" => {
                let text = call
                    .args
                    .first()
                    .and_then(|at| project.fold(*at).text().map(str::to_owned));
                found.extend(text);
            }
            "path" | "Mount" => {
                let included = call.args.get(1).is_some_and(|at| {
                    let text = project.text(*at);
                    text.contains("include(") || call.method == "Mount"
                });
                if included {
                    found.extend(
                        call.args
                            .first()
                            .and_then(|at| project.fold(*at).text().map(str::to_owned)),
                    );
                }
            }
            _ => {}
        }
    }
    found.retain(|one| one.len() > 1 && one.len() < 60 && !one.contains(['*', ' ']));
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What takes a form has no path: its words are those of the page that shows it.
    #[test]
    fn pages_name_what_their_forms_and_actions_do() {
        let files = [
            ("package.json", r#"{"dependencies": {"next": "14.2.35"}}"#),
            (
                "src/app/(auth)/join/page.tsx",
                "import { JoinForm } from './form';\nexport default function Page() { return <main><JoinForm /></main>; }",
            ),
            (
                "src/app/(auth)/join/form.tsx",
                "'use client';\nimport { join } from '../../actions';\nexport function JoinForm() {\n  const [state, action] = \
                 useFormState(join, {});\n  return <form action={action}><input type='email' name='email' /></form>;\n}",
            ),
            (
                "src/app/actions.ts",
                "'use server';\nexport async function join(state, form: FormData) { return form.get('passphrase'); }",
            ),
            ("src/app/@modal/(.)join/page.tsx", "export default () => null;"),
            ("src/app/application/page.tsx", "export default () => <p>none</p>;"),
            ("src/application/page.tsx", "export default () => null;"),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let found = hints_of(&files);
        let paths: Vec<&str> = found.pages.iter().map(|page| page.path.as_str()).collect();
        assert_eq!(paths, ["/join", "/application"]);
        for word in ["email", "passphrase", "FormData"] {
            assert!(found.pages[0].words.contains(word), "{word}");
            assert!(!found.pages[1].words.contains(word), "{word}");
        }
        assert!(found.routes.is_empty());
    }
}
