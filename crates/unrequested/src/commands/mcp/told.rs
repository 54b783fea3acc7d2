//! What an agent is told of a command's end: controls, places and how to see that it is done. No payload, no words of the app
//! but its own paths; the evidence stays in the ledger, and is named by the run's id.

use std::fmt::Write as _;
use std::time::Duration;

use model::decision::{Decision, Origin};
use report::finding::no_place;
use report::{clean, remedy};
use serde_json::{Value, json};

use super::child::Ended;
use super::tools::{Job, Tool};
use crate::exit::Exit;

const LONGEST: usize = 300;

/// The result of a tool.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) text: String,
    pub(super) structured: Option<Value>,
    pub(super) error: bool,
}

impl Told {
    pub(super) fn error(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            structured: None,
            error: true,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut value = json!({
            "content": [{"type": "text", "text": self.text}],
            "isError": self.error,
        });
        if let Some(structured) = &self.structured {
            value["structuredContent"] = structured.clone();
        }
        value
    }
}

/// What a command's end means; `None` where nobody wants to know.
pub(super) fn told(job: &Job, ended: Ended) -> Option<Told> {
    let (code, stdout, said) = match ended {
        Ended::Cancelled => return None,
        Ended::TooLate => return Some(Told::error(late(job.deadline))),
        Ended::Failed(why) => {
            let why = format!("{why}. Start the server again; nothing was concluded");
            return Some(Told::error(why));
        }
        Ended::Done { code, stdout, said } => (code, stdout, said),
    };
    let text = String::from_utf8_lossy(&stdout).into_owned();
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let good = |exit: Exit| code == Some(exit as i32);
    Some(match (job.tool, json) {
        (Tool::Check, Some(run)) if run["sessions"].is_array() => check(&job.app, &run),
        (Tool::Decisions, Some(read)) if good(Exit::Done) => decisions(&read),
        (Tool::Explain | Tool::Fix, _) if good(Exit::Done) => Told {
            text,
            structured: None,
            error: false,
        },
        (tool, _) => Told::error(unsuccessful(tool, code, &said)),
    })
}

fn late(deadline: Duration) -> String {
    format!(
        "Nothing was concluded: it was ended after {} s. The way out: name fewer findings with `only`, or start the server with \
         `unrequested mcp --deadline SECONDS`",
        deadline.as_secs()
    )
}

/// What a command that did not do its work said on stderr, as far as it is for agents.
fn unsuccessful(tool: Tool, code: Option<i32>, said: &[String]) -> String {
    let is = |exit: Exit| code == Some(exit as i32);
    let mut out = if is(Exit::Nothing) && tool == Tool::Check {
        "NOTHING WAS TESTED: nothing is known of this app's protections.".to_owned()
    } else if is(Exit::Missing) {
        "Something that is needed is missing on this machine.".to_owned()
    } else if is(Exit::Usage) || is(Exit::Nothing) {
        "This could not be done.".to_owned()
    } else {
        "This failed by our own fault or the machine's; nothing was concluded.".to_owned()
    };
    let lines = said
        .iter()
        .map(|line| line.strip_prefix("unrequested: ").unwrap_or(line));
    let lines: Vec<String> = lines.filter_map(fit).collect();
    for line in &lines {
        let _ = write!(out, "\n{line}");
    }
    if lines.is_empty() {
        let _ = write!(
            out,
            "\nThe reason is shown by `unrequested {}` in a terminal, and what this machine lacks by `unrequested doctor`.",
            tool.name()
        );
    }
    out
}

/// One line, cut; `None` where an agent had better not read it.
fn fit(text: &str) -> Option<String> {
    let cut: String = text.chars().take(LONGEST).collect();
    let cut = clean(cut.trim());
    (!cut.is_empty() && remedy::fits_agents(&cut)).then_some(cut)
}

/// The line of progress that is passed on.
pub(super) fn progress(tool: Tool, elapsed: Duration, said: Option<&str>) -> String {
    let seconds = elapsed.as_secs();
    match said.and_then(fit) {
        Some(said) => format!("{}, {seconds} s: {said}", tool.name()),
        None => format!("{}, {seconds} s", tool.name()),
    }
}

