//! The matters that are decided, one file each in `matter/`; the folder is the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use model::decision::{Confidence, Decision, Origin, Span};

use crate::fold::Value;
use crate::index::{Call, Index};
use crate::project::{At, Thing};
use crate::routes::{Purpose, Route};
use crate::source::on_all_cores;
use crate::tree::{Kind, Lang};

include!(concat!(env!("OUT_DIR"), "/registry.rs"));

/// A matter with its id and page.
#[derive(Debug)]
pub struct Entry {
    /// The file's name: `password-hash`.
    pub id: &'static str,
    /// The file's doc comment.
    pub page: &'static str,
    pub matter: &'static Matter,
}

/// What is decided, and how it is read.
#[derive(Debug)]
pub struct Matter {
    /// For people: `password hash`.
    pub title: &'static str,
    /// The exploits that show whether it is in force.
    pub exploits: &'static [&'static str],
    /// A sentence with one of these words asks for it; lower case.
    pub words: &'static [&'static str],
    read: fn(&Index) -> Outcome,
}

impl Matter {
    /// The choices that this matter's reader sees.
    pub(crate) fn choices(&self, index: &Index) -> Vec<String> {
        match (self.read)(index) {
            Outcome::Found(all) => all.into_iter().map(|one| one.choice).collect(),
            Outcome::Nothing | Outcome::NoPlace | Outcome::Unclear(_) => Vec::new(),
        }
    }

    pub(crate) fn is_found(&self, index: &Index) -> bool {
        !self.choices(index).is_empty()
    }
}

/// What a matter's reader saw.
pub(crate) enum Outcome {
    Found(Vec<Found>),
    /// Looked everywhere: nothing decides it.
    Nothing,
    /// The app has nothing that it would be about.
    NoPlace,
    /// Something is there that cannot be followed.
    Unclear(String),
}

/// All matters, by id.
pub fn all() -> &'static [Entry] {
    &FOUND
}

/// The matter with this id.
pub fn find(id: &str) -> Option<&'static Entry> {
    FOUND.iter().find(|entry| entry.id == id)
}

/// All decisions, and how many lines of the app's own do them by hand.
pub(crate) fn read(index: &Index) -> (Vec<Decision>, u32) {
    let mut all = Vec::new();
    let mut own = BTreeSet::new();
    for (entry, outcome) in FOUND.iter().zip(outcomes(index)) {
        let nothing = |origin| Decision {
            decision: entry.id.to_owned(),
            choice: String::new(),
            origin,
            parameters: BTreeMap::new(),
            below: None,
            confidence: Confidence::High,
            spans: Vec::new(),
            lines: 0,
            notes: Vec::new(),
        };
        match outcome {
            Outcome::Found(found) if !found.is_empty() => {
                own.extend(found.iter().flat_map(|one| one.own.iter().cloned()));
                all.extend(found.into_iter().map(|one| one.decision(entry.id)));
            }
            Outcome::NoPlace => {}
            Outcome::Unclear(why) => all.push(nothing(Origin::Unknown { why })),
            Outcome::Found(_) | Outcome::Nothing => all.push(nothing(absent(index))),
        }
    }
    (all, lines(&own))
}

