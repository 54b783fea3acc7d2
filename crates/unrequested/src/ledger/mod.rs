//! The SQLite store of runs, facts and evidence: the only writer of results.
//!
//! A unit is done when its last exploit's facts are committed; what is committed survives any kill.

mod squeeze;
mod told;
mod turns;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use exploit::Ran;
use model::decision::Told;
use model::{Cause, Exchange, Facts};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

pub(crate) use told::{Told as ToldTurn, by_session};
pub(crate) use turns::{Ended, NewTurn, TurnRow};

/// Numbered; a file made by a newer tool is refused.
const MIGRATIONS: [&str; 8] = [
    include_str!("001.sql"),
    include_str!("002.sql"),
    include_str!("003.sql"),
    include_str!("004.sql"),
    include_str!("005.sql"),
    include_str!("006.sql"),
    include_str!("007.sql"),
    include_str!("008.sql"),
];

#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error(
        "cannot use the ledger {path}: {source}. Is the folder writable and the disk not full? Another place: --dir FOLDER"
    )]
    Sqlite {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("cannot make {0}: {1}. Another place: --dir FOLDER")]
    Folder(PathBuf, std::io::Error),
    #[error(
        "the ledger {0} was written by a newer version of this tool (format {1}); use that version, or another --dir"
    )]
    Newer(PathBuf, usize),
    #[error("the ledger holds facts that cannot be read: {0}")]
    Facts(serde_json::Error),
    #[error("there is no run {0} in the ledger; `unrequested report --list` names them")]
    NoRun(String),
}

/// The day, in UTC, without a ledger: `2026-11-23`.
pub(crate) fn today() -> Result<String, LedgerError> {
    day(now())
}

/// The day of a time in milliseconds since 1970, in UTC.
pub(crate) fn day(millis: i64) -> Result<String, LedgerError> {
    let path = PathBuf::from(":memory:");
    let query = "SELECT date(?, 'unixepoch')";
    Connection::open_in_memory()
        .and_then(|connection| connection.query_row(query, [millis / 1000], |row| row.get(0)))
        .map_err(|source| LedgerError::Sqlite { path, source })
}

pub(crate) struct Ledger {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// A row of `run`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunRow {
    pub(crate) id: String,
    pub(crate) begun: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) command: String,
    pub(crate) tool: String,
    pub(crate) suite: String,
    pub(crate) study: String,
    pub(crate) seed: String,
    /// For a regrade, the run whose trees it attacked.
    pub(crate) origin: Option<String>,
}

/// What a new unit is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUnit {
    pub(crate) key: String,
    pub(crate) session: String,
    pub(crate) agent: String,
    pub(crate) framework: String,
    pub(crate) arm: String,
    pub(crate) replicate: u32,
    pub(crate) step: String,
    pub(crate) tree: Option<String>,
}

/// A row of `unit`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnitRow {
    pub(crate) id: i64,
    pub(crate) new: NewUnit,
    pub(crate) attempt: u32,
    pub(crate) state: String,
    pub(crate) level: Option<String>,
    pub(crate) limits: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) boot_ms: Option<u64>,
    pub(crate) requests: Option<u64>,
    pub(crate) wall_ms: Option<u64>,
    pub(crate) app_cpu_ms: Option<u64>,
    pub(crate) cause: Option<Cause>,
    pub(crate) log: String,
    /// Of the tree that was attacked; `None` where none was, or an older tool did it.
    pub(crate) tree_hash: Option<String>,
}

/// A row of `attack` with its facts.
#[derive(Debug, Clone)]
pub(crate) struct AttackRow {
    pub(crate) id: i64,
    pub(crate) exploit: String,
    pub(crate) revision: u16,
    pub(crate) attempt: u8,
    pub(crate) repeat: bool,
    pub(crate) facts: Facts,
}

/// What a finished unit cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) requests: u64,
    pub(crate) wall_ms: u64,
    pub(crate) app_cpu_ms: Option<u64>,
}

