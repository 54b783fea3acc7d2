//! All sources of an app, and what a name in them stands for: followed through imports, aliases and re-exports.

use std::sync::Mutex;

use foldhash::HashMap;
use model::decision::{Span, Unread};

use crate::manifest::Manifests;
use crate::modules::{aliases, outside};
use crate::source::Sources;
use crate::tree::{Bound, Id, Kids, Kind, Lang, NONE, Op, Tree};

/// A node in one of the app's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) tree: u32,
    pub(crate) id: Id,
}

/// What an expression stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    /// Something that the app did not write, by its whole name: `bcrypt.hashpw`, `crypto.createHmac().update`.
    /// A call's result is the name with `()`.
    Outside(String),
    /// One of the app's files.
    Module(u32),
    /// A function or class of the app; for a class also an instance.
    Inside(At),
    /// An expression that is no name for something else.
    Value(At),
    /// A parameter of which no type is known.
    Param(At),
    Unknown,
}

/// Longer chains of names are not followed.
const LONGEST: u32 = 14;

pub(crate) struct Project {
    pub(crate) trees: Vec<Tree>,
    pub(crate) others: Vec<(String, String)>,
    pub(crate) manifests: Manifests,
    pub(crate) unread: Vec<Unread>,
    pub(crate) by_path: HashMap<String, u32>,
    /// Of each file, what its imports were found to mean.
    pub(crate) imports: Vec<Mutex<HashMap<String, Option<u32>>>>,
    /// `@/` of `tsconfig.json`: what stands before and what for it.
    pub(crate) aliases: Vec<(String, String)>,
}

impl Project {
    pub(crate) fn new(sources: Sources) -> Self {
        let by_path = sources
            .trees
            .iter()
            .enumerate()
            .map(|(index, tree)| (tree.path.clone(), index as u32))
            .collect();
        Self {
            manifests: Manifests::read(&sources.others),
            aliases: aliases(&sources.others),
            imports: sources.trees.iter().map(|_| Mutex::default()).collect(),
            trees: sources.trees,
            others: sources.others,
            unread: sources.unread,
            by_path,
        }
    }

    pub(crate) fn tree(&self, at: At) -> &Tree {
        &self.trees[at.tree as usize]
    }

    pub(crate) fn kind(&self, at: At) -> Kind {
        self.tree(at).kind(at.id)
    }

    pub(crate) fn text(&self, at: At) -> &str {
        self.tree(at).text(at.id)
    }

    pub(crate) fn lang(&self, at: At) -> Lang {
        self.tree(at).lang
    }

    pub(crate) fn list(&self, at: At, kids: Kids) -> Vec<At> {
        let ids = self.tree(at).list(kids);
        ids.iter().map(|id| at.with(*id)).collect()
    }

    pub(crate) fn string(&self, at: At) -> Option<String> {
        self.tree(at).string(at.id)
    }

    /// Every node inside one, itself first.
    pub(crate) fn inside(&self, at: At) -> Vec<At> {
        let ids = self.tree(at).inside(at.id);
        ids.into_iter().map(|id| at.with(id)).collect()
    }

    pub(crate) fn span(&self, at: At) -> Span {
        let tree = self.tree(at);
        let (start, end) = tree
            .nodes
            .get(at.id as usize)
            .map_or((0, 0), |node| (node.start, node.end));
        let line = tree.line(start);
        let begin = tree.text[..start as usize]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let whole = tree.text[begin..].lines().next().unwrap_or_default();
        Span {
            file: tree.path.clone(),
            line,
            column: start - begin as u32 + 1,
            end_line: tree.line(end.saturating_sub(1).max(start)),
            text: whole.trim().chars().take(160).collect(),
        }
    }

