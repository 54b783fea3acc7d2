use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, get_current_timestamp,
};
use rusqlite::OptionalExtension;
use serde::Deserialize;
use serde::Serialize;
use serde_json::{Value, json};

use crate::db::is_duplicate;
use crate::input::{Body, fit, text};
use crate::passwords::{keep_aside, problem};
use crate::refusal::Refusal;
use crate::{App, Shared};

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/auth/register", post(register))
        .route("/api/auth/login", post(login))
        .route("/api/auth/me", get(me))
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: u64,
    exp: u64,
}

fn issue_token(app: &App, user: i64) -> Result<String, Refusal> {
    let now = get_current_timestamp();
    let claims = Claims {
        sub: user.to_string(),
        iat: now,
        exp: now + app.settings.token_hours * 60 * 60,
    };
    let key = EncodingKey::from_secret(app.settings.jwt_secret.as_bytes());
    Ok(jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &key,
    )?)
}

/// Who is signed in. A handler that takes one is for them only.
#[derive(Serialize)]
pub struct User {
    pub id: i64,
    pub email: String,
    /// From the database at each request, never from the token.
    pub role: String,
}

fn user_of(app: &App, header: &str) -> Result<Option<User>, Refusal> {
    let Some((scheme, token)) = header.split_once(' ') else {
        return Ok(None);
    };
    let mut rules = Validation::new(Algorithm::HS256);
    rules.leeway = 0;
    rules.set_required_spec_claims(&["exp", "sub"]);
    let key = DecodingKey::from_secret(app.settings.jwt_secret.as_bytes());
    let Ok(token) = jsonwebtoken::decode::<Claims>(token, &key, &rules) else {
        return Ok(None);
    };
    let Ok(id) = token.claims.sub.parse::<i64>() else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let sql = "SELECT id, email, role FROM users WHERE id = ?1";
    let user = app.db.lock().query_row(sql, [id], |row| {
        Ok(User {
            id: row.get(0)?,
            email: row.get(1)?,
            role: row.get(2)?,
        })
    });
    Ok(user.optional()?)
}

impl FromRequestParts<Shared> for User {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let header = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        user_of(app, header)?.ok_or_else(Refusal::not_signed_in)
    }
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

impl Credentials {
    fn of(body: Body<Self>) -> Result<Self, Refusal> {
        let Self { email, password } = fit(body)?;
        let email = email.trim().to_lowercase();
        text("email", &email, 0, 254)?;
        text("password", &password, 0, 200)?;
        Ok(Self { email, password })
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '@';
    let labels: Vec<&str> = domain.split('.').collect();
    (1..=64).contains(&local.chars().count())
        && text.chars().filter(|&c| c != '@').all(plain)
        && domain.chars().all(plain)
        && labels.len() >= 2
        && labels
            .iter()
            .all(|label| (1..=63).contains(&label.chars().count()))
        && labels.last().is_some_and(|last| last.chars().count() >= 2)
}

async fn register(
    State(app): State<Shared>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Body<Credentials>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    app.registration.count(from.ip())?;
    let Credentials { email, password } = Credentials::of(body)?;
    if !is_email(&email) {
        return Err(Refusal::does_not_fit("email"));
    }
    if let Some(wrong) = problem(&password, &email) {
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, wrong));
    }
    let kept = keep_aside(password).await?;
    let id = {
        let db = app.db.lock();
        match db.execute(
            "INSERT INTO users (email, password) VALUES (?1, ?2)",
            (email, kept),
        ) {
            Ok(_) => db.last_insert_rowid(),
            Err(error) if is_duplicate(&error) => {
                return Err(Refusal::new(
                    StatusCode::CONFLICT,
                    "this email is registered",
                ));
            }
            Err(error) => return Err(error.into()),
        }
    };
    Ok((
        StatusCode::CREATED,
        Json(json!({ "token": issue_token(&app, id)? })),
    ))
}

async fn login(
    State(app): State<Shared>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Body<Credentials>,
) -> Result<Json<Value>, Refusal> {
    app.login.count(from.ip())?;
    let Credentials { email, password } = Credentials::of(body)?;
    let sql = "SELECT id, password FROM users WHERE email = ?1";
    let user: Option<(i64, String)> = app
        .db
        .lock()
        .query_row(sql, [email], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (id, kept) = user.unzip();
    let right = app.passwords.matches(password, kept).await?;
    match id {
        Some(id) if right => Ok(Json(json!({ "token": issue_token(&app, id)? }))),
        _ => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "wrong email or password",
        )),
    }
}

async fn me(user: User) -> Json<User> {
    Json(user)
}
