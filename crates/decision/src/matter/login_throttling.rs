//! What limits how often somebody may try to sign in.
//!
//! ## What is read
//! Everything that runs for the route that signs people in: its dependencies, decorators and middleware, and the app's own
//! functions that they reach. A limit is a library's, or code of the app's own that answers 429 after a comparison, or that
//! refuses after a comparison with what is called attempts, failures or a lock.
//!
//! ## Does not see
//! Limits of a proxy in front of the app. Whether the address is the client's own or one that it may write: the exploit does.

use std::collections::BTreeSet;

use model::decision::{Confidence, Origin};

use crate::fold::{Value, duration};
use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::{At, Thing};
use crate::routes::{Purpose, Route};
use crate::tree::{Kind, Lang, NONE, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "login throttling",
    exploits: &["login-rate-limit"],
    words: &[
        "rate limit",
        "rate-limit",
        "throttl",
        "per minute",
        "brute",
        "login attempts",
        "lock out",
        "lock-out",
    ],
    read,
};

const LIBRARIES: [(Lang, &str); 15] = [
    (Lang::Python, "slowapi.Limiter().limit"),
    (Lang::Python, "slowapi.Limiter().shared_limit"),
    (Lang::Python, "flask_limiter.Limiter().limit"),
    (Lang::Python, "fastapi_limiter.depends.RateLimiter"),
    (Lang::Python, "django_ratelimit.decorators.ratelimit"),
    (Lang::Script, "express-rate-limit"),
    (Lang::Script, "express-rate-limit.rateLimit"),
    (Lang::Script, "express-slow-down"),
    (Lang::Script, "@upstash/ratelimit.Ratelimit"),
    (Lang::Script, "rate-limiter-flexible.RateLimiterMemory"),
    (Lang::Script, "rate-limiter-flexible.RateLimiterRedis"),
    (Lang::Rust, "tower_governor.GovernorLayer"),
    (Lang::Rust, "tower_governor.GovernorLayer.new"),
    (
        Lang::Rust,
        "tower_governor.governor.GovernorConfigBuilder.default",
    ),
    (Lang::Rust, "governor.RateLimiter.keyed"),
];

fn read(index: &Index) -> Outcome {
    let routes = index.routes_for(Purpose::Login);
    if routes.is_empty() {
        return Outcome::NoPlace;
    }
    let mut found = Vec::new();
    for route in &routes {
        found.extend(
            library(index, route)
                .or_else(|| by_hand(index, route))
                .or_else(|| lock(index, route)),
        );
    }
    if !found.is_empty() {
        found.truncate(1);
        return Outcome::Found(found);
    }
    match unmounted(index) {
        Some(at) => {
            let span = index.project.span(at);
            Outcome::Unclear(format!(
                "{}:{} limits, and nothing on the way to the sign-in is seen to use it",
                span.file, span.line
            ))
        }
        None => Outcome::Nothing,
    }
}

fn library(index: &Index, route: &Route) -> Option<Found> {
    let project = &index.project;
    let code = index.code_of(route);
    for (lang, name) in LIBRARIES {
        let made = format!("{name}()");
        let before = route
            .before
            .iter()
            .any(|one| one.starts_with(&made) || one == name);
        for call in index.calls_named(name) {
            if project.lang(call.at) != lang {
                continue;
            }
            let inside = code.contains(&index.owner(call.at));
            let used = inside
                || before && call.live
                || index
                    .nodes_with_values(&code)
                    .into_iter()
                    .any(|at| project.definition(at) == Some(call.at) || at == call.at);
            if used {
                let origin = index.origin(lang, name);
                let (limit, window) = numbers(index, call);
                let limit = limit.or_else(|| handed_over(index, call, &code, route));
                let choice = if name == "express-slow-down" {
                    "delay"
                } else {
                    "limit per address"
                };
                return Some(
                    Found::new(index, choice, origin, call.at)
                        .with("limit", limit)
                        .with("window s", window),
                );
            }
        }
    }
    // A limit for all routes, mounted on the app.
    for (class, maker) in [
        ("slowapi.middleware.SlowAPIMiddleware", "slowapi.Limiter"),
        ("flask_limiter.Limiter", "flask_limiter.Limiter"),
    ] {
        let mounted = !index.live_mentions(&[class]).is_empty();
        let call = index
            .calls_named(maker)
            .find(|call| call.live && call.named(project, "default_limits").is_some());
        if let (true, Some(call)) = (mounted, call) {
            let limits = call.named(project, "default_limits");
            let text = limits.map(|at| project.text(at)).unwrap_or_default();
            let (limit, window) = rate(text);
            let origin = index.origin(Lang::Python, maker);
            return Some(
                Found::new(index, "limit per address", origin, call.at)
                    .with("limit", limit)
                    .with("window s", window),
            );
        }
    }
    None
}

