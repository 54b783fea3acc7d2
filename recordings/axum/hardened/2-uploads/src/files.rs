use std::path::PathBuf;

use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rusqlite::OptionalExtension;
use serde_json::{Value, json};
use tokio::fs;

use crate::auth::User;
use crate::filetypes::kind_of;
use crate::input::Id;
use crate::refusal::Refusal;
use crate::{App, Shared};

const LARGEST: usize = 5 * 1024 * 1024;
/// The multipart form's own lines come on top.
const LARGEST_BODY: usize = LARGEST + 64 * 1024;
const LONGEST_NAME: usize = 255;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/files", post(upload).get(list))
        .route("/api/files/{id}", get(download).delete(remove))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

fn path_of(app: &App, stored: &str) -> PathBuf {
    app.settings.upload_dir.join(stored)
}

fn too_large() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the file is larger than 5 MB",
    )
}

fn broken(error: MultipartError) -> Refusal {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    Refusal::new(StatusCode::BAD_REQUEST, "not a form with one file")
}

/// The one file of the form, counting what really comes: a chunked body tells no length.
async fn one_file(mut form: Multipart) -> Result<(String, Vec<u8>), Refusal> {
    let mut file = None;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        if field.name() != Some("file") || file.is_some() {
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "one field is needed: file",
            ));
        }
        let name = clean_name(field.file_name().unwrap_or_default());
        let mut content = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            if content.len() + chunk.len() > LARGEST {
                return Err(too_large());
            }
            content.extend_from_slice(&chunk);
        }
        file = Some((name, content));
    }
    match file {
        Some((name, content)) if !name.is_empty() => Ok((name, content)),
        Some(_) => Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the file needs a name",
        )),
        None => Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "one field is needed: file",
        )),
    }
}

/// The client's name as data: no folders, nothing that a terminal or header could take as its own.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
            || "\"<>|:*?".contains(c)
    };
    let plain: String = last.chars().filter(|&c| !steers(c)).collect();
    let plain = plain.trim_matches([' ', '.']);
    let length = plain.chars().count();
    plain
        .chars()
        .skip(length.saturating_sub(LONGEST_NAME))
        .collect()
}

async fn upload(
    State(app): State<Shared>,
    user: User,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let told = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if told.is_some_and(|length: usize| length > LARGEST_BODY) {
        return Err(too_large());
    }
    let form =
        form.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "not a form with one file"))?;
    let (filename, content) = one_file(form).await?;
    let kind = kind_of(&filename, &content).ok_or_else(|| {
        Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "we take PNG, JPEG, PDF and plain-text files",
        )
    })?;
    let id = store(&app, user.id, &filename, kind, &content).await?;
    let answer = json!({ "id": id, "filename": filename, "size": content.len() });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn store(
    app: &App,
    owner: i64,
    filename: &str,
    kind: &str,
    content: &[u8],
) -> Result<i64, Refusal> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let stored = hex::encode(random);
    fs::create_dir_all(&app.settings.upload_dir).await?;
    fs::write(path_of(app, &stored), content).await?;
    let sql = "INSERT INTO files (owner, filename, kind, size, stored) VALUES (?1, ?2, ?3, ?4, ?5)";
    let inserted = {
        let db = app.db.lock();
        let size = i64::try_from(content.len())?;
        db.execute(sql, (owner, filename, kind, size, &stored))
            .map(|_| db.last_insert_rowid())
    };
    if inserted.is_err() {
        remove_stored(app, &[stored]).await;
    }
    Ok(inserted?)
}

pub async fn remove_stored(app: &App, names: &[String]) {
    for name in names {
        if let Err(error) = fs::remove_file(path_of(app, name)).await {
            eprintln!("{name} is not removed: {error}");
        }
    }
}

async fn list(State(app): State<Shared>, user: User) -> Result<Json<Value>, Refusal> {
    let db = app.db.lock();
    let mut query =
        db.prepare("SELECT id, filename, size FROM files WHERE owner = ?1 ORDER BY id")?;
    let files: Result<Vec<Value>, _> = query
        .query_map([user.id], |row| {
            let (id, filename, size): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(json!({ "id": id, "filename": filename, "size": size }))
        })?
        .collect();
    Ok(Json(json!({ "files": files? })))
}

struct Stored {
    filename: String,
    kind: String,
    stored: String,
}

fn own(app: &App, user: &User, id: i64) -> Result<Stored, Refusal> {
    let sql = "SELECT filename, kind, stored FROM files WHERE id = ?1 AND owner = ?2";
    let found = app.db.lock().query_row(sql, (id, user.id), |row| {
        Ok(Stored {
            filename: row.get(0)?,
            kind: row.get(1)?,
            stored: row.get(2)?,
        })
    });
    found
        .optional()?
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "no such file"))
}

async fn download(State(app): State<Shared>, user: User, Id(id): Id) -> Result<Response, Refusal> {
    let file = own(&app, &user, id)?;
    let content = fs::read(path_of(&app, &file.stored)).await?;
    let headers = [
        (CONTENT_TYPE, file.kind),
        (CONTENT_DISPOSITION, attachment(&file.filename)),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; sandbox".to_owned(),
        ),
    ];
    Ok((headers, content).into_response())
}

/// RFC 6266: every byte that is not plain in a header is spelled.
fn attachment(filename: &str) -> String {
    let spelled: String = filename
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("attachment; filename*=UTF-8''{spelled}")
}

async fn remove(State(app): State<Shared>, user: User, Id(id): Id) -> Result<StatusCode, Refusal> {
    let file = own(&app, &user, id)?;
    app.db.lock().execute(
        "DELETE FROM files WHERE id = ?1 AND owner = ?2",
        (id, user.id),
    )?;
    remove_stored(&app, &[file.stored]).await;
    Ok(StatusCode::NO_CONTENT)
}
