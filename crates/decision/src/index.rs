//! What decisions ask of a project again and again: its calls, what code reaches which, what is never used.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use foldhash::{HashMap, HashSet};
use model::decision::Unread;

use crate::mentions::Mentions;
use crate::project::{At, Project, Thing};
use crate::routes::{self, Route};
use crate::tree::{Id, Kids, Kind, Lang, NONE};

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) at: At,
    /// The callee's whole outside name; empty where it is not known or is the app's own.
    pub(crate) name: String,
    /// The last part of what is called: `execute`.
    pub(crate) method: String,
    pub(crate) args: Vec<At>,
    /// Whether running code reaches it.
    pub(crate) live: bool,
}

impl Call {
    /// The argument in this place or under this name.
    pub(crate) fn arg(&self, project: &Project, place: usize, name: &str) -> Option<At> {
        self.named(project, name).or_else(|| {
            let mut plain = self.args.iter().copied();
            plain
                .by_ref()
                .filter(|arg| !matches!(project.kind(*arg), Kind::Keyword { .. }))
                .nth(place)
        })
    }

    /// The argument under this name; in a language without such, the entry of an object that is an argument.
    pub(crate) fn named(&self, project: &Project, name: &str) -> Option<At> {
        self.args.iter().find_map(|arg| match project.kind(*arg) {
            Kind::Keyword { name: key, value } if project.text(arg.with(key)) == name => {
                Some(arg.with(value))
            }
            Kind::Map(_) => project.entry(*arg, name),
            Kind::Name | Kind::Member { .. } => match project.resolve(*arg) {
                Thing::Value(map) => project.entry(map, name),
                _ => None,
            },
            _ => None,
        })
    }
}

pub(crate) struct Index {
    pub(crate) project: Project,
    pub(crate) calls: Vec<Call>,
    pub(crate) routes: Vec<Route>,
    by_name: HashMap<String, Vec<usize>>,
    by_method: HashMap<String, Vec<usize>>,
    by_place: HashMap<At, usize>,
    /// Calls in each function, and calls of each function of the app.
    by_owner: HashMap<At, Vec<usize>>,
    by_callee: HashMap<At, Vec<usize>>,
    /// Nodes of each function that belong to no other function inside it, in the order of the source.
    own_nodes: HashMap<At, Vec<At>>,
    /// Words of the files that say how the app starts.
    started: HashSet<String>,
    /// The packages and modules of others that anything is imported from, by the first part of their names.
    imported: HashSet<String>,
    /// Functions and classes of the app that each function or class refers to.
    edges: HashMap<At, Vec<At>>,
    /// Functions and classes that running code reaches.
    live: HashSet<At>,
    /// Files that running code imports.
    live_files: BTreeSet<u32>,
    pub(crate) mentions: OnceLock<Mentions>,
}

impl Index {
    pub(crate) fn new(project: Project) -> Self {
        let mut index = Self {
            project,
            calls: Vec::new(),
            routes: Vec::new(),
            by_name: HashMap::default(),
            by_method: HashMap::default(),
            by_place: HashMap::default(),
            by_owner: HashMap::default(),
            by_callee: HashMap::default(),
            own_nodes: HashMap::default(),
            started: HashSet::default(),
            imported: HashSet::default(),
            edges: HashMap::default(),
            live: HashSet::default(),
            live_files: BTreeSet::new(),
            mentions: OnceLock::new(),
        };
        index.find_edges_and_calls();
        index.find_owners();
        index.routes = routes::find(&index);
        index.find_live();
        for place in 0..index.calls.len() {
            index.calls[place].live = index.is_live(index.calls[place].at);
        }
        index.note_unnamed_imports();
        index
    }

    /// What running code imports by a name that only running tells may decide anything: it counts as unread.
    fn note_unnamed_imports(&mut self) {
        let mut more = Vec::new();
        for name in ["importlib.import_module", "__import__", "import", "require"] {
            for call in self.live_named(name) {
                let first = call.arg(&self.project, 0, "name");
                if first.and_then(|at| self.project.string(at)).is_some() {
                    continue;
                }
                let span = self.project.span(call.at);
                more.push(Unread {
                    file: span.file,
                    line: span.line,
                    why: "an import whose name is not written out".to_owned(),
                });
            }
        }
        self.project.unread.extend(more);
        self.project.unread.sort();
        self.project.unread.dedup();
    }

