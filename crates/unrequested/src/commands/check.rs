//! `check`: one app, from its folder or where it runs.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::recorded;
use exploit::{Endpoint, Given, Host, Seed, Target};
use model::decision::Told;
use model::run::Tier;
use model::{Cause, Step, Word};
use report::finding::too_little;
use report::{Paint, Report};

use super::conclude::Wanted;
use super::decisions::sample_told;
use super::{called, chosen, is_incomplete};
use crate::bind;
use crate::cli::{Check, Cli, FailOn};
use crate::context::{Context, suite_hash};
use crate::decided::{self, Lock};
use crate::exit::{Exit, Fatal};
use crate::interrupt::Watch;
use crate::ledger::{Cost, Ledger, NewUnit, RunRow};
use crate::progress::Progress;
use crate::serving;
use crate::session::{Attackers, Outcome, attack, boot_and_attack, worth_another};
use crate::target::Stand;
use crate::unbooted;

/// What is to be checked.
enum App {
    Folder {
        tree: PathBuf,
        shown: String,
        agent: String,
    },
    Running {
        endpoint: Endpoint,
        shown: String,
    },
}

pub(super) fn run(cli: &Cli, check: &Check, paint: Paint) -> Result<Exit, Fatal> {
    let mut entries = chosen(&check.only)?;
    if check.depth {
        entries.extend(exploit::Entry::depth());
    }
    let context = Context::open(&cli.dir, cli.require_box)?;
    let progress = Progress::new(cli.quiet);
    let app = app(check, &context)?;
    let shown = match &app {
        App::Folder { shown, .. } | App::Running { shown, .. } => shown.clone(),
    };
    let tree = match &app {
        App::Folder { tree, .. } => Some(tree.as_path()),
        App::Running { .. } => None,
    };
    let wanted = Wanted::read(check, tree, &shown, &entries, paint)?;
    progress.line(&format!("unrequested check {shown}"));
    // Before a run is begun: what cannot be booted leaves the last run as the last.
    if let App::Folder { tree, .. } = &app {
        let lines = match app::framework::recognise(tree) {
            None => Some(vec![unknown(tree).why]),
            Some(framework) => unbooted::needs(tree, framework).inspect(|_| {
                progress.line(&format!(" {} ({})", framework.name, tree.display()));
            }),
        };
        if let Some(lines) = lines {
            return unbooted::tell(tree, &lines, check, &progress, paint);
        }
    }
    let row = context
        .ledger
        .begin_run("check", &suite_hash(), &shown, "")?;
    let watch = watch(&context, &row, &wanted, cli.quiet);
    let seed = Seed::new(&row.seed);
    match app {
        App::Folder { tree, agent, .. } => {
            let Some(framework) = app::framework::recognise(&tree) else {
                let lines = [unknown(&tree).why];
                return unbooted::tell(&tree, &lines, check, &progress, paint);
            };
            progress.line(&format!(" {} ({})", framework.name, tree.display()));
            if let Some(why) = &context.no_box {
                progress.warn(&format!(
                    " WARNING: no box here ({why}): the app runs as a plain process of yours."
                ));
            }
            let told = match agent.strip_prefix("recorded:") {
                Some(recording) => sample_told(framework.id, recording, agent::SILENT, usize::MAX)?,
                None => decided::told(
                    vec![(String::new(), decision::read(&tree))],
                    &decided::wishes(&tree),
                    &Lock::read(&tree)?,
                ),
            };
            for line in unbooted::remarks(&tree) {
                progress.line(&line);
            }
            progress.live("  installing its packages");
            let new = unit(&agent, framework.id, Some(&tree));
            match context.ready(&tree, framework, &seed) {
                Ok(mut plan) => {
                    if let Some(remark) = &plan.remark {
                        progress.line(&format!(" {}", report::clean(remark)));
                    }
                    plan.ready_within = std::time::Duration::from_secs(check.ready_within);
                    let offer = bind::of_folder(&tree, &plan, check, &seed, &progress)?;
                    tell(&offer, &tree, check, &progress)?;
                    bind::keep(&context.dir, &row.id, &offer)?;
                    plan.health = bind::health(&offer.binding);
                    let stand = Stand::new(plan, offer.binding).knowing(offer.known);
                    progress.line(&format!(
                        " A copy is booted in its production profile; box: {}.",
                        stand.level()
                    ));
                    let attackers = Attackers {
                        entries: &entries,
                        seed,
                        name: "check",
                        unbound: &offer.unbound,
                    };
                    attack_copies(&context, &row, (&new, &told), &stand, &attackers, &progress)?;
                }
                Err(error) if error.is_missing() => return Err(error.into()),
                Err(error) => {
                    let cause = Cause {
                        fault: error.fault(),
                        step: Step::Boot,
                        why: error.to_string(),
                    };
                    let id = context.ledger.begin_unit(&row.id, &new)?;
                    context.ledger.put_reading(id, &told)?;
                    context.ledger.fail_unit(id, &cause, "")?;
                }
            }
        }
        App::Running { endpoint, shown } => {
            let local = endpoint.address.ip().is_loopback();
            let entries: Vec<_> = if local {
                entries
            } else {
                // Somebody else's machine keeps its data: nothing that deletes, floods or fills.
                let destructive = [
                    "file-delete-other-user",
                    "admin-delete-as-user",
                    "admin-anonymous",
                    "admin-role-change-as-user",
                    "upload-anonymous",
                    "upload-oversize",
                    "login-rate-limit",
                    "webhook-unsigned",
                    "webhook-wrong-signature",
                    "webhook-tampered-body",
                    "webhook-replay",
                    "input-validation",
                ];
                progress.line(&format!(
                    " Left out on another machine, as they delete, change or fill: {}.",
                    destructive.join(", ")
                ));
                entries
                    .into_iter()
                    .filter(|entry| !destructive.contains(&entry.id))
                    .collect()
            };
            let development = development(check, &endpoint, &progress);
            let mut target = running(check, endpoint, !development);
            let offer = bind::of_running(&target, check, &seed, &progress)?;
            tell(&offer, std::path::Path::new("."), check, &progress)?;
            bind::keep(&context.dir, &row.id, &offer)?;
            target.binding = Arc::new(offer.binding);
            offer.known.told(&mut target.given);
            let mut new = unit("none", "unknown", None);
            new.session.clone_from(&shown);
            let id = context.ledger.begin_unit(&row.id, &new)?;
            if let Some(tree) = &check.source {
                let read = vec![(String::new(), decision::read(tree))];
                let told = decided::told(read, &decided::wishes(tree), &Lock::read(tree)?);
                context.ledger.put_reading(id, &told)?;
            }
            let profile = if development {
                "development"
            } else {
                "unknown"
            };
            context.ledger.booted(id, ("none", ""), profile, 0)?;
            let attackers = Attackers {
                entries: &entries,
                seed,
                name: "check",
                unbound: &offer.unbound,
            };
            let (requests, wall_ms) = attack(&context, id, &target, &attackers, &progress)?;
            context.ledger.end_unit(
                id,
                Cost {
                    requests,
                    wall_ms,
                    app_cpu_ms: None,
                },
                "",
            )?;
        }
    }
    watch.finish();
    progress.clear();
    context.ledger.end_run(&row.id)?;
    wanted.conclude(&context.ledger, &row.id, false)
}