impl Ledger {
    /// Opens or makes `folder/ledger.db`.
    pub(crate) fn open(folder: &Path) -> Result<Self, LedgerError> {
        std::fs::create_dir_all(folder)
            .map_err(|error| LedgerError::Folder(folder.to_path_buf(), error))?;
        let path = folder.join("ledger.db");
        let failed = |source| LedgerError::Sqlite {
            path: path.clone(),
            source,
        };
        // Of commands that begin at once on a new ledger, one makes it: switching to a write-ahead log waits for nobody.
        // On a file system without locks SQLite refuses the others.
        let alone = std::fs::File::open(folder);
        let _ = alone.as_ref().map(std::fs::File::lock);
        let mut connection = Connection::open(&path).map_err(failed)?;
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .map_err(failed)?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(failed)?;
        connection
            .pragma_update(None, "foreign_keys", true)
            .map_err(failed)?;
        let version: usize = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(failed)?;
        if version > MIGRATIONS.len() {
            return Err(LedgerError::Newer(path, version));
        }
        for (index, migration) in MIGRATIONS.iter().enumerate().skip(version) {
            let change = connection.transaction().map_err(failed)?;
            change.execute_batch(migration).map_err(failed)?;
            change
                .pragma_update(None, "user_version", index + 1)
                .map_err(failed)?;
            change.commit().map_err(failed)?;
        }
        Ok(Self {
            connection: Mutex::new(connection),
            path,
        })
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        act(&mut connection).map_err(|source| LedgerError::Sqlite {
            path: self.path.clone(),
            source,
        })
    }

    // --- runs ----------------------------------------------------------------------------------------------------

    pub(crate) fn begin_run(
        &self,
        command: &str,
        suite: &str,
        study: &str,
        hash: &str,
    ) -> Result<RunRow, LedgerError> {
        self.begin(command, suite, (study, hash), None)
    }

    /// A run that attacks the kept trees of another.
    pub(crate) fn begin_regrade(
        &self,
        suite: &str,
        hash: &str,
        origin: &RunRow,
    ) -> Result<RunRow, LedgerError> {
        self.begin("regrade", suite, (&origin.study, hash), Some(&origin.id))
    }

