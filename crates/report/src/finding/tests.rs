use super::*;
use crate::fixture;
use crate::text::hostile;
use model::decision::{Burden, Confidence, Decided, Decision, Span, Turn};
use model::run::{Boot, Cost, Regression, Source, Stage};

pub(crate) fn judged(exploit: &str, tier: Tier, verdict: Word) -> Judged {
    Judged {
        reason: "one effect; another effect".into(),
        title: format!("The title of {exploit}"),
        ..fixture::judged(exploit, tier, verdict)
    }
}

fn decided(
    id: &str,
    choice: &str,
    origin: Origin,
    file: &str,
    line: u32,
    tests: &[&str],
) -> Decided {
    Decided {
        decision: Decision {
            decision: id.into(),
            choice: choice.into(),
            origin,
            parameters: std::collections::BTreeMap::default(),
            below: None,
            confidence: Confidence::High,
            spans: vec![Span {
                file: file.into(),
                line,
                column: 1,
                end_line: line + 1,
                text: hostile::long().chars().take(160).collect(),
            }],
            lines: 0,
            notes: vec![],
        },
        step: String::new(),
        asked: None,
        reviewed: None,
        in_force: InForce::NotInForce,
        tests: tests.iter().map(|id| (*id).to_owned()).collect(),
    }
}

pub(crate) fn session() -> Session {
    let (r, h) = (Tier::Requirement, Tier::Hardening);
    let mut hostile_one = judged("sql-injection-sort", r, Word::Exploited);
    hostile_one.reason = hostile::long();
    hostile_one.notes = vec![hostile::SHORT.into()];
    let mut stopped = judged("webhook-unsigned", r, Word::Inconclusive);
    stopped.reason = format!("the app answered {} (witness, app)", hostile::SHORT);
    stopped.fault = Some(Fault::App);
    stopped.step = Some(Step::Witness);
    let mut missing = judged("upload-oversize", r, Word::NotApplicable);
    missing.reason = "the app has no upload".into();
    Session {
        wanted: vec![],
        feedback: None,
        stages: vec![Stage {
            step: "1-auth".into(),
            attack: None,
            trouble: None,
            ended: None,
            verdicts: vec![judged("login-rate-limit", h, Word::Resisted)],
            decisions: vec![],
        }],
        regressions: vec![Regression {
            exploit: "login-rate-limit".into(),
            tier: h,
            resisted: "1-auth".into(),
            exploited: "final".into(),
            between: vec![],
            again: None,
            decided: Some(vec![Turn {
                before: None,
                after: Some(decided("cors", "any", Origin::HandWritten, "a.py", 1, &[]).decision),
            }]),
        }],
        id: "check".into(),
        agent: "none".into(),
        auth: None,
        framework: "fastapi".into(),
        arm: "none".into(),
        replicate: 1,
        step: "final".into(),
        boot: Some(Boot {
            profile: "production",
            level: "namespaces".into(),
            limits: "memory: cgroup v2".into(),
            ms: 900,
        }),
        attack: Some(Cost {
            requests: 300,
            wall_ms: 6200,
            app_cpu_ms: Some(4000),
        }),
        trouble: None,
        ended: None,
        verdicts: vec![
            hostile_one,
            judged("sql-injection-search", r, Word::Exploited),
            judged("login-rate-limit", h, Word::Exploited),
            judged("missing-token", r, Word::Resisted),
            stopped,
            missing,
        ],
        decisions: vec![
            decided(
                "login-throttling",
                "",
                Origin::Absent,
                "",
                0,
                &["login-rate-limit"],
            ),
            decided(
                "sql-access",
                "bound parameters",
                Origin::HandWritten,
                "app/safe.py",
                9,
                &["sql-injection-sort"],
            ),
            decided(
                "sql-access",
                "built from strings",
                Origin::HandWritten,
                "app/<script>\u{202e}.py",
                7,
                &["sql-injection-sort", "sql-injection-search"],
            ),
        ],
        source: Some(Source {
            files: 1,
            lines: 9,
            unread: vec![],
            burden: Burden::default(),
            steps: vec![],
        }),
    }
}

pub(crate) fn run() -> Run {
    Run {
        run: "01a21505-7c99-77a9-9a06-e6c6998200ac".into(),
        tool: "0.1.0".into(),
        ..fixture::run(vec![session()])
    }
}

pub(crate) fn rules() -> Vec<Rule> {
    remedy::all()
        .iter()
        .flat_map(|remedy| &remedy.exploits)
        .map(|id| Rule {
            exploit: (*id).to_owned(),
            title: format!("The title of {id}"),
            area: "auth".into(),
            tier: if *id == "login-rate-limit" {
                Tier::Hardening
            } else {
                Tier::Requirement
            },
            cwe: vec![89],
            asvs: vec!["V1.2.4".into()],
            fix: "Bind it.".into(),
            revision: 1,
        })
        .collect()
}

