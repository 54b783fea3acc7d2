//! The machine output of `bench`, `check` and `report`.

use model::run::Run;
use serde_json::{Value, json};

use crate::finding::Report;

/// One object, pretty-printed, with a final newline.
pub fn render(run: &Run) -> String {
    pretty(&serde_json::to_value(run).unwrap_or_default())
}

/// The same object, and what `check` makes of it: findings with proofs, and what would make the rest testable.
pub fn with_findings(report: &Report<'_>) -> String {
    let mut value = serde_json::to_value(report.run).unwrap_or_default();
    let findings: Vec<Value> = report
        .apps
        .iter()
        .flat_map(|app| {
            app.findings.iter().map(|one| {
                let mut value = serde_json::to_value(one).unwrap_or_default();
                value["session"] = json!(app.session.id);
                value["counts"] = json!(one.state.counts());
                value["prompt"] = json!(crate::finding::prompt(
                    one,
                    &app.session.framework,
                    &report.called
                ));
                value
            })
        })
        .collect();
    let undecided: Vec<Value> = report
        .apps
        .iter()
        .flat_map(|app| {
            app.undecided.iter().map(|one| {
                let mut value = serde_json::to_value(one).unwrap_or_default();
                value["session"] = json!(app.session.id);
                value
            })
        })
        .collect();
    value["findings"] = Value::Array(findings);
    value["undecided"] = Value::Array(undecided);
    value["notices"] = json!(report.notices);
    pretty(&value)
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value)
        .unwrap_or_else(|error| format!("{{\"error\": {:?}}}", error.to_string()));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{report, run};

    #[test]
    fn it_fits_the_schema_in_every_state() {
        use crate::finding::State;
        let schema = include_str!("../../../docs/run.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut run = run();
        run.sessions[0].auth = Some("subscription".into());
        let mut report = report(&run);
        let (reason, by, until) = ("r".to_owned(), "ann".to_owned(), "2027-01-31".to_owned());
        let states = [
            State::Open,
            State::Expired {
                reason: reason.clone(),
                until: until.clone(),
            },
            State::Accepted { reason, by, until },
            State::Before {
                revision: "main".into(),
            },
        ];
        for state in states {
            report.apps[0].findings[0].state = state;
            let value: Value = serde_json::from_str(&with_findings(&report)).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
        let mut value: Value = serde_json::from_str(&with_findings(&report)).unwrap();
        value["findings"][0]["other"] = json!(1);
        assert!(!validator.is_valid(&value));
    }

    #[test]
    fn hostile_words_come_back_as_they_were() {
        let run = run();
        let text = with_findings(&report(&run));
        let back: Value = serde_json::from_str(&text).unwrap();
        let seen = back["findings"][0]["seen"][0]["effects"][0]
            .as_str()
            .unwrap();
        assert!(seen.starts_with(crate::text::hostile::SHORT.split("; ").next().unwrap()));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{0}'));
    }
}
