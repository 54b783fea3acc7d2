//! Facts as a ledger may hold them, as JSON or drawn from the bytes: what the judge may say of them.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use model::{
    Capability, Cause, Diff, Facts, Fault, Observation, Sees, Step, Word, judge, repeated,
};

fn sees(u: &mut Unstructured<'_>) -> Result<Sees> {
    Ok(match u.int_in_range(0..=6)? {
        0 => Sees::Text(u.arbitrary()?),
        1 => Sees::Json {
            at: u.arbitrary()?,
            is: u.arbitrary()?,
        },
        2 => Sees::Status(u.arbitrary()?),
        3 => Sees::NoHeader(u.arbitrary()?),
        4 => Sees::State(Diff {
            of: u.arbitrary()?,
            found: u.arbitrary()?,
        }),
        5 => Sees::Measured {
            what: u.arbitrary()?,
            value: f64::from(u.arbitrary::<i32>()?) / 1000.0,
            limit: f64::from(u.arbitrary::<i32>()?) / 1000.0,
        },
        _ => Sees::Told(u.arbitrary()?),
    })
}

fn drawn(u: &mut Unstructured<'_>) -> Result<Facts> {
    let mut looked = Vec::new();
    for _ in 0..u.int_in_range(0..=4)? {
        looked.push(Observation {
            label: u.arbitrary()?,
            held: u.ratio(1, 4)?,
            replied: u.ratio(3, 4)?,
            exchange: u.arbitrary()?,
            sees: sees(u)?,
        });
    }
    let planned = match u.ratio(3, 4)? {
        true => u16::try_from(looked.len()).unwrap_or(0),
        false => u.arbitrary()?,
    };
    let stop = Cause {
        fault: *u.choose(&Fault::ALL)?,
        step: *u.choose(&Step::ALL)?,
        why: u.arbitrary()?,
    };
    Ok(Facts {
        missing: u.ratio(1, 8)?.then_some(*u.choose(&Capability::ALL)?),
        beside: u.ratio(1, 8)?.then_some("opaque".into()),
        before: *u.choose(&[None, Some(false), Some(true), Some(true)])?,
        control: *u.choose(&[None, Some(true), Some(false), Some(false)])?,
        planned,
        looked,
        after: *u.choose(&[None, Some(false), Some(true), Some(true)])?,
        stop: u.ratio(1, 4)?.then_some(stop),
        notes: Vec::new(),
        without: BTreeSet::new(),
    })
}

fn judged(facts: &Facts) {
    let verdict = judge(facts);
    let held = facts.looked.iter().any(|look| look.held);
    let whole = facts.before == Some(true) && facts.control == Some(false);
    match verdict.word() {
        Word::Resisted => {
            assert!(whole && !held && facts.after == Some(true) && facts.stop.is_none());
            assert!(facts.missing.is_none() && facts.beside.is_none());
            assert!(facts.planned > 0 && facts.looked.len() == usize::from(facts.planned));
            assert!(
                facts
                    .looked
                    .iter()
                    .all(|look| look.replied || matches!(look.sees, Sees::State(_)))
            );
        }
        Word::Exploited => assert!(whole && held),
        Word::NotApplicable => assert!(!held && facts.stop.is_none()),
        Word::Inconclusive => assert!(verdict.fault().is_some() && verdict.step().is_some()),
    }
    // A look more that holds can only be reported, never hidden.
    let mut more = facts.clone();
    more.looked.push(Observation {
        label: "more".into(),
        sees: Sees::Told("more".into()),
        held: true,
        replied: true,
        exchange: None,
    });
    assert_ne!(judge(&more).word(), Word::Resisted);
    // What stopped an exploit leaves it undecided or exploited.
    more.looked.pop();
    more.stop = Some(Cause {
        fault: Fault::App,
        step: Step::Attack,
        why: "the app died".into(),
    });
    let stopped = judge(&more).word();
    assert!(matches!(stopped, Word::Inconclusive | Word::Exploited));
    let again = repeated(verdict.clone(), &judge(&more)).word();
    assert!(again == Word::Inconclusive || again == verdict.word());

    let json = serde_json::to_string(facts).expect("written");
    let read: Facts = serde_json::from_str(&json).expect("what was written can be read");
    assert_eq!(judge(&read), verdict);
}

fuzz_target!(|data: &[u8]| {
    if let Ok(facts) = serde_json::from_slice::<Facts>(data) {
        judged(&facts);
    }
    if let Ok(facts) = drawn(&mut Unstructured::new(data)) {
        judged(&facts);
    }
});
