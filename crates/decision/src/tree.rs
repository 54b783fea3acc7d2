//! One source file as a tree that is the same for all languages: only what decisions are read from.
//!
//! Nodes live in one list and name each other by position; text is never copied.

use foldhash::HashMap;

/// The position of a node in its file.
pub(crate) type Id = u32;

/// No node.
pub(crate) const NONE: Id = u32::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Lang {
    Python,
    /// JavaScript and TypeScript, with or without JSX.
    Script,
    Rust,
}

/// Children, as a stretch of [`Tree::kids`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kids {
    pub(crate) from: u32,
    pub(crate) len: u32,
}

impl Kids {
    pub(crate) const EMPTY: Self = Self { from: 0, len: 0 };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Shl,
    /// `or`, `||`
    Or,
    /// `and`, `&&`
    And,
    /// `??`
    Coalesce,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    Other,
}

impl Op {
    pub(crate) fn compares(self) -> bool {
        matches!(
            self,
            Self::Eq
                | Self::Ne
                | Self::Lt
                | Self::Le
                | Self::Gt
                | Self::Ge
                | Self::In
                | Self::NotIn
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name; its text is the name.
    Name,
    /// A string without holes; the content's bytes.
    Str {
        from: u32,
        to: u32,
    },
    /// A string with holes: pieces of text and expressions in turn.
    Template(Kids),
    /// A number; its text is the number.
    Num,
    True,
    False,
    /// `None`, `null`, `undefined`
    Null,
    /// A list, tuple, set or array.
    List(Kids),
    /// Keys and values in turn; a spread has no key. Also a struct's fields and a destructuring pattern.
    Map(Kids),
    /// `of.name`, `of::name`, `of?.name`
    Member {
        of: Id,
        name: Id,
    },
    /// `of[at]`
    Index {
        of: Id,
        at: Id,
    },
    /// A call, a construction, a macro.
    Call {
        callee: Id,
        args: Kids,
    },
    /// `name=value` as an argument.
    Keyword {
        name: Id,
        value: Id,
    },
    /// `*x`, `**x`, `...x`
    Spread(Id),
    /// Two operands.
    Binary {
        op: Op,
        left: Id,
        right: Id,
    },
    /// `not x`, `!x`
    Not(Id),
    /// `await x`, `x.await`
    Await(Id),
    /// An `if` as statement or expression.
    If {
        test: Id,
        then: Id,
        other: Id,
    },
    /// `target = value`; the value may be missing in an annotation.
    Assign {
        target: Id,
        value: Id,
    },
    /// A function, method, lambda or closure; `name` may be missing.
    Function {
        name: Id,
        params: Kids,
        decorators: Kids,
        body: Id,
    },
    /// A parameter; all but the name may be missing.
    Param {
        name: Id,
        annotation: Id,
        default: Id,
    },
    /// A class, struct, enum or the methods of one.
    Class {
        name: Id,
        bases: Kids,
        decorators: Kids,
        body: Id,
    },
    Return(Id),
    /// `raise x`, `throw x`
    Throw(Id),
    /// Statements in turn; names declared inside may be its own.
    Block(Kids),
    /// Anything else, with what is inside.
    Other(Kids),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) parent: Id,
}

/// What a name stands for where it was bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bound {
    /// A module, or a name of one: `from x import y`, `import { y } from 'x'`.
    Import {
        /// As written: `.auth`, `@/lib/db`, `crate::auth`.
        module: String,
        /// `None` for the module itself, `default` for a default import.
        name: Option<String>,
    },
    /// An expression, or a part of it: `const { a } = value`.
    Value {
        node: Id,
        part: Option<String>,
    },
    /// A function or class.
    Def(Id),
    Param(Id),
    /// A loop's or an exception's name, a pattern that is not followed.
    Opaque,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Relative to the app, with `/`.
    pub(crate) path: String,
    pub(crate) lang: Lang,
    pub(crate) text: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) kids: Vec<Id>,
    pub(crate) root: Id,
    /// What names stand for, each with the scope that binds it.
    pub(crate) bound: HashMap<Box<str>, Vec<(Id, Bound)>>,
    /// `from x import *`, `export * from 'x'`.
    pub(crate) stars: Vec<String>,
    /// Names under which others see what is here, where they differ from the names here.
    pub(crate) exports: Vec<(String, Bound)>,
    /// Byte offsets of parts that the grammar could not read.
    pub(crate) broken: Vec<u32>,
    /// Where each line starts.
    lines: Vec<u32>,
}