/// What each matter's reader sees, on all cores.
fn outcomes(index: &Index) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Outcome)>> = Mutex::default();
    on_all_cores(FOUND.len(), || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(entry) = FOUND.get(place) else {
                break;
            };
            let outcome = (entry.matter.read)(index);
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((place, outcome));
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Absent, unless something that could decide it was not read.
fn absent(index: &Index) -> Origin {
    match index.project.unread.first() {
        None => Origin::Absent,
        Some(first) => Origin::Unknown {
            why: format!(
                "{} could not be read: {}",
                match index.project.unread.len() {
                    1 => first.file.clone(),
                    many => format!("{} and {} more", first.file, many - 1),
                },
                first.why
            ),
        },
    }
}

fn stretch(index: &Index, at: At) -> (String, u32, u32) {
    let span = index.project.span(at);
    (span.file, span.line, span.end_line)
}

/// How many lines these stretches are, each counted once.
fn lines(own: &BTreeSet<(String, u32, u32)>) -> u32 {
    let each: BTreeSet<(&str, u32)> = own
        .iter()
        .flat_map(|(file, from, to)| (*from..=*to).map(move |line| (file.as_str(), line)))
        .collect();
    each.len() as u32
}

/// One finding of a matter, as it grows.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) choice: String,
    pub(crate) origin: Origin,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) below: Option<String>,
    pub(crate) confidence: Confidence,
    pub(crate) spans: Vec<Span>,
    /// Stretches of the app's own code that do it: file, first and last line.
    pub(crate) own: BTreeSet<(String, u32, u32)>,
    pub(crate) notes: Vec<String>,
}

impl Found {
    /// `choice` was made at `at`.
    pub(crate) fn new(index: &Index, choice: impl Into<String>, origin: Origin, at: At) -> Self {
        // What is put together from the runtime's parts is the app's own to review.
        let around = index.owner(at);
        let own = match &origin {
            Origin::Runtime { .. } if around.id != index.project.tree(at).root => {
                BTreeSet::from([stretch(index, around)])
            }
            _ => BTreeSet::new(),
        };
        Self {
            choice: choice.into(),
            origin,
            parameters: Vec::new(),
            below: None,
            confidence: Confidence::High,
            spans: vec![index.project.span(at)],
            own,
            notes: Vec::new(),
        }
    }

    /// A parameter; left out where its value is not known.
    pub(crate) fn with(mut self, name: &str, value: Option<String>) -> Self {
        self.parameters
            .extend(value.map(|value| (name.to_owned(), value)));
        self
    }

    /// A further place that says so.
    pub(crate) fn also(mut self, index: &Index, at: At) -> Self {
        let span = index.project.span(at);
        if !self.spans.contains(&span) {
            self.spans.push(span);
        }
        self
    }

