//! Runs for tests; each test changes what it is about.

use model::Word;
use model::run::{Judged, Run, SCHEMA, Session, Tier};

pub(crate) fn judged(exploit: &str, tier: Tier, verdict: Word) -> Judged {
    Judged {
        exploit: exploit.into(),
        area: "auth".into(),
        tier,
        verdict,
        reason: "a reason".into(),
        fault: None,
        step: None,
        revision: 1,
        calibration: None,
        attempts: 1,
        notes: vec![],
        evidence: vec![],
        title: String::new(),
    }
}

pub(crate) fn session(verdicts: Vec<Judged>) -> Session {
    Session {
        id: "s".into(),
        agent: "recorded:x".into(),
        auth: None,
        framework: "fastapi".into(),
        arm: "silent".into(),
        replicate: 1,
        step: "6-production".into(),
        boot: None,
        attack: None,
        trouble: None,
        ended: None,
        verdicts,
        decisions: vec![],
        source: None,
        wanted: vec![],
        feedback: None,
        stages: vec![],
        regressions: vec![],
    }
}

pub(crate) fn run(sessions: Vec<Session>) -> Run {
    Run {
        schema: SCHEMA,
        run: "r".into(),
        tool: "0".into(),
        complete: true,
        suite: "s".into(),
        sessions,
        instrument: vec![],
        scores: vec![],
        regrade: None,
    }
}
