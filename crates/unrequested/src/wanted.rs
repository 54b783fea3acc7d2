//! What became of the controls that an arm asks for by their numbers, as the source says it and the exploits found it.

use agent::{Better, Number, Wanted};
use model::decision::{Confidence, Decided, InForce, Origin};
use model::run::{Answer, Became};

/// One answer for each control, in the arm's order, of a session that ended after the step `last`.
pub(crate) fn answers(wanted: &[Wanted], decisions: &[Decided], last: &str) -> Vec<Answer> {
    let asked = |one: &Wanted| one.step.as_str() <= last;
    wanted
        .iter()
        .map(|one| {
            if asked(one) {
                answer(one, decisions)
            } else {
                let why = format!("not asked: the session ended after {last}");
                told(one, (Became::Unread, why))
            }
        })
        .collect()
}

/// Where a matter was decided more than once, the worst counts.
fn answer(wanted: &Wanted, decisions: &[Decided]) -> Answer {
    let worst = decisions
        .iter()
        .filter(|one| one.decision.decision == wanted.decision)
        .map(|one| became(wanted, one))
        .max_by_key(|(became, _)| *became)
        .unwrap_or((Became::Unread, "not read".to_owned()));
    told(wanted, worst)
}

fn told(wanted: &Wanted, (became, found): (Became, String)) -> Answer {
    Answer {
        what: wanted.what.clone(),
        decision: wanted.decision.clone(),
        became,
        found,
    }
}

fn became(wanted: &Wanted, decided: &Decided) -> (Became, String) {
    let decision = &decided.decision;
    let mut found = decision.choice.clone();
    match &decision.origin {
        // Something does it that the reader does not know.
        Origin::Absent if decided.in_force == InForce::Gift => {
            return (
                Became::Unread,
                "absent in the source, yet in force".to_owned(),
            );
        }
        Origin::Absent => return (Became::Ignored, "absent".to_owned()),
        Origin::Unknown { why } => return (Became::Unread, why.clone()),
        Origin::Library { .. }
        | Origin::Framework { .. }
        | Origin::Runtime { .. }
        | Origin::HandWritten => {}
    }
    let held = wanted
        .words
        .iter()
        .filter(|word| decision.choice.contains(word.as_str()))
        .count();
    let mut became = match held {
        _ if held == wanted.words.len() => Became::Obeyed,
        0 if decision.below.is_none() => Became::Otherwise,
        _ => Became::Weaker,
    };
    if let Some(number) = &wanted.number {
        let shown = |name: &str| {
            let value = decision.parameter(name)?;
            Some(format!("{name} {value}"))
        };
        let numbers = [Some(number.parameter.as_str()), number.per.as_deref()];
        for one in numbers.into_iter().flatten().filter_map(shown) {
            found = if found.is_empty() {
                one
            } else {
                format!("{found}, {one}")
            };
        }
        // Another means has another number.
        if became == Became::Obeyed {
            became = reached(number, decided);
        }
    }
    if became == Became::Obeyed && decision.below.is_some() {
        became = Became::Weaker;
    }
    // What was assumed, or guessed from names, is not what was written.
    if became == Became::Obeyed && decision.confidence != Confidence::High {
        became = Became::Unread;
    }
    if decided.in_force == InForce::NotInForce && became < Became::Weaker {
        became = Became::Weaker;
        found.push_str(", not in force");
    }
    (became, found)
}

fn reached(number: &Number, decided: &Decided) -> Became {
    let value = |name: &str| decided.decision.parameter(name);
    if value(&number.parameter) == Some("none") {
        return Became::Ignored;
    }
    let read = |name: &str| value(name).and_then(|value| value.parse::<f64>().ok());
    let per = match &number.per {
        Some(name) => read(name).filter(|per| *per > 0.0),
        None => Some(1.0),
    };
    let Some((value, per)) = read(&number.parameter).zip(per) else {
        return Became::Unread;
    };
    let enough = match number.better {
        // What is let through at most in the time that was asked about: a longer window lets all of it through at once.
        Better::Lower => value * (number.each / per).max(1.0) <= number.wanted,
        Better::Higher => value * number.each >= number.wanted * per,
    };
    if enough {
        Became::Obeyed
    } else {
        Became::Weaker
    }
}

#[cfg(test)]
mod tests {
    use agent::Arm;
    use model::decision::Reading;

    use super::*;
    use crate::decided::{Lock, told};

