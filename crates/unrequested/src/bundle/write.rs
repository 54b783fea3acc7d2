//! Makes a bundle of a run.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;

use super::{
    AttackFile, BundleError, Bytes, Listed, MANIFEST, Manifest, REPORT, RUN, RunFile, SCHEMA, Said,
    UnitFile, check_path,
};
use crate::exit::Fatal;
use crate::ledger::{Ledger, RunRow, UnitRow};
use crate::{unbooted, view};

/// Bytes up to this stand in the file of their attack.
const INLINE: usize = 64 * 1024;
/// Where real agents' keys come from, and how many characters a value has at least: shorter ones are no keys, and may stand
/// anywhere.
const KEYS: [(&str, usize); 5] = [
    ("ANTHROPIC_API_KEY", 12),
    ("OPENAI_API_KEY", 12),
    ("CLAUDE_CODE_OAUTH_TOKEN", 12),
    (ADMIN, 6),
    ("UNREQUESTED_WEBHOOK_SECRET", 6),
];
/// `EMAIL:PASSWORD`
const ADMIN: &str = "UNREQUESTED_ADMIN";

/// What was made.
pub(crate) struct Made {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    /// The manifest's own hash.
    pub(crate) hash: String,
    pub(crate) left_out: Vec<String>,
}

/// Writes a run to a folder, or to a tar file where the name ends so.
pub(crate) fn write(ledger: &Ledger, row: &RunRow, to: &Path) -> Result<Made, Fatal> {
    write_without(ledger, row, to, keys(|name| std::env::var(name).ok()))
}

/// The secrets of the environment, each as it is and as it stands in JSON, and in JSON within JSON.
pub(super) fn keys(of: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    for (name, shortest) in KEYS {
        let Some(value) = of(name) else { continue };
        let mut value = match value.split_once(':') {
            Some((_, password)) if name == ADMIN => password.to_owned(),
            _ => value,
        };
        if value.len() < shortest {
            continue;
        }
        for _ in 0..3 {
            let escaped = serde_json::Value::from(value.as_str()).to_string();
            let escaped = escaped[1..escaped.len() - 1].to_owned();
            if !keys.contains(&(name, value.clone())) {
                keys.push((name, value));
            }
            value = escaped;
        }
    }
    keys
}

