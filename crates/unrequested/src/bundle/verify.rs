//! Says what of a bundle was altered: files by their hashes, verdicts and scores by judging the facts again, looks by
//! repeating them on the stored replies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use model::run::{Run, Session, Tier};
use model::{Sees, Word};
use serde_json::{Value, json};

use super::{
    AttackFile, BundleError, Bytes, MANIFEST, Manifest, REPORT, RUN, RunFile, SCHEMA, Shown,
    UnitFile, read,
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
    /// Looks that are not repeated: at exchanges in files of their own, and at replies that are not whole.
    too_large: usize,
    broken: usize,
    /// Files that tries name: the try's, and the one that is named.
    named: Vec<(String, String)>,
    /// Whether another version or another suite made it: what that worded otherwise is not altered.
    other: bool,
    /// What this tool says otherwise, where it may.
    differs: Vec<String>,
    notes: Vec<String>,
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
    let verdicts = found.again()?;
    let total: u64 = found.files.values().map(|(bytes, _)| bytes).sum();
    let mut out = format!(
        "bundle    {}: run {}, {} files, {:.1} MB\nmanifest  blake3 {}\nagain     {verdicts} verdicts judged from their facts, {} looks repeated on the stored replies",
        report::clean(&shown),
        report::clean(&manifest.run),
        found.files.len(),
        total as f64 / 1e6,
        blake3::hash(&bytes).to_hex(),
        found.looked
    );
    for (count, what) in [
        (found.too_large, "in exchanges that are too large"),
        (found.broken, "in replies that are not whole"),
    ] {
        if count > 0 {
            let _ = write!(out, ", {count} {what}");
        }
    }
    out.push('\n');
    for note in &found.notes {
        let _ = writeln!(out, "note      {note}");
    }
    if found.wrong.is_empty() {
        listed(
            &mut out,
            found.differs.iter().map(|what| ("differs", what.as_str())),
        );
        let what = if found.differs.is_empty() {
            "every verdict and score follows from its facts."
        } else {
            "every verdict follows from its facts; what this tool says otherwise is above."
        };
        let _ = writeln!(
            out,
            "whole     every file is as the manifest says, {what}\n          Whether this manifest is the one that was published is \
             yours to compare: its hash is above.",
        );
        return Ok((out, Exit::Done));
    }
    let wrong = found
        .wrong
        .iter()
        .map(|(kind, what)| (*kind, what.as_str()));
    let differs = found.differs.iter().map(|what| ("differs", what.as_str()));
    listed(&mut out, wrong.chain(differs));
    let _ = writeln!(out, "ALTERED   {} things", found.wrong.len());
    Ok((out, Exit::Findings))
}

/// A line each, and of each kind not too many.
fn listed<'a>(out: &mut String, all: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut printed: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, what) in all {
        let count = printed.entry(kind).or_default();
        *count += 1;
        if *count <= MOST {
            let _ = writeln!(out, "{kind:<8}  {}", report::clean(what));
        }
    }
    for (kind, count) in printed.iter().filter(|(_, count)| **count > MOST) {
        let _ = writeln!(out, "{kind:<8}  and {} more", count - MOST);
    }
}

impl Found {
    fn wrong(&mut self, kind: &'static str, what: impl Into<String>) {
        self.wrong.push((kind, what.into()));
    }