fn words(value: &Value) -> String {
    value.as_str().and_then(fit).unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The schema of what [`check`] gives.
pub(super) fn check_schema() -> Value {
    let text = json!({"type": "string"});
    let count = json!({"type": "integer", "minimum": 0});
    json!({
        "type": "object",
        "required": ["run", "app", "complete", "tested", "held", "missing", "undecided", "not_applicable", "findings", "open_questions"],
        "properties": {
            "run": {"type": "string", "description": "the evidence's id in the ledger on this machine"},
            "app": text,
            "complete": {"type": "boolean", "description": "false: it ended early, and what is not listed is not known"},
            "tested": {"type": "integer", "minimum": 0, "description": "tests that were decided; 0: nothing is known"},
            "held": count,
            "missing": count,
            "undecided": count,
            "not_applicable": count,
            "findings": {"type": "array", "items": {
                "type": "object",
                "required": ["id", "number", "title", "control", "asked_for", "places", "state", "counts", "acceptance", "evidence"],
                "properties": {
                    "id": text,
                    "number": count,
                    "title": text,
                    "control": {"type": "string", "description": "what is wanted, as an acceptance criterion"},
                    "asked_for": {"type": "boolean", "description": "whether the app's prompts imply it; false: nobody asked"},
                    "places": {"type": "array", "items": {
                        "type": "object",
                        "required": ["decision", "file", "line"],
                        "properties": {"decision": text, "file": {"type": ["string", "null"]}, "line": count},
                    }},
                    "state": {"enum": ["open", "accepted", "expired", "before"]},
                    "counts": {"type": "boolean", "description": "false: accepted by a person, or decided before `since`"},
                    "acceptance": {"type": "string", "description": "the command that no longer lists it when it is done"},
                    "evidence": text,
                },
            }},
            "open_questions": {"type": "array", "items": {
                "type": "object",
                "required": ["control", "way"],
                "properties": {"control": text, "way": {"type": "string", "description": "what would make it testable"}},
            }},
        },
    })
}

fn check(app: &str, run: &Value) -> Told {
    let id = words(&run["run"]);
    let counted = |verdict: &str| {
        let verdicts = list(&run["sessions"])
            .iter()
            .flat_map(|session| list(&session["verdicts"]));
        verdicts.filter(|one| one["verdict"] == verdict).count()
    };
    let (missing, held) = (counted("exploited"), counted("resisted"));
    let (undecided, absent) = (counted("inconclusive"), counted("not-applicable"));
    let tested = missing + held;
    let findings: Vec<Value> = list(&run["findings"])
        .iter()
        .map(|one| finding(app, &id, one))
        .collect();
    let questions = questions(app, run);
    let complete = run["complete"] == true;
    let mut text = String::new();
    if tested == 0 {
        text.push_str("NOTHING WAS TESTED: nothing is known of this app's protections.\n");
        for session in list(&run["sessions"]) {
            for why in [&session["trouble"]["why"], &session["trouble"]] {
                let why = words(why);
                if !why.is_empty() {
                    let _ = writeln!(text, "{why}");
                }
            }
        }
    } else {
        let _ = writeln!(
            text,
            "{}: of {tested} tests, {held} protections held and {missing} were missing. Undecided: {undecided}. For features that the app \
             does not have: {absent}.",
            shown(app)
        );
        // The same rule as `report::finding::too_little`.
        if 3 * undecided > tested {
            text.push_str(
                "TOO LITTLE WAS DECIDED: what is not listed as missing is not known to hold.\n",
            );
        }
    }
    if !complete {
        text.push_str("It ended early: what is not listed is not known.\n");
    }
    for one in &findings {
        let _ = writeln!(
            text,
            "\n{} {} ({}{})\n  wanted: {}\n  place: {}\n  done when: {}",
            one["number"],
            one["id"].as_str().unwrap_or_default(),
            if one["asked_for"] == true {
                "the task implies it"
            } else {
                "nobody asked for it"
            },
            match one["state"].as_str() {
                Some("accepted") => "; a person accepted it, leave it",
                Some("before") => "; decided before",
                _ => "",
            },
            one["control"].as_str().unwrap_or_default(),
            place(&one["places"]),
            one["acceptance"].as_str().unwrap_or_default(),
        );
    }
    if !findings.is_empty() {
        text.push_str("\nThe tool `fix` says how each is written in this framework.\n");
    }
    for notice in list(&run["notices"]).iter().map(words) {
        if !notice.is_empty() {
            let _ = writeln!(text, "\n{notice}");
        }
    }
    if !questions.is_empty() {
        text.push_str("\nNot decided, and so neither held nor missing:\n");
    }
    for one in &questions {
        let _ = writeln!(
            text,
            "  {}: {}",
            one["control"].as_str().unwrap_or_default(),
            one["way"].as_str().unwrap_or_default()
        );
    }
    let _ = write!(
        text,
        "\nThe evidence is on this machine as run {id}; a person reads it with `unrequested report {id}`."
    );
    Told {
        text,
        structured: Some(json!({
            "run": id,
            "app": shown(app),
            "complete": complete,
            "tested": tested,
            "held": held,
            "missing": missing,
            "undecided": undecided,
            "not_applicable": absent,
            "findings": findings,
            "open_questions": questions,
        })),
        error: tested == 0,
    }
}

/// What was not decided, a line for each control and way.
fn questions(app: &str, run: &Value) -> Vec<Value> {
    let open = list(&run["undecided"]).iter();
    let mut all: Vec<Value> = Vec::new();
    for one in open.filter(|one| one["verdict"] == "inconclusive") {
        let control = control_of(&one["exploit"]);
        let mut way = words(&one["way"]);
        if way.is_empty() {
            way = again(app, &control);
        }
        let question = json!({"control": control, "way": way});
        if !all.contains(&question) {
            all.push(question);
        }
    }
    all
}

/// The command that tests one control.
fn again(app: &str, control: &str) -> String {
    let app = shown(app);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@[]".contains(c);
    let app = if app.chars().all(plain) && !app.starts_with('-') {
        app
    } else {
        format!("-- '{}'", app.replace('\'', r"'\''"))
    };
    format!("unrequested check --only {control} {app}")
}

fn shown(app: &str) -> String {
    clean(&app.chars().take(LONGEST).collect::<String>())
}

/// An exploit's id may say more than an agent should read: the control has a name of its own.
fn control_of(exploit: &Value) -> String {
    let id = exploit.as_str().unwrap_or_default();
    remedy::of(id).map_or_else(|| fit(id).unwrap_or_default(), |one| one.id.to_owned())
}

fn finding(app: &str, run: &str, one: &Value) -> Value {
    let id = words(&one["id"]);
    let places: Vec<Value> = list(&one["places"])
        .iter()
        .map(|place| {
            let file = place["file"].as_str().map(shown);
            json!({"decision": words(&place["decision"]), "file": file, "line": place["line"]})
        })
        .collect();
    let title = words(&one["title"]);
    let state = words(&one["state"]["is"]);
    let number = one["number"].as_u64().unwrap_or_default();
    json!({
        "id": id,
        "number": number,
        "title": if title.is_empty() { id.clone() } else { title },
        // Ours, and longer than a line of an app may be.
        "control": clean(one["wanted"].as_str().unwrap_or_default()),
        "asked_for": one["tier"] == "requirement",
        "places": places,
        "state": state,
        "counts": one["counts"] == true,
        "acceptance": again(app, &id),
        "evidence": format!("run {run}, finding {number}"),
    })
}

fn place(places: &Value) -> String {
    let places = list(places);
    let named: Vec<String> = places
        .iter()
        .filter_map(|place| Some(format!("{}:{}", place["file"].as_str()?, place["line"])))
        .collect();
    if named.is_empty() {
        return no_place(places.is_empty()).to_owned();
    }
    named.join(", ")
}

fn decisions(read: &Value) -> Told {
    let mut text = String::new();
    let mut all = Vec::new();
    let mut unread = Vec::new();
    for app in list(&read["apps"]) {
        all.extend(list(&app["told"]["decisions"]).iter().filter_map(decided));
        unread.extend(
            list(&app["told"]["unread"])
                .iter()
                .map(|one| json!({"file": one["file"].as_str().map(shown)})),
        );
    }
    let changes: Vec<Value> = list(&read["changes"])
        .iter()
        .map(|one| {
            let (before, after) = (read_of(&one["before"]), read_of(&one["after"]));
            let side = after.as_ref().or(before.as_ref());
            json!({
                "change": words(&one["change"]),
                "decision": side.map(|side| side.decision.as_str()),
                "before": before.as_ref().map(choice),
                "after": after.as_ref().map(choice),
            })
        })
        .collect();
    for one in &all {
        let _ = writeln!(
            text,
            "{}: {}{}; {}{}; {}",
            one["decision"].as_str().unwrap_or_default(),
            one["choice"].as_str().unwrap_or_default(),
            match one["origin"].as_str() {
                Some("") | None => String::new(),
                Some(origin) => format!(" ({origin})"),
            },
            if one["choice"] == "unknown" {
                place(&json!([]))
            } else {
                place(&json!([one]))
            },
            match one["below"].as_str() {
                Some("") | None => String::new(),
                Some(below) => format!("; under the floor: {below}"),
            },
            match (one["asked_for"] == true, one["reviewed"] == true) {
                (true, true) => "asked for, reviewed",
                (true, false) => "asked for, not reviewed",
                (false, true) => "nobody asked, reviewed",
                (false, false) => "nobody asked, nobody reviewed",
            }
        );
    }
    for one in &changes {
        let sides = [("before", &one["before"]), ("now", &one["after"])];
        let sides = sides
            .into_iter()
            .filter_map(|(when, choice)| Some(format!("{} {when}", choice.as_str()?)));
        let _ = writeln!(
            text,
            "{} since then: {}, {}",
            one["change"].as_str().unwrap_or_default(),
            one["decision"].as_str().unwrap_or_default(),
            sides.collect::<Vec<_>>().join(", ")
        );
    }
    if all.is_empty() && changes.is_empty() {
        text.push_str(
            "No decision is listed. This is no proof that there is none: see what was not read.\n",
        );
    }
    if !unread.is_empty() {
        let _ = writeln!(
            text,
            "Not read, so nothing is called absent: {} places.",
            unread.len()
        );
    }
    Told {
        text,
        structured: Some(json!({"decisions": all, "changes": changes, "unread": unread})),
        error: false,
    }
}

/// A decision as `decisions` prints it.
fn read_of(decision: &Value) -> Option<Decision> {
    serde_json::from_value(decision.clone()).ok()
}

fn choice(decision: &Decision) -> String {
    fit(&report::decisions::choice(decision)).unwrap_or_default()
}

/// `None` for what has no form that is known.
fn decided(one: &Value) -> Option<Value> {
    let decision = read_of(&one["decision"])?;
    let origin = if decision.origin == Origin::Absent {
        String::new()
    } else {
        fit(&report::decisions::origin(&decision.origin)).unwrap_or_default()
    };
    let span = decision.spans.first();
    Some(json!({
        "decision": words(&json!(decision.decision)),
        "choice": choice(&decision),
        "origin": origin,
        "file": span.map(|span| shown(&span.file)),
        "line": span.map_or(0, |span| span.line),
        "below": decision.below.as_deref().and_then(fit).unwrap_or_default(),
        "in_force": words(&one["in_force"]),
        "asked_for": one["asked"].is_object(),
        "reviewed": one["reviewed"]["holds"] == true,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(tool: Tool) -> Job {
        Job {
            tool,
            arguments: Vec::new(),
            deadline: Duration::from_secs(9),
            app: "app".to_owned(),
        }
    }

    fn done(code: i32, stdout: &str, said: &[&str]) -> Ended {
        Ended::Done {
            code: Some(code),
            stdout: stdout.as_bytes().to_vec(),
            said: said.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    fn verdicts(words: &[&str]) -> Value {
        let all: Vec<Value> = words.iter().map(|word| json!({"verdict": word})).collect();
        json!([{"verdicts": all, "trouble": null}])
    }

    #[test]
    fn what_was_not_tested_is_an_error_and_never_good_news() {
        for sessions in [verdicts(&[]), verdicts(&["inconclusive", "not-applicable"])] {
            let run = json!({"run": "r", "complete": true, "sessions": sessions});
            let told = told(&job(Tool::Check), done(12, &run.to_string(), &[])).unwrap();
            assert!(
                told.error && told.text.starts_with("NOTHING WAS TESTED"),
                "{told:?}"
            );
        }
        let said = [
            "unrequested: no app was found here",
            "there is no exploit `x`",
        ];
        let told = told(&job(Tool::Check), done(12, "", &said)).unwrap();
        assert!(told.error && told.text.starts_with("NOTHING WAS TESTED"));
        assert!(told.text.contains("no app was found here") && !told.text.contains("`x`"));
    }

    #[test]
    fn how_a_command_ended_is_told_with_the_way_out() {
        let of = |ended| told(&job(Tool::Check), ended);
        assert!(of(Ended::Cancelled).is_none());
        let late = of(Ended::TooLate).unwrap();
        assert!(late.error && late.text.contains("after 9 s") && late.text.contains("--deadline"));
        for (code, says) in [
            (1, "our own fault"),
            (2, "could not be done"),
            (20, "missing on"),
        ] {
            let told = of(done(code, "", &[])).unwrap();
            assert!(told.error && told.text.contains(says), "{told:?}");
            assert!(told.text.contains("unrequested check"), "{told:?}");
        }
        let killed = Ended::Done {
            code: None,
            stdout: b"{\"sessions\":".to_vec(),
            said: Vec::new(),
        };
        assert!(of(killed).unwrap().error);
    }

    #[test]
    fn an_early_end_and_what_is_undecided_are_said() {
        let run = json!({
            "run": "r", "complete": false, "sessions": verdicts(&["resisted", "exploited", "inconclusive"]),
            "undecided": [{"exploit": "sql-injection-search", "verdict": "inconclusive", "way": "unrequested check --only sql-injection-search"}],
            "findings": [],
            "notices": ["a baseline that says so", "an attack"],
        });
        let told = told(&job(Tool::Check), done(11, &run.to_string(), &[])).unwrap();
        assert!(!told.error && told.text.contains("ended early"), "{told:?}");
        assert!(
            told.text
                .contains("unrequested check --only bound-parameters-search app"),
            "{told:?}"
        );
        assert!(
            told.text.contains("TOO LITTLE WAS DECIDED") && told.text.contains("a baseline that")
        );
        let whole = format!("{}{}", told.text, told.structured.unwrap());
        assert!(remedy::fits_agents(&whole), "{whole}");
    }

    fn decision(choice: &str, origin: &Value, cost: Option<&str>) -> Value {
        let parameters = cost.map_or(json!({}), |cost| json!({"cost": cost}));
        let spans = match origin["from"].as_str() {
            Some("absent" | "unknown") => json!([]),
            _ => {
                json!([{"file": "app/main.py", "line": 7, "column": 1, "end_line": 7, "text": "x"}])
            }
        };
        json!({
            "decision": "password-hash", "choice": choice, "origin": origin, "parameters": parameters, "below": null,
            "confidence": "high", "spans": spans, "lines": 0, "notes": [],
        })
    }

    fn read(decision: &Value) -> Told {
        let one = json!({
            "decision": decision, "step": "", "asked": null, "reviewed": null, "in_force": "untested", "tests": [],
        });
        let read = json!({"apps": [{"app": "a", "told": {"decisions": [one], "unread": []}}], "changes": []});
        told(&job(Tool::Decisions), done(0, &read.to_string(), &[])).unwrap()
    }

    #[test]
    fn what_was_not_read_is_never_called_absent() {
        let unknown = json!({"from": "unknown", "why": "`pick` could not be followed"});
        let told = read(&decision("", &unknown, None));
        assert!(!told.text.contains("does this yet"), "{}", told.text);
        assert!(
            told.text.contains("password-hash: unknown (`pick` could not be followed); not known: the source that decides it was not read;"),
            "{}",
            told.text
        );
        let absent = read(&decision("", &json!({"from": "absent"}), None));
        assert!(
            absent
                .text
                .contains("password-hash: absent; nothing in the source does this yet;"),
            "{}",
            absent.text
        );
        let not_known = "not known: the source that decides it was not read";
        for (places, says) in [
            (json!([]), not_known),
            (
                json!([{"file": null, "line": 0}]),
                "nothing in the source does this yet",
            ),
            (
                json!([{"file": null, "line": 0}, {"file": "a.py", "line": 3}]),
                "a.py:3",
            ),
        ] {
            let run = json!({
                "run": "r", "complete": true, "sessions": verdicts(&["exploited"]), "undecided": [],
                "findings": [{"id": "password-hash", "places": places, "state": {"is": "open"}}],
            });
            let told = super::told(&job(Tool::Check), done(11, &run.to_string(), &[])).unwrap();
            let says = format!("place: {says}\n");
            assert!(told.text.contains(&says), "{says}: {}", told.text);
        }
    }

    #[test]
    fn a_choice_has_its_numbers_and_a_change_both_sides() {
        let bcrypt = json!({"from": "library", "name": "bcrypt", "version": "5.0.0"});
        let (old, new) = (
            decision("bcrypt", &bcrypt, Some("12")),
            decision("bcrypt", &bcrypt, Some("4")),
        );
        let told = read(&old);
        let says = "password-hash: bcrypt, cost 12 (library bcrypt 5.0.0); app/main.py:7;";
        assert!(told.text.contains(says), "{}", told.text);
        let structured = told.structured.unwrap();
        assert_eq!(structured["decisions"][0]["choice"], "bcrypt, cost 12");
        let read = json!({"apps": [], "changes": [
            {"change": "changed", "before": old, "after": new}, {"change": "gone", "before": old}, {"change": "new", "after": new},
        ]});
        let told = super::told(&job(Tool::Decisions), done(0, &read.to_string(), &[])).unwrap();
        for says in [
            "changed since then: password-hash, bcrypt, cost 12 before, bcrypt, cost 4 now\n",
            "gone since then: password-hash, bcrypt, cost 12 before\n",
            "new since then: password-hash, bcrypt, cost 4 now\n",
        ] {
            assert!(told.text.contains(says), "{says}: {}", told.text);
        }
        let changes = &told.structured.unwrap()["changes"];
        assert_eq!(
            (&changes[0]["before"], &changes[0]["after"]),
            (&json!("bcrypt, cost 12"), &json!("bcrypt, cost 4"))
        );
        assert_eq!(changes[1]["after"], Value::Null);
    }

    #[test]
    fn a_suggested_command_is_one_argument_in_a_shell() {
        assert_eq!(again("a/b-c", "x"), "unrequested check --only x a/b-c");
        let folder = again("it's; rm -rf ~", "x");
        assert_eq!(folder, r"unrequested check --only x -- 'it'\''s; rm -rf ~'");
        assert!(again("-x", "y").ends_with("-- '-x'"));
    }

    #[test]
    fn words_of_an_app_and_of_attacks_do_not_get_through() {
        let long = "x".repeat(5000);
        assert_eq!(fit("a payload of it"), None);
        assert_eq!(
            fit("a\u{1b}[2Jb\u{202e}").unwrap(),
            clean("a\u{1b}[2Jb\u{202e}")
        );
        assert!(fit(&long).unwrap().chars().count() <= LONGEST);
        let told = progress(Tool::Check, Duration::from_secs(3), Some("an attack"));
        assert_eq!(told, "check, 3 s");
    }
}