/// `callsAMinute(5)`: the first number that the function around the library's call is given on this way.
fn handed_over(index: &Index, call: &Call, code: &[At], route: &Route) -> Option<String> {
    let project = &index.project;
    let around = index.owner(call.at);
    // `app.post('/login', loginLimit, …)`
    let declared = project
        .inside(route.at)
        .into_iter()
        .filter_map(|at| project.definition(at));
    let given = declared
        .chain(index.nodes_with_values(code))
        .find_map(|at| {
            let Kind::Call { callee, args } = project.kind(at) else {
                return None;
            };
            let inside = project.resolve(at.with(callee)) == Thing::Inside(around);
            let args = project.list(at, args);
            inside
                .then(|| args.iter().find_map(|arg| project.fold(*arg).number()))
                .flatten()
        });
    given.map(|number| number.to_string())
}

/// What a limiter's options say.
fn numbers(index: &Index, call: &Call) -> (Option<String>, Option<String>) {
    let project = &index.project;
    let number = |names: &[&str]| {
        let at = names.iter().find_map(|name| call.named(project, name))?;
        project.fold(at).number()
    };
    let limit = number(&["limit", "max", "times", "points", "delayAfter", "rate"]);
    let window = number(&["windowMs"])
        .map(|ms| ms / 1000.0)
        .or_else(|| number(&["seconds", "duration"]))
        .or_else(|| number(&["minutes"]).map(|one| one * 60.0));
    // `Ratelimit.slidingWindow(10, '60 s')`
    let sliding = call
        .named(project, "limiter")
        .and_then(|at| index.call(project.definition(at).unwrap_or(at)));
    if let Some(inner) = sliding {
        let numbers: Vec<_> = inner.args.iter().map(|at| project.fold(*at)).collect();
        let limit = numbers.first().and_then(Value::number);
        let window = numbers
            .get(1)
            .and_then(Value::text)
            .and_then(|text| duration(&text.replace(' ', "")));
        return (
            limit.map(|one| one.to_string()),
            window.map(|one| one.to_string()),
        );
    }
    if limit.is_some() || window.is_some() {
        return (
            limit.map(|one| one.to_string()),
            window.map(|one| one.to_string()),
        );
    }
    // `5/minute`
    let text = call
        .args
        .first()
        .and_then(|at| project.fold(*at).text().map(str::to_owned));
    rate(&text.unwrap_or_default())
}

fn rate(text: &str) -> (Option<String>, Option<String>) {
    let plain = text
        .trim_matches(['[', ']', '"', '\'', ' '])
        .replace(" per ", "/");
    let Some((count, unit)) = plain.split_once('/') else {
        return (None, None);
    };
    let window = match unit.trim().trim_end_matches(['"', '\'']) {
        "second" => Some("1"),
        "minute" => Some("60"),
        "hour" => Some("3600"),
        "day" => Some("86400"),
        _ => None,
    };
    let count = count.trim();
    let limit = count.parse::<u32>().ok().map(|_| count.to_owned());
    (limit, window.map(str::to_owned))
}