    /// What follows from the tool as well, and not from the facts alone.
    fn odd(&mut self, kind: &'static str, what: String) {
        if self.other {
            self.differs.push(what);
        } else {
            self.wrong(kind, what);
        }
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
        self.bytes(path, &read);
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

    /// Whether all that was sent and came back can be read, here or in the file that is named.
    fn bytes(&mut self, path: &str, attack: &AttackFile) {
        for (number, said) in attack.exchanges.iter().enumerate() {
            for bytes in std::iter::once(&said.sent).chain(&said.got) {
                if let Err(error) = bytes.here() {
                    self.wrong("unread", format!("{path}: exchange {number}: {error}"));
                }
                if let Bytes::File(file) = bytes {
                    self.named.push((path.to_owned(), file.clone()));
                }
            }
        }
    }

    /// What a look is said to have seen, seen again in the reply that is stored.
    fn looks(&mut self, path: &str, attack: &AttackFile) {
        for look in &attack.facts.looked {
            let Some(number) = look.exchange else {
                continue;
            };
            let Some(said) = attack.exchanges.get(number as usize) else {
                self.wrong(
                    "look",
                    format!(
                        "{path}: `{}` is said to be at exchange {number}, and there are {}",
                        look.label,
                        attack.exchanges.len()
                    ),
                );
                continue;
            };
            // A reply that was cut short was no reply, whatever it holds.
            if !look.replied || !is_of_one_reply(&look.sees) {
                continue;
            }
            let is_file = |bytes: &Bytes| matches!(bytes, Bytes::File(_));
            if is_file(&said.sent) || said.got.as_ref().is_some_and(is_file) {
                self.too_large += 1;
                continue;
            }
            let here = |bytes: &Bytes| bytes.here().ok().flatten();
            let (sent, got) = (
                here(&said.sent).unwrap_or_default(),
                said.got.as_ref().and_then(here).unwrap_or_default(),
            );
            let method = sent.split(|byte| *byte == b' ').next().unwrap_or_default();
            let method = std::str::from_utf8(method).unwrap_or_default();
            let Some(reply) = wire::Reply::parse(&got, method) else {
                self.broken += 1;
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
        for (path, file) in &self.named {
            if !self.files.contains_key(file) {
                wrong.push((
                    "missing",
                    format!("{path} names {file}, which is not there"),
                ));
            }
        }
        // What was altered is said before what follows from it.
        wrong.append(&mut self.wrong);
        self.wrong = wrong;
    }

    /// Judges everything again, and compares with what was reported. Returns how many verdicts that were.
    fn again(&mut self) -> Result<usize, Fatal> {
        let Some(file) = self.object::<RunFile>(RUN, self.run.clone()) else {
            return Ok(0);
        };
        let ours = env!("CARGO_PKG_VERSION");
        let tool = report::clean(&file.run.tool);
        if file.run.suite != crate::context::suite_hash() {
            self.other = true;
            self.notes.push(format!(
                "made with other revisions of the exploits (tool {tool}, this is {ours}); judged with this tool's rules"
            ));
        } else if file.run.tool != ours {
            self.other = true;
            self.notes.push(format!(
                "made with version {tool} of this tool, and this is {ours}; judged with this tool's rules"
            ));
        }
        self.arms();
        self.notes.extend(file.left_out.iter().map(|one| {
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
            let mut attacks = self.attacks.get(&name).cloned().unwrap_or_default();
            attacks.sort_by_key(|(attack, _)| attack.id);
            let ids: HashMap<i64, Vec<i64>> = attacks
                .iter()
                .map(|(attack, ids)| (attack.id, ids.clone()))
                .collect();
            let attacks: Vec<AttackRow> = attacks.into_iter().map(|(attack, _)| attack).collect();
            // What was attacked on the way is read for every later step of its session.
            let told = readings.get(&unit.id).cloned().flatten();
            view::judged_unit(unit, &attacks, told, tiers, |attack| {
                Ok(ids.get(&attack).cloned().unwrap_or_default())
            })
        })?;
        let mut run = view::whole(&file.run, sessions);
        // As `view::run` says it, which has the origin.
        run.complete &= file.origin_finished.unwrap_or(true);
        let of = |one: &Session| {
            let earlier = one.stages.iter().map(|stage| stage.verdicts.len());
            one.verdicts.len() + earlier.sum::<usize>()
        };
        let verdicts = run.sessions.iter().map(of).sum();
        if let Some(reported) = self.object::<Value>(REPORT, self.report.clone()) {
            self.compare(&run, &reported)?;
        }
        Ok(verdicts)
    }

    /// Names the arms that are none of this tool's: what they ask for is not known here.
    fn arms(&mut self) {
        let known = agent::Arm::ids();
        let units = self.units.values().map(|one| &one.unit.new.arm);
        let odd: BTreeSet<&String> = units
            .filter(|arm| *arm != "none" && !known.contains(arm))
            .collect();
        let names: Vec<String> = odd
            .into_iter()
            .take(MOST)
            .map(|arm| Shown(arm.clone()).to_string())
            .collect();
        if !names.is_empty() {
            self.notes.push(format!(
                "this tool has no arm {}: judged as if nothing but the prompts had been said",
                names.join(", ")
            ));
        }
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
        let mut then: BTreeMap<(String, String), Value> = BTreeMap::new();
        for one in list(reported, "sessions") {
            let name = name(one);
            if then.insert(name.clone(), one.clone()).is_some() {
                self.wrong("verdict", format!("{}: twice in {REPORT}", name.0));
            }
        }
        for session in list(&now, "sessions") {
            let id = name(session);
            let Some(before) = then.remove(&id) else {
                self.wrong("verdict", format!("{}: it is not in {REPORT}", id.0));
                continue;
            };
            self.session(&id.0, &before, session);
        }
        for (id, _) in then.into_keys() {
            self.wrong("verdict", format!("{id}: {REPORT} has it, no unit does"));
        }
        // These are said by the bundle itself, whoever reads it.
        for key in ["run", "suite", "tool", "complete"] {
            if now.get(key) != reported.get(key) {
                self.wrong(
                    "score",
                    format!("{REPORT}: `{key}` is not what the units give"),
                );
            }
        }
        if !follows(list(reported, "scores"), &counted(reported))
            || !self.other && now["scores"] != reported["scores"]
        {
            self.wrong(
                "score",
                format!("{REPORT}: `scores` is not what the units give"),
            );
        }
        // What is known of the exploits grows: it is no part of what was found.
        let said = [
            "run",
            "suite",
            "tool",
            "complete",
            "scores",
            "sessions",
            "instrument",
        ];
        for key in unlike(reported, &now, &said) {
            self.odd(
                "report",
                format!("{REPORT}: `{key}` is not what a report of these units has"),
            );
        }
        Ok(())
    }

    fn session(&mut self, id: &str, before: &Value, now: &Value) {
        let named = |one: &Value| {
            let mut one = one.clone();
            if let Some(fields) = one.as_object_mut() {
                // What is known of an exploit grows, and areas have other names: only whether it counts is a matter.
                fields.remove("calibration");
                let depth = fields.remove("area").is_some_and(|area| area == "depth");
                fields.insert("depth".to_owned(), depth.into());
            }
            (one["exploit"].as_str().unwrap_or_default().to_owned(), one)
        };
        let mut then: BTreeMap<String, Value> = BTreeMap::new();
        for one in list(before, "verdicts") {
            let (exploit, one) = named(one);
            if then.insert(exploit.clone(), one).is_some() {
                self.wrong("verdict", format!("{id} {exploit}: twice in {REPORT}"));
            }
        }
        for (exploit, one) in list(now, "verdicts").iter().map(named) {
            match then.remove(&exploit) {
                // Of an app that was not attacked, each exploit of today is undecided.
                None if now["trouble"].is_object() => {
                    self.odd("verdict", format!("{id} {exploit}: not in {REPORT}"));
                }
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
                Some(was) if was != one => self.odd(
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
        // With what a model was paid no unit says.
        for key in unlike(before, now, &["verdicts", "stages", "auth"]) {
            self.odd(
                "report",
                format!("{id}: `{key}` of {REPORT} is not what its unit says"),
            );
        }
        self.stages(id, before, now);
    }

    /// What a session was after its earlier steps, each as a session of its own.
    fn stages(&mut self, id: &str, before: &Value, now: &Value) {
        let name = |one: &Value| {
            let step = one["step"].as_str().unwrap_or_default();
            format!("{id} after {step}")
        };
        let mut then: BTreeMap<String, &Value> = BTreeMap::new();
        for one in list(before, "stages") {
            if then.insert(name(one), one).is_some() {
                self.wrong("verdict", format!("{}: twice in {REPORT}", name(one)));
            }
        }
        for one in list(now, "stages") {
            match then.remove(&name(one)) {
                Some(was) => self.session(&name(one), was, one),
                None => self.wrong("verdict", format!("{}: it is not in {REPORT}", name(one))),
            }
        }
        for id in then.into_keys() {
            self.wrong("verdict", format!("{id}: {REPORT} has it, no unit does"));
        }
    }
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

/// The keys whose values differ, or that only one of both has.
fn unlike(before: &Value, now: &Value, but: &[&str]) -> Vec<String> {
    let keys = |of: &Value| -> Vec<String> {
        let fields = of.as_object().into_iter().flatten();
        fields.map(|(key, _)| key.clone()).collect()
    };
    let all: BTreeSet<String> = keys(before).into_iter().chain(keys(now)).collect();
    all.into_iter()
        .filter(|key| !but.contains(&key.as_str()) && before.get(key) != now.get(key))
        .collect()
}

/// The scores that the reported verdicts give in the reported tiers.
fn counted(reported: &Value) -> Vec<Value> {
    let of = |session: &Value, tier: Tier| {
        let of_it: Vec<&Value> = list(session, "verdicts")
            .iter()
            .filter(|one| one["tier"] == tier.name() && one["area"] != "depth")
            .collect();
        let count = |word: Word| {
            let verdicts = of_it.iter();
            verdicts.filter(|one| one["verdict"] == json!(word)).count()
        };
        json!({
            "session": session["id"],
            "tier": tier.name(),
            "of": of_it.len(),
            "exploited": count(Word::Exploited),
            "resisted": count(Word::Resisted),
            "not_applicable": count(Word::NotApplicable),
            "inconclusive": count(Word::Inconclusive),
        })
    };
    let sessions = list(reported, "sessions").iter();
    sessions
        .flat_map(|session| Tier::ALL.map(|tier| of(session, tier)))
        .collect()
}

/// Whether each of these has all that its counterpart has.
fn follows(scores: &[Value], counted: &[Value]) -> bool {
    let has = |(score, wanted): (&Value, &Value)| {
        let mut fields = wanted.as_object().into_iter().flatten();
        fields.all(|(key, value)| score.get(key) == Some(value))
    };
    scores.len() == counted.len() && scores.iter().zip(counted).all(has)
}

/// Whether one reply shows it.
fn is_of_one_reply(sees: &Sees) -> bool {
    match sees {
        Sees::Text(_) | Sees::Json { .. } | Sees::Status(_) | Sees::NoHeader(_) => true,
        Sees::State(_) | Sees::Measured { .. } | Sees::Told(_) => false,
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
