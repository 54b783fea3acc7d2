//! JavaScript and TypeScript.

use tree_sitter::Node as Raw;

use super::{Lower, named};
use crate::tree::{Bound, Id, Kids, Kind, NONE, Op};

/// What types say is not read: decisions are made by what runs.
const TYPES: [&str; 9] = [
    "type_annotation",
    "interface_declaration",
    "type_alias_declaration",
    "type_parameters",
    "type_arguments",
    "ambient_declaration",
    "abstract_method_signature",
    "function_signature",
    "comment",
];

impl Lower {
    /// The statements of a module or block.
    pub(super) fn script_block(&mut self, node: Raw<'_>) -> Kids {
        let mut ids = Vec::new();
        for child in named(node) {
            if !TYPES.contains(&child.kind()) {
                ids.push(self.script(child));
            }
        }
        self.kids(&ids)
    }

    fn script_opt(&mut self, node: Option<Raw<'_>>) -> Id {
        node.map_or(NONE, |node| self.script(node))
    }

    fn script(&mut self, node: Raw<'_>) -> Id {
        self.deeper(node, |lower| lower.script_node(node))
    }

    fn script_first(&mut self, node: Raw<'_>) -> Id {
        let first = named(node)
            .into_iter()
            .find(|child| !TYPES.contains(&child.kind()));
        self.script_opt(first)
    }

