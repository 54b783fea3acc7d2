//! The sign-in of a ChatGPT account, in the file that `codex login` writes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::proxy::Key;
use crate::{BadSignIn, Surroundings};

/// The file has a few thousand bytes.
const LARGEST: u64 = 1 << 20;
const LOGIN: &str = "run `codex login` and choose the sign-in with ChatGPT";

pub(super) fn find(around: &Surroundings<'_>) -> Result<Key, BadSignIn> {
    let folder = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
    let home = folder("CODEX_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(folder("HOME")?).join(".codex")))
        .ok_or_else(|| BadSignIn::new("neither CODEX_HOME nor HOME is set", LOGIN))?;
    let path = home.join("auth.json");
    let text = read(&path).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        if missing {
            let way = format!(
                "{LOGIN}; where Codex keeps it in a keyring, set `cli_auth_credentials_store = \"file\"` before"
            );
            BadSignIn::new(format!("{} is not there", path.display()), way)
        } else {
            let what = format!("{} cannot be read: {error}", path.display());
            BadSignIn::new(what, "make it readable to you, and to nobody else")
        }
    })?;
    key(&text, around.now).map_err(|(what, way)| {
        let what = format!("{} {what}", path.display());
        BadSignIn::new(what, way)
    })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut text)?;
    Ok(text)
}

/// What is wrong with the file is said without a word of it.
fn key(text: &[u8], now: SystemTime) -> Result<Key, (&'static str, String)> {
    let login = |what| (what, LOGIN.to_owned());
    let file: Value = serde_json::from_slice(text).map_err(|_| login("is no JSON"))?;
    let tokens = &file["tokens"];
    let Some(token) = tokens["access_token"].as_str() else {
        let what = "holds no sign-in with ChatGPT";
        return Err(if file["OPENAI_API_KEY"].is_string() {
            let way = format!("{LOGIN}, or use its API key: OPENAI_API_KEY and --auth key");
            ("holds an API key and no sign-in with ChatGPT", way)
        } else {
            login(what)
        });
    };
    let claims = claims(token).unwrap_or_default();
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Without a time in it only the server knows.
    if claims["exp"]
        .as_u64()
        .is_some_and(|end| end <= now.as_secs())
    {
        return Err((
            "holds an access token that has expired",
            "run `codex` once, which renews it".to_owned(),
        ));
    }
    let of_token = &claims["https://api.openai.com/auth"]["chatgpt_account_id"];
    let account = tokens["account_id"].as_str().or(of_token.as_str());
    Key::of_subscription(token, account.map(str::to_owned))
        .ok_or_else(|| login("holds tokens of a form that no token has"))
}

/// The middle part of a JSON web token.
fn claims(token: &str) -> Option<Value> {
    let middle = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(middle).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use hyper::header::AUTHORIZATION;
    use serde_json::json;

    use super::*;
    use crate::proxy::{Auth, Vendor};

    const NOW: u64 = 1_800_000_000;

    fn token(claims: &Value) -> String {
        format!("e30.{}.canary", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn of(file: &Value) -> Result<Key, String> {
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        key(file.to_string().as_bytes(), now).map_err(|(what, way)| format!("{what}; {way}"))
    }

    #[test]
    fn the_token_and_its_account_go_to_the_vendor() {
        let claims = json!({"exp": NOW + 1, "https://api.openai.com/auth": {"chatgpt_account_id": "of-token"}});
        let token = token(&claims);
        for (tokens, wanted) in [
            (
                json!({"access_token": token, "account_id": "of-file"}),
                "of-file",
            ),
            (json!({"access_token": token}), "of-token"),
        ] {
            let key = of(&json!({"OPENAI_API_KEY": null, "tokens": tokens})).unwrap();
            assert_eq!(key.auth(), Auth::Subscription);
            let headers = key.headers(Vendor::OpenAi).unwrap();
            let texts: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
                .collect();
            let bearer = format!("Bearer {token}");
            assert_eq!(
                texts,
                [
                    (AUTHORIZATION.as_str(), bearer.as_str()),
                    ("chatgpt-account-id", wanted)
                ]
            );
        }
        // Of a token without a time only the server knows.
        assert!(of(&json!({"tokens": {"access_token": "canary-canary-canary"}})).is_ok());
    }

    #[test]
    fn what_cannot_be_used_is_said_without_a_word_of_it() {
        let expired = token(&json!({"exp": NOW}));
        for (file, wanted) in [
            (
                json!({"tokens": {"access_token": expired}}),
                ["expired", "run `codex` once"],
            ),
            (
                json!({"OPENAI_API_KEY": "sk-canary"}),
                ["an API key and no sign-in", "--auth key"],
            ),
            (
                json!({"OPENAI_API_KEY": "sk-canary", "tokens": null}),
                ["an API key and no sign-in", "codex login"],
            ),
            (
                json!({"tokens": {"refresh_token": "canary"}}),
                ["no sign-in", "codex login"],
            ),
            (json!(["canary"]), ["no sign-in", "codex login"]),
            (
                json!({"tokens": {"access_token": "a canary with spaces"}}),
                ["form", "codex login"],
            ),
        ] {
            let said = of(&file).unwrap_err();
            for word in wanted {
                assert!(said.contains(word), "{said}");
            }
            assert!(!said.contains("canary"), "{said}");
        }
        let (what, _) = key(b"{\"tokens\": \"canary", SystemTime::now()).unwrap_err();
        assert_eq!(what, "is no JSON");
    }

    #[test]
    fn a_file_that_is_not_there_or_not_readable_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &'static str| {
            let home = folder.path().to_owned();
            let variable = move |one: &str| (one == name).then(|| home.clone().into_os_string());
            let around = Surroundings {
                variable: &variable,
                now: SystemTime::now(),
            };
            find(&around).map_err(|error| error.to_string())
        };
        let said = at("HOME").unwrap_err();
        assert!(said.contains(".codex/auth.json is not there"), "{said}");
        assert!(said.contains("cli_auth_credentials_store"), "{said}");
        assert!(at("OTHER").unwrap_err().contains("CODEX_HOME"));
        let path = folder.path().join("auth.json");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let said = at("CODEX_HOME").unwrap_err();
        assert!(said.contains("cannot be read"), "{said}");
        fs::remove_dir(&path).unwrap();
        let file = json!({"tokens": {"access_token": "canary-canary-canary"}});
        fs::write(&path, file.to_string()).unwrap();
        assert!(at("CODEX_HOME").is_ok());
    }
}
