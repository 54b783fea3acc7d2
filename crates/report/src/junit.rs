//! JUnit XML: a test case for each exploit, a suite for each tier. Only what counts is a failure; what was not decided or
//! accepted is skipped with its reason, and never passes.

use std::fmt::Write as _;

use model::Word;
use model::run::{Judged, Tier};

use crate::finding::{App, Report, State};
use crate::text::{LONGEST, clip, markup};

/// What fails a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    Requirement,
    All,
}

enum Outcome {
    Passed,
    Failed { message: String, text: String },
    Skipped(String),
}

/// One document.
pub fn render(report: &Report<'_>, fails: Fails) -> String {
    let mut suites = String::new();
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    for app in &report.apps {
        for tier in Tier::ALL {
            let cases: Vec<(&Judged, Outcome)> = app
                .session
                .verdicts
                .iter()
                .filter(|one| one.tier == tier)
                .map(|one| (one, outcome(report, app, one, fails)))
                .collect();
            if cases.is_empty() {
                continue;
            }
            let failed = cases
                .iter()
                .filter(|(_, one)| matches!(one, Outcome::Failed { .. }))
                .count();
            let passed = cases
                .iter()
                .filter(|(_, one)| matches!(one, Outcome::Passed))
                .count();
            let left = cases.len() - failed - passed;
            let _ = writeln!(
                suites,
                "  <testsuite name=\"{}: {}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{left}\">",
                attribute(&report.shown),
                tier.name(),
                cases.len()
            );
            for (judged, outcome) in &cases {
                case(&mut suites, judged, outcome);
            }
            suites.push_str("  </testsuite>\n");
            tests += cases.len();
            failures += failed;
            skipped += left;
        }
        if let Some(trouble) = &app.session.trouble {
            let _ = writeln!(
                suites,
                "  <testsuite name=\"{}: boot\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n    <testcase \
                 classname=\"boot\" name=\"the app starts\">\n      <error message=\"{}\"/>\n    </testcase>\n  </testsuite>",
                attribute(&report.shown),
                attribute(&trouble.why)
            );
        }
    }
    if report.apps.is_empty() {
        // Ended before there was an app to speak of: a file without a case would pass.
        skipped += 1;
        tests += 1;
        suites.push_str(
            "  <testsuite name=\"run\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"1\">\n    <testcase classname=\"run\" \
             name=\"something was tested\">\n      <skipped message=\"ended before anything was tested\"/>\n    </testcase>\n  \
             </testsuite>\n",
        );
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"unrequested\" tests=\"{tests}\" failures=\"{failures}\" \
         errors=\"{}\" skipped=\"{skipped}\">\n{suites}</testsuites>\n",
        report
            .apps
            .iter()
            .filter(|app| app.session.trouble.is_some())
            .count()
    )
}

fn attribute(text: &str) -> String {
    markup(&clip(text, LONGEST))
}

fn outcome(report: &Report<'_>, app: &App<'_>, judged: &Judged, fails: Fails) -> Outcome {
    match judged.verdict {
        Word::Resisted => Outcome::Passed,
        Word::NotApplicable => Outcome::Skipped(format!("not applicable: {}", judged.reason)),
        Word::Inconclusive => Outcome::Skipped(format!("undecided: {}", judged.reason)),
        Word::Exploited => {
            let Some(finding) = app
                .findings
                .iter()
                .find(|one| one.exploits.contains(&judged.exploit))
            else {
                return Outcome::Failed {
                    message: judged.title.clone(),
                    text: judged.reason.clone(),
                };
            };
            match &finding.state {
                State::Accepted { .. } | State::Before { .. } => {
                    Outcome::Skipped(finding.state.why())
                }
                State::Open | State::Expired { .. }
                    if judged.tier == Tier::Hardening && fails == Fails::Requirement =>
                {
                    Outcome::Skipped(format!("absent, and nobody asked for it: {}", judged.title))
                }
                State::Open | State::Expired { .. } => {
                    let mut text = clip(&judged.reason, LONGEST);
                    for place in &finding.places {
                        let file = place.file.as_deref().unwrap_or("nothing in the source");
                        let _ = write!(
                            text,
                            "\n{}: {}:{}",
                            place.decision,
                            clip(file, 200),
                            place.line
                        );
                    }
                    let _ = write!(
                        text,
                        "\nfix: {}\nsee: {} replay {}",
                        finding.fix, report.called, finding.number
                    );
                    Outcome::Failed {
                        message: judged.title.clone(),
                        text,
                    }
                }
            }
        }
    }
}

