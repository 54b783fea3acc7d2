//! Attempts of agents at steps.

use agent::proxy::Record;
use agent::session::Ran;
use agent::{Ending, Usage};
use rusqlite::params;

use super::{Ledger, LedgerError, millis, now, parsed, put_blob};
use crate::program::Program;

/// What a new attempt is.
pub(crate) struct NewTurn<'a> {
    pub(crate) run: &'a str,
    pub(crate) session: &'a str,
    pub(crate) step: &'a str,
    pub(crate) prompt: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) model: &'a str,
    /// With what its model was paid: `key`, `subscription`.
    pub(crate) auth: Option<&'a str>,
    /// Of an agent by template.
    pub(crate) program: Option<&'a Program>,
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
    /// What the agent was given; an older tool kept only the step.
    pub(crate) prompt: Option<String>,
    pub(crate) state: String,
    pub(crate) took_ms: u64,
    pub(crate) conversation: Option<String>,
    pub(crate) snapshot: Option<String>,
    pub(crate) total: Option<Usage>,
    /// What the proxy saw of the attempt.
    pub(crate) asked: Vec<Record>,
    pub(crate) program: Option<Program>,
}

impl Ledger {
    pub(crate) fn begin_turn(&self, new: &NewTurn<'_>) -> Result<i64, LedgerError> {
        let program = new.program.map(serde_json::to_string).transpose();
        let program = program.map_err(LedgerError::Facts)?;
        self.with(|connection| {
            let change = connection.transaction()?;
            let last: u32 = change.query_row(
                "SELECT coalesce(max(attempt), 0) FROM turn WHERE run = ? AND session = ? AND step = ?",
                params![new.run, new.session, new.step],
                |row| row.get(0),
            )?;
            change.execute(
                "INSERT INTO turn (run, session, step, prompt, attempt, agent, model, auth, program, state, begun)
                 VALUES (?,?,?,?,?,?,?,?,?,'running',?)",
                params![new.run, new.session, new.step, new.prompt, last + 1, new.agent, new.model, new.auth, program, now()],
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

    /// How many steps of a session are done.
    pub(crate) fn steps_done(&self, run: &str, session: &str) -> Result<usize, LedgerError> {
        let turns = self.turns(run, session)?;
        Ok(turns.iter().filter(|turn| turn.state == "done").count())
    }

    /// All attempts of a session, in order.
    pub(crate) fn turns(&self, run: &str, session: &str) -> Result<Vec<TurnRow>, LedgerError> {
        type Row = (TurnRow, [Option<String>; 3]);
        let rows: Vec<Row> = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT step, state, coalesce(took_ms, 0), conversation, snapshot, total, asked, prompt, program FROM turn
                 WHERE run = ? AND session = ? ORDER BY id",
            )?;
            statement
                .query_map(params![run, session], |row| {
                    let turn = TurnRow {
                        step: row.get(0)?,
                        prompt: row.get(7)?,
                        state: row.get(1)?,
                        took_ms: row.get(2)?,
                        conversation: row.get(3)?,
                        snapshot: row.get(4)?,
                        total: None,
                        asked: Vec::new(),
                        program: None,
                    };
                    Ok((turn, [row.get(5)?, row.get(6)?, row.get(8)?]))
                })?
                .collect()
        })?;
        rows.into_iter()
            .map(|(turn, [total, asked, program])| {
                Ok(TurnRow {
                    program: parsed(program)?,
                    total: parsed(total)?,
                    asked: parsed(asked)?.unwrap_or_default(),
                    ..turn
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use agent::proxy::{Outcome, Refusal};

    use super::*;

    #[test]
    fn what_the_proxy_saw_comes_back_with_the_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let run = ledger.begin_run("bench", "s", "", "").unwrap();
        let new = NewTurn {
            run: &run.id,
            session: "one",
            prompt: "words",
            step: "3-search",
            agent: "codex@0",
            model: "m",
            auth: None,
            program: None,
        };
        let first = ledger.begin_turn(&new).unwrap();
        let second = ledger.begin_turn(&new).unwrap();
        let refused = Record {
            model: "m".into(),
            served_by: None,
            outcome: Outcome::Refused(Refusal::Spent),
            tools: Vec::new(),
            took: Duration::ZERO,
        };
        ledger
            .put_asked(second, std::slice::from_ref(&refused))
            .unwrap();
        let turns = ledger.turns(&run.id, "one").unwrap();
        assert!(first < second && turns.len() == 2 && turns[0].asked.is_empty());
        assert_eq!(turns[1].asked, [refused]);
        assert_eq!(ledger.steps_done(&run.id, "one").unwrap(), 0);
    }
}
