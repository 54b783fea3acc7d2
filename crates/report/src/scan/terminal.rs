//! The same for people, at most 80 columns.

use std::fmt::Write as _;

use model::run::Tier;

use super::{Beside, Exploits, Extent, Hit, Looked, NEAR, Outcome, Said, Scan, Tree};
use crate::Paint;
use crate::decisions::wrap;
use crate::text::clip;

/// The most characters of a scanner's sentence.
const SENTENCE: usize = 160;
const NAME: usize = 17;

/// `all`: every finding, not only their counts and those at the same place as a verdict.
pub fn render(scan: &Scan, all: bool, paint: Paint) -> String {
    let mut out = String::new();
    for tree in &scan.trees {
        out.push_str(&tree_of(tree, all, paint));
        out.push('\n');
    }
    if let Some(run) = &scan.run {
        wrap(
            &mut out,
            " ",
            " ",
            &format!(
                "run {}, scanners in {}. A scanner's finding is at the same place when it is in the lines of the code that decided a verdict, or within {NEAR} lines of them. It need not be the same defect.",
                clip(run, 40),
                clip(&scan.level, 40)
            ),
        );
    }
    out
}

fn tree_of(tree: &Tree, all: bool, paint: Paint) -> String {
    let name = [tree.name.as_str(), tree.step.as_str()].join("  ");
    let mut out = format!(" {}\n", paint.head(&clip(name.trim_end(), 78)));
    if let Some(exploits) = tree.exploits {
        wrap(&mut out, "   ", "   ", &counts(exploits));
    }
    if let Some(why) = &tree.not_scanned {
        let text = format!("not scanned: {}", clip(why, SENTENCE));
        wrap(&mut out, "   ", "     ", &text);
    }
    for looked in &tree.scanners {
        scanner(&mut out, looked, all, paint);
    }
    out
}

fn counts(exploits: Exploits) -> String {
    let Exploits {
        exploited,
        absent,
        resisted,
        undecided,
        not_applicable,
    } = exploits;
    if exploited + absent + resisted + undecided + not_applicable == 0 {
        return "exploits: none were run".to_owned();
    }
    let rest = if not_applicable > 0 {
        format!(", {not_applicable} not applicable")
    } else {
        String::new()
    };
    format!(
        "exploits: {exploited} exploited, {absent} absent, {resisted} resisted, {undecided} undecided{rest}"
    )
}

fn scanner(out: &mut String, looked: &Looked, all: bool, paint: Paint) {
    let version = looked
        .version
        .as_ref()
        .map_or(String::new(), |version| format!(" {}", clip(version, 20)));
    let label = format!("{}{version}", looked.scanner);
    let mut say = |text: String| {
        wrap(
            out,
            "   ",
            &" ".repeat(7),
            &format!("{label:<NAME$} {text}"),
        );
    };
    match &looked.outcome {
        Outcome::Examined(said) => say(format!("{}: {}", extent(&said.examined), found(said))),
        Outcome::ExaminedNothing { why } => {
            say(format!("examined nothing: {}", clip(why, SENTENCE)));
        }
        Outcome::NotRun { why } => say(format!("not run: {}", clip(why, SENTENCE))),
        Outcome::Broke { why } => say(format!("it broke: {}", clip(why, 2 * SENTENCE))),
    }
    let Some(said) = looked.outcome.said() else {
        return;
    };
    for remark in said.remarks.iter().take(3) {
        wrap(out, "     ! ", "       ", &clip(remark, SENTENCE));
    }
    if said.remarks.len() > 3 {
        let _ = writeln!(out, "     ! {} more of these", said.remarks.len() - 3);
    }
    if let Some(beside) = &looked.beside {
        placed(out, beside, paint);
    }
    if all {
        for hit in &said.findings {
            wrap(out, "     - ", "       ", &hit_line(hit));
        }
    }
}

fn placed(out: &mut String, beside: &Beside, paint: Paint) {
    if beside.causes == 0 {
        return;
    }
    let mut causes: Vec<&str> = beside
        .same_place
        .iter()
        .map(|one| one.cause.as_str())
        .collect();
    causes.dedup();
    let text = format!(
        "same place: {} of {}; {} of them {} decided by code that is there",
        causes.len(),
        plural(beside.causes as u64, "cause"),
        beside.with_code,
        if beside.with_code == 1 { "is" } else { "are" }
    );
    wrap(out, "     ", "       ", &text);
    for one in &beside.same_place {
        let word = match one.tier {
            Tier::Requirement => paint.bad("exploited"),
            Tier::Hardening => paint.odd("absent"),
        };
        let lines = range(one.line, one.end_line);
        let text = format!(
            "{} {word}: {}:{lines} ({})",
            clip(&one.cause, 40),
            clip(&one.file, 60),
            clip(&one.decision, 40)
        );
        wrap(out, "       ", "         ", &text);
        for hit in &one.findings {
            wrap(out, "         beside ", "           ", &hit_line(hit));
        }
    }
}

/// `3 findings (1 high, 2 low)`
fn found(said: &Said) -> String {
    let count = plural(said.findings.len() as u64, "finding");
    let words: Vec<String> = said
        .severities()
        .into_iter()
        .map(|(word, count)| {
            let word = if word.is_empty() {
                "without a severity"
            } else {
                word
            };
            format!("{count} {}", clip(word, 20))
        })
        .collect();
    if words.is_empty() {
        count
    } else {
        format!("{count} ({})", words.join(", "))
    }
}

fn extent(extent: &Extent) -> String {
    let parts: Vec<String> = extent
        .parts()
        .into_iter()
        .filter_map(|(count, unit)| Some(plural(count?, unit)))
        .collect();
    parts.join(", ")
}

fn hit_line(hit: &Hit) -> String {
    let place = match (&hit.file, &hit.package) {
        (Some(file), _) => format!("{}:{}", clip(file, 60), range(hit.line, hit.end_line)),
        (None, Some(package)) => clip(package, 60),
        (None, None) => "nowhere named".to_owned(),
    };
    let severity = if hit.severity.is_empty() {
        String::new()
    } else {
        format!(" {}", clip(&hit.severity, 20))
    };
    format!(
        "{}{severity}, {place}: {}",
        clip(&hit.rule, 60),
        clip(&hit.says, SENTENCE)
    )
}

fn range(line: u32, end: u32) -> String {
    if end > line {
        format!("{line}-{end}")
    } else {
        line.to_string()
    }
}

fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
