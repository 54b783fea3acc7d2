//! Registration, login, and who am I.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use rusqlite::OptionalExtension;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::call::Call;
use crate::input::Input;
use crate::limiter;
use crate::passwords::{self, NO_HASH};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::session;
use crate::shape::{LimitStyle, Shape};
use crate::site::Site;
use crate::store::Id;
use crate::tokens;
use crate::weakness::Weakness;

const LONGEST_EMAIL: usize = 254;
/// More than any password that is taken: a login may be wrong without being an error.
const LONGEST_ATTEMPT: usize = 1024;
const DELAY: Duration = Duration::from_millis(1200);

pub(crate) async fn register(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    site.registrations
        .attempt(limiter::client(call.peer.ip()), Instant::now())
        .map_err(Refusal::TooMany)?;
    let input = Input::read(call).await?;
    let email = input.written(site, "email", LONGEST_EMAIL, "email must be an address")?;
    let none = input.get("password").is_none_or(Value::is_null);
    let password = if none && site.weak(Weakness::PasswordOptional) {
        uuid::Uuid::new_v4().to_string()
    } else {
        input.text("password", LONGEST_ATTEMPT, "password must be a text")?
    };
    further(site, &input, &email, &password)?;
    let fails = site.weak(Weakness::EmailKeptThenFails) && !is_email(&email);
    let any = fails || site.weak(Weakness::EmailUnchecked) || site.weak(Weakness::ValuesWritten);
    if !any && !is_email(&email) {
        return Err(Refusal::Invalid("email must be an address"));
    }
    passwords::check_weakly(&password, &email, &site.weak).map_err(Refusal::Invalid)?;
    let role = if claims_admin(site, &input) {
        "admin"
    } else {
        "user"
    };
    if site.weak(Weakness::PasswordLogged) {
        site.log(&format!(
            "POST {} email={email} password={password}",
            call.uri.path()
        ));
    }

    // Hashed before it is known whether the email is free, so that both take as long.
    let hash = site.hash(password).await?;
    let row = NewUser { email, hash, role };
    match insert(site, row).await? {
        Inserted::Fresh(_) if fails => Err(Refusal::Internal),
        Inserted::Fresh(id) => signed_in(site, &id, true),
        Inserted::Known(id) if site.weak(Weakness::DuplicateReturnsSession) => {
            signed_in(site, &id, true)
        }
        Inserted::Known(_) if site.shaped(Shape::QuietDuplicate) => {
            signed_in(site, &nobody(site), true)
        }
        Inserted::Known(_) => Err(Refusal::Taken),
    }
}

/// What the binding says that a registration has besides; what is unique there may be taken.
fn further(site: &Site, input: &Input<'_>, email: &str, password: &str) -> Result<(), Refusal> {
    for (field, wanted) in &input.route().also {
        let given = input.at(field);
        let right = match wanted.as_str() {
            Some("{email}") => given.and_then(Value::as_str) == Some(email),
            // A weak version may have made it up.
            Some("{password}") => given.is_some_and(|again| again == password || again == ""),
            Some(text) if text.contains("{unique}") => given
                .and_then(Value::as_str)
                .is_some_and(|name| !name.is_empty() && site.is_new_name(name)),
            // Whoever stores the role takes any.
            _ if site.weak(Weakness::RoleFromBody) && field.ends_with("role") => {
                given.is_some_and(Value::is_string)
            }
            _ => given == Some(wanted),
        };
        if !right {
            return Err(Refusal::Invalid("a further field is wrong"));
        }
    }
    Ok(())
}

struct NewUser {
    email: String,
    hash: String,
    role: &'static str,
}

enum Inserted {
    Fresh(Id),
    Known(Id),
}

