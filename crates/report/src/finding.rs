//! Findings: what a person is told, one for each cause. Exploits that the same remedy closes are one finding.
//!
//! A finding's id is its remedy's: the same over runs, moved lines and renamed files. Requirement comes before hardening,
//! in the order of the remedies, and numbers are given before anything is accepted or left out, so that a number means
//! the same finding on every screen of a run.

use std::fmt::Write as _;

use model::calibration::{Calibration, Share, Status};
use model::decision::{InForce, Origin};
use model::run::{Judged, Run, Session, Tier};
use model::{Fault, Step, Word};
use serde::Serialize;

use crate::decisions;
use crate::remedy::{self, Remedy};

/// What is known of an exploit, for readers.
#[derive(Debug, Clone)]
pub struct Rule {
    pub exploit: String,
    pub title: String,
    pub area: String,
    pub tier: Tier,
    pub cwe: Vec<u16>,
    pub asvs: Vec<String>,
    pub fix: String,
    pub revision: u16,
}

/// How one exploit showed its effect, as commands against a copy of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    pub exploit: String,
    pub requests: Vec<Request>,
    /// Requests that were made and are not shown here; `replay` makes all.
    pub left_out: usize,
}

/// One request of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// What it is for: `bob reads alice's note`.
    pub says: String,
    /// A shell command. Tokens and ids are variables that earlier commands set.
    pub command: String,
    /// The status and the start of the reply.
    pub answer: String,
    /// Whether the effect shows here.
    pub shows: bool,
}

/// A place in the source that decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The decision's id: `ownership`.
    pub decision: String,
    pub choice: String,
    pub origin: String,
    pub in_force: InForce,
    /// `None` where nothing in the source decides it.
    pub file: Option<String>,
    pub line: u32,
    pub end_line: u32,
    /// The first line that stands there.
    pub text: String,
}

/// Whether a finding counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum State {
    Open,
    /// An entry of the baseline covers it.
    Accepted {
        reason: String,
        by: String,
        until: String,
    },
    /// An entry of the baseline covered it until this day: it counts again.
    Expired {
        reason: String,
        until: String,
    },
    /// Nothing that decides it changed since this revision.
    Before {
        revision: String,
    },
}

impl State {
    /// Why it does not count; empty for what does.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Accepted { reason, by, until } => {
                format!("accepted by {by} until {until}: {reason}")
            }
            Self::Before { revision } => format!("decided before {revision}"),
            Self::Open | Self::Expired { .. } => String::new(),
        }
    }

    /// Whether it counts towards `--fail-on` and is shown in full.
    pub fn counts(&self) -> bool {
        match self {
            Self::Open | Self::Expired { .. } => true,
            Self::Accepted { .. } | Self::Before { .. } => false,
        }
    }
}

/// How well one exploit is known to work on this framework.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trust {
    pub exploit: String,
    pub status: Option<Status>,
    pub caught: Share,
    pub clean: Share,
    pub blind_spots: usize,
}

impl Trust {
    /// `caught 8 of 8 known holes, clean on 6 of 6 safe apps`
    pub fn words(&self) -> String {
        if self.status.is_none() || self.caught.of == 0 {
            return "not measured on this framework".to_owned();
        }
        let blind = match self.blind_spots {
            0 => String::new(),
            1 => ", 1 known blind spot".to_owned(),
            many => format!(", {many} known blind spots"),
        };
        format!(
            "caught {} of {} known holes, clean on {} of {} safe apps{blind}",
            self.caught.hits, self.caught.of, self.clean.hits, self.clean.of
        )
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub id: String,
    pub number: usize,
    pub tier: Tier,
    pub title: String,
    /// In the suite's order.
    pub exploits: Vec<String>,
    /// What was seen, per exploit.
    pub seen: Vec<Seen>,
    pub why: String,
    pub proofs: Vec<Proof>,
    pub places: Vec<Place>,
    /// The control, as an acceptance criterion.
    pub wanted: String,
    pub fix: String,
    /// Markdown: how it is written in this framework.
    pub idiom: Option<String>,
    pub cwe: Vec<u16>,
    pub asvs: Vec<String>,
    pub trust: Vec<Trust>,
    pub state: State,
}

/// What one exploit saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub exploit: String,
    pub effects: Vec<String>,
    /// Milder things, reported and not counted.
    pub notes: Vec<String>,
}

/// An exploit that was not decided, or does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undecided {
    pub exploit: String,
    pub tier: Tier,
    pub verdict: Word,
    pub reason: String,
    /// What would make it testable.
    pub way: Option<String>,
}

/// One app's findings.
#[derive(Debug, Clone)]
pub struct App<'a> {
    pub session: &'a Session,
    pub findings: Vec<Finding>,
    pub undecided: Vec<Undecided>,
}