/// At Ctrl-C, what has ended is told.
fn watch(context: &Context, row: &RunRow, wanted: &Wanted, quiet: bool) -> Watch {
    let (dir, run, wanted) = (context.dir.clone(), row.id.clone(), wanted.clone());
    Watch::begin(move || {
        Progress::new(quiet).clear();
        let told = Ledger::open(&dir)
            .map_err(Fatal::from)
            .and_then(|ledger| wanted.conclude(&ledger, &run, true));
        told.unwrap_or_else(|fatal| {
            Progress::new(false).warn(&format!("unrequested: {}", report::clean(&fatal.why)));
            fatal.exit
        })
    })
}

/// Boots and attacks; a boot that failed for a cause that is not the app's is tried once more.
pub(super) fn attack_copies(
    context: &Context,
    row: &RunRow,
    (new, told): (&NewUnit, &Told),
    stand: &Stand,
    attackers: &Attackers<'_>,
    progress: &Progress,
) -> Result<(), Fatal> {
    for _ in 0..2 {
        let id = context.ledger.begin_unit(&row.id, new)?;
        context.ledger.put_reading(id, told)?;
        let outcome = boot_and_attack(context, id, stand, attackers, progress)?;
        if !worth_another(&outcome) {
            break;
        }
        if let Outcome::NotBooted(cause) = outcome {
            progress.line(&format!(
                " booting failed ({}); trying once more",
                report::clean(&cause.why)
            ));
        }
    }
    Ok(())
}

