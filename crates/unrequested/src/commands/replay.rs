//! `replay`: a finding's exploit again, on a fresh copy, with every request as a command.

use std::fmt::Write as _;
use std::path::PathBuf;

use exploit::{Ran, Seed};
use model::{Exchange, Word, judge};
use report::{Paint, clean};

use super::{print, unknown_exploit};
use crate::cli::{Cli, Replay};
use crate::context::Context;
use crate::exit::{Exit, Fatal};
use crate::ledger::{AttackRow, UnitRow};
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
    let findings = report::check::findings(session);
    let id = match replay.finding.parse::<usize>() {
        Ok(number) => findings
            .iter()
            .find(|finding| finding.number == number)
            .map(|finding| finding.judged.exploit.clone())
            .ok_or_else(|| {
                Fatal::usage(format!(
                    "{} has {} findings, no number {number}",
                    session.id,
                    findings.len()
                ))
            })?,
        Err(_) => replay.finding.clone(),
    };
    let entry = exploit::find(&id).ok_or_else(|| unknown_exploit(&id))?;
    let unit = context
        .ledger
        .units(&row.id)?
        .into_iter()
        .rfind(|unit| unit.new.session == session.id)
        .ok_or_else(|| Fatal::failed("the session's unit is gone from the ledger"))?;
    let attacks = context.ledger.attacks(unit.id)?;
    let stored = attacks
        .iter()
        .rev()
        .find(|attack| attack.exploit == id && !attack.repeat);
    let Some(stored) = stored else {
        return Err(Fatal::usage(format!("{id} was not run in {}", session.id)));
    };
    if replay.stored {
        let exchanges: Vec<Exchange> = context
            .ledger
            .exchanges(stored.id)?
            .into_iter()
            .map(|(_, one)| one)
            .collect();
        print(&page(&id, &exchanges, &judge(&stored.facts), None, paint))?;
        return Ok(Exit::Done);
    }
    let ran = again(&context, entry, &unit, (&row.id, &row.seed))?;
    let verdict = judge(&ran.facts);
    print(&page(&id, &ran.exchanges, &verdict, Some(stored), paint))?;
    Ok(if verdict.word() == Word::Exploited {
        Exit::Findings
    } else {
        Exit::Done
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
    let binding = crate::bind::of_run(&context.dir, run);
    plan.health = crate::bind::health(&binding);
    let stand = Stand::new(plan, binding);
    let (target, _, _cell) = stand
        .target(&[])
        .map_err(|error| Fatal::nothing(error.why))?;
    Ok(exploit::run(entry, &target, &seed))
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
    let mut secrets: Vec<(String, String)> = Vec::new();
    for (number, exchange) in exchanges.iter().enumerate() {
        let _ = writeln!(
            out,
            "\n# {}. {} ({}, from {})",
            number + 1,
            clean(&exchange.label),
            clean(&exchange.who),
            exchange.from
        );
        let command = report::curl::command(&exchange.sent, &secrets);
        let reply = exchange
            .got
            .as_ref()
            .and_then(|raw| wire::Reply::parse(raw, method(&exchange.sent)));
        let fresh = reply
            .as_ref()
            .and_then(token)
            .filter(|(token, _)| secrets.iter().all(|(known, _)| known != token));
        if let Some((token, get)) = fresh {
            let who = exchange.who.chars().filter(char::is_ascii_alphanumeric);
            let who: String = who.collect::<String>().to_uppercase();
            let name = format!("TOKEN_{who}_{}", secrets.len() + 1);
            let _ = writeln!(out, "{name}=$({command} | {get})");
            secrets.push((token, name));
        } else {
            let _ = writeln!(out, "{command}");
        }
        match reply {
            Some(reply) => {
                let text: String = clean(&reply.text()).chars().take(160).collect();
                let _ = writeln!(out, "#    {} {text}", reply.status);
            }
            None => {
                let _ = writeln!(
                    out,
                    "#    no whole reply: {}",
                    clean(exchange.trouble.as_deref().unwrap_or("?"))
                );
            }
        }
    }
    let word = verdict.word().name();
    let word = if verdict.word() == Word::Exploited {
        paint.bad(word)
    } else {
        paint.good(word)
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

fn method(sent: &[u8]) -> &str {
    let end = sent.iter().position(|byte| *byte == b' ').unwrap_or(0);
    std::str::from_utf8(&sent[..end]).unwrap_or_default()
}

/// A token in a reply, and the command that gets it out of the same reply: a `token` field or a cookie.
fn token(reply: &wire::Reply) -> Option<(String, String)> {
    let field = serde_json::from_slice::<serde_json::Value>(&reply.body)
        .ok()
        .and_then(|value| value.get("token")?.as_str().map(str::to_owned))
        .map(|token| {
            (
                token,
                r#"sed -n 's/.*"token": *"\([^"]*\)".*/\1/p'"#.to_owned(),
            )
        });
    let cookie = || {
        let line = reply.header("set-cookie")?;
        let (name, rest) = line.split_once('=')?;
        let token = rest.split(';').next().unwrap_or_default().to_owned();
        let get = format!(
            "sed -n 's/^[Ss]et-[Cc]ookie: *{}=\\([^;]*\\).*/\\1/p'",
            clean(name)
        );
        Some((token, get))
    };
    field.or_else(cookie).filter(|(token, _)| token.len() >= 8)
}
