//! From a grammar's tree to [`Tree`]: one file a language.

mod python;
mod rust;
mod script;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tree_sitter::{Node as Raw, ParseOptions, ParseState, Parser};

use crate::tree::{Bound, Id, Kids, Kind, Lang, NONE, Node, Tree};

/// How deep sources may nest; deeper parts are said to be unread.
const DEEPEST: usize = 300;
/// A file that takes longer is said to be unread.
const LONGEST: Duration = Duration::from_secs(10);

/// The grammar of a file name's ending.
pub(crate) fn language(path: &str) -> Option<(Lang, tree_sitter::Language)> {
    let end = path.rsplit_once('.')?.1;
    Some(match end {
        "py" => (Lang::Python, tree_sitter_python::LANGUAGE.into()),
        "js" | "mjs" | "cjs" | "jsx" => (Lang::Script, tree_sitter_javascript::LANGUAGE.into()),
        "ts" | "mts" | "cts" => (
            Lang::Script,
            tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        ),
        "tsx" => (Lang::Script, tree_sitter_typescript::LANGUAGE_TSX.into()),
        "rs" => (Lang::Rust, tree_sitter_rust::LANGUAGE.into()),
        _ => return None,
    })
}

/// Reads one file. `None` where the grammar gives no tree at all.
pub(crate) fn lower(path: String, text: String) -> Option<Tree> {
    let (lang, grammar) = language(&path)?;
    let mut parser = Parser::new();
    parser.set_language(&grammar).ok()?;
    let raw = parse(&mut parser, text.as_bytes())?;
    let mut lower = Lower {
        tree: Tree::new(path, lang, text),
        scopes: Vec::new(),
        depth: 0,
    };
    lower.scopes.push(0);
    // The root is the first node, so that scopes can name it before its children are there.
    lower.tree.nodes.push(Node {
        kind: Kind::Block(Kids::EMPTY),
        start: 0,
        end: lower.tree.text.len() as u32,
        parent: NONE,
    });
    let kids = match lang {
        Lang::Python => lower.python_block(raw.root_node()),
        Lang::Script => lower.script_block(raw.root_node()),
        Lang::Rust => lower.rust_block(raw.root_node()),
    };
    lower.tree.nodes[0].kind = Kind::Block(kids);
    lower.tree.root = 0;
    lower.adopt();
    // A root that is an error itself, and errors that count as extras, are no children that anything looks at.
    if lower.tree.broken.is_empty()
        && let Some(first) = first_error(raw.root_node())
    {
        lower.tree.broken.push(first);
    }
    Some(lower.tree)
}

/// Some grammars take the square of a file's length for what nobody writes, such as 20,000 lines of comments.
fn parse(parser: &mut Parser, text: &[u8]) -> Option<tree_sitter::Tree> {
    let start = Instant::now();
    let mut in_time = |_: &ParseState| {
        if start.elapsed() > LONGEST {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut in_time);
    let mut rest = |from: usize, _| text.get(from..).unwrap_or_default();
    parser.parse_with_options(&mut rest, None, Some(options))
}

/// Where the first part stands that the grammar could not read.
fn first_error(root: Raw<'_>) -> Option<u32> {
    let mut node = root;
    loop {
        if node.is_error() || node.is_missing() {
            return Some(node.start_byte() as u32);
        }
        if !node.has_error() {
            return None;
        }
        let mut cursor = node.walk();
        node = node
            .children(&mut cursor)
            .find(|child| child.has_error() || child.is_missing())?;
    }
}

/// A name that is given more values than this in one place stands for none of them.
const MOST_VALUES: usize = 64;

struct Lower {
    tree: Tree,
    /// The scopes that names are bound in, innermost last.
    scopes: Vec<Id>,
    depth: usize,
}

impl Lower {
    fn push(&mut self, kind: Kind, at: Raw<'_>) -> Id {
        self.span(kind, at.start_byte(), at.end_byte())
    }

    fn span(&mut self, kind: Kind, start: usize, end: usize) -> Id {
        self.tree.nodes.push(Node {
            kind,
            start: start as u32,
            end: end as u32,
            parent: NONE,
        });
        (self.tree.nodes.len() - 1) as Id
    }

    /// Takes a place for a node whose children must know it as their scope.
    fn reserve(&mut self, at: Raw<'_>) -> Id {
        self.push(Kind::Other(Kids::EMPTY), at)
    }

    fn set(&mut self, id: Id, kind: Kind) {
        self.tree.nodes[id as usize].kind = kind;
    }

    fn kids(&mut self, ids: &[Id]) -> Kids {
        let from = self.tree.kids.len() as u32;
        self.tree.kids.extend_from_slice(ids);
        Kids {
            from,
            len: ids.len() as u32,
        }
    }

    fn scope(&self) -> Id {
        self.scopes.last().copied().unwrap_or(0)
    }

    fn bind(&mut self, name: &str, what: Bound) {
        let scope = self.scope();
        self.bind_in(scope, name, what);
    }

    fn bind_in(&mut self, scope: Id, name: &str, what: Bound) {
        if !self.tree.bound.contains_key(name) {
            self.tree.bound.insert(name.into(), Vec::new());
        }
        if let Some(all) = self.tree.bound.get_mut(name) {
            let one = (scope, what);
            let last = || all.iter().rev().take(MOST_VALUES);
            let many = all.len() >= MOST_VALUES && last().all(|(home, _)| *home == scope);
            if !many && !last().any(|known| *known == one) {
                all.push(one);
            }
        }
    }

    fn raw_text(&self, node: Raw<'_>) -> &str {
        &self.tree.text[node.byte_range()]
    }

    /// Runs `act` one level deeper, or notes that this part is too deep.
    fn deeper(&mut self, at: Raw<'_>, act: impl FnOnce(&mut Self) -> Id) -> Id {
        if self.depth >= DEEPEST {
            self.tree.broken.push(at.start_byte() as u32);
            return self.push(Kind::Other(Kids::EMPTY), at);
        }
        self.depth += 1;
        let id = act(self);
        self.depth -= 1;
        id
    }

    fn note_broken(&mut self, node: Raw<'_>) {
        self.tree.broken.push(node.start_byte() as u32);
    }

    /// Tells every node whose child it is.
    fn adopt(&mut self) {
        let tree = &mut self.tree;
        let mut children = Vec::new();
        for id in 0..tree.nodes.len() as Id {
            children.clear();
            tree.children(id, |child| children.push(child));
            for child in children.drain(..) {
                tree.nodes[child as usize].parent = id;
            }
        }
    }
}

fn named(node: Raw<'_>) -> Vec<Raw<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|child| !child.is_extra())
        .collect()
}