    fn script_node(&mut self, node: Raw<'_>) -> Id {
        let field = |name: &str| node.child_by_field_name(name);
        match node.kind() {
            "identifier"
            | "property_identifier"
            | "private_property_identifier"
            | "this"
            | "shorthand_property_identifier"
            | "shorthand_property_identifier_pattern"
            | "statement_identifier"
            | "type_identifier"
            | "super"
            | "import" => self.push(Kind::Name, node),
            "string" => self.script_string(node),
            "template_string" => {
                let mut ids = Vec::new();
                for part in named(node) {
                    if part.kind() == "template_substitution" {
                        ids.push(self.script_first(part));
                    } else {
                        let (from, to) = (part.start_byte() as u32, part.end_byte() as u32);
                        ids.push(self.push(Kind::Str { from, to }, part));
                    }
                }
                let kids = self.kids(&ids);
                self.push(Kind::Template(kids), node)
            }
            "number" => self.push(Kind::Num, node),
            "true" => self.push(Kind::True, node),
            "false" => self.push(Kind::False, node),
            "null" | "undefined" => self.push(Kind::Null, node),
            "array" | "array_pattern" | "sequence_expression" => {
                let kids = self.script_block(node);
                self.push(Kind::List(kids), node)
            }
            "object" | "object_pattern" => self.script_object(node),
            "member_expression" => {
                let of = self.script_opt(field("object"));
                let name = self.script_opt(field("property"));
                self.push(Kind::Member { of, name }, node)
            }
            "subscript_expression" => {
                let of = self.script_opt(field("object"));
                let at = self.script_opt(field("index"));
                self.push(Kind::Index { of, at }, node)
            }
            "call_expression" | "new_expression" => {
                let callee = self.script_opt(field("function").or_else(|| field("constructor")));
                let args = match field("arguments") {
                    Some(list) if list.kind() == "arguments" => self.script_block(list),
                    // A tagged template.
                    Some(one) => {
                        let id = self.script(one);
                        self.kids(&[id])
                    }
                    None => Kids::EMPTY,
                };
                self.push(Kind::Call { callee, args }, node)
            }
            "spread_element" | "rest_pattern" => {
                let of = self.script_first(node);
                self.push(Kind::Spread(of), node)
            }
            "binary_expression" => {
                let op = match field("operator").map(|op| op.kind()) {
                    Some("+") => Op::Add,
                    Some("-") => Op::Sub,
                    Some("*") => Op::Mul,
                    Some("/") => Op::Div,
                    Some("%") => Op::Mod,
                    Some("**") => Op::Pow,
                    Some("<<") => Op::Shl,
                    Some("||") => Op::Or,
                    Some("&&") => Op::And,
                    Some("??") => Op::Coalesce,
                    Some("==" | "===") => Op::Eq,
                    Some("!=" | "!==") => Op::Ne,
                    Some("<") => Op::Lt,
                    Some("<=") => Op::Le,
                    Some(">") => Op::Gt,
                    Some(">=") => Op::Ge,
                    Some("in") => Op::In,
                    _ => Op::Other,
                };
                let left = self.script_opt(field("left"));
                let right = self.script_opt(field("right"));
                self.push(Kind::Binary { op, left, right }, node)
            }
            "unary_expression" => {
                let of = self.script_opt(field("argument"));
                if field("operator").is_some_and(|op| op.kind() == "!") {
                    self.push(Kind::Not(of), node)
                } else {
                    let kids = self.kids(&[of]);
                    self.push(Kind::Other(kids), node)
                }
            }
            "parenthesized_expression"
            | "expression_statement"
            | "as_expression"
            | "satisfies_expression"
            | "non_null_expression"
            | "optional_type" => self.script_first(node),
            "type_assertion" => self.script_opt(named(node).last().copied()),
            "await_expression" => {
                let of = self.script_first(node);
                self.push(Kind::Await(of), node)
            }
            "ternary_expression" | "if_statement" => {
                let test = self.script_opt(field("condition"));
                let then = self.script_opt(field("consequence"));
                let other = self.script_opt(field("alternative"));
                self.push(Kind::If { test, then, other }, node)
            }
            "else_clause" => self.script_first(node),
            "return_statement" => {
                let of = self.script_first(node);
                self.push(Kind::Return(of), node)
            }
            "throw_statement" => {
                let of = self.script_first(node);
                self.push(Kind::Throw(of), node)
            }
            "variable_declarator" | "public_field_definition" | "field_definition" => {
                let target = field("name").or_else(|| field("property"));
                let target = self.script_opt(target);
                let value = self.script_opt(field("value"));
                self.script_bind(target, value, None);
                self.push(Kind::Assign { target, value }, node)
            }
            "assignment_expression" => {
                let target = self.script_opt(field("left"));
                let value = self.script_opt(field("right"));
                self.script_assign(target, value);
                self.push(Kind::Assign { target, value }, node)
            }
            "augmented_assignment_expression" => {
                let left = self.script_opt(field("left"));
                let right = self.script_opt(field("right"));
                // `x ??= open()`, `x ||= 1`
                let op = field("operator").map(|op| op.kind());
                if matches!(op, Some("??=" | "||=")) {
                    self.script_assign(left, right);
                }
                let (target, value) = (left, right);
                self.push(Kind::Assign { target, value }, node)
            }
            "function_declaration"
            | "function_expression"
            | "generator_function_declaration"
            | "generator_function"
            | "arrow_function"
            | "method_definition" => self.script_function(node),
            "class_declaration" | "class" | "abstract_class_declaration" => self.script_class(node),
            "statement_block" | "class_body" => {
                let id = self.reserve(node);
                if node.kind() == "statement_block" {
                    self.scopes.push(id);
                }
                let kids = self.script_block(node);
                if node.kind() == "statement_block" {
                    self.scopes.pop();
                }
                self.set(id, Kind::Block(kids));
                id
            }
            "for_in_statement" => {
                let left = self.script_opt(field("left"));
                self.script_bind(left, NONE, None);
                let right = self.script_opt(field("right"));
                let body = self.script_opt(field("body"));
                let kids = self.kids(&[left, right, body]);
                self.push(Kind::Other(kids), node)
            }
            "import_statement" => {
                self.script_import(node);
                self.push(Kind::Other(Kids::EMPTY), node)
            }
            "export_statement" => self.script_export(node),
            "ERROR" => {
                self.note_broken(node);
                let kids = self.script_block(node);
                self.push(Kind::Other(kids), node)
            }
            _ => {
                if node.is_missing() {
                    self.note_broken(node);
                }
                let kids = self.script_block(node);
                self.push(Kind::Other(kids), node)
            }
        }
    }

    fn script_string(&mut self, node: Raw<'_>) -> Id {
        // Without its quotes, escapes and all.
        let (start, end) = (node.start_byte() as u32, node.end_byte() as u32);
        let (from, to) = if end - start >= 2 {
            (start + 1, end - 1)
        } else {
            (start, start)
        };
        self.push(Kind::Str { from, to }, node)
    }

    fn script_object(&mut self, node: Raw<'_>) -> Id {
        let mut ids = Vec::new();
        for one in named(node) {
            let (key, value) = match one.kind() {
                "pair" | "pair_pattern" => (
                    self.script_key(one.child_by_field_name("key")),
                    self.script_opt(one.child_by_field_name("value")),
                ),
                "shorthand_property_identifier" | "shorthand_property_identifier_pattern" => {
                    (self.script(one), self.script(one))
                }
                // `{ a = 1 }` in a pattern.
                "object_assignment_pattern" | "assignment_pattern" => {
                    let left = one.child_by_field_name("left");
                    (self.script_opt(left), self.script_opt(left))
                }
                "method_definition" => {
                    let key = self.script_opt(one.child_by_field_name("name"));
                    (key, self.script(one))
                }
                _ => (NONE, self.script(one)),
            };
            ids.push(key);
            ids.push(value);
        }
        let kids = self.kids(&ids);
        self.push(Kind::Map(kids), node)
    }

