//! Says what of a bundle was altered: files by their hashes, verdicts and scores by judging the facts again, looks by
//! repeating them on the stored replies.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use model::Sees;
use model::run::Run;
use serde_json::Value;

use super::{
    AttackFile, BundleError, MANIFEST, Manifest, REPORT, RUN, RunFile, SCHEMA, UnitFile, read,
};
use crate::exit::{Exit, Fatal};
use crate::ledger::AttackRow;
use crate::view;

/// How many lines of each kind are printed.
const MOST: usize = 20;

/// What of each file is kept until all are read.
#[derive(Default)]
struct Found {
    files: BTreeMap<String, (u64, String)>,
    manifest: Option<Vec<u8>>,
    run: Option<Vec<u8>>,
    report: Option<Vec<u8>>,
    units: BTreeMap<String, UnitFile>,
    attacks: BTreeMap<String, Vec<(AttackRow, Vec<i64>)>>,
    looked: usize,
    wrong: Vec<(&'static str, String)>,
}

/// The text to print, and how to end.
pub(crate) fn verify(bundle: &Path) -> Result<(String, Exit), Fatal> {
    let mut found = Found::default();
    read::visit(bundle, &mut |path, bytes| found.file(path, bytes))?;
    let shown = bundle.display().to_string();
    let no_bundle = |why: &str| BundleError::NoBundle(shown.clone(), why.to_owned());
    let Some(bytes) = found.manifest.take() else {
        return Err(no_bundle("it has no manifest.json").into());
    };
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| no_bundle(&format!("its manifest.json: {error}")))?;
    if manifest.schema != SCHEMA {
        return Err(no_bundle(&format!(
            "it is of the kind {}, and this tool reads {SCHEMA}",
            report::clean(&manifest.schema)
        ))
        .into());
    }
    found.hashes(&manifest);
    let (verdicts, notes) = found.again()?;
    let total: u64 = found.files.values().map(|(bytes, _)| bytes).sum();
    let mut out = format!(
        "bundle    {}: run {}, {} files, {:.1} MB\nmanifest  blake3 {}\nagain     {verdicts} verdicts judged from their facts, {} looks repeated on the stored replies\n",
        report::clean(&shown),
        report::clean(&manifest.run),
        found.files.len(),
        total as f64 / 1e6,
        blake3::hash(&bytes).to_hex(),
        found.looked
    );
    for note in notes {
        let _ = writeln!(out, "note      {note}");
    }
    if found.wrong.is_empty() {
        out.push_str(
            "whole     every file is as the manifest says, every verdict and score follows from its facts.\n          Whether \
             this manifest is the one that was published is yours to compare: its hash is above.\n",
        );
        return Ok((out, Exit::Done));
    }
    let mut printed: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, what) in &found.wrong {
        let count = printed.entry(kind).or_default();
        *count += 1;
        if *count <= MOST {
            let _ = writeln!(out, "{kind:<8}  {}", report::clean(what));
        }
    }
    for (kind, count) in printed.iter().filter(|(_, count)| **count > MOST) {
        let _ = writeln!(out, "{kind:<8}  and {} more", count - MOST);
    }
    let _ = writeln!(out, "ALTERED   {} things", found.wrong.len());
    Ok((out, Exit::Findings))
}

impl Found {
    fn wrong(&mut self, kind: &'static str, what: impl Into<String>) {
        self.wrong.push((kind, what.into()));
    }

