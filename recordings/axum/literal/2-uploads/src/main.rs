use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::extract::{DefaultBodyLimit, Multipart};
use axum::extract::{FromRequestParts, Path as UrlPath, State};
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
    upload_dir: PathBuf,
}

type Shared = Arc<App>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database_path = env::var("DATABASE_PATH").unwrap_or("app.db".into());
    if let Some(folder) = Path::new(&database_path).parent() {
        fs::create_dir_all(folder)?;
    }
    let upload_dir = PathBuf::from(env::var("UPLOAD_DIR").unwrap_or("uploads".into()));
    fs::create_dir_all(&upload_dir)?;

    let db = Connection::open(database_path)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT);
         CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, user_id INTEGER, filename TEXT, content_type TEXT, size INTEGER);
        ",
    )?;

    let state = Arc::new(App {
        db: Mutex::new(db),
        jwt_secret: env::var("JWT_SECRET").unwrap_or("secret".into()),
        upload_dir,
    });
    let app = Router::new()
        .route("/api/health", get(health))
        .route("/api/auth/register", post(register))
        .route("/api/auth/login", post(login))
        .route("/api/auth/me", get(me))
        .route("/api/files", post(upload_file).get(list_files))
        .route("/api/files/{id}", get(download_file).delete(delete_file))
        // axum takes 2 MB unless told otherwise.
        .layer(DefaultBodyLimit::max(2 * MAX_SIZE))
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

const ALLOWED: [&str; 5] = [".png", ".jpg", ".jpeg", ".pdf", ".txt"];
const MAX_SIZE: usize = 5 * 1024 * 1024;

// A folder for each file, because two files may have the same name.
fn file_folder(app: &App, id: i64) -> PathBuf {
    app.upload_dir.join(id.to_string())
}

struct File {
    filename: String,
    content_type: String,
}

fn get_file(app: &App, id: i64, user: &User) -> ApiResult<File> {
    let db = app.db.lock().unwrap();
    db.query_row(
        "SELECT filename, content_type FROM files WHERE id = ?1 AND user_id = ?2",
        (id, user.id),
        |row| {
            Ok(File {
                filename: row.get(0)?,
                content_type: row.get(1)?,
            })
        },
    )
    .optional()?
    .ok_or(ApiError(StatusCode::NOT_FOUND, "File not found"))
}

async fn upload_file(
    State(app): State<Shared>,
    user: User,
    mut form: Multipart,
) -> ApiResult<(StatusCode, Json<Value>)> {
    while let Some(field) = form.next_field().await? {
        if field.name() != Some("file") {
            continue;
        }
        let filename = field.file_name().unwrap_or_default().to_string();
        let content_type = field
            .content_type()
            .unwrap_or("application/octet-stream")
            .to_string();
        let data = field.bytes().await?;
        if !ALLOWED
            .iter()
            .any(|end| filename.to_lowercase().ends_with(end))
        {
            return Err(ApiError(StatusCode::BAD_REQUEST, "File type not allowed"));
        }
        if data.len() > MAX_SIZE {
            return Err(ApiError(StatusCode::BAD_REQUEST, "File too large"));
        }
        let db = app.db.lock().unwrap();
        db.execute(
            "INSERT INTO files (user_id, filename, content_type, size) VALUES (?1, ?2, ?3, ?4)",
            (user.id, &filename, content_type, data.len() as i64),
        )?;
        let id = db.last_insert_rowid();
        let folder = file_folder(&app, id);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(&filename), &data)?;
        let reply = json!({ "id": id, "filename": filename, "size": data.len() });
        return Ok((StatusCode::CREATED, Json(reply)));
    }
    Err(ApiError(StatusCode::BAD_REQUEST, "No file"))
}

async fn list_files(State(app): State<Shared>, user: User) -> ApiResult<Json<Value>> {
    let db = app.db.lock().unwrap();
    let mut statement = db.prepare("SELECT id, filename, size FROM files WHERE user_id = ?1")?;
    let files = statement
        .query_map([user.id], |row| {
            Ok(json!({
                "id": row.get::<_, i64>(0)?,
                "filename": row.get::<_, String>(1)?,
                "size": row.get::<_, i64>(2)?,
            }))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Json(json!({ "files": files })))
}

async fn download_file(
    State(app): State<Shared>,
    user: User,
    UrlPath(id): UrlPath<i64>,
) -> ApiResult<Response> {
    let file = get_file(&app, id, &user)?;
    let data = fs::read(file_folder(&app, id).join(&file.filename))?;
    Ok(([(header::CONTENT_TYPE, file.content_type)], data).into_response())
}

async fn delete_file(
    State(app): State<Shared>,
    user: User,
    UrlPath(id): UrlPath<i64>,
) -> ApiResult<Json<Value>> {
    let file = get_file(&app, id, &user)?;
    fs::remove_file(file_folder(&app, id).join(&file.filename))?;
    app.db
        .lock()
        .unwrap()
        .execute("DELETE FROM files WHERE id = ?1", [id])?;
    Ok(Json(json!({ "status": "deleted" })))
}
