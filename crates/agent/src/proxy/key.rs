//! A secret that is never printed.

use std::fmt;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue, InvalidHeaderValue};

use super::Vendor;

/// How this tool signs in to a vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Auth {
    /// With an API key, which is billed by token.
    #[default]
    Key,
    /// With a subscription's token, which is not.
    Subscription,
}

impl Auth {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Subscription => "subscription",
        }
    }

    /// In the place of the vendor's words of a 401.
    pub(super) fn refused(self) -> &'static str {
        match self {
            Self::Key => "the model's server refused the key",
            Self::Subscription => "the model's server refused the subscription's sign-in",
        }
    }
}

/// The vendor's API key, or a subscription's token. Nothing but the headers that are sent to the vendor is ever made of it.
#[derive(Clone)]
pub struct Key {
    text: String,
    auth: Auth,
    /// The account that a token is for, where its vendor wants to be told.
    account: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    #[error("{0} is not set; it holds the vendor's API key")]
    Missing(String),
    /// Without the key itself.
    #[error(
        "{0} is no API key: it is shorter than {SHORTEST} characters, or has spaces or others that no key has"
    )]
    Form(String),
}

/// Of a ChatGPT sign-in.
pub(super) const ACCOUNT: HeaderName = HeaderName::from_static("chatgpt-account-id");

fn is_graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Scrubbing something shorter out of replies would change innocent text.
const SHORTEST: usize = 16;

impl Key {
    /// From the environment of this process. Cells start with an environment of their own.
    pub fn from_env(variable: &str) -> Result<Self, BadKey> {
        match std::env::var(variable) {
            Ok(text) => Self::new(&text).ok_or_else(|| BadKey::Form(variable.to_owned())),
            Err(_) => Err(BadKey::Missing(variable.to_owned())),
        }
    }

    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_one = text.len() >= SHORTEST && is_graphic(text);
        is_one.then(|| Self {
            text: text.to_owned(),
            auth: Auth::Key,
            account: None,
        })
    }

    pub fn of_subscription(token: &str, account: Option<String>) -> Option<Self> {
        let key = Self::new(token)?;
        let auth = Auth::Subscription;
        account.as_deref().is_none_or(is_graphic).then_some(Self {
            auth,
            account,
            ..key
        })
    }

    pub fn auth(&self) -> Auth {
        self.auth
    }

    /// Where the vendor wants it, and nothing else that names its owner.
    pub(crate) fn headers(
        &self,
        vendor: Vendor,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
        let (name, before) = match (vendor, self.auth) {
            (Vendor::Anthropic, Auth::Key) => (HeaderName::from_static("x-api-key"), ""),
            (Vendor::Anthropic, Auth::Subscription) | (Vendor::OpenAi | Vendor::OpenAiChat, _) => {
                (AUTHORIZATION, "Bearer ")
            }
        };
        let mut headers = vec![(
            name,
            HeaderValue::try_from(format!("{before}{}", self.text))?,
        )];
        if let Some(account) = &self.account {
            headers.push((ACCOUNT, HeaderValue::try_from(account)?));
        }
        for (_, value) in &mut headers {
            value.set_sensitive(true);
        }
        Ok(headers)
    }

    pub fn is_in(&self, bytes: &[u8]) -> bool {
        bytes
            .windows(self.text.len())
            .any(|window| window == self.text.as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Takes a key out of a stream, also where it is cut into pieces. The length stays what it was.
pub(super) struct Scrub {
    key: Option<Key>,
    /// The end of what has come so far, when a key may begin there.
    held: Vec<u8>,
}

impl Scrub {
    pub(super) fn new(key: Option<Key>) -> Self {
        Self {
            key,
            held: Vec::new(),
        }
    }

    pub(super) fn pass(&mut self, chunk: Bytes) -> Bytes {
        let Some(key) = &self.key else { return chunk };
        let key = key.text.as_bytes();
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(&chunk);
        let mut at = 0;
        while let Some(found) = find(&bytes[at..], key) {
            bytes[at + found..at + found + key.len()].fill(b'x');
            at += found + key.len();
        }
        let most = (key.len() - 1).min(bytes.len() - at);
        let may_begin = (1..=most)
            .rev()
            .find(|length| bytes.ends_with(&key[..*length]))
            .unwrap_or(0);
        self.held = bytes.split_off(bytes.len() - may_begin);
        bytes.into()
    }

    /// What was held back, when no more comes.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }
}

fn find(bytes: &[u8], key: &[u8]) -> Option<usize> {
    let first = key[0];
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(key) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "sk-canary-sk-canary-0123456789";

    #[test]
    fn no_form_of_a_key_shows_it() {
        let key = Key::new(CANARY).unwrap();
        assert!(!format!("{key:?}").contains("canary"));
        let token = Key::of_subscription(CANARY, Some("account-canary".into())).unwrap();
        assert!(!format!("{token:?}").contains("canary"));
        for headers in [key.headers(Vendor::OpenAi), token.headers(Vendor::OpenAi)] {
            let headers = headers.unwrap();
            assert!(!format!("{headers:?}").contains("canary"), "{headers:?}");
        }
        assert!(Key::of_subscription(CANARY, Some("an\naccount".into())).is_none());
        assert!(Key::new("sk-short").is_none());
        assert!(Key::new("sk-canary-sk-canary\n0123456789").is_none());
        assert!(Key::from_env("UNREQUESTED_NO_SUCH_VARIABLE").is_err());
    }

    #[test]
    fn a_key_is_scrubbed_wherever_the_stream_is_cut() {
        let text = format!("data: {CANARY}{CANARY} sk-canary-sk-can\n\nsk-canary-{CANARY}sk");
        let wanted = text.replace(CANARY, &"x".repeat(CANARY.len()));
        for size in 1..=text.len() {
            let mut scrub = Scrub::new(Key::new(CANARY));
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                out.extend_from_slice(&scrub.pass(Bytes::copy_from_slice(piece)));
            }
            out.extend_from_slice(&scrub.rest());
            assert_eq!(String::from_utf8(out).unwrap(), wanted, "pieces of {size}");
        }
    }

    #[test]
    fn nothing_is_held_back_where_no_key_can_begin() {
        let mut scrub = Scrub::new(Key::new(CANARY));
        let event = Bytes::from_static(b"event: message_stop\ndata: {}\n\n");
        assert_eq!(scrub.pass(event.clone()), event);
        assert!(scrub.rest().is_empty());
    }
}
