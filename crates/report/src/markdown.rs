//! Markdown for a pull request: what counts first, everything else folded. Words of the app stand in code or are escaped:
//! they mention nobody, link nowhere and end no table.

use std::fmt::Write as _;

use model::Word;
use model::run::Tier;

use crate::finding::{App, Finding, Report, State, prompt, too_little};
use crate::text::{block, code, markdown};

/// GitHub takes 65,536 characters; what is longer is made again without proofs and prompts.
const MOST: usize = 60_000;

pub fn render(report: &Report<'_>) -> String {
    let whole = page(report, true);
    if whole.chars().count() <= MOST {
        return whole;
    }
    let mut short = page(report, false);
    short.push_str(
        "\nThe proofs are left out here because they are long; the HTML report has them.\n",
    );
    if short.chars().count() > MOST {
        short = short.chars().take(MOST).collect();
        short.push_str("\n\nCut here: the HTML report is whole.\n");
    }
    short
}

fn page(report: &Report<'_>, whole: bool) -> String {
    let mut out = String::new();
    if report.apps.is_empty() {
        out.push_str("## unrequested: nothing was tested\n\n");
        notices(&mut out, report);
    }
    for app in &report.apps {
        one(&mut out, report, app, whole);
    }
    for line in crate::calibration::foot(report.run) {
        let _ = writeln!(out, "- {}", markdown(line.trim()));
    }
    let _ = writeln!(out, "- run {}", code(&report.run.run));
    out
}

fn notices(out: &mut String, report: &Report<'_>) {
    for notice in &report.notices {
        let _ = writeln!(out, "> {}\n", markdown(notice));
    }
}

fn one(out: &mut String, report: &Report<'_>, app: &App<'_>, whole: bool) {
    let counting = |tier| {
        app.findings
            .iter()
            .filter(move |one| one.tier == tier && one.state.counts())
    };
    let (asked, unasked) = (
        counting(Tier::Requirement).count(),
        counting(Tier::Hardening).count(),
    );
    let said = match (&app.session.trouble, asked) {
        (Some(_), _) => "nothing was tested".to_owned(),
        (None, 0) if too_little(app.session) => "too little was decided to say anything".to_owned(),
        (None, 0) => "nothing that was asked for was exploited".to_owned(),
        (None, 1) => "1 thing is exploitable".to_owned(),
        (None, many) => format!("{many} things are exploitable"),
    };
    let _ = writeln!(out, "## unrequested: {said}\n");
    if let Some(trouble) = &app.session.trouble {
        let _ = writeln!(out, "{}\n", markdown(&trouble.why));
    }
    notices(out, report);
    let tally = |tier| {
        let count = |word| {
            app.session
                .verdicts
                .iter()
                .filter(|one| one.verdict == word && one.tier == tier)
                .count()
        };
        (
            count(Word::Exploited),
            count(Word::Resisted),
            count(Word::Inconclusive),
            count(Word::NotApplicable),
        )
    };
    let _ = writeln!(
        out,
        "| {} | holes | closed | undecided | not applicable |\n| --- | --: | --: | --: | --: |",
        code(&report.shown)
    );
    for (tier, name) in [
        (Tier::Requirement, "asked for"),
        (Tier::Hardening, "nobody asked"),
    ] {
        let (open, closed, undecided, beside) = tally(tier);
        let _ = writeln!(
            out,
            "| {name} | {open} | {closed} | {undecided} | {beside} |"
        );
    }
    out.push('\n');
    for finding in counting(Tier::Requirement) {
        full(out, report, app, finding, whole);
    }
    if unasked > 0 && report.hardening {
        out.push_str("### Absent: nobody asked, nobody decided\n\n");
        for finding in counting(Tier::Hardening) {
            full(out, report, app, finding, whole);
        }
    } else if unasked > 0 {
        let _ = writeln!(
            out,
            "<details><summary>{unasked} protections that nobody asked for are absent</summary>\n"
        );
        for finding in counting(Tier::Hardening) {
            let _ = writeln!(
                out,
                "- {} ({})",
                markdown(&finding.title),
                code(&finding.id)
            );
        }
        out.push_str("\n</details>\n\n");
    }
    set_aside(out, app);
    if !app.undecided.is_empty() {
        let _ = writeln!(
            out,
            "<details><summary>{} not decided or not applicable</summary>\n",
            app.undecided.len()
        );
        out.push_str("| exploit | verdict | why | what would make it testable |\n| --- | --- | --- | --- |\n");
        for one in &app.undecided {
            let way = one.way.as_deref().map_or(String::new(), markdown);
            let _ = writeln!(
                out,
                "| {} | {} | {} | {way} |",
                code(&one.exploit),
                one.verdict.name(),
                markdown(&one.reason)
            );
        }
        out.push_str("\n</details>\n\n");
    }
}

