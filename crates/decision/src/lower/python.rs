//! Python.

use tree_sitter::Node as Raw;

use super::{Lower, named};
use crate::tree::{Bound, Id, Kids, Kind, NONE, Op};

impl Lower {
    /// The statements of a module or block.
    pub(super) fn python_block(&mut self, node: Raw<'_>) -> Kids {
        let mut ids = Vec::new();
        for child in named(node) {
            ids.push(self.python(child));
        }
        self.kids(&ids)
    }

    fn python_opt(&mut self, node: Option<Raw<'_>>) -> Id {
        node.map_or(NONE, |node| self.python(node))
    }

    fn python_other(&mut self, node: Raw<'_>) -> Id {
        let kids = self.python_block(node);
        self.push(Kind::Other(kids), node)
    }

    fn python(&mut self, node: Raw<'_>) -> Id {
        self.deeper(node, |lower| lower.python_node(node))
    }

    fn python_node(&mut self, node: Raw<'_>) -> Id {
        let field = |name: &str| node.child_by_field_name(name);
        match node.kind() {
            "identifier" => self.push(Kind::Name, node),
            "string" => self.python_string(node),
            "concatenated_string" => {
                let parts = self.python_block(node);
                self.push(Kind::Template(parts), node)
            }
            "integer" | "float" => self.push(Kind::Num, node),
            "true" => self.push(Kind::True, node),
            "false" => self.push(Kind::False, node),
            "none" | "ellipsis" => self.push(Kind::Null, node),
            "list" | "tuple" | "set" | "expression_list" | "pattern_list" | "tuple_pattern" => {
                let kids = self.python_block(node);
                self.push(Kind::List(kids), node)
            }
            "dictionary" => {
                let mut ids = Vec::new();
                for pair in named(node) {
                    if pair.kind() == "pair" {
                        ids.push(self.python_opt(pair.child_by_field_name("key")));
                        ids.push(self.python_opt(pair.child_by_field_name("value")));
                    } else {
                        ids.push(NONE);
                        ids.push(self.python(pair));
                    }
                }
                let kids = self.kids(&ids);
                self.push(Kind::Map(kids), node)
            }
            "attribute" => {
                let of = self.python_opt(field("object"));
                let name = self.python_opt(field("attribute"));
                self.push(Kind::Member { of, name }, node)
            }
            "subscript" => {
                let of = self.python_opt(field("value"));
                let mut cursor = node.walk();
                let parts: Vec<Raw<'_>> = node
                    .children_by_field_name("subscript", &mut cursor)
                    .collect();
                let ids: Vec<Id> = parts.into_iter().map(|part| self.python(part)).collect();
                let at = match ids.as_slice() {
                    [one] => *one,
                    many => {
                        let kids = self.kids(many);
                        self.push(Kind::List(kids), node)
                    }
                };
                self.push(Kind::Index { of, at }, node)
            }
            // `Annotated[int, Path()]` in an annotation.
            "generic_type" => {
                let parts = named(node);
                let of = self.python_opt(parts.first().copied());
                let ids = match parts.get(1) {
                    Some(list) => self.python_block(*list),
                    None => Kids::EMPTY,
                };
                let at = self.push(Kind::List(ids), node);
                self.push(Kind::Index { of, at }, node)
            }
            "call" => {
                let callee = self.python_opt(field("function"));
                let args = match field("arguments") {
                    Some(list) if list.kind() == "argument_list" => self.python_block(list),
                    Some(one) => {
                        let id = self.python(one);
                        self.kids(&[id])
                    }
                    None => Kids::EMPTY,
                };
                self.push(Kind::Call { callee, args }, node)
            }
            "keyword_argument" => {
                let name = self.python_opt(field("name"));
                let value = self.python_opt(field("value"));
                self.push(Kind::Keyword { name, value }, node)
            }
            "list_splat"
            | "dictionary_splat"
            | "list_splat_pattern"
            | "dictionary_splat_pattern" => {
                let of = self.python_opt(named(node).first().copied());
                self.push(Kind::Spread(of), node)
            }
            "binary_operator" | "boolean_operator" => {
                let op = match field("operator").map(|op| op.kind()) {
                    Some("+") => Op::Add,
                    Some("-") => Op::Sub,
                    Some("*") => Op::Mul,
                    Some("/" | "//") => Op::Div,
                    Some("%") => Op::Mod,
                    Some("**") => Op::Pow,
                    Some("<<") => Op::Shl,
                    Some("or") => Op::Or,
                    Some("and") => Op::And,
                    _ => Op::Other,
                };
                let left = self.python_opt(field("left"));
                let right = self.python_opt(field("right"));
                self.push(Kind::Binary { op, left, right }, node)
            }
            "comparison_operator" => self.python_comparison(node),
            "not_operator" => {
                let of = self.python_opt(field("argument"));
                self.push(Kind::Not(of), node)
            }
            "parenthesized_expression" | "type" | "expression_statement" | "interpolation"
                if named(node).len() == 1 =>
            {
                self.python_opt(named(node).first().copied())
            }
            "await" => {
                let of = self.python_opt(named(node).first().copied());
                self.push(Kind::Await(of), node)
            }
            "conditional_expression" => {
                let parts = named(node);
                let mut part = |index: usize| self.python_opt(parts.get(index).copied());
                let (then, test, other) = (part(0), part(1), part(2));
                self.push(Kind::If { test, then, other }, node)
            }
            "named_expression" => {
                let target = self.python_opt(field("name"));
                let value = self.python_opt(field("value"));
                self.python_bind(target, value);
                self.push(Kind::Assign { target, value }, node)
            }
            "assignment" => {
                let target = self.python_opt(field("left"));
                let value = self.python_opt(field("right"));
                let annotation = self.python_opt(field("type"));
                self.python_bind(target, value);
                let id = self.push(Kind::Assign { target, value }, node);
                if annotation == NONE {
                    return id;
                }
                let kids = self.kids(&[id, annotation]);
                self.push(Kind::Other(kids), node)
            }
            "augmented_assignment" => {
                let left = self.python_opt(field("left"));
                let right = self.python_opt(field("right"));
                self.python_bind(left, NONE);
                self.push(
                    Kind::Binary {
                        op: Op::Other,
                        left,
                        right,
                    },
                    node,
                )
            }
            "if_statement" => self.python_if(node),
            "return_statement" => {
                let of = self.python_opt(named(node).first().copied());
                self.push(Kind::Return(of), node)
            }
            "raise_statement" => {
                let of = self.python_opt(named(node).first().copied());
                self.push(Kind::Throw(of), node)
            }
            "function_definition" | "lambda" => self.python_function(node, Kids::EMPTY),
            "class_definition" => self.python_class(node, Kids::EMPTY),
            "decorated_definition" => {
                let mut decorators = Vec::new();
                for child in named(node) {
                    if child.kind() == "decorator" {
                        decorators.push(self.python_opt(named(child).first().copied()));
                    }
                }
                let decorators = self.kids(&decorators);
                match field("definition") {
                    Some(one) if one.kind() == "class_definition" => {
                        self.python_class(one, decorators)
                    }
                    Some(one) => self.python_function(one, decorators),
                    None => self.push(Kind::Other(decorators), node),
                }
            }
            "block" => {
                let kids = self.python_block(node);
                self.push(Kind::Block(kids), node)
            }
            "for_statement" | "for_in_clause" => {
                let left = self.python_opt(field("left"));
                self.python_bind(left, NONE);
                let mut ids = vec![left];
                for name in ["right", "body", "alternative"] {
                    ids.push(self.python_opt(field(name)));
                }
                let kids = self.kids(&ids);
                self.push(Kind::Other(kids), node)
            }
            // `with open(x) as f`, `except E as e`
            "as_pattern" => {
                let parts = named(node);
                let value = self.python_opt(parts.first().copied());
                let target = self.python_opt(parts.get(1).copied());
                self.python_bind(target, value);
                self.push(Kind::Assign { target, value }, node)
            }
            "as_pattern_target" => self.python_opt(named(node).first().copied()),
            "import_statement" | "import_from_statement" | "future_import_statement" => {
                self.python_import(node);
                self.push(Kind::Other(Kids::EMPTY), node)
            }
            "comment" | "global_statement" | "nonlocal_statement" | "pass_statement" => {
                self.push(Kind::Other(Kids::EMPTY), node)
            }
            "ERROR" => {
                self.note_broken(node);
                self.python_other(node)
            }
            _ => {
                if node.is_missing() {
                    self.note_broken(node);
                }
                self.python_other(node)
            }
        }
    }

