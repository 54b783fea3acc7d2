//! Whether an event that is sent a second time is stored a second time.
//!
//! ## What is read
//! The statement that the webhook route stores events with, the table's key, and look-ups before it; comparisons of a time in
//! the event with the present.
//!
//! ## Does not see
//! Providers' libraries that check a time themselves: those are `webhook-verification`.

use model::decision::{Confidence, Origin};

use crate::index::Index;
use crate::matter::{Found, Matter, Outcome};
use crate::project::At;
use crate::routes::Purpose;
use crate::tree::Kind;

pub(crate) static MATTER: Matter = Matter {
    title: "webhook replay",
    exploits: &["webhook-replay"],
    words: &["kept once", "already stored", "replay", "idempoten"],
    read,
};

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
    let texts: Vec<(At, String)> = index
        .nodes_with_values(&code)
        .into_iter()
        .filter(|at| matches!(project.kind(*at), Kind::Str { .. } | Kind::Template(_)))
        .map(|at| (at, project.text(at).to_ascii_lowercase()))
        .collect();
    let found = |at: At| {
        Outcome::Found(vec![Found::new(
            index,
            "event id kept once",
            Origin::HandWritten,
            at,
        )])
    };
    if let Some((at, _)) = texts.iter().find(|(_, text)| {
        text.contains("insert or ignore")
            || text.contains("on conflict")
            || text.contains("insert or replace")
    }) {
        return found(*at);
    }
    let mapper = index.calls_in(&code).into_iter().find(|call| {
        matches!(
            call.method.as_str(),
            "onConflictDoNothing"
                | "onConflictDoUpdate"
                | "on_conflict_do_nothing"
                | "on_conflict_do_update"
                | "upsert"
        )
    });
    if let Some(call) = mapper {
        return found(call.at);
    }
    let insert = texts.iter().find(|(_, text)| text.contains("insert into"));
    if let Some((at, text)) = insert {
        let table = text
            .split("insert into ")
            .nth(1)
            .and_then(|rest| rest.split([' ', '(']).next())
            .unwrap_or_default()
            .to_owned();
        // A look-up of the same table before, or a key that refuses.
        let looked = texts
            .iter()
            .any(|(_, text)| text.contains("select") && text.contains(&format!("from {table}")));
        if looked || keyed(index, &table) {
            return found(*at);
        }
    }
    let window = index
        .nodes_of(&code)
        .into_iter()
        .find(|at| match project.kind(*at) {
            Kind::Binary { op, .. } if op.compares() => {
                let text = project.text(*at).to_ascii_lowercase();
                text.contains("timestamp")
                    && (text.contains("time") && text.contains('-') || text.contains("now"))
            }
            _ => false,
        });
    if let Some(at) = window {
        return Outcome::Found(vec![
            Found::new(index, "timestamp window", Origin::HandWritten, at)
                .unsure(Confidence::Medium),
        ]);
    }
    if insert.is_none() {
        return Outcome::Unclear("how events are stored was not found".to_owned());
    }
    Outcome::Nothing
}

/// Whether the table's id is a key.
fn keyed(index: &Index, table: &str) -> bool {
    index.project.trees.iter().any(|tree| {
        let lower = tree.text.to_ascii_lowercase();
        let begin = [
            format!("create table if not exists {table}"),
            format!("create table {table}"),
        ]
        .iter()
        .find_map(|words| lower.find(words.as_str()));
        begin.is_some_and(|at| {
            let body: String = lower[at..].chars().take(600).collect();
            let body = body
                .split("create table")
                .nth(1)
                .unwrap_or(&body)
                .to_owned();
            body.contains("id text primary key")
                || body.contains("event_id text not null unique")
                || body.contains("unique (event_id)")
                || body.contains("event_id text unique")
                || body.contains("id text not null primary key")
        })
    })
}
