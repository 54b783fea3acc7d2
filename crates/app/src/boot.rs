//! Boots a work tree in a cell of its own.

use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cell::{Cell, Killed, Level, Limits, Network, Spec};
use model::{Capability, Fault};

use crate::env;
use crate::framework::{Framework, Language};
use crate::start;
use crate::tree::{TreeError, copy_all, copy_tree};

/// The contract's environment variables, as the tool sets them.
#[derive(Debug, Clone)]
pub struct Settings {
    pub jwt_secret: String,
    pub webhook_secret: String,
    pub admin_email: String,
    pub admin_password: String,
    pub cors_origins: Vec<String>,
}

impl Settings {
    /// Those of the contract's variables that are the same for each copy.
    pub fn variables(&self) -> [(&'static str, OsString); 6] {
        [
            ("APP_ENV", "production".into()),
            ("JWT_SECRET", (&self.jwt_secret).into()),
            ("WEBHOOK_SECRET", (&self.webhook_secret).into()),
            ("ADMIN_EMAIL", (&self.admin_email).into()),
            ("ADMIN_PASSWORD", (&self.admin_password).into()),
            ("CORS_ORIGINS", self.cors_origins.join(",").into()),
        ]
    }
}

/// All that a boot needs; booting does not change it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The source; a copy runs.
    pub tree: PathBuf,
    pub framework: Option<&'static Framework>,
    /// What goes first in `PATH`.
    pub bin: Option<PathBuf>,
    /// Folders and files the app must be able to read.
    pub read: Vec<PathBuf>,
    /// What each copy gets under these names: links to what is shared.
    pub links: Vec<(String, PathBuf)>,
    /// For people: whose lock file the packages' versions are from, or why one was not followed.
    pub remark: Option<String>,
    /// What was built of the tree, to be laid over each copy.
    pub built: Option<PathBuf>,
    /// What is started when the tree has no `start.sh`.
    pub command: Option<Vec<OsString>>,
    pub settings: Settings,
    pub level: Level,
    /// Where cells are made; each boot has a folder of its own there.
    pub cells: PathBuf,
    /// The path that answers 200 when the app is ready; where it is empty, any answer of `/` will do.
    pub health: String,
    pub ready_within: Duration,
}

/// Why an app does not run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct BootError {
    pub fault: Fault,
    /// The app ended by itself before it was ready, which for a missing secret is the right thing to do.
    pub by_itself: bool,
    pub why: String,
    /// The last lines it printed.
    pub log: String,
}

/// How the boot went.
#[derive(Debug, Clone, Copy)]
pub struct Boot {
    pub level: Level,
    pub took: Duration,
    /// It answers plain http by a redirect to https, as behind a proxy that ends TLS.
    pub wants_https: bool,
}

/// A running app. Dropping it ends all its processes and removes its folder.
#[derive(Debug)]
pub struct Running {
    pub cell: Arc<Cell>,
    pub address: SocketAddr,
    pub boot: Boot,
    /// All that the app can write lies below this.
    pub root: PathBuf,
    pub uploads: PathBuf,
    pub database: PathBuf,
    /// The folder for temporary files, as the app sees it.
    pub temporary: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cell.end();
        // A folder that cannot be removed is found and removed at the next start.
        let _ = cell::remove_folder(&self.root);
    }
}

const PORT_IN_THE_BOX: u16 = 8000;
const LOG_LINES: usize = 12;

impl Plan {
    /// Boots a fresh copy with an empty database, without the variables named; one named as `NAME=VALUE` is set to that
    /// instead.
    pub fn boot(&self, without: &[&str]) -> Result<Running, BootError> {
        let begun = Instant::now();
        let harness = |why: String| BootError {
            fault: Fault::Harness,
            by_itself: false,
            why,
            log: String::new(),
        };
        fs::create_dir_all(&self.cells)
            .map_err(|error| harness(format!("cannot make {}: {error}", self.cells.display())))?;
        let root = unique(&self.cells)
            .map_err(|error| harness(format!("cannot make a cell's folder: {error}")))?;
        let running = self.start(&root, without, begun);
        if running.is_err() {
            let _ = cell::remove_folder(&root);
        }
        running
    }

