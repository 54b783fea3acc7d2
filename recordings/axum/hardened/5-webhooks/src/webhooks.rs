use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::input::text;
use crate::refusal::Refusal;
use crate::{App, Shared};

pub fn routes() -> Router<Shared> {
    Router::new().route("/api/webhooks/payments", post(receive))
}

#[derive(Deserialize)]
struct Event {
    id: String,
    r#type: String,
    data: Map<String, Value>,
}

/// Over the raw bytes; compared in constant time.
fn is_signed(app: &App, headers: &HeaderMap, body: &[u8]) -> bool {
    let mut sent = [0; 32];
    let decoded = headers
        .get("x-signature")
        .and_then(|value| value.to_str().ok()?.strip_prefix("sha256="))
        .is_some_and(|digits| hex::decode_to_slice(digits, &mut sent).is_ok());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(app.settings.webhook_secret.as_bytes()) else {
        return false;
    };
    mac.update(body);
    decoded && mac.verify_slice(&sent).is_ok()
}

async fn receive(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let body = body.map_err(|rejection| Refusal::new(rejection.status(), "does not fit: body"))?;
    if !is_signed(&app, &headers, &body) {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "the signature does not match",
        ));
    }
    let event: Event = serde_json::from_slice(&body).map_err(|_| Refusal::does_not_fit("body"))?;
    text("id", &event.id, 1, 200)?;
    text("type", &event.r#type, 1, 200)?;
    // An id that is there is kept once.
    let sql = "INSERT OR IGNORE INTO events (id, type, data) VALUES (?1, ?2, ?3)";
    let data = Value::Object(event.data).to_string();
    app.db.lock().execute(sql, (event.id, event.r#type, data))?;
    Ok(Json(json!({ "status": "ok" })))
}

pub fn stored(app: &App) -> Result<Vec<Value>, Refusal> {
    let db = app.db.lock();
    let mut query = db.prepare("SELECT id, type, data FROM events ORDER BY rowid")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut events = Vec::new();
    for row in rows {
        let (id, kind, data): (String, String, String) = row?;
        let data: Value = serde_json::from_str(&data)?;
        events.push(json!({ "id": id, "type": kind, "data": data }));
    }
    Ok(events)
}