pub(super) fn exit(report: &Report<'_>, check: &Check) -> Exit {
    let run = report.run;
    if run.sessions.iter().any(|session| session.trouble.is_some()) {
        return Exit::Nothing;
    }
    let found = |tier: Option<Tier>| {
        let mut counting = report.counting();
        counting.any(|(_, finding)| tier.is_none_or(|tier| tier == finding.tier))
    };
    let fails = match check.fail_on {
        FailOn::Never => false,
        FailOn::Exploited => found(Some(Tier::Requirement)),
        FailOn::Absent => found(None),
    };
    if fails {
        return Exit::Findings;
    }
    let verdicts: Vec<_> = run
        .sessions
        .iter()
        .flat_map(|session| &session.verdicts)
        .collect();
    let decided = verdicts
        .iter()
        .filter(|one| matches!(one.verdict, Word::Exploited | Word::Resisted))
        .count();
    if decided == 0 {
        return Exit::Nothing;
    }
    if is_incomplete(run) || run.sessions.iter().any(too_little) {
        return Exit::Coverage;
    }
    Exit::Done
}

/// The lines below the findings.
pub(super) fn lines(report: &Report<'_>, row: &RunRow, exit: Option<Exit>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((_, first)) = report.counting().next() {
        lines.push(format!(
            "why     {} explain {}",
            called(),
            first.exploits[0]
        ));
    }
    lines.push(format!("run     {}", row.id));
    let Some(exit) = exit else { return lines };
    let code = exit as u8;
    lines.push(match exit {
        Exit::Done => "exit 0: nothing at or above --fail-on".to_owned(),
        Exit::Findings => format!("exit {code}: findings at or above --fail-on"),
        Exit::Coverage => format!("exit {code}: too little could be decided to call this a result"),
        Exit::Nothing => format!("exit {code}: nothing was tested"),
        Exit::Failed | Exit::Usage | Exit::Missing => format!("exit {code}"),
    });
    lines
}

fn unit(agent: &str, framework: &str, tree: Option<&Path>) -> NewUnit {
    NewUnit {
        key: String::new(),
        session: "check".into(),
        agent: agent.to_owned(),
        framework: framework.to_owned(),
        arm: "none".into(),
        replicate: 1,
        step: "final".into(),
        tree: tree.map(|tree| tree.display().to_string()),
    }
}

fn app(check: &Check, context: &Context) -> Result<App, Fatal> {
    if let Some(name) = &check.sample {
        let (framework, name) = name.split_once('/').unwrap_or(("fastapi", name));
        // Before anything is made or removed: a name is part of a path.
        if !recorded::names(framework).iter().any(|known| known == name) {
            return Err(Fatal::usage(format!(
                "there is no sample `{framework}/{name}`; there are: {}",
                recorded::all().join(", ")
            )));
        }
        let tree = context.dir.join("samples").join(framework).join(name);
        if tree.exists() {
            std::fs::remove_dir_all(&tree)?;
        }
        std::fs::create_dir_all(&tree)?;
        recorded::write(framework, name, 6, &tree)?;
        let shown = format!("--sample {framework}/{name} ({})", recorded::LABEL);
        return Ok(App::Folder {
            tree,
            shown,
            agent: format!("recorded:{name}"),
        });
    }
    if check.app.starts_with("https://") {
        return Err(Fatal::usage(
            "https is not supported by this version; check the app over http on loopback",
        ));
    }
    if let Some(rest) = check.app.strip_prefix("http://") {
        return Ok(App::Running {
            endpoint: endpoint(rest, check.i_own.as_deref())?,
            shown: check.app.clone(),
        });
    }
    let tree = PathBuf::from(&check.app);
    let tree = tree.canonicalize().map_err(|error| {
        Fatal::usage(format!(
            "cannot read the folder {}: {error}",
            tree.display()
        ))
    })?;
    if !tree.is_dir() {
        return Err(Fatal::usage(format!("{} is no folder", tree.display())));
    }
    Ok(App::Folder {
        shown: check.app.clone(),
        tree,
        agent: "none".into(),
    })
}

