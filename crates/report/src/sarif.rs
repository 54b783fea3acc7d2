//! SARIF 2.1.0, as GitHub's code scanning reads it. Every remedy is a rule, whether it is missing or not; a result is a
//! finding. GitHub shows every result as an alert, whatever its `kind`, and refuses one without a place: so what was
//! resisted, undecided or not applicable stands in the run's properties and notifications, never among the results.

use std::fmt::Write as _;

use model::Word;
use model::run::Tier;
use serde_json::{Value, json};

use crate::finding::{App, Finding, Place, Report, State};
use crate::remedy;
use crate::text::{LONGEST, clip};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One log with one run.
pub fn render(report: &Report<'_>) -> String {
    let run = report.run;
    let results: Vec<Value> = report
        .apps
        .iter()
        .flat_map(|app| app.findings.iter().map(move |finding| (app, finding)))
        .filter(|(_, finding)| report.hardening || finding.tier == Tier::Requirement)
        .filter(|(_, finding)| !matches!(finding.state, State::Before { .. }))
        .map(|(app, finding)| result(report, app, finding))
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "unrequested",
                "version": run.tool,
                "semanticVersion": run.tool,
                "rules": remedy::all().iter().map(|one| rule(report, one)).collect::<Vec<_>>(),
            }},
            "automationDetails": { "id": "unrequested/check/" },
            "columnKind": "utf16CodeUnits",
            "originalUriBaseIds": { "%SRCROOT%": { "description": { "text": "The folder in which check was run." } } },
            "invocations": [{
                "executionSuccessful": run.complete,
                "toolExecutionNotifications": notifications(report),
            }],
            "results": results,
            "properties": { "run": run.run, "suite": run.suite, "outcomes": outcomes(report) },
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn rule(report: &Report<'_>, remedy: &remedy::Remedy) -> Value {
    let of_it: Vec<_> = report
        .rules
        .iter()
        .filter(|rule| remedy.exploits.contains(&rule.exploit.as_str()))
        .collect();
    let asked = of_it.iter().any(|rule| rule.tier == Tier::Requirement);
    let mut tags = vec!["security".to_owned()];
    let mut cwe: Vec<u16> = of_it.iter().flat_map(|rule| rule.cwe.clone()).collect();
    cwe.sort_unstable();
    cwe.dedup();
    tags.extend(cwe.iter().map(|id| format!("external/cwe/cwe-{id:03}")));
    let mut fixes: Vec<&str> = of_it.iter().map(|rule| rule.fix.as_str()).collect();
    fixes.dedup();
    let frameworks: Vec<&str> = report
        .apps
        .iter()
        .map(|app| app.session.framework.as_str())
        .collect();
    let idiom = frameworks.first().and_then(|name| remedy.idiom(name));
    let help = fixes.join(" ");
    json!({
        "id": remedy.id,
        "name": remedy.id,
        "shortDescription": { "text": remedy.title },
        "fullDescription": { "text": remedy.why },
        "help": {
            "text": help,
            "markdown": format!("{help}\n\n{}", idiom.unwrap_or_default()),
        },
        "defaultConfiguration": { "level": if asked { "error" } else { "note" } },
        "properties": {
            "tags": tags,
            "precision": "very-high",
            "problem.severity": if asked { "error" } else { "recommendation" },
            // GitHub sorts by it: what was asked for and broken is high, what nobody asked for low.
            "security-severity": if asked { "8.0" } else { "3.0" },
            "exploits": remedy.exploits,
            "asvs": of_it.iter().flat_map(|rule| rule.asvs.clone()).collect::<Vec<_>>(),
        },
    })
}

