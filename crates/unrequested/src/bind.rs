//! How the app under check offers its capabilities: what a file says, else the contract where the source has all of it,
//! else what is found by using a copy of it.

use std::path::{Path, PathBuf};

use app::Plan;
use exploit::{Ran, Seed, Target};
use infer::{Given, Hint, Hints, Inferred, Talk, Unbound};
use model::{Binding, Capability, Cause, Fault, Step};

use crate::cli::Check;
use crate::exit::Fatal;
use crate::progress::Progress;
use crate::target::{Known, Stand};

/// A binding, and where it is from.
pub(crate) struct Offer {
    pub(crate) binding: Binding,
    /// What looks like it was there and is not bound: exploits that need it cannot say anything.
    pub(crate) unbound: Vec<Unbound>,
    /// For the screen.
    pub(crate) lines: Vec<String>,
    pub(crate) inferred: Option<Inferred>,
    /// Accounts and secrets that a file or the command line told.
    pub(crate) known: Known,
}

impl Offer {
    fn known(binding: Binding, line: &str) -> Self {
        Self {
            binding,
            unbound: Vec::new(),
            lines: if line.is_empty() {
                Vec::new()
            } else {
                vec![line.to_owned()]
            },
            inferred: None,
            known: Known::default(),
        }
    }

    /// The command line's word goes before the file's.
    fn tell(&mut self, check: &Check) {
        let said = said(check);
        if !said.users.is_empty() {
            self.known.users = said.users;
        }
        self.known.admin = said.admin.or(self.known.admin.take());
        self.known.webhook_secret = said.webhook_secret.or(self.known.webhook_secret.take());
    }

    fn found(inferred: Inferred) -> Self {
        Self {
            binding: inferred.binding.clone(),
            unbound: inferred
                .unbound
                .iter()
                .filter(|one| one.seen)
                .cloned()
                .collect(),
            lines: lines(&inferred),
            inferred: Some(inferred),
            known: Known::default(),
        }
    }
}

/// What the command line told.
pub(crate) fn said(check: &Check) -> Known {
    Known {
        admin: check.admin.clone(),
        users: check.user.clone(),
        webhook_secret: check.webhook_secret.clone(),
    }
}

/// The binding of a folder's app. A copy is booted for the search, and ended before anything is attacked.
pub(crate) fn of_folder(
    tree: &Path,
    plan: &Plan,
    check: &Check,
    seed: &Seed,
    progress: &Progress,
) -> Result<Offer, Fatal> {
    let mut offer = folder(tree, plan, check, seed, progress)?;
    offer.tell(check);
    Ok(offer)
}

fn folder(
    tree: &Path,
    plan: &Plan,
    check: &Check,
    seed: &Seed,
    progress: &Progress,
) -> Result<Offer, Fatal> {
    if let Some(offer) = written(Some(tree), check)? {
        return Ok(offer);
    }
    let hints = hints_of(tree);
    if !check.infer && offers_all(&hints, &exploit::contract()) {
        return Ok(Offer::known(exploit::contract(), ""));
    }
    progress.live("  finding out what the app offers");
    Ok(found_out(hints, plan, &said(check), seed))
}

/// What a tree's app offers by itself, whatever files or the contract say.
pub(crate) fn withheld(tree: &Path, plan: &Plan, seed: &Seed) -> Offer {
    found_out(hints_of(tree), plan, &Known::default(), seed)
}

fn found_out(mut hints: Hints, plan: &Plan, known: &Known, seed: &Seed) -> Offer {
    // A path of that name may mean something else: where it never answers, any answer will do.
    let named = ready_path(&hints);
    let paths = [named.clone(), String::new()];
    let mut booted = None;
    for health in paths.into_iter().skip(usize::from(named.is_empty())) {
        let mut plan = plan.clone();
        plan.health = health;
        let stand = Stand::new(plan, exploit::contract()).knowing(known.clone());
        booted = stand.target(&[]).ok().map(|(target, ..)| (target, stand));
        if booted.is_some() {
            break;
        }
    }
    let Some((target, _stand)) = booted else {
        // It will not boot for the attack either, and then that is what is told.
        return Offer::known(exploit::contract(), "");
    };
    hints.merge(served(&target));
    if hints.routes.is_empty() && hints.pages.is_empty() {
        let line = " No route was found in the source or in an OpenAPI document; the contract's are tried.";
        return Offer::known(exploit::contract(), line);
    }
    Offer::found(on(&target, &hints, seed, true))
}

/// The binding of an app that runs already; its source, where it is known, gives hints.
pub(crate) fn of_running(
    target: &Target,
    check: &Check,
    seed: &Seed,
    progress: &Progress,
) -> Result<Offer, Fatal> {
    let mut offer = attached(target, check, seed, progress)?;
    offer.tell(check);
    Ok(offer)
}

