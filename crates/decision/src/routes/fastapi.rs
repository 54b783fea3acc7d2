//! FastAPI: decorators of apps and routers, prefixes, dependencies of routes, routers and apps.

use super::{Route, joined};
use crate::index::{Call, Index};
use crate::project::{At, Thing};
use crate::tree::{Kind, Lang, NONE};
use foldhash::HashMap;

const METHODS: [&str; 8] = [
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "options",
    "api_route",
];

/// A router: its own prefix and dependencies, and those under which it is included.
#[derive(Default, Clone)]
struct Router {
    prefix: String,
    dependencies: Vec<At>,
    /// Where it is included: the including router, and what that adds.
    parents: Vec<(At, String, Vec<At>)>,
}

pub(super) fn find(index: &Index) -> Vec<Route> {
    let project = &index.project;
    let mut routers: HashMap<At, Router> = HashMap::default();
    for name in ["fastapi.FastAPI", "fastapi.APIRouter"] {
        for call in index.calls_named(name) {
            let prefix = call.named(project, "prefix");
            let router = Router {
                prefix: prefix.and_then(|at| text(index, at)).unwrap_or_default(),
                dependencies: dependencies(index, call),
                parents: Vec::new(),
            };
            routers.insert(call.at, router);
        }
    }
    if routers.is_empty() {
        return Vec::new();
    }
    for call in index.calls_of("include_router") {
        let (Some(child), Some(parent)) = (
            call.args.first().and_then(|arg| made(index, *arg)),
            receiver(index, call),
        ) else {
            continue;
        };
        let prefix = call.named(project, "prefix");
        let prefix = prefix.and_then(|at| text(index, at)).unwrap_or_default();
        let own = dependencies(index, call);
        if let Some(router) = routers.get_mut(&child) {
            router.parents.push((parent, prefix, own));
        }
    }
    let whole = Whole::new(index);
    let mut found = Vec::new();
    for (number, tree) in project.trees.iter().enumerate() {
        if tree.lang != Lang::Python {
            continue;
        }
        for id in 0..tree.nodes.len() as u32 {
            let Kind::Function {
                decorators, params, ..
            } = tree.kind(id)
            else {
                continue;
            };
            let handler = At {
                tree: number as u32,
                id,
            };
            for decorator in project.list(handler, decorators) {
                let Some(call) = index.call(decorator) else {
                    continue;
                };
                if !METHODS.contains(&call.method.as_str()) {
                    continue;
                }
                let Some(router) = receiver(index, call).filter(|made| routers.contains_key(made))
                else {
                    continue;
                };
                let path = call
                    .arg(project, 0, "path")
                    .and_then(|at| text(index, at))
                    .unwrap_or_default();
                let mut own = dependencies(index, call);
                for param in project.list(handler, params) {
                    if let Kind::Param {
                        annotation,
                        default,
                        ..
                    } = project.kind(param)
                    {
                        own.extend(depends(index, handler.with(default)));
                        own.extend(depends(index, handler.with(annotation)));
                    }
                }
                let method = if call.method == "api_route" {
                    "ANY".to_owned()
                } else {
                    call.method.to_uppercase()
                };
                for (prefix, above, top) in places(&routers, router, 6) {
                    let mut all = own.clone();
                    all.extend(above);
                    let (mut guards, before) = sorted(index, &all);
                    guards.extend(whole.around(top, 6));
                    found.push(Route {
                        method: method.clone(),
                        path: joined(&prefix, &path),
                        handler,
                        guards,
                        before,
                        at: decorator,
                    });
                }
            }
        }
    }
    found
}

/// The app's own code that runs before all: `@app.middleware("http")`, `app.add_middleware(Own)`.
#[derive(Default)]
struct Whole {
    /// Of each app.
    added: HashMap<At, Vec<At>>,
    /// The apps that an app is mounted in.
    mounted: HashMap<At, Vec<At>>,
}

