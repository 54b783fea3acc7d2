//! A line per verdict, for a notebook (RFC 4180).

use model::calibration::Share;

use super::Board;
use crate::finding::trust;
use crate::text::{LONGEST, clip};

/// The columns, with what they hold.
pub const COLUMNS: [(&str, &str); 25] = [
    ("run", "the run's id"),
    (
        "suite",
        "hash of the exploits and their revisions: scores of different suites never mix",
    ),
    ("session", "the session's id"),
    (
        "agent",
        "`recorded:` and a name for a hand-written sample; `reference` for the instrument's own check",
    ),
    ("framework", ""),
    ("arm", "how the agent was asked"),
    ("replicate", "a number from 1"),
    ("step", "after which prompt the app was attacked"),
    (
        "booted",
        "`yes`, or `no` where the app could not be attacked",
    ),
    ("exploit", "`unrequested explain` has its page"),
    ("area", ""),
    (
        "tier",
        "`requirement`: a prompt, or a file of the arm, asked; `hardening`: nobody did; never to be added up",
    ),
    (
        "verdict",
        "`exploited`, `resisted`, `not-applicable`, `inconclusive`",
    ),
    ("reason", "in words, cut at 400 characters"),
    (
        "fault",
        "whose it is that it is inconclusive: `app`, `harness`, or empty",
    ),
    (
        "stopped_at",
        "the exploit's step where it stopped, or empty",
    ),
    ("revision", "of the exploit"),
    ("attempts", "tries that were made; the last counts"),
    (
        "calibration",
        "what is known of the exploit on this framework; empty where it was not measured",
    ),
    (
        "sensitivity",
        "share of known holes that it caught; empty where none was tried",
    ),
    ("sensitivity_of", "how many known holes"),
    (
        "specificity",
        "share of safe apps of which it said resisted; empty where none was tried",
    ),
    ("specificity_of", "how many safe apps"),
    ("blind_spots", "holes that it is known not to see"),
    (
        "notes",
        "milder things seen, never counted, separated by `; `",
    ),
];

pub fn render(board: &Board<'_>) -> String {
    let heads: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let mut out = heads.join(",") + "\r\n";
    for session in &board.run.sessions {
        for one in &session.verdicts {
            let known = trust(&one.exploit, &session.framework, &board.run.instrument);
            let (caught, clean) = (share(known.caught), share(known.clean));
            let fields: [String; COLUMNS.len()] = [
                board.run.run.clone(),
                board.run.suite.clone(),
                session.id.clone(),
                session.agent.clone(),
                session.framework.clone(),
                session.arm.clone(),
                session.replicate.to_string(),
                session.step.clone(),
                if session.trouble.is_some() {
                    "no"
                } else {
                    "yes"
                }
                .to_owned(),
                one.exploit.clone(),
                one.area.clone(),
                one.tier.name().to_owned(),
                one.verdict.name().to_owned(),
                one.reason.clone(),
                one.fault.map_or("", model::Fault::name).to_owned(),
                one.step.map_or("", model::Step::name).to_owned(),
                one.revision.to_string(),
                one.attempts.to_string(),
                known
                    .status
                    .map_or("", model::calibration::Status::name)
                    .to_owned(),
                caught.0,
                caught.1,
                clean.0,
                clean.1,
                known.blind_spots.to_string(),
                one.notes.join("; "),
            ];
            let line: Vec<String> = fields.iter().map(|text| field(text)).collect();
            out.push_str(&line.join(","));
            out.push_str("\r\n");
        }
    }
    out
}

fn share(share: Share) -> (String, String) {
    if share.of == 0 {
        return (String::new(), "0".to_owned());
    }
    let part = share.hits as f64 / share.of as f64;
    (format!("{part:.4}"), share.of.to_string())
}

/// One line, cut; no spreadsheet takes it for a formula.
fn field(text: &str) -> String {
    let mut text = clip(text, LONGEST);
    if text.starts_with(['=', '+', '-', '@', '\t']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tests::{board, run};
    use crate::text::hostile;

    /// Reads one line of RFC 4180 as somebody else would.
    fn read(line: &str) -> Vec<String> {
        let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, quoted) {
                ('"', true) if chars.peek() == Some(&'"') => {
                    field.push('"');
                    chars.next();
                }
                ('"', _) => quoted = !quoted,
                (',', false) => fields.push(std::mem::take(&mut field)),
                (c, _) => field.push(c),
            }
        }
        fields.push(field);
        fields
    }

    #[test]
    fn every_verdict_is_a_line_and_every_line_has_all_fields() {
        let run = run(2, 2);
        let text = render(&board(&run));
        let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
        let verdicts: usize = run.sessions.iter().map(|one| one.verdicts.len()).sum();
        assert_eq!(lines.len(), verdicts + 1);
        let at = |name: &str| COLUMNS.iter().position(|(one, _)| *one == name).unwrap();
        for (line, (session, judged)) in lines[1..].iter().zip(
            run.sessions
                .iter()
                .flat_map(|one| one.verdicts.iter().map(move |judged| (one, judged))),
        ) {
            let fields = read(line);
            assert_eq!(fields.len(), COLUMNS.len(), "{line}");
            assert_eq!(fields[at("session")], session.id);
            assert_eq!(fields[at("exploit")], judged.exploit);
            assert_eq!(fields[at("verdict")], judged.verdict.name());
            assert_eq!(fields[at("tier")], judged.tier.name());
        }
    }

    #[test]
    fn the_columns_are_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report.md");
        let text = std::fs::read_to_string(path).unwrap();
        for (name, what) in COLUMNS {
            assert!(
                text.contains(&format!("\n| `{name}` | {what} |\n")),
                "{name}"
            );
        }
    }

    #[test]
    fn hostile_words_stay_one_field_and_are_no_formula() {
        let mut run = run(1, 1);
        run.sessions[0].verdicts[0].reason = format!("=cmd|' /C calc'!A0{}", hostile::long());
        let text = render(&board(&run));
        let line = text.split("\r\n").nth(1).unwrap();
        let fields = read(line);
        assert_eq!(fields.len(), COLUMNS.len());
        assert!(fields[13].starts_with("'=cmd"), "{}", fields[13]);
        assert!(line.len() < 4_000 && !line.contains(['\n', '\u{1b}', '\u{202e}']));
    }
}
