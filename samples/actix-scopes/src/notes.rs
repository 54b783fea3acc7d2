use actix_web::error::{ErrorBadRequest, ErrorNotFound};
use actix_web::{Error, HttpResponse, Scope, web};
use serde::{Deserialize, Serialize};

use crate::State;
use crate::accounts::SignedIn;

#[derive(Clone, Serialize)]
pub struct Note {
    id: u32,
    #[serde(skip)]
    owner: u32,
    title: String,
    body: String,
}

#[derive(Deserialize)]
struct Draft {
    title: String,
    body: String,
}

#[derive(Deserialize)]
struct Query {
    q: String,
}

pub fn scope() -> Scope {
    web::scope("/notes")
        .route("/search", web::get().to(search))
        .service(
            web::resource("")
                .route(web::get().to(list))
                .route(web::post().to(create)),
        )
        .service(web::resource(r"/{id:\d+}").route(web::get().to(read)))
}

async fn list(state: web::Data<State>, user: SignedIn) -> HttpResponse {
    let tables = state.tables.lock().unwrap();
    let own = tables.notes.iter().filter(|note| note.owner == user.id);
    HttpResponse::Ok().json(own.collect::<Vec<_>>())
}

async fn create(
    state: web::Data<State>,
    user: SignedIn,
    draft: web::Json<Draft>,
) -> Result<HttpResponse, Error> {
    let Draft { title, body } = draft.into_inner();
    if title.is_empty() || title.len() > 200 || body.len() > 10_000 {
        return Err(ErrorBadRequest("title or body is too long or empty"));
    }
    let mut tables = state.tables.lock().unwrap();
    let note = Note {
        id: tables.notes.len() as u32 + 1,
        owner: user.id,
        title,
        body,
    };
    tables.notes.push(note.clone());
    Ok(HttpResponse::Created().json(note))
}

async fn read(
    state: web::Data<State>,
    _user: SignedIn,
    id: web::Path<u32>,
) -> Result<HttpResponse, Error> {
    let tables = state.tables.lock().unwrap();
    let note = tables.notes.iter().find(|note| note.id == *id);
    let note = note.ok_or_else(|| ErrorNotFound("no such note"))?;
    Ok(HttpResponse::Ok().json(note))
}

async fn search(state: web::Data<State>, user: SignedIn, query: web::Query<Query>) -> HttpResponse {
    let tables = state.tables.lock().unwrap();
    let own = tables.notes.iter().filter(|note| note.owner == user.id);
    let found = own.filter(|note| note.title.contains(&query.q) || note.body.contains(&query.q));
    HttpResponse::Ok().json(found.collect::<Vec<_>>())
}