impl Whole {
    fn new(index: &Index) -> Self {
        let project = &index.project;
        let app = |call: &Call| {
            receiver(index, call).filter(|made| {
                index
                    .call(*made)
                    .is_some_and(|made| made.name == "fastapi.FastAPI")
            })
        };
        let mut all = Self::default();
        for call in index.calls_of("middleware") {
            let tree = project.tree(call.at);
            if let Some(app) = app(call)
                && let Some(function) = tree.parent(call.at.id)
                && matches!(tree.kind(function), Kind::Function { .. })
            {
                let added = all.added.entry(app).or_default();
                added.push(call.at.with(function));
            }
        }
        for call in index.calls_of("add_middleware") {
            if let Some(app) = app(call)
                && let Some(first) = call.args.first()
                && let Thing::Inside(class) = project.resolve(*first)
            {
                all.added.entry(app).or_default().push(class);
            }
        }
        for call in index.calls_of("mount") {
            if let Some(app) = app(call)
                && let Some(inner) = call.arg(project, 1, "app")
                && let Some(inner) = made(index, inner)
            {
                all.mounted.entry(inner).or_default().push(app);
            }
        }
        all
    }

    /// What runs before the routes of an app.
    fn around(&self, app: At, depth: u8) -> Vec<At> {
        let mut found = self.added.get(&app).cloned().unwrap_or_default();
        if depth > 0 {
            let outer = self.mounted.get(&app).into_iter().flatten();
            found.extend(outer.flat_map(|app| self.around(*app, depth - 1)));
        }
        found
    }
}

/// The prefixes under which a router answers, each with the dependencies on the way, and the app or router at the top.
fn places(routers: &HashMap<At, Router>, at: At, depth: u8) -> Vec<(String, Vec<At>, At)> {
    let Some(router) = routers.get(&at).filter(|_| depth > 0) else {
        return vec![(String::new(), Vec::new(), at)];
    };
    let mut all = Vec::new();
    for (parent, added, own) in &router.parents {
        for (prefix, mut dependencies, top) in places(routers, *parent, depth - 1) {
            dependencies.extend(own);
            dependencies.extend(&router.dependencies);
            all.push((
                format!("{prefix}{added}{}", router.prefix),
                dependencies,
                top,
            ));
        }
    }
    if all.is_empty() {
        all.push((router.prefix.clone(), router.dependencies.clone(), at));
    }
    all
}

fn text(index: &Index, at: At) -> Option<String> {
    index.project.fold(at).text().map(str::to_owned)
}

/// The call that made the router an expression stands for.
fn made(index: &Index, at: At) -> Option<At> {
    let definition = index.project.definition(at)?;
    index.call(definition).map(|call| call.at)
}

/// The router that a method is called on.
fn receiver(index: &Index, call: &Call) -> Option<At> {
    let Kind::Call { callee, .. } = index.project.kind(call.at) else {
        return None;
    };
    match index.project.kind(call.at.with(callee)) {
        Kind::Member { of, .. } => made(index, call.at.with(of)),
        _ => None,
    }
}

/// `dependencies=[Depends(a), Security(b)]`
fn dependencies(index: &Index, call: &Call) -> Vec<At> {
    let Some(list) = call.named(&index.project, "dependencies") else {
        return Vec::new();
    };
    depends(index, list)
}

/// What is inside each `Depends(…)` and `Security(…)` of an expression; an alias of an annotation is followed.
fn depends(index: &Index, at: At) -> Vec<At> {
    let project = &index.project;
    if at.id == NONE {
        return Vec::new();
    }
    let mut found = Vec::new();
    for inner in project.inside(at) {
        if let Some(call) = index.call(inner)
            && matches!(
                call.name.as_str(),
                "fastapi.Depends" | "fastapi.Security" | "fastapi.params.Depends"
            )
            && let Some(first) = call.arg(project, 0, "dependency")
        {
            found.push(first);
        } else if let Kind::Name | Kind::Member { .. } = project.kind(inner)
            && let Some(alias) = project.definition(inner)
            && matches!(project.kind(alias), Kind::Index { .. })
            && alias != at
        {
            // `CurrentUser = Annotated[User, Depends(current_user)]`
            found.extend(depends(index, alias));
        }
    }
    found
}

/// The app's own functions, and the outside names.
fn sorted(index: &Index, all: &[At]) -> (Vec<At>, Vec<String>) {
    let (mut own, mut outside) = (Vec::new(), Vec::new());
    for at in all {
        match index.project.resolve(*at) {
            Thing::Inside(found) => own.push(found),
            Thing::Outside(name) => outside.push(name),
            _ => own.extend(super::function(index, *at)),
        }
    }
    (own, outside)
}
