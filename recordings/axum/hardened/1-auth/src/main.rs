mod auth;
mod db;
mod input;
mod limits;
mod passwords;
mod refusal;
mod settings;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::db::Db;
use crate::limits::Limit;
use crate::passwords::Passwords;
use crate::refusal::Refusal;
use crate::settings::Settings;

const LARGEST_BODY: usize = 256 * 1024;

pub struct App {
    settings: Settings,
    db: Db,
    passwords: Passwords,
    login: Limit,
    registration: Limit,
}

pub type Shared = Arc<App>;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let settings = Settings::read()?;
    let port = settings.port;
    let app = Arc::new(App {
        db: Db::open(&settings.database_path)?,
        settings,
        passwords: Passwords::new()?,
        login: Limit::a_minute(5),
        registration: Limit::a_minute(20),
    });
    let routes = Router::new()
        .route("/api/health", get(health))
        .merge(auth::routes())
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "no such route"))
        .method_not_allowed_fallback(async || {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(app)
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