    fn begin(
        &self,
        command: &str,
        suite: &str,
        (study, hash): (&str, &str),
        origin: Option<&str>,
    ) -> Result<RunRow, LedgerError> {
        let id = uuid::Uuid::now_v7().to_string();
        let row = RunRow {
            seed: blake3::hash(id.as_bytes()).to_hex().to_string(),
            begun: now(),
            ended: None,
            command: command.to_owned(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            suite: suite.to_owned(),
            study: study.to_owned(),
            origin: origin.map(str::to_owned),
            id,
        };
        self.with(|connection| {
            connection.execute(
                "INSERT INTO run (id, begun, command, tool, suite, study, study_hash, seed, origin)
                 VALUES (?,?,?,?,?,?,?,?,?)",
                params![
                    row.id,
                    row.begun,
                    row.command,
                    row.tool,
                    suite,
                    row.study,
                    hash,
                    row.seed,
                    row.origin
                ],
            )
        })?;
        Ok(row)
    }

    /// The newest unfinished run of the same command, tool, suite and study.
    pub(crate) fn unfinished(
        &self,
        command: &str,
        suite: &str,
        hash: &str,
    ) -> Result<Option<RunRow>, LedgerError> {
        self.with(|connection| {
            connection
                .query_row(
                    "SELECT id, begun, ended, command, tool, study, seed, suite, origin FROM run WHERE ended IS NULL AND command = ?
                     AND tool = ? AND suite = ? AND study_hash = ? ORDER BY begun DESC LIMIT 1",
                    params![command, env!("CARGO_PKG_VERSION"), suite, hash],
                    run_row,
                )
                .optional()
        })
    }

    pub(crate) fn end_run(&self, run: &str) -> Result<(), LedgerError> {
        self.with(|connection| {
            connection.execute("UPDATE run SET ended = ? WHERE id = ?", params![now(), run])
        })?;
        Ok(())
    }

    /// All runs, newest first.
    pub(crate) fn runs(&self) -> Result<Vec<RunRow>, LedgerError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare("SELECT id, begun, ended, command, tool, study, seed, suite, origin FROM run ORDER BY begun DESC, id DESC")?;
            statement.query_map([], run_row)?.collect()
        })
    }

    /// The run with this id or the start of one; without a name the newest that is not about the instrument.
    pub(crate) fn run(&self, name: Option<&str>) -> Result<RunRow, LedgerError> {
        let runs = self.runs()?;
        let found = match name {
            None => runs.into_iter().find(|run| run.command != "calibrate"),
            Some(name) => runs
                .into_iter()
                .find(|run| run.id.starts_with(name) || run.id.ends_with(name)),
        };
        found.ok_or_else(|| LedgerError::NoRun(name.unwrap_or("at all").to_owned()))
    }

    // --- units ---------------------------------------------------------------------------------------------------

    /// Begins a unit's next attempt.
    pub(crate) fn begin_unit(&self, run: &str, new: &NewUnit) -> Result<i64, LedgerError> {
        self.with(|connection| {
            let change = connection.transaction()?;
            let last: u32 = change.query_row(
                "SELECT coalesce(max(attempt), 0) FROM unit WHERE run = ? AND session = ? AND step = ?",
                params![run, new.session, new.step],
                |row| row.get(0),
            )?;
            change.execute(
                "INSERT INTO unit (run, key, session, agent, framework, arm, replicate, step, attempt, state, tree)
                 VALUES (?,?,?,?,?,?,?,?,?,'running',?)",
                params![
                    run, new.key, new.session, new.agent, new.framework, new.arm, new.replicate, new.step, last + 1,
                    new.tree
                ],
            )?;
            let id = change.last_insert_rowid();
            change.commit()?;
            Ok(id)
        })
    }

    pub(crate) fn put_tree_hash(&self, unit: i64, hash: &str) -> Result<(), LedgerError> {
        self.with(|connection| {
            connection.execute(
                "UPDATE unit SET tree_hash = ? WHERE id = ?",
                params![hash, unit],
            )
        })?;
        Ok(())
    }

    pub(crate) fn booted(
        &self,
        unit: i64,
        (level, limits): (&str, &str),
        profile: &str,
        boot_ms: u64,
    ) -> Result<(), LedgerError> {
        self.with(|connection| {
            connection.execute(
                "UPDATE unit SET level = ?, limits = ?, profile = ?, boot_ms = ? WHERE id = ?",
                params![level, limits, profile, boot_ms, unit],
            )
        })?;
        Ok(())
    }

    /// `ended` says how the app ended while it was attacked, and is empty when it did not.
    pub(crate) fn end_unit(&self, unit: i64, cost: Cost, ended: &str) -> Result<(), LedgerError> {
        self.with(|connection| {
            connection.execute(
                "UPDATE unit SET state = 'done', requests = ?, wall_ms = ?, app_cpu_ms = ?, log = ? WHERE id = ?",
                params![cost.requests, cost.wall_ms, cost.app_cpu_ms, ended, unit],
            )
        })?;
        Ok(())
    }

    pub(crate) fn fail_unit(&self, unit: i64, cause: &Cause, log: &str) -> Result<(), LedgerError> {
        let cause = serde_json::to_string(cause).map_err(LedgerError::Facts)?;
        self.with(|connection| {
            connection.execute(
                "UPDATE unit SET state = 'failed', cause = ?, log = ? WHERE id = ?",
                params![cause, log, unit],
            )
        })?;
        Ok(())
    }

    /// All attempts of all units of a run, in order.
    pub(crate) fn units(&self, run: &str) -> Result<Vec<UnitRow>, LedgerError> {
        let rows = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT id, key, session, agent, framework, arm, replicate, step, attempt, state, tree, level, profile,
                        boot_ms, requests, wall_ms, app_cpu_ms, cause, log, limits, tree_hash
                 FROM unit WHERE run = ? ORDER BY id",
            )?;
            let rows: rusqlite::Result<Vec<_>> = statement
                .query_map([run], |row| {
                    let cause: Option<String> = row.get(17)?;
                    let unit = UnitRow {
                        id: row.get(0)?,
                        new: NewUnit {
                            key: row.get(1)?,
                            session: row.get(2)?,
                            agent: row.get(3)?,
                            framework: row.get(4)?,
                            arm: row.get(5)?,
                            replicate: row.get(6)?,
                            step: row.get(7)?,
                            tree: row.get(10)?,
                        },
                        attempt: row.get(8)?,
                        state: row.get(9)?,
                        level: row.get(11)?,
                        limits: row.get(19)?,
                        profile: row.get(12)?,
                        boot_ms: row.get(13)?,
                        requests: row.get(14)?,
                        wall_ms: row.get(15)?,
                        app_cpu_ms: row.get(16)?,
                        cause: None,
                        log: row.get::<_, Option<String>>(18)?.unwrap_or_default(),
                        tree_hash: row.get(20)?,
                    };
                    Ok((unit, cause))
                })?
                .collect();
            rows
        })?;
        rows.into_iter()
            .map(|(unit, cause)| {
                let cause = cause
                    .map(|text| serde_json::from_str(&text))
                    .transpose()
                    .map_err(LedgerError::Facts)?;
                Ok(UnitRow { cause, ..unit })
            })
            .collect()
    }

    /// What the source of a unit's tree decided.
    pub(crate) fn put_reading(&self, unit: i64, told: &Told) -> Result<(), LedgerError> {
        let text = serde_json::to_string(told).map_err(LedgerError::Facts)?;
        self.with(|connection| {
            connection.execute(
                "INSERT OR REPLACE INTO reading (unit, told) VALUES (?,?)",
                params![unit, text],
            )
        })?;
        Ok(())
    }

    pub(crate) fn reading(&self, unit: i64) -> Result<Option<Told>, LedgerError> {
        let text: Option<String> = self.with(|connection| {
            connection
                .query_row("SELECT told FROM reading WHERE unit = ?", [unit], |row| {
                    row.get(0)
                })
                .optional()
        })?;
        text.map(|text| serde_json::from_str(&text).map_err(LedgerError::Facts))
            .transpose()
    }

    // --- attacks -------------------------------------------------------------------------------------------------

    /// One exploit's facts and evidence, in one transaction.
    pub(crate) fn attacked(&self, unit: i64, revision: u16, ran: &Ran) -> Result<(), LedgerError> {
        let facts = serde_json::to_string(&ran.facts).map_err(LedgerError::Facts)?;
        self.with(|connection| {
            let change = connection.transaction()?;
            change.execute(
                "INSERT INTO attack (unit, exploit, revision, attempt, repeat, facts, took_ms) VALUES (?,?,?,?,?,?,?)",
                params![unit, ran.id, revision, ran.attempt, ran.repeat, facts, millis(ran.took)],
            )?;
            let attack = change.last_insert_rowid();
            for (number, exchange) in ran.exchanges.iter().enumerate() {
                let sent = put_blob(&change, &exchange.sent)?;
                let got = exchange.got.as_deref().map(|bytes| put_blob(&change, bytes)).transpose()?;
                change.execute(
                    "INSERT INTO exchange (attack, number, who, label, source, sent, got, trouble, took_us)
                     VALUES (?,?,?,?,?,?,?,?,?)",
                    params![
                        attack,
                        u32::try_from(number).unwrap_or(u32::MAX),
                        exchange.who,
                        exchange.label,
                        exchange.from.to_string(),
                        sent,
                        got,
                        exchange.trouble,
                        i64::try_from(exchange.took.as_micros()).unwrap_or(i64::MAX)
                    ],
                )?;
            }
            change.commit()
        })
    }

    /// All tries of all exploits of a unit, in the order they ended.
    pub(crate) fn attacks(&self, unit: i64) -> Result<Vec<AttackRow>, LedgerError> {
        let rows: Vec<(AttackRow, String)> = self.with(|connection| {
            let mut statement = connection
                .prepare("SELECT id, exploit, revision, attempt, repeat, facts FROM attack WHERE unit = ? ORDER BY id")?;
            statement
                .query_map([unit], |row| {
                    let attack = AttackRow {
                        id: row.get(0)?,
                        exploit: row.get(1)?,
                        revision: row.get(2)?,
                        attempt: row.get(3)?,
                        repeat: row.get(4)?,
                        facts: Facts::default(),
                    };
                    Ok((attack, row.get(5)?))
                })?
                .collect()
        })?;
        rows.into_iter()
            .map(|(attack, facts)| {
                let facts = serde_json::from_str(&facts).map_err(LedgerError::Facts)?;
                Ok(AttackRow { facts, ..attack })
            })
            .collect()
    }

    /// The evidence of one try: row ids and exchanges, in order.
    pub(crate) fn exchanges(&self, attack: i64) -> Result<Vec<(i64, Exchange)>, LedgerError> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT e.id, e.who, e.label, e.source, s.form, s.bytes, g.form, g.bytes, e.trouble, e.took_us
                 FROM exchange e JOIN blob s ON s.hash = e.sent LEFT JOIN blob g ON g.hash = e.got
                 WHERE e.attack = ? ORDER BY e.number",
            )?;
            statement
                .query_map([attack], |row| {
                    let source: String = row.get(3)?;
                    let sent = squeeze::expand(row.get(4)?, row.get(5)?);
                    let got = match row.get::<_, Option<u8>>(6)? {
                        Some(form) => Some(squeeze::expand(form, row.get(7)?)),
                        None => None,
                    };
                    let exchange = Exchange {
                        who: row.get(1)?,
                        label: row.get(2)?,
                        from: source.parse().unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into()),
                        sent,
                        got,
                        trouble: row.get(8)?,
                        took: std::time::Duration::from_micros(row.get::<_, u64>(9)?),
                    };
                    Ok((row.get(0)?, exchange))
                })?
                .collect()
        })
    }

    /// The ids of one try's exchanges by their numbers.
    pub(crate) fn exchange_ids(&self, attack: i64) -> Result<Vec<i64>, LedgerError> {
        self.with(|connection| {
            let mut statement =
                connection.prepare("SELECT id FROM exchange WHERE attack = ? ORDER BY number")?;
            statement.query_map([attack], |row| row.get(0))?.collect()
        })
    }
}

fn run_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        begun: row.get(1)?,
        ended: row.get(2)?,
        command: row.get(3)?,
        tool: row.get(4)?,
        study: row.get(5)?,
        seed: row.get(6)?,
        suite: row.get(7)?,
        origin: row.get(8)?,
    })
}

fn put_blob(change: &rusqlite::Transaction<'_>, bytes: &[u8]) -> rusqlite::Result<Vec<u8>> {
    let hash = blake3::hash(bytes).as_bytes().to_vec();
    let (form, squeezed) = squeeze::squeeze(bytes);
    change.execute(
        "INSERT OR IGNORE INTO blob (hash, form, bytes) VALUES (?,?,?)",
        params![hash, form, squeezed],
    )?;
    Ok(hash)
}

/// A column of JSON.
fn parsed<T: serde::de::DeserializeOwned>(text: Option<String>) -> Result<Option<T>, LedgerError> {
    let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
    parsed.map_err(LedgerError::Facts)
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn millis(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_begin_at_once_share_a_new_ledger() {
        for _ in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let start = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        start.wait();
                        Ledger::open(folder.path()).unwrap();
                    });
                }
            });
        }
    }
}