/// The address of a running app: loopback, or a host that its owner named.
fn endpoint(rest: &str, owned: Option<&str>) -> Result<Endpoint, Fatal> {
    let host = rest.split('/').next().unwrap_or(rest);
    let with_port = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let name = with_port.rsplit_once(':').map_or(host, |(name, _)| name);
    let found: Vec<SocketAddr> = with_port
        .to_socket_addrs()
        .map_err(|error| Fatal::usage(format!("{with_port} is no address: {error}")))?
        .collect();
    let address = found
        .iter()
        .find(|at| at.is_ipv4())
        .or_else(|| found.first())
        .copied();
    let Some(address) = address else {
        return Err(Fatal::usage(format!("{with_port} has no address")));
    };
    let loopback = found.iter().all(|at| at.ip().is_loopback());
    if !loopback && owned != Some(name) {
        return Err(Fatal::usage(format!(
            "{name} is not loopback; only attack what is yours. If it is: --i-own {name}"
        )));
    }
    Ok(Endpoint {
        address,
        host: host.to_owned(),
    })
}

/// Sockets towards a host that is not this machine: there the source address is the machine's own.
struct Away {
    /// When the last request was sent: somebody else's users are on that machine, too.
    last: std::sync::Mutex<Option<std::time::Instant>>,
}

/// Between two requests to another machine.
const PACE: std::time::Duration = std::time::Duration::from_millis(200);

impl exploit::Dial for Away {
    fn socket(&self, _from: IpAddr) -> std::io::Result<std::os::fd::OwnedFd> {
        let mut last = self
            .last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(last) = *last {
            std::thread::sleep(PACE.saturating_sub(last.elapsed()));
        }
        *last = Some(std::time::Instant::now());
        wire::socket(std::net::Ipv4Addr::UNSPECIFIED.into())
    }

    fn many_addresses(&self) -> bool {
        false
    }
}

/// Whether a running app is served for development, which is said: what holds in production alone is then not judged.
fn development(check: &Check, at: &Endpoint, progress: &Progress) -> bool {
    let by = if at.address.ip().is_loopback() && !check.production {
        serving::development(at.address)
    } else {
        None
    };
    progress.line(&match &by {
        Some(by) => format!(
            " It looks like a development server ({}): what holds in production alone is not judged. --production does all the same.",
            report::clean(by)
        ),
        None => " It runs already, and is judged as if in production.".to_owned(),
    });
    by.is_some()
}

fn running(check: &Check, at: Endpoint, production: bool) -> Target {
    let dial: Arc<dyn exploit::Dial> = if at.address.ip().is_loopback() {
        Arc::new(Host)
    } else {
        Arc::new(Away {
            last: std::sync::Mutex::default(),
        })
    };
    Target {
        at,
        dial,
        binding: Arc::new(exploit::contract()),
        given: Given {
            jwt_secret: None,
            webhook_secret: check.webhook_secret.clone(),
            admin: check.admin.clone(),
            users: check.user.clone(),
            cors_origins: check.cors_origins.clone(),
            literals: check
                .source
                .as_deref()
                .map(app::literals)
                .unwrap_or_default(),
            temporary: None,
            production,
        },
        storage: None,
        stage: None,
        proxied: false,
        patience: crate::target::PATIENCE,
        keep: None,
    }
}

/// What was found out goes on the screen, and into a file where that is wanted.
fn tell(offer: &bind::Offer, tree: &Path, check: &Check, progress: &Progress) -> Result<(), Fatal> {
    for line in &offer.lines {
        progress.line(line);
    }
    if let Some(path) = &check.write_config {
        let path = if path.as_os_str() == "unrequested.toml" {
            tree.join(path)
        } else {
            path.clone()
        };
        progress.line(&bind::write(offer, &path)?);
    }
    Ok(())
}

fn unknown(tree: &Path) -> Fatal {
    let manifests: Vec<String> = app::framework::manifests(tree)
        .iter()
        .filter_map(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .collect();
    let known: Vec<&str> = app::framework::ALL
        .iter()
        .map(|framework| framework.name)
        .collect();
    let found = if manifests.is_empty() {
        "no manifest was found".to_owned()
    } else {
        format!("found {}", manifests.join(", "))
    };
    Fatal::nothing(format!(
        "{} is no app that this version can boot ({found}); it boots: {}. \
         An app that runs already: unrequested check http://127.0.0.1:PORT",
        tree.display(),
        known.join(", ")
    ))
}
