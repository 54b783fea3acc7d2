//! Which passwords may be chosen.
//!
//! ## What is read
//! Everything that runs for the route that registers people: comparisons of a password's length, schemas with a least
//! length for a field that is called password, strength libraries, lists of common passwords.
//!
//! ## Graded by
//! ASVS 5.0 6.2.1: at least 8 characters.
//!
//! ## Does not see
//! A policy that only a page checks, or that a sign-in service has.

use model::decision::Origin;

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::{Kind, Lang, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "password policy",
    exploits: &["weak-password"],
    words: &[
        "password policy",
        "minimum password",
        "password length",
        "characters long",
        "strong password",
        "weak password",
    ],
    read,
};

fn read(index: &Index) -> Outcome {
    let routes = index.routes_for(Purpose::Register);
    if routes.is_empty() {
        return Outcome::NoPlace;
    }
    let project = &index.project;
    for route in routes {
        let code = index.code_of(route);
        let nodes = index.nodes_with_values(&code);
        let library = nodes.iter().filter_map(|at| index.call(*at)).find(|call| {
            matches!(
                call.name.as_str(),
                "zxcvbn.zxcvbn"
                    | "zxcvbn"
                    | "@zxcvbn-ts/core.zxcvbn"
                    | "password_strength.PasswordPolicy.from_names"
                    | "django.contrib.auth.password_validation.validate_password"
                    | "check-password-strength.passwordStrength"
            )
        });
        if let Some(call) = library {
            let origin = index.origin(project.lang(call.at), &call.name);
            return Outcome::Found(vec![Found::new(index, "library", origin, call.at)]);
        }
        let mut least: Option<(f64, At)> = None;
        let mut most: Option<f64> = None;
        let mut schema = None;
        for at in &nodes {
            if let Some((op, number)) = compared(index, *at) {
                match op {
                    Op::Lt if least.is_none() => least = Some((number, *at)),
                    Op::Le if least.is_none() => least = Some((number + 1.0, *at)),
                    Op::Gt => most = most.or(Some(number)),
                    Op::Ge => most = most.or(Some(number - 1.0)),
                    _ => {}
                }
            }
            if let Some((name, call)) = schema_rule(index, *at) {
                schema = schema.or(Some(call));
                let number = index.folded(name).number();
                if let Some(number) = number {
                    let is_least = matches!(
                        index.call(call).map(|call| call.method.as_str()),
                        Some("min" | "nonempty")
                    ) || index.call(call).is_some_and(|one| {
                        ["min_length", "min"]
                            .iter()
                            .any(|name| one.named(project, name).is_some())
                    });
                    if is_least && least.is_none() {
                        least = Some((number, call));
                    }
                    if let Some(one) = index.call(call)
                        && let Some(max) = one.named(project, "max_length")
                    {
                        most = most.or(project.fold(max).number());
                    }
                }
            }
        }
        let common = nodes.iter().find(|at| common_list(index, **at));
        let least = least.filter(|(number, _)| *number > 0.0);
        if let Some((number, at)) = least {
            let by_schema = schema == Some(at);
            let origin = match index.call(at) {
                Some(call) if by_schema => {
                    index.origin(project.lang(at), schema_name(project.lang(at), &call.name))
                }
                _ => Origin::HandWritten,
            };
            let choice = match (number <= 1.0, common) {
                (true, None) => "non-empty only",
                (_, Some(_)) => "length and common list",
                (false, None) => "minimum length",
            };
            let below =
                (number < 8.0).then(|| format!("{number} characters, ASVS 6.2.1 asks for 8"));
            let mut found = Found::new(index, choice, origin.clone(), at)
                .with("min length", Some(number.to_string()))
                .with("max length", most.map(|one| one.to_string()))
                .with("common list", common.map(|_| "yes".to_owned()))
                .below(below);
            if origin == Origin::HandWritten {
                let owner = index.owner(at);
                if owner.id != project.tree(owner).root {
                    found = found.by_hand(index, owner);
                }
            }
            return Outcome::Found(vec![found]);
        }
        if let Some(at) = nodes.iter().copied().find(|at| empty_test(index, *at)) {
            return Outcome::Found(vec![
                Found::new(index, "non-empty only", Origin::HandWritten, at)
                    .with("min length", Some("1".to_owned()))
                    .below(Some("1 character, ASVS 6.2.1 asks for 8".to_owned())),
            ]);
        }
        if let Some(at) = nodes.iter().copied().find(|at| pattern(index, *at)) {
            let span = project.span(at);
            return Outcome::Unclear(format!(
                "{}:{} matches the password with a pattern, which is not read",
                span.file, span.line
            ));
        }
    }
    Outcome::Nothing
}