    fn python_string(&mut self, node: Raw<'_>) -> Id {
        let parts = named(node);
        let holes = parts.iter().any(|part| part.kind() == "interpolation");
        let text: Vec<&Raw<'_>> = parts
            .iter()
            .filter(|part| part.kind() == "string_content")
            .collect();
        if !holes {
            let (from, to) = match (text.first(), text.last()) {
                (Some(first), Some(last)) => (first.start_byte(), last.end_byte()),
                _ => (node.start_byte(), node.start_byte()),
            };
            return self.push(
                Kind::Str {
                    from: from as u32,
                    to: to as u32,
                },
                node,
            );
        }
        let mut ids = Vec::new();
        for part in &parts {
            match part.kind() {
                "string_content" => {
                    let (from, to) = (part.start_byte() as u32, part.end_byte() as u32);
                    ids.push(self.push(Kind::Str { from, to }, *part));
                }
                "interpolation" => {
                    ids.push(self.python_opt(part.child_by_field_name("expression")));
                }
                _ => {}
            }
        }
        let kids = self.kids(&ids);
        self.push(Kind::Template(kids), node)
    }

    fn python_comparison(&mut self, node: Raw<'_>) -> Id {
        let operands: Vec<Id> = named(node)
            .into_iter()
            .map(|one| self.python(one))
            .collect();
        let mut cursor = node.walk();
        let words: Vec<&str> = node
            .children_by_field_name("operators", &mut cursor)
            .map(|op| op.kind())
            .collect();
        let op = match words.join(" ").as_str() {
            "==" | "is" => Op::Eq,
            "!=" | "<>" | "is not" => Op::Ne,
            "<" => Op::Lt,
            "<=" => Op::Le,
            ">" => Op::Gt,
            ">=" => Op::Ge,
            "in" => Op::In,
            "not in" => Op::NotIn,
            _ => Op::Other,
        };
        if let [left, right] = operands[..] {
            return self.push(Kind::Binary { op, left, right }, node);
        }
        // `1 <= x <= 9` as its pairs.
        let op = match words.first().copied() {
            Some("<") => Op::Lt,
            Some("<=") => Op::Le,
            Some(">") => Op::Gt,
            Some(">=") => Op::Ge,
            _ => Op::Other,
        };
        let mut pairs = Vec::new();
        for pair in operands.windows(2) {
            let (left, right) = (pair[0], pair[1]);
            pairs.push(self.push(Kind::Binary { op, left, right }, node));
        }
        let kids = self.kids(&pairs);
        self.push(Kind::Other(kids), node)
    }

