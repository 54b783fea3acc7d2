//! What an expression is worth, as far as the source alone tells.

use crate::project::{At, Project, Thing};
use crate::tree::{Kind, NONE, Op};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Also a duration, in seconds.
    Number(f64),
    Text(String),
    Flag(bool),
    Nothing,
    List(Vec<Value>),
    /// Read from the environment when the app runs.
    Env {
        name: String,
        /// What holds where the variable is not set; `None` where nothing does.
        default: Option<Box<Value>>,
    },
    Unknown,
}

impl Value {
    /// For a parameter: `12`, `HS256`, `$JWT_SECRET`, `$PORT or 8000`.
    pub(crate) fn show(&self) -> Option<String> {
        Some(match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Flag(flag) => flag.to_string(),
            Self::Nothing => "none".to_owned(),
            Self::List(all) => {
                let parts: Option<Vec<String>> = all.iter().map(Self::show).collect();
                parts?.join(", ")
            }
            Self::Env { name, default } => match default.as_deref().and_then(Self::show) {
                Some(default) => format!("${name} or {default}"),
                None => format!("${name}"),
            },
            Self::Unknown => return None,
        })
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Env {
                default: Some(default),
                ..
            } => match default.as_ref() {
                Self::Text(text) => text.trim().parse().ok(),
                other => other.number(),
            },
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

/// Calls that give back what they are given, for what is read here.
pub(crate) const SAME: [&str; 26] = [
    "encode",
    "decode",
    "strip",
    "trim",
    "to_string",
    "to_owned",
    "into",
    "clone",
    "as_bytes",
    "as_str",
    "as_ref",
    "unwrap",
    "expect",
    "toString",
    "lower",
    "upper",
    "toLowerCase",
    "into_bytes",
    "to_vec",
    "rstrip",
    "lstrip",
    "ok",
    "to_lowercase",
    "parse",
    "get_secret_value",
    "iter",
];
const SAME_FUNCTIONS: [&str; 16] = [
    "int",
    "str",
    "float",
    "bool",
    "bytes",
    "Number",
    "String",
    "parseInt",
    "parseFloat",
    "pathlib.Path",
    "pathlib.Path()",
    "Buffer.from",
    "String.from",
    "TextEncoder().encode",
    "frozenset",
    "set",
];

impl Project {
    pub(crate) fn fold(&self, at: At) -> Value {
        self.fold_in(at, 12)
    }

    fn fold_in(&self, at: At, depth: u32) -> Value {
        let Some(depth) = depth.checked_sub(1) else {
            return Value::Unknown;
        };
        if at.id == NONE {
            return Value::Unknown;
        }
        match self.kind(at) {
            Kind::Num => number(self.text(at)).map_or(Value::Unknown, Value::Number),
            Kind::Str { .. } => self.string(at).map_or(Value::Unknown, Value::Text),
            Kind::Template(kids) => {
                let mut whole = String::new();
                for part in self.list(at, kids) {
                    match self.fold_in(part, depth) {
                        Value::Text(text) => whole.push_str(&text),
                        Value::Number(number) => whole.push_str(&number.to_string()),
                        _ => return Value::Unknown,
                    }
                }
                Value::Text(whole)
            }
            Kind::True => Value::Flag(true),
            Kind::False => Value::Flag(false),
            Kind::Null => Value::Nothing,
            Kind::List(kids) => {
                let all = self.list(at, kids);
                Value::List(
                    all.into_iter()
                        .map(|one| self.fold_in(one, depth))
                        .collect(),
                )
            }
            Kind::Await(of) | Kind::Return(of) => self.fold_in(at.with(of), depth),
            Kind::Assign { value, .. } => self.fold_in(at.with(value), depth),
            Kind::Keyword { value, .. } => self.fold_in(at.with(value), depth),
            Kind::Binary { op, left, right } => {
                self.fold_pair(op, at.with(left), at.with(right), depth)
            }
            Kind::Index { of, at: index } => match self.name(at.with(of)).as_deref() {
                Some("os.environ" | "process.env") => match self.fold_in(at.with(index), depth) {
                    Value::Text(name) => Value::Env {
                        name,
                        default: None,
                    },
                    _ => Value::Unknown,
                },
                _ => Value::Unknown,
            },
            Kind::Name | Kind::Member { .. } => self.fold_name(at, depth),
            Kind::Call { callee, args } => {
                let args = self.list(at, args);
                self.fold_call(at, at.with(callee), &args, depth)
            }
            _ => Value::Unknown,
        }
    }