/// `re.fullmatch(…, password)`, `/…/.test(password)`, `password.match(/…/)`
fn pattern(index: &Index, at: At) -> bool {
    let project = &index.project;
    let Some(call) = index.call(at) else {
        return false;
    };
    let of = match project.kind(at) {
        Kind::Call { callee, .. } => match project.kind(at.with(callee)) {
            Kind::Member { of, .. } => Some(at.with(of)),
            _ => None,
        },
        _ => None,
    };
    match call.method.as_str() {
        "fullmatch" | "match" | "search" | "test" | "is_match" | "findall" => call
            .args
            .iter()
            .copied()
            .chain(of)
            .any(|one| direct(index, one)),
        "regex" | "pattern" => schema_field(index, at).is_some_and(|field| says_password(&field)),
        _ => false,
    }
}

fn schema_name(lang: Lang, name: &str) -> &str {
    match (lang, name) {
        (Lang::Python, "") => "pydantic",
        (Lang::Script, "") => "zod",
        _ => name,
    }
}

fn says_password(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("password") || text.contains("passwd")
}

/// `len(password) < 8`, `password.length < 8`, turned so that the length stands left.
fn compared(index: &Index, at: At) -> Option<(Op, f64)> {
    let project = &index.project;
    let Kind::Binary { op, left, right } = project.kind(at) else {
        return None;
    };
    let (left, right) = (at.with(left), at.with(right));
    let length = |one: At| match project.kind(one) {
        Kind::Call { callee, args } => {
            let text = project.text(one.with(callee));
            match project.list(one, args).first() {
                Some(first) => {
                    text == "len" && project.kind(*first) != Kind::Null && direct(index, *first)
                }
                // Rust's `password.len()`, `password.chars().count()`
                None => {
                    text.rsplit('.')
                        .next()
                        .is_some_and(|last| matches!(last, "len" | "count"))
                        && says_password(text)
                }
            }
        }
        Kind::Member { of, name } => {
            let of = project.text(one.with(of));
            // Not its bytes: a longest length is often one of bytes.
            project.text(one.with(name)) == "length" && says_password(of) && !of.contains("Buffer")
        }
        _ => false,
    };
    if length(left) {
        return Some((op, project.fold(right).number()?));
    }
    if length(right) {
        let turned = match op {
            Op::Lt => Op::Gt,
            Op::Le => Op::Ge,
            Op::Gt => Op::Lt,
            Op::Ge => Op::Le,
            other => other,
        };
        return Some((turned, project.fold(left).number()?));
    }
    None
}

/// The password itself, not its bytes or the set of its characters.
fn direct(index: &Index, at: At) -> bool {
    let project = &index.project;
    matches!(project.kind(at), Kind::Name | Kind::Member { .. })
        && (says_password(project.text(at)) || validated(index, at))
}

/// The value in `@field_validator("password")`.
fn validated(index: &Index, at: At) -> bool {
    let project = &index.project;
    let Kind::Function {
        params, decorators, ..
    } = project.kind(index.owner(at))
    else {
        return false;
    };
    let param = project
        .list(at, params)
        .into_iter()
        .any(|one| match project.kind(one) {
            Kind::Param { name, .. } => project.text(one.with(name)) == project.text(at),
            _ => false,
        });
    param
        && project
            .list(at, decorators)
            .into_iter()
            .filter_map(|one| index.call(one))
            .any(|call| {
                matches!(
                    call.name.as_str(),
                    "pydantic.field_validator" | "pydantic.validator" | "marshmallow.validates"
                ) && call.args.iter().any(|arg| {
                    project
                        .string(*arg)
                        .is_some_and(|text| says_password(&text))
                })
            })
}