    fn python_if(&mut self, node: Raw<'_>) -> Id {
        let test = self.python_opt(node.child_by_field_name("condition"));
        let then = self.python_opt(node.child_by_field_name("consequence"));
        let mut cursor = node.walk();
        let rest: Vec<Raw<'_>> = node
            .children_by_field_name("alternative", &mut cursor)
            .collect();
        let mut other = NONE;
        for clause in rest.into_iter().rev() {
            if clause.kind() == "elif_clause" {
                let test = self.python_opt(clause.child_by_field_name("condition"));
                let then = self.python_opt(clause.child_by_field_name("consequence"));
                other = self.push(Kind::If { test, then, other }, clause);
            } else {
                other = self.python_opt(clause.child_by_field_name("body"));
            }
        }
        self.push(Kind::If { test, then, other }, node)
    }

    fn python_function(&mut self, node: Raw<'_>, decorators: Kids) -> Id {
        let id = self.reserve(node);
        let name = self.python_opt(node.child_by_field_name("name"));
        if name != NONE {
            let text = self.tree.text(name).to_owned();
            self.bind(&text, Bound::Def(id));
        }
        self.scopes.push(id);
        let mut params = Vec::new();
        if let Some(list) = node.child_by_field_name("parameters") {
            for one in named(list) {
                params.push(self.python_param(one));
            }
        }
        let params = self.kids(&params);
        let body = self.python_opt(node.child_by_field_name("body"));
        self.scopes.pop();
        self.set(
            id,
            Kind::Function {
                name,
                params,
                decorators,
                body,
            },
        );
        id
    }