    fn file(&mut self, path: &str, bytes: Vec<u8>) {
        if path == MANIFEST {
            self.manifest = Some(bytes);
            return;
        }
        let hash = blake3::hash(&bytes).to_hex().to_string();
        self.files
            .insert(path.to_owned(), (bytes.len() as u64, hash));
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            [RUN] => self.run = Some(bytes),
            [REPORT] => self.report = Some(bytes),
            ["units", unit, "unit.json"] => match serde_json::from_slice(&bytes) {
                Ok(read) => {
                    self.units.insert((*unit).to_owned(), read);
                }
                Err(error) => self.wrong("unread", format!("{path}: {error}")),
            },
            ["units", unit, "attacks", _] => match serde_json::from_slice::<AttackFile>(&bytes) {
                Ok(read) => self.attack(path, unit, read),
                Err(error) => self.wrong("unread", format!("{path}: {error}")),
            },
            _ => {}
        }
    }

    fn attack(&mut self, path: &str, unit: &str, read: AttackFile) {
        self.looks(path, &read);
        let ids = read.exchanges.iter().map(|one| one.id).collect();
        let row = AttackRow {
            id: read.id,
            exploit: read.exploit,
            revision: read.revision,
            attempt: read.attempt,
            repeat: read.repeat,
            facts: read.facts,
        };
        let of_unit = self.attacks.entry(unit.to_owned()).or_default();
        of_unit.push((row, ids));
    }

    /// What a look is said to have seen, seen again in the reply that is stored.
    fn looks(&mut self, path: &str, attack: &AttackFile) {
        for look in &attack.facts.looked {
            let Some(said) = look
                .exchange
                .and_then(|number| attack.exchanges.get(number as usize))
            else {
                continue;
            };
            let (Some(sent), Some(got)) = (
                said.sent.here(),
                said.got.as_ref().and_then(super::Bytes::here),
            ) else {
                continue;
            };
            let method = sent.split(|byte| *byte == b' ').next().unwrap_or_default();
            let method = std::str::from_utf8(method).unwrap_or_default();
            // A reply that was cut short was no reply, whatever it holds.
            let Some(reply) = wire::Reply::parse(&got, method).filter(|_| look.replied) else {
                continue;
            };
            if let Some(seen) = sees(&look.sees, &reply) {
                self.looked += 1;
                if seen != look.held {
                    let is = |seen| if seen { "seen" } else { "not seen" };
                    self.wrong(
                        "look",
                        format!(
                            "{path}: `{}` is said to be {}; in the stored reply it is {}",
                            look.label,
                            is(look.held),
                            is(seen)
                        ),
                    );
                }
            }
        }
    }

    fn hashes(&mut self, manifest: &Manifest) {
        let mut listed: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        let mut wrong = Vec::new();
        for one in &manifest.files {
            if listed.insert(&one.path, (one.bytes, &one.blake3)).is_some() {
                wrong.push(("manifest", format!("{} is listed twice", one.path)));
            }
        }
        if !manifest.files.is_sorted_by(|a, b| a.path < b.path) {
            wrong.push(("manifest", "it is not in the order of paths".to_owned()));
        }
        for (path, (bytes, hash)) in &listed {
            match self.files.get(*path) {
                None => wrong.push(("missing", (*path).to_owned())),
                Some((found, now)) if found != bytes || now != hash => {
                    wrong.push(("changed", (*path).to_owned()));
                }
                Some(_) => {}
            }
        }
        for path in self.files.keys() {
            if !listed.contains_key(path.as_str()) {
                wrong.push(("added", path.clone()));
            }
        }
        // What was altered is said before what follows from it.
        wrong.append(&mut self.wrong);
        self.wrong = wrong;
    }

    /// Judges everything again, and compares with what was reported. Returns how many verdicts that were.
    fn again(&mut self) -> Result<(usize, Vec<String>), Fatal> {
        let mut notes = Vec::new();
        let Some(file) = self.object::<RunFile>(RUN, self.run.clone()) else {
            return Ok((0, notes));
        };
        if file.run.suite != crate::context::suite_hash() {
            notes.push(format!(
                "made with other revisions of the exploits (tool {}); judged with this tool's rules",
                report::clean(&file.run.tool)
            ));
        }
        notes.extend(file.left_out.iter().map(|one| {
            let text: String = report::clean(one).chars().take(200).collect();
            format!("left out when it was made: {text}")
        }));
        let mut numbered: Vec<(u64, String)> = self
            .units
            .keys()
            .map(|name| (name.parse().unwrap_or(u64::MAX), name.clone()))
            .collect();
        numbered.sort();
        let mut units = Vec::new();
        let mut readings = HashMap::new();
        let mut names = HashMap::new();
        for (_, name) in numbered {
            if let Some(one) = self.units.remove(&name) {
                readings.insert(one.unit.id, one.decisions);
                names.insert(one.unit.id, name);
                units.push(one.unit);
            }
        }
        let sessions = view::sessions(units, |unit, tiers| {
            let name = names.get(&unit.id).cloned().unwrap_or_default();
            let mut attacks = self.attacks.remove(&name).unwrap_or_default();
            attacks.sort_by_key(|(attack, _)| attack.id);
            let ids: HashMap<i64, Vec<i64>> = attacks
                .iter()
                .map(|(attack, ids)| (attack.id, ids.clone()))
                .collect();
            let attacks: Vec<AttackRow> = attacks.into_iter().map(|(attack, _)| attack).collect();
            let told = readings.remove(&unit.id).flatten();
            view::judged_unit(unit, &attacks, told, tiers, |attack| {
                Ok(ids.get(&attack).cloned().unwrap_or_default())
            })
        })?;
        let run = view::whole(&file.run, sessions);
        let verdicts = run.sessions.iter().map(|one| one.verdicts.len()).sum();
        if let Some(reported) = self.object::<Value>(REPORT, self.report.clone()) {
            self.compare(&run, &reported)?;
        }
        Ok((verdicts, notes))
    }

    fn object<T: serde::de::DeserializeOwned>(
        &mut self,
        path: &str,
        bytes: Option<Vec<u8>>,
    ) -> Option<T> {
        match bytes.map(|bytes| serde_json::from_slice(&bytes)) {
            // What is missing is said where the manifest lists it.
            None => {
                if !self.wrong.iter().any(|(_, what)| what == path) {
                    self.wrong("missing", path);
                }
                None
            }
            Some(Err(error)) => {
                self.wrong("unread", format!("{path}: {error}"));
                None
            }
            Some(Ok(read)) => Some(read),
        }
    }

    fn compare(&mut self, run: &Run, reported: &Value) -> Result<(), Fatal> {
        let now = serde_json::to_value(run).map_err(|error| Fatal::failed(error.to_string()))?;
        let name = |session: &Value| {
            let text = |key: &str| session[key].as_str().unwrap_or_default().to_owned();
            (text("id"), text("step"))
        };
        let list = |of: &Value, key: &str| of[key].as_array().cloned().unwrap_or_default();
        let mut then: BTreeMap<(String, String), Value> = list(reported, "sessions")
            .into_iter()
            .map(|one| (name(&one), one))
            .collect();
        for session in list(&now, "sessions") {
            let id = name(&session);
            let Some(before) = then.remove(&id) else {
                self.wrong("verdict", format!("{}: it is not in {REPORT}", id.0));
                continue;
            };
            self.session(&id.0, &before, &session);
        }
        for (id, _) in then.into_keys() {
            self.wrong("verdict", format!("{id}: {REPORT} has it, no unit does"));
        }
        for key in ["run", "suite", "complete", "scores"] {
            if now[key] != reported[key] {
                self.wrong(
                    "score",
                    format!("{REPORT}: `{key}` is not what the units give"),
                );
            }
        }
        Ok(())
    }

    fn session(&mut self, id: &str, before: &Value, now: &Value) {
        let verdicts = |of: &Value| -> BTreeMap<String, Value> {
            let list = of["verdicts"].as_array().cloned().unwrap_or_default();
            list.into_iter()
                .map(|mut one| {
                    // What is known of an exploit grows: it is no part of what was found.
                    if let Some(fields) = one.as_object_mut() {
                        fields.remove("calibration");
                    }
                    (one["exploit"].as_str().unwrap_or_default().to_owned(), one)
                })
                .collect()
        };
        let (mut then, now_all) = (verdicts(before), verdicts(now));
        for (exploit, one) in now_all {
            match then.remove(&exploit) {
                None => self.wrong("verdict", format!("{id} {exploit}: not in {REPORT}")),
                Some(was) if was["verdict"] != one["verdict"] => {
                    let word = |of: &Value| of["verdict"].as_str().unwrap_or("?").to_owned();
                    self.wrong(
                        "verdict",
                        format!(
                            "{id} {exploit}: reported {}, its facts say {}",
                            word(&was),
                            word(&one)
                        ),
                    );
                }
                Some(was) if was != one => self.wrong(
                    "verdict",
                    format!(
                        "{id} {exploit}: its reason, tier or evidence is not what its facts say"
                    ),
                ),
                Some(_) => {}
            }
        }
        for exploit in then.into_keys() {
            self.wrong(
                "verdict",
                format!("{id} {exploit}: {REPORT} has it, no facts do"),
            );
        }
        let fields = before.as_object().into_iter().flatten();
        let other: Vec<&String> = fields
            .filter(|(key, value)| *key != "verdicts" && now[key.as_str()] != **value)
            .map(|(key, _)| key)
            .collect();
        for key in other {
            self.wrong(
                "report",
                format!("{id}: `{key}` of {REPORT} is not what its unit says"),
            );
        }
    }
}

/// Whether the effect is in this reply; `None` for what no single reply shows.
fn sees(sees: &Sees, reply: &wire::Reply) -> Option<bool> {
    match sees {
        Sees::Text(text) => Some(reply.contains(text)),
        Sees::Json { at, is } => {
            let value: Option<Value> = serde_json::from_slice(&reply.body).ok();
            let found = value.as_ref().and_then(|value| value.pointer(at));
            let text = found.map(|found| match found {
                Value::String(text) => text.clone(),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => found.to_string(),
            });
            Some(text.is_some_and(|text| text == *is))
        }
        Sees::Status(wanted) => Some(wanted.contains(&reply.status)),
        Sees::NoHeader(name) => Some(reply.header(name).is_none()),
        Sees::State(_) | Sees::Measured { .. } | Sees::Told(_) => None,
    }
}
