//! A run as plain files that anybody can verify offline: what was asked, what was built, what was sent and came back, what
//! was said of it, and the hash of each.
//!
//! A bundle is data from somewhere: whoever reads one follows no link, leaves no folder and reads nothing without an end.

mod read;
mod verify;
mod write;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::decision::Told;
use model::{Exchange, Facts};
use serde::{Deserialize, Serialize};

pub(crate) use verify::verify;
pub(crate) use write::write;

use crate::ledger::{RunRow, UnitRow};

const SCHEMA: &str = "unrequested/bundle/1";
const MANIFEST: &str = "manifest.json";
const RUN: &str = "run.json";
/// The run as it was reported when the bundle was made.
const REPORT: &str = "report.json";
/// Of all files together, of one, and how many: what is larger is refused unread.
const MOST_BYTES: u64 = 4 << 30;
const LARGEST: u64 = 256 << 20;
const MOST_FILES: usize = 200_000;
/// What tar's plain format can name.
const LONGEST_PATH: usize = 255;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    schema: String,
    run: String,
    /// In the order of their paths.
    files: Vec<Listed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    path: String,
    bytes: u64,
    blake3: String,
}

/// `run.json`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunFile {
    run: RunRow,
    /// For a regrade, whether its origin had been finished; an older tool did not say so.
    #[serde(default)]
    origin_finished: Option<bool>,
    /// All of the suite, with their revisions.
    exploits: Vec<(String, u16)>,
    /// What could not be put in.
    left_out: Vec<String>,
}

/// `units/1/unit.json`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitFile {
    /// Its tree is named as it is in the bundle.
    unit: UnitRow,
    decisions: Option<Told>,
}

/// `units/1/attacks/1-sql-injection-sort.json`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttackFile {
    id: i64,
    exploit: String,
    revision: u16,
    attempt: u8,
    repeat: bool,
    facts: Facts,
    exchanges: Vec<Said>,
}

/// One request and its reply.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    id: i64,
    who: String,
    label: String,
    from: std::net::IpAddr,
    sent: Bytes,
    got: Option<Bytes>,
    trouble: Option<String>,
    took_us: u64,
}

/// Bytes as a reader can read them, where they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Bytes {
    Text(String),
    Base64(String),
    /// Many: a file of its own, by its path.
    File(String),
}

impl Bytes {
    /// `None` for what is in another file.
    fn here(&self) -> Result<Option<Vec<u8>>, base64::DecodeError> {
        Ok(match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Base64(text) => Some(STANDARD.decode(text)?),
            Self::File(_) => None,
        })
    }
}

impl Said {
    fn of(id: i64, one: &Exchange, mut bytes: impl FnMut(&[u8]) -> Bytes) -> Self {
        Self {
            id,
            who: one.who.clone(),
            label: one.label.clone(),
            from: one.from,
            sent: bytes(&one.sent),
            got: one.got.as_deref().map(bytes),
            trouble: one.trouble.clone(),
            took_us: u64::try_from(one.took.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// What is wrong with a file that claims to be a bundle, or with making one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    #[error("{0} is there already; name another place for the bundle")]
    Exists(String),
    #[error("cannot read or write {0}: {1}")]
    File(String, std::io::Error),
    #[error("refused: the bundle names a file {0}, which {1}")]
    Path(Shown, &'static str),
    #[error("refused: {0} of the bundle is {1}; a bundle has plain files alone")]
    NoFile(Shown, &'static str),
    #[error(
        "refused: {0}; a bundle has at most {MOST_FILES} files of {LARGEST} bytes, {MOST_BYTES} together"
    )]
    TooLarge(String),
    #[error("{0} is no bundle: {1}")]
    NoBundle(String, String),
    #[error("the bundle would hold the value of {0} in {1}, which is a secret: it was not made")]
    Secret(&'static str, String),
}

impl From<BundleError> for crate::exit::Fatal {
    fn from(error: BundleError) -> Self {
        use crate::exit::Fatal;
        match &error {
            BundleError::File(..) | BundleError::Secret(..) => Fatal::failed(error.to_string()),
            BundleError::Exists(_)
            | BundleError::Path(..)
            | BundleError::NoFile(..)
            | BundleError::TooLarge(_)
            | BundleError::NoBundle(..) => Fatal::usage(error.to_string()),
        }
    }
}

/// A name from a bundle, as it can be printed.
#[derive(Debug)]
pub(crate) struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = report::clean(&self.0).chars().take(200).collect();
        write!(f, "`{text}`")
    }
}

/// Whether a path can only lead to a file of the bundle.
fn check_path(path: &str) -> Result<(), BundleError> {
    let wrong = |why| Err(BundleError::Path(Shown(path.to_owned()), why));
    if path.is_empty() || path.len() > LONGEST_PATH {
        return wrong("is too long or has no name");
    }
    if path.starts_with('/') || path.contains(['\\', ':']) {
        return wrong("is not relative");
    }
    if path.chars().any(char::is_control) {
        return wrong("has control characters");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("may lead out of it");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
