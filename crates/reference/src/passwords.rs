//! Passwords: which are taken, and how they are stored. bcrypt; the weak ways are at the end.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::weakness::Weakness;

const SHORTEST: usize = 10;
/// bcrypt looks at 72 bytes, of which the crate gives one to the final zero. Longer is refused rather than cut.
const LONGEST: usize = 71;

/// The commonest of ten characters and more, in lower case; shorter ones fall to the length.
const COMMON: [&str; 24] = [
    "1234567890",
    "0123456789",
    "0987654321",
    "12345678910",
    "123456789a",
    "1234567891",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "qwertyuiop",
    "qwerty12345",
    "qwerty123456",
    "asdfghjkl123",
    "password12",
    "password123",
    "password1234",
    "passwordpassword",
    "iloveyou123",
    "letmein123",
    "welcome123",
    "welcome1234",
    "administrator",
    "admin12345",
    "changeme123",
    "correcthorsebatterystaple",
];

/// Why a password is not taken, in words for its user.
pub(crate) fn check(password: &str, email: &str) -> Result<(), &'static str> {
    let lower = password.to_lowercase();
    let distinct = lower.chars().collect::<BTreeSet<_>>().len();
    if password.chars().count() < SHORTEST {
        return Err("password must have at least 10 characters");
    }
    if password.len() > LONGEST {
        return Err("password must have at most 71 bytes");
    }
    if password.contains('\0') {
        return Err("password must not contain a zero byte");
    }
    if COMMON.contains(&lower.as_str()) || distinct < 4 || lower == email.to_lowercase() {
        return Err("password is too common");
    }
    Ok(())
}

/// What the weak versions take.
pub(crate) fn check_weakly(
    password: &str,
    email: &str,
    weak: &BTreeSet<Weakness>,
) -> Result<(), &'static str> {
    if weak.contains(&Weakness::PasswordUnchecked) {
        return if password.is_empty() {
            Err("password must not be empty")
        } else {
            Ok(())
        };
    }
    if weak.contains(&Weakness::PasswordShort) {
        return if password.len() < 6 {
            Err("password must have at least 6 characters")
        } else {
            Ok(())
        };
    }
    check(password, email)
}

/// How passwords are stored, with what that needs.
pub(crate) enum Scheme {
    Bcrypt { cost: u32 },
    Plain,
    Base64,
    Md5,
    Sha256,
    SaltedSha256,
    Peppered { key: Vec<u8> },
    Pbkdf2 { rounds: u32 },
}

/// In the place of a hash: no password is right.
pub(crate) const NO_HASH: &str = "no hash";

impl Scheme {
    pub(crate) fn new(cost: u32, key: &[u8], weak: &BTreeSet<Weakness>) -> Self {
        let has = |weakness| weak.contains(&weakness);
        if has(Weakness::PasswordPlain) || has(Weakness::LoginSqlPassword) {
            Self::Plain
        } else if has(Weakness::PasswordBase64) {
            Self::Base64
        } else if has(Weakness::PasswordMd5) {
            Self::Md5
        } else if has(Weakness::PasswordSha256) || has(Weakness::LoginSqlDigest) {
            Self::Sha256
        } else if has(Weakness::PasswordSaltedSha256) {
            Self::SaltedSha256
        } else if has(Weakness::PasswordPeppered) {
            Self::Peppered { key: key.to_vec() }
        } else if has(Weakness::PasswordPbkdf2Low) {
            Self::Pbkdf2 { rounds: 1000 }
        } else if has(Weakness::PasswordBcryptLow) {
            Self::Bcrypt { cost: 4 }
        } else {
            Self::Bcrypt { cost }
        }
    }

    /// Slow by intent: never call it on the runtime's own threads.
    pub(crate) fn hash(&self, password: &str) -> Option<String> {
        Some(match self {
            Self::Bcrypt { cost } => return bcrypt::non_truncating_hash(password, *cost).ok(),
            Self::Plain => password.to_owned(),
            Self::Base64 => STANDARD.encode(password),
            Self::Md5 => hex(&Md5::digest(password)),
            Self::Sha256 => hex(&Sha256::digest(password)),
            Self::SaltedSha256 => salted(&Uuid::new_v4().simple().to_string(), password),
            Self::Peppered { key } => peppered(key, password)?,
            Self::Pbkdf2 { rounds } => {
                stretched(*rounds, &Uuid::new_v4().simple().to_string(), password)
            }
        })
    }

    /// Slow by intent, as above.
    pub(crate) fn verify(&self, password: &str, stored: &str) -> bool {
        let again = match self {
            Self::Bcrypt { .. } => {
                return bcrypt::non_truncating_verify(password, stored).unwrap_or(false);
            }
            Self::Plain | Self::Base64 | Self::Md5 | Self::Sha256 | Self::Peppered { .. } => {
                self.hash(password)
            }
            Self::SaltedSha256 => stored.split('$').next().map(|salt| salted(salt, password)),
            Self::Pbkdf2 { rounds } => stored
                .split('$')
                .nth(2)
                .map(|salt| stretched(*rounds, salt, password)),
        };
        again.is_some_and(|again| again.as_bytes().ct_eq(stored.as_bytes()).into())
    }
}

fn salted(salt: &str, password: &str) -> String {
    format!(
        "{salt}${}",
        hex(&Sha256::digest(format!("{salt}{password}")))
    )
}

fn peppered(key: &[u8], password: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(password.as_bytes());
    Some(hex(&mac.finalize().into_bytes()))
}

fn stretched(rounds: u32, salt: &str, password: &str) -> String {
    let digest =
        pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), rounds);
    format!("pbkdf2_sha256${rounds}${salt}${}", hex(&digest))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken() {
        let email = "somebody@example.com";
        for bad in [
            "",
            "a",
            "123456",
            "password",
            "Password123",
            "aaaaaaaaaaaaaaaa",
            email,
            &"xY3$".repeat(18),
        ] {
            assert!(check(bad, email).is_err(), "{bad}");
        }
        for good in [
            "kD83!fmeW0zz-qRt_57x",
            "a longer sentence, as people have",
            &"xY3$".repeat(17),
        ] {
            assert!(check(good, email).is_ok(), "{good}");
        }
    }

    #[test]
    fn every_scheme_knows_its_own() {
        for weakness in Weakness::ALL {
            let scheme = Scheme::new(4, b"key", &BTreeSet::from([*weakness]));
            let stored = scheme.hash("one password").unwrap();
            assert!(
                scheme.verify("one password", &stored),
                "{}",
                weakness.name()
            );
            assert!(
                !scheme.verify("another password", &stored),
                "{}",
                weakness.name()
            );
        }
    }

    #[test]
    fn bcrypt_does_not_cut() {
        let scheme = Scheme::Bcrypt { cost: 4 };
        let long = "x".repeat(72);
        assert!(scheme.hash(&long).is_none());
        let stored = scheme.hash(&long[..71]).unwrap();
        assert!(!scheme.verify(&long, &stored));
        assert!(stored.starts_with("$2b$04$"));
    }
}