fn full(out: &mut String, report: &Report<'_>, app: &App<'_>, finding: &Finding, whole: bool) {
    let _ = writeln!(
        out,
        "### {}. {}\n",
        finding.number,
        markdown(&finding.title)
    );
    for seen in &finding.seen {
        for effect in seen.effects.iter().take(3) {
            let _ = writeln!(out, "- {}", markdown(effect));
        }
        if seen.effects.len() > 3 {
            let _ = writeln!(out, "- and {} more", seen.effects.len() - 3);
        }
    }
    if !finding.why.is_empty() {
        let _ = writeln!(out, "\n{}", finding.why);
    }
    out.push('\n');
    for place in finding.places.iter().take(4) {
        let _ = match &place.file {
            Some(file) => writeln!(
                out,
                "- {}: {} ({})",
                code(&format!("{file}:{}", place.line)),
                code(&place.choice),
                place.decision
            ),
            None => writeln!(
                out,
                "- nothing in the source decides it ({})",
                place.decision
            ),
        };
    }
    if let State::Expired { until, reason } = &finding.state {
        let _ = writeln!(
            out,
            "- was accepted until {} ({}): it counts again",
            markdown(until),
            markdown(reason)
        );
    }
    let cwe: Vec<String> = finding.cwe.iter().map(|id| format!("CWE-{id}")).collect();
    let _ = writeln!(
        out,
        "- {}, ASVS 5.0 {}",
        cwe.join(", "),
        finding.asvs.join(", ")
    );
    for trust in &finding.trust {
        let _ = writeln!(out, "- {}: {}", code(&trust.exploit), trust.words());
    }
    let _ = writeln!(out, "\n**Fix.** {}\n", finding.fix);
    if !whole {
        return;
    }
    if let Some(idiom) = &finding.idiom {
        let _ = writeln!(
            out,
            "<details><summary>In {}</summary>\n\n{idiom}\n\n</details>\n",
            app.session.framework
        );
    }
    for proof in &finding.proofs {
        let _ = writeln!(
            out,
            "<details><summary>Proof: {}</summary>\n\n{}\n</details>\n",
            proof.exploit,
            block(&script(proof), "sh")
        );
    }
    let text = prompt(finding, &app.session.framework, &report.called);
    let _ = writeln!(
        out,
        "<details><summary>For your agent</summary>\n\n{}\n</details>\n",
        block(&text, "text")
    );
}

/// A proof as lines for a shell.
pub(crate) fn script(proof: &crate::finding::Proof) -> String {
    let mut out = String::from(
        "# against your own copy: BASE=http://127.0.0.1:8000 HOST=127.0.0.1 PORT=8000\n",
    );
    for request in &proof.requests {
        let mark = if request.shows {
            "  <- here it shows"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "# {}{mark}\n{}\n#    {}",
            crate::text::clip(&request.says, 200),
            request.command,
            crate::text::clip(&request.answer, 200)
        );
    }
    if proof.requests.iter().all(|request| !request.shows) {
        out.push_str(
            "# no single reply shows it: replay makes all requests and judges them together\n",
        );
    }
    if proof.left_out > 0 {
        let _ = writeln!(
            out,
            "# {} more requests were made; replay makes them all",
            proof.left_out
        );
    }
    out
}

fn set_aside(out: &mut String, app: &App<'_>) {
    let aside: Vec<&Finding> = app
        .findings
        .iter()
        .filter(|one| !one.state.counts())
        .collect();
    if aside.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "<details><summary>{} findings are not counted</summary>\n",
        aside.len()
    );
    for finding in aside {
        let why = finding.state.why();
        let _ = writeln!(
            out,
            "- {} ({}): {}",
            markdown(&finding.title),
            code(&finding.id),
            markdown(&why)
        );
    }
    out.push_str("\n</details>\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{report, run};

    #[test]
    fn a_pull_request_reads_what_counts_and_finds_the_rest_folded() {
        let run = run();
        let mut report = report(&run);
        let text = render(&report);
        assert!(
            text.starts_with("## unrequested: 1 thing is exploitable\n"),
            "{text}"
        );
        assert!(
            text.contains("1 protections that nobody asked for are absent"),
            "{text}"
        );
        assert!(
            text.contains("### 1. ") && !text.contains("### 2. "),
            "{text}"
        );
        assert_eq!(
            text.matches("<details>").count(),
            text.matches("\n</details>").count()
        );
        report.hardening = true;
        assert!(render(&report).contains("### 2. "));
    }

    #[test]
    fn hostile_words_are_no_markup_and_end_no_fence() {
        let run = run();
        let text = render(&report(&run));
        assert!(text.chars().count() <= MOST + 100);
        let mut fence: Option<String> = None;
        for line in text.lines() {
            let ticks: String = line.chars().take_while(|c| *c == '`').collect();
            match &fence {
                Some(open) if ticks.len() >= open.len() && line.trim_end() == ticks => fence = None,
                Some(_) => continue,
                None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => {
                    fence = Some(ticks);
                }
                None => {}
            }
            // Outside of fences, and with code spans taken out, only our own tags are left.
            let mut rest = String::new();
            let mut parts = line.split('`');
            rest.push_str(parts.next().unwrap_or_default());
            if !line.contains('`') {
                for tag in [
                    "<script",
                    "<img",
                    "</style",
                    "</title",
                    "@everyone",
                    "http://",
                ] {
                    assert!(!rest.contains(tag), "{tag}: {line}");
                }
            }
        }
        assert!(fence.is_none(), "a fence is open at the end");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{0}']));
    }

    #[test]
    fn a_long_report_is_made_without_proofs_and_says_so() {
        let run = run();
        let mut report = report(&run);
        let request = report.apps[0].findings[0].proofs[0].requests[0].clone();
        report.apps[0].findings[0].proofs[0].requests = vec![request; 400];
        let text = render(&report);
        assert!(
            text.chars().count() <= MOST && text.contains("The proofs are left out"),
            "{}",
            text.len()
        );
    }
}
