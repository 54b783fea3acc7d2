//! Rust.

use tree_sitter::Node as Raw;

use super::{Lower, named};
use crate::tree::{Bound, Id, Kids, Kind, NONE, Op};

impl Lower {
    /// The items or statements of a file, block or token tree.
    pub(super) fn rust_block(&mut self, node: Raw<'_>) -> Kids {
        let mut ids = Vec::new();
        let mut attributes = Vec::new();
        for child in named(node) {
            if child.kind() == "attribute_item" {
                attributes.push(self.rust_macro_like(child));
                continue;
            }
            let id = self.rust(child);
            if !attributes.is_empty() {
                let decorators = self.kids(&attributes);
                attributes.clear();
                match &mut self.tree.nodes[id as usize].kind {
                    Kind::Function {
                        decorators: own, ..
                    }
                    | Kind::Class {
                        decorators: own, ..
                    } => {
                        *own = decorators;
                    }
                    _ => {}
                }
            }
            ids.push(id);
        }
        self.kids(&ids)
    }

    fn rust_opt(&mut self, node: Option<Raw<'_>>) -> Id {
        node.map_or(NONE, |node| self.rust(node))
    }

    fn rust(&mut self, node: Raw<'_>) -> Id {
        self.deeper(node, |lower| lower.rust_node(node))
    }

    fn rust_node(&mut self, node: Raw<'_>) -> Id {
        let field = |name: &str| node.child_by_field_name(name);
        match node.kind() {
            "identifier"
            | "field_identifier"
            | "type_identifier"
            | "self"
            | "crate"
            | "super"
            | "primitive_type"
            | "shorthand_field_identifier" => self.push(Kind::Name, node),
            "string_literal" | "raw_string_literal" => self.rust_string(node),
            "integer_literal" | "float_literal" => self.push(Kind::Num, node),
            "boolean_literal" => {
                let kind = if self.raw_text(node) == "true" {
                    Kind::True
                } else {
                    Kind::False
                };
                self.push(kind, node)
            }
            "array_expression" | "tuple_expression" | "arguments" => {
                let kids = self.rust_block(node);
                self.push(Kind::List(kids), node)
            }
            "field_expression" => {
                let of = self.rust_opt(field("value"));
                let name = self.rust_opt(field("field"));
                self.push(Kind::Member { of, name }, node)
            }
            "scoped_identifier" | "scoped_type_identifier" => {
                let name = self.rust_opt(field("name"));
                match field("path") {
                    Some(path) => {
                        let of = self.rust(path);
                        self.push(Kind::Member { of, name }, node)
                    }
                    None => name,
                }
            }
            "generic_function" => self.rust_opt(field("function")),
            "generic_type" => {
                let of = self.rust_opt(field("type"));
                let at = self.rust_opt(field("type_arguments"));
                self.push(Kind::Index { of, at }, node)
            }
            "index_expression" => {
                let parts = named(node);
                let of = self.rust_opt(parts.first().copied());
                let at = self.rust_opt(parts.get(1).copied());
                self.push(Kind::Index { of, at }, node)
            }
            "call_expression" => {
                let callee = self.rust_opt(field("function"));
                let args = match field("arguments") {
                    Some(list) => self.rust_block(list),
                    None => Kids::EMPTY,
                };
                self.push(Kind::Call { callee, args }, node)
            }
            "macro_invocation" => self.rust_macro_like(node),
            "struct_expression" => {
                let callee = self.rust_opt(field("name"));
                let mut ids = Vec::new();
                for part in field("body").map(named).unwrap_or_default() {
                    let (name, value) = match part.kind() {
                        "field_initializer" => (
                            self.rust_opt(part.child_by_field_name("field")),
                            self.rust_opt(part.child_by_field_name("value")),
                        ),
                        "shorthand_field_initializer" => {
                            let inner = named(part).first().copied();
                            (self.rust_opt(inner), self.rust_opt(inner))
                        }
                        _ => (NONE, self.rust(part)),
                    };
                    ids.push(self.push(Kind::Keyword { name, value }, part));
                }
                let args = self.kids(&ids);
                self.push(Kind::Call { callee, args }, node)
            }
            "binary_expression" => {
                let op = match field("operator").map(|op| op.kind()) {
                    Some("+") => Op::Add,
                    Some("-") => Op::Sub,
                    Some("*") => Op::Mul,
                    Some("/") => Op::Div,
                    Some("%") => Op::Mod,
                    Some("<<") => Op::Shl,
                    Some("||") => Op::Or,
                    Some("&&") => Op::And,
                    Some("==") => Op::Eq,
                    Some("!=") => Op::Ne,
                    Some("<") => Op::Lt,
                    Some("<=") => Op::Le,
                    Some(">") => Op::Gt,
                    Some(">=") => Op::Ge,
                    _ => Op::Other,
                };
                let left = self.rust_opt(field("left"));
                let right = self.rust_opt(field("right"));
                self.push(Kind::Binary { op, left, right }, node)
            }
            "unary_expression" => {
                let of = self.rust_opt(named(node).first().copied());
                if self.raw_text(node).starts_with('!') {
                    self.push(Kind::Not(of), node)
                } else {
                    of
                }
            }
            "reference_expression" => self.rust_opt(field("value")),
            "reference_type" => self.rust_opt(field("type")),
            "parenthesized_expression" | "try_expression" | "expression_statement"
                if named(node).len() == 1 =>
            {
                self.rust_opt(named(node).first().copied())
            }
            "type_cast_expression" => self.rust_opt(field("value")),
            "await_expression" => {
                let of = self.rust_opt(named(node).first().copied());
                self.push(Kind::Await(of), node)
            }
            "if_expression" => {
                let test = self.rust_opt(field("condition"));
                let then = self.rust_opt(field("consequence"));
                let other = self.rust_opt(field("alternative"));
                self.push(Kind::If { test, then, other }, node)
            }
            "else_clause" => self.rust_opt(named(node).first().copied()),
            "let_declaration" | "let_condition" | "const_item" | "static_item" => {
                let pattern = field("pattern").or_else(|| field("name"));
                let target = self.rust_opt(pattern);
                let value = self.rust_opt(field("value"));
                self.rust_bind(target, value);
                self.push(Kind::Assign { target, value }, node)
            }
            "assignment_expression" => {
                let target = self.rust_opt(field("left"));
                let value = self.rust_opt(field("right"));
                self.push(Kind::Assign { target, value }, node)
            }
            "return_expression" => {
                let of = self.rust_opt(named(node).first().copied());
                self.push(Kind::Return(of), node)
            }
            "function_item" | "closure_expression" => self.rust_function(node),
            "impl_item" | "struct_item" | "enum_item" | "trait_item" => self.rust_class(node),
            "mod_item" => {
                let name = field("name").map(|one| self.raw_text(one).to_owned());
                if let (Some(name), None) = (&name, field("body")) {
                    let module = format!("self::{name}");
                    self.bind(name, Bound::Import { module, name: None });
                }
                let kids = match field("body") {
                    Some(body) => self.rust_block(body),
                    None => Kids::EMPTY,
                };
                self.push(Kind::Other(kids), node)
            }
            "block" => {
                let id = self.reserve(node);
                self.scopes.push(id);
                let kids = self.rust_block(node);
                self.scopes.pop();
                self.set(id, Kind::Block(kids));
                id
            }
            "use_declaration" => {
                if let Some(argument) = field("argument") {
                    self.rust_use(argument, "");
                }
                self.push(Kind::Other(Kids::EMPTY), node)
            }
            "line_comment" | "block_comment" | "attribute_item" | "inner_attribute_item" => {
                self.push(Kind::Other(Kids::EMPTY), node)
            }
            "ERROR" => {
                self.note_broken(node);
                let kids = self.rust_block(node);
                self.push(Kind::Other(kids), node)
            }
            _ => {
                if node.is_missing() {
                    self.note_broken(node);
                }
                let kids = self.rust_block(node);
                self.push(Kind::Other(kids), node)
            }
        }
    }