fn proofs() -> Vec<Proof> {
    vec![Proof {
        exploit: "sql-injection-sort".into(),
        requests: vec![Request {
            says: hostile::SHORT.into(),
            command: format!("curl '{}'", hostile::SHORT),
            answer: hostile::long(),
            shows: true,
        }],
        left_out: 3,
    }]
}

pub(crate) fn report(run: &Run) -> Report<'_> {
    // Leaked: a test's rules live as long as the test.
    let rules: &'static [Rule] = Box::leak(rules().into_boxed_slice());
    let session = &run.sessions[0];
    Report {
        run,
        rules,
        apps: vec![App {
            session,
            findings: gather(session, rules, &run.instrument, &proofs()),
            undecided: undecided(session, "unrequested"),
        }],
        notices: vec![format!("a notice {}", hostile::SHORT)],
        hardening: false,
        called: "unrequested".into(),
        shown: hostile::SHORT.into(),
        prefix: "services/api/".into(),
    }
}

#[test]
fn exploits_that_one_remedy_closes_are_one_finding_requirement_first() {
    let found = gather(&session(), &rules(), &[], &proofs());
    let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["bound-parameters-search", "login-throttling"]);
    let sql = &found[0];
    assert_eq!(sql.exploits, ["sql-injection-sort", "sql-injection-search"]);
    assert_eq!(sql.proofs.len(), 1);
    assert_eq!((sql.number, found[1].number), (1, 2));
    assert!(
        sql.title.contains("becomes part of the SQL statement"),
        "{}",
        sql.title
    );
    assert_eq!(found[1].title, "The title of login-rate-limit");
    // What is bound is no part of the problem.
    let files: Vec<Option<&str>> = sql
        .places
        .iter()
        .map(|place| place.file.as_deref())
        .collect();
    assert_eq!(files, [Some("app/<script>\u{202e}.py")]);
    assert_eq!(found[1].places[0].file, None);
    assert_eq!((sql.cwe.as_slice(), sql.asvs.len()), ([89].as_slice(), 1));
    assert!(sql.idiom.as_deref().unwrap().contains("```python"));
}

#[test]
fn an_id_is_the_same_when_lines_move_and_files_are_renamed() {
    let before = gather(&session(), &rules(), &[], &[]);
    let mut moved = session();
    for one in &mut moved.decisions {
        for span in &mut one.decision.spans {
            span.line += 40;
            span.file = "elsewhere.py".into();
        }
    }
    moved.verdicts.reverse();
    let after = gather(&moved, &rules(), &[], &[]);
    let ids = |all: &[Finding]| {
        all.iter()
            .map(|one| (one.id.clone(), one.number))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&before), ids(&after));
}

#[test]
fn the_tiers_of_one_remedy_stay_two_findings_with_two_ids() {
    let mut session = session();
    session.verdicts[1].tier = Tier::Hardening;
    let found = gather(&session, &rules(), &[], &[]);
    let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "bound-parameters-search",
            "bound-parameters-search-hardening",
            "login-throttling"
        ]
    );
}

#[test]
fn an_exploit_without_a_remedy_is_a_finding_all_the_same() {
    let mut session = session();
    session
        .verdicts
        .push(judged("of-tomorrow", Tier::Requirement, Word::Exploited));
    let found = gather(&session, &rules(), &[], &[]);
    assert!(found.iter().any(|one| one.id == "of-tomorrow"));
}

#[test]
fn a_finding_is_fixed_or_new_only_where_the_other_run_resisted() {
    let open = session();
    let mut closed = session();
    closed.verdicts[2].verdict = Word::Resisted;
    let mut undecided = session();
    undecided.verdicts[2].verdict = Word::Inconclusive;
    let of = |session: &Session| gather(session, &rules(), &[], &[]);
    let said = |a: &Session, b: &Session| compared(&of(a), a, &of(b), b);
    let login = vec!["login-throttling".to_owned()];
    assert_eq!(said(&open, &closed), (login.clone(), vec![]));
    assert_eq!(said(&closed, &open), (vec![], login));
    for (a, b) in [(&open, &undecided), (&undecided, &open), (&open, &open)] {
        assert_eq!(said(a, b), (vec![], vec![]));
    }
}

#[test]
fn only_what_was_exploited_is_a_finding() {
    for word in [Word::Resisted, Word::NotApplicable, Word::Inconclusive] {
        let mut session = session();
        for judged in &mut session.verdicts {
            judged.verdict = word;
        }
        assert!(gather(&session, &rules(), &[], &proofs()).is_empty());
        let listed = undecided(&session, "unrequested").len();
        assert_eq!(
            listed,
            if word == Word::Resisted {
                0
            } else {
                session.verdicts.len()
            }
        );
    }
}