/// Whether more than a quarter of what could be decided was not: that nothing was exploited then says nothing.
pub fn too_little(session: &Session) -> bool {
    let count = |word| {
        let verdicts = session.verdicts.iter();
        verdicts.filter(|one| one.verdict == word).count()
    };
    let decided = count(Word::Exploited) + count(Word::Resisted);
    3 * count(Word::Inconclusive) > decided || decided == 0
}

/// Everything that a format shows.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    pub run: &'a Run,
    pub rules: &'a [Rule],
    pub apps: Vec<App<'a>>,
    /// What is to be said of the whole: interrupted, expired entries of the baseline, what `--since` left out.
    pub notices: Vec<String>,
    /// Whether absent protections are shown as findings are, not in a line each.
    pub hardening: bool,
    /// How this program is called.
    pub called: String,
    /// What was checked, as the user named it.
    pub shown: String,
    /// From where `check` was run to the app's folder: empty, or `services/api/`.
    pub prefix: String,
}

impl<'a> Report<'a> {
    /// All findings that count, with their app.
    pub fn counting(&self) -> impl Iterator<Item = (&App<'a>, &Finding)> {
        let all = self
            .apps
            .iter()
            .flat_map(|app| app.findings.iter().map(move |one| (app, one)));
        all.filter(|(_, one)| one.state.counts())
    }
}

/// One app's findings, all of them open. `proofs` are of the exploits that succeeded.
pub fn gather(
    session: &Session,
    rules: &[Rule],
    known: &[Calibration],
    proofs: &[Proof],
) -> Vec<Finding> {
    let exploited: Vec<&Judged> = session
        .verdicts
        .iter()
        .filter(|one| one.verdict == Word::Exploited)
        .collect();
    let mut found = Vec::new();
    for tier in Tier::ALL {
        for remedy in remedy::all() {
            let of_it: Vec<&Judged> = exploited
                .iter()
                .filter(|one| one.tier == tier && remedy.exploits.contains(&one.exploit.as_str()))
                .copied()
                .collect();
            if !of_it.is_empty() {
                found.push(one(session, remedy, &of_it, rules, known, proofs));
            }
        }
        // An exploit that no remedy names is no reason to hide it.
        for judged in exploited
            .iter()
            .filter(|one| one.tier == tier && remedy::of(&one.exploit).is_none())
        {
            found.push(without(session, judged, rules, known, proofs));
        }
    }
    for (index, finding) in found.iter_mut().enumerate() {
        finding.number = index + 1;
    }
    // The two tiers of one remedy stay two findings.
    for index in 1..found.len() {
        if found[..index]
            .iter()
            .any(|other| other.id == found[index].id)
        {
            let tier = found[index].tier.name();
            found[index].id = format!("{}-{tier}", found[index].id);
        }
    }
    found
}

fn one(
    session: &Session,
    remedy: &Remedy,
    of_it: &[&Judged],
    rules: &[Rule],
    known: &[Calibration],
    proofs: &[Proof],
) -> Finding {
    let title = match of_it {
        [only] if !only.title.is_empty() => only.title.clone(),
        _ => remedy.title.to_owned(),
    };
    let mut finding = plain(session, of_it, rules, known, proofs, title);
    remedy.id.clone_into(&mut finding.id);
    finding.why.clone_from(&remedy.why);
    remedy.wanted.clone_into(&mut finding.wanted);
    finding.idiom = remedy.idiom(&session.framework).map(str::to_owned);
    let places = std::mem::take(&mut finding.places);
    finding.places = places
        .into_iter()
        .filter(|place| {
            !remedy
                .sound
                .contains(&place.choice.split(", ").next().unwrap_or_default())
        })
        .collect();
    finding
}

fn without(
    session: &Session,
    judged: &Judged,
    rules: &[Rule],
    known: &[Calibration],
    proofs: &[Proof],
) -> Finding {
    let mut finding = plain(
        session,
        &[judged],
        rules,
        known,
        proofs,
        judged.title.clone(),
    );
    finding.wanted.clone_from(&finding.fix);
    finding
}