    fn fold_name(&self, at: At, depth: u32) -> Value {
        // What a name was given comes before what it stands for: `env.X ?? 'y'` has a default.
        if let Some(value) = self.fold_bound(at, depth)
            && value != Value::Unknown
        {
            return value;
        }
        match self.resolve(at) {
            Thing::Value(value) if value != at => self.fold_in(value, depth),
            Thing::Outside(name) => match name.strip_prefix("process.env.") {
                Some(name) if !name.contains(['.', '(']) => Value::Env {
                    name: name.to_owned(),
                    default: None,
                },
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        }
    }

    /// A name that stands for the result of a call: what the call gives.
    fn fold_bound(&self, at: At, depth: u32) -> Option<Value> {
        let value = self.definition(at)?;
        (value != at).then(|| self.fold_in(value, depth))
    }

    fn fold_pair(&self, op: Op, left: At, right: At, depth: u32) -> Value {
        let first = self.fold_in(left, depth);
        if matches!(op, Op::Or | Op::Coalesce) {
            return match first {
                Value::Env {
                    name,
                    default: None,
                } => Value::Env {
                    name,
                    default: match self.fold_in(right, depth) {
                        Value::Unknown => None,
                        other => Some(Box::new(other)),
                    },
                },
                Value::Nothing => self.fold_in(right, depth),
                Value::Text(text) if text.is_empty() => self.fold_in(right, depth),
                other => other,
            };
        }
        match (op, first, self.fold_in(right, depth)) {
            (Op::Add, Value::Text(a), Value::Text(b)) => Value::Text(a + &b),
            (op, Value::Number(a), Value::Number(b)) => Value::Number(match op {
                Op::Add => a + b,
                Op::Sub => a - b,
                Op::Mul => a * b,
                Op::Div => a / b,
                Op::Mod => a % b,
                Op::Pow => a.powf(b),
                Op::Shl => a * 2f64.powf(b),
                _ => return Value::Unknown,
            }),
            _ => Value::Unknown,
        }
    }

    fn fold_call(&self, at: At, callee: At, args: &[At], depth: u32) -> Value {
        let arg = |index: usize| args.get(index).map(|arg| self.fold_in(*arg, depth));
        let name = self.name(callee);
        match name.as_deref() {
            Some("os.environ.get" | "os.getenv" | "std.env.var" | "env.var" | "std.env.var_os") => {
                let Some(Value::Text(name)) = arg(0) else {
                    return Value::Unknown;
                };
                let default = arg(1).map(Box::new).filter(|one| **one != Value::Nothing);
                return Value::Env { name, default };
            }
            Some("datetime.timedelta") => return self.timedelta(args, depth),
            Some("std.time.Duration.from_secs" | "Duration.from_secs") => {
                return arg(0).unwrap_or(Value::Unknown);
            }
            Some(name) if SAME_FUNCTIONS.contains(&name) => {
                return arg(0).unwrap_or(Value::Unknown);
            }
            _ => {}
        }
        if let Kind::Member { of, name } = self.kind(callee) {
            let method = self.text(callee.with(name));
            let of = callee.with(of);
            if SAME.contains(&method) {
                return self.fold_in(of, depth);
            }
            if matches!(method, "unwrap_or_else" | "unwrap_or" | "unwrap_or_default") {
                return match self.fold_in(of, depth) {
                    Value::Env {
                        name,
                        default: None,
                    } => {
                        let given = args.first().copied().map(|one| match self.kind(one) {
                            Kind::Function { body, .. } => self.fold_in(one.with(body), depth),
                            _ => self.fold_in(one, depth),
                        });
                        let default = match (method, given) {
                            ("unwrap_or_default", _) => Some(Value::Text(String::new())),
                            (_, Some(Value::Unknown) | None) => None,
                            (_, given) => given,
                        };
                        Value::Env {
                            name,
                            default: default.map(Box::new),
                        }
                    }
                    other => other,
                };
            }
        }
        self.fold_own(at, callee, args, depth)
    }

    /// A function of the app that reads the variable it is told: `required('JWT_SECRET')`.
    fn fold_own(&self, at: At, callee: At, args: &[At], depth: u32) -> Value {
        let Thing::Inside(function) = self.resolve(callee) else {
            return Value::Unknown;
        };
        let Kind::Function { params, .. } = self.kind(function) else {
            return Value::Unknown;
        };
        let params = self.list(function, params);
        for inner in self.inside(function) {
            let variable = match self.kind(inner) {
                Kind::Index { of, at: index }
                    if matches!(
                        self.name(inner.with(of)).as_deref(),
                        Some("os.environ" | "process.env")
                    ) =>
                {
                    inner.with(index)
                }
                Kind::Call { callee, args }
                    if matches!(
                        self.name(inner.with(callee)).as_deref(),
                        Some("os.environ.get" | "os.getenv" | "std.env.var" | "env.var")
                    ) =>
                {
                    match self.list(inner, args).first() {
                        Some(first) => *first,
                        None => continue,
                    }
                }
                _ => continue,
            };
            if let Thing::Param(param) | Thing::Value(param) = self.resolve(variable) {
                let index = params.iter().position(|one| *one == param);
                let given = index.and_then(|index| args.get(index)).copied();
                if let Some(Value::Text(name)) = given.map(|one| self.fold_in(one, depth)) {
                    return Value::Env {
                        name,
                        default: None,
                    };
                }
            }
            // `def f(name: str)`: the type hides the parameter.
            if let Kind::Name = self.kind(variable) {
                let text = self.text(variable);
                let index = params.iter().position(|one| match self.kind(*one) {
                    Kind::Param { name, .. } => self.text(one.with(name)) == text,
                    _ => false,
                });
                let given = index.and_then(|index| args.get(index)).copied();
                if let Some(Value::Text(name)) = given.map(|one| self.fold_in(one, depth)) {
                    return Value::Env {
                        name,
                        default: None,
                    };
                }
            }
        }
        let returns = self.returns(function);
        match returns.as_slice() {
            [one] if *one != at => self.fold_in(*one, depth),
            _ => Value::Unknown,
        }
    }

    fn timedelta(&self, args: &[At], depth: u32) -> Value {
        let mut seconds = 0.0;
        for (index, arg) in args.iter().enumerate() {
            let (unit, value) = match self.kind(*arg) {
                Kind::Keyword { name, value } => {
                    (self.text(arg.with(name)).to_owned(), arg.with(value))
                }
                _ => (
                    ["days", "seconds"].get(index).unwrap_or(&"").to_string(),
                    *arg,
                ),
            };
            let Some(count) = self.fold_in(value, depth).number() else {
                return Value::Unknown;
            };
            seconds += count
                * match unit.as_str() {
                    "weeks" => 604_800.0,
                    "days" => 86_400.0,
                    "hours" => 3_600.0,
                    "minutes" => 60.0,
                    "seconds" => 1.0,
                    _ => return Value::Unknown,
                };
        }
        Value::Number(seconds)
    }

    /// The expression that a name is bound to, where it is bound once.
    pub(crate) fn definition(&self, at: At) -> Option<At> {
        match self.kind(at) {
            Kind::Name => self.bound_value(at),
            Kind::Member { of, name } => {
                let name = self.text(at.with(name)).to_owned();
                match self.resolve(at.with(of)) {
                    Thing::Module(file) => self.value_in(file, 0, &name),
                    Thing::Inside(class) => self
                        .value_in(class.tree, class.id, &name)
                        .or_else(|| self.value_in(class.tree, class.id, &format!(".{name}"))),
                    Thing::Value(map) => self.entry(map, &name),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// `210_000`, `0x10`, `1e3`, `5n`, `12u32`
fn number(text: &str) -> Option<f64> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let lower = plain.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            let end = digits
                .find(|c: char| !c.is_digit(radix))
                .unwrap_or(digits.len());
            return i64::from_str_radix(&digits[..end], radix)
                .ok()
                .map(|number| number as f64);
        }
    }
    let end = lower
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | 'e' | '-' | '+')))
        .unwrap_or(lower.len());
    lower[..end].parse().ok()
}

/// `24h`, `7d`, `15 minutes` in seconds, as `jsonwebtoken` and `jose` read them.
pub(crate) fn duration(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let count: f64 = text[..end].parse().ok()?;
    Some(
        count
            * match text[end..].trim() {
                "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
                "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
                "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
                "d" | "day" | "days" => 86_400.0,
                "w" | "week" | "weeks" => 604_800.0,
                "y" | "year" | "years" => 31_557_600.0,
                _ => return None,
            },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations() {
        for (text, expected) in [
            ("210_000", 210_000.0),
            ("0x10", 16.0),
            ("12u32", 12.0),
            ("1e3", 1000.0),
            ("5n", 5.0),
        ] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        assert_eq!(duration("24h"), Some(86_400.0));
        assert_eq!(duration("7 days"), Some(604_800.0));
        assert_eq!(duration("3600"), None);
    }
}
