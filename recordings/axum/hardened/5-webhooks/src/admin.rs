use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::User;
use crate::files::remove_stored;
use crate::input::{Body, Id, fit};
use crate::passwords::keep;
use crate::refusal::Refusal;
use crate::webhooks;
use crate::{App, Shared};

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/admin/users", get(list))
        .route("/api/admin/users/{id}", patch(change_role).delete(remove))
        .route("/api/admin/webhook-events", get(events))
}

/// The account of the environment, unless it exists.
pub fn create(app: &App) -> Result<(), Box<dyn std::error::Error>> {
    let (email, password) = (&app.settings.admin_email, &app.settings.admin_password);
    if email.is_empty() || password.is_empty() {
        return Ok(());
    }
    let db = app.db.lock();
    if db
        .prepare("SELECT 1 FROM users WHERE email = ?1")?
        .exists([email])?
    {
        return Ok(());
    }
    // Another process may have been first.
    let sql = "INSERT OR IGNORE INTO users (email, password, role) VALUES (?1, ?2, 'admin')";
    db.execute(sql, (email, keep(password)?))?;
    Ok(())
}

/// A handler that takes one is for admins only.
struct Admin;

impl FromRequestParts<Shared> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let user = User::from_request_parts(parts, app).await?;
        if user.role != "admin" {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "for admins only"));
        }
        Ok(Self)
    }
}

fn no_such_user() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no such user")
}

async fn list(_: Admin, State(app): State<Shared>) -> Result<Json<Value>, Refusal> {
    let db = app.db.lock();
    let mut query = db.prepare("SELECT id, email, role FROM users ORDER BY id")?;
    let users: Result<Vec<User>, _> = query
        .query_map([], |row| {
            Ok(User {
                id: row.get(0)?,
                email: row.get(1)?,
                role: row.get(2)?,
            })
        })?
        .collect();
    Ok(Json(json!({ "users": users? })))
}

#[derive(Deserialize)]
struct NewRole {
    role: Role,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    User,
    Admin,
}

async fn change_role(
    _: Admin,
    State(app): State<Shared>,
    Id(id): Id,
    body: Body<NewRole>,
) -> Result<Json<User>, Refusal> {
    let role = match fit(body)?.role {
        Role::User => "user",
        Role::Admin => "admin",
    };
    let db = app.db.lock();
    if db.execute("UPDATE users SET role = ?1 WHERE id = ?2", (role, id))? == 0 {
        return Err(no_such_user());
    }
    let sql = "SELECT id, email, role FROM users WHERE id = ?1";
    let user = db.query_row(sql, [id], |row| {
        Ok(User {
            id: row.get(0)?,
            email: row.get(1)?,
            role: row.get(2)?,
        })
    })?;
    Ok(Json(user))
}

async fn remove(_: Admin, State(app): State<Shared>, Id(id): Id) -> Result<StatusCode, Refusal> {
    let stored = {
        let db = app.db.lock();
        let mut query = db.prepare("SELECT stored FROM files WHERE owner = ?1")?;
        let stored: Vec<String> = query
            .query_map([id], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        // Their notes and files go with them: ON DELETE CASCADE.
        if db.execute("DELETE FROM users WHERE id = ?1", [id])? == 0 {
            return Err(no_such_user());
        }
        stored
    };
    remove_stored(&app, &stored).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn events(_: Admin, State(app): State<Shared>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({ "events": webhooks::stored(&app)? })))
}
