//! What changed between a run and the run that attacked its kept trees again, and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Word;
use model::run::{Change, Judged, Regrade, Run, Session, Why};

use crate::paint::{Paint, clean};

/// Whether a session's tree is what was attacked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    Same,
    Differs,
    Unknown,
}

/// A verdict of the origin by an exploit that today's suite does not have.
#[derive(Debug, Clone)]
pub struct Gone {
    pub session: String,
    pub step: String,
    pub exploit: String,
    pub verdict: Word,
}

/// Compares two runs, session by session and exploit by exploit. What is not in `after` was not chosen, and is not
/// compared.
pub fn compare(
    before: &Run,
    after: &Run,
    origin_finished: bool,
    app: impl Fn(&Session) -> App,
    gone: &[Gone],
) -> Regrade {
    let (mut compared, mut changes) = (0, Vec::new());
    for now in &after.sessions {
        let same = |one: &&Session| one.id == now.id && one.step == now.step;
        let then = before.sessions.iter().find(same);
        for judged in &now.verdicts {
            let old = then.and_then(|then| {
                then.verdicts
                    .iter()
                    .find(|old| old.exploit == judged.exploit)
            });
            compared += usize::from(old.is_some());
            if old.is_some_and(|old| old.verdict == judged.verdict) {
                continue;
            }
            let why = match (old, then) {
                (Some(old), Some(then)) => reasons(
                    (old, then, &before.tool),
                    (judged, now, &after.tool),
                    app(now),
                ),
                _ => vec![never_run(before, after, &judged.exploit)],
            };
            changes.push(Change {
                session: now.id.clone(),
                step: now.step.clone(),
                exploit: judged.exploit.clone(),
                before: old.map(|old| old.verdict),
                after: Some(judged.verdict),
                why,
            });
        }
        let lost = gone
            .iter()
            .filter(|one| one.session == now.id && one.step == now.step);
        changes.extend(lost.map(|one| Change {
            session: one.session.clone(),
            step: one.step.clone(),
            exploit: one.exploit.clone(),
            before: Some(one.verdict),
            after: None,
            why: vec![Why::Gone],
        }));
    }
    Regrade {
        origin: before.run.clone(),
        origin_finished,
        compared,
        changes,
    }
}

fn never_run(before: &Run, after: &Run, exploit: &str) -> Why {
    let known = before
        .sessions
        .iter()
        .flat_map(|session| &session.verdicts)
        .any(|judged| judged.exploit == exploit);
    if known || before.suite == after.suite {
        Why::NotRun
    } else {
        Why::New
    }
}

/// All that differs; the surest first.
fn reasons(
    (old, then, old_tool): (&Judged, &Session, &str),
    (judged, now, tool): (&Judged, &Session, &str),
    app: App,
) -> Vec<Why> {
    let mut why = Vec::new();
    // A session that was never attacked has no revision of its own, only the day's.
    let attacked = then.trouble.is_none() && now.trouble.is_none();
    if attacked && old.revision != judged.revision {
        why.push(Why::Revision {
            before: old.revision,
            after: judged.revision,
        });
    }
    if app == App::Differs {
        why.push(Why::AppDiffers);
    }
    if old.verdict == Word::Inconclusive {
        why.push(Why::UndecidedBefore {
            reason: old.reason.clone(),
        });
    }
    if judged.verdict == Word::Inconclusive {
        why.push(Why::UndecidedNow {
            reason: judged.reason.clone(),
        });
    }
    if let (Some(before), Some(after)) = (&then.boot, &now.boot)
        && (before.profile, &before.level) != (after.profile, &after.level)
    {
        why.push(Why::Boot {
            before: format!("{}, {}", before.profile, before.level),
            after: format!("{}, {}", after.profile, after.level),
        });
    }
    if old_tool != tool {
        why.push(Why::Tool {
            before: old_tool.to_owned(),
            after: tool.to_owned(),
        });
    }
    if app == App::Unknown && why.is_empty() {
        why.push(Why::AppUnknown);
    }
    if why.is_empty() {
        why.push(Why::Unexplained);
    }
    why
}

/// For people. One line per change; a session that could not be attacked again is one line.
pub fn render(run: &Run, paint: Paint) -> String {
    let Some(regrade) = &run.regrade else {
        return String::new();
    };
    let mut out = String::new();
    let count = regrade.changes.len();
    let _ = writeln!(
        out,
        " regrade of {}: {} compared, {count} changed",
        regrade.origin,
        plural(regrade.compared, "verdict")
    );
    if !regrade.origin_finished {
        let _ = writeln!(
            out,
            " {} that run was interrupted: only the sessions that it had begun are here",
            paint.odd("?")
        );
    }
    let mut by_session: BTreeMap<(&str, &str), Vec<&Change>> = BTreeMap::new();
    for change in &regrade.changes {
        by_session
            .entry((&change.session, &change.step))
            .or_default()
            .push(change);
    }
    for session in &run.sessions {
        let Some(changes) = by_session.get(&(session.id.as_str(), session.step.as_str())) else {
            continue;
        };
        let _ = writeln!(out, "  {}", clean(&session.id));
        if let Some(trouble) = &session.trouble {
            let _ = writeln!(
                out,
                "    {} not attacked again: {}",
                plural(changes.len(), "verdict"),
                clean(&trouble.why)
            );
            continue;
        }
        for change in changes {
            let word = |word: Option<Word>| word.map_or("not run", Word::name);
            let why: Vec<String> = change.why.iter().map(words).collect();
            let _ = writeln!(
                out,
                "    {:<28} {} -> {}\n      {}",
                change.exploit,
                word(change.before),
                word(change.after),
                clean(&why.join("; "))
            );
        }
    }
    out
}

