//! How the app tells events of its provider from anybody's.
//!
//! ## What is read
//! The route that takes events: whether an HMAC is made over the raw body or over what was parsed, how it is compared, or
//! which library does it.
//!
//! ## Does not see
//! Allow-lists of addresses in front of the app.

use model::decision::Confidence;

use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::{Kind, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "webhook verification",
    exploits: &[
        "webhook-unsigned",
        "webhook-wrong-signature",
        "webhook-tampered-body",
    ],
    words: &[
        "x-signature",
        "signature matches",
        "verify webhook",
        "webhook signature",
    ],
    read,
};

const LIBRARIES: [&str; 6] = [
    "stripe.Webhook.construct_event",
    "stripe().webhooks.constructEvent",
    "svix.Webhook().verify",
    "svix.webhooks.Webhook().verify",
    "@octokit/webhooks.Webhooks().verify",
    "stripe.webhooks.constructEvent",
];

const CONSTANT: [&str; 4] = [
    "hmac.compare_digest",
    "secrets.compare_digest",
    "crypto.timingSafeEqual",
    "crypto.subtle.verify",
];

fn read(index: &Index) -> Outcome {
    let project = &index.project;
    let routes = index.routes_for(Purpose::Webhook);
    let Some(route) = routes
        .iter()
        .find(|route| matches!(route.method.as_str(), "POST" | "PUT" | "ANY"))
    else {
        return Outcome::NoPlace;
    };
    let code = index.code_of(route);
    let calls = index.calls_in(&code);
    if let Some(call) = calls
        .iter()
        .find(|call| LIBRARIES.contains(&call.name.as_str()))
    {
        let origin = index.origin(project.lang(call.at), &call.name);
        return Outcome::Found(vec![Found::new(index, "library", origin, call.at)]);
    }
    let made = calls.iter().find(|call| {
        matches!(
            call.name.as_str(),
            "hmac.new" | "hmac.digest" | "crypto.createHmac" | "crypto.subtle.sign"
        ) || call.name.ends_with("new_from_slice")
    });
    let Some(made) = made else {
        // One that nothing calls may be meant for it.
        let dead = index.calls.iter().find(|call| {
            let name = call.name.as_str();
            let checks = matches!(name, "hmac.new" | "hmac.digest" | "crypto.createHmac")
                || LIBRARIES.contains(&name);
            checks && !call.live
        });
        return match dead {
            Some(call) => Outcome::Unclear(index.is_dead(call, "a signature's check")),
            None => Outcome::Nothing,
        };
    };
    let nodes = index.nodes_of(&code);
    let constant = calls.iter().find(|call| {
        CONSTANT.contains(&call.name.as_str())
            || matches!(call.method.as_str(), "verify_slice" | "ct_eq")
    });
    let compare = nodes.iter().copied().find(|at| match project.kind(*at) {
        Kind::Binary {
            op: Op::Eq | Op::Ne,
            left,
            right,
        } => {
            let text = |id| project.text(at.with(id)).to_ascii_lowercase();
            let about = |text: &str| {
                ["signature", "expected", "digest", "hmac", "mac"]
                    .iter()
                    .any(|word| text.contains(word))
            };
            let length = |text: &str| text.contains("length") || text.contains("len(");
            let (left, right) = (text(left), text(right));
            about(&left) && about(&right) && !length(&left) && !length(&right)
        }
        _ => false,
    });
    let parsed = over_parsed(index, made);
    let origin = index.origin(project.lang(made.at), &made.name);
    let new = |choice: &str, below: Option<&str>| {
        let mut found =
            Found::new(index, choice, origin.clone(), made.at).below(below.map(str::to_owned));
        if let Some(at) = constant.map(|call| call.at).or(compare) {
            found = found.also(index, at);
        }
        found
    };
    let found = match (parsed, constant, compare) {
        (true, _, _) => new(
            "HMAC of the parsed body",
            Some("white space and order of the body are not covered"),
        ),
        (false, Some(_), _) => new("HMAC of the raw body, constant time", None),
        (false, None, Some(_)) => new(
            "HMAC of the raw body, plain comparison",
            Some("the comparison's time tells how far a guess is right"),
        ),
        (false, None, None) => new(
            "HMAC that nothing compares",
            Some("a signature is made and not compared"),
        )
        .unsure(Confidence::Medium),
    };
    Outcome::Found(vec![found])
}

/// Whether what is signed was put together again from what was parsed.
fn over_parsed(index: &Index, made: &Call) -> bool {
    let project = &index.project;
    let tree = project.tree(made.at);
    let chain = tree
        .upwards(made.at.id)
        .take_while(|id| matches!(tree.kind(*id), Kind::Call { .. } | Kind::Member { .. }))
        .last()
        .unwrap_or(made.at.id);
    let mut todo: Vec<(At, u8)> = vec![(made.at.with(chain), 0)];
    while let Some((at, depth)) = todo.pop() {
        for inner in project.inside(at) {
            if let Some(call) = index.call(inner)
                && matches!(
                    call.name.as_str(),
                    "json.dumps" | "JSON.stringify" | "serde_json.to_vec" | "serde_json.to_string"
                )
            {
                return true;
            }
            if let (Kind::Name, true) = (project.kind(inner), depth < 3)
                && let Some(value) = project.definition(inner)
            {
                todo.push((value, depth + 1));
            }
        }
    }
    false
}