    fn rust_string(&mut self, node: Raw<'_>) -> Id {
        let content: Vec<Raw<'_>> = named(node);
        let (from, to) = match (content.first(), content.last()) {
            (Some(first), Some(last)) => (first.start_byte(), last.end_byte()),
            _ => (node.start_byte(), node.start_byte()),
        };
        self.push(
            Kind::Str {
                from: from as u32,
                to: to as u32,
            },
            node,
        )
    }

    /// A macro's tokens are no expressions: its names and literals are kept in turn, `name!` is what it calls.
    fn rust_macro_like(&mut self, node: Raw<'_>) -> Id {
        let name = node
            .child_by_field_name("macro")
            .or_else(|| named(node).first().copied());
        let callee = self.rust_opt(name);
        let mut ids = Vec::new();
        for child in named(node) {
            if Some(child) != name {
                ids.push(self.rust(child));
            }
        }
        let args = self.kids(&ids);
        self.push(Kind::Call { callee, args }, node)
    }

    fn rust_function(&mut self, node: Raw<'_>) -> Id {
        let id = self.reserve(node);
        let name = self.rust_opt(node.child_by_field_name("name"));
        if name != NONE {
            let text = self.tree.text(name).to_owned();
            self.bind(&text, Bound::Def(id));
        }
        self.scopes.push(id);
        let mut params = Vec::new();
        for one in node
            .child_by_field_name("parameters")
            .map(named)
            .unwrap_or_default()
        {
            let pattern = one.child_by_field_name("pattern").unwrap_or(one);
            let name = self.rust(pattern);
            let annotation = self.rust_opt(one.child_by_field_name("type"));
            let param = self.push(
                Kind::Param {
                    name,
                    annotation,
                    default: NONE,
                },
                one,
            );
            for inner in self.tree.inside(name) {
                if self.tree.kind(inner) == Kind::Name {
                    let text = self.tree.text(inner).to_owned();
                    self.bind(&text, Bound::Param(param));
                }
            }
            params.push(param);
        }
        let params = self.kids(&params);
        let body = self.rust_opt(node.child_by_field_name("body"));
        self.scopes.pop();
        self.set(
            id,
            Kind::Function {
                name,
                params,
                decorators: Kids::EMPTY,
                body,
            },
        );
        id
    }

