//! Actix Web: `#[get("/path")]`, `.route("/path", web::get().to(handler))`, `web::resource("/path")`; `web::scope`,
//! `configure` and functions that make a scope for what stands before a path, `wrap` for what runs before.

use super::{Route, joined};
use crate::index::{Call, Index};
use crate::project::{At, Thing};
use crate::tree::{Kind, Lang, NONE};
use foldhash::HashMap;

const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "head"];
/// Scopes in scopes, functions that configure by functions.
const DEEPEST: u8 = 8;

pub(super) fn find(index: &Index) -> Vec<Route> {
    let project = &index.project;
    let is_actix = |text: &str| text.contains("actix_web");
    let mut trees = project.trees.iter();
    if !trees.any(|tree| tree.lang == Lang::Rust && is_actix(&tree.text)) {
        return Vec::new();
    }
    let mounts = Mounts::new(index);
    let mut found = attributes(&mounts);
    for call in index
        .calls
        .iter()
        .filter(|call| project.lang(call.at) == Lang::Rust)
    {
        match (call.method.as_str(), call.args.as_slice()) {
            ("route", [path, answers]) => {
                let Some(path) = text(index, *path) else {
                    continue;
                };
                let around = Around::of(&mounts, call.at, 0);
                found.extend(answered(index, *answers, &around, &path));
            }
            // Of a resource, whose path is the chain's.
            ("route", [answers]) => {
                let around = Around::of(&mounts, call.at, 0);
                found.extend(answered(index, *answers, &around, ""));
            }
            ("to", [handler]) if is_on_resource(index, call) => {
                let around = Around::of(&mounts, call.at, 0);
                found.extend(around.route(index, "ANY", "", *handler, call.at));
            }
            _ => {}
        }
    }
    found
}

/// What stands before a place in the chain of calls that makes an app.
#[derive(Default)]
struct Around {
    prefix: String,
    guards: Vec<At>,
    before: Vec<String>,
}

impl Around {
    fn of(mounts: &Mounts<'_>, at: At, depth: u8) -> Self {
        let mut own = Self::default();
        own.add_chain(mounts.index, at);
        if depth > DEEPEST {
            return own;
        }
        let Some(outer) = mounts.of(at) else {
            return own;
        };
        let mut around = Self::of(mounts, outer, depth + 1);
        around.prefix = join(&around.prefix, &own.prefix);
        around.guards.extend(own.guards);
        around.before.extend(own.before);
        around
    }