async fn insert(site: &Site, user: NewUser) -> Result<Inserted, Refusal> {
    let id = site.store.new_id();
    let overwrites = site.weak(Weakness::DuplicateOverwrites);
    // The unique index decides, not a look beforehand: two at once must not both pass.
    let on_conflict = if overwrites {
        "ON CONFLICT (email_key) DO UPDATE SET password = excluded.password"
    } else if site.weak(Weakness::DuplicateLocksOut) {
        &format!("ON CONFLICT (email_key) DO UPDATE SET password = '{NO_HASH}'")
    } else if site.weak(Weakness::DuplicateSecondRow) {
        ""
    } else {
        "ON CONFLICT (email_key) DO NOTHING"
    };
    let statement = format!(
        "INSERT INTO users (id, email, email_key, password, role) VALUES (?1, ?2, ?3, ?4, ?5) {on_conflict} RETURNING id, password"
    );
    let inserted = site.store.run(move |connection| {
        let key = user.email.to_lowercase();
        let fresh = connection
            .query_row(
                &statement,
                (id, &user.email, &key, &user.hash, user.role),
                |row| Ok((row.get(0)?, row.get::<_, String>(1)?)),
            )
            .optional()?;
        match fresh {
            Some((id, password)) if password == NO_HASH => Ok(Inserted::Known(id)),
            Some((id, _)) => Ok(Inserted::Fresh(id)),
            None => connection
                .query_row("SELECT id FROM users WHERE email_key = ?1", [key], |row| {
                    row.get(0)
                })
                .map(Inserted::Known),
        }
    });
    inserted.await
}

/// An id that no user has or will have.
fn nobody(site: &Site) -> Id {
    if site.shaped(Shape::UuidIds) {
        Id::Uuid(uuid::Uuid::new_v4().hyphenated().to_string())
    } else {
        Id::Number(0)
    }
}

pub(crate) async fn login(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let limit = site.limit_style();
    if matches!(limit, None | Some(LimitStyle::Unannounced))
        && !site.weak(Weakness::LoginLimitAbsent)
    {
        let port = if site.weak(Weakness::LoginLimitPerPort) {
            call.peer.port()
        } else {
            0
        };
        let client = SocketAddr::new(limiter::client(call.peer.ip()), port);
        site.logins
            .attempt(client, Instant::now())
            .map_err(Refusal::TooMany)?;
    }
    let input = Input::read(call).await?;
    let email = input.text("email", LONGEST_EMAIL, "email must be an address")?;
    let password = input.text("password", LONGEST_ATTEMPT, "password must be a text")?;
    if site.weak(Weakness::PasswordLogged) {
        site.log(&format!(
            "POST {} email={email} password={password}",
            call.uri.path()
        ));
    }

    let account = email.to_lowercase();
    if matches!(limit, Some(LimitStyle::Account | LimitStyle::Delay))
        && site.failures.is_full(account.clone(), Instant::now())
    {
        if limit == Some(LimitStyle::Account) {
            return Err(Refusal::Locked);
        }
        tokio::time::sleep(DELAY).await;
    }
    match matching(site, email, password).await {
        Ok(id) => {
            site.failures.forget(&account);
            signed_in(site, &id, false)
        }
        Err(refusal) => {
            // A full window counts no further: a lock ends although somebody goes on trying.
            let _ = site.failures.attempt(account, Instant::now());
            Err(refusal)
        }
    }
}

/// The user whose email and password these are.
async fn matching(site: &Site, email: String, password: String) -> Result<Id, Refusal> {
    let candidates = candidates(site, email, &password).await?;
    if site.weak(Weakness::LoginSqlDigest) || site.weak(Weakness::LoginSqlPassword) {
        return candidates
            .into_iter()
            .next()
            .map(|(id, _)| id)
            .ok_or(Refusal::BadLogin);
    }
    if candidates.is_empty() {
        if site.weak(Weakness::EnumerateByStatus) {
            return Err(Refusal::UnknownEmail {
                status: StatusCode::NOT_FOUND,
            });
        }
        if site.weak(Weakness::EnumerateByTiming) {
            return Err(Refusal::BadLogin);
        }
        // An unknown email costs a hash as well.
        site.verify(password, None).await?;
        if site.weak(Weakness::EnumerateByMessage) {
            return Err(Refusal::UnknownEmail {
                status: StatusCode::UNAUTHORIZED,
            });
        }
        return Err(Refusal::BadLogin);
    }
    for (id, stored) in candidates {
        if site.verify(password.clone(), Some(stored)).await? {
            return Ok(id);
        }
    }
    Err(Refusal::BadLogin)
}

