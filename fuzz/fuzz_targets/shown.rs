//! What exploits read of a reply: values by the binding, cookies, CORS, policies, pages.
#![no_main]

use exploit::Shot;
use libfuzzer_sys::fuzz_target;
use model::{Capability, Carrier};
use wire::Reply;

const STRANGER: &str = "https://stranger.example.net";
const EMAIL: &str = "qwertyuiop@example.org";

fn with(reply: &Reply, name: &str, value: &str) -> Reply {
    let mut reply = reply.clone();
    reply
        .headers
        .insert(0, (name.into(), value.as_bytes().to_vec()));
    reply
}

fn values(reply: &Reply) {
    let shot = Shot {
        label: "a reply".into(),
        exchange: 0,
        reply: Ok(reply.clone()),
        took: std::time::Duration::ZERO,
    };
    for (name, _) in &reply.headers {
        assert!(
            !shot.lacks_header(&name.to_ascii_uppercase()).held(),
            "{name}"
        );
    }
    for target in support::targets() {
        let attack = exploit::fuzz::attack(target);
        let json = shot.json();
        for capability in Capability::ALL {
            let route = target
                .binding
                .route(capability)
                .expect("both offer everything");
            if let Some(token) = attack.token(capability, reply) {
                assert!(!token.is_empty());
                if let Carrier::Cookie { .. } = target.binding.token {
                    assert!(!token.contains(';') && token.trim() == token, "{token:?}");
                }
            }
            for name in capability.outputs() {
                let Ok(value) = attack.value(capability, reply, name) else {
                    continue;
                };
                assert!(
                    shot.has_json(&route.pointer(name), &value).held(),
                    "{value:?}"
                );
                let json = json.as_ref().expect("a value of it was read");
                assert_eq!(attack.field(capability, json, name), Some(value));
            }
            if let Ok(list) = attack.list(capability, reply) {
                for one in &list {
                    let _ = attack.field(capability, one, "id");
                }
            }
        }
    }
    let Carrier::Cookie { name } = &support::targets()[1].binding.token else {
        unreachable!()
    };
    let attack = exploit::fuzz::attack(&support::targets()[1]);
    let set = with(
        reply,
        "Set-Cookie",
        &format!("{name}=abc=; Path=/; HttpOnly"),
    );
    assert_eq!(
        attack.token(Capability::Login, &set).as_deref(),
        Some("abc=")
    );
}

/// Browsers enforce every policy: one more never lets more through.
fn policies(reply: &Reply) {
    const CSP: &str = "content-security-policy";
    let denied = with(reply, CSP, "default-src *; frame-ancestors 'none'");
    assert!(exploit::fuzz::is_unframed(&denied));
    assert!(exploit::fuzz::stops_scripts(&with(
        reply,
        CSP,
        "script-src 'self'"
    )));
    assert!(!exploit::fuzz::is_document(&with(reply, CSP, "sandbox")));
    let attached = with(
        reply,
        "Content-Disposition",
        "attachment; filename=\"a.html\"",
    );
    assert!(!exploit::fuzz::is_document(&attached));
}

fn cors(reply: &Reply) {
    const NAME: &str = "access-control-allow-origin";
    let named = reply.header(NAME);
    let named = named.as_deref().map_or("null", str::trim);
    for origin in [STRANGER, named] {
        for header in [None, Some("authorization")] {
            let (shares, allows) = exploit::fuzz::cors(reply, origin, header);
            let lists = reply.header_values(NAME);
            assert!(!allows || shares && (200..300).contains(&reply.status));
            assert!(!shares || lists.len() == 1);
            assert!(!shares || origin == named || header.is_some() && named == "*");
            let twice = with(reply, NAME, "https://app.example.com");
            let (shares, _) = exploit::fuzz::cors(&twice, origin, header);
            assert!(!shares || lists.is_empty() && origin == "https://app.example.com");
        }
    }
}

fn page(text: &str) {
    for path in exploit::fuzz::scripts(text) {
        let odd = path.contains(['\r', '\n', ' ', ':', '\\']);
        assert!(path.starts_with('/') && !odd, "{path:?}");
    }
    let trace = format!("{text}\nTraceback (most recent call last)\n");
    assert!(exploit::fuzz::exposed(&trace).is_some());
    let _ = exploit::fuzz::exposed(text);
    let masked = exploit::fuzz::mask(text, EMAIL);
    assert!(!masked.bytes().any(|byte| byte.is_ascii_digit()));
    let digit = |c: char| if c.is_ascii_digit() { '7' } else { c };
    let other: String = text.chars().map(digit).collect();
    assert_eq!(exploit::fuzz::mask(&other, EMAIL), masked);
    assert_eq!(exploit::fuzz::mask(&masked, EMAIL), masked);
}

fuzz_target!(|data: &[u8]| {
    let Some(reply) = Reply::parse(data, "GET") else {
        return;
    };
    values(&reply);
    policies(&reply);
    cors(&reply);
    page(&reply.text());
});
