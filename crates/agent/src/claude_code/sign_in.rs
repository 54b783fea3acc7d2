//! The token of Claude Pro or Max, as `claude setup-token` prints it.

use crate::proxy::Key;
use crate::{BadSignIn, Surroundings};

pub(super) const VARIABLE: &str = "CLAUDE_CODE_OAUTH_TOKEN";
const WAY: &str = "run `claude setup-token` and export what it prints as CLAUDE_CODE_OAUTH_TOKEN";

pub(super) fn find(around: &Surroundings<'_>) -> Result<Key, BadSignIn> {
    let bad = |what: &str| BadSignIn::new(format!("{VARIABLE} {what}"), WAY);
    let value = (around.variable)(VARIABLE).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| bad("is not set"))?;
    let token = value.to_str().unwrap_or_default().trim();
    if token.starts_with("sk-ant-api") {
        let what = format!("{VARIABLE} holds an API key, and no token of a subscription");
        let way = format!("{WAY}, or use the key: ANTHROPIC_API_KEY and --auth key");
        return Err(BadSignIn::new(what, way));
    }
    Key::of_subscription(token, None).ok_or_else(|| {
        bad("is no token: it is too short, or has spaces or others that no token has")
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_is_no_token_is_said_without_it() {
        let found = |value: Option<&str>| {
            let variable = |name: &str| value.filter(|_| name == VARIABLE).map(Into::into);
            find(&Surroundings {
                variable: &variable,
                now: SystemTime::now(),
            })
        };
        assert!(found(Some(" sk-ant-oat01-canary-canary\n")).is_ok());
        for (value, wanted) in [
            (None, "is not set"),
            (Some(""), "is not set"),
            (Some("canary"), "is no token"),
            (Some("sk-ant-oat01 canary canary"), "is no token"),
            (Some("sk-ant-api03-canary-canary"), "--auth key"),
        ] {
            let said = found(value).unwrap_err().to_string();
            for word in [wanted, VARIABLE, "claude setup-token"] {
                assert!(said.contains(word), "{said}");
            }
            assert!(!said.contains("canary"), "{said}");
        }
    }
}
