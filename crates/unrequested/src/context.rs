//! What every command that works needs: where things are, the ledger, the box.

use std::path::{Path, PathBuf};
use std::time::Duration;

use app::{Framework, Plan, Settings, Workshop};
use cell::Level;
use exploit::Seed;

use crate::exit::{Exit, Fatal};
use crate::ledger::Ledger;

pub(crate) struct Context {
    /// `.unrequested` or `--dir`.
    pub(crate) dir: PathBuf,
    pub(crate) ledger: Ledger,
    pub(crate) level: Level,
    /// Why there is no box, when there is none.
    pub(crate) no_box: Option<String>,
}

impl Context {
    pub(crate) fn open(dir: &Path, require_box: bool) -> Result<Self, Fatal> {
        let ledger = Ledger::open(dir)?;
        let dir = dir.canonicalize()?;
        let probe = cell::probe();
        if require_box && probe.level == Level::Plain {
            let why = probe.why_not.unwrap_or_default();
            return Err(Fatal {
                exit: Exit::Missing,
                why: format!("no box can be had here: {why}"),
            });
        }
        let context = Self {
            dir,
            ledger,
            level: probe.level,
            no_box: probe.why_not,
        };
        context.remove_leftovers();
        Ok(context)
    }

    /// Keeps a run for this process, as long as the file is held: two that resumed the same run would drive the same session.
    pub(crate) fn hold(&self, run: &str) -> Result<std::fs::File, Fatal> {
        let folder = self.dir.join("locks");
        std::fs::create_dir_all(&folder)?;
        let file = std::fs::File::create(folder.join(run))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(Fatal::usage(format!(
                "run {run} is being worked on by another process"
            ))),
            // A file system without locks: then nobody else is seen.
            Err(std::fs::TryLockError::Error(_)) => Ok(file),
        }
    }

    pub(crate) fn cells(&self) -> PathBuf {
        self.dir.join("cells")
    }

    /// Folders of cells whose tool is gone: it was killed, and could not remove them.
    fn remove_leftovers(&self) {
        app::remove_unfinished(&app::cache_folder());
        let Ok(entries) = std::fs::read_dir(self.cells()) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name
                .split('-')
                .next()
                .and_then(|pid| pid.parse::<u32>().ok());
            let alive = owner.is_some_and(|pid| {
                pid == std::process::id() || Path::new(&format!("/proc/{pid}")).exists()
            });
            if !alive {
                let _ = cell::remove_folder(&entry.path());
            }
        }
    }

    /// Installs a tree's dependencies, builds it where its framework wants that, and says how to boot it.
    pub(crate) fn ready(
        &self,
        tree: &Path,
        framework: &'static Framework,
        seed: &Seed,
    ) -> Result<Plan, app::InstallError> {
        let workshop = Workshop::new(self.level, app::cache_folder());
        let installed = app::install(tree, framework, &workshop)?;
        let mut plan = self.plan(tree, seed);
        plan.framework = Some(framework);
        if framework.build.is_some() {
            // Some apps keep in the build what the variables were: a copy must be booted with those it was built with.
            plan.settings = settings(&builders_seed(&workshop.cache));
        }
        let settings = &plan.settings;
        plan.built = app::build(tree, framework, &installed, settings, &workshop)?;
        plan.read = installed.read;
        plan.links = installed.links;
        plan.remark = installed.remark;
        plan.bin = Some(installed.bin);
        Ok(plan)
    }

    fn plan(&self, tree: &Path, seed: &Seed) -> Plan {
        Plan {
            tree: tree.to_path_buf(),
            framework: None,
            read: Vec::new(),
            links: Vec::new(),
            remark: None,
            built: None,
            bin: None,
            command: None,
            settings: settings(seed),
            level: self.level,
            cells: self.cells(),
            health: "/api/health".to_owned(),
            ready_within: Duration::from_secs(45),
        }
    }

    /// How to boot the reference app: this program itself.
    pub(crate) fn reference_plan(&self, seed: &Seed) -> Result<Plan, Fatal> {
        let tree = self.dir.join("reference-tree");
        std::fs::create_dir_all(&tree)?;
        let program = std::env::current_exe()?;
        let mut plan = self.plan(&tree, seed);
        plan.command = Some(vec![program.clone().into(), "reference".into()]);
        plan.read = vec![program];
        Ok(plan)
    }
}

/// The same for all builds of this cache, and nowhere else: else what was built could not be used twice.
fn builders_seed(cache: &Path) -> Seed {
    let path = cache.join("seed");
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    if !known.is_empty() {
        return Seed::new(&known);
    }
    let fresh = uuid::Uuid::now_v7().to_string();
    // Where it cannot be kept nothing can be cached either.
    let _ = std::fs::write(&path, &fresh);
    Seed::new(&fresh)
}

/// The contract's variables, made of a seed.
fn settings(seed: &Seed) -> Settings {
    let word = |purpose: &str, count| seed.letters(&format!("settings/{purpose}"), count);
    let capitals = word("admin-capitals", 7).to_uppercase();
    Settings {
        jwt_secret: word("jwt", 48),
        webhook_secret: word("webhook", 40),
        admin_email: format!("{}@example.org", word("admin", 10)),
        admin_password: format!("{}{capitals}407-_.", word("admin-password", 7)),
        cors_origins: vec![
            format!("https://{}.example.com", word("origin", 8)),
            format!("https://{}.example.net", word("other-origin", 8)),
        ],
    }
}

/// A hash over the study's suite: exploits and their revisions. Results of different suites never mix.
pub(crate) fn suite_hash() -> String {
    let parts: Vec<String> = exploit::Entry::study()
        .iter()
        .map(|entry| format!("{} r{}", entry.id, entry.exploit.revision))
        .collect();
    blake3::hash(parts.join("\n").as_bytes()).to_hex().as_str()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_one_process_s_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::open(folder.path(), false).unwrap();
        let held = context.hold("r").unwrap();
        assert!(
            context
                .hold("r")
                .unwrap_err()
                .why
                .contains("another process")
        );
        assert!(context.hold("other").is_ok());
        drop(held);
        assert!(context.hold("r").is_ok());
    }
}