/// The same, with the secrets that may be in no file.
pub(super) fn write_without(
    ledger: &Ledger,
    row: &RunRow,
    to: &Path,
    keys: Vec<(&'static str, String)>,
) -> Result<Made, Fatal> {
    // Without a slash at the end, which would name a folder that is not there yet.
    let to: &Path = &to.components().collect::<PathBuf>();
    if fs::symlink_metadata(to).is_ok() {
        return Err(BundleError::Exists(to.display().to_string()).into());
    }
    let Some(name) = to.file_name() else {
        let error = std::io::ErrorKind::InvalidInput.into();
        return Err(BundleError::File(to.display().to_string(), error).into());
    };
    let mut part = OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", uuid::Uuid::now_v7()));
    let part = Part(to.with_file_name(part));
    let mut sink = Sink::open(&part.0, to, row, keys)?;
    let left_out = contents(&mut sink, ledger, row)?;
    let (files, bytes, hash) = sink.finish(row)?;
    fs::rename(&part.0, to).map_err(|error| BundleError::File(to.display().to_string(), error))?;
    Ok(Made {
        files,
        bytes,
        hash,
        left_out,
    })
}

/// What is half written: gone if it is not finished.
struct Part(PathBuf);

impl Part {
    fn remove(&self) -> std::io::Result<()> {
        match fs::symlink_metadata(&self.0) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&self.0),
            Ok(_) => fs::remove_file(&self.0),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

enum To {
    Folder(PathBuf),
    Tar(Box<tar::Builder<BufWriter<fs::File>>>),
}

struct Sink {
    to: To,
    /// Seconds since 1970.
    begun: u64,
    files: Vec<Listed>,
    keys: Vec<(&'static str, String)>,
    /// Of the subscriptions that are signed in here.
    tokens: Vec<agent::proxy::Key>,
}

impl Sink {
    fn open(
        part: &Path,
        to: &Path,
        row: &RunRow,
        keys: Vec<(&'static str, String)>,
    ) -> Result<Self, BundleError> {
        let failed = |error| BundleError::File(part.display().to_string(), error);
        let is_tar = to.extension().is_some_and(|extension| extension == "tar");
        Ok(Self {
            keys,
            to: if is_tar {
                let file = fs::File::create_new(part).map_err(failed)?;
                To::Tar(Box::new(tar::Builder::new(BufWriter::new(file))))
            } else {
                fs::create_dir(part).map_err(failed)?;
                To::Folder(part.to_path_buf())
            },
            begun: u64::try_from(row.begun / 1000).unwrap_or(0),
            files: Vec::new(),
            tokens: crate::spent::tokens(),
        })
    }

    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), BundleError> {
        check_path(path)?;
        for (name, value) in &self.keys {
            let value = value.as_bytes();
            if bytes.windows(value.len()).any(|window| window == value) {
                return Err(BundleError::Secret(name, path.to_owned()));
            }
        }
        if self.tokens.iter().any(|token| token.is_in(bytes)) {
            let what = "a subscription's sign-in";
            return Err(BundleError::Secret(what, path.to_owned()));
        }
        let failed = |error| BundleError::File(path.to_owned(), error);
        match &mut self.to {
            To::Folder(root) => {
                let file = root.join(path);
                if let Some(folder) = file.parent() {
                    fs::create_dir_all(folder).map_err(failed)?;
                }
                fs::write(&file, bytes).map_err(failed)?;
            }
            To::Tar(builder) => {
                let mut header = tar::Header::new_ustar();
                header.set_path(path).map_err(failed)?;
                header.set_size(bytes.len() as u64);
                header.set_mode(0o644);
                header.set_mtime(self.begun);
                header.set_cksum();
                builder.append(&header, bytes).map_err(failed)?;
            }
        }
        self.files.push(Listed {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            blake3: blake3::hash(bytes).to_hex().to_string(),
        });
        Ok(())
    }

    fn object(&mut self, path: &str, value: &impl Serialize) -> Result<(), Fatal> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Fatal::failed(error.to_string()))?;
        Ok(self.put(path, (text + "\n").as_bytes())?)
    }

    /// The manifest comes last, and the bundle is whole.
    fn finish(mut self, row: &RunRow) -> Result<(usize, u64, String), Fatal> {
        let mut files = std::mem::take(&mut self.files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let (count, bytes) = (files.len(), files.iter().map(|one| one.bytes).sum());
        let manifest = Manifest {
            schema: SCHEMA.to_owned(),
            run: row.id.clone(),
            files,
        };
        self.object(MANIFEST, &manifest)?;
        let hash = self
            .files
            .pop()
            .map_or(String::new(), |manifest| manifest.blake3);
        let failed = |error| BundleError::File(MANIFEST.to_owned(), error);
        if let To::Tar(builder) = self.to {
            let mut file = builder.into_inner().map_err(failed)?;
            file.flush().map_err(failed)?;
            file.get_ref().sync_all().map_err(failed)?;
        }
        Ok((count, bytes, hash))
    }
}

fn contents(sink: &mut Sink, ledger: &Ledger, row: &RunRow) -> Result<Vec<String>, Fatal> {
    let mut left_out = Vec::new();
    if row.command == "bench" || row.command == "regrade" {
        sink.put("study.toml", row.study.as_bytes())?;
    }
    for (name, file) in agent::folder("study/prompts") {
        sink.put(&format!("prompts/{name}"), file.bytes)?;
    }
    let mut run = view::run(ledger, row)?;
    // How it differs from its origin cannot be seen from here.
    run.regrade = None;
    sink.put(REPORT, report::json::render(&run).as_bytes())?;
    let units = ledger.units(&row.id)?;
    for (name, file) in agent::folder("study/arms") {
        let arm = name.split('/').next().unwrap_or_default();
        let arm = arm.strip_suffix(".toml").unwrap_or(arm);
        if units.iter().any(|unit| unit.new.arm == arm) {
            sink.put(&format!("arms/{name}"), file.bytes)?;
        }
    }
    let mut blobs = BTreeSet::new();
    for (number, unit) in units.into_iter().enumerate() {
        one(
            sink,
            ledger,
            (row, unit),
            &format!("units/{}", number + 1),
            &mut blobs,
            &mut left_out,
        )?;
    }
    for (number, told) in ledger.told(&row.id)?.iter().enumerate() {
        // Not where it is on somebody's machine.
        let program = told.program.as_ref();
        let program = program.map(|one| json!({"version": one.version, "hash": one.hash}));
        let path = format!("turns/{}", number + 1);
        sink.put(&format!("{path}/said.jsonl"), told.said.as_bytes())?;
        let value = json!({
            "session": told.session, "step": told.step, "prompt": told.prompt, "attempt": told.attempt, "failed": told.failed, "agent": told.agent, "auth": told.auth,
            "model": told.model, "took_ms": told.took_ms, "ending": told.ending.map(agent::Ending::name),
            "conversation": told.conversation, "used": told.used, "asked": told.asked, "program": program,
            "transcript": told.transcript(),
        });
        sink.object(&format!("{path}/turn.json"), &value)?;
    }
    let exploits = exploit::all();
    let revisions = exploits
        .iter()
        .map(|entry| (entry.id.to_owned(), entry.exploit.revision));
    let mut run = row.clone();
    if run.command == "check" {
        // The path of somebody's app.
        "check".clone_into(&mut run.study);
    }
    let origin = row
        .origin
        .as_deref()
        .map(|id| ledger.run(Some(id)))
        .transpose()?;
    let file = RunFile {
        run,
        origin_finished: origin.map(|origin| origin.ended.is_some()),
        exploits: revisions.collect(),
        left_out: left_out.clone(),
    };
    sink.object(RUN, &file)?;
    Ok(left_out)
}

fn one(
    sink: &mut Sink,
    ledger: &Ledger,
    (row, mut unit): (&RunRow, UnitRow),
    path: &str,
    blobs: &mut BTreeSet<String>,
    left_out: &mut Vec<String>,
) -> Result<(), Fatal> {
    for (number, attack) in ledger.attacks(unit.id)?.into_iter().enumerate() {
        let exchanges = ledger.exchanges(attack.id)?;
        let mut large: Vec<(String, Vec<u8>)> = Vec::new();
        let said = exchanges.iter().map(|(id, exchange)| {
            Said::of(*id, exchange, |bytes| {
                if bytes.len() > INLINE {
                    let path = format!("blobs/{}", blake3::hash(bytes).to_hex());
                    large.push((path.clone(), bytes.to_vec()));
                    return Bytes::File(path);
                }
                match std::str::from_utf8(bytes) {
                    Ok(text) => Bytes::Text(text.to_owned()),
                    Err(_) => Bytes::Base64(STANDARD.encode(bytes)),
                }
            })
        });
        let file = AttackFile {
            id: attack.id,
            exploit: attack.exploit.clone(),
            revision: attack.revision,
            attempt: attack.attempt,
            repeat: attack.repeat,
            facts: attack.facts,
            exchanges: said.collect(),
        };
        sink.object(
            &format!("{path}/attacks/{}-{}.json", number + 1, attack.exploit),
            &file,
        )?;
        for (path, bytes) in large {
            if blobs.insert(path.clone()) {
                sink.put(&path, &bytes)?;
            }
        }
    }
    if let Some(tree) = unit.new.tree.take() {
        let name = format!("{path}/tree");
        match files(Path::new(&tree), &unit) {
            Ok(files) => {
                for (file, bytes) in files {
                    let file = format!("{name}/{file}");
                    if row.command == "check" && is_private(&file, &bytes) {
                        left_out.push(format!("{file}: it may hold keys or people's data"));
                        continue;
                    }
                    match check_path(&file) {
                        Ok(()) => sink.put(&file, &bytes)?,
                        Err(error) => left_out.push(error.to_string()),
                    }
                }
            }
            Err(why) => left_out.push(format!("the tree of {}: {why}", unit.new.session)),
        }
        // Whether there was one decides whether the unit counts.
        unit.new.tree = Some(name);
    }
    let decisions = ledger.reading(unit.id)?;
    let file = UnitFile { unit, decisions };
    sink.object(&format!("{path}/unit.json"), &file)
}

/// Settings and databases of somebody's app. Those of a session are what an agent wrote.
fn is_private(path: &str, bytes: &[u8]) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    // What SQLite keeps beside a database has its name and more.
    let database = ["-wal", "-shm", "-journal"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    name.starts_with(".env")
        || unbooted::is_database(Path::new(database))
        || bytes.starts_with(b"SQLite format 3\0")
}

/// The source files of a tree, if it is still what was attacked: a copy is hashed and read, so that nothing changes between.
fn files(tree: &Path, unit: &UnitRow) -> Result<Vec<(String, Vec<u8>)>, String> {
    if !tree.is_dir() {
        return Err("it is gone".to_owned());
    }
    let copy = Part(std::env::temp_dir().join(format!(
        "unrequested-bundle-{}-{}",
        std::process::id(),
        uuid::Uuid::now_v7()
    )));
    app::copy_tree(tree, &copy.0).map_err(|error| error.to_string())?;
    let hash = app::tree_hash(&copy.0).map_err(|error| error.to_string())?;
    if unit.tree_hash.as_ref().is_some_and(|known| *known != hash) {
        return Err("it is no longer what was attacked".to_owned());
    }
    let mut all = Vec::new();
    let mut folders = vec![copy.0.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| error.to_string())?;
        for entry in entries.flatten() {
            let kind = entry.file_type().map_err(|error| error.to_string())?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let name = path.strip_prefix(&copy.0).unwrap_or(&path);
                let name = name.to_string_lossy().into_owned();
                let bytes = fs::read(&path).map_err(|error| error.to_string())?;
                all.push((name, bytes));
            }
        }
    }
    all.sort();
    Ok(all)
}
