//! How values reach SQL: bound to parameters, through a mapper, or written into the text.
//!
//! ## What is read
//! Every statement in running code that is written as text. A hole in one is harmless when what fills it is fixed by the
//! source: a constant, an entry of a map, one of two alternatives, a list of question marks, a number. Parameters of the
//! app's own functions are followed to every call.
//!
//! ## Does not see
//! Statements that are put together elsewhere than where they are run, beyond constants. A hole filled by what a check let
//! through (`if sort not in ALLOWED: raise`) is harmless and counted as such only where the check names the same variable.

use model::decision::{Confidence, Origin};

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::{At, Thing};
use crate::tree::{Kind, Lang, NONE, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "SQL access",
    exploits: &[
        "sql-injection-login",
        "sql-injection-search",
        "sql-injection-sort",
    ],
    words: &[
        "sql injection",
        "bound parameter",
        "parameterised quer",
        "parameterized quer",
        "prepared statement",
        "use an orm",
    ],
    read,
};

const RUNS: [&str; 22] = [
    "execute",
    "executemany",
    "executescript",
    "query",
    "prepare",
    "exec",
    "all",
    "get",
    "run",
    "raw",
    "text",
    "$queryRaw",
    "$queryRawUnsafe",
    "$executeRawUnsafe",
    "$executeRaw",
    "queryRaw",
    "query_row",
    "query_map",
    "fetch_all",
    "fetch_one",
    "prepare_cached",
    "sql_query",
];

const MAPPERS: [(Lang, &str); 14] = [
    (Lang::Python, "sqlalchemy.select"),
    (Lang::Python, "sqlalchemy.orm.Session"),
    (Lang::Python, "sqlalchemy.orm.sessionmaker"),
    (Lang::Python, "sqlmodel.Session"),
    (Lang::Python, "sqlmodel.select"),
    (Lang::Python, "flask_sqlalchemy.SQLAlchemy"),
    (Lang::Python, "django.db.models.Model"),
    (Lang::Python, "peewee.Model"),
    (Lang::Script, "@prisma/client.PrismaClient"),
    (Lang::Script, "drizzle-orm.better-sqlite3.drizzle"),
    (Lang::Script, "drizzle-orm.libsql.drizzle"),
    (Lang::Script, "typeorm.DataSource"),
    (Lang::Script, "sequelize.Sequelize"),
    (Lang::Rust, "diesel.prelude.Connection.establish"),
];

fn read(index: &Index) -> Outcome {
    let project = &index.project;
    let (mut bound, mut built): (Vec<At>, Vec<At>) = (Vec::new(), Vec::new());
    for call in index.calls.iter().filter(|call| call.live) {
        let Some(first) = call.args.first().copied() else {
            continue;
        };
        let tag = call.name != "String.raw" && is_tag(index, call.at, first);
        if !tag && !RUNS.contains(&call.method.as_str()) {
            continue;
        }
        let text = match project.kind(first) {
            Kind::Name | Kind::Member { .. } => project.definition(first).unwrap_or(first),
            _ => first,
        };
        if !is_sql(index, text) {
            continue;
        }
        // A tagged template binds its holes itself: sql`…`
        let tagged =
            matches!(project.kind(text), Kind::Template(_)) && is_tag(index, call.at, text);
        if tagged
            || holes(index, text)
                .into_iter()
                .all(|hole| fixed(index, hole, 6))
        {
            bound.push(call.at);
        } else {
            built.push(call.at);
        }
    }
    let mut found = Vec::new();
    if let Some(first) = built.first() {
        let mut one = Found::new(index, "built from strings", Origin::HandWritten, *first).below(
            Some("text from outside becomes part of the statement".to_owned()),
        );
        for at in &built[1..] {
            one = one.also(index, *at);
        }
        found.push(one);
    }
    for (lang, name) in MAPPERS {
        let call = index
            .calls_named(name)
            .find(|call| call.live)
            .map(|call| call.at);
        let at = call.or_else(|| index.live_mentions(&[name]).first().map(|(at, _)| *at));
        if let Some(at) = at.filter(|at| project.lang(*at) == lang) {
            found.push(Found::new(index, "ORM", index.origin(lang, name), at));
            break;
        }
    }
    if let Some(first) = bound.first()
        && !found.iter().any(|one| one.choice == "ORM")
    {
        let (origin, confidence) = driver(index);
        let one = Found::new(index, "bound parameters", origin, *first)
            .note(format!("{} statements", bound.len()))
            .unsure(confidence);
        let mut one = one;
        one.own.clear();
        found.push(one);
    }
    if !found.is_empty() {
        return Outcome::Found(found);
    }
    // Statements may stand in what could not be read.
    if index.project.unread.is_empty() || index.routes.is_empty() {
        Outcome::NoPlace
    } else {
        Outcome::Nothing
    }
}