    fn python_param(&mut self, node: Raw<'_>) -> Id {
        let named_field = node.child_by_field_name("name");
        let first = named_field.or_else(|| {
            (node.kind() == "typed_parameter")
                .then(|| named(node).first().copied())
                .flatten()
        });
        let name = match first {
            Some(first) => self.python(first),
            None => self.python(node),
        };
        let annotation = self.python_opt(node.child_by_field_name("type"));
        let default = self.python_opt(node.child_by_field_name("value"));
        let id = self.push(
            Kind::Param {
                name,
                annotation,
                default,
            },
            node,
        );
        let text = match self.tree.kind(name) {
            Kind::Spread(of) => self.tree.text(of).to_owned(),
            _ => self.tree.text(name).to_owned(),
        };
        self.bind(&text, Bound::Param(id));
        id
    }

    fn python_class(&mut self, node: Raw<'_>, decorators: Kids) -> Id {
        let id = self.reserve(node);
        let name = self.python_opt(node.child_by_field_name("name"));
        let text = self.tree.text(name).to_owned();
        self.bind(&text, Bound::Def(id));
        let bases = match node.child_by_field_name("superclasses") {
            Some(list) => self.python_block(list),
            None => Kids::EMPTY,
        };
        self.scopes.push(id);
        let body = self.python_opt(node.child_by_field_name("body"));
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

    /// Binds the names of an assignment's target; `self.x` is bound in the class as `.x`.
    fn python_bind(&mut self, target: Id, value: Id) {
        let bound = if value == NONE {
            Bound::Opaque
        } else {
            Bound::Value {
                node: value,
                part: None,
            }
        };
        match self.tree.kind(target) {
            Kind::Name => {
                let text = self.tree.text(target).to_owned();
                self.bind(&text, bound);
            }
            Kind::Member { of, name } if self.tree.text(of) == "self" => {
                let text = format!(".{}", self.tree.text(name));
                let class = self.scopes.iter().rev().nth(1).copied();
                self.bind_in(class.unwrap_or(0), &text, bound);
            }
            Kind::List(kids) => {
                let targets = self.tree.list(kids).to_vec();
                let values = match self.tree.kind(value) {
                    Kind::List(values) if values.len == kids.len => self.tree.list(values).to_vec(),
                    _ => vec![NONE; targets.len()],
                };
                for (target, value) in targets.into_iter().zip(values) {
                    self.python_bind(target, value);
                }
            }
            _ => {}
        }
    }

    fn python_import(&mut self, node: Raw<'_>) {
        let from = node
            .child_by_field_name("module_name")
            .map(|module| self.raw_text(module).to_owned());
        let mut cursor = node.walk();
        let names: Vec<Raw<'_>> = node.children_by_field_name("name", &mut cursor).collect();
        if let Some(module) = &from
            && named(node)
                .iter()
                .any(|child| child.kind() == "wildcard_import")
        {
            self.tree.stars.push(module.clone());
        }
        for one in names {
            let (path, alias) = if one.kind() == "aliased_import" {
                let part = |field| {
                    one.child_by_field_name(field)
                        .map(|node| self.raw_text(node).to_owned())
                };
                (part("name").unwrap_or_default(), part("alias"))
            } else {
                (self.raw_text(one).to_owned(), None)
            };
            if let Some(module) = &from {
                let shown = alias.unwrap_or_else(|| path.clone());
                let what = Bound::Import {
                    module: module.clone(),
                    name: Some(path),
                };
                self.bind(&shown, what);
                continue;
            }
            // `import a.b` binds `a`.
            let (shown, module) = if let Some(alias) = alias {
                (alias, path)
            } else {
                let first = path.split('.').next().unwrap_or_default().to_owned();
                (first.clone(), first)
            };
            self.bind(&shown, Bound::Import { module, name: None });
        }
    }
}
