//! Whether the answer to a failed sign-in tells if the account exists.
//!
//! ## What is read
//! The code of the sign-in route: whether an unknown address takes a way of its own, with other words or status, and whether
//! the same work is done for it.
//!
//! ## Does not see
//! Differences that only a clock shows, other than a password check that is left out.

use model::decision::{Confidence, Origin};

use crate::index::{Call, Index};
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::{Purpose, Route};
use crate::tree::{Kind, NONE, Op};

pub(crate) static MATTER: Matter = Matter {
    title: "login answer",
    exploits: &["account-enumeration"],
    words: &[
        "same answer",
        "enumerat",
        "whether an account exists",
        "generic error",
    ],
    read,
};

const CHECKS: [&str; 14] = [
    "bcrypt.checkpw",
    "bcrypt.compare",
    "bcrypt.compareSync",
    "bcryptjs.compare",
    "bcryptjs.compareSync",
    "argon2.verify",
    "argon2.PasswordHasher().verify",
    "passlib.context.CryptContext().verify",
    "werkzeug.security.check_password_hash",
    "@node-rs/argon2.verify",
    "@node-rs/bcrypt.verify",
    "bcrypt.verify",
    "pwdlib.PasswordHash.recommended().verify",
    "passlib.hash.bcrypt.verify",
];

fn read(index: &Index) -> Outcome {
    let routes = index.routes_for(Purpose::Login);
    let Some(route) = routes
        .iter()
        .find(|route| matches!(route.method.as_str(), "POST" | "ANY"))
    else {
        return Outcome::NoPlace;
    };
    let project = &index.project;
    let code = index.reach(route.handler);
    let nodes = index.nodes_of(&code);
    // A branch on "no such user" alone, and what it answers.
    for at in &nodes {
        let Kind::If { test, then, .. } = project.kind(*at) else {
            continue;
        };
        if test == NONE || then == NONE || !only_user(index, at.with(test)) {
            continue;
        }
        let said = words(index, at.with(then));
        let others: Vec<String> = nodes
            .iter()
            .filter(|other| **other != *at && matches!(project.kind(**other), Kind::If { .. }))
            .filter_map(|other| match project.kind(*other) {
                Kind::If { test, then, .. }
                    if test != NONE && then != NONE && about_password(index, other.with(test)) =>
                {
                    Some(words(index, other.with(then)))
                }
                _ => None,
            })
            .collect();
        if !said.is_empty() && !others.is_empty() && !others.contains(&said) {
            return Outcome::Found(vec![
                Found::new(index, "tells which", Origin::HandWritten, *at)
                    .below(Some("it says whether the account exists".to_owned())),
            ]);
        }
    }
    if let Some(at) = dummy(index, &code, &nodes, route) {
        Outcome::Found(vec![
            Found::new(index, "same answer and same work", Origin::HandWritten, at)
                .unsure(Confidence::Medium),
        ])
    } else {
        let at = nodes.iter().copied().find(|at| {
            matches!(project.kind(*at), Kind::If { test, .. } if test != NONE && about_user(index, at.with(test))
                && (!project.text(at.with(test)).to_ascii_lowercase().contains("username")
                    || about_password(index, at.with(test))))
        });
        if at.is_none()
            && !index
                .calls_in(&code)
                .iter()
                .any(|call| CHECKS.contains(&call.name.as_str()))
        {
            return Outcome::Unclear("no look at an account is seen behind the sign-in".to_owned());
        }
        Outcome::Found(vec![
            Found::new(
                index,
                "same answer, less work for unknown",
                Origin::HandWritten,
                at.unwrap_or(route.handler),
            )
            .below(Some("an unknown account is answered sooner".to_owned()))
            .unsure(Confidence::Medium),
        ])
    }
}

fn about_user(index: &Index, at: At) -> bool {
    let text = index.project.text(at).to_ascii_lowercase();
    ["user", "row", "account", "found", "record"]
        .iter()
        .any(|word| text.contains(word))
}

fn about_password(index: &Index, at: At) -> bool {
    let text = index.project.text(at).to_ascii_lowercase();
    ["password", "verify", "compare", "check", "match", "hash"]
        .iter()
        .any(|word| text.contains(word))
}

/// A test of the user, and of nothing else.
fn only_user(index: &Index, at: At) -> bool {
    let project = &index.project;
    let text = project.text(at).to_ascii_lowercase();
    let alone = match project.kind(at) {
        Kind::Not(_) => true,
        Kind::Binary {
            op: Op::Eq, right, ..
        } => project.kind(at.with(right)) == Kind::Null,
        _ => false,
    };
    alone
        && about_user(index, at)
        && !text.contains("username")
        && !text.contains("password")
        && !text.contains("verify")
        && !text.contains("admin")
}

/// Texts and numbers of an answer.
fn words(index: &Index, at: At) -> String {
    let project = &index.project;
    let mut all: Vec<String> = project
        .inside(at)
        .into_iter()
        .filter_map(|one| match project.kind(one) {
            Kind::Str { .. } => project.string(one),
            Kind::Num => Some(project.text(one).to_owned()),
            _ => None,
        })
        .collect();
    all.sort();
    all.join("|")
}

/// A password check that does not depend on whether the user was found: a stand-in hash.
fn dummy(index: &Index, code: &[At], nodes: &[At], route: &Route) -> Option<At> {
    let project = &index.project;
    let calls = index.calls_in(code);
    let check: &Call = calls
        .iter()
        .find(|call| CHECKS.contains(&call.name.as_str()))?;
    // `kept.encode() if kept else NOBODY`, `kept ?? NOBODY`
    let stand_in = |at: At| {
        project.inside(at).into_iter().any(|one| {
            matches!(
                project.kind(one),
                Kind::If { .. }
                    | Kind::Binary {
                        op: Op::Or | Op::Coalesce,
                        ..
                    }
            )
        })
    };
    let given = check
        .args
        .iter()
        .any(|arg| stand_in(*arg) || project.definition(*arg).is_some_and(stand_in));
    // Or a second check on another branch.
    let checks = calls
        .iter()
        .filter(|call| CHECKS.contains(&call.name.as_str()))
        .count();
    let own = index.owner(check.at);
    let short = nodes.iter().any(|at| match project.kind(*at) {
        // `user is None or not check(…)`, `!user || !check(…)`: never reached for an unknown user.
        Kind::Binary {
            op: Op::Or | Op::And,
            left,
            right,
        } => {
            let right_checks = project.inside(at.with(right)).into_iter().any(|one| {
                one == check.at
                    || matches!(project.kind(one), Kind::Call { callee, .. }
                    if project.resolve(one.with(callee)) == crate::project::Thing::Inside(own))
            });
            right_checks && about_user(index, at.with(left)) && index.owner(*at) != own
                || right_checks && about_user(index, at.with(left)) && own == route.handler
        }
        _ => false,
    });
    (given && !short || checks > 1).then_some(check.at)
}