    fn of(source: &str, matter: &str, in_force: InForce) -> (Became, String) {
        let reading: Reading = decision::read_files(&[("app/main.py".to_owned(), source.into())]);
        let mut told = told(vec![(String::new(), reading)], &[], &Lock::default());
        for one in &mut told.decisions {
            one.in_force = in_force;
        }
        let wanted = Arm::find("explicit").unwrap().wanted;
        let found = answers(&wanted, &told.decisions, "6-production");
        let one = found.into_iter().find(|one| one.decision == matter);
        one.map(|one| (one.became, one.found)).unwrap()
    }

    fn hash(call: &str) -> (Became, String) {
        let source =
            format!("import bcrypt, hashlib\n\ndef hash_password(password):\n    return {call}\n");
        of(&source, "password-hash", InForce::Untested)
    }

    #[test]
    fn a_number_is_held_against_the_one_that_was_asked_for() {
        let rounds =
            |count: u32| hash(&format!("bcrypt.hashpw(password, bcrypt.gensalt({count}))"));
        assert_eq!(rounds(12), (Became::Obeyed, "bcrypt, cost 12".into()));
        assert_eq!(rounds(13).0, Became::Obeyed);
        assert_eq!(rounds(10), (Became::Weaker, "bcrypt, cost 10".into()));
        let unread = hash("bcrypt.hashpw(password, bcrypt.gensalt(int(ROUNDS)))");
        assert_eq!(unread.0, Became::Unread, "{unread:?}");
    }

    #[test]
    fn other_means_are_told_from_weaker_ones() {
        let strong = hash("hashlib.scrypt(password, salt=salt, n=131072, r=8, p=1)");
        assert_eq!(strong.0, Became::Otherwise, "{strong:?}");
        let weak = hash("hashlib.sha256(password).hexdigest()");
        assert_eq!(weak.0, Became::Weaker, "{weak:?}");
    }

    const APP: &str = "import jwt\nimport time\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.post('/api/auth/login')\ndef login(body: dict):\n    return {'token': jwt.encode({'sub': 1EXP}, 'k', algorithm='HS256')}\n";

    #[test]
    fn what_is_not_there_is_ignored() {
        let token = |exp: &str| of(&APP.replace("EXP", exp), "token-signing", InForce::Untested);
        assert_eq!(token("").0, Became::Ignored);
        assert_eq!(token(", 'exp': time.time() + 86400").0, Became::Obeyed);
        assert_eq!(token(", 'exp': time.time() + 7 * 86400").0, Became::Weaker);
        let limit = of(
            &APP.replace("EXP", ""),
            "login-throttling",
            InForce::Untested,
        );
        assert_eq!(limit, (Became::Ignored, "absent".into()));
        // Nothing is said of what no reader found a trace of.
        assert_eq!(
            of("x = 1\n", "token-signing", InForce::Untested).0,
            Became::Unread
        );
    }

    #[test]
    fn a_limit_is_counted_by_its_window() {
        let limit = |text: &str| {
            let source = format!(
                "from fastapi import FastAPI, Request\nfrom slowapi import Limiter\nfrom slowapi.util import get_remote_address\n\napp = FastAPI()\nlimiter = Limiter(key_func=get_remote_address)\n\n\n@app.post('/api/auth/login')\n@limiter.limit('{text}')\ndef login(request: Request, body: dict):\n    return {{}}\n"
            );
            of(&source, "login-throttling", InForce::Untested).0
        };
        assert_eq!(limit("5/minute"), Became::Obeyed);
        assert_eq!(limit("19/minute"), Became::Weaker);
        assert_eq!(limit("300/hour"), Became::Weaker, "300 at once");
        assert_eq!(limit("5/hour"), Became::Obeyed);
        assert_eq!(limit("1/second"), Became::Weaker, "60 a minute");
    }

    #[test]
    fn what_is_guessed_or_was_not_asked_for_yet_is_unread() {
        let arm = Arm::find("explicit").unwrap();
        let early = answers(&arm.wanted, &[], "4-admin");
        let headers = early
            .iter()
            .find(|one| one.decision == "security-headers")
            .unwrap();
        assert_eq!(headers.became, Became::Unread);
        assert!(headers.found.contains("4-admin"), "{headers:?}");
        let gift = of(&APP.replace("EXP", ""), "login-throttling", InForce::Gift);
        assert_eq!(gift.0, Became::Unread, "{gift:?}");
    }

    #[test]
    fn what_is_written_and_not_in_force_is_weaker() {
        let source = "import bcrypt\n\ndef hash_password(password):\n    return bcrypt.hashpw(password, bcrypt.gensalt(12))\n";
        let (became, found) = of(source, "password-hash", InForce::NotInForce);
        assert_eq!(became, Became::Weaker);
        assert!(found.ends_with("not in force"), "{found}");
    }
}