/// A number 429, as a status.
fn is_429(index: &Index, at: At) -> bool {
    let project = &index.project;
    match project.kind(at) {
        Kind::Num => project.fold(at).number() == Some(429.0),
        Kind::Member { name, .. } => matches!(
            project.text(at.with(name)),
            "HTTP_429_TOO_MANY_REQUESTS" | "TOO_MANY_REQUESTS"
        ),
        Kind::Name => project.name(at).as_deref() == Some("werkzeug.exceptions.TooManyRequests"),
        _ => false,
    }
}

fn by_hand(index: &Index, route: &Route) -> Option<Found> {
    let project = &index.project;
    let code = index.code_of(route);
    let nodes = index.nodes_of(&code);
    let at = nodes.iter().copied().find(|at| is_429(index, *at))?;
    // The test it depends on, in the same function, or in one that this function asks.
    let function = index.owner(at);
    let tree = project.tree(at);
    let test = tree.upwards(at.id).find_map(|id| match tree.kind(id) {
        Kind::If { test, .. } if test != NONE => Some(at.with(test)),
        _ => None,
    });
    let reached = index.reach(function);
    let compare = test
        .into_iter()
        .flat_map(|test| project.inside(test))
        .chain(index.nodes_of(&reached))
        .find(|one| {
            matches!(project.kind(*one), Kind::Binary { op, .. } if op.compares())
                && !project
                    .inside(*one)
                    .iter()
                    .any(|inner| is_429(index, *inner))
                && age(index, *one).is_none()
        });
    let class = match project.resolve(function) {
        Thing::Inside(inside) => {
            let tree = project.tree(inside);
            let class = tree
                .upwards(inside.id)
                .find(|id| matches!(tree.kind(*id), Kind::Class { .. }));
            class.map(|id| inside.with(id))
        }
        _ => None,
    };
    let text = project.text(class.unwrap_or(function)).to_owned()
        + reached
            .iter()
            .map(|one| project.text(*one))
            .collect::<String>()
            .as_str();
    let per_address = [
        "client.host",
        "remote_addr",
        "x-forwarded-for",
        "remoteAddress",
        "req.ip",
        "request.ip",
        "ConnectInfo",
        "SocketAddr",
        "clientIp",
        "x-real-ip",
    ]
    .iter()
    .any(|word| text.contains(word));
    let per_account = ["email", "username", "account"]
        .iter()
        .any(|word| text.contains(word));
    let choice = match (per_address, per_account) {
        (true, _) => "limit per address",
        (false, true) => "limit per account",
        (false, false) => "limit",
    };
    let mut found = Found::new(
        index,
        choice,
        Origin::HandWritten,
        class.unwrap_or(function),
    )
    .by_hand(index, class.unwrap_or(function));
    let (limit, window) = made_with(index, class, &code).unwrap_or_else(|| {
        let limit = compare.and_then(|one| compared(index, one));
        (limit, window(index, test, function))
    });
    if limit.is_none() {
        found = found.unsure(Confidence::Medium);
    }
    Some(found.with("limit", limit).with("window s", window))
}

/// How far back attempts count: what the test says, else what it is about, else the function around. Other code also asks how
/// old something is, a session: where these are several, which of them it is is not known.
fn window(index: &Index, test: Option<At>, function: At) -> Option<String> {
    let project = &index.project;
    let inside = test.map(|test| project.inside(test)).unwrap_or_default();
    let mut about = inside.clone();
    let values = inside.iter().filter_map(|at| project.definition(*at));
    about.extend(values.flat_map(|value| project.inside(value)));
    let asked = about.iter().filter_map(|at| match project.kind(*at) {
        Kind::Name | Kind::Member { .. } => match project.resolve(*at) {
            Thing::Inside(function) => Some(function),
            _ => None,
        },
        _ => None,
    });
    let asked: Vec<At> = asked.collect();
    about.extend(index.nodes_of(&index.reach_all(&asked)));
    let ages = [inside, about, project.inside(function)]
        .into_iter()
        .map(|nodes| -> BTreeSet<String> {
            nodes.into_iter().filter_map(|at| age(index, at)).collect()
        })
        .find(|ages| !ages.is_empty())?;
    if ages.len() == 1 {
        ages.into_iter().next()
    } else {
        None
    }
}