    /// `[expression]` as a key is not followed.
    fn script_key(&mut self, key: Option<Raw<'_>>) -> Id {
        match key {
            Some(key) if key.kind() == "computed_property_name" => self.script_first(key),
            other => self.script_opt(other),
        }
    }

    fn script_function(&mut self, node: Raw<'_>) -> Id {
        let id = self.reserve(node);
        let name = self.script_opt(node.child_by_field_name("name"));
        if name != NONE && node.kind() != "method_definition" {
            let text = self.tree.text(name).to_owned();
            self.bind(&text, Bound::Def(id));
        }
        if node.kind() == "method_definition" && name != NONE {
            let text = self.tree.text(name).to_owned();
            self.bind(&format!(".{text}"), Bound::Def(id));
        }
        self.scopes.push(id);
        let mut params = Vec::new();
        if let Some(one) = node.child_by_field_name("parameter") {
            params.push(self.script_param(one));
        }
        for one in node
            .child_by_field_name("parameters")
            .map(named)
            .unwrap_or_default()
        {
            params.push(self.script_param(one));
        }
        let params = self.kids(&params);
        let body = self.script_opt(node.child_by_field_name("body"));
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

    fn script_param(&mut self, node: Raw<'_>) -> Id {
        let mut pattern = node.child_by_field_name("pattern").unwrap_or(node);
        let mut default = node.child_by_field_name("value");
        if pattern.kind() == "assignment_pattern" {
            default = pattern.child_by_field_name("right");
            pattern = pattern.child_by_field_name("left").unwrap_or(pattern);
        }
        let name = self.script(pattern);
        let annotation = node
            .child_by_field_name("type")
            .and_then(|one| named(one).first().copied())
            .filter(|one| matches!(one.kind(), "type_identifier" | "nested_type_identifier"));
        let annotation = self.script_opt(annotation);
        let default = self.script_opt(default);
        let id = self.push(
            Kind::Param {
                name,
                annotation,
                default,
            },
            node,
        );
        if self.tree.kind(name) == Kind::Name {
            let text = self.tree.text(name).to_owned();
            self.bind(&text, Bound::Param(id));
        } else {
            self.script_bind(name, NONE, None);
        }
        id
    }

    fn script_class(&mut self, node: Raw<'_>) -> Id {
        let id = self.reserve(node);
        let name = self.script_opt(node.child_by_field_name("name"));
        if name != NONE {
            let text = self.tree.text(name).to_owned();
            self.bind(&text, Bound::Def(id));
        }
        let heritage = named(node)
            .into_iter()
            .find(|child| child.kind() == "class_heritage");
        let bases = match heritage {
            Some(one) => self.script_block(one),
            None => Kids::EMPTY,
        };
        let mut decorators = Vec::new();
        for child in named(node) {
            if child.kind() == "decorator" {
                decorators.push(self.script_first(child));
            }
        }
        let decorators = self.kids(&decorators);
        self.scopes.push(id);
        let body = self.script_opt(node.child_by_field_name("body"));
        self.scopes.pop();
        self.set(
            id,
            Kind::Class {
                name,
                bases,
                decorators,
                body,
            },
        );
        id
    }

    /// Binds a declaration's names.
    fn script_bind(&mut self, target: Id, value: Id, part: Option<String>) {
        let bound = if value == NONE {
            Bound::Opaque
        } else {
            Bound::Value {
                node: value,
                part: part.clone(),
            }
        };
        match self.tree.kind(target) {
            Kind::Name => {
                let text = self.tree.text(target).to_owned();
                self.bind(&text, bound);
            }
            Kind::Map(kids) => {
                let pairs = self.tree.list(kids).to_vec();
                for pair in pairs.chunks(2) {
                    let (key, inner) = (pair[0], pair[1]);
                    // Deeper patterns are bound, but which part they take is not followed.
                    if key == NONE || part.is_some() {
                        self.script_bind(inner, NONE, None);
                    } else {
                        let key = self.tree.text(key).trim_matches(['\'', '"']).to_owned();
                        self.script_bind(inner, value, Some(key));
                    }
                }
            }
            Kind::List(kids) => {
                for inner in self.tree.list(kids).to_vec() {
                    self.script_bind(inner, NONE, None);
                }
            }
            Kind::Spread(inner) => self.script_bind(inner, NONE, None),
            _ => {}
        }
    }

    /// `x = value` outside of a declaration belongs to the scope that declares `x`; `module.exports` exports.
    fn script_assign(&mut self, target: Id, value: Id) {
        let what = Bound::Value {
            node: value,
            part: None,
        };
        let text = self.tree.text(target).to_owned();
        match self.tree.kind(target) {
            Kind::Name => {
                let mut scopes = self.scopes.iter().rev().copied();
                let home = scopes.find(|scope| !self.tree.bound_in(*scope, &text).is_empty());
                self.bind_in(home.unwrap_or(0), &text, what);
            }
            Kind::Member { of, name } => {
                let name = self.tree.text(name).to_owned();
                let of = self.tree.text(of).to_owned();
                if text == "module.exports" {
                    self.tree.exports.push(("default".into(), what));
                } else if of == "exports" || of == "module.exports" {
                    self.tree.exports.push((name, what));
                } else if of == "this" {
                    let class = self.scopes.iter().rev().nth(1).copied();
                    self.bind_in(class.unwrap_or(0), &format!(".{name}"), what);
                }
            }
            _ => {}
        }
    }

    fn script_source(&self, node: Raw<'_>) -> Option<String> {
        let source = node.child_by_field_name("source")?;
        let text = self.raw_text(source);
        Some(text.get(1..text.len().saturating_sub(1))?.to_owned())
    }

    fn script_import(&mut self, node: Raw<'_>) {
        let Some(module) = self.script_source(node) else {
            return;
        };
        let Some(clause) = named(node)
            .into_iter()
            .find(|child| child.kind() == "import_clause")
        else {
            return;
        };
        for one in named(clause) {
            match one.kind() {
                "identifier" => {
                    let shown = self.raw_text(one).to_owned();
                    let name = Some("default".to_owned());
                    self.bind(
                        &shown,
                        Bound::Import {
                            module: module.clone(),
                            name,
                        },
                    );
                }
                "namespace_import" => {
                    if let Some(inner) = named(one).first().copied() {
                        let shown = self.raw_text(inner).to_owned();
                        let module = module.clone();
                        self.bind(&shown, Bound::Import { module, name: None });
                    }
                }
                "named_imports" => {
                    for (name, shown) in self.script_names(one) {
                        let module = module.clone();
                        let name = Some(name);
                        self.bind(&shown, Bound::Import { module, name });
                    }
                }
                _ => {}
            }
        }
    }

    /// `{ a, b as c }` as pairs of the name there and the name here.
    fn script_names(&self, node: Raw<'_>) -> Vec<(String, String)> {
        named(node)
            .into_iter()
            .filter_map(|one| {
                let name = self.raw_text(one.child_by_field_name("name")?).to_owned();
                let alias = one
                    .child_by_field_name("alias")
                    .map_or_else(|| name.clone(), |alias| self.raw_text(alias).to_owned());
                Some((name, alias))
            })
            .collect()
    }

    fn script_export(&mut self, node: Raw<'_>) -> Id {
        let module = self.script_source(node);
        let clause = named(node)
            .into_iter()
            .find(|child| child.kind() == "export_clause");
        if let Some(clause) = clause {
            for (name, shown) in self.script_names(clause) {
                let what = match &module {
                    Some(module) => Bound::Import {
                        module: module.clone(),
                        name: Some(name),
                    },
                    // Perhaps declared further down.
                    None => Bound::Import {
                        module: String::new(),
                        name: Some(name),
                    },
                };
                self.tree.exports.push((shown, what));
            }
            return self.push(Kind::Other(Kids::EMPTY), node);
        }
        if let Some(module) = module {
            self.tree.stars.push(module);
            return self.push(Kind::Other(Kids::EMPTY), node);
        }
        let by_default = node.child_by_field_name("value");
        let inner = by_default.or_else(|| node.child_by_field_name("declaration"));
        let mut decorators = Vec::new();
        for child in named(node) {
            if child.kind() == "decorator" {
                decorators.push(self.script_first(child));
            }
        }
        let id = self.script_opt(inner);
        let default = self
            .raw_text(node)
            .trim_start_matches("export")
            .trim_start()
            .starts_with("default");
        if default && id != NONE {
            let what = match self.tree.kind(id) {
                Kind::Function { .. } | Kind::Class { .. } => Bound::Def(id),
                _ => Bound::Value {
                    node: id,
                    part: None,
                },
            };
            self.tree.exports.push(("default".into(), what));
        }
        decorators.push(id);
        let kids = self.kids(&decorators);
        self.push(Kind::Other(kids), node)
    }
}