fn result(report: &Report<'_>, app: &App<'_>, finding: &Finding) -> Value {
    let index = remedy::all().iter().position(|one| {
        finding.id.starts_with(one.id) && one.exploits.contains(&finding.exploits[0].as_str())
    });
    let mut effects: Vec<String> = Vec::new();
    for seen in &finding.seen {
        effects.extend(seen.effects.iter().take(3).map(|effect| clip(effect, 200)));
    }
    let mut text = format!(
        "{}. Seen on a running copy: {}.",
        clip(&finding.title, 200),
        effects.join("; ")
    );
    let _ = write!(
        text,
        " Run `{} replay {}` to see it.",
        report.called, finding.number
    );
    let located: Vec<&Place> = finding
        .places
        .iter()
        .filter(|place| place.file.is_some())
        .collect();
    let mut locations: Vec<Value> = located
        .iter()
        .map(|place| location(&report.prefix, place))
        .collect();
    if locations.is_empty() {
        // Nothing decides it: the finding stands where the app as a whole is described.
        locations.push(json!({ "physicalLocation": {
            "artifactLocation": { "uri": uri(&format!("{}{}", report.prefix, manifest(app))), "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": 1 },
        }}));
        text.push_str(" Nothing in the source decides it.");
    }
    let mut value = json!({
        "ruleId": remedy::all().get(index.unwrap_or(usize::MAX)).map_or(finding.id.as_str(), |one| one.id),
        "kind": "fail",
        "level": if finding.tier == Tier::Requirement { "error" } else { "note" },
        "message": { "text": text },
        "locations": [locations[0]],
        "partialFingerprints": { "unrequested/1": format!("{}/{}", finding.id, finding.tier.name()) },
        "properties": {
            "finding": finding.id,
            "tier": finding.tier.name(),
            "exploits": finding.exploits,
            "calibration": finding.trust.iter().map(|one| format!("{}: {}", one.exploit, one.words())).collect::<Vec<_>>(),
        },
    });
    if let Some(index) = index {
        value["ruleIndex"] = json!(index);
    }
    let related: Vec<Value> = locations
        .iter()
        .skip(1)
        .enumerate()
        .map(|(number, place)| {
            let mut place = place.clone();
            place["id"] = json!(number + 1);
            place
        })
        .collect();
    if !related.is_empty() {
        value["relatedLocations"] = json!(related);
    }
    if let State::Accepted { reason, by, until } = &finding.state {
        value["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": clip(&format!("{reason} (by {by}, until {until})"), LONGEST),
        }]);
    }
    value
}

fn location(prefix: &str, place: &Place) -> Value {
    let file = place.file.as_deref().unwrap_or_default();
    let message = format!("{}: {}", place.decision, clip(&place.choice, 200));
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&format!("{prefix}{file}")), "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": place.line.max(1), "endLine": place.end_line.max(place.line).max(1) },
        },
        "message": { "text": message },
    })
}

/// A relative path as a URI reference.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A file that every app of this framework has.
fn manifest(app: &App<'_>) -> String {
    let any = app
        .session
        .decisions
        .iter()
        .flat_map(|one| &one.decision.spans)
        .map(|span| span.file.as_str());
    let known = match app.session.framework.as_str() {
        "nextjs" | "express" => "package.json",
        "axum" | "actix" => "Cargo.toml",
        _ => "",
    };
    if known.is_empty() {
        return any
            .min()
            .map_or_else(|| "start.sh".to_owned(), str::to_owned);
    }
    known.to_owned()
}

/// What was not decided, and what is to be said of the run as a whole.
fn notifications(report: &Report<'_>) -> Vec<Value> {
    let note = |level: &str, text: String| json!({ "level": level, "message": { "text": text } });
    let mut all: Vec<Value> = report
        .notices
        .iter()
        .map(|text| note("warning", clip(text, LONGEST)))
        .collect();
    for app in &report.apps {
        if let Some(trouble) = &app.session.trouble {
            all.push(note(
                "error",
                format!("nothing was attacked: {}", clip(&trouble.why, LONGEST)),
            ));
        }
        for one in &app.undecided {
            let level = if one.verdict == Word::Inconclusive {
                "warning"
            } else {
                "note"
            };
            let way = one
                .way
                .as_ref()
                .map_or(String::new(), |way| format!(" To test it: {way}"));
            all.push(note(
                level,
                format!(
                    "{}: {}: {}.{way}",
                    one.exploit,
                    one.verdict.name(),
                    clip(&one.reason, LONGEST)
                ),
            ));
        }
        let quiet = app
            .findings
            .iter()
            .filter(|one| one.tier == Tier::Hardening && one.state.counts() && !report.hardening)
            .count();
        if quiet > 0 {
            all.push(note("note", format!("{quiet} protections that nobody asked for are absent; --hardening makes them results")));
        }
        for one in &app.findings {
            if let State::Before { revision } = &one.state {
                all.push(note(
                    "note",
                    format!(
                        "{} was decided before {} and is no result",
                        one.id,
                        clip(revision, 80)
                    ),
                ));
            }
        }
    }
    all
}