fn plain(
    session: &Session,
    of_it: &[&Judged],
    rules: &[Rule],
    known: &[Calibration],
    proofs: &[Proof],
    title: String,
) -> Finding {
    let exploits: Vec<String> = of_it.iter().map(|one| one.exploit.clone()).collect();
    let mut cwe: Vec<u16> = Vec::new();
    let mut asvs: Vec<String> = Vec::new();
    let mut fixes: Vec<&str> = Vec::new();
    for rule in rules.iter().filter(|rule| exploits.contains(&rule.exploit)) {
        cwe.extend(&rule.cwe);
        asvs.extend(rule.asvs.iter().cloned());
        if !fixes.contains(&rule.fix.as_str()) {
            fixes.push(&rule.fix);
        }
    }
    let mut seen_cwe = Vec::new();
    cwe.retain(|id| {
        !seen_cwe.contains(id) && {
            seen_cwe.push(*id);
            true
        }
    });
    let mut seen_asvs: Vec<String> = Vec::new();
    asvs.retain(|id| {
        !seen_asvs.contains(id) && {
            seen_asvs.push(id.clone());
            true
        }
    });
    Finding {
        id: exploits.first().cloned().unwrap_or_default(),
        number: 0,
        tier: of_it.first().map_or(Tier::Hardening, |one| one.tier),
        title,
        seen: of_it
            .iter()
            .map(|one| Seen {
                exploit: one.exploit.clone(),
                effects: one.reason.split("; ").map(str::to_owned).collect(),
                notes: one.notes.clone(),
            })
            .collect(),
        why: String::new(),
        proofs: exploits
            .iter()
            .filter_map(|id| proofs.iter().find(|proof| proof.exploit == *id))
            .cloned()
            .collect(),
        places: places(session, &exploits),
        wanted: String::new(),
        fix: fixes.join(" "),
        idiom: None,
        cwe,
        asvs,
        trust: exploits
            .iter()
            .map(|id| trust(id, &session.framework, known))
            .collect(),
        exploits,
        state: State::Open,
    }
}

/// What the source decided about what these exploits test: chosen code first, then what is absent.
pub(crate) fn places(session: &Session, exploits: &[String]) -> Vec<Place> {
    let mut found: Vec<Place> = session
        .decisions
        .iter()
        .filter(|one| one.tests.iter().any(|id| exploits.contains(id)))
        .filter(|one| !matches!(one.decision.origin, Origin::Unknown { .. }))
        .map(|one| {
            let span = one
                .decision
                .spans
                .first()
                .filter(|_| one.decision.origin.is_chosen());
            Place {
                decision: one.decision.decision.clone(),
                choice: decisions::choice(&one.decision),
                origin: decisions::origin(&one.decision.origin),
                in_force: one.in_force,
                file: span.map(|span| span.file.clone()),
                line: span.map_or(0, |span| span.line),
                end_line: span.map_or(0, |span| span.end_line),
                text: span.map_or(String::new(), |span| span.text.clone()),
            }
        })
        .collect();
    found.sort_by_key(|place| place.file.is_none());
    found
}

pub(crate) fn trust(exploit: &str, framework: &str, known: &[Calibration]) -> Trust {
    let of_it = known
        .iter()
        .find(|one| one.framework == framework && one.exploit == exploit);
    Trust {
        exploit: exploit.to_owned(),
        status: of_it.map(|one| one.status),
        caught: of_it.map_or_else(Share::default, |one| one.sensitivity),
        clean: of_it.map_or_else(Share::default, |one| one.specificity),
        blind_spots: of_it.map_or(0, |one| one.blind_spots.len()),
    }
}

/// What changed since an earlier run of the same app: only what was tested then and now.
pub fn compared(
    before: &[Finding],
    then: &Session,
    after: &[Finding],
    now: &Session,
) -> (Vec<String>, Vec<String>) {
    let gone = |from: &[Finding], to: &[Finding], session: &Session| {
        let resisted = |exploit: &String| {
            let mut verdicts = session.verdicts.iter();
            verdicts.any(|one| one.exploit == *exploit && one.verdict == Word::Resisted)
        };
        from.iter()
            .filter(|one| to.iter().all(|other| other.id != one.id))
            .filter(|one| one.exploits.iter().all(resisted))
            .map(|one| one.id.clone())
            .collect::<Vec<_>>()
    };
    (gone(before, after, now), gone(after, before, then))
}

/// The exploits that were not decided, those that do not apply last, each with what would make it testable.
pub fn undecided(session: &Session, called: &str) -> Vec<Undecided> {
    let mut all: Vec<Undecided> = session
        .verdicts
        .iter()
        .filter(|one| matches!(one.verdict, Word::Inconclusive | Word::NotApplicable))
        .map(|one| Undecided {
            exploit: one.exploit.clone(),
            tier: one.tier,
            verdict: one.verdict,
            reason: one.reason.clone(),
            way: way(one, called),
        })
        .collect();
    all.sort_by_key(|one| one.verdict == Word::NotApplicable);
    all
}