fn attached(
    target: &Target,
    check: &Check,
    seed: &Seed,
    progress: &Progress,
) -> Result<Offer, Fatal> {
    let source = check.source.as_deref();
    if let Some(offer) = written(source, check)? {
        return Ok(offer);
    }
    let mut hints = source.map(hints_of).unwrap_or_default();
    if !check.infer && offers_all(&hints, &exploit::contract()) {
        return Ok(Offer::known(exploit::contract(), ""));
    }
    hints.merge(served(target));
    if hints.routes.is_empty() && hints.pages.is_empty() {
        let line = " No source and no OpenAPI document: the contract's routes are tried. Name its folder: --source .";
        return Ok(Offer::known(exploit::contract(), line));
    }
    progress.live("  finding out what the app offers");
    // Its data are somebody's: what deletes or promotes is found out on copies alone.
    Ok(Offer::found(on(target, &hints, seed, false)))
}

/// `--config`, or `unrequested.toml` in the tree.
fn written(tree: Option<&Path>, check: &Check) -> Result<Option<Offer>, Fatal> {
    let (path, text) = if let Some(path) = &check.config {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Fatal::usage(format!("cannot read {}: {error}", path.display())))?;
        (path.clone(), text)
    } else {
        let name = "unrequested.toml";
        match tree.and_then(|tree| Some((tree.join(name), app::read_text(tree, name)?))) {
            Some(found) if !check.infer => found,
            Some(_) | None => return Ok(None),
        }
    };
    let wrong =
        |error: &dyn std::fmt::Display| Fatal::usage(format!("{}: {error}", path.display()));
    let (text, beside) = infer::beside(text).map_err(|error| wrong(&error))?;
    let binding = exploit::parse_binding(&text).map_err(|error| wrong(&error))?;
    let mut offer = Offer::known(binding, &format!(" Bound as {} says.", path.display()));
    // A file that leaves a route out must not make what needs it "not applicable" by that alone.
    offer.unbound = Capability::ALL
        .into_iter()
        .filter(|one| offer.binding.route(*one).is_none() && !beside.absent.contains(one))
        .map(|capability| Unbound {
            capability,
            why: format!(
                "{} does not bind it; if the app has none, put it into `absent` there",
                path.display()
            ),
            seen: true,
        })
        .collect();
    offer.known = Known {
        admin: beside.admin,
        users: beside.users,
        webhook_secret: beside.webhook_secret,
    };
    Ok(Some(offer))
}

/// What source and documents in a tree say.
fn hints_of(tree: &Path) -> Hints {
    let mut hints = Hints::default();
    for folder in ["", "docs/", "api/", "public/"] {
        for name in ["openapi", "swagger"] {
            for ending in ["json", "yaml", "yml"] {
                let text = app::read_text(tree, &format!("{folder}{name}.{ending}"));
                if let Some(found) = text.as_deref().and_then(infer::read_openapi) {
                    hints.merge(found);
                }
            }
        }
    }
    let source = decision::hints(tree);
    let mut read = Hints {
        words: source.words,
        ..Hints::default()
    };
    for page in source.pages {
        let mut hint = Hint::new(&page.method, &page.path);
        hint.words = page.words;
        read.pages.push(hint);
    }
    for route in source.routes {
        let mut hint = Hint::new(&route.method, &route.path);
        hint.words = route.words;
        // Whether `/notes/` is also `/notes` differs; both are only tried.
        if let Some(short) = hint
            .path
            .strip_suffix('/')
            .filter(|short| !short.is_empty())
        {
            let mut other = Hint::new(&route.method, short);
            other.words.clone_from(&hint.words);
            read.routes.push(other);
        }
        read.routes.push(hint);
    }
    hints.merge(read);
    hints
}

/// What the app's own document says, where it serves one.
fn served(target: &Target) -> Hints {
    let dial = |from| target.dial.socket(from);
    let mut talk = talk(target, &dial, "documents");
    let mut hints = Hints::default();
    for place in infer::OPENAPI_PLACES {
        if let Some(found) = talk.page(place).as_deref().and_then(infer::read_openapi) {
            hints.merge(found);
            break;
        }
    }
    hints
}

fn talk<'a>(
    target: &Target,
    dial: &'a dyn Fn(std::net::IpAddr) -> std::io::Result<std::os::fd::OwnedFd>,
    seed: &str,
) -> Talk<'a> {
    let talk = Talk::new(dial, target.at.address, &target.at.host, seed).proxied(target.proxied);
    if target.dial.many_addresses() {
        talk
    } else {
        talk.one_address()
    }
}