    /// A type, or the methods of one: both are bound to the type's name.
    fn rust_class(&mut self, node: Raw<'_>) -> Id {
        let id = self.reserve(node);
        let named_by = node
            .child_by_field_name("name")
            .or_else(|| node.child_by_field_name("type"));
        let name = self.rust_opt(named_by);
        let base = self.rust_opt(node.child_by_field_name("trait"));
        let bases = if base == NONE {
            Kids::EMPTY
        } else {
            self.kids(&[base])
        };
        if self.tree.kind(name) == Kind::Name {
            let text = self.tree.text(name).to_owned();
            self.bind(&text, Bound::Def(id));
        }
        self.scopes.push(id);
        let body = self.rust_opt(node.child_by_field_name("body"));
        self.scopes.pop();
        self.set(
            id,
            Kind::Class {
                name,
                bases,
                decorators: Kids::EMPTY,
                body,
            },
        );
        id
    }

    fn rust_bind(&mut self, target: Id, value: Id) {
        let bound = |part| {
            if value == NONE {
                Bound::Opaque
            } else {
                Bound::Value { node: value, part }
            }
        };
        if self.tree.kind(target) == Kind::Name {
            let text = self.tree.text(target).to_owned();
            self.bind(&text, bound(None));
            return;
        }
        for inner in self.tree.inside(target) {
            if self.tree.kind(inner) == Kind::Name {
                let text = self.tree.text(inner).to_owned();
                // `let Ok(x) = …` and `let (a, b) = …`: what it is made from is known, which part is not.
                self.bind(&text, bound(Some(String::new())));
            }
        }
    }

    fn rust_use(&mut self, node: Raw<'_>, prefix: &str) {
        let join = |prefix: &str, rest: &str| {
            if prefix.is_empty() {
                rest.to_owned()
            } else {
                format!("{prefix}::{rest}")
            }
        };
        let text = |node: Option<Raw<'_>>| {
            node.map(|node| self.tree.text[node.byte_range()].to_owned())
                .unwrap_or_default()
        };
        match node.kind() {
            "scoped_use_list" => {
                let path = join(prefix, &text(node.child_by_field_name("path")));
                let path = path.trim_end_matches("::").to_owned();
                for one in node
                    .child_by_field_name("list")
                    .map(named)
                    .unwrap_or_default()
                {
                    self.rust_use(one, &path);
                }
            }
            "use_list" => {
                for one in named(node) {
                    self.rust_use(one, prefix);
                }
            }
            "use_as_clause" => {
                let path = join(prefix, &text(node.child_by_field_name("path")));
                let alias = text(node.child_by_field_name("alias"));
                self.rust_import(&path, &alias);
            }
            "use_wildcard" => {
                let inner = text(named(node).first().copied());
                self.tree.stars.push(join(prefix, &inner));
            }
            "self" => {
                let name = prefix.rsplit("::").next().unwrap_or_default().to_owned();
                self.rust_import(prefix, &name);
            }
            _ => {
                let path = join(prefix, &text(Some(node)));
                let name = path.rsplit("::").next().unwrap_or_default().to_owned();
                self.rust_import(&path, &name);
            }
        }
    }

    fn rust_import(&mut self, path: &str, shown: &str) {
        let what = match path.rsplit_once("::") {
            Some((module, name)) => Bound::Import {
                module: module.to_owned(),
                name: Some(name.to_owned()),
            },
            None => Bound::Import {
                module: path.to_owned(),
                name: None,
            },
        };
        self.bind(shown, what);
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::lower;
    use crate::tree::Bound;

    #[test]
    fn use_trees_are_taken_apart() {
        let text = "use axum::{Router, routing::{get, post as put}, extract::*};\nuse bcrypt;\nuse std::env::{self, var};\n";
        let tree = lower("a.rs".into(), text.into()).unwrap();
        let of = |name: &str| tree.bound_in(0, name)[0].clone();
        let import = |module: &str, name: Option<&str>| Bound::Import {
            module: module.into(),
            name: name.map(Into::into),
        };
        assert_eq!(of("Router"), import("axum", Some("Router")));
        assert_eq!(of("put"), import("axum::routing", Some("post")));
        assert_eq!(of("bcrypt"), import("bcrypt", None));
        assert_eq!(of("env"), import("std", Some("env")));
        assert_eq!(of("var"), import("std::env", Some("var")));
        assert_eq!(tree.stars, ["axum::extract"]);
    }
}
