//! `list`: what is known here.

use std::fmt::Write as _;

use agent::recorded;
use exploit::Entry;
use serde_json::json;

use super::print;
use crate::cli::Format;
use crate::exit::{Exit, Fatal};
use crate::view;

pub(super) fn run(format: Format) -> Result<Exit, Fatal> {
    let tiers = view::tiers()?;
    let tier = |id: &str| tiers.get(id).map_or("", |tier| tier.name());
    let (all, depth) = (Entry::study(), Entry::depth());
    let prompts = agent::prompts().map_err(|error| Fatal::failed(error.to_string()))?;
    if format == Format::Json {
        let shown = |entry: &&Entry| {
            json!({"id": entry.id, "number": entry.exploit.number, "area": entry.area, "tier": tier(entry.id),
                   "title": entry.exploit.title, "revision": entry.exploit.revision,
                   "cwe": entry.exploit.cwe, "asvs": entry.exploit.asvs})
        };
        let exploits: Vec<_> = all.iter().map(&shown).collect();
        let depth: Vec<_> = depth.iter().map(shown).collect();
        let frameworks: Vec<_> = app::framework::ALL
            .iter()
            .map(|one| json!({"id": one.id, "name": one.name}))
            .collect();
        let decisions: Vec<_> = decision::all()
            .iter()
            .map(|one| json!({"id": one.id, "title": one.matter.title, "exploits": one.matter.exploits}))
            .collect();
        let agents: Vec<_> = agent::ALL
            .iter()
            .map(|cli| json!({"id": cli.id, "name": cli.name, "versions": cli.versions(), "model": cli.model}))
            .collect();
        let findings: Vec<_> = report::remedy::all()
            .iter()
            .map(|one| json!({"id": one.id, "title": one.title, "exploits": one.exploits}))
            .collect();
        let object = json!({"exploits": exploits, "depth": depth, "findings": findings, "decisions": decisions, "agents": agents, "frameworks": frameworks, "samples": recorded::all(),
                            "prompts": prompts.iter().map(|one| &one.id).collect::<Vec<_>>(),
                            "weaknesses": reference::Weakness::ALL.iter().map(|one| one.name()).collect::<Vec<_>>()});
        print(&format!("{object:#}\n"))?;
        return Ok(Exit::Done);
    }
    let mut out = format!("EXPLOITS ({})\n", all.len());
    let row = |entry: &Entry| {
        format!(
            "  {:>2} {:<28} {:<12} {}\n",
            entry.exploit.number,
            entry.id,
            tier(entry.id),
            entry.area
        )
    };
    out.extend(all.into_iter().map(row));
    let _ = writeln!(
        out,
        "\nDEPTH ({}), beyond the 33 and in no score: `check --depth`, or `check --only ID`",
        depth.len()
    );
    out.extend(depth.into_iter().map(row));
    let _ = writeln!(
        out,
        "\nFINDINGS ({}), and the exploits that they join",
        report::remedy::all().len()
    );
    for remedy in report::remedy::all() {
        let _ = writeln!(out, "     {:<28} {}", remedy.id, remedy.exploits.join(", "));
    }
    let _ = writeln!(out, "\nDECISIONS ({})", decision::all().len());
    for entry in decision::all() {
        let _ = writeln!(out, "     {:<28} {}", entry.id, entry.matter.title);
    }
    let _ = writeln!(out, "\nFRAMEWORKS");
    for framework in app::framework::ALL {
        let _ = writeln!(out, "  {:<9} {}", framework.id, framework.name);
    }
    let _ = writeln!(
        out,
        "\nAGENTS, with the versions that are known by their content and the model where a study names none"
    );
    for cli in agent::ALL {
        let versions = cli.versions().join(", ");
        let _ = writeln!(out, "  {:<12} {versions:<20} {}", cli.id, cli.model);
    }
    let _ = writeln!(
        out,
        "  command:NAME {:<20} any other in PATH, by a template in the study: docs/real-agents.md",
        "yours"
    );
    let _ = writeln!(
        out,
        "\nSAMPLES ({}, by no agent)\n  {}",
        recorded::LABEL,
        recorded::all().join("\n  ")
    );
    let ids: Vec<&str> = prompts.iter().map(|prompt| prompt.id.as_str()).collect();
    let _ = writeln!(out, "\nPROMPTS\n  {}", ids.join("  "));
    let _ = writeln!(
        out,
        "\nWEAKNESSES of `reference --weak NAME`, and what they trip"
    );
    for weakness in reference::Weakness::ALL {
        let _ = writeln!(
            out,
            "  {:<34} {}",
            weakness.name(),
            weakness.trips().join(", ")
        );
    }
    print(&out)?;
    Ok(Exit::Done)
}
