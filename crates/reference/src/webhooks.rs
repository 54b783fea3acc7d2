//! The payment provider's events: signed over the raw bytes, each kept once.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::admin;
use crate::call::Call;
use crate::input::{self, Input};
use crate::passwords::hex;
use crate::refusal::Refusal;
use crate::reply::{self, Reply};
use crate::shape::Shape;
use crate::site::Site;
use crate::weakness::Weakness;

pub(crate) async fn receive(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = input::bytes(call).await?;
    // First the signature, then everything else: nothing unsigned is even parsed.
    if !is_signed(&site.keys.webhook, call, &site.binding.signature, &body)
        && !weakly_signed(site, call, &body)
    {
        return Err(Refusal::BadSignature);
    }
    let input = Input::of_bytes(call.route, &body)?;
    let id = input.text("id", 200, "id must be a text of at most 200 characters")?;
    let kind = input.text("type", 200, "type must be a text of at most 200 characters")?;
    let data = input
        .get("data")
        .ok_or(Refusal::Invalid("data is missing"))?
        .to_string();
    if id.is_empty() {
        return Err(Refusal::Invalid("id must not be empty"));
    }
    let counts = site.weak(Weakness::WebhookReplayNoticedLate);
    let stored = site.store.run(move |connection| {
        // The unique index decides: two deliveries at once must not both be kept.
        let stored = connection.execute(
            "INSERT OR IGNORE INTO events (id, type, data) VALUES (?1, ?2, ?3)",
            (&id, kind, data),
        )?;
        let copies: u32 = if counts {
            connection.query_row("SELECT count(*) FROM events WHERE id = ?1", [&id], |row| {
                row.get(0)
            })?
        } else {
            1
        };
        Ok((stored, copies))
    });
    match stored.await? {
        (_, 2..) => Err(Refusal::Repeated),
        (0, _) if site.shaped(Shape::RepeatConflict) => Err(Refusal::Repeated),
        _ => Ok(reply::acknowledged(call.capability)),
    }
}

fn mac(key: &[u8], body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(body);
    Some(mac)
}

/// The header's value, when there is exactly one.
fn header<'c>(call: &'c Call<'_>, name: &str) -> Option<&'c str> {
    let mut values = call.headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_signed(
    key: &[u8],
    call: &Call<'_>,
    signature: &model::binding::Signature,
    body: &[u8],
) -> bool {
    let digest = header(call, &signature.header)
        .and_then(|value| value.strip_prefix(&signature.prefix))
        .and_then(unhex);
    match (digest, mac(key, body)) {
        // `verify_slice` compares in constant time, and the whole length.
        (Some(digest), Some(mac)) => mac.verify_slice(&digest).is_ok(),
        _ => false,
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

/// The ways of taking an event for signed that is not.
fn weakly_signed(site: &Site, call: &Call<'_>, body: &[u8]) -> bool {
    let signature = &site.binding.signature;
    let given = header(call, &signature.header);
    let digest = given.and_then(|value| value.strip_prefix(&signature.prefix));
    let wanted =
        |key: &[u8], body: &[u8]| mac(key, body).map(|mac| hex(&mac.finalize().into_bytes()));
    let key = &site.keys.webhook;
    let is_empty = |value: &str| value.trim().is_empty();
    let is_wanted = |key: &[u8], body: &[u8]| digest.map(str::to_owned) == wanted(key, body);
    let is_beginning = || {
        let wanted = wanted(key, body).unwrap_or_default();
        digest.is_some_and(|digest| {
            digest
                .bytes()
                .zip(wanted.bytes())
                .all(|(one, other)| one == other)
        })
    };
    // Known is the one that the binding names.
    let is_unknown = |value: &str| !value.starts_with(&signature.prefix) && value.contains('=');
    site.weak(Weakness::WebhookUnchecked)
        || (site.weak(Weakness::WebhookOptional) && given.is_none_or(is_empty))
        || (site.weak(Weakness::WebhookEmptyHeader) && given.is_some_and(is_empty))
        || (site.weak(Weakness::WebhookPresence) && given.is_some_and(|value| !is_empty(value)))
        || (site.weak(Weakness::WebhookPrefix) && is_beginning())
        || (site.weak(Weakness::WebhookEmptyKey) && is_wanted(b"", body))
        || (site.weak(Weakness::WebhookAlgorithm) && given.is_some_and(is_unknown))
        || (site.weak(Weakness::WebhookReserialised) && is_wanted(key, &without_space(body)))
}

/// A JSON text without the white space around its tokens: what writing the parsed value anew gives.
fn without_space(body: &[u8]) -> Vec<u8> {
    let (mut inside, mut escaped) = (false, false);
    let keeps = |byte: &&u8| {
        let keep = inside || !byte.is_ascii_whitespace();
        if escaped {
            escaped = false;
        } else if **byte == b'\\' {
            escaped = inside;
        } else if **byte == b'"' {
            inside = !inside;
        }
        keep
    };
    body.iter().filter(keeps).copied().collect()
}

pub(crate) async fn events(site: &Site, call: &Call<'_>) -> Result<Reply, Refusal> {
    admin::guard(site, call, None, Weakness::AdminEventsRoleUnchecked).await?;
    let events = site.store.run(|connection| {
        let mut statement =
            connection.prepare("SELECT id, type, data FROM events ORDER BY rowid")?;
        let rows = statement.query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    let rows = events.await?.into_iter().map(|(id, kind, data)| {
        let data = serde_json::from_str(&data).unwrap_or(Value::Null);
        vec![("id", id.into()), ("type", kind.into()), ("data", data)]
    });
    Ok(Reply::Many(rows.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_and_whole() {
        assert_eq!(unhex("00ff"), Some(vec![0, 255]));
        assert_eq!(unhex(""), Some(vec![]));
        assert!(unhex("0").is_none() && unhex("0G").is_none() && unhex("FF").is_none());
    }

    #[test]
    fn space_within_texts_stays() {
        assert_eq!(
            without_space(br#"{ "a b" : "c \" d" , "e" : [ 1 ] }"#),
            br#"{"a b":"c \" d","e":[1]}"#
        );
    }
}