/// Each exploit's verdict, so that no log without results is taken for one of a run that tested nothing.
fn outcomes(report: &Report<'_>) -> Value {
    let mut all = serde_json::Map::new();
    for app in &report.apps {
        for judged in &app.session.verdicts {
            all.insert(judged.exploit.clone(), json!(judged.verdict.name()));
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{report, run};

    const OFFICIAL: &str = include_str!("../tests/sarif-2.1.0-rtm.5.json");

    /// The official schema, but for the pattern of a language tag, which we do not write: it is no regular expression.
    fn schema() -> jsonschema::Validator {
        let broken = r#""pattern": "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$""#;
        assert_eq!(OFFICIAL.matches(broken).count(), 2);
        let schema: Value =
            serde_json::from_str(&OFFICIAL.replace(broken, r#""minLength": 2"#)).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    }

    fn check(log: &str) -> Value {
        let value: Value = serde_json::from_str(log).unwrap();
        let validator = schema();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        value
    }

    #[test]
    fn the_schema_is_not_content_with_anything() {
        let validator = schema();
        let run = run();
        let mut value: Value = serde_json::from_str(&render(&report(&run))).unwrap();
        value["runs"][0]["results"][0]["level"] = json!("terrible");
        assert!(!validator.is_valid(&value));
    }

    #[test]
    fn all_rules_are_listed_and_results_are_valid_with_and_without_hardening() {
        let run = run();
        let mut report = report(&run);
        let value = check(&render(&report));
        let driver = &value["runs"][0]["tool"]["driver"];
        assert_eq!(
            driver["rules"].as_array().unwrap().len(),
            remedy::all().len()
        );
        assert_eq!(value["runs"][0]["results"].as_array().unwrap().len(), 1);
        report.hardening = true;
        let value = check(&render(&report));
        let results = value["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        for result in results {
            assert!(!result["locations"].as_array().unwrap().is_empty());
            let index = result["ruleIndex"].as_u64().unwrap() as usize;
            assert_eq!(
                value["runs"][0]["tool"]["driver"]["rules"][index]["id"],
                result["ruleId"]
            );
        }
    }

    #[test]
    fn hostile_words_are_short_and_paths_are_references() {
        let run = run();
        let text = render(&report(&run));
        assert!(text.len() < 200_000, "{}", text.len());
        assert!(!text.contains(['\u{202e}', '\u{1b}', '\u{0}']));
        let value = check(&text);
        let place = &value["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
            ["uri"];
        assert_eq!(place, "services/api/app/%3Cscript%3E%E2%80%AE.py");
    }

    #[test]
    fn what_is_accepted_is_suppressed_and_what_is_undecided_is_notified() {
        let run = run();
        let mut report = report(&run);
        report.apps[0].findings[0].state = State::Accepted {
            reason: "internal".into(),
            by: "ann".into(),
            until: "2027-01-31".into(),
        };
        let value = check(&render(&report));
        let result = &value["runs"][0]["results"][0];
        assert_eq!(result["suppressions"][0]["status"], "accepted");
        let notes = value["runs"][0]["invocations"][0]["toolExecutionNotifications"].to_string();
        assert!(notes.contains("webhook-unsigned: inconclusive"), "{notes}");
        assert_eq!(
            value["runs"][0]["properties"]["outcomes"]["missing-token"],
            "resisted"
        );
    }

    #[test]
    fn a_run_that_tested_nothing_is_not_successful() {
        let mut run = run();
        run.complete = false;
        run.sessions[0].verdicts.clear();
        let value = check(&render(&report(&run)));
        assert_eq!(
            value["runs"][0]["invocations"][0]["executionSuccessful"],
            false
        );
    }
}