#[test]
fn what_was_not_decided_says_what_would_make_it_testable() {
    let listed = undecided(&session(), "unrequested");
    assert_eq!(listed[0].exploit, "webhook-unsigned");
    assert!(listed[0].way.as_deref().unwrap().contains("made honestly"));
    assert_eq!(listed[1].verdict, Word::NotApplicable);
    assert!(
        listed[1]
            .way
            .as_deref()
            .unwrap()
            .contains("unrequested.toml")
    );
    let of = |reason: &str, fault, step| {
        let mut one = judged("x", Tier::Requirement, Word::Inconclusive);
        one.reason = reason.into();
        (one.fault, one.step) = (Some(fault), Some(step));
        way(&one, "unrequested").unwrap_or_default()
    };
    let unbound = "search is not bound: GET /find answered 500";
    assert!(of(unbound, Fault::Harness, Step::Setup).contains("--write-config"));
    let unsaid = "register is not bound: it wants a name as well, which a binding cannot say yet";
    assert_eq!(of(unsaid, Fault::Harness, Step::Setup), "");
    let attached = "the app's files cannot be looked at: start the app by this tool to test this";
    assert!(of(attached, Fault::Harness, Step::Setup).contains("not its address"));
    assert!(of("no admin account is known", Fault::Harness, Step::Setup).contains("--admin"));
    for (reason, wanted) in [
        ("the app's word for an admin is not known", "[roles]"),
        (
            "this needs more users than the 2 that are known; name one more",
            "--user",
        ),
        ("no listed origin is known", "--cors-origins"),
        ("nothing shows which events it stored", "unrequested.toml"),
    ] {
        assert!(
            of(reason, Fault::Harness, Step::Attack).contains(wanted),
            "{reason}"
        );
    }
    assert!(of("it took too long", Fault::Harness, Step::Attack).contains("quiet machine"));
    assert!(of("no reply", Fault::App, Step::WitnessAgain).contains("what broke it"));
}

#[test]
fn a_prompt_for_an_agent_has_a_control_a_place_and_an_acceptance_but_no_word_of_the_app() {
    let found = gather(&session(), &rules(), &[], &proofs());
    for finding in &found {
        let text = prompt(finding, "fastapi", "unrequested");
        assert!(
            text.contains("Wanted: ") && text.contains("Place: ") && text.contains("Done when: "),
            "{text}"
        );
        assert!(text.contains(&format!("--only {}", finding.id)), "{text}");
        assert!(
            !text.contains("pwned") && !text.contains('\u{202e}'),
            "{text}"
        );
        for word in ["attack", "exploit", "payload", "inject", "vulnerab"] {
            assert!(!text.to_lowercase().contains(word), "{word}: {text}");
        }
    }
    assert!(
        prompt(&found[1], "fastapi", "unrequested").contains("nothing in the source does this yet")
    );
}

#[test]
fn what_was_not_read_is_not_called_absent() {
    let mut session = session();
    let why = "app/auth.py could not be parsed".to_owned();
    session.decisions[0].decision.origin = Origin::Unknown { why };
    let found = gather(&session, &rules(), &[], &proofs());
    assert!(found[1].places.is_empty());
    let text = prompt(&found[1], "fastapi", "unrequested");
    assert!(!text.contains("does this yet"), "{text}");
    assert!(
        text.contains("Place: not known: the source that decides it was not read."),
        "{text}"
    );
}

#[test]
fn more_than_a_quarter_undecided_is_too_little() {
    use Word::{Exploited, Inconclusive, NotApplicable, Resisted};
    let of = |words: &[(Word, usize)]| {
        let verdicts = words.iter().flat_map(|(word, count)| {
            (0..*count).map(|_| fixture::judged("missing-token", Tier::Requirement, *word))
        });
        too_little(&fixture::session(verdicts.collect()))
    };
    assert!(of(&[]));
    assert!(of(&[(NotApplicable, 33)]));
    assert!(!of(&[(Resisted, 3), (Inconclusive, 1)]));
    assert!(!of(&[(Resisted, 2), (Exploited, 1), (Inconclusive, 1)]));
    assert!(of(&[(Resisted, 2), (Inconclusive, 1)]));
    // What does not apply does not make the rest more.
    assert!(of(&[(Resisted, 2), (Inconclusive, 1), (NotApplicable, 30)]));
}

#[test]
fn a_run_without_an_app_passes_nowhere() {
    let run = run();
    let mut empty = report(&run);
    empty.apps.clear();
    empty.notices = vec!["INTERRUPTED: 0 of 33".into()];
    let text = crate::markdown::render(&empty);
    assert!(text.contains("nothing was tested"), "{text}");
    assert!(text.contains("INTERRUPTED"), "{text}");
    let text = crate::junit::render(&empty, crate::junit::Fails::All);
    assert!(
        text.contains("tests=\"1\"") && text.contains("<skipped"),
        "{text}"
    );
}

#[test]
fn few_verdicts_are_no_good_news() {
    let mut run = run();
    run.sessions = vec![fixture::session(vec![
        fixture::judged("missing-token", Tier::Requirement, Word::Resisted),
        fixture::judged("unsigned-token", Tier::Requirement, Word::Inconclusive),
    ])];
    let report = report(&run);
    for text in [
        crate::markdown::render(&report),
        crate::html::render(&report),
    ] {
        let text = text.to_lowercase();
        assert!(text.contains("too little was decided"), "{text}");
        assert!(!text.contains("for was exploited"), "{text}");
    }
}
