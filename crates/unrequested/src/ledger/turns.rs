//! Attempts of agents at steps.

use agent::session::Ran;
use agent::{Ending, Usage};
use rusqlite::params;

use super::{Ledger, LedgerError, millis, now, put_blob};

/// What a new attempt is.
pub(crate) struct NewTurn<'a> {
    pub(crate) run: &'a str,
    pub(crate) session: &'a str,
    pub(crate) step: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) model: &'a str,
}

/// How it ended.
pub(crate) struct Ended<'a> {
    pub(crate) ran: &'a Ran,
    pub(crate) ending: Ending,
    pub(crate) why: &'a str,
    pub(crate) snapshot: &'a agent::session::Snapshot,
    /// Of the whole conversation.
    pub(crate) total: Usage,
}

/// A row of `turn`.
#[derive(Debug, Clone)]
pub(crate) struct TurnRow {
    pub(crate) step: String,
    pub(crate) state: String,
    pub(crate) took_ms: u64,
    pub(crate) conversation: Option<String>,
    pub(crate) snapshot: Option<String>,
    pub(crate) total: Option<Usage>,
    /// Whether the proxy refused a request because the session's money was spent.
    pub(crate) spent: bool,
}

impl Ledger {
    pub(crate) fn begin_turn(&self, new: &NewTurn<'_>) -> Result<i64, LedgerError> {
        self.with(|connection| {
            let change = connection.transaction()?;
            let last: u32 = change.query_row(
                "SELECT coalesce(max(attempt), 0) FROM turn WHERE run = ? AND session = ? AND step = ?",
                params![new.run, new.session, new.step],
                |row| row.get(0),
            )?;
            change.execute(
                "INSERT INTO turn (run, session, step, attempt, agent, model, state, begun)
                 VALUES (?,?,?,?,?,?,'running',?)",
                params![new.run, new.session, new.step, last + 1, new.agent, new.model, now()],
            )?;
            let id = change.last_insert_rowid();
            change.commit()?;
            Ok(id)
        })
    }

    /// With its words, in one transaction.
    pub(crate) fn end_turn(&self, turn: i64, ended: &Ended<'_>) -> Result<(), LedgerError> {
        let json = |value: Option<Usage>| {
            let text = value.map(|usage| serde_json::to_string(&usage)).transpose();
            text.map_err(LedgerError::Facts)
        };
        let (used, total) = (json(ended.ran.usage)?, json(Some(ended.total))?);
        let notes = serde_json::to_string(&ended.snapshot.notes).map_err(LedgerError::Facts)?;
        let state = if ended.ending.is_surroundings() {
            "failed"
        } else {
            "done"
        };
        let ran = ended.ran;
        self.with(|connection| {
            let change = connection.transaction()?;
            let said = put_blob(&change, ran.said.as_bytes())?;
            let stderr = put_blob(&change, ran.stderr.as_bytes())?;
            let record = ran.record.as_ref();
            let record = record.map(|text| put_blob(&change, text.as_bytes())).transpose()?;
            change.execute(
                "UPDATE turn SET state = ?, took_ms = ?, ending = ?, why = ?, exit = ?, conversation = ?, snapshot = ?, tree = ?,
                        notes = ?, told = ?, used = ?, total = ?, level = ?, limits = ?, said = ?, stderr = ?, record = ?
                 WHERE id = ?",
                params![
                    state,
                    millis(ran.took),
                    ended.ending.name(),
                    ended.why,
                    ran.exit.to_string(),
                    ran.transcript.conversation,
                    ended.snapshot.commit,
                    ended.snapshot.tree,
                    notes,
                    ran.told,
                    used,
                    total,
                    ran.level.to_string(),
                    ran.limits,
                    said,
                    stderr,
                    record,
                    turn
                ],
            )?;
            change.commit()
        })
    }

    /// All attempts of a session, in order.
    pub(crate) fn turns(&self, run: &str, session: &str) -> Result<Vec<TurnRow>, LedgerError> {
        let rows: Vec<(TurnRow, Option<String>)> = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT step, state, coalesce(took_ms, 0), conversation, snapshot, total,
                        coalesce(asked, '') LIKE '%\"refused\":\"spent\"%' FROM turn
                 WHERE run = ? AND session = ? ORDER BY id",
            )?;
            statement
                .query_map(params![run, session], |row| {
                    let turn = TurnRow {
                        step: row.get(0)?,
                        state: row.get(1)?,
                        took_ms: row.get(2)?,
                        conversation: row.get(3)?,
                        snapshot: row.get(4)?,
                        total: None,
                        spent: row.get(6)?,
                    };
                    Ok((turn, row.get(5)?))
                })?
                .collect()
        })?;
        rows.into_iter()
            .map(|(turn, total)| {
                let total = total.map(|text| serde_json::from_str(&text)).transpose();
                Ok(TurnRow {
                    total: total.map_err(LedgerError::Facts)?,
                    ..turn
                })
            })
            .collect()
    }
}
