//! What is a finding here: a control that the source shows to be missing or too weak, in an app that has what it is about.
//! Nothing is run, so only readings count that agreed with the exploits on every sample (`docs/hook.md`).

use decision::{Placed, Site};
use model::decision::{Confidence, Decided, Decision, Origin};
use report::remedy::{self, Remedy};

use crate::baseline::Baseline;
use crate::decided::{self, Lock};

/// A matter that can send an agent back.
struct Matter {
    id: &'static str,
    /// Whose words say what is wanted.
    remedy: &'static str,
    when: When,
    /// Names that speak of the control where the reader saw none: it may be there in a way that is not known.
    doubts: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Nothing decides it.
    LeftOut,
    /// Something decides it, under a published floor.
    Below,
    Either,
}

const MATTERS: [Matter; 11] = [
    Matter {
        id: "login-throttling",
        remedy: "login-throttling",
        when: When::LeftOut,
        doubts: &[
            "attempt",
            "attempts",
            "fail",
            "failed",
            "failure",
            "failures",
            "tries",
            "limit",
            "limiter",
            "limits",
            "limited",
            "throttle",
            "throttled",
            "throttling",
            "rate",
            "recent",
            "lock",
            "locked",
            "lockout",
            "blocked",
            "banned",
            "cooldown",
            "429",
            "captcha",
            "supabase",
            "firebase",
            "cognito",
            "auth0",
            "clerk",
        ],
    },
    Matter {
        id: "password-policy",
        remedy: "password-policy",
        when: When::Either,
        doubts: &[
            "len",
            "length",
            "min",
            "policy",
            "strength",
            "strong",
            "weak",
            "valid",
            "validate",
            "validator",
            "check",
            "schema",
            "safe",
            "supabase",
            "firebase",
            "cognito",
            "auth0",
            "clerk",
        ],
    },
    Matter {
        id: "password-hash",
        remedy: "password-hash",
        when: When::Below,
        doubts: &[],
    },
    Matter {
        id: "login-answer",
        remedy: "login-answer",
        when: When::Below,
        doubts: &[],
    },
    Matter {
        id: "secret-source",
        remedy: "required-secrets",
        when: When::Below,
        doubts: &[],
    },
    Matter {
        id: "upload-size",
        remedy: "upload-size",
        when: When::Either,
        doubts: &[
            "size",
            "limit",
            "limits",
            "max",
            "maximum",
            "large",
            "length",
            "413",
            "presigned",
        ],
    },
    Matter {
        id: "upload-type",
        remedy: "upload-type",
        when: When::Either,
        doubts: &[
            "mime",
            "extension",
            "extensions",
            "ext",
            "suffix",
            "magic",
            "kind",
            "allowed",
            "415",
            "presigned",
        ],
    },
    Matter {
        id: "webhook-verification",
        remedy: "webhook-verification",
        when: When::LeftOut,
        doubts: &[
            "signature",
            "signatures",
            "sign",
            "signed",
            "hmac",
            "verify",
            "verified",
            "verifier",
            "construct",
            "secret",
            "digest",
            "validate",
            "svix",
        ],
    },
    Matter {
        id: "webhook-replay",
        remedy: "webhook-once",
        when: When::LeftOut,
        doubts: &[
            "seen",
            "processed",
            "duplicate",
            "duplicates",
            "already",
            "exists",
            "existing",
            "once",
            "idempotency",
            "idempotent",
            "conflict",
            "unique",
            "upsert",
            "ignore",
        ],
    },
    Matter {
        id: "security-headers",
        remedy: "security-headers",
        when: When::LeftOut,
        doubts: &[],
    },
    Matter {
        id: "api-docs",
        remedy: "production-surface",
        when: When::Below,
        doubts: &[],
    },
];

/// A control that is missing at a place.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// The matter's id.
    pub(super) matter: &'static str,
    pub(super) title: &'static str,
    pub(super) remedy: &'static Remedy,
    /// The exploits that show whether it is there: the acceptance test.
    pub(super) tests: Vec<&'static str>,
    /// What was chosen, in the reader's own few words; empty where nothing was.
    pub(super) choice: String,
    pub(super) site: Site,
    /// Where something was not read, or may be there in a way that is not known: for the user, and no reason to send anybody
    /// back.
    pub(super) doubt: Option<String>,
}

impl Finding {
    /// The finding, whatever becomes of the code around it.
    pub(super) fn name(&self) -> String {
        self.named(self.site.route.as_ref().unwrap_or(&self.site.file))
    }

    fn named(&self, place: &str) -> String {
        format!("{} {} {} {place}", self.matter, self.remedy.id, self.choice)
    }

    /// The same as long as neither the choice nor the code around it is another, in whatever file.
    pub(super) fn print(&self) -> String {
        let name = self.named(self.site.route.as_deref().unwrap_or_default());
        let text = format!("{name}\n{}", self.site.code);
        blake3::hash(text.as_bytes()).to_hex()[..24].to_owned()
    }
}

/// All findings that nobody accepted.
pub(super) fn findings(
    placed: Placed,
    lock: &Lock,
    baseline: &Baseline,
    today: &str,
) -> Vec<Finding> {
    let Placed { reading, sites } = placed;
    let told = decided::told(vec![(String::new(), reading)], &[], lock);
    let mut found = Vec::new();
    for (one, sites) in told.decisions.iter().zip(sites) {
        if one.reviewed.as_ref().is_some_and(|review| review.holds) {
            continue;
        }
        for matter in MATTERS
            .iter()
            .filter(|matter| matter.id == one.decision.decision)
        {
            for site in &sites {
                found.extend(finding(matter, &one.decision, site, &told.decisions));
            }
        }
    }
    found.retain(|one| !baseline.covers(one.remedy.id, &one.tests, today));
    found
}

fn finding(matter: &Matter, decision: &Decision, site: &Site, all: &[Decided]) -> Option<Finding> {
    let doubt = match (&decision.origin, matter.when) {
        (Origin::Absent, When::LeftOut | When::Either) => matter
            .doubts
            .iter()
            .find(|word| site.words.contains(**word))
            .map(|word| format!("the code there speaks of `{word}`")),
        (Origin::Unknown { why }, When::LeftOut | When::Either) => Some(why.clone()),
        (Origin::Absent | Origin::Unknown { .. }, _) => return None,
        (_, When::Below | When::Either) if is_below(matter, decision, all) => None,
        _ => return None,
    };
    let remedy = remedy::find(matter.remedy)?;
    let entry = decision::find(matter.id)?;
    let of_matter = &entry.matter.exploits;
    let tests: Vec<&str> = remedy
        .exploits
        .iter()
        .copied()
        .filter(|id| of_matter.contains(id))
        .collect();
    (!tests.is_empty()).then(|| Finding {
        matter: entry.id,
        title: entry.matter.title,
        remedy,
        tests,
        choice: decision.choice.clone(),
        site: site.clone(),
        doubt,
    })
}

/// Whether something is under a floor, for sure, and so far under it that the exploits see it.
fn is_below(matter: &Matter, decision: &Decision, all: &[Decided]) -> bool {
    let Some(below) = &decision.below else {
        return false;
    };
    let sure = decision.confidence == Confidence::High;
    if matter.id != "password-hash" {
        return sure;
    }
    // A sound one beside it keeps the passwords; this one is for something else.
    let sound = all
        .iter()
        .any(|other| other.decision.decision == matter.id && other.decision.below.is_none());
    let seen = below == "one round of a fast digest" || sure && decision.choice == "bcrypt";
    seen && !sound
}

#[cfg(test)]
mod tests;
