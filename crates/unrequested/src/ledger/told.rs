//! What agents said, used and asked for, read again from what is kept of it.

use std::collections::BTreeMap;

use agent::proxy::Record;
use agent::{Ending, Entry, Role, Transcript, Usage};
use rusqlite::params;

use super::{Ledger, LedgerError, parsed, squeeze};
use crate::program::Program;

/// One attempt at one step, with its words.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) session: String,
    pub(crate) step: String,
    /// What the agent was given; an older tool kept only the step, and today's words may be others.
    pub(crate) prompt: Option<String>,
    pub(crate) attempt: u32,
    /// Failed for what surrounds the agent, or never ended: no part of the session.
    pub(crate) failed: bool,
    /// `claude-code@2.1.330`.
    pub(crate) agent: String,
    pub(crate) model: String,
    /// With what its model was paid: `key`, `subscription`; `None` where nobody was, or an older tool did not keep it.
    pub(crate) auth: Option<String>,
    /// Of an agent by template.
    pub(crate) program: Option<Program>,
    pub(crate) took_ms: u64,
    pub(crate) ending: Option<Ending>,
    pub(crate) conversation: Option<String>,
    /// As the agent said, or its own record.
    pub(crate) used: Option<Usage>,
    pub(crate) said: String,
    /// `None` where no proxy was between.
    pub(crate) asked: Option<Vec<Record>>,
}

impl Told {
    pub(crate) fn transcript(&self) -> Transcript {
        let id = self.agent.split('@').next().unwrap_or_default();
        let mut read =
            agent::find(id).map_or_else(Transcript::default, |cli| (cli.read)(&self.said));
        read.step.clone_from(&self.step);
        read.usage = read.usage.or(self.used);
        read.conversation = read.conversation.or_else(|| self.conversation.clone());
        if let Some(text) = self.prompt.clone() {
            let mut asked = Entry::new(Role::User);
            asked.text = text;
            read.entries.insert(0, asked);
        }
        read
    }
}

impl Ledger {
    /// All attempts of a run, in order; one in which the tool was killed has no words and no ending.
    pub(crate) fn told(&self, run: &str) -> Result<Vec<Told>, LedgerError> {
        type Row = (Told, [Option<String>; 4]);
        let rows: Vec<Row> = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT session, step, attempt, state, agent, model, coalesce(took_ms, 0), ending, conversation, used, asked,
                        b.form, b.bytes, prompt, auth, program
                 FROM turn t LEFT JOIN blob b ON b.hash = t.said WHERE run = ? ORDER BY id",
            )?;
            statement
                .query_map([run], |row| {
                    let said = match row.get::<_, Option<u8>>(11)? {
                        Some(form) => squeeze::expand(form, row.get(12)?),
                        None => Vec::new(),
                    };
                    let told = Told {
                        session: row.get(0)?,
                        step: row.get(1)?,
                        prompt: row.get(13)?,
                        attempt: row.get(2)?,
                        failed: row.get::<_, String>(3)? != "done",
                        agent: row.get(4)?,
                        model: row.get(5)?,
                        auth: row.get(14)?,
                        program: None,
                        took_ms: row.get(6)?,
                        ending: None,
                        conversation: row.get(8)?,
                        used: None,
                        said: String::from_utf8_lossy(&said).into_owned(),
                        asked: None,
                    };
                    let rest = [row.get(7)?, row.get(9)?, row.get(10)?, row.get(15)?];
                    Ok((told, rest))
                })?
                .collect()
        })?;
        rows.into_iter()
            .map(|(told, [ending, used, asked, program])| {
                Ok(Told {
                    program: parsed(program)?,
                    ending: ending
                        .and_then(|name| Ending::ALL.into_iter().find(|one| one.name() == name)),
                    used: parsed(used)?,
                    asked: parsed(asked)?,
                    ..told
                })
            })
            .collect()
    }

    /// The sessions of all runs whose every step is done, by agent: ids of runs and sessions.
    pub(crate) fn whole_sessions(
        &self,
        steps: usize,
    ) -> Result<Vec<(String, String)>, LedgerError> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT run, session FROM turn WHERE state = 'done' GROUP BY run, session
                 HAVING count(DISTINCT step) >= ? ORDER BY min(begun)",
            )?;
            statement
                .query_map([steps as u64], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// With what the models of a run's sessions were paid: `key`, `subscription`, or both by turns.
    pub(crate) fn paid(&self, run: &str) -> Result<BTreeMap<String, String>, LedgerError> {
        let rows: Vec<(String, String)> = self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT session, CASE count(DISTINCT auth) WHEN 1 THEN max(auth) ELSE 'both' END FROM turn
                 WHERE run = ? AND auth IS NOT NULL GROUP BY session",
            )?;
            statement
                .query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Keeps what an attempt asked its model for.
    pub(crate) fn put_asked(&self, turn: i64, records: &[Record]) -> Result<(), LedgerError> {
        let text = serde_json::to_string(records).map_err(LedgerError::Facts)?;
        self.with(|connection| {
            connection.execute(
                "UPDATE turn SET asked = ? WHERE id = ?",
                params![text, turn],
            )
        })?;
        Ok(())
    }
}

/// Attempts by session, in order.
pub(crate) fn by_session(told: Vec<Told>) -> BTreeMap<String, Vec<Told>> {
    let mut sessions: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for one in told {
        sessions.entry(one.session.clone()).or_default().push(one);
    }
    sessions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::NewTurn;

    #[test]
    fn with_what_a_session_was_paid_is_known_by_its_attempts() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let run = ledger.begin_run("bench", "s", "", "").unwrap();
        for (session, auth) in [
            ("one", Some("key")),
            ("one", Some("key")),
            ("two", Some("subscription")),
            ("two", None),
            ("three", Some("subscription")),
            ("three", Some("key")),
            ("four", None),
        ] {
            let new = NewTurn {
                run: &run.id,
                session,
                prompt: "",
                step: "1-auth",
                agent: "codex@0",
                model: "m",
                auth,
                program: None,
            };
            ledger.begin_turn(&new).unwrap();
        }
        let paid = ledger.paid(&run.id).unwrap();
        let words: Vec<(&str, &str)> = paid
            .iter()
            .map(|(session, auth)| (session.as_str(), auth.as_str()))
            .collect();
        let wanted = [("one", "key"), ("three", "both"), ("two", "subscription")];
        assert_eq!(words, wanted);
    }

    #[test]
    fn words_that_were_not_kept_are_not_made_up() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let run = ledger.begin_run("bench", "s", "", "").unwrap();
        let new = NewTurn {
            run: &run.id,
            session: "one",
            prompt: "the words of then",
            step: "3-search",
            agent: "codex@0",
            model: "m",
            auth: None,
            program: None,
        };
        ledger.begin_turn(&new).unwrap();
        let old = ledger.begin_turn(&new).unwrap();
        // As a ledger of before the column has it.
        ledger
            .with(|connection| {
                connection.execute("UPDATE turn SET prompt = NULL WHERE id = ?", [old])
            })
            .unwrap();
        let told = ledger.told(&run.id).unwrap();
        let texts = |told: &Told| -> Vec<String> {
            let entries = told.transcript().entries.into_iter();
            entries.map(|entry| entry.text).collect()
        };
        assert_eq!(texts(&told[0]), ["the words of then"]);
        assert!(texts(&told[1]).is_empty(), "{:?}", texts(&told[1]));
    }
}