/// A least length in a schema for a field that is called password: the number, and the call.
fn schema_rule(index: &Index, at: At) -> Option<(Option<At>, At)> {
    let project = &index.project;
    let call = index.call(at)?;
    // By its own name where an import gives it another.
    let method = call
        .name
        .rsplit('.')
        .next()
        .filter(|one| !one.is_empty())
        .unwrap_or(&call.method);
    let number = match method {
        "Field" | "constr" | "StringConstraints" | "Length" | "Body" => Some(
            call.named(project, "min_length")
                .or_else(|| call.named(project, "min"))?,
        ),
        "min" | "minLength" => call.args.first().copied(),
        _ => return None,
    };
    says_password(&schema_field(index, at)?).then_some((number, at))
}

/// The name of the field that a schema's rule is for.
fn schema_field(index: &Index, at: At) -> Option<String> {
    let project = &index.project;
    let tree = project.tree(at);
    let mut field = None;
    let mut below = at.id;
    for id in tree.upwards(at.id).skip(1).take(8) {
        match tree.kind(id) {
            Kind::Assign { target, .. } => {
                field = Some(tree.text(target).to_owned());
                break;
            }
            Kind::Map(kids) => {
                let list = tree.list(kids);
                field = list
                    .chunks(2)
                    .find(|pair| pair[1] == below)
                    .map(|pair| tree.text(pair[0]).to_owned());
                break;
            }
            // The annotation of `password: Annotated[str, Field(min_length=8)]` stands beside its target.
            Kind::Other(kids) => {
                field = tree
                    .list(kids)
                    .iter()
                    .find_map(|one| match tree.kind(*one) {
                        Kind::Assign { target, .. } => Some(tree.text(target).to_owned()),
                        _ => None,
                    });
                if field.is_some() {
                    break;
                }
            }
            Kind::Param { name, .. } => {
                field = Some(tree.text(name).to_owned());
                break;
            }
            _ => {}
        }
        below = id;
    }
    field
}

/// `password in COMMON`, `COMMON.has(password)`
fn common_list(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Binary {
            op: Op::In | Op::NotIn,
            left,
            right,
        } => derived(index, at.with(left)) && many(index, at.with(right)),
        Kind::Call { callee, args } => {
            let method = project.text(at.with(callee));
            let given = project.list(at, args);
            method
                .rsplit('.')
                .next()
                .is_some_and(|last| matches!(last, "has" | "includes" | "contains"))
                && given.iter().any(|one| derived(index, *one))
                && match project.kind(at.with(callee)) {
                    Kind::Member { of, .. } => many(index, at.with(of)),
                    _ => false,
                }
        }
        _ => false,
    }
}

/// A password, or what was made from one: `const plain = password.toLowerCase()`.
fn derived(index: &Index, at: At) -> bool {
    let project = &index.project;
    says_password(project.text(at))
        || project
            .definition(at)
            .is_some_and(|made| says_password(project.text(made)))
}

/// A list of at least three texts, written out or read from a file.
fn many(index: &Index, at: At) -> bool {
    let project = &index.project;
    let value = project.definition(at).unwrap_or(at);
    let texts = project
        .inside(value)
        .into_iter()
        .filter(|one| matches!(project.kind(*one), Kind::Str { .. }))
        .count();
    texts >= 3 || project.text(value).contains("open(") || project.text(value).contains("readFile")
}

/// `if not password`, `!password`
fn empty_test(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Not(of) => direct(index, at.with(of)),
        Kind::Binary {
            op: Op::Eq,
            left,
            right,
        } => direct(index, at.with(left)) && project.string(at.with(right)).as_deref() == Some(""),
        _ => false,
    }
}