    /// The scope or resource at the begin of a chain, and all that is wrapped around it anywhere in the chain.
    fn add_chain(&mut self, index: &Index, at: At) {
        let project = &index.project;
        for call in chain(index, at) {
            match (call.method.as_str(), call.args.as_slice()) {
                ("scope" | "resource", [path]) => {
                    self.prefix = text(index, *path).unwrap_or_default();
                }
                ("wrap", [middleware]) => {
                    for inner in project.inside(*middleware) {
                        if !matches!(project.kind(inner), Kind::Name | Kind::Member { .. }) {
                            continue;
                        }
                        match project.resolve(inner) {
                            Thing::Inside(function) => self.guards.push(function),
                            Thing::Outside(name) if name.contains('.') => self.before.push(name),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn route(&self, index: &Index, method: &str, path: &str, handler: At, at: At) -> Option<Route> {
        let handler = match index.project.resolve(handler) {
            Thing::Inside(function) => function,
            _ if matches!(index.project.kind(handler), Kind::Function { .. }) => handler,
            _ => return None,
        };
        Some(Route {
            method: method.to_owned(),
            path: joined("", &without_patterns(&join(&self.prefix, path))),
            handler,
            guards: self.guards.clone(),
            before: self.before.clone(),
            at,
        })
    }
}

/// `/{id:\d+}` is `/{id}`.
fn without_patterns(path: &str) -> String {
    let (mut out, mut depth, mut pattern) = (String::new(), 0_u32, false);
    for c in path.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 1 => pattern = true,
            _ => {}
        }
        if c == '}' && depth == 0 {
            pattern = false;
        }
        if !pattern {
            out.push(c);
        }
    }
    out
}

/// Actix puts a scope's path and what is in it together as they are, but for a slash at the scope's end.
fn join(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') {
        format!("{prefix}{path}")
    } else {
        format!("{prefix}/{path}")
    }
}

fn text(index: &Index, at: At) -> Option<String> {
    index.project.fold(at).text().map(str::to_owned)
}

/// The calls of a chain, of which this is one: `web::scope("/x").wrap(y).service(z)`.
fn chain(index: &Index, at: At) -> Vec<&Call> {
    let project = &index.project;
    let tree = project.tree(at);
    let mut top = at;
    // Upwards as long as something is called on what there is.
    while let Some(member) = tree.parent(top.id)
        && let Kind::Member { of, .. } = tree.kind(member)
        && of == top.id
        && let Some(call) = tree.parent(member)
        && matches!(tree.kind(call), Kind::Call { callee, .. } if callee == member)
    {
        top = at.with(call);
    }
    let mut all = Vec::new();
    let mut next = Some(top);
    while let Some(here) = next.take() {
        let Some(call) = index.call(here) else {
            break;
        };
        all.push(call);
        if let Kind::Call { callee, .. } = project.kind(here)
            && let Kind::Member { of, .. } = tree.kind(callee)
        {
            next = Some(here.with(of));
        }
    }
    all
}

/// The calls that put scopes, resources and handlers into others.
struct Mounts<'a> {
    index: &'a Index,
    /// By the function that they name: `.configure(users)`, `.service(users())`, `.service(handler)`.
    functions: HashMap<At, At>,
    /// By what was given a name before: `let users = web::scope("/users"); App::new().service(users)`.
    values: HashMap<At, At>,
}

impl<'a> Mounts<'a> {
    fn new(index: &'a Index) -> Self {
        let project = &index.project;
        let (mut functions, mut values) = (HashMap::default(), HashMap::default());
        for method in ["configure", "service"] {
            for call in index.calls_of(method) {
                if project.lang(call.at) != Lang::Rust {
                    continue;
                }
                for arg in &call.args {
                    let named = match project.kind(*arg) {
                        Kind::Call { callee, .. } => arg.with(callee),
                        _ => *arg,
                    };
                    if let Thing::Inside(function) = project.resolve(named) {
                        functions.entry(function).or_insert(call.at);
                    } else if let Some(value) = project.definition(*arg) {
                        values.entry(value).or_insert(call.at);
                    }
                }
            }
        }
        Self {
            index,
            functions,
            values,
        }
    }

    /// The call that puts the chain around a place into another.
    fn of(&self, at: At) -> Option<At> {
        let tree = self.index.project.tree(at);
        let own = self.index.owner(at);
        let mut child = at.id;
        for id in tree.upwards(at.id) {
            let here = at.with(id);
            if here == own {
                break;
            }
            if let Some(mount) = self.values.get(&here) {
                return Some(*mount);
            }
            if id != at.id
                && let Some(call) = self.index.call(here)
                && matches!(call.method.as_str(), "service" | "configure")
                && call.args.contains(&at.with(child))
            {
                return Some(call.at);
            }
            child = id;
        }
        self.functions.get(&own).copied()
    }
}

/// `web::get().to(handler)`: the method and what answers.
fn answered(index: &Index, answers: At, around: &Around, path: &str) -> Option<Route> {
    let calls = chain(index, answers);
    let to = calls.iter().find(|call| call.method == "to")?;
    let handler = to.args.first()?;
    let method = calls
        .iter()
        .find(|call| METHODS.contains(&call.method.as_str()) && call.args.is_empty());
    let method = method.map_or_else(|| "ANY".to_owned(), |call| call.method.to_uppercase());
    around.route(index, &method, path, *handler, to.at)
}

fn is_on_resource(index: &Index, call: &Call) -> bool {
    let calls = chain(index, call.at);
    calls
        .iter()
        .any(|one| one.method == "resource" && one.args.len() == 1)
}

/// `#[get("/path")]`, `#[route("/path", method = "GET")]` above a function, where that is mounted.
fn attributes(mounts: &Mounts<'_>) -> Vec<Route> {
    let index = mounts.index;
    let project = &index.project;
    let mut found = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        if tree.lang != Lang::Rust {
            continue;
        }
        for id in 0..tree.nodes.len() as u32 {
            let Kind::Function { decorators, .. } = tree.kind(id) else {
                continue;
            };
            let function = At {
                tree: number as u32,
                id,
            };
            for decorator in project.list(function, decorators) {
                let Some((methods, path)) = attribute(index, decorator) else {
                    continue;
                };
                let around = mounts
                    .functions
                    .get(&function)
                    .map(|at| Around::of(mounts, *at, 0))
                    .unwrap_or_default();
                for method in methods {
                    found.extend(around.route(index, &method, &path, function, decorator));
                }
            }
        }
    }
    found
}

/// The methods and the path of an attribute. The tree has its name and what is in its brackets in turn.
fn attribute(index: &Index, at: At) -> Option<(Vec<String>, String)> {
    let project = &index.project;
    let Kind::Call { callee, .. } = project.kind(at) else {
        return None;
    };
    let Kind::Other(parts) = project.kind(at.with(callee)) else {
        return None;
    };
    let parts = project.list(at, parts);
    let name = *parts.first()?;
    let name = match project.kind(name) {
        Kind::Member { name: last, .. } => project.text(name.with(last)),
        _ => project.text(name),
    };
    let inside: Vec<At> = parts
        .iter()
        .skip(1)
        .filter(|part| part.id != NONE)
        .flat_map(|part| project.inside(*part))
        .collect();
    let mut strings = inside.iter().filter_map(|one| project.string(*one));
    if METHODS.contains(&name) {
        return Some((vec![name.to_uppercase()], strings.next()?));
    }
    if name != "route" {
        return None;
    }
    let path = strings.next()?;
    let known = |word: &String| METHODS.contains(&word.to_lowercase().as_str());
    Some((strings.filter(known).collect(), path))
}

#[cfg(test)]
mod tests {
    use crate::hints_of;