impl Tree {
    pub(crate) fn new(path: String, lang: Lang, text: String) -> Self {
        let mut lines = vec![0];
        lines.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at as u32 + 1),
        );
        Self {
            path,
            lang,
            text,
            nodes: Vec::new(),
            kids: Vec::new(),
            root: NONE,
            bound: HashMap::default(),
            stars: Vec::new(),
            exports: Vec::new(),
            broken: Vec::new(),
            lines,
        }
    }

    pub(crate) fn kind(&self, id: Id) -> Kind {
        self.nodes
            .get(id as usize)
            .map_or(Kind::Other(Kids::EMPTY), |node| node.kind)
    }

    /// What a name stands for in a scope, all of it.
    pub(crate) fn bound_in(&self, scope: Id, name: &str) -> Vec<&Bound> {
        let all = self.bound.get(name).into_iter().flatten();
        all.filter(|(home, _)| *home == scope)
            .map(|(_, what)| what)
            .collect()
    }

    pub(crate) fn list(&self, kids: Kids) -> &[Id] {
        &self.kids[kids.from as usize..(kids.from + kids.len) as usize]
    }

    /// The source of a node.
    pub(crate) fn text(&self, id: Id) -> &str {
        self.nodes.get(id as usize).map_or("", |node| {
            &self.text[node.start as usize..node.end as usize]
        })
    }

    pub(crate) fn parent(&self, id: Id) -> Option<Id> {
        let parent = self.nodes.get(id as usize)?.parent;
        (parent != NONE).then_some(parent)
    }

    /// The node and all that it stands in, from the inside out.
    pub(crate) fn upwards(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(Some(id), |id| self.parent(*id))
    }

    /// The innermost function around a node, itself not counted.
    pub(crate) fn function_of(&self, id: Id) -> Option<Id> {
        self.upwards(id)
            .skip(1)
            .find(|one| matches!(self.kind(*one), Kind::Function { .. }))
    }

    /// The name of a function or class; empty when it has none.
    pub(crate) fn name_of(&self, id: Id) -> &str {
        match self.kind(id) {
            Kind::Function { name, .. } | Kind::Class { name, .. } => self.text(name),
            _ => "",
        }
    }

    /// A string's content, with the common escapes undone. For a template only when it has no holes.
    pub(crate) fn string(&self, id: Id) -> Option<String> {
        match self.kind(id) {
            Kind::Str { from, to } => Some(unescape(&self.text[from as usize..to as usize])),
            Kind::Template(kids) => {
                let parts = self.list(kids).iter().map(|part| self.string(*part));
                parts.collect::<Option<Vec<_>>>().map(|all| all.concat())
            }
            _ => None,
        }
    }

    /// 1 for the first line.
    pub(crate) fn line(&self, offset: u32) -> u32 {
        self.lines.partition_point(|start| *start <= offset) as u32
    }

    pub(crate) fn line_count(&self) -> u32 {
        self.lines.len() as u32
    }

    /// Calls `act` with each direct child.
    pub(crate) fn children(&self, id: Id, mut act: impl FnMut(Id)) {
        let mut one = |id: Id| {
            if id != NONE {
                act(id);
            }
        };
        match self.kind(id) {
            Kind::Name | Kind::Str { .. } | Kind::Num | Kind::True | Kind::False | Kind::Null => {}
            Kind::Template(kids)
            | Kind::List(kids)
            | Kind::Map(kids)
            | Kind::Block(kids)
            | Kind::Other(kids) => self.list(kids).iter().copied().for_each(one),
            Kind::Member { of, name } => {
                one(of);
                one(name);
            }
            Kind::Index { of, at } => {
                one(of);
                one(at);
            }
            Kind::Call { callee, args } => {
                one(callee);
                self.list(args).iter().copied().for_each(one);
            }
            Kind::Keyword { name, value } => {
                one(name);
                one(value);
            }
            Kind::Spread(of)
            | Kind::Not(of)
            | Kind::Await(of)
            | Kind::Return(of)
            | Kind::Throw(of) => {
                one(of);
            }
            Kind::Binary { left, right, .. } => {
                one(left);
                one(right);
            }
            Kind::If { test, then, other } => {
                one(test);
                one(then);
                one(other);
            }
            Kind::Assign { target, value } => {
                one(target);
                one(value);
            }
            Kind::Function {
                name,
                params,
                decorators,
                body,
            } => {
                self.list(decorators).iter().copied().for_each(&mut one);
                one(name);
                self.list(params).iter().copied().for_each(&mut one);
                one(body);
            }
            Kind::Param {
                name,
                annotation,
                default,
            } => {
                one(name);
                one(annotation);
                one(default);
            }
            Kind::Class {
                name,
                bases,
                decorators,
                body,
            } => {
                self.list(decorators).iter().copied().for_each(&mut one);
                one(name);
                self.list(bases).iter().copied().for_each(&mut one);
                one(body);
            }
        }
    }

    /// A node and everything inside it, in the order of the source.
    pub(crate) fn inside(&self, id: Id) -> Vec<Id> {
        let mut all = Vec::new();
        let mut stack = vec![id];
        while let Some(next) = stack.pop() {
            if next == NONE {
                continue;
            }
            all.push(next);
            let begin = stack.len();
            self.children(next, |child| stack.push(child));
            stack[begin..].reverse();
        }
        all
    }
}

fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('0') => plain.push('\0'),
            Some('\n') | None => {}
            Some(quoted @ ('\\' | '\'' | '"' | '`' | '$' | '{')) => plain.push(quoted),
            Some(other) => {
                plain.push('\\');
                plain.push(other);
            }
        }
    }
    plain
}
