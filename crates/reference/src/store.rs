//! The database: one connection behind a lock. WAL and a busy time-out let other processes read beside it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refusal::Refusal;

/// A row's id: a number that the database counts up and never gives out again, or a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Id {
    Number(i64),
    Uuid(String),
}

impl Id {
    /// An id as it stands in a path.
    pub(crate) fn parse(text: &str, uuids: bool) -> Option<Self> {
        if uuids {
            return Uuid::parse_str(text)
                .ok()
                .map(|id| Self::Uuid(id.hyphenated().to_string()));
        }
        text.parse().ok().map(Self::Number)
    }
}

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Number(number) => number.to_sql(),
            Self::Uuid(text) => text.to_sql(),
        }
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value)
            .map(Self::Number)
            .or_else(|_| String::column_result(value).map(Self::Uuid))
    }
}

#[derive(Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
    uuids: bool,
}

/// What the schema depends on.
pub(crate) struct Form {
    pub(crate) uuids: bool,
    pub(crate) unique_emails: bool,
    /// The constraint on a role.
    pub(crate) role: &'static str,
    pub(crate) unique_events: bool,
}

impl Store {
    pub(crate) fn open(path: &Path, form: &Form) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.execute_batch(&schema(form))?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            uuids: form.uuids,
        })
    }

    /// What to insert as a new row's id: NULL lets the database count.
    pub(crate) fn new_id(&self) -> Value {
        if self.uuids {
            Value::Text(Uuid::new_v4().hyphenated().to_string())
        } else {
            Value::Null
        }
    }

    pub(crate) fn parse_id(&self, text: Option<&str>) -> Result<Id, Refusal> {
        text.and_then(|text| Id::parse(text, self.uuids))
            .ok_or(Refusal::Hidden)
    }

    /// Runs on a thread that may block. An error of the database is an internal one, whatever it says.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = self.clone();
        let done = tokio::task::spawn_blocking(move || store.now(act)).await;
        done.map_err(|_| Refusal::Internal)?
            .map_err(|_| Refusal::Internal)
    }

    pub(crate) fn now<T>(
        &self,
        act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        act(&mut self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

fn schema(form: &Form) -> String {
    let id = if form.uuids {
        "id TEXT PRIMARY KEY"
    } else {
        "id INTEGER PRIMARY KEY AUTOINCREMENT"
    };
    let unique_email = if form.unique_emails { " UNIQUE" } else { "" };
    let role = form.role;
    let unique_event = if form.unique_events { " UNIQUE" } else { "" };
    // Owners have no declared type: they hold either kind of id.
    format!(
        "CREATE TABLE IF NOT EXISTS users (
           {id},
           email TEXT NOT NULL,
           email_key TEXT NOT NULL{unique_email},
           password TEXT NOT NULL,
           role TEXT NOT NULL DEFAULT 'user' {role}
         );
         CREATE TABLE IF NOT EXISTS files (
           {id},
           owner REFERENCES users (id) ON DELETE CASCADE,
           filename TEXT NOT NULL,
           size INTEGER NOT NULL,
           kind TEXT NOT NULL,
           stored TEXT NOT NULL
         );
         CREATE INDEX IF NOT EXISTS files_owner ON files (owner);
         CREATE TABLE IF NOT EXISTS notes (
           {id},
           owner NOT NULL REFERENCES users (id) ON DELETE CASCADE,
           title TEXT NOT NULL,
           body TEXT NOT NULL,
           title_key TEXT NOT NULL,
           body_key TEXT NOT NULL,
           created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
         );
         CREATE INDEX IF NOT EXISTS notes_owner ON notes (owner);
         CREATE TABLE IF NOT EXISTS events (
           id TEXT NOT NULL{unique_event},
           type TEXT NOT NULL,
           data TEXT NOT NULL,
           received_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
         );"
    )
}