fn words(why: &Why) -> String {
    match why {
        Why::New => "the exploit is new since, or was left out then".into(),
        Why::NotRun => "was not run: interrupted, or left out".into(),
        Why::Gone => "today's suite has no such exploit".into(),
        Why::Revision { before, after } => format!("the exploit changed: r{before}, now r{after}"),
        Why::AppDiffers => "the kept tree is not what was attacked then".into(),
        Why::AppUnknown => "nothing known; whether the tree is the same was not recorded".into(),
        Why::UndecidedBefore { reason } => format!("was undecided: {reason}"),
        Why::UndecidedNow { reason } => format!("is undecided: {reason}"),
        Why::Boot { before, after } => format!("booted as {before}, now {after}"),
        Why::Tool { before, after } => format!("by version {before}, now {after}"),
        Why::Unexplained => {
            "UNEXPLAINED: same exploit, same tree, same tool; chance, or the machine".into()
        }
    }
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use model::run::{Boot, Tier};

    fn judged(exploit: &str, verdict: Word, revision: u16) -> Judged {
        Judged {
            reason: "the app\x1b[31m died".into(),
            revision,
            ..fixture::judged(exploit, Tier::Requirement, verdict)
        }
    }

    fn run(suite: &str, level: &str, verdicts: Vec<Judged>) -> Run {
        let boot = Boot {
            profile: "production",
            level: level.into(),
            limits: String::new(),
            ms: 1,
        };
        Run {
            suite: suite.into(),
            ..fixture::run(vec![Session {
                step: "6".into(),
                boot: Some(boot),
                ..fixture::session(verdicts)
            }])
        }
    }

    fn why(before: Judged, after: Judged, app: App) -> Vec<Why> {
        let (before, after) = (
            run("a", "namespaces", vec![before]),
            run("b", "namespaces", vec![after]),
        );
        let regrade = compare(&before, &after, true, |_| app, &[]);
        assert_eq!(regrade.compared, 1);
        regrade
            .changes
            .into_iter()
            .flat_map(|change| change.why)
            .collect()
    }

    #[test]
    fn a_change_names_all_that_differs_and_never_nothing() {
        use Word::{Exploited, Inconclusive, Resisted};
        let one = |word, revision| judged("a", word, revision);
        let revision = Why::Revision {
            before: 1,
            after: 2,
        };
        assert_eq!(
            why(one(Resisted, 1), one(Exploited, 2), App::Same),
            std::slice::from_ref(&revision)
        );
        assert_eq!(
            why(one(Resisted, 1), one(Exploited, 2), App::Differs),
            [revision, Why::AppDiffers]
        );
        assert_eq!(
            why(one(Resisted, 1), one(Exploited, 1), App::Same),
            [Why::Unexplained]
        );
        assert_eq!(
            why(one(Resisted, 1), one(Exploited, 1), App::Unknown),
            [Why::AppUnknown]
        );
        assert!(matches!(
            why(one(Resisted, 1), one(Inconclusive, 1), App::Same)[..],
            [Why::UndecidedNow { .. }]
        ));
        assert!(matches!(
            why(one(Inconclusive, 1), one(Resisted, 1), App::Same)[..],
            [Why::UndecidedBefore { .. }]
        ));
        assert!(why(one(Resisted, 1), one(Resisted, 2), App::Differs).is_empty());
    }

    #[test]
    fn what_is_in_one_run_only_is_new_gone_or_was_not_run() {
        let before = run("a", "namespaces", vec![judged("a", Word::Resisted, 1)]);
        let after = run(
            "b",
            "plain processes",
            vec![
                judged("a", Word::Exploited, 1),
                judged("b", Word::Exploited, 1),
            ],
        );
        let gone = [Gone {
            session: "s".into(),
            step: "6".into(),
            exploit: "c".into(),
            verdict: Word::Resisted,
        }];
        let regrade = compare(&before, &after, false, |_| App::Same, &gone);
        let why: Vec<&Why> = regrade.changes.iter().flat_map(|one| &one.why).collect();
        assert!(
            matches!(why[..], [Why::Boot { .. }, Why::New, Why::Gone]),
            "{why:?}"
        );
        let same = Run {
            suite: "a".into(),
            ..after.clone()
        };
        let regrade_same = compare(&before, &same, true, |_| App::Same, &[]);
        assert_eq!(regrade_same.changes[1].why, [Why::NotRun]);
        let shown = render(
            &Run {
                regrade: Some(regrade),
                ..after
            },
            Paint(false),
        );
        for words in [
            "1 verdict compared, 3 changed",
            "interrupted",
            "not run -> exploited",
            "resisted -> not run",
            "booted as production, namespaces, now production, plain processes",
        ] {
            assert!(shown.contains(words), "{words} is missing in\n{shown}");
        }
        assert!(!shown.contains('\x1b'));
    }
}