    pub(crate) fn below(mut self, why: Option<String>) -> Self {
        self.below = why;
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn is_sure(&self) -> bool {
        self.confidence == Confidence::High
    }

    pub(crate) fn unsure(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// A function or class of the app that does it by hand.
    pub(crate) fn by_hand(mut self, index: &Index, function: At) -> Self {
        self.own.insert(stretch(index, function));
        self
    }

    fn decision(self, id: &str) -> Decision {
        Decision {
            decision: id.to_owned(),
            choice: self.choice,
            origin: self.origin,
            parameters: self.parameters.into_iter().collect(),
            below: self.below,
            confidence: self.confidence,
            spans: self.spans,
            lines: lines(&self.own),
            notes: self.notes,
        }
    }
}

/// Packages whose features are a framework's.
const FRAMEWORKS: [&str; 13] = [
    "fastapi",
    "starlette",
    "flask",
    "django",
    "next",
    "express",
    "fastify",
    "hono",
    "axum",
    "actix_web",
    "werkzeug",
    "uvicorn",
    "@nestjs/common",
];

/// Module names of packages that are called otherwise.
const PACKAGES: [(&str, &str); 14] = [
    ("jwt", "PyJWT"),
    ("jose", "python-jose"),
    ("argon2", "argon2-cffi"),
    ("Crypto", "pycryptodome"),
    ("Cryptodome", "pycryptodomex"),
    ("magic", "python-magic"),
    ("flask_limiter", "Flask-Limiter"),
    ("flask_cors", "Flask-Cors"),
    ("flask_talisman", "flask-talisman"),
    ("multipart", "python-multipart"),
    ("dotenv", "python-dotenv"),
    ("sqlalchemy", "SQLAlchemy"),
    ("fastapi_limiter", "fastapi-limiter"),
    ("pwdlib", "pwdlib"),
];

const PYTHON_RUNTIME: [&str; 24] = [
    "hashlib",
    "hmac",
    "secrets",
    "os",
    "sqlite3",
    "json",
    "base64",
    "random",
    "uuid",
    "re",
    "ssl",
    "crypt",
    "logging",
    "time",
    "datetime",
    "functools",
    "pathlib",
    "tempfile",
    "shutil",
    "string",
    "mimetypes",
    "collections",
    "threading",
    "imghdr",
];
const SCRIPT_RUNTIME: [&str; 22] = [
    "crypto",
    "fs",
    "path",
    "http",
    "https",
    "os",
    "util",
    "process",
    "Buffer",
    "Math",
    "Date",
    "URL",
    "console",
    "fetch",
    "Response",
    "Request",
    "Headers",
    "stream",
    "url",
    "events",
    "Array",
    "globalThis",
];

impl Index {
    /// Where something with this outside name comes from.
    pub(crate) fn origin(&self, lang: Lang, name: &str) -> Origin {
        let root = root(lang, name);
        let runtime = match lang {
            Lang::Python => PYTHON_RUNTIME.contains(&root.as_str()),
            Lang::Script => SCRIPT_RUNTIME.contains(&root.as_str()),
            Lang::Rust => matches!(root.as_str(), "std" | "core" | "alloc"),
        };
        if runtime {
            return Origin::Runtime { module: root };
        }
        let packages = self.project.manifests.of(lang);
        if FRAMEWORKS.contains(&root.as_str()) {
            let version = packages.version(&root.replace('_', "-"));
            return Origin::Framework {
                name: root,
                version,
            };
        }
        let known = PACKAGES
            .iter()
            .find(|(module, _)| lang == Lang::Python && *module == root);
        let name = match known {
            Some((_, package)) => (*package).to_owned(),
            None if lang == Lang::Script => root,
            None => root.replace('_', "-"),
        };
        let version = packages
            .version(&name)
            .or_else(|| packages.version(&name.replace('_', "-")));
        Origin::Library { name, version }
    }

    /// A call that running code reaches, with this outside name.
    pub(crate) fn live_named(&self, name: &str) -> impl Iterator<Item = &Call> {
        self.calls_named(name).filter(|call| call.live)
    }

    /// The folded value of an argument, as a parameter shows it.
    pub(crate) fn shown(&self, at: Option<At>) -> Option<String> {
        self.project.fold(at?).show()
    }

    pub(crate) fn folded(&self, at: Option<At>) -> Value {
        at.map_or(Value::Unknown, |at| self.project.fold(at))
    }

    pub(crate) fn routes_for(&self, purpose: Purpose) -> Vec<&Route> {
        self.routes
            .iter()
            .filter(|route| route.purpose() == purpose)
            .collect()
    }

    /// All code that runs for a route: its handler, what runs before it, and what these reach.
    pub(crate) fn code_of(&self, route: &Route) -> Vec<At> {
        self.reach_all(&route.entries())
    }

    /// Nodes of these functions, each function's own.
    pub(crate) fn nodes_of(&self, functions: &[At]) -> Vec<At> {
        functions
            .iter()
            .flat_map(|function| self.own_nodes(*function))
            .copied()
            .collect()
    }

    /// The same, with what the constants are that these functions name.
    pub(crate) fn nodes_with_values(&self, functions: &[At]) -> Vec<At> {
        let project = &self.project;
        let mut all = self.nodes_of(functions);
        let mut seen: BTreeSet<At> = all.iter().copied().collect();
        let mut next = 0;
        while let Some(at) = all.get(next).copied() {
            next += 1;
            if !matches!(project.kind(at), Kind::Name | Kind::Member { .. }) {
                continue;
            }
            let Some(value) = project.definition(at) else {
                continue;
            };
            if self.owner(value).id != project.tree(value).root || seen.contains(&value) {
                continue;
            }
            for inner in project.inside(value) {
                if seen.insert(inner) {
                    all.push(inner);
                }
            }
        }
        all
    }

    /// Calls that make an upload handler which a route uses: `upload.single('file')` uses `upload`.
    pub(crate) fn upload_handlers(&self) -> Vec<&Call> {
        let project = &self.project;
        let mut used = BTreeSet::new();
        for method in ["single", "array", "fields", "any", "none"] {
            for call in self.calls_of(method).filter(|call| call.live) {
                if let Kind::Call { callee, .. } = project.kind(call.at)
                    && let Kind::Member { of, .. } = project.kind(call.at.with(callee))
                {
                    let of = call.at.with(of);
                    used.insert(project.definition(of).unwrap_or(of));
                }
            }
        }
        let all: Vec<&Call> = self.live_named("multer").collect();
        let known: Vec<&Call> = all
            .iter()
            .copied()
            .filter(|call| used.contains(&call.at))
            .collect();
        if known.is_empty() { all } else { known }
    }

    /// Functions that these are given: filters, and what names files.
    pub(crate) fn upload_functions(&self) -> Vec<At> {
        let project = &self.project;
        let mut found = Vec::new();
        for call in self.upload_handlers() {
            let storage = call
                .named(project, "storage")
                .and_then(|at| project.definition(at));
            for inner in [call.at]
                .into_iter()
                .chain(storage)
                .flat_map(|at| project.inside(at))
            {
                match (project.kind(inner), project.resolve(inner)) {
                    (Kind::Function { .. }, _) => found.push(inner),
                    (Kind::Name | Kind::Member { .. }, Thing::Inside(function)) => {
                        found.push(function);
                    }
                    _ => {}
                }
            }
        }
        self.reach_all(&found)
    }

    /// Why something that is there decides nothing.
    pub(crate) fn is_dead(&self, call: &Call, what: &str) -> String {
        let span = self.project.span(call.at);
        format!(
            "{}:{} has {what}, and nothing that runs uses it",
            span.file, span.line
        )
    }

    /// Whether a text only asks for what is kept under it: `headers.get('X')`, `'X' in headers`.
    pub(crate) fn only_asks(&self, at: At) -> bool {
        let tree = self.project.tree(at);
        tree.parent(at.id)
            .is_some_and(|parent| match tree.kind(parent) {
                Kind::Call { args, .. } => self.call(at.with(parent)).is_some_and(|call| {
                    tree.list(args).first() == Some(&at.id)
                        && (matches!(
                            call.method.as_str(),
                            "get"
                                | "has"
                                | "getlist"
                                | "get_all"
                                | "contains_key"
                                | "pop"
                                | "delete"
                                | "remove"
                                | "removeHeader"
                        ) || call.method == "header" && args.len == 1)
                }),
                Kind::Binary { op, .. } => op.compares(),
                _ => false,
            })
    }

    /// All names in running code that stand for something outside with this name.
    pub(crate) fn live_mentions(&self, wanted: &[&str]) -> Vec<(At, String)> {
        let mut found = Vec::new();
        // Following every name is what costs most here.
        if !wanted.iter().any(|name| self.imports(name)) {
            return found;
        }
        for (number, tree) in self.project.trees.iter().enumerate() {
            for id in 0..tree.nodes.len() as u32 {
                if !matches!(tree.kind(id), Kind::Name | Kind::Member { .. }) {
                    continue;
                }
                let at = At {
                    tree: number as u32,
                    id,
                };
                if let Some(name) = self.project.name(at)
                    && wanted.contains(&name.as_str())
                    && self.is_live(at)
                {
                    found.push((at, name));
                }
            }
        }
        found
    }
}

/// The package of an outside name: `@node-rs/argon2.hash` is `@node-rs/argon2`.
fn root(lang: Lang, name: &str) -> String {
    if lang == Lang::Script && name.starts_with('@') {
        let end = name
            .find('/')
            .and_then(|slash| name[slash..].find(['.', '(']).map(|dot| slash + dot));
        return name[..end.unwrap_or(name.len())].to_owned();
    }
    name.split(['.', '(']).next().unwrap_or(name).to_owned()
}