    fn routes(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let mut all: Vec<String> = hints_of(&files)
            .routes
            .iter()
            .map(|route| {
                format!(
                    "{} {} {}:{}",
                    route.method, route.path, route.file, route.line
                )
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn attributes_scopes_resources_and_functions_that_configure() {
        let main = r#"
use actix_web::{get, route, web, App, HttpServer};
mod users;
#[get("/health")]
async fn health() -> &'static str { "ok" }
#[actix_web::post("/echo/{tail:.*}")]
async fn echo() -> &'static str { "" }
#[route("/both", method = "GET", method = "PUT")]
async fn both() -> &'static str { "" }
async fn plain() -> &'static str { "" }
fn admin() -> actix_web::Scope { web::scope("/admin").route("", web::delete().to(plain)) }
#[actix_web::main]
async fn main() {
    HttpServer::new(|| {
        let late = web::scope("/late").service(echo);
        App::new()
            .service(health)
            .service(late)
            .service(
                web::scope("/api/")
                    .service(both)
                    .service(web::scope("/v1").configure(users::config).service(admin()))
            )
            .route("/old", web::post().to(plain))
    });
}
"#;
        let users = r#"
use actix_web::{web, HttpResponse};
async fn list() -> HttpResponse { todo!() }
async fn create() -> HttpResponse { todo!() }
async fn one() -> HttpResponse { todo!() }
pub fn config(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/users")
            .route(web::get().to(list))
            .route(web::post().to(create)),
    )
    .service(web::resource(r"/users/{id:\d{1,5}}").to(one));
}
"#;
        let found = routes(&[
            ("Cargo.toml", "[dependencies]\nactix-web = \"4\"\n"),
            ("src/main.rs", main),
            ("src/users.rs", users),
        ]);
        assert_eq!(
            found,
            [
                "ANY /api/v1/users/{id} src/users.rs:5",
                "DELETE /api/v1/admin src/main.rs:10",
                "GET /api/both src/main.rs:9",
                "GET /api/v1/users src/users.rs:3",
                "GET /health src/main.rs:5",
                "POST /api/v1/users src/users.rs:4",
                "POST /late/echo/{tail} src/main.rs:7",
                "POST /old src/main.rs:10",
                "PUT /api/both src/main.rs:9",
            ]
        );
    }

    /// Functions that mount each other, and a method of another crate's.
    #[test]
    fn what_is_mounted_in_itself_has_an_end() {
        let text = "use actix_web::web;\nfn a(cfg: &mut web::ServiceConfig) { cfg.service(web::scope(\"/a\").configure(b)); }\n\
                    fn b(cfg: &mut web::ServiceConfig) { cfg.service(web::scope(\"/b\").configure(a).route(\"/x\", web::get().to(c))); }\nasync fn c() {}\n";
        let found = routes(&[("src/main.rs", text)]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("GET /") && found[0].contains("/b/x"),
            "{found:?}"
        );
    }
}
