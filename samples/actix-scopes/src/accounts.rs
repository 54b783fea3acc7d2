use std::future::{Ready, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::dev::Payload;
use actix_web::error::{ErrorBadRequest, ErrorConflict, ErrorNotFound, ErrorUnauthorized};
use actix_web::http::header;
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, get, post, web};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::State;

pub struct Account {
    pub id: u32,
    pub email: String,
    pub password: String,
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

/// Whoever the bearer token was signed for.
pub struct SignedIn {
    pub id: u32,
}

impl FromRequest for SignedIn {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read_token(request).ok_or_else(|| ErrorUnauthorized("sign in first")))
    }
}

fn read_token(request: &HttpRequest) -> Option<SignedIn> {
    let state = request.app_data::<web::Data<State>>()?;
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let token = value.strip_prefix("Bearer ")?;
    let key = DecodingKey::from_secret(state.key.as_bytes());
    let claims =
        jsonwebtoken::decode::<Claims>(token, &key, &Validation::new(Algorithm::HS384)).ok()?;
    let id = claims.claims.sub.parse().ok()?;
    let tables = state.tables.lock().unwrap();
    let known = tables.accounts.iter().any(|account| account.id == id);
    known.then_some(SignedIn { id })
}

#[post("/sign-up")]
pub async fn sign_up(
    state: web::Data<State>,
    body: web::Json<Credentials>,
) -> Result<HttpResponse, Error> {
    let Credentials { email, password } = body.into_inner();
    if !email.contains('@') || email.len() > 254 {
        return Err(ErrorBadRequest("email is no address"));
    }
    if password.len() < 10 || password.len() > 72 {
        return Err(ErrorBadRequest("password must have 10 to 72 characters"));
    }
    let hash = web::block(move || bcrypt::hash(password, 10))
        .await?
        .map_err(|_| ErrorBadRequest("password cannot be used"))?;
    let mut tables = state.tables.lock().unwrap();
    if tables.accounts.iter().any(|one| one.email == email) {
        return Err(ErrorConflict("email is taken"));
    }
    let id = tables.accounts.len() as u32 + 1;
    let answer = json!({ "id": id, "email": email });
    tables.accounts.push(Account {
        id,
        email,
        password: hash,
    });
    Ok(HttpResponse::Created().json(answer))
}

#[post("/sign-in")]
pub async fn sign_in(
    state: web::Data<State>,
    body: web::Json<Credentials>,
) -> Result<HttpResponse, Error> {
    let Credentials { email, password } = body.into_inner();
    let found = {
        let tables = state.tables.lock().unwrap();
        let account = tables.accounts.iter().find(|one| one.email == email);
        account.map(|account| (account.id, account.password.clone()))
    };
    let Some((id, hash)) = found else {
        return Err(ErrorNotFound("no account has this email"));
    };
    let right = web::block(move || bcrypt::verify(password, &hash)).await?;
    if !right.unwrap_or(false) {
        return Err(ErrorUnauthorized("wrong password"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let claims = Claims {
        sub: id.to_string(),
        exp: now.unwrap_or_default().as_secs() + 3600,
    };
    let key = EncodingKey::from_secret(state.key.as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS384), &claims, &key)
        .map_err(|_| ErrorUnauthorized("no token"))?;
    Ok(HttpResponse::Ok().json(json!({ "access_token": token })))
}

#[get("/me")]
pub async fn me(state: web::Data<State>, user: SignedIn) -> Result<HttpResponse, Error> {
    let tables = state.tables.lock().unwrap();
    let account = tables.accounts.iter().find(|one| one.id == user.id);
    let account = account.ok_or_else(|| ErrorUnauthorized("sign in first"))?;
    Ok(HttpResponse::Ok().json(json!({ "id": account.id, "email": account.email })))
}