    fn find_edges_and_calls(&mut self) {
        let project = &self.project;
        for (number, tree) in project.trees.iter().enumerate() {
            let number = number as u32;
            for id in 0..tree.nodes.len() as Id {
                let at = At { tree: number, id };
                match tree.kind(id) {
                    Kind::Call { callee, args } => {
                        let name = project.name(at.with(callee)).unwrap_or_default();
                        let method = match tree.kind(callee) {
                            Kind::Member { name, .. } => tree.text(name),
                            _ => tree.text(callee),
                        };
                        let place = self.calls.len();
                        if !name.is_empty() {
                            self.by_name.entry(name.clone()).or_default().push(place);
                        }
                        self.by_method
                            .entry(method.to_owned())
                            .or_default()
                            .push(place);
                        self.by_place.insert(at, place);
                        self.calls.push(Call {
                            at,
                            name,
                            method: method.to_owned(),
                            args: project.list(at, args),
                            live: true,
                        });
                    }
                    Kind::Name | Kind::Member { .. } => {
                        // A name that only names: a member's, a parameter's, a function's own.
                        let only_names =
                            tree.parent(id)
                                .is_some_and(|parent| match tree.kind(parent) {
                                    Kind::Member { name, .. }
                                    | Kind::Keyword { name, .. }
                                    | Kind::Param { name, .. }
                                    | Kind::Function { name, .. }
                                    | Kind::Class { name, .. } => name == id,
                                    _ => false,
                                });
                        if only_names {
                            continue;
                        }
                        if let Thing::Inside(target) = project.resolve(at) {
                            let from = owner(project, at);
                            if from != target {
                                self.edges.entry(from).or_default().push(target);
                            }
                        }
                    }
                    // A method belongs to its class, an inner function to the one around it.
                    Kind::Function { .. } | Kind::Class { .. } => {
                        let from = tree.parent(id).map_or(NONE, |parent| {
                            let own = owner(project, at.with(parent));
                            if own.id == tree.root { NONE } else { own.id }
                        });
                        if from != NONE {
                            self.edges.entry(at.with(from)).or_default().push(at);
                        } else if !is_bound(tree, id) {
                            // Handed over where it stands: `createServer((request, response) => …)`.
                            self.edges.entry(at.with(tree.root)).or_default().push(at);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn find_owners(&mut self) {
        let project = &self.project;
        for (place, call) in self.calls.iter().enumerate() {
            self.by_owner
                .entry(owner(project, call.at))
                .or_default()
                .push(place);
            if call.name.is_empty()
                && let Kind::Call { callee, .. } = project.kind(call.at)
                && let Thing::Inside(function) = project.resolve(call.at.with(callee))
            {
                self.by_callee.entry(function).or_default().push(place);
            }
        }
        for (number, tree) in project.trees.iter().enumerate() {
            let root = At {
                tree: number as u32,
                id: tree.root,
            };
            // What stands on the way down belongs to the function or class that was met last.
            let mut todo = vec![(root, root)];
            while let Some((at, home)) = todo.pop() {
                self.own_nodes.entry(home).or_default().push(at);
                let inner = match tree.kind(at.id) {
                    Kind::Function { .. } | Kind::Class { .. } => at,
                    _ => home,
                };
                let begin = todo.len();
                tree.children(at.id, |child| todo.push((at.with(child), inner)));
                todo[begin..].reverse();
            }
        }
        let modules = project.trees.iter().flat_map(|tree| {
            let bound = tree.bound.values().flatten().map(|(_, what)| what);
            let names = bound.chain(tree.exports.iter().map(|(_, what)| what));
            let names = names.filter_map(|what| match what {
                crate::tree::Bound::Import { module, .. } => Some(module.as_str()),
                _ => None,
            });
            names.chain(tree.stars.iter().map(String::as_str))
        });
        self.imported = modules
            .chain(self.by_name.keys().map(String::as_str))
            .map(|name| first_part(name).to_owned())
            .collect();
        self.started = project
            .others
            .iter()
            .filter(|(name, _)| {
                let name = name.rsplit('/').next().unwrap_or(name);
                matches!(
                    name,
                    "package.json" | "start.sh" | "Procfile" | "Dockerfile"
                )
            })
            .flat_map(|(_, text)| {
                text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ','))
            })
            .map(|word| word.trim_start_matches("./").to_owned())
            .collect();
    }

    /// Whether anything is imported from the package of this outside name.
    pub(crate) fn imports(&self, name: &str) -> bool {
        self.imported.contains(first_part(name))
    }

    /// Nodes of a function that belong to no other function inside it.
    pub(crate) fn own_nodes(&self, function: At) -> &[At] {
        self.own_nodes.get(&function).map_or(&[], Vec::as_slice)
    }

    /// The calls of a function or class of the app.
    pub(crate) fn calls_to(&self, function: At) -> impl Iterator<Item = &Call> {
        let places = self.by_callee.get(&function).into_iter().flatten();
        places.map(|place| &self.calls[*place])
    }

    /// Functions and classes that are reached from one, itself first.
    pub(crate) fn reach(&self, from: At) -> Vec<At> {
        self.reach_all(&[from])
    }

    pub(crate) fn reach_all(&self, from: &[At]) -> Vec<At> {
        let mut seen: HashSet<At> = HashSet::default();
        let mut order = Vec::new();
        let mut todo: Vec<At> = from.iter().rev().copied().collect();
        while let Some(next) = todo.pop() {
            if !seen.insert(next) {
                continue;
            }
            order.push(next);
            if let Some(more) = self.edges.get(&next) {
                todo.extend(more.iter().rev());
            }
        }
        order
    }

    /// The calls in a set of functions, as [`Index::reach`] gives it; those of functions inside belong to these.
    pub(crate) fn calls_in(&self, functions: &[At]) -> Vec<&Call> {
        let mut places: Vec<usize> = functions
            .iter()
            .filter_map(|function| self.by_owner.get(function))
            .flatten()
            .copied()
            .collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| &self.calls[place]).collect()
    }

    pub(crate) fn calls_named(&self, name: &str) -> impl Iterator<Item = &Call> {
        let places = self.by_name.get(name).into_iter().flatten();
        places.map(|place| &self.calls[*place])
    }

    pub(crate) fn calls_of(&self, method: &str) -> impl Iterator<Item = &Call> {
        let places = self.by_method.get(method).into_iter().flatten();
        places.map(|place| &self.calls[*place])
    }

    /// The call that a node is.
    pub(crate) fn call(&self, at: At) -> Option<&Call> {
        self.by_place.get(&at).map(|place| &self.calls[*place])
    }

    /// The function or class that a node belongs to, or its file.
    pub(crate) fn owner(&self, at: At) -> At {
        owner(&self.project, at)
    }

    /// Whether running code reaches a node. Where no place is known at which the app starts, everything runs.
    pub(crate) fn is_live(&self, at: At) -> bool {
        if !self.live_files.contains(&at.tree) {
            return false;
        }
        let own = owner(&self.project, at);
        own.id == self.project.tree(at).root || self.live.contains(&own)
    }

    fn find_live(&mut self) {
        let project = &self.project;
        let all: BTreeSet<u32> = (0..project.trees.len() as u32).collect();
        let makers: HashSet<u32> = APPS
            .iter()
            .flat_map(|app| self.calls_named(app))
            .map(|call| call.at.tree)
            .collect();
        let mut starts: Vec<u32> = all
            .iter()
            .copied()
            .filter(|file| self.starts(*file, &makers))
            .collect();
        starts.extend(self.routes.iter().map(|route| route.at.tree));
        // Where nothing is known to start, a part of an app is read: all of it may run.
        if starts.is_empty() {
            self.live = self.functions().into_iter().collect();
            self.live_files = all;
            return;
        }
        let mut files: BTreeSet<u32> = BTreeSet::new();
        let mut todo = starts;
        while let Some(file) = todo.pop() {
            if !files.insert(file) {
                continue;
            }
            let tree = &project.trees[file as usize];
            for (_, what) in tree.bound.values().flatten() {
                self.follow_import(file, what, &mut todo);
            }
            for (_, what) in &tree.exports {
                self.follow_import(file, what, &mut todo);
            }
            todo.extend(
                tree.stars
                    .iter()
                    .filter_map(|star| project.file_of(file, star)),
            );
            todo.extend(side_imports(project, file));
            // A package's own file runs before its modules.
            if tree.lang == Lang::Python
                && let Some(package) = project.file_of(file, ".")
            {
                todo.push(package);
            }
        }
        let mut roots: Vec<At> = files
            .iter()
            .map(|file| At {
                tree: *file,
                id: project.trees[*file as usize].root,
            })
            .collect();
        for route in &self.routes {
            roots.push(route.handler);
            roots.extend(route.guards.iter().copied());
        }
        for file in &files {
            roots.extend(self.called_by_framework(*file));
        }
        self.live = self.reach_all(&roots).into_iter().collect();
        self.live_files = files;
    }

    fn functions(&self) -> Vec<At> {
        let mut all = Vec::new();
        for (number, tree) in self.project.trees.iter().enumerate() {
            for id in 0..tree.nodes.len() as Id {
                if let Kind::Function { .. } | Kind::Class { .. } = tree.kind(id) {
                    all.push(At {
                        tree: number as u32,
                        id,
                    });
                }
            }
        }
        all
    }

    fn follow_import(&self, file: u32, what: &crate::tree::Bound, todo: &mut Vec<u32>) {
        if let crate::tree::Bound::Import { module, name } = what {
            todo.extend(self.project.file_of(file, module));
            if let Some(name) = name {
                let joined = match self.project.trees[file as usize].lang {
                    Lang::Python if module.ends_with('.') => format!("{module}{name}"),
                    Lang::Python => format!("{module}.{name}"),
                    Lang::Rust => format!("{module}::{name}"),
                    Lang::Script => return,
                };
                todo.extend(self.project.file_of(file, &joined));
            }
        }
    }

    /// Whether an app starts in this file, by its name or by what it makes.
    fn starts(&self, file: u32, makers: &HashSet<u32>) -> bool {
        let tree = &self.project.trees[file as usize];
        let path = tree.path.as_str();
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let makes_app = || makers.contains(&file);
        match tree.lang {
            Lang::Python => matches!(stem, "__main__" | "wsgi" | "asgi" | "manage") || makes_app(),
            Lang::Script => is_convention(path, stem) || makes_app() || self.started.contains(path),
            Lang::Rust => matches!(name, "main.rs" | "lib.rs") || makes_app(),
        }
    }

    /// What a framework calls by its name or place.
    fn called_by_framework(&self, file: u32) -> Vec<At> {
        let tree = &self.project.trees[file as usize];
        let stem = tree.path.rsplit('/').next().unwrap_or_default();
        let stem = stem.split_once('.').map_or(stem, |(stem, _)| stem);
        let mut found = Vec::new();
        for id in 0..tree.nodes.len() as Id {
            let at = At { tree: file, id };
            match tree.kind(id) {
                Kind::Function {
                    decorators, name, ..
                } => {
                    let convention = tree.lang == Lang::Script
                        && is_convention(&tree.path, stem)
                        && tree.function_of(id).is_none()
                        && (name == NONE || is_method_of_object(tree, id) || is_exported(tree, id));
                    let main = tree.lang == Lang::Rust && tree.text(name) == "main";
                    if decorators != Kids::EMPTY || convention || main {
                        found.push(at);
                    }
                }
                Kind::Class { decorators, .. } if decorators != Kids::EMPTY => found.push(at),
                // What implements a trait is called through it.
                Kind::Class { bases, .. } if tree.lang == Lang::Rust && bases != Kids::EMPTY => {
                    found.push(at);
                }
                _ => {}
            }
        }
        found
    }
}

/// `export default { async headers() { … } }`
fn is_method_of_object(tree: &crate::tree::Tree, id: Id) -> bool {
    tree.parent(id)
        .is_some_and(|parent| matches!(tree.kind(parent), Kind::Map(_)))
}

/// Calls that make an app.
const APPS: [&str; 10] = [
    "fastapi.FastAPI",
    "flask.Flask",
    "starlette.applications.Starlette",
    "express",
    "fastify",
    "hono.Hono",
    "axum.Router.new",
    "actix_web.App.new",
    "django.core.wsgi.get_wsgi_application",
    "http.createServer",
];

/// `slowapi` of `slowapi.middleware`, `@prisma/client` of `@prisma/client/edge`, `tower_http` of `tower_http::cors`.
fn first_part(name: &str) -> &str {
    let name = name.strip_prefix("node:").unwrap_or(name);
    let ends = |c: char| matches!(c, '.' | ':' | '(' | '/');
    match name.strip_prefix('@') {
        Some(rest) => {
            let scope = rest.find('/').map_or(rest.len(), |at| at + 1);
            let end = rest[scope..].find(ends).map_or(rest.len(), |at| scope + at);
            &name[..=end]
        }
        None => name.split(ends).next().unwrap_or(name),
    }
}

/// Whether others can only reach a function or class by its name.
fn is_bound(tree: &crate::tree::Tree, id: Id) -> bool {
    let named = !tree.name_of(id).is_empty();
    let assigned = tree
        .parent(id)
        .is_some_and(|parent| match tree.kind(parent) {
            Kind::Assign { target, value } => value == id && tree.kind(target) == Kind::Name,
            _ => false,
        });
    named || assigned
}

/// Whether others may see a function; where a list of exports stands in the file, any.
fn is_exported(tree: &crate::tree::Tree, id: Id) -> bool {
    let before = tree
        .nodes
        .get(id as usize)
        .map_or("", |node| &tree.text[..node.start as usize]);
    let before = before.trim_end();
    before.ends_with("export") || before.ends_with("default") || tree.text.contains("export {")
}

/// Files that Next.js runs by their place.
fn is_convention(path: &str, stem: &str) -> bool {
    let routed = path.starts_with("app/")
        || path.starts_with("src/app/")
        || path.starts_with("pages/")
        || path.starts_with("src/pages/");
    matches!(stem, "middleware" | "proxy" | "instrumentation")
        || path == "next.config.js"
        || path == "next.config.mjs"
        || path == "next.config.ts"
        || (routed
            && (path.contains("pages/")
                || matches!(stem, "route" | "page" | "layout" | "actions" | "error")))
}

/// `import './x'` and `import('./x')` bind nothing.
fn side_imports(project: &Project, file: u32) -> Vec<u32> {
    let tree = &project.trees[file as usize];
    let mut found = Vec::new();
    if tree.lang == Lang::Script {
        for line in tree.text.lines() {
            let line = line.trim_start();
            if let Some(rest) = line.strip_prefix("import ")
                && let Some(module) = quoted(rest)
            {
                found.extend(project.file_of(file, module));
            }
        }
        for id in 0..tree.nodes.len() as Id {
            if let Kind::Call { callee, args } = tree.kind(id)
                && matches!(tree.text(callee), "import" | "require")
                && let Some(first) = tree.list(args).first()
                && let Some(module) = tree.string(*first)
            {
                found.extend(project.file_of(file, &module));
            }
        }
    }
    found
}

fn quoted(text: &str) -> Option<&str> {
    let open = text.find(['\'', '"'])?;
    let rest = &text[open + 1..];
    rest.split(['\'', '"']).next()
}

/// The innermost function or class around a node, itself not counted; else the file's root.
fn owner(project: &Project, at: At) -> At {
    let tree = project.tree(at);
    let found = tree.upwards(at.id).find(|id| {
        matches!(tree.kind(*id), Kind::Function { .. } | Kind::Class { .. }) && *id != at.id
    });
    // A decorator, and a parameter's default, belong to the function: they run for it.
    at.with(found.unwrap_or(tree.root))
}
