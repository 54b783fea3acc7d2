//! Webhooks: a signed event goes in and the admin sees it.

use std::time::{SystemTime, UNIX_EPOCH};

use model::binding::{Scheme, Signature};
use model::{Body, Capability, Route};
use serde_json::{Value, json};

use crate::accounts::read_as;
use crate::admin::is_admin;
use crate::ask::{self, Wanted, forms, plain};
use crate::find::{Asked, Search, absent, fit, json as read};
use crate::hint::Hint;
use crate::{json as values, names};

const PATHS: &[&str] = &[
    "webhooks", "webhook", "hooks", "hook", "callback", "payments", "stripe", "pay", "notify",
    "ipn",
];
const EVENTS: &[&str] = &[
    "events",
    "webhook-events",
    "webhookevents",
    "webhooks",
    "payments",
    "deliveries",
    "hooks",
];
const WORDS: &[&str] = &[
    "signature",
    "hmac",
    "xsignature",
    "webhook",
    "event",
    "payload",
];
const WANTED: [Wanted; 3] = [
    ("id", names::EVENT_ID),
    ("type", names::EVENT_TYPE),
    ("data", names::EVENT_DATA),
];
/// Deliveries that are tried.
const MOST: u32 = 150;
/// Headers of schemes that also sign a time, and what the library is called that reads them.
const PROVIDERS: [(&str, Scheme, &str); 3] = [
    ("Stripe-Signature", Scheme::Stripe, "stripe"),
    ("svix-signature", Scheme::Svix, "svix"),
    ("webhook-signature", Scheme::Svix, "standardwebhooks"),
];
/// Headers that providers use, for apps whose own is not written out.
const HEADERS: &[&str] = &["X-Signature", "X-Webhook-Signature", "X-Hub-Signature-256"];

impl Search<'_, '_> {
    pub(crate) fn webhooks(&mut self) {
        let takers = self.ranked(&["POST", "PUT"], 0, |hint| {
            let path = fit(hint, PATHS, &[]);
            if path == 0 {
                0
            } else {
                path + fit(hint, &[], WORDS)
            }
        });
        if takers.is_empty() {
            return;
        }
        let Some(secret) = self.given.webhook_secret.clone() else {
            return self.not(
                Capability::Webhook,
                "the webhook secret is not known; name it to test this",
            );
        };
        let Some(admin) = self.admin.clone() else {
            return self.not(
                Capability::Webhook,
                "no admin is known who could see that an event was stored",
            );
        };
        if !self.given.may_delete {
            let why = "no event is sent to an app that was not started here";
            self.not(Capability::Events, why);
            return self.not(Capability::Webhook, why);
        }
        let lists = self.ranked(&["GET"], 0, |hint| {
            let events = fit(hint, EVENTS, &[]);
            if events == 0 {
                0
            } else {
                events + if is_admin(hint) { 3 } else { 0 }
            }
        });
        let mut left = MOST;
        for (hint, method) in takers.into_iter().take(3) {
            let mut signatures = self.signatures(&hint);
            for form in forms(&hint, &method, &WANTED, &[Body::Json]) {
                let mut told = Vec::new();
                for signature in &signatures {
                    if left == 0 {
                        return;
                    }
                    left -= 1;
                    let id = format!("evt_{}", self.talk.letters(14));
                    let Some(status) = self.deliver(&form, signature, &secret, &id) else {
                        return;
                    };
                    if status == 404 || status == 405 {
                        break;
                    }
                    told.push((signature.clone(), status));
                    if !(200..300).contains(&status) {
                        self.not(
                            Capability::Webhook,
                            format!("{} answered {status} to a signed event", hint.shown()),
                        );
                        continue;
                    }
                    if self.arrived(&lists, &id, &admin.signed) {
                        self.binding.signature = signature.clone();
                        return self.bind(Capability::Webhook, form);
                    }
                    self.not(
                        Capability::Webhook,
                        format!(
                            "{} answered {status}, but no list shows the admin the event",
                            hint.shown()
                        ),
                    );
                }
                signatures = apart(told);
            }
        }
    }

    /// Sends one event; the answer's status.
    fn deliver(
        &mut self,
        form: &Route,
        signature: &Signature,
        secret: &str,
        id: &str,
    ) -> Option<u16> {
        let inputs = [
            ("id", json!(id)),
            ("type", json!("payment.succeeded")),
            ("data", json!({"amount": 1200})),
        ];
        let mut request = ask::request(form, None, &inputs, None, None);
        let message = format!("msg_{}", self.talk.letters(24));
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let signed = exploit::sign(
            signature,
            secret.as_bytes(),
            &request.body,
            &message,
            seconds,
        );
        for (name, value) in signed.headers {
            request = request.header(&name, value);
        }
        Some(self.talk.ask(&request)?.status)
    }