/// The database's library.
fn driver(index: &Index) -> (Origin, Confidence) {
    const DRIVERS: [(Lang, &str); 13] = [
        (Lang::Python, "sqlite3.connect"),
        (Lang::Python, "psycopg.connect"),
        (Lang::Python, "psycopg2.connect"),
        (Lang::Python, "aiosqlite.connect"),
        (Lang::Python, "asyncpg.connect"),
        (Lang::Script, "libsql"),
        (Lang::Script, "better-sqlite3"),
        (Lang::Script, "pg.Pool"),
        (Lang::Script, "mysql2.promise.createPool"),
        (Lang::Script, "@libsql/client.createClient"),
        (Lang::Rust, "rusqlite.Connection.open"),
        (Lang::Script, "sqlite.DatabaseSync"),
        (Lang::Script, "postgres"),
    ];
    for (lang, name) in DRIVERS {
        if index.calls_named(name).any(|call| call.live) {
            return (index.origin(lang, name), Confidence::High);
        }
    }
    (Origin::HandWritten, Confidence::Medium)
}

fn is_tag(index: &Index, call: At, text: At) -> bool {
    // `callee` and one argument that follows it at once.
    let project = &index.project;
    let tree = project.tree(call);
    let Kind::Call { callee, .. } = project.kind(call) else {
        return false;
    };
    let end = tree.nodes.get(callee as usize).map_or(0, |node| node.end);
    tree.nodes
        .get(text.id as usize)
        .is_some_and(|node| node.start == end)
}

/// Whether a text is a statement.
fn is_sql(index: &Index, at: At) -> bool {
    let project = &index.project;
    let first = project
        .inside(at)
        .into_iter()
        .filter(|one| matches!(project.kind(*one), Kind::Str { .. }))
        .find_map(|one| project.string(one).filter(|text| !text.trim().is_empty()));
    let Some(text) = first else {
        return false;
    };
    let lower = text.trim_start().to_ascii_lowercase();
    [
        "select ", "insert ", "update ", "delete ", "with ", "replace ",
    ]
    .iter()
    .any(|word| lower.starts_with(word))
        || lower == "select"
}

/// What fills the holes of a text.
fn holes(index: &Index, at: At) -> Vec<At> {
    let project = &index.project;
    match project.kind(at) {
        Kind::Template(kids) => project
            .list(at, kids)
            .into_iter()
            .flat_map(|part| holes(index, part))
            .collect(),
        Kind::Str { .. } => Vec::new(),
        Kind::Binary {
            op: Op::Add,
            left,
            right,
        } => {
            let mut all = holes(index, at.with(left));
            all.extend(holes(index, at.with(right)));
            all
        }
        // `"… %s" % x`
        Kind::Binary {
            op: Op::Mod,
            left,
            right,
        } => {
            let mut all = holes(index, at.with(left));
            match project.kind(at.with(right)) {
                Kind::List(kids) => all.extend(project.list(at, kids)),
                _ => all.push(at.with(right)),
            }
            all
        }
        // `"…".format(x)`, Rust's `format!("…", x)`, `" ".join(parts)`
        Kind::Call { callee, args } => {
            let args = project.list(at, args);
            match project.kind(at.with(callee)) {
                Kind::Member { of, name } if project.text(at.with(name)) == "format" => {
                    let mut all = holes(index, at.with(of));
                    all.extend(args);
                    all
                }
                _ => match project.text(at.with(callee)) {
                    "format" => args
                        .into_iter()
                        .flat_map(|arg| project.inside(arg))
                        .filter(|one| matches!(project.kind(*one), Kind::Name))
                        .collect(),
                    "text" | "sql" => args
                        .first()
                        .map_or(Vec::new(), |first| holes(index, *first)),
                    _ => vec![at],
                },
            }
        }
        Kind::Name | Kind::Member { .. } => match project.definition(at) {
            Some(value) if is_sql(index, value) => holes(index, value),
            _ => vec![at],
        },
        _ => vec![at],
    }
}