    fn start(&self, root: &Path, without: &[&str], begun: Instant) -> Result<Running, BootError> {
        let harness = |why: String| BootError {
            fault: Fault::Harness,
            by_itself: false,
            why,
            log: String::new(),
        };
        let app = |why: String| BootError {
            fault: Fault::App,
            by_itself: false,
            why,
            log: String::new(),
        };
        let tree = root.join("tree");
        copy_tree(&self.tree, &tree).map_err(|error| match error {
            TreeError::TooLarge(_) => app(error.to_string()),
            TreeError::Copy(..) => harness(error.to_string()),
        })?;
        if let Some(built) = &self.built {
            copy_all(built, &tree)
                .map_err(|error| harness(format!("cannot copy {}: {error}", built.display())))?;
        }
        for (name, to) in &self.links {
            std::os::unix::fs::symlink(to, tree.join(name))
                .map_err(|error| harness(format!("cannot link {name}: {error}")))?;
        }
        // Three folders deep, so that a name with up to three `../` still lands where it is seen.
        let data = root.join("state/data");
        fs::create_dir_all(&data)
            .map_err(|error| harness(format!("cannot make {}: {error}", data.display())))?;
        let (uploads, database) = (data.join("uploads"), data.join("app.db"));
        let port = match self.level {
            Level::Boxed => PORT_IN_THE_BOX,
            Level::Plain => {
                free_port().map_err(|error| harness(format!("no free port: {error}")))?
            }
        };
        let (command, why_not) = self.command(&tree);
        let Some(command) = command else {
            return Err(app(why_not));
        };
        let env = self.environment(root, &uploads, &database, port, without);
        let spec = Spec {
            command,
            env,
            cwd: tree,
            root: root.to_path_buf(),
            read: self.read.clone(),
            hide: Vec::new(),
            limits: Limits::default(),
            network: Network::Loopback,
            listen: Vec::new(),
        };
        let cell = cell::spawn(&spec, self.level).map_err(|error| harness(error.to_string()))?;
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let running = Running {
            cell: Arc::new(cell),
            address,
            boot: Boot {
                level: self.level,
                took: Duration::ZERO,
                wants_https: false,
            },
            root: root.to_path_buf(),
            uploads,
            database,
            temporary: self.temporary(root),
        };
        self.wait(running, begun)
    }