fn on(target: &Target, hints: &Hints, seed: &Seed, may_delete: bool) -> Inferred {
    let dial = |from| target.dial.socket(from);
    let mut talk = talk(target, &dial, &seed.letters("infer", 24));
    let given = Given {
        admin: target.given.admin.clone(),
        users: target.given.users.clone(),
        webhook_secret: target.given.webhook_secret.clone(),
        may_delete,
    };
    infer::infer(&mut talk, hints, &given)
}

/// Whether the source names every route of a binding.
fn offers_all(hints: &Hints, binding: &Binding) -> bool {
    binding.routes.values().all(|route| {
        hints.routes.iter().any(|hint| {
            hint.path.trim_end_matches('/') == route.path
                && (hint.method == route.method || hint.method == "ANY")
        })
    })
}

/// The path that says that the app is ready; empty where any answer must do.
fn ready_path(hints: &Hints) -> String {
    let known = ["/health", "/healthz", "/healthcheck", "/ping"];
    let found = hints.routes.iter().find(|hint| {
        matches!(hint.method.as_str(), "GET" | "ANY")
            && !hint.path.contains(['{', ':', '<', '['])
            && known.iter().any(|end| hint.path.ends_with(end))
    });
    found.map(|hint| hint.path.clone()).unwrap_or_default()
}

/// The path that says that a copy is ready, by what was found.
pub(crate) fn health(binding: &Binding) -> String {
    binding
        .route(Capability::Health)
        .map(|route| route.path.clone())
        .unwrap_or_default()
}

fn lines(found: &Inferred) -> Vec<String> {
    let names: Vec<&str> = found.bound().into_iter().map(Capability::name).collect();
    let mut lines = Vec::new();
    if names.is_empty() {
        lines.push(format!(
            " Nothing could be bound ({} requests).",
            found.requests
        ));
    } else {
        lines.push(format!(
            " Proven by doing: {} ({} requests).",
            names.join(", "),
            found.requests
        ));
    }
    for one in found.unbound.iter().filter(|one| one.seen) {
        lines.push(format!(
            " Not bound: {}: {}",
            one.capability.name(),
            report::clean(&one.why)
        ));
    }
    let absent: Vec<&str> = found
        .unbound
        .iter()
        .filter(|one| !one.seen)
        .map(|one| one.capability.name())
        .collect();
    if !absent.is_empty() {
        lines.push(format!(" No route looks like: {}.", absent.join(", ")));
    }
    if let Some(last) = &found.died_at {
        lines.push(format!(
            " The app stopped answering after {}.",
            report::clean(last)
        ));
    }
    if !found.unbound.is_empty() {
        lines.push(" Wrong or missing? --write-config, correct the file, check again.".to_owned());
    }
    lines
}

/// Writes what was found; an existing file is the user's own and stays.
pub(crate) fn write(offer: &Offer, path: &Path) -> Result<String, Fatal> {
    let Some(found) = &offer.inferred else {
        return Err(Fatal::usage(
            "--write-config writes what was found out, and this app's binding was given; --infer finds it out anyway",
        ));
    };
    let text = infer::write_config(found);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    written
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|error| Fatal::usage(format!("cannot write {}: {error}", path.display())))?;
    Ok(format!(" Written: {}", path.display()))
}

/// Where a run's binding is kept, for `replay`.
fn kept(dir: &Path, run: &str) -> PathBuf {
    dir.join("bindings").join(format!("{run}.toml"))
}

/// Keeps a run's binding, and what of the app it does not say.
pub(crate) fn keep(dir: &Path, run: &str, offer: &Offer) -> Result<(), Fatal> {
    let path = kept(dir, run);
    std::fs::create_dir_all(dir.join("bindings"))?;
    let failed = |error: &dyn std::fmt::Display| Fatal::failed(error.to_string());
    let text = toml::to_string(&offer.binding).map_err(|error| failed(&error))?;
    std::fs::write(&path, text)?;
    let unbound: Vec<(Capability, &str)> = offer
        .unbound
        .iter()
        .map(|one| (one.capability, one.why.as_str()))
        .collect();
    let text = serde_json::to_string(&unbound).map_err(|error| failed(&error))?;
    Ok(std::fs::write(path.with_extension("unbound.json"), text)?)
}

/// What was there in a run's app and not bound; nothing for runs that kept none.
pub(crate) fn unbound_of_run(dir: &Path, run: &str) -> Result<Vec<Unbound>, Fatal> {
    let path = kept(dir, run).with_extension("unbound.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Fatal::failed(format!("{}: {error}", path.display()))),
    };
    let all: Vec<(Capability, String)> = serde_json::from_str(&text)
        .map_err(|error| Fatal::failed(format!("{}: {error}", path.display())))?;
    let told = |(capability, why)| Unbound {
        capability,
        why,
        seen: true,
    };
    Ok(all.into_iter().map(told).collect())
}

