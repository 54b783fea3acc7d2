//! Who asks: the token's user, with email and role as the database has them now.

use axum::http::header;
use model::binding::Carrier;
use rusqlite::OptionalExtension;

use crate::call::Call;
use crate::refusal::Refusal;
use crate::site::Site;
use crate::store::Id;
use crate::tokens;

pub(crate) struct User {
    pub(crate) id: Id,
    pub(crate) email: String,
    pub(crate) role: String,
}

impl User {
    pub(crate) fn is_admin(&self) -> bool {
        self.role == "admin"
    }
}

pub(crate) async fn user(site: &Site, call: &Call<'_>) -> Result<User, Refusal> {
    let id = token(site, call)
        .and_then(|token| tokens::verify(&site.keys.token, token, site.now(), &site.weak))
        .ok_or(Refusal::NotSignedIn)?;
    let found = site.store.run(move |connection| {
        connection
            .query_row(
                "SELECT id, email, role FROM users WHERE id = ?1",
                [id],
                |row| {
                    Ok(User {
                        id: row.get(0)?,
                        email: row.get(1)?,
                        role: row.get(2)?,
                    })
                },
            )
            .optional()
    });
    found.await?.ok_or(Refusal::NotSignedIn)
}

pub(crate) async fn admin(site: &Site, call: &Call<'_>) -> Result<User, Refusal> {
    let user = user(site, call).await?;
    if user.is_admin() {
        Ok(user)
    } else {
        Err(Refusal::NotAdmin)
    }
}

/// The token as sent, whatever it is worth.
pub(crate) fn token<'c>(site: &Site, call: &'c Call<'_>) -> Option<&'c str> {
    match &site.binding.token {
        Carrier::Header { name, scheme } => {
            let mut values = call.headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?.trim();
            if values.next().is_some() {
                return None;
            }
            if scheme.is_empty() {
                return Some(value);
            }
            let (given, token) = value.split_once(' ')?;
            given.eq_ignore_ascii_case(scheme).then(|| token.trim())
        }
        Carrier::Cookie { name } => call
            .headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(given, value)| (given == name).then_some(value)),
    }
}

/// How the binding hands a token out: in the reply, or as a cookie.
pub(crate) fn cookie(site: &Site, token: &str) -> Option<String> {
    match &site.binding.token {
        Carrier::Header { .. } => None,
        Carrier::Cookie { name } => {
            let secure = if site.settings.production {
                "; Secure"
            } else {
                ""
            };
            let age = tokens::LIFETIME;
            Some(format!(
                "{name}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
            ))
        }
    }
}
