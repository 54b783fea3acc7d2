//! What the operator says, and what the app refuses to start with.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::passwords;
use crate::weakness::Weakness;

/// HS256 wants a key at least as long as its digest (RFC 7518, 3.2).
const SHORTEST_JWT_SECRET: usize = 32;
/// The provider chooses this one, so it is only kept from being guessed.
const SHORTEST_WEBHOOK_SECRET: usize = 16;

/// What the weak versions fall back on; each is on the published lists.
pub(crate) const DEFAULT_JWT_SECRET: &str = "secret";
pub(crate) const DEFAULT_WEBHOOK_SECRET: &str = "changeme";

/// Parts of the values that stand in examples, and that people leave there.
const PLACEHOLDERS: [&str; 10] = [
    "changeme",
    "change-me",
    "change_me",
    "change-this",
    "change_this",
    "your-secret",
    "your_secret",
    "your-256-bit",
    "supersecret",
    "super-secret",
];

#[derive(Clone)]
pub struct Settings {
    /// `APP_ENV` is `production`. Elsewhere a missing secret is replaced by a random one.
    pub production: bool,
    /// `NODE_ENV` is `production`; only a weak version asks.
    pub node_production: bool,
    pub jwt_secret: Option<String>,
    pub webhook_secret: Option<String>,
    pub admin_email: String,
    pub admin_password: String,
    /// Compared byte by byte with the `Origin` header.
    pub cors_origins: Vec<String>,
    pub database: PathBuf,
    pub uploads: PathBuf,
    /// 12; tests that hash a lot take 4.
    pub bcrypt_cost: u32,
}

impl Settings {
    /// Production settings with everything in one folder and fresh secrets.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            production: true,
            node_production: false,
            jwt_secret: Some(random_secret()),
            webhook_secret: Some(random_secret()),
            admin_email: "admin@example.com".to_owned(),
            admin_password: format!("Aa1!{}", Uuid::new_v4().simple()),
            cors_origins: vec![
                "https://app.example.com".to_owned(),
                "https://admin.example.com".to_owned(),
            ],
            database: folder.join("app.db"),
            uploads: folder.join("uploads"),
            bcrypt_cost: 12,
        }
    }

    pub(crate) fn keys(&self, weak: &BTreeSet<Weakness>) -> Result<Keys, StartError> {
        let fallback = |default, empty, literal: &str| {
            if weak.contains(&default) {
                Some(literal.to_owned())
            } else {
                weak.contains(&empty).then(String::new)
            }
        };
        let token = match &self.jwt_secret {
            Some(secret) => checked("JWT_SECRET", secret, SHORTEST_JWT_SECRET, self.production)?,
            None if weak.contains(&Weakness::JwtSecretOfName) => {
                passwords::hex(&Sha256::digest("app"))
            }
            None => match fallback(
                Weakness::JwtSecretDefault,
                Weakness::JwtSecretEmpty,
                DEFAULT_JWT_SECRET,
            ) {
                Some(literal) => literal,
                None => missing("JWT_SECRET", self.production)?,
            },
        };
        let webhook = match &self.webhook_secret {
            Some(secret) => checked(
                "WEBHOOK_SECRET",
                secret,
                SHORTEST_WEBHOOK_SECRET,
                self.production,
            )?,
            None => match fallback(
                Weakness::WebhookSecretDefault,
                Weakness::WebhookSecretEmpty,
                DEFAULT_WEBHOOK_SECRET,
            ) {
                Some(literal) => literal,
                None => missing("WEBHOOK_SECRET", self.production)?,
            },
        };
        if self.production && (self.jwt_secret.is_some() && self.jwt_secret == self.webhook_secret)
        {
            return Err(StartError::Secret {
                name: "WEBHOOK_SECRET",
                why: "is the same as JWT_SECRET",
            });
        }
        if self.production && passwords::check(&self.admin_password, &self.admin_email).is_err() {
            return Err(StartError::Secret {
                name: "ADMIN_PASSWORD",
                why: "is too short or too common",
            });
        }
        if !(4..=31).contains(&self.bcrypt_cost) {
            return Err(StartError::Cost(self.bcrypt_cost));
        }
        Ok(Keys {
            token: token.into_bytes(),
            webhook: webhook.into_bytes(),
        })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("production", &self.production)
            .field("database", &self.database)
            .field("uploads", &self.uploads)
            .field("cors_origins", &self.cors_origins)
            .field("bcrypt_cost", &self.bcrypt_cost)
            .finish_non_exhaustive()
    }
}

pub(crate) struct Keys {
    pub(crate) token: Vec<u8>,
    pub(crate) webhook: Vec<u8>,
}

/// 244 random bits.
fn random_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

fn missing(name: &'static str, production: bool) -> Result<String, StartError> {
    if production {
        return Err(StartError::Secret {
            name,
            why: "is not set",
        });
    }
    Ok(random_secret())
}

fn checked(
    name: &'static str,
    secret: &str,
    shortest: usize,
    production: bool,
) -> Result<String, StartError> {
    let lower = secret.to_lowercase();
    let distinct = secret.bytes().collect::<BTreeSet<_>>().len();
    let why = if secret.is_empty() {
        "is empty"
    } else if !production {
        return Ok(secret.to_owned());
    } else if secret.len() < shortest {
        "is too short"
    } else if distinct < 8
        || PLACEHOLDERS
            .iter()
            .any(|placeholder| lower.contains(placeholder))
    {
        "is a placeholder"
    } else {
        return Ok(secret.to_owned());
    };
    Err(StartError::Secret { name, why })
}

/// Why the app did not start. Never shows a value.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("{name} {why}")]
    Secret {
        name: &'static str,
        why: &'static str,
    },
    #[error("bcrypt cost {0} is not in 4..=31")]
    Cost(u32),
    #[error("the binding cannot be served: {0}")]
    Binding(String),
    #[error("cannot use the folder {path}")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot open the database")]
    Database(#[from] rusqlite::Error),
    #[error("cannot hash the admin's password")]
    Hash,
    #[error("cannot listen on {at}")]
    Listen {
        at: SocketAddr,
        source: std::io::Error,
    },
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> bool {
        let mut settings = Settings::in_folder(Path::new("unused"));
        change(&mut settings);
        settings.keys(&BTreeSet::new()).is_err()
    }

    #[test]
    fn production_refuses_missing_short_and_placeholder_secrets() {
        assert!(!refused(|_| ()));
        assert!(refused(|s| s.jwt_secret = None));
        assert!(refused(|s| s.webhook_secret = None));
        assert!(refused(|s| s.jwt_secret = Some(String::new())));
        assert!(refused(|s| s.jwt_secret = Some("kJ8#".to_owned())));
        assert!(refused(
            |s| s.jwt_secret = Some("your-256-bit-secret-your-256-bit-secret".to_owned())
        ));
        assert!(refused(
            |s| s.webhook_secret = Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned())
        ));
        assert!(refused(|s| s.webhook_secret = s.jwt_secret.clone()));
        assert!(refused(|s| s.admin_password = "password123".to_owned()));
    }

    #[test]
    fn elsewhere_a_missing_secret_is_random() {
        let mut settings = Settings::in_folder(Path::new("unused"));
        settings.production = false;
        settings.jwt_secret = None;
        let (one, two) = (
            settings.keys(&BTreeSet::new()).unwrap(),
            settings.keys(&BTreeSet::new()).unwrap(),
        );
        assert_ne!(one.token, two.token);
        assert!(one.token.len() >= SHORTEST_JWT_SECRET);
    }
}
