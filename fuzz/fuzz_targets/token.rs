//! Lines: a token's header, its claims, its signature, another's claims. Or one line, a whole token.
//! An edited token keeps all that was not edited.
#![no_main]

use exploit::forge::{Jwt, decode, encode};
use exploit::fuzz::{aimed, turned, unsigned};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const OWN: (Option<&str>, &str, Option<&str>) = (Some("17"), "bob@example.org", Some("user"));
const OTHER: (Option<&str>, &str, Option<&str>) = (Some("23"), "ann@example.org", Some("admin"));
const TIMES: [&str; 6] = ["exp", "iat", "nbf", "jti", "sid", "nonce"];

fn edited(jwt: &Jwt, others: &str) {
    let [header, claims, signature] = &jwt.segments;
    let whole = jwt.segments.join(".");
    if !signature.is_empty() {
        let other = turned(signature);
        assert_ne!(&other, signature);
        assert_eq!(other.chars().count(), signature.chars().count());
    }

    let as_other = aimed(jwt, OWN, OTHER, others);
    let (Value::Object(old), Value::Object(new)) = (&jwt.claims, &as_other) else {
        panic!("claims are objects");
    };
    for (name, value) in old {
        assert!(new.contains_key(name), "{name} is gone");
        assert!(
            !TIMES.contains(&name.as_str()) || new[name] == *value,
            "{name} is another"
        );
    }
    if !jwt.claims.to_string().contains(OTHER.1) {
        assert_ne!(as_other, jwt.claims, "nothing was forged");
    }

    for claims in [&jwt.claims, &as_other] {
        let made = jwt.with_claims(claims, signature);
        let again = Jwt::parse(&made).expect("a token");
        assert_eq!(
            (&again.segments[0], &again.segments[2]),
            (header, signature)
        );
        assert_eq!(&again.claims, claims);

        match jwt.signed(claims, b"key") {
            Some(made) => {
                let again = Jwt::parse(&made).expect("a token");
                let text = format!("{header}.{}", again.segments[1]);
                assert_eq!(
                    jwt.signature_of(&text, b"key").as_ref(),
                    Some(&again.segments[2])
                );
                assert_ne!(
                    jwt.signature_of(&text, b"kez").as_ref(),
                    Some(&again.segments[2])
                );
                assert_eq!(&again.claims, claims);
            }
            None => assert!(!["HS256", "HS384", "HS512"].contains(&jwt.algorithm())),
        }

        for (algorithm, made) in unsigned(jwt, claims) {
            let parts: Vec<&str> = made.split('.').collect();
            assert!(parts.len() == 2 || parts[2].is_empty() || parts[2] == signature);
            let Some(algorithm) = algorithm else {
                assert_eq!(parts[0], header);
                continue;
            };
            let mut wanted = jwt.header.as_object().expect("an object").clone();
            wanted.insert("alg".into(), algorithm.into());
            let bytes = decode(parts[0]).expect("base64");
            assert_eq!(bytes, Value::Object(wanted).to_string().as_bytes());
        }
    }
    assert_eq!(
        Jwt::parse(&whole).expect("itself").segments.join("."),
        whole
    );
    let _ = claims;
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    if let Some(jwt) = lines.first().and_then(|line| Jwt::parse(line)) {
        edited(&jwt, lines.get(1).copied().unwrap_or_default());
    }
    if let [header, claims, signature, others, ..] = lines.as_slice()
        && let (Ok(header), Ok(claims)) =
            (serde_json::from_str(header), serde_json::from_str(claims))
    {
        let (header, claims): (Value, Value) = (header, claims);
        let token = format!("{}.{}.{signature}", encode(&header), encode(&claims));
        let others = serde_json::from_str::<Value>(others).unwrap_or_default();
        let others = format!("e30.{}.x", encode(&others));
        match Jwt::parse(&token) {
            Some(jwt) => {
                assert_eq!((&jwt.header, &jwt.claims), (&header, &claims));
                edited(&jwt, &others);
            }
            None => assert!(!header.is_object() || !claims.is_object() || signature.contains('.')),
        }
    }
});