fn case(out: &mut String, judged: &Judged, outcome: &Outcome) {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\"",
        attribute(&judged.area),
        attribute(&judged.exploit)
    );
    match outcome {
        Outcome::Passed => {
            let _ = writeln!(out, "{head}/>");
        }
        Outcome::Skipped(why) => {
            let _ = writeln!(
                out,
                "{head}>\n      <skipped message=\"{}\"/>\n    </testcase>",
                attribute(why)
            );
        }
        Outcome::Failed { message, text } => {
            let lines: Vec<String> = text.lines().map(crate::clean).collect();
            let _ = writeln!(
                out,
                "{head}>\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
                judged.tier.name(),
                attribute(message),
                markup(&lines.join("\n"))
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{report, run};

    /// Element names, attributes and text, by a parser of its own: what is not well-formed panics.
    fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let document =
            roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let of = |node: roxmltree::Node<'_, '_>| {
            let attributes = node
                .attributes()
                .map(|one| (one.name().to_owned(), one.value().to_owned()));
            (node.tag_name().name().to_owned(), attributes.collect())
        };
        document
            .descendants()
            .filter(roxmltree::Node::is_element)
            .map(of)
            .collect()
    }

    fn count(text: &str, name: &str) -> usize {
        elements(text)
            .iter()
            .filter(|(element, _)| element == name)
            .count()
    }

    #[test]
    fn only_what_counts_fails_and_nothing_undecided_passes() {
        let run = run();
        let report = report(&run);
        let text = render(&report, Fails::Requirement);
        assert_eq!(
            (
                count(&text, "testcase"),
                count(&text, "failure"),
                count(&text, "skipped")
            ),
            (6, 2, 3)
        );
        let text = render(&report, Fails::All);
        assert_eq!((count(&text, "failure"), count(&text, "skipped")), (3, 2));
        let total = &elements(&text)[0].1;
        assert!(
            total.contains(&("tests".into(), "6".into()))
                && total.contains(&("failures".into(), "3".into()))
        );
    }

    #[test]
    fn what_is_accepted_is_skipped_with_its_reason() {
        let run = run();
        let mut report = report(&run);
        report.apps[0].findings[0].state = State::Accepted {
            reason: "internal ]]> <x>".into(),
            by: "ann".into(),
            until: "2027-01-31".into(),
        };
        let text = render(&report, Fails::Requirement);
        assert_eq!(count(&text, "failure"), 0);
        let said = elements(&text).into_iter().any(|(_, attributes)| {
            attributes
                .iter()
                .any(|(_, value)| value == "accepted by ann until 2027-01-31: internal ]]> <x>")
        });
        assert!(said, "{text}");
    }

    #[test]
    fn hostile_words_make_no_element_and_no_length() {
        let run = run();
        let text = render(&report(&run), Fails::All);
        assert!(text.len() < 30_000, "{}", text.len());
        let names: Vec<String> = elements(&text).into_iter().map(|(name, _)| name).collect();
        assert!(names.iter().all(|name| {
            ["testsuites", "testsuite", "testcase", "failure", "skipped"].contains(&name.as_str())
        }));
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{0}', '\u{fffe}']));
    }

    #[test]
    fn an_app_that_did_not_boot_is_an_error() {
        let mut run = run();
        run.sessions[0].verdicts.clear();
        run.sessions[0].trouble = Some(model::run::Trouble {
            fault: model::Fault::App,
            step: model::Step::Boot,
            why: "no <start>".into(),
            log: String::new(),
        });
        assert_eq!(
            count(&render(&report(&run), Fails::Requirement), "error"),
            1
        );
    }
}