/// A run's binding; the contract for runs that kept none. With a wrong one the exploits would find nothing to attack.
pub(crate) fn of_run(dir: &Path, run: &str) -> Result<Binding, Fatal> {
    let path = kept(dir, run);
    let wrong =
        |error: &dyn std::fmt::Display| Fatal::failed(format!("{}: {error}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(text) => exploit::parse_binding(&text).map_err(|error| wrong(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(exploit::contract()),
        Err(error) => Err(wrong(&error)),
    }
}

/// The facts of an exploit that met a capability which is there but not bound, or left out what it would have looked at there:
/// nothing was decided about the app.
pub(crate) fn not_absent(ran: &Ran, unbound: &[Unbound]) -> Option<Ran> {
    let there = |capability| unbound.iter().find(|one| one.capability == capability);
    let one = match ran.facts.missing {
        Some(missing) => there(missing),
        // Why it stopped says more.
        None if ran.facts.stop.is_some() => None,
        None => ran.facts.without.iter().copied().find_map(there),
    }?;
    let why = format!("{} is not bound: {}", one.capability.name(), one.why);
    let mut facts = ran.facts.clone();
    facts.missing = None;
    facts.beside = None;
    facts.stop = Some(Cause {
        fault: Fault::Harness,
        step: Step::Setup,
        why,
    });
    Some(Ran {
        id: ran.id,
        facts,
        exchanges: ran.exchanges.clone(),
        took: ran.took,
        attempt: ran.attempt,
        repeat: ran.repeat,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{Facts, Word, judge};

    use super::*;

    /// For `replay`, which would say otherwise what the run could not.
    #[test]
    fn what_a_run_knew_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut offer = Offer::known(exploit::contract(), "");
        offer.unbound.push(Unbound {
            capability: Capability::Search,
            why: "\"odd\"\n".into(),
            seen: true,
        });
        keep(dir.path(), "run", &offer).unwrap();
        assert_eq!(of_run(dir.path(), "run").unwrap(), offer.binding);
        assert_eq!(unbound_of_run(dir.path(), "run").unwrap(), offer.unbound);
        assert!(unbound_of_run(dir.path(), "other").unwrap().is_empty());
        std::fs::write(dir.path().join("bindings/run.unbound.json"), "[").unwrap();
        assert!(unbound_of_run(dir.path(), "run").is_err());
    }

    #[test]
    fn what_is_there_but_not_bound_is_not_said_to_be_absent() {
        let facts = Facts {
            missing: Some(Capability::Upload),
            ..Facts::default()
        };
        let ran = Ran {
            id: "upload-oversize",
            facts,
            exchanges: Vec::new(),
            took: Duration::ZERO,
            attempt: 1,
            repeat: false,
        };
        assert_eq!(judge(&ran.facts).word(), Word::NotApplicable);
        let seen = |capability| Unbound {
            capability,
            why: "it answered 500".into(),
            seen: true,
        };
        let unbound = [seen(Capability::Me), seen(Capability::Upload)];
        let told = not_absent(&ran, &unbound).unwrap();
        assert_eq!(judge(&told.facts).word(), Word::Inconclusive);
        assert!(judge(&told.facts).why().contains("it answered 500"));
        assert!(not_absent(&ran, &[seen(Capability::Me)]).is_none());
    }

    #[test]
    fn what_was_passed_over_is_not_resisted() {
        let looked = |held| model::Observation {
            label: "A's me is shown without a token".into(),
            sees: model::Sees::Status(vec![200]),
            held,
            replied: true,
            exchange: None,
        };
        let ran = |held| Ran {
            id: "missing-token",
            facts: Facts {
                before: Some(true),
                control: Some(false),
                planned: 1,
                looked: vec![looked(held)],
                after: Some(true),
                without: [Capability::CreateNote].into(),
                ..Facts::default()
            },
            exchanges: Vec::new(),
            took: Duration::ZERO,
            attempt: 1,
            repeat: false,
        };
        let notes = [Unbound {
            capability: Capability::CreateNote,
            why: "a server action".into(),
            seen: true,
        }];
        let word = |ran: &Ran, unbound: &[Unbound]| {
            let told = not_absent(ran, unbound);
            judge(&told.as_ref().unwrap_or(ran).facts).word()
        };
        let resisted = ran(false);
        assert_eq!(word(&resisted, &[]), Word::Resisted);
        assert_eq!(word(&resisted, &notes), Word::Inconclusive);
        assert_eq!(word(&ran(true), &notes), Word::Exploited);
        let mut all = resisted;
        all.facts.without.clear();
        assert_eq!(word(&all, &notes), Word::Resisted);
    }
}
