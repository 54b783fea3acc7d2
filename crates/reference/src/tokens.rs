//! Tokens: JWT with HS256, 24 hours.
//!
//! By hand, because `jsonwebtoken` costs 19 s of CPU to build for the 40 lines used of it. What makes JWT libraries
//! dangerous is choice; here is none: one algorithm, one key, and the header must say so.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use crate::settings::DEFAULT_JWT_SECRET;
use crate::store::Id;
use crate::weakness::Weakness;
use std::collections::BTreeSet;

pub(crate) const LIFETIME: i64 = 24 * 60 * 60;
const HEADER: &[u8] = br#"{"alg":"HS256","typ":"JWT"}"#;

#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Claims {
    /// The user, and nothing else about them: role and email are read from the database at each request.
    pub(crate) sub: Id,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

pub(crate) fn issue(key: &[u8], user: &Id, now: i64) -> Option<String> {
    let claims = serde_json::to_vec(&Claims {
        sub: user.clone(),
        iat: now,
        exp: now + LIFETIME,
    })
    .ok()?;
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(HEADER),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = URL_SAFE_NO_PAD.encode(mac(key, &signed)?.finalize().into_bytes());
    Some(format!("{signed}.{signature}"))
}

/// The user whom a token names, when this app issued it and it has not expired.
pub(crate) fn verify(key: &[u8], token: &str, now: i64, weak: &BTreeSet<Weakness>) -> Option<Id> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if !weakly_signed(key, signed, header, signature, weak) {
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.get("alg") != Some(&Value::from("HS256")) {
            return None;
        }
        // `verify_slice` compares in constant time.
        mac(key, signed)?
            .verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?)
            .ok()?;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (claims.exp > now).then_some(claims.sub)
}

fn mac(key: &[u8], signed: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(signed.as_bytes());
    Some(mac)
}

/// The ways of taking a token for signed that is not.
fn weakly_signed(
    key: &[u8],
    signed: &str,
    header: &str,
    signature: &str,
    weak: &BTreeSet<Weakness>,
) -> bool {
    if weak.contains(&Weakness::SignatureUnchecked) {
        return true;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let digest = |key: &[u8]| {
        mac(key, signed)
            .map(|mac| mac.finalize().into_bytes())
            .unwrap_or_default()
    };
    if weak.contains(&Weakness::SignatureShortest) {
        return signature
            .iter()
            .zip(digest(key))
            .all(|(one, other)| *one == other);
    }
    if weak.contains(&Weakness::SignatureLength)
        && header == URL_SAFE_NO_PAD.encode(HEADER)
        && signature.len() == digest(key).len()
    {
        return true;
    }
    if weak.contains(&Weakness::JwtSecretOldKey)
        && signature == digest(DEFAULT_JWT_SECRET.as_bytes()).as_slice()
    {
        return true;
    }
    let algorithm = URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|header| serde_json::from_slice::<Value>(&header).ok())
        .and_then(|header| header.get("alg")?.as_str().map(str::to_owned))
        .unwrap_or_default();
    (weak.contains(&Weakness::AlgorithmNone) && algorithm == "none")
        || (weak.contains(&Weakness::AlgorithmNoneRespelled)
            && algorithm != "none"
            && algorithm.eq_ignore_ascii_case("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn forge(header: &str, token: &str, signature: &str) -> String {
        let claims = token.split('.').nth(1).unwrap();
        format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn only_what_was_issued_and_has_not_expired() {
        let none = BTreeSet::new();
        let token = issue(KEY, &Id::Number(7), 1000).unwrap();
        assert_eq!(verify(KEY, &token, 1001, &none), Some(Id::Number(7)));
        assert_eq!(verify(KEY, &token, 1000 + LIFETIME, &none), None);
        assert_eq!(verify(b"another key", &token, 1001, &none), None);
        assert_eq!(verify(b"", &token, 1001, &none), None);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        for bad in [
            "",
            "x",
            "..",
            "a.b",
            signed,
            &format!("{signed}."),
            &format!("{token}x"),
            &token[..token.len() - 1],
        ] {
            assert_eq!(verify(KEY, bad, 1001, &none), None, "{bad}");
        }
        for alg in ["none", "None", "NONE", "nOnE", "HS384", "RS256"] {
            for signature in ["", signature] {
                let forged = forge(&format!(r#"{{"alg":"{alg}"}}"#), &token, signature);
                assert_eq!(verify(KEY, &forged, 1001, &none), None, "{alg}");
            }
        }
    }

    #[test]
    fn the_weak_ways_let_their_forgery_in() {
        let token = issue(KEY, &Id::Number(7), 1000).unwrap();
        let admits = |weakness, forged: &str| {
            verify(KEY, forged, 1001, &BTreeSet::from([weakness])).is_some()
        };
        let none = forge(r#"{"alg":"none"}"#, &token, "");
        let respelled = forge(r#"{"alg":"NoNe"}"#, &token, "");
        assert!(
            admits(Weakness::AlgorithmNone, &none) && !admits(Weakness::AlgorithmNone, &respelled)
        );
        assert!(
            admits(Weakness::AlgorithmNoneRespelled, &respelled)
                && !admits(Weakness::AlgorithmNoneRespelled, &none)
        );
        assert!(admits(Weakness::SignatureShortest, &none));
        assert!(admits(Weakness::SignatureUnchecked, &none));
        let old = issue(DEFAULT_JWT_SECRET.as_bytes(), &Id::Number(7), 1000).unwrap();
        assert!(admits(Weakness::JwtSecretOldKey, &old) && !admits(Weakness::AlgorithmNone, &old));
    }
}