    /// The whole outside name of an expression, if that is what it is.
    pub(crate) fn name(&self, at: At) -> Option<String> {
        match self.resolve(at) {
            Thing::Outside(name) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn resolve(&self, at: At) -> Thing {
        self.follow(at, LONGEST)
    }

    fn follow(&self, at: At, depth: u32) -> Thing {
        let Some(depth) = depth.checked_sub(1) else {
            return Thing::Unknown;
        };
        if at.id == NONE {
            return Thing::Unknown;
        }
        match self.kind(at) {
            Kind::Name => self.lookup(at, depth),
            Kind::Member { of, name } => {
                let name = self.text(at.with(name)).to_owned();
                self.member(self.follow(at.with(of), depth), &name, depth)
            }
            Kind::Await(of) => self.follow(at.with(of), depth),
            Kind::Assign { value, .. } if value != NONE => self.follow(at.with(value), depth),
            Kind::Binary {
                op: Op::Or | Op::Coalesce,
                left,
                ..
            } => match self.follow(at.with(left), depth) {
                Thing::Unknown | Thing::Value(_) => Thing::Value(at),
                known => known,
            },
            Kind::Index { of, at: index } => match self.follow(at.with(of), depth) {
                // `Annotated[X, …]` is an X; a list of X is none.
                Thing::Outside(name) if name.ends_with("Annotated") => {
                    let first = match self.kind(at.with(index)) {
                        Kind::List(kids) => self.list(at, kids).first().copied(),
                        _ => None,
                    };
                    first.map_or(Thing::Unknown, |first| self.follow(first, depth))
                }
                // `Json<X>` and `State<X>`.
                Thing::Outside(name) if self.lang(at) == Lang::Rust => Thing::Outside(name),
                _ => Thing::Value(at),
            },
            Kind::Call { callee, args } => self.called(at, at.with(callee), args, depth),
            Kind::Function { .. } | Kind::Class { .. } => Thing::Inside(at),
            _ => Thing::Value(at),
        }
    }

    fn called(&self, at: At, callee: At, args: Kids, depth: u32) -> Thing {
        let first = self.list(at, args).first().copied();
        match self.follow(callee, depth) {
            Thing::Outside(name) => match name.as_str() {
                "require" | "import" | "importlib.import_module" | "__import__" => {
                    match first.and_then(|first| self.string(first)) {
                        Some(module) => self.imported(at.tree, &module, None, depth),
                        None => Thing::Unknown,
                    }
                }
                "util.promisify" | "functools.partial" => {
                    first.map_or(Thing::Unknown, |first| self.follow(first, depth))
                }
                _ => Thing::Outside(name + "()"),
            },
            Thing::Inside(function) if self.is_class(function) => Thing::Inside(function),
            Thing::Inside(function) => {
                // `once('settings', () => ({ … }))` gives what the function that it is handed gives.
                let handed = self.list(at, args).last().copied().filter(
                    |last| matches!(self.kind(*last), Kind::Function { params, .. } if params.len == 0),
                );
                let given = handed.map(|handed| self.returned(handed, depth));
                if let Some(given @ Thing::Value(_)) = given {
                    return given;
                }
                match self.returned(function, depth) {
                    Thing::Unknown | Thing::Param(_) => Thing::Value(at),
                    known => known,
                }
            }
            _ => Thing::Value(at),
        }
    }

    /// What a function of the app returns, where all its returns agree.
    fn returned(&self, function: At, depth: u32) -> Thing {
        let mut things = self
            .returns(function)
            .into_iter()
            .filter(|one| self.kind(*one) != Kind::Null)
            .map(|one| self.follow(one, depth));
        let Some(first) = things.next() else {
            return Thing::Unknown;
        };
        if things.all(|other| other == first) {
            first
        } else {
            Thing::Unknown
        }
    }

    /// The expressions that a function returns, those of functions inside it left out.
    pub(crate) fn returns(&self, function: At) -> Vec<At> {
        let Kind::Function { body, .. } = self.kind(function) else {
            return Vec::new();
        };
        let tree = self.tree(function);
        let Kind::Block(kids) = tree.kind(body) else {
            return if body == NONE {
                Vec::new()
            } else {
                vec![function.with(body)]
            };
        };
        let mut found = Vec::new();
        for id in tree.inside(body) {
            if let Kind::Return(value) = tree.kind(id)
                && value != NONE
                && tree.function_of(id) == Some(function.id)
            {
                found.push(function.with(value));
            }
        }
        // In Rust the last expression is what a block gives.
        if tree.lang == Lang::Rust
            && let Some(last) = tree.list(kids).last()
            && !matches!(tree.kind(*last), Kind::Return(_) | Kind::Assign { .. })
        {
            found.push(function.with(*last));
        }
        found
    }

    fn lookup(&self, at: At, depth: u32) -> Thing {
        let tree = self.tree(at);
        let name = tree.text(at.id);
        if matches!(name, "self" | "this" | "Self") {
            let class = tree
                .upwards(at.id)
                .find(|id| matches!(tree.kind(*id), Kind::Class { .. }));
            if let Some(class) = class {
                return Thing::Inside(at.with(class));
            }
        }
        let Some(entries) = tree.bound.get(name) else {
            return self.unbound(at, name, depth);
        };
        let mut crossed = false;
        for scope in tree.upwards(at.id) {
            match tree.kind(scope) {
                Kind::Function { .. } => crossed = true,
                Kind::Class { .. } if crossed => continue,
                _ => {}
            }
            let here: Vec<&Bound> = entries
                .iter()
                .filter(|(home, _)| *home == scope)
                .map(|(_, what)| what)
                .collect();
            if !here.is_empty() {
                return self.agreed(at.tree, &here, depth);
            }
        }
        self.unbound(at, name, depth)
    }

    /// A name that nothing here binds: of the language, or from a module that is imported whole.
    fn unbound(&self, at: At, name: &str, depth: u32) -> Thing {
        for star in &self.tree(at).stars {
            match self.file_of(at.tree, star) {
                Some(file) => match self.exported(file, name, depth) {
                    Thing::Unknown => {}
                    known => return known,
                },
                None if !is_builtin(name) => {
                    return Thing::Outside(format!("{}.{name}", outside(star)));
                }
                None => {}
            }
        }
        Thing::Outside(name.to_owned())
    }

    /// One meaning, if all that a name is bound to agree.
    fn agreed(&self, tree: u32, all: &[&Bound], depth: u32) -> Thing {
        let mut found: Option<Thing> = None;
        for what in all {
            if let Bound::Value { node, .. } = what
                && self.trees[tree as usize].kind(*node) == Kind::Null
                && all.len() > 1
            {
                continue;
            }
            if **what == Bound::Opaque && all.len() > 1 {
                continue;
            }
            let thing = self.bound(tree, what, depth);
            match &found {
                None => found = Some(thing),
                Some(first) if *first == thing => {}
                // A type and its methods.
                Some(Thing::Inside(first)) if self.is_class(*first) => {}
                Some(_) => return Thing::Unknown,
            }
        }
        found.unwrap_or(Thing::Unknown)
    }

    fn is_class(&self, at: At) -> bool {
        matches!(self.kind(at), Kind::Class { .. })
    }

    fn bound(&self, tree: u32, what: &Bound, depth: u32) -> Thing {
        let Some(depth) = depth.checked_sub(1) else {
            return Thing::Unknown;
        };
        match what {
            Bound::Import { module, name } if module.is_empty() => {
                let name = name.as_deref().unwrap_or_default();
                self.own(tree, name, depth)
            }
            Bound::Import { module, name } => self.imported(tree, module, name.as_deref(), depth),
            Bound::Value { node, part } => {
                let thing = self.follow(At { tree, id: *node }, depth);
                match part.as_deref() {
                    None | Some("") => thing,
                    Some(part) => self.member(thing, part, depth),
                }
            }
            Bound::Def(id) => Thing::Inside(At { tree, id: *id }),
            Bound::Param(id) => {
                let at = At { tree, id: *id };
                let Kind::Param { annotation, .. } = self.kind(at) else {
                    return Thing::Unknown;
                };
                if annotation == NONE {
                    return Thing::Param(at);
                }
                match self.follow(at.with(annotation), depth) {
                    Thing::Outside(name) => Thing::Outside(name + "()"),
                    Thing::Inside(class) => Thing::Inside(class),
                    _ => Thing::Param(at),
                }
            }
            Bound::Opaque => Thing::Unknown,
        }
    }

    /// A module, or a name of one, as an import in `tree` writes it.
    fn imported(&self, tree: u32, module: &str, name: Option<&str>, depth: u32) -> Thing {
        let Some(name) = name else {
            return match self.file_of(tree, module) {
                Some(file) => Thing::Module(file),
                None => Thing::Outside(outside(module)),
            };
        };
        // `from . import db`, `use crate::db;`
        let lang = self.trees[tree as usize].lang;
        if lang != Lang::Script {
            let whole = match lang {
                Lang::Python if module.ends_with('.') => format!("{module}{name}"),
                Lang::Python => format!("{module}.{name}"),
                _ => format!("{module}::{name}"),
            };
            if let Some(file) = self.file_of(tree, &whole) {
                return Thing::Module(file);
            }
        }
        match self.file_of(tree, module) {
            Some(file) => self.exported(file, name, depth),
            // A default import is the module itself.
            None if name == "default" && lang == Lang::Script => Thing::Outside(outside(module)),
            None => Thing::Outside(format!("{}.{name}", outside(module))),
        }
    }

    /// A name as others see it in a file.
    pub(crate) fn exported(&self, file: u32, name: &str, depth: u32) -> Thing {
        let Some(depth) = depth.checked_sub(1) else {
            return Thing::Unknown;
        };
        let tree = &self.trees[file as usize];
        if let Some((_, what)) = tree.exports.iter().find(|(shown, _)| shown == name) {
            return self.bound(file, what, depth);
        }
        match self.own(file, name, depth) {
            Thing::Unknown => {}
            known => return known,
        }
        for star in &tree.stars {
            if let Some(other) = self.file_of(file, star)
                && other != file
            {
                match self.exported(other, name, depth) {
                    Thing::Unknown => {}
                    known => return known,
                }
            }
        }
        // `module.exports = { name }`
        if let Some((_, what)) = tree.exports.iter().find(|(shown, _)| shown == "default")
            && name != "default"
        {
            return self.member(self.bound(file, what, depth), name, depth);
        }
        Thing::Unknown
    }

    /// The expression that a name here is bound to, where it is bound once; through imports.
    pub(crate) fn bound_value(&self, at: At) -> Option<At> {
        let tree = self.tree(at);
        let name = tree.text(at.id);
        let entries = tree.bound.get(name)?;
        let mut crossed = false;
        for scope in tree.upwards(at.id) {
            match tree.kind(scope) {
                Kind::Function { .. } => crossed = true,
                Kind::Class { .. } if crossed => continue,
                _ => {}
            }
            if entries.iter().any(|(home, _)| *home == scope) {
                return self.value_in(at.tree, scope, name);
            }
        }
        None
    }

    /// The same for a name of a scope.
    pub(crate) fn value_in(&self, tree: u32, scope: Id, name: &str) -> Option<At> {
        let all = self.trees[tree as usize].bound_in(scope, name);
        match all.as_slice() {
            [Bound::Value { node, part: None }] => Some(At { tree, id: *node }),
            [
                Bound::Value {
                    node,
                    part: Some(part),
                },
            ] => match self.follow(At { tree, id: *node }, LONGEST) {
                Thing::Value(map) => self.entry(map, part),
                Thing::Module(file) => self.file_value(file, part, 8),
                _ => None,
            },
            [
                Bound::Import {
                    module,
                    name: Some(name),
                },
            ] => self.imported_value(tree, module, name, 8),
            _ => None,
        }
    }

    /// The expression behind an imported name; through re-exports.
    fn imported_value(&self, tree: u32, module: &str, name: &str, depth: u8) -> Option<At> {
        let depth = depth.checked_sub(1)?;
        self.file_value(self.file_of(tree, module)?, name, depth)
    }

    /// The expression that others see under a name of a file.
    fn file_value(&self, file: u32, name: &str, depth: u8) -> Option<At> {
        let depth = depth.checked_sub(1)?;
        let from = &self.trees[file as usize];
        match from.exports.iter().find(|(shown, _)| shown == name) {
            Some((_, Bound::Value { node, part: None })) => Some(At {
                tree: file,
                id: *node,
            }),
            Some((
                _,
                Bound::Import {
                    module,
                    name: Some(name),
                },
            )) if module.is_empty() => self.outer_value(file, name, depth),
            Some((
                _,
                Bound::Import {
                    module,
                    name: Some(name),
                },
            )) => self.imported_value(file, module, name, depth),
            Some(_) => None,
            None => self.outer_value(file, name, depth),
        }
    }

    /// The same for a name of a file's outermost scope.
    fn outer_value(&self, file: u32, name: &str, depth: u8) -> Option<At> {
        let from = &self.trees[file as usize];
        match from.bound_in(0, name).as_slice() {
            [
                Bound::Import {
                    module,
                    name: Some(name),
                },
            ] => self.imported_value(file, module, name, depth),
            [] => {
                let star = from
                    .stars
                    .iter()
                    .find_map(|star| self.imported_value(file, star, name, depth));
                // `module.exports = { name }`
                star.or_else(|| {
                    let entry = self.entry(self.default_value(file)?, name)?;
                    Some(self.definition(entry).unwrap_or(entry))
                })
            }
            _ => self.value_in(file, 0, name),
        }
    }

    /// The expression that a file exports by default.
    pub(crate) fn default_value(&self, file: u32) -> Option<At> {
        let exports = &self.trees[file as usize].exports;
        let (_, what) = exports.iter().find(|(name, _)| name == "default")?;
        match what {
            Bound::Value { node, part: None } => Some(At {
                tree: file,
                id: *node,
            }),
            _ => None,
        }
    }

    /// A name of a file's outermost scope.
    fn own(&self, file: u32, name: &str, depth: u32) -> Thing {
        let all = self.trees[file as usize].bound_in(0, name);
        if all.is_empty() {
            return Thing::Unknown;
        }
        self.agreed(file, &all, depth)
    }

    fn member(&self, thing: Thing, name: &str, depth: u32) -> Thing {
        match thing {
            Thing::Outside(of) => Thing::Outside(format!("{of}.{name}")),
            Thing::Module(file) => match self.exported(file, name, depth) {
                Thing::Unknown => match self.below(file, name) {
                    Some(inner) => Thing::Module(inner),
                    None => Thing::Unknown,
                },
                known => known,
            },
            Thing::Inside(class) if self.is_class(class) => {
                let tree = self.tree(class);
                // The methods of a type may stand in other places than the type.
                let class_name = tree.name_of(class.id);
                let mut all = tree.bound_in(class.id, name);
                all.extend(tree.bound_in(class.id, &format!(".{name}")));
                for (_, what) in tree.bound.get(class_name).into_iter().flatten() {
                    if let Bound::Def(other) = what
                        && *other != class.id
                    {
                        all.extend(tree.bound_in(*other, name));
                    }
                }
                if all.is_empty() {
                    return Thing::Unknown;
                }
                self.agreed(class.tree, &all, depth)
            }
            Thing::Value(at) => match self.entry(at, name) {
                Some(value) => self.follow(value, depth),
                None => Thing::Unknown,
            },
            Thing::Inside(_) | Thing::Param(_) | Thing::Unknown => Thing::Unknown,
        }
    }

    /// The value under a key of a map that is written out.
    pub(crate) fn entry(&self, at: At, key: &str) -> Option<At> {
        let Kind::Map(kids) = self.kind(at) else {
            return None;
        };
        let pairs = self.list(at, kids);
        let found = pairs.chunks(2).find(|pair| {
            pair[0].id != NONE
                && self
                    .string(pair[0])
                    .unwrap_or_else(|| self.text(pair[0]).to_owned())
                    == key
        })?;
        Some(found[1])
    }
}

impl At {
    /// Another node of the same file.
    pub(crate) fn with(self, id: Id) -> Self {
        Self { id, ..self }
    }
}

fn is_builtin(name: &str) -> bool {
    matches!(
        name,
        "print"
            | "len"
            | "str"
            | "int"
            | "open"
            | "range"
            | "dict"
            | "list"
            | "set"
            | "bool"
            | "float"
            | "bytes"
            | "isinstance"
            | "getattr"
            | "hash"
            | "any"
            | "all"
            | "sorted"
            | "Some"
            | "None"
            | "Ok"
            | "Err"
            | "String"
            | "Vec"
    )
}
