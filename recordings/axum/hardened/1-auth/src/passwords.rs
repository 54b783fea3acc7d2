use std::collections::HashSet;

use bcrypt::BcryptError;
use tokio::task::spawn_blocking;

use crate::refusal::Refusal;

const COST: u32 = 12;
const SHORTEST: usize = 10;
/// bcrypt reads no further than this; longer ones are refused, not cut.
const LONGEST_BYTES: usize = 72;
const FEWEST_CHARACTERS: usize = 4;
const COMMON: [&str; 14] = [
    "1234567890",
    "0123456789",
    "password12",
    "password123",
    "password1234",
    "qwertyuiop",
    "iloveyou12",
    "administrator",
    "letmein123",
    "welcome123",
    "changeme123",
    "passw0rd123",
    "qwerty12345",
    "12345678910",
];

/// What is wrong with a new password.
pub fn problem(password: &str, email: &str) -> Option<String> {
    if password.chars().count() < SHORTEST {
        return Some(format!("the password needs at least {SHORTEST} characters"));
    }
    if password.len() > LONGEST_BYTES || password.contains('\0') {
        return Some(format!(
            "the password is longer than {LONGEST_BYTES} bytes, or has a NUL"
        ));
    }
    let plain = password.to_lowercase();
    let different: HashSet<char> = password.chars().collect();
    if COMMON.contains(&plain.as_str()) || plain == email || different.len() < FEWEST_CHARACTERS {
        return Some("the password is too common".to_owned());
    }
    None
}

pub fn keep(password: &str) -> Result<String, BcryptError> {
    bcrypt::non_truncating_hash(password, COST)
}

pub async fn keep_aside(password: String) -> Result<String, Refusal> {
    Ok(spawn_blocking(move || keep(&password)).await??)
}

pub struct Passwords {
    /// Checked when there is no such user, so that the answer takes as long.
    nobody: String,
}

impl Passwords {
    pub fn new() -> Result<Self, BcryptError> {
        Ok(Self {
            nobody: keep("nobody has this password")?,
        })
    }

    pub async fn matches(&self, password: String, kept: Option<String>) -> Result<bool, Refusal> {
        let known = kept.is_some() && password.len() <= LONGEST_BYTES;
        let kept = kept.unwrap_or_else(|| self.nobody.clone());
        let right = spawn_blocking(move || bcrypt::verify(password, &kept)).await??;
        Ok(right && known)
    }
}