/// Whether the source alone decides what stands there, or it is a number.
fn fixed(index: &Index, at: At, depth: u8) -> bool {
    let project = &index.project;
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    if at.id == NONE {
        return false;
    }
    match project.kind(at) {
        Kind::Str { .. } | Kind::Num | Kind::True | Kind::False | Kind::Null => true,
        Kind::Template(kids) | Kind::List(kids) => project
            .list(at, kids)
            .into_iter()
            .all(|part| fixed(index, part, depth)),
        Kind::If { then, other, .. } => {
            fixed(index, at.with(then), depth) && fixed(index, at.with(other), depth)
        }
        Kind::Binary {
            op: Op::Add | Op::Mul | Op::Or | Op::Coalesce | Op::Sub,
            left,
            right,
        } => fixed(index, at.with(left), depth) && fixed(index, at.with(right), depth),
        Kind::Index { of, .. } => map(index, at.with(of), depth),
        Kind::Await(of) => fixed(index, at.with(of), depth),
        Kind::Call { callee, args } => {
            let args = project.list(at, args);
            let callee = at.with(callee);
            if matches!(
                project.text(callee),
                "int"
                    | "float"
                    | "Number"
                    | "parseInt"
                    | "len"
                    | "Math.floor"
                    | "Math.min"
                    | "Math.max"
            ) {
                return true;
            }
            match project.kind(callee) {
                Kind::Member { of, name } => match project.text(callee.with(name)) {
                    "get" => {
                        map(index, callee.with(of), depth)
                            && args.iter().skip(1).all(|arg| fixed(index, *arg, depth))
                    }
                    // `", ".join("?" for …)`, `Array(n).fill('?').join(',')`, `rows.map(() => '?').join(',')`
                    "join" => {
                        let inner = [callee.with(of)].into_iter().chain(args);
                        inner.into_iter().all(|one| only_marks(index, one, depth))
                    }
                    "length" => true,
                    _ => false,
                },
                _ => match project.resolve(callee) {
                    Thing::Inside(function) => {
                        let returns = project.returns(function);
                        !returns.is_empty()
                            && returns.into_iter().all(|one| fixed(index, one, depth))
                    }
                    _ => false,
                },
            }
        }
        Kind::Name | Kind::Member { .. } => name(index, at, depth),
        _ => false,
    }
}

/// Nothing but question marks, or a list that the source writes out.
fn only_marks(index: &Index, at: At, depth: u8) -> bool {
    let project = &index.project;
    let texts: Vec<String> = project
        .inside(at)
        .into_iter()
        .filter_map(|one| {
            matches!(project.kind(one), Kind::Str { .. })
                .then(|| project.string(one))
                .flatten()
        })
        .collect();
    let marks = !texts.is_empty()
        && texts.iter().all(|text| {
            text.chars()
                .all(|c| matches!(c, '?' | ',' | ' ' | '(' | ')'))
        });
    marks || fixed(index, at, depth)
}

fn name(index: &Index, at: At, depth: u8) -> bool {
    let project = &index.project;
    if let Some(value) = project.definition(at) {
        return fixed(index, value, depth);
    }
    if let Kind::Member { of, name } = project.kind(at) {
        // A count, or the value of an enumeration's member.
        if matches!(project.text(at.with(name)), "length" | "value") {
            return project.text(at.with(name)) == "length" || typed(index, at.with(of));
        }
    }
    let tree = project.tree(at);
    let text = tree.text(at.id);
    let scope = tree.function_of(at.id).unwrap_or(tree.root);
    // All that a name is given in its function.
    let values: Vec<At> = tree
        .bound_in(scope, text)
        .into_iter()
        .filter_map(|what| match what {
            crate::tree::Bound::Value { node, part: None } => Some(at.with(*node)),
            _ => None,
        })
        .collect();
    if values.len() > 1 {
        return values.into_iter().all(|value| fixed(index, value, depth));
    }
    if typed(index, at) || checked(index, at) {
        return true;
    }
    match project.resolve(at) {
        Thing::Param(param) => handed(index, param, depth),
        Thing::Outside(_)
        | Thing::Inside(_)
        | Thing::Module(_)
        | Thing::Value(_)
        | Thing::Unknown => {
            // A parameter with a type that is not the app's.
            match project.tree(at).bound_in(scope, text).as_slice() {
                [crate::tree::Bound::Param(param)] => handed(index, at.with(*param), depth),
                _ => false,
            }
        }
    }
}

