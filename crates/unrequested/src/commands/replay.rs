//! `replay`: a finding's exploit again, on a fresh copy, with every request as a command.

use std::fmt::Write as _;
use std::path::PathBuf;

use exploit::{Ran, Seed};
use model::run::Session;
use model::{Exchange, Word, judge};
use report::{Paint, clean};

use super::{conclude, fix, print, unknown_exploit};
use crate::cli::{Cli, Replay};
use crate::context::Context;
use crate::exit::{Exit, Fatal};
use crate::ledger::{AttackRow, RunRow, UnitRow};
use crate::proof::requests;
use crate::target::Stand;
use crate::view;

pub(super) fn run(cli: &Cli, replay: &Replay, paint: Paint) -> Result<Exit, Fatal> {
    let context = Context::open(&cli.dir, cli.require_box)?;
    let row = context.ledger.run(replay.run.as_deref())?;
    let judged = view::run(&context.ledger, &row)?;
    let wanted = replay.session.as_deref();
    let session = judged
        .sessions
        .iter()
        .filter(|session| session.agent != "reference" || wanted == Some("reference"))
        .find(|session| {
            wanted.is_none_or(|name| {
                session.id == name
                    || session.agent.ends_with(&format!(":{name}"))
                    || session.agent == name
            })
        })
        .ok_or_else(|| {
            let known: Vec<&str> = judged
                .sessions
                .iter()
                .map(|session| session.id.as_str())
                .collect();
            Fatal::usage(format!(
                "run {} has no such session; it has: {}",
                row.id,
                known.join(", ")
            ))
        })?;
    let rules = conclude::rules()?;
    let findings = report::finding::gather(session, &rules, &judged.instrument, &[]);
    let ids: Vec<String> = match fix::named(&findings, &replay.finding) {
        // An exploit's own id means that exploit alone.
        Some(_) if exploit::find(&replay.finding).is_some() => vec![replay.finding.clone()],
        Some(finding) => finding.exploits.clone(),
        None if replay.finding.parse::<usize>().is_ok() => {
            return Err(Fatal::usage(format!(
                "{} has {} findings, no number {}",
                session.id,
                findings.len(),
                replay.finding
            )));
        }
        None => vec![replay.finding.clone()],
    };
    let mut exits = Vec::new();
    for id in &ids {
        exits.push(one(&context, &row, session, id, replay.stored, paint)?);
    }
    Ok(worst(&exits))
}

/// What several exploits say together: a hole that is open outweighs one of which nothing could be said.
fn worst(exits: &[Exit]) -> Exit {
    [Exit::Findings, Exit::Coverage]
        .into_iter()
        .find(|exit| exits.contains(exit))
        .unwrap_or(Exit::Done)
}

/// One exploit again, or as it is stored.
fn one(
    context: &Context,
    row: &RunRow,
    session: &Session,
    id: &str,
    stored_only: bool,
    paint: Paint,
) -> Result<Exit, Fatal> {
    let entry = exploit::find(id).ok_or_else(|| unknown_exploit(id))?;
    let unit = context
        .ledger
        .units(&row.id)?
        .into_iter()
        .rfind(|unit| unit.new.session == session.id && unit.new.step == session.step)
        .ok_or_else(|| Fatal::failed("the session's unit is gone from the ledger"))?;
    let attacks = context.ledger.attacks(unit.id)?;
    let stored = attacks
        .iter()
        .rev()
        .find(|attack| attack.exploit == id && !attack.repeat);
    let Some(stored) = stored else {
        return Err(Fatal::usage(format!("{id} was not run in {}", session.id)));
    };
    if stored_only {
        let exchanges: Vec<Exchange> = context
            .ledger
            .exchanges(stored.id)?
            .into_iter()
            .map(|(_, one)| one)
            .collect();
        print(&page(id, &exchanges, &judge(&stored.facts), None, paint))?;
        return Ok(Exit::Done);
    }
    let ran = again(context, entry, &unit, (&row.id, &row.seed))?;
    let verdict = judge(&ran.facts);
    print(&page(id, &ran.exchanges, &verdict, Some(stored), paint))?;
    Ok(match verdict.word() {
        Word::Exploited => Exit::Findings,
        Word::Resisted => Exit::Done,
        Word::NotApplicable | Word::Inconclusive => Exit::Coverage,
    })
}

/// Runs the exploit with another seed on a fresh boot of the unit's tree.
fn again(
    context: &Context,
    entry: &'static exploit::Entry,
    unit: &UnitRow,
    (run, seed): (&str, &str),
) -> Result<Ran, Fatal> {
    let seed = Seed::new(seed).derive("replay");
    let plan = if unit.new.agent == "reference" {
        context.reference_plan(&seed)?
    } else {
        let Some(tree) = unit
            .new
            .tree
            .as_ref()
            .map(PathBuf::from)
            .filter(|tree| tree.is_dir())
        else {
            return Err(Fatal::nothing(
                "the app was not booted by this tool or its tree is gone; --stored prints what was recorded",
            ));
        };
        let Some(framework) = app::framework::recognise(&tree) else {
            return Err(Fatal::nothing(format!(
                "{} is no app that this version can boot",
                tree.display()
            )));
        };
        context.ready(&tree, framework, &seed)?
    };
    let mut plan = plan;
    let binding = crate::bind::of_run(&context.dir, run)?;
    plan.health = crate::bind::health(&binding);
    let stand = Stand::new(plan, binding);
    let (target, _, _cell) = stand
        .target(&[])
        .map_err(|error| Fatal::nothing(error.why))?;
    let ran = exploit::run(entry, &target, &seed);
    let unbound = crate::bind::unbound_of_run(&context.dir, run)?;
    Ok(crate::bind::not_absent(&ran, &unbound).unwrap_or(ran))
}

fn page(
    id: &str,
    exchanges: &[Exchange],
    verdict: &model::Verdict,
    before: Option<&AttackRow>,
    paint: Paint,
) -> String {
    let mut out = format!("{}\n", paint.head(id));
    out.push_str(
        "# Run these against your own copy:  BASE=http://127.0.0.1:8000 HOST=127.0.0.1 PORT=8000\n",
    );
    for (number, request) in requests(exchanges, &[]).iter().enumerate() {
        let answer: String = request.answer.chars().take(200).collect();
        let _ = writeln!(
            out,
            "\n# {}. {}\n{}\n#    {answer}",
            number + 1,
            request.says,
            request.command
        );
    }
    let word = verdict.word().name();
    let word = match verdict.word() {
        Word::Exploited => paint.bad(word),
        Word::Resisted => paint.good(word),
        Word::NotApplicable | Word::Inconclusive => paint.odd(word),
    };
    let _ = writeln!(out, "\n{word}: {}", clean(&verdict.why()));
    if let Some(before) = before {
        let _ = writeln!(
            out,
            "recorded before: {}",
            judge(&before.facts).word().name()
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exploit_of_which_nothing_could_be_said_is_no_success() {
        use Exit::{Coverage, Done, Findings};
        assert_eq!(worst(&[Done, Done]), Done);
        assert_eq!(worst(&[Done, Coverage, Done]), Coverage);
        assert_eq!(worst(&[Coverage, Findings, Done]), Findings);
        assert_eq!(worst(&[Findings, Coverage]), Findings);
    }
}
