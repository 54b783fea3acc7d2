//! What clients send, before anything is done with it. A refusal names the field, never what was sent.

use axum::Json;
use axum::extract::rejection::JsonRejection;

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