    /// Binds the list that shows the admin this event.
    fn arrived(&mut self, lists: &[(Hint, String)], id: &str, admin: &ask::Signed) -> bool {
        for (hint, method) in lists.iter().take(4) {
            let mut route = plain(method, &hint.path);
            let Some(reply) = self.ask(
                &route,
                &Asked {
                    by: Some(admin),
                    ..Asked::default()
                },
            ) else {
                return false;
            };
            if absent(&reply) {
                continue;
            }
            let Some(value) = read(&reply) else { continue };
            let Some(found) = values::listed(&value, id) else {
                continue;
            };
            read_as(&mut route, "list", found.list.clone());
            read_as(&mut route, "id", found.at.clone());
            if let Some(kind) = values::at(found.member, "payment.succeeded") {
                read_as(&mut route, "type", kind);
            }
            if let Some(data) = data_at(found.member) {
                read_as(&mut route, "data", data);
            }
            self.bind(Capability::Events, route);
            return true;
        }
        false
    }

    /// Headers and prefixes that the app may want, those that its source names first.
    fn signatures(&self, hint: &Hint) -> Vec<Signature> {
        let looks = |word: &&String| {
            let lower = word.to_ascii_lowercase();
            let header = lower
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && lower.contains('-');
            header
                && lower.len() < 40
                && ["signature", "digest", "hmac", "sign"]
                    .iter()
                    .any(|part| lower.contains(part))
        };
        let mut headers: Vec<String> = self.hints.words.iter().filter(looks).cloned().collect();
        // FastAPI makes a header's name of its parameter's.
        let parameters = hint.words.iter().map(|word| word.replace('_', "-"));
        headers.extend(parameters.filter(|word| looks(&word)));
        headers.sort_by_key(|name| !name.to_ascii_lowercase().contains("signature"));
        headers.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        headers.truncate(4);
        let mut all: Vec<Signature> = self.known(&headers);
        if headers.is_empty() {
            headers.extend(HEADERS.iter().map(|name| (*name).to_owned()));
        }
        let mut prefixes: Vec<String> = self
            .hints
            .words
            .iter()
            .filter(|word| word.len() < 12 && word.len() > 1 && word.ends_with('='))
            .filter(|word| {
                word[..word.len() - 1]
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric())
            })
            .cloned()
            .collect();
        prefixes.sort_by_key(|prefix| prefix != "sha256=");
        prefixes.truncate(3);
        for usual in ["", "sha256=", "v1="] {
            if !prefixes.iter().any(|one| one == usual) {
                prefixes.push(usual.to_owned());
            }
        }
        for header in &headers {
            for prefix in &prefixes {
                all.push(Signature {
                    header: header.clone(),
                    prefix: prefix.clone(),
                    scheme: Scheme::Plain,
                });
            }
        }
        // Under a name of its own, a scheme may be a provider's all the same.
        for scheme in [Scheme::Stripe, Scheme::Svix] {
            all.extend(headers.iter().map(|header| Signature {
                header: header.clone(),
                prefix: String::new(),
                scheme,
            }));
        }
        all
    }

    /// The schemes of known providers, where the source names their headers or their libraries.
    fn known(&self, headers: &[String]) -> Vec<Signature> {
        let named = |header: &&(&str, Scheme, &str)| {
            let (name, _, library) = **header;
            let is = |word: &String| word.eq_ignore_ascii_case(name);
            headers.iter().any(is)
                || self
                    .hints
                    .words
                    .iter()
                    .any(|word| is(word) || word.to_ascii_lowercase().contains(library))
        };
        let all = PROVIDERS.iter().filter(named);
        all.map(|(header, scheme, _)| Signature {
            header: (*header).to_owned(),
            prefix: String::new(),
            scheme: *scheme,
        })
        .collect()
    }
}

/// The signatures that were answered otherwise than most, a body refused and no signature; all where none was.
fn apart(told: Vec<(Signature, u16)>) -> Vec<Signature> {
    let many = |status: u16| told.iter().filter(|(_, other)| *other == status).count();
    let fewest = told.iter().map(|(_, status)| many(*status)).min();
    let rare = |status: u16| fewest.is_some_and(|few| many(status) == few && few * 3 <= told.len());
    let found: Vec<Signature> = told
        .iter()
        .filter(|(_, status)| rare(*status))
        .map(|(signature, _)| signature.clone())
        .collect();
    if found.is_empty() {
        return told.into_iter().map(|(signature, _)| signature).collect();
    }
    found
}

/// Where the event's data stands: as it was sent, or as the text of it.
fn data_at(member: &Value) -> Option<String> {
    let at = values::leaves(member).into_iter().find_map(|(at, value)| {
        if value.as_i64() == Some(1200) {
            return at.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        }
        value
            .as_str()
            .filter(|text| text.contains("1200") && text.starts_with('{'))
            .map(|_| at)
    });
    at.filter(|at| !at.is_empty())
}