/// A parameter whose type allows only numbers or what the source lists.
fn typed(index: &Index, at: At) -> bool {
    let project = &index.project;
    let tree = project.tree(at);
    let scope = tree.function_of(at.id).unwrap_or(tree.root);
    let found = tree.bound_in(scope, tree.text(at.id));
    let [crate::tree::Bound::Param(param)] = found.as_slice() else {
        return false;
    };
    let Kind::Param { annotation, .. } = tree.kind(*param) else {
        return false;
    };
    let text = tree.text(annotation);
    if matches!(
        text,
        "int" | "float" | "bool" | "i64" | "u64" | "u32" | "i32" | "usize"
    ) || text.starts_with("Literal[")
    {
        return true;
    }
    match project.resolve(at.with(annotation)) {
        Thing::Inside(class) => match project.kind(class) {
            Kind::Class { bases, .. } => project
                .list(class, bases)
                .iter()
                .any(|base| project.text(*base).ends_with("Enum")),
            _ => false,
        },
        _ => false,
    }
}

/// `if sort not in ALLOWED: raise`: the same name was tested against what the source lists, before.
fn checked(index: &Index, at: At) -> bool {
    let project = &index.project;
    let tree = project.tree(at);
    let text = tree.text(at.id);
    let scope = tree.function_of(at.id).unwrap_or(tree.root);
    tree.inside(scope).into_iter().any(|id| {
        let Kind::If { test, then, .. } = tree.kind(id) else {
            return false;
        };
        if id > at.id || test == NONE {
            return false;
        }
        let stops = tree
            .inside(then)
            .into_iter()
            .any(|one| matches!(tree.kind(one), Kind::Throw(_) | Kind::Return(_)));
        let named = tree
            .inside(test)
            .into_iter()
            .any(|one| match tree.kind(one) {
                Kind::Binary {
                    op: Op::NotIn,
                    left,
                    right,
                } => tree.text(left) == text && map(index, at.with(right), 4),
                Kind::Not(of) => match tree.kind(of) {
                    Kind::Call { callee, args } => match tree.kind(callee) {
                        Kind::Member { of, name } => {
                            matches!(tree.text(name), "includes" | "has" | "contains")
                                && tree
                                    .list(args)
                                    .first()
                                    .is_some_and(|arg| tree.text(*arg) == text)
                                && map(index, at.with(of), 4)
                        }
                        _ => false,
                    },
                    _ => false,
                },
                _ => false,
            });
        stops && named
    })
}

/// A map or list that the source writes out.
fn map(index: &Index, at: At, depth: u8) -> bool {
    let project = &index.project;
    let value = project.definition(at).unwrap_or(at);
    match project.kind(value) {
        Kind::Map(kids) => project
            .list(value, kids)
            .chunks(2)
            .all(|pair| fixed(index, pair[1], depth)),
        Kind::List(_) => fixed(index, value, depth),
        // `new Map([…])`, `new Set([…])`, `frozenset({…})`
        Kind::Call { callee, args } => {
            matches!(
                project.text(value.with(callee)),
                "Map" | "Set" | "frozenset" | "set" | "dict" | "tuple"
            ) && project
                .list(value, args)
                .into_iter()
                .all(|arg| fixed(index, arg, depth))
        }
        _ => false,
    }
}

/// Whether every call gives a parameter something fixed. A function that nothing calls is given anything.
fn handed(index: &Index, param: At, depth: u8) -> bool {
    let project = &index.project;
    let tree = project.tree(param);
    let Some(function) = tree.parent(param.id).map(|id| param.with(id)) else {
        return false;
    };
    let Kind::Function { params, .. } = project.kind(function) else {
        return false;
    };
    // What a framework calls is given what a request brings.
    if index
        .routes
        .iter()
        .any(|route| route.handler == function || route.guards.contains(&function))
    {
        return false;
    }
    let params = project.list(function, params);
    let Some(place) = params.iter().position(|one| *one == param) else {
        return false;
    };
    let name = match project.kind(param) {
        Kind::Param { name, .. } => tree.text(name).to_owned(),
        _ => String::new(),
    };
    let mut calls = index.calls_to(function).peekable();
    calls.peek().is_some()
        && calls.all(|call| {
            call.arg(project, place, &name)
                .is_some_and(|given| fixed(index, given, depth))
        })
}