    fn wait(&self, mut running: Running, begun: Instant) -> Result<Running, BootError> {
        let ends = Instant::now() + self.ready_within;
        let mut last = "nothing listened on PORT".to_owned();
        let mut rounds = 0_u32;
        loop {
            if let Some(exit) = running.cell.exited() {
                let log = tail(&running.cell);
                let words = log
                    .lines()
                    .last()
                    .unwrap_or("it printed nothing")
                    .to_owned();
                // Not its doing: the machine's memory ran out, or somebody ended the holder.
                let ours = exit.killed == Some(Killed::Holder);
                return Err(BootError {
                    fault: if ours { Fault::Harness } else { Fault::App },
                    by_itself: !ours,
                    why: format!("the app ended before it was ready ({exit}): {words}"),
                    log,
                });
            }
            match answers(&running, &self.health) {
                Ok((status, _))
                    if status == 200
                        || (self.health.is_empty() && !(300..400).contains(&status)) =>
                {
                    running.boot.took = begun.elapsed();
                    return Ok(running);
                }
                Ok((301 | 302 | 307 | 308, Some(to))) if to.starts_with("https://") => {
                    running.boot.took = begun.elapsed();
                    running.boot.wants_https = true;
                    return Ok(running);
                }
                Ok((_, Some(to))) if self.health.is_empty() && !to.starts_with("https://") => {
                    running.boot.took = begun.elapsed();
                    return Ok(running);
                }
                Ok((status, _)) => {
                    last = format!(
                        "{} {} answered {status}",
                        Capability::Health.name(),
                        self.health
                    );
                }
                Err(why) => {
                    last = if last.contains("answered") { last } else { why };
                    // An app that takes a port of its own instead: in a box nobody else listens.
                    if self.level == Level::Boxed && rounds % 20 == 19 {
                        running.address = elsewhere(&running).unwrap_or(running.address);
                    }
                }
            }
            rounds += 1;
            if Instant::now() > ends {
                return Err(BootError {
                    fault: Fault::App,
                    by_itself: false,
                    why: format!(
                        "the app was not ready within {} s: {last}",
                        self.ready_within.as_secs()
                    ),
                    log: tail(&running.cell),
                });
            }
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    fn command(&self, tree: &Path) -> (Option<Vec<OsString>>, String) {
        if let Some(command) = &self.command {
            return (Some(command.clone()), String::new());
        }
        if tree.join("start.sh").is_file() {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let _ =
                    fs::set_permissions(tree.join("start.sh"), fs::Permissions::from_mode(0o755));
            }
            return (Some(vec!["./start.sh".into()]), String::new());
        }
        let language = self.framework.map(|framework| framework.language);
        let found = start::procfile(tree)
            .or_else(|| self.framework.and_then(|framework| (framework.start)(tree)))
            .or_else(|| start::dockerfile(tree))
            .or_else(|| match language? {
                Language::Python => start::python_program(tree),
                Language::Node => start::node(tree),
                Language::Rust => None,
            });
        let why = "there is no start.sh, Procfile, start script or CMD, and no app was found to start; add a start.sh that serves on $PORT".to_owned();
        (
            found.map(|words| words.into_iter().map(OsString::from).collect()),
            why,
        )
    }

    /// The box shows the cell's own folder as `/tmp`.
    fn temporary(&self, root: &Path) -> PathBuf {
        match self.level {
            Level::Boxed => PathBuf::from("/tmp"),
            Level::Plain => root.join("tmp"),
        }
    }

    fn environment(
        &self,
        root: &Path,
        uploads: &Path,
        database: &Path,
        port: u16,
        without: &[&str],
    ) -> Vec<(OsString, OsString)> {
        let system = "/usr/local/bin:/usr/bin:/bin";
        let path = match &self.bin {
            Some(bin) => format!("{}:{system}", bin.display()),
            None => system.to_owned(),
        };
        let mut env: Vec<(&str, OsString)> = vec![
            ("PATH", path.into()),
            ("HOME", root.join("home").into()),
            ("TMPDIR", self.temporary(root).into()),
            ("LANG", "C.UTF-8".into()),
            ("PORT", port.to_string().into()),
            ("DATABASE_PATH", database.into()),
            ("UPLOAD_DIR", uploads.into()),
        ];
        env.extend(self.settings.variables());
        if let Some(framework) = self.framework {
            env.extend(
                framework
                    .environment
                    .iter()
                    .map(|(name, value)| (*name, OsString::from(value))),
            );
        }
        let set: Vec<(&str, &str)> = without
            .iter()
            .filter_map(|one| one.split_once('='))
            .collect();
        env.retain(|(name, _)| !set.iter().any(|(other, _)| other == name));
        env.extend(set.iter().map(|(name, value)| (*name, value.into())));
        let known: Vec<&str> = env.iter().map(|(name, _)| *name).collect();
        let settings = &self.settings;
        let values = [
            ("JWT_SECRET", settings.jwt_secret.as_str()),
            ("WEBHOOK_SECRET", &settings.webhook_secret),
            ("ADMIN_EMAIL", &settings.admin_email),
            ("ADMIN_PASSWORD", &settings.admin_password),
        ];
        let wanted = env::wanted(&self.tree, &values, database, &known);
        let wanted = wanted
            .into_iter()
            .filter(|one| {
                !one.with.is_some_and(|with| without.contains(&with))
                    && !without.contains(&one.name.as_str())
            })
            .map(|one| (one.name.into(), one.value.into()));
        env.into_iter()
            .filter(|(name, _)| !without.contains(name))
            .map(|(name, value)| (name.into(), value))
            .chain(wanted)
            .collect()
    }
}

/// The status of the health route, and where it redirects to.
fn answers(running: &Running, path: &str) -> Result<(u16, Option<String>), String> {
    let from = IpAddr::V4(Ipv4Addr::new(127, 8, 8, 8));
    let from = if cfg!(target_os = "linux") {
        from
    } else {
        Ipv4Addr::LOCALHOST.into()
    };
    let socket = running
        .cell
        .socket(from)
        .map_err(|error| error.to_string())?;
    let path = if path.is_empty() { "/" } else { path };
    let bytes = wire::Request::new("GET", path).bytes(&running.address.to_string());
    let limits = wire::Limits {
        time: Duration::from_secs(2),
        bytes: 1 << 20,
    };
    match wire::exchange(socket, running.address, "GET", &bytes, limits).reply {
        Ok(reply) => Ok((reply.status, reply.header("location"))),
        Err(trouble) => Err(format!("PORT: {trouble}")),
    }
}

/// Another usual port on which something answers.
fn elsewhere(running: &Running) -> Option<SocketAddr> {
    start::USUAL_PORTS
        .into_iter()
        .map(|port| SocketAddr::new(running.address.ip(), port))
        .find(|at| {
            let from = IpAddr::V4(Ipv4Addr::new(127, 8, 8, 8));
            let Ok(socket) = running.cell.socket(from) else {
                return false;
            };
            let bytes = wire::Request::new("GET", "/").bytes(&at.to_string());
            let limits = wire::Limits {
                time: Duration::from_secs(2),
                bytes: 1 << 20,
            };
            wire::exchange(socket, *at, "GET", &bytes, limits)
                .reply
                .is_ok()
        })
}

fn tail(cell: &Cell) -> String {
    let text = cell.log_tail(8 * 1024);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?
        .local_addr()?
        .port())
}

/// A new folder below `parent`, named by this process so that leftovers can be told from what is in use.
fn unique(parent: &Path) -> std::io::Result<PathBuf> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{}-{number}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