/// What would make an exploit testable.
fn way(judged: &Judged, called: &str) -> Option<String> {
    let reason = judged.reason.to_lowercase();
    if judged.verdict == Word::NotApplicable {
        return reason
            .starts_with("the app has no ")
            .then(|| "if it has, name the route in unrequested.toml".to_owned());
    }
    let id = &judged.exploit;
    if reason.contains("interrupted") {
        return Some(format!("{called} check --only {id}"));
    }
    if let Some((_, why)) = reason.split_once(" is not bound: ") {
        // What no file can say, no file mends; an app's own words are in there, too.
        let unsaid = [
            "which a binding cannot say yet",
            "which the exploits do not take for success yet",
        ];
        return (!unsaid.iter().any(|words| why.contains(words))).then(|| {
            format!("name its route in unrequested.toml: {called} check . --write-config")
        });
    }
    if reason.contains("start the app by this tool")
        || reason.contains("boot") && judged.step != Some(Step::Boot)
    {
        return Some("check the app's folder, not its address: only then can it be started anew and its files read".to_owned());
    }
    if reason.contains("admin") && judged.step == Some(Step::Setup) {
        return Some("name an admin account: --admin EMAIL:PASSWORD, or ADMIN_EMAIL and ADMIN_PASSWORD in the app".to_owned());
    }
    if reason.contains("webhook") && reason.contains("secret") {
        return Some("name the webhook's secret: --webhook-secret SECRET".to_owned());
    }
    let told = [
        (
            "word for an admin",
            "say it in unrequested.toml: [roles] with admin = the app's word",
        ),
        (
            "which events it stored",
            "name the list of events in unrequested.toml",
        ),
        (
            "more users than",
            "name one more account: --user EMAIL:PASSWORD",
        ),
        (
            "no listed origin",
            "name an origin that may call the app: --cors-origins ORIGIN",
        ),
    ];
    if let Some((_, way)) = told.iter().find(|(words, _)| reason.contains(words)) {
        return Some((*way).to_owned());
    }
    Some(match (judged.fault, judged.step) {
        (Some(Fault::Harness), Some(Step::Boot)) => {
            format!("{called} doctor says what this machine lacks")
        }
        (Some(Fault::Harness), _) => {
            format!("run it alone on a quiet machine: {called} check --only {id}")
        }
        (Some(Fault::App), Some(Step::Boot)) => {
            "make the app start by itself; its last words are in the report".to_owned()
        }
        (Some(Fault::App), Some(Step::WitnessAgain)) => {
            format!(
                "find out what broke it: {called} replay {id} --stored shows the last request that was answered"
            )
        }
        (Some(Fault::App) | None, _) => {
            format!(
                "the same request has to work when it is made honestly: {called} replay {id} --stored shows what came back"
            )
        }
    })
}

/// What an agent is told of several findings: each control and its place, no way to write it, no command.
pub fn told(findings: &[&Finding]) -> String {
    let mut out = String::new();
    for (number, finding) in findings.iter().enumerate() {
        let wanted = finding.wanted.trim_end_matches('.');
        let _ = writeln!(out, "{}. Wanted: {wanted}.", number + 1);
        let places: Vec<String> = finding
            .places
            .iter()
            .filter_map(|place| Some(format!("{}:{}", place.file.as_ref()?, place.line)))
            .map(|place| crate::text::code(&place))
            .collect();
        if !places.is_empty() {
            let _ = writeln!(out, "   Place: {}.", places.join(", "));
        }
    }
    out.trim_end().to_owned()
}

/// What stands for a place where no file is named: an absence is a place without a file, and no place at all was not read.
pub fn no_place(unread: bool) -> &'static str {
    if unread {
        "not known: the source that decides it was not read"
    } else {
        "nothing in the source does this yet"
    }
}

/// What to hand to a coding agent: the control, the place, how to see that it is done. No payload, no words of the app
/// but names of files.
pub fn prompt(finding: &Finding, framework: &str, called: &str) -> String {
    let mut out = String::from("Please make one change to this app, and nothing else.\n\n");
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("Wanted: {}.", finding.wanted.trim_end_matches('.')));
    let mut named = false;
    for place in &finding.places {
        if let Some(file) = &place.file {
            line(format!(
                "Place: {} ({}).",
                crate::text::code(&format!("{file}:{}", place.line)),
                place.decision
            ));
            named = true;
        }
    }
    if !named {
        line(format!("Place: {}.", no_place(finding.places.is_empty())));
    }
    if let Some(idiom) = &finding.idiom {
        line(format!(
            "\nOne way to write it in {framework}; fit it to the code that is there:\n\n{idiom}\n"
        ));
    }
    line(format!(
        "Done when: `{called} check . --only {}` no longer lists `{}`, and registering, signing in and everything else that \
         worked still works. Do not change tests to get there.",
        finding.id, finding.id
    ));
    line(format!(
        "If the owner of this app wants it as it is, change nothing and say so; they can record that with \
         `{called} check . --accept {} --reason TEXT --until DATE`.",
        finding.id
    ));
    out
}

#[cfg(test)]
pub(crate) mod tests;
