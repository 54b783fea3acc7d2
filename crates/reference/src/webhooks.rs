//! The payment provider's events: signed over the raw bytes, each kept once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use model::binding::Scheme;
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
    let written = Written::read(site, call);
    if !is_signed(&site.keys.webhook, written.as_ref(), &body)
        && !weakly_signed(site, call, written.as_ref(), &body)
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

/// A delivery's signature as its headers write it.
struct Written {
    /// The digest; what was before it is as the scheme wants it.
    digest: String,
    /// What is signed before the body.
    before: Vec<u8>,
    scheme: Scheme,
}

impl Written {
    /// `None` where a header is missing or is not as the scheme writes it, or where the time is long gone.
    fn read(site: &Site, call: &Call<'_>) -> Option<Self> {
        let signature = &site.binding.signature;
        let value = header(call, &signature.header)?;
        let recent = |text: &str| {
            let then: i64 = text.parse().ok()?;
            ((site.now() - then).abs() <= 300).then_some(())
        };
        let (digest, before) = match signature.scheme {
            Scheme::Plain => (value.strip_prefix(&signature.prefix)?, String::new()),
            Scheme::Stripe => {
                let (time, digest) = value.strip_prefix("t=")?.split_once(",v1=")?;
                recent(time)?;
                (digest, format!("{time}."))
            }
            Scheme::Svix => {
                let family = signature.header.strip_suffix("signature")?;
                let id = header(call, &format!("{family}id"))?;
                let time = header(call, &format!("{family}timestamp"))?;
                recent(time)?;
                (value.strip_prefix("v1,")?, format!("{id}.{time}."))
            }
        };
        Some(Self {
            digest: digest.to_owned(),
            before: before.into_bytes(),
            scheme: signature.scheme,
        })
    }

    fn mac(&self, key: &[u8], body: &[u8]) -> Option<Hmac<Sha256>> {
        let key = match self.scheme {
            Scheme::Svix => STANDARD.decode(key).ok()?,
            Scheme::Plain | Scheme::Stripe => key.to_vec(),
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(&self.before);
        mac.update(body);
        Some(mac)
    }

    /// The digest that the key gives.
    fn wanted(&self, key: &[u8], body: &[u8]) -> Option<String> {
        let bytes = self.mac(key, body)?.finalize().into_bytes();
        Some(match self.scheme {
            Scheme::Svix => STANDARD.encode(bytes),
            Scheme::Plain | Scheme::Stripe => hex(&bytes),
        })
    }
}

/// The header's value, when there is exactly one.
fn header<'c>(call: &'c Call<'_>, name: &str) -> Option<&'c str> {
    let mut values = call.headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_signed(key: &[u8], written: Option<&Written>, body: &[u8]) -> bool {
    let Some(written) = written else { return false };
    let digest = match written.scheme {
        Scheme::Svix => STANDARD.decode(&written.digest).ok(),
        Scheme::Plain | Scheme::Stripe => unhex(&written.digest),
    };
    match (digest, written.mac(key, body)) {
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
fn weakly_signed(site: &Site, call: &Call<'_>, written: Option<&Written>, body: &[u8]) -> bool {
    let signature = &site.binding.signature;
    let given = header(call, &signature.header);
    let key = &site.keys.webhook;
    let is_empty = |value: &str| value.trim().is_empty();
    let is_wanted = |key: &[u8], body: &[u8]| {
        written.is_some_and(|written| written.wanted(key, body).as_ref() == Some(&written.digest))
    };
    let is_beginning = || {
        written.is_some_and(|written| {
            let wanted = written.wanted(key, body).unwrap_or_default();
            let pairs = written.digest.bytes().zip(wanted.bytes());
            pairs.into_iter().all(|(one, other)| one == other)
        })
    };
    let known = match signature.scheme {
        Scheme::Plain => signature.prefix.as_str(),
        Scheme::Stripe => "t=",
        Scheme::Svix => "v1,",
    };
    // Known is the one that the binding names.
    let is_unknown = |value: &str| !value.starts_with(known) && value.contains('=');
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
    admin::guard(
        site,
        call,
        Weakness::AdminEventsWithoutToken,
        Weakness::AdminEventsRoleUnchecked,
    )
    .await?;
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
