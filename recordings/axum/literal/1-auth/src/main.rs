use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, get_current_timestamp};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

struct App {
    db: Mutex<Connection>,
    jwt_secret: String,
}

type Shared = Arc<App>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database_path = env::var("DATABASE_PATH").unwrap_or("app.db".into());
    if let Some(folder) = Path::new(&database_path).parent() {
        fs::create_dir_all(folder)?;
    }

    let db = Connection::open(database_path)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT);
        ",
    )?;

    let state = Arc::new(App {
        db: Mutex::new(db),
        jwt_secret: env::var("JWT_SECRET").unwrap_or("secret".into()),
    });
    let app = Router::new()
        .route("/api/health", get(health))
        .route("/api/auth/register", post(register))
        .route("/api/auth/login", post(login))
        .route("/api/auth/me", get(me))
        .with_state(state);

    let port = env::var("PORT").unwrap_or("8000".into());
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

struct ApiError(StatusCode, &'static str);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl<E: Error> From<E> for ApiError {
    fn from(error: E) -> Self {
        eprintln!("{error}");
        ApiError(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
    }
}

type ApiResult<T> = Result<T, ApiError>;

fn hash_password(password: &str) -> String {
    hex::encode(Sha256::digest(password))
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

fn make_token(app: &App, user_id: i64) -> ApiResult<String> {
    let claims = Claims {
        sub: user_id.to_string(),
        exp: get_current_timestamp() + 7 * 24 * 60 * 60,
    };
    let key = EncodingKey::from_secret(app.jwt_secret.as_bytes());
    Ok(jsonwebtoken::encode(&Header::default(), &claims, &key)?)
}

struct User {
    id: i64,
    email: String,
}

impl FromRequestParts<Shared> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> ApiResult<Self> {
        let not_signed_in = || ApiError(StatusCode::UNAUTHORIZED, "Not signed in");
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(not_signed_in)?;
        let key = DecodingKey::from_secret(app.jwt_secret.as_bytes());
        let token = jsonwebtoken::decode::<Claims>(token, &key, &Validation::default())
            .map_err(|_| not_signed_in())?;
        let db = app.db.lock().unwrap();
        db.query_row(
            "SELECT id, email FROM users WHERE id = ?1",
            [token.claims.sub],
            |row| {
                Ok(User {
                    id: row.get(0)?,
                    email: row.get(1)?,
                })
            },
        )
        .optional()?
        .ok_or_else(not_signed_in)
    }
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

async fn register(
    State(app): State<Shared>,
    Json(body): Json<Credentials>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let db = app.db.lock().unwrap();
    let taken = db
        .query_row(
            "SELECT id FROM users WHERE email = ?1",
            [&body.email],
            |_| Ok(()),
        )
        .optional()?;
    if taken.is_some() {
        return Err(ApiError(StatusCode::CONFLICT, "Email already registered"));
    }
    db.execute(
        "INSERT INTO users (email, password) VALUES (?1, ?2)",
        (&body.email, hash_password(&body.password)),
    )?;
    let token = make_token(&app, db.last_insert_rowid())?;
    Ok((StatusCode::CREATED, Json(json!({ "token": token }))))
}

async fn login(State(app): State<Shared>, Json(body): Json<Credentials>) -> ApiResult<Json<Value>> {
    let db = app.db.lock().unwrap();
    let user: Option<(i64, String)> = db
        .query_row(
            "SELECT id, password FROM users WHERE email = ?1",
            [&body.email],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match user {
        Some((id, password)) if password == hash_password(&body.password) => {
            Ok(Json(json!({ "token": make_token(&app, id)? })))
        }
        _ => Err(ApiError(
            StatusCode::UNAUTHORIZED,
            "Wrong email or password",
        )),
    }
}

async fn me(user: User) -> Json<Value> {
    Json(json!({ "id": user.id, "email": user.email }))
}
