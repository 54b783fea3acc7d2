//! What clients send, before anything is done with it. A refusal names the field, never what was sent.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::refusal::Refusal;

pub type Body<T> = Result<Json<T>, JsonRejection>;

pub fn fit<T>(body: Body<T>) -> Result<T, Refusal> {
    body.map(|Json(content)| content)
        .map_err(|rejection| Refusal::new(rejection.status(), "does not fit: body"))
}

/// Refuses a text that is too long or too short, in characters; SQLite's LIKE reads no further than a NUL.
pub fn text(name: &str, value: &str, shortest: usize, longest: usize) -> Result<(), Refusal> {
    let length = value.chars().count();
    if length < shortest || length > longest || value.contains('\0') {
        return Err(Refusal::does_not_fit(name));
    }
    Ok(())
}

/// The id in a path.
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let no_such_id = || Refusal::new(StatusCode::NOT_FOUND, "no such id");
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| no_such_id())?;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(id) if digits && id > 0 => Ok(Self(id)),
            _ => Err(no_such_id()),
        }
    }
}
