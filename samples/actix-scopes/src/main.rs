mod accounts;
mod notes;

use std::env;
use std::sync::Mutex;

use actix_web::{App, HttpResponse, HttpServer, web};

#[derive(Default)]
pub struct Tables {
    pub accounts: Vec<accounts::Account>,
    pub notes: Vec<notes::Note>,
}

pub struct State {
    pub tables: Mutex<Tables>,
    pub key: String,
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "up" }))
}

fn api(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::scope("/identity")
            .service(accounts::sign_up)
            .service(accounts::sign_in)
            .service(accounts::me),
    )
    .service(notes::scope());
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok());
    let state = web::Data::new(State {
        tables: Mutex::default(),
        key: env::var("JWT_SECRET").unwrap_or_else(|_| "change-me".to_owned()),
    });
    HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .route("/healthz", web::get().to(healthz))
            .service(web::scope("/v1").configure(api))
    })
    .workers(2)
    .bind(("0.0.0.0", port.unwrap_or(8080)))?
    .run()
    .await
}