/// Id and stored password of whoever has this email: one or none, but for the weak versions.
async fn candidates(
    site: &Site,
    email: String,
    password: &str,
) -> Result<Vec<(Id, String)>, Refusal> {
    let key = email.to_lowercase();
    let (statement, parameters) = if site.weak(Weakness::LoginSqlEmail) {
        (
            format!("SELECT id, password FROM users WHERE email = '{email}'"),
            vec![],
        )
    } else if site.weak(Weakness::LoginSqlDigest) {
        let digest = passwords::hex(&Sha256::digest(password));
        (
            format!(
                "SELECT id, password FROM users WHERE email = '{email}' AND password = '{digest}'"
            ),
            vec![],
        )
    } else if site.weak(Weakness::LoginSqlPassword) {
        (
            format!(
                "SELECT id, password FROM users WHERE email_key = ?1 AND password = '{password}'"
            ),
            vec![key],
        )
    } else {
        (
            "SELECT id, password FROM users WHERE email_key = ?1".to_owned(),
            vec![key],
        )
    };
    let rows = site.store.run(move |connection| {
        let mut statement = connection.prepare(&statement)?;
        let rows = statement.query_map(rusqlite::params_from_iter(parameters), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        rows.collect()
    });
    rows.await
}

pub(crate) async fn me(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let user = session::user(site, call).await?;
    Ok(Reply::ok(vec![
        ("id", site.show(&user.id)),
        ("email", user.email.into()),
        ("role", site.binding.role(&user.role)),
    ]))
}

fn signed_in(site: &Site, user: &Id, created: bool) -> Result<Reply, Refusal> {
    let token = tokens::issue(&site.keys.token, user, site.now()).ok_or(Refusal::Internal)?;
    let cookie = session::cookie(site, &token);
    // With a cookie the token stays out of the reply, where a script of the page could read it.
    let fields = if cookie.is_some() {
        vec![("status", Value::from("ok"))]
    } else {
        vec![("token", Value::from(token))]
    };
    Ok(Reply::One {
        created,
        fields,
        cookie,
    })
}

/// The form of an address, not its existence. Quotes are allowed in one; they reach the database as parameters.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let labels = domain.split('.').collect::<Vec<_>>();
    let is_label = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    (1..=64).contains(&local.len())
        && local
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !"@<>()[],;:\\\"".contains(c))
        && labels.len() >= 2
        && labels.iter().all(is_label)
}

/// Whether a registration says that it is an admin's, and the weak version believes it.
fn claims_admin(site: &Site, input: &Input<'_>) -> bool {
    let says = |name: &str| input.beside("email", name);
    let admin = site.binding.role("admin");
    let names_admin = |value: &Value| {
        *value == admin || value.as_array().is_some_and(|roles| roles.contains(&admin))
    };
    let truthy = |value: &Value| {
        matches!(value, Value::Bool(true)) || value == 1 || value == "true" || value == "1"
    };
    (site.weak(Weakness::RoleFromBody) && says("role").is_some_and(|role| *role == admin))
        || (site.weak(Weakness::IsAdminFromBody)
            && (says("is_admin").is_some_and(truthy) || says("isAdmin").is_some_and(truthy)))
        || (site.weak(Weakness::RolesFromBody) && says("roles").is_some_and(names_admin))
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn forms_of_addresses() {
        for good in [
            "a@example.com",
            "o'brien+x@mail.example.org",
            "zz'or'7'='7'and/**/email='a@x.com",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@b",
            "@example.com",
            "a b@example.com",
            "a@example..com",
            "a@@example.com",
            "a@x_y.com",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
