use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use rusqlite::{OptionalExtension, Row};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Shared;
use crate::auth::User;
use crate::input::{Body, Id, fit, text};
use crate::refusal::Refusal;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/notes", post(create))
        .route("/api/notes/{id}", get(read))
        .route("/api/search", get(search))
}

#[derive(Deserialize)]
struct NewNote {
    title: String,
    body: String,
}

async fn create(
    State(app): State<Shared>,
    user: User,
    body: Body<NewNote>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let NewNote { title, body } = fit(body)?;
    text("title", &title, 1, 200)?;
    text("body", &body, 0, 20_000)?;
    let db = app.db.lock();
    let sql = "INSERT INTO notes (owner, title, body) VALUES (?1, ?2, ?3)";
    db.execute(sql, (user.id, title, body))?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "id": db.last_insert_rowid() })),
    ))
}

fn note(row: &Row) -> rusqlite::Result<Value> {
    let (id, title, body, created_at): (i64, String, String, String) =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(json!({ "id": id, "title": title, "body": body, "created_at": created_at }))
}

async fn read(State(app): State<Shared>, user: User, Id(id): Id) -> Result<Json<Value>, Refusal> {
    let sql = "SELECT id, title, body, created_at FROM notes WHERE id = ?1 AND owner = ?2";
    let found = app
        .db
        .lock()
        .query_row(sql, (id, user.id), note)
        .optional()?;
    found
        .map(Json)
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "no such note"))
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: Sort,
    limit: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum Sort {
    Title,
    #[default]
    CreatedAt,
}

async fn search(
    State(app): State<Shared>,
    user: User,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(Search { q, sort, limit }) = query.map_err(|_| Refusal::does_not_fit("query"))?;
    text("q", &q, 0, 200)?;
    let limit = limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return Err(Refusal::does_not_fit("limit"));
    }
    let order = match sort {
        Sort::Title => "title COLLATE NOCASE ASC, id ASC",
        Sort::CreatedAt => "created_at DESC, id DESC",
    };
    let q = q
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    let db = app.db.lock();
    let mut query = db.prepare(&format!(
        "SELECT id, title, body, created_at FROM notes
         WHERE owner = ?1 AND (title LIKE ?2 ESCAPE '\\' OR body LIKE ?2 ESCAPE '\\')
         ORDER BY {order} LIMIT ?3"
    ))?;
    let results: Result<Vec<Value>, _> = query
        .query_map((user.id, format!("%{q}%"), limit), note)?
        .collect();
    Ok(Json(json!({ "results": results? })))
}
