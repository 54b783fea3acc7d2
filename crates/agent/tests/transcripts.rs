//! What the real command lines printed, at a scripted model: how it is read, and which ending it is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;

use agent::{Cli, Ending, Evidence, Role, Stopped, Usage, find};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");

fn sample(agent: &str, name: &str) -> String {
    fs::read_to_string(format!("{SAMPLES}/{agent}/{name}.jsonl")).unwrap()
}

/// Sample, exit code, whether the tree changed, why we ended it, ending.
type Case = (&'static str, Option<i32>, bool, Option<Stopped>, Ending);

const CLAUDE_CODE: [Case; 19] = [
    ("second-step", Some(0), true, None, Ending::Finished),
    ("second-step", Some(0), false, None, Ending::GaveUp),
    ("idle", Some(0), false, None, Ending::GaveUp),
    ("refusal", Some(0), false, None, Ending::Refused),
    ("refusal", Some(0), true, None, Ending::Finished),
    ("safeguards", Some(1), false, None, Ending::Safeguards),
    ("401", Some(1), true, None, Ending::NotSignedIn),
    ("403", Some(1), false, None, Ending::NotSignedIn),
    ("404", Some(1), false, None, Ending::ModelMissing),
    ("429", Some(1), true, None, Ending::RateLimited),
    ("500", Some(1), false, None, Ending::Overloaded),
    ("529", Some(1), false, None, Ending::Overloaded),
    ("silence", Some(1), false, None, Ending::Network),
    ("dead-port", Some(1), false, None, Ending::Network),
    ("garbage", Some(1), false, None, Ending::Network),
    ("stall", None, true, Some(Stopped::Quiet), Ending::Network),
    ("stall", None, true, Some(Stopped::Time), Ending::TimedOut),
    (
        "unknown-conversation",
        Some(1),
        false,
        None,
        Ending::Crashed,
    ),
    ("stall", Some(0), true, None, Ending::Crashed),
];

const CODEX: [Case; 17] = [
    ("finished", Some(0), true, None, Ending::Finished),
    ("second-step", Some(0), true, None, Ending::Finished),
    ("idle", Some(0), false, None, Ending::GaveUp),
    ("safeguards", Some(1), true, None, Ending::Safeguards),
    ("401", Some(1), false, None, Ending::NotSignedIn),
    ("404", Some(1), false, None, Ending::ModelMissing),
    ("429", Some(1), false, None, Ending::RateLimited),
    ("500", Some(1), false, None, Ending::Overloaded),
    ("529", Some(1), false, None, Ending::Overloaded),
    ("stall", Some(1), false, None, Ending::Network),
    ("dead-port", Some(1), false, None, Ending::Network),
    ("garbage", Some(1), false, None, Ending::Network),
    ("silence", None, true, Some(Stopped::Quiet), Ending::Network),
    ("silence", None, true, Some(Stopped::Time), Ending::TimedOut),
    ("400", Some(1), false, None, Ending::Crashed),
    ("finished", Some(1), true, None, Ending::Crashed),
    ("silence", Some(0), true, None, Ending::Crashed),
];

fn ending(cli: &Cli, said: &str, case: &Case) -> Ending {
    let (_, exit, changed, stopped, _) = *case;
    let transcript = (cli.read)(said);
    cli.ending(&Evidence {
        transcript: &transcript,
        asked: &[],
        waits: false,
        exit,
        stderr: "",
        changed,
        stopped,
    })
}

#[test]
fn every_sample_has_its_ending() {
    let mut wrong = Vec::new();
    let claude = CLAUDE_CODE.iter().map(|case| ("claude-code", case));
    for (agent, case) in claude.chain(CODEX.iter().map(|case| ("codex", case))) {
        let got = ending(find(agent).unwrap(), &sample(agent, case.0), case);
        if got != case.4 {
            wrong.push(format!("{agent} {case:?}: {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_that_never_came_back_is_the_agents_affair() {
    for (agent, name) in [("claude-code", "stall"), ("codex", "silence")] {
        let said = sample(agent, name);
        let sign = if agent == "codex" {
            "item.completed"
        } else {
            "tool_result"
        };
        let without: Vec<&str> = said
            .lines()
            .filter(|line| !line.contains(sign) || line.contains("agent_message"))
            .collect();
        let case = (name, None, true, Some(Stopped::Quiet), Ending::TimedOut);
        let got = ending(find(agent).unwrap(), &without.join("\n"), &case);
        assert_eq!(got, Ending::TimedOut, "{agent}");
    }
}

/// Codex tells of its list at the end of the turn only: while it is open nothing runs that a silent model would wait for.
#[test]
fn an_open_list_of_things_to_do_is_no_command() {
    let said = sample("codex", "silence");
    let list = r#"{"type":"item.started","item":{"id":"list","type":"todo_list","items":[]}}"#;
    let mut lines: Vec<&str> = said.lines().collect();
    lines.insert(2, list);
    let case = ("silence", None, true, Some(Stopped::Quiet), Ending::Network);
    let got = ending(find("codex").unwrap(), &lines.join("\n"), &case);
    assert_eq!(got, Ending::Network);
}

/// On stderr stands what the agent's tools printed, too: a file of the app with such a word in it, for one.
#[test]
fn what_the_agent_says_of_its_end_counts_before_its_stderr() {
    let cli = find("codex").unwrap();
    let transcript = (cli.read)(&sample("codex", "429"));
    let evidence = |stderr| {
        cli.ending(&Evidence {
            transcript: &transcript,
            asked: &[],
            waits: false,
            exit: Some(1),
            stderr,
            changed: false,
            stopped: None,
        })
    };
    assert_eq!(evidence("def flagged(note): ..."), Ending::RateLimited);
}

/// Whatever is printed instead of it, a sample of a failure never becomes a result that the agent did not give.
#[test]
fn no_half_of_a_transcript_is_a_success() {
    for agent in ["claude-code", "codex"] {
        let cli = find(agent).unwrap();
        for entry in fs::read_dir(format!("{SAMPLES}/{agent}"))
            .unwrap()
            .flatten()
        {
            let said = fs::read_to_string(entry.path()).unwrap();
            let whole = (cli.read)(&said);
            for cut in (0..said.len())
                .step_by(97)
                .filter(|cut| said.is_char_boundary(*cut))
            {
                let transcript = (cli.read)(&said[..cut]);
                let evidence = Evidence {
                    transcript: &transcript,
                    asked: &[],
                    waits: false,
                    exit: Some(0),
                    stderr: "",
                    changed: true,
                    stopped: None,
                };
                let last = said[..cut].lines().last().unwrap_or_default();
                let closed = serde_json::from_str::<serde_json::Value>(last).is_ok();
                if !closed {
                    assert!(transcript.unknown > 0 || last.is_empty(), "{agent} {cut}");
                }
                if !transcript.close.told || !whole.close.ok {
                    assert_ne!(
                        cli.ending(&evidence),
                        Ending::Finished,
                        "{agent} {:?} {cut}",
                        entry.path()
                    );
                }
            }
        }
    }
}

#[test]
fn odd_lines_are_counted_and_break_nothing() {
    let odd = [
        "",
        "null",
        "[]",
        "{}",
        "{\"type\":1}",
        "\u{0}",
        "{\"type\":\"assistant\"}",
        "{\"type\":\"user\",\"message\":7}",
        "{\"type\":\"result\"}",
        "{\"type\":\"item.completed\"}",
        "{\"type\":\"turn.failed\",\"error\":\"status\"}",
        "{\"type\":\"error\",\"message\":\"status: \u{e9}\u{e9}\u{e9}\"}",
        "{\"type\":\"item.started\",\"item\":[]}",
        "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":-1}}",
        "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":1,\"cached_input_tokens\":18446744073709551615,\"cache_write_input_tokens\":9}}",
    ];
    for agent in ["claude-code", "codex"] {
        let cli = find(agent).unwrap();
        for one in odd {
            let read = (cli.read)(one);
            assert_eq!(
                read.lines,
                u64::from(!one.trim().is_empty()),
                "{agent} {one}"
            );
            (cli.recorded)(one);
        }
        assert_eq!((cli.read)("what is this").unknown, 1);
        assert_eq!((cli.read)("{\"type\":\"of-tomorrow\"}").unknown, 1);
    }
}

#[test]
fn tokens_are_the_steps_own() {
    // What the scripted model said that the second prompt's four messages cost, with Claude Code's own re-reading.
    let read = (find("claude-code").unwrap().read)(&sample("claude-code", "second-step"));
    assert_eq!(read.usage.unwrap().output, read.total.unwrap().output - 126);
    assert_eq!(
        read.conversation.as_deref(),
        Some("11111111-2222-4333-8444-555555555555")
    );
    assert_eq!(
        (read.version.as_deref(), read.unknown),
        (Some("2.1.330"), 0)
    );
    let record = sample("claude-code", "record");
    assert_eq!((find("claude-code").unwrap().recorded)(&record), read.total);

    let codex = find("codex").unwrap();
    let (first, second) = (
        (codex.read)(&sample("codex", "finished")),
        (codex.read)(&sample("codex", "second-step")),
    );
    assert_eq!(
        (first.usage, second.usage),
        (None, None),
        "it tells only sums"
    );
    let first = first.total.unwrap();
    assert_eq!(
        first,
        Usage {
            input: 3039,
            cache_read: 300,
            output: 84,
            ..Usage::default()
        }
    );
    let second = second.total.unwrap();
    assert_eq!(second.since(&first).unwrap().output, 171 - 84);
    assert_eq!((codex.recorded)(&sample("codex", "record")), Some(second));
}

#[test]
fn calls_have_their_results() {
    for agent in ["claude-code", "codex"] {
        let read = (find(agent).unwrap().read)(&sample(agent, "second-step"));
        assert!(read.calls().count() >= 2, "{agent}");
        assert!(
            read.calls()
                .all(|call| call.result.as_ref().is_some_and(|result| !result.failed)),
            "{agent}"
        );
        assert_eq!(read.last_words(), "Step 2 is done.");
        let agents = read
            .entries
            .iter()
            .filter(|one| one.role == Role::Agent)
            .count();
        assert_eq!(agents, if agent == "codex" { 3 } else { 4 });
    }
}

fn samples() -> Vec<(&'static Cli, Vec<u8>)> {
    let mut all = Vec::new();
    for agent in ["claude-code", "codex"] {
        for entry in fs::read_dir(format!("{SAMPLES}/{agent}"))
            .unwrap()
            .flatten()
        {
            all.push((find(agent).unwrap(), fs::read(entry.path()).unwrap()));
        }
    }
    all.sort_by_key(|(cli, bytes)| (cli.id, bytes.len()));
    all
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    /// Bytes of one sample changed, or put where another's were: it is read to its end, and every line is counted.
    #[test]
    fn what_is_broken_is_read_to_its_end(
        which in 0_usize..1000,
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0_u8..=255), 1..8),
        (from, length) in (proptest::prelude::any::<proptest::sample::Index>(), 0_usize..400),
    ) {
        let all = samples();
        let (cli, bytes) = &all[which % all.len()];
        let mut bytes = bytes.clone();
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let (_, other) = &all[(which * 7 + 3) % all.len()];
        let start = from.index(other.len());
        let piece: Vec<u8> = other[start..(start + length).min(other.len())].to_vec();
        let at = changes[0].0.index(bytes.len());
        bytes.splice(at..at, piece);
        let said = String::from_utf8_lossy(&bytes).into_owned();
        let read = (cli.read)(&said);
        let lines = said.lines().filter(|line| !line.trim().is_empty()).count();
        proptest::prop_assert_eq!(read.lines, lines as u64);
        proptest::prop_assert!(read.unknown <= read.lines);
        (cli.recorded)(&said);
        let evidence = Evidence { transcript: &read, asked: &[], waits: false, exit: Some(1), stderr: &said, changed: true, stopped: None };
        proptest::prop_assert_ne!(cli.ending(&evidence), Ending::Finished);
    }
}
