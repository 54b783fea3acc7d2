//! `list`: what is known here.

use std::fmt::Write as _;

use agent::recorded;
use serde_json::json;

use super::print;
use crate::cli::Format;
use crate::exit::{Exit, Fatal};
use crate::view;

pub(super) fn run(format: Format) -> Result<Exit, Fatal> {
    let tiers = view::tiers()?;
    let tier = |id: &str| tiers.get(id).map_or("", |tier| tier.name());
    let all = exploit::all();
    let prompts = agent::prompts().map_err(|error| Fatal::failed(error.to_string()))?;
    if format == Format::Json {
        let exploits: Vec<_> = all
            .iter()
            .map(|entry| {
                json!({"id": entry.id, "number": entry.exploit.number, "area": entry.area, "tier": tier(entry.id),
                       "title": entry.exploit.title, "revision": entry.exploit.revision,
                       "cwe": entry.exploit.cwe, "asvs": entry.exploit.asvs})
            })
            .collect();
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
        let object = json!({"exploits": exploits, "decisions": decisions, "agents": agents, "frameworks": frameworks, "samples": recorded::all(),
                            "prompts": prompts.iter().map(|one| &one.id).collect::<Vec<_>>(),
                            "weaknesses": reference::Weakness::ALL.iter().map(|one| one.name()).collect::<Vec<_>>()});
        print(&format!("{object:#}\n"))?;
        return Ok(Exit::Done);
    }
    let mut out = format!("EXPLOITS ({})\n", all.len());
    for entry in all {
        let _ = writeln!(
            out,
            "  {:>2} {:<28} {:<12} {}",
            entry.exploit.number,
            entry.id,
            tier(entry.id),
            entry.area
        );
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