/// `now - then < 60`: how far back attempts count, in seconds.
fn age(index: &Index, at: At) -> Option<String> {
    let project = &index.project;
    let Kind::Binary {
        op: Op::Lt | Op::Le | Op::Gt | Op::Ge,
        left,
        right,
    } = project.kind(at)
    else {
        return None;
    };
    let is_span = |id| matches!(project.kind(at.with(id)), Kind::Binary { op: Op::Sub, .. });
    let number = if is_span(left) {
        project.fold(at.with(right)).number()
    } else if is_span(right) {
        project.fold(at.with(left)).number()
    } else {
        None
    }?;
    let in_ms = project.tree(at).lang == Lang::Script && number >= 1000.0;
    Some((if in_ms { number / 1000.0 } else { number }).to_string())
}

/// A refusal after a comparison with what is called attempts, failures or a lock.
fn lock(index: &Index, route: &Route) -> Option<Found> {
    let project = &index.project;
    let nodes = index.nodes_of(&index.code_of(route));
    let (at, test) = nodes.iter().copied().find_map(|at| {
        let Kind::If { test, then, .. } = project.kind(at) else {
            return None;
        };
        if test == NONE || then == NONE {
            return None;
        }
        let compare =
            project
                .inside(at.with(test))
                .into_iter()
                .find(|one| match project.kind(*one) {
                    Kind::Binary {
                        op: Op::Lt | Op::Le | Op::Gt | Op::Ge,
                        ..
                    } => {
                        let text = project.text(*one).to_ascii_lowercase();
                        ["attempt", "fail", "tries", "lock"]
                            .iter()
                            .any(|word| text.contains(word))
                    }
                    _ => false,
                })?;
        let refuses =
            project
                .inside(at.with(then))
                .into_iter()
                .any(|one| match project.kind(one) {
                    Kind::Num => project
                        .fold(one)
                        .number()
                        .is_some_and(|code| [401.0, 403.0, 423.0].contains(&code)),
                    _ => false,
                });
        refuses.then_some((at, compare))
    })?;
    let function = index.owner(at);
    Some(
        Found::new(index, "lock-out", Origin::HandWritten, function)
            .by_hand(index, function)
            .with("limit", compared(index, test))
            .unsure(Confidence::Medium),
    )
}

/// `Limit(5, 60)`: what the limiter on this way was made with.
fn made_with(
    index: &Index,
    class: Option<At>,
    code: &[At],
) -> Option<(Option<String>, Option<String>)> {
    let project = &index.project;
    let class = class?;
    let nodes = index.nodes_with_values(code);
    let call = index.calls_to(class).find(|call| {
        nodes.contains(&call.at)
            || nodes
                .iter()
                .any(|at| project.definition(*at) == Some(call.at))
    })?;
    let mut numbers = call.args.iter().filter_map(|at| project.fold(*at).number());
    let shown = |one: Option<f64>| one.map(|number| number.to_string());
    Some((shown(numbers.next()), shown(numbers.next())))
}

fn compared(index: &Index, at: At) -> Option<String> {
    let project = &index.project;
    let Kind::Binary { left, right, .. } = project.kind(at) else {
        return None;
    };
    let number = |id| project.fold(at.with(id)).number();
    number(right)
        .or_else(|| number(left))
        .map(|one| one.to_string())
}

/// A limiter that is there, and that the sign-in does not reach.
fn unmounted(index: &Index) -> Option<At> {
    let by_library = LIBRARIES
        .iter()
        .flat_map(|(_, name)| index.calls_named(name))
        .map(|call| call.at)
        .next();
    by_library.or_else(|| {
        let project = &index.project;
        let mut found = None;
        for (number, tree) in project.trees.iter().enumerate() {
            for id in 0..tree.nodes.len() as u32 {
                let at = At {
                    tree: number as u32,
                    id,
                };
                if matches!(tree.kind(id), Kind::Num) && is_429(index, at) && !index.is_live(at) {
                    found = found.or(Some(at));
                }
            }
        }
        found
    })
}
