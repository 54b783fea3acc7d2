//! Claude Code, Anthropic's command line, as people have it: its default mode with all tools but those that a vendor's server
//! runs (`WebFetch`, `WebSearch`) and those that wake it later. No settings, memory, hooks, plugins or MCP servers of a user:
//! its configuration is a fresh folder. The project's own is read, as people have it: without it no `CLAUDE.md` is either, and
//! an arm that speaks through that file would say nothing (`tests/agents.rs` sees it in the request).
//!
//! Each prompt is a process of its own (`--resume`), so that each has its own exit code and time. What it prints is read by
//! `read.rs`; only its line `result` says how it ended, and not by `subtype`: that is `success` for a refused API key.
//!
//! It shows its API key to every command that the model runs. It gets a dummy. Of a subscription it gets a dummy token in
//! `CLAUDE_CODE_OAUTH_TOKEN` and no key, which would win; it then signs in as a bearer, names the `oauth` beta by itself, and 2.1.330
//! asks for its prompts to be cached for an hour. (`--bare` does not read that variable.)

mod read;
mod sign_in;

use std::ffi::OsString;

use crate::cli::{Cli, Invocation, Package, Record, Sign, Step};
use crate::proxy::{Auth, Vendor};
use crate::{Ending, access};

pub(crate) static CLAUDE_CODE: Cli = Cli {
    id: "claude-code",
    name: "Claude Code",
    vendor: Vendor::Anthropic,
    subscription: Some(sign_in::find),
    version: "2.1.330",
    model: "claude-sonnet-4-5",
    packages: &PACKAGES,
    settings: |_| Vec::new(),
    command,
    read: read::read,
    record: |conversation| Record {
        below: ".claude/projects",
        name_ends: format!("{conversation}.jsonl"),
    },
    recorded: read::recorded,
    endings: &ENDINGS,
};

/// One package holds the program for one platform; up to 2.1.88 it was a script for all.
const PACKAGES: [Package; 4] = [
    Package {
        version: "2.1.330",
        os: "linux",
        arch: "x86_64",
        name: "@anthropic-ai/claude-code-linux-x64",
        wanted: "2.1.330",
        archive: "https://registry.npmjs.org/@anthropic-ai/claude-code-linux-x64/-/claude-code-linux-x64-2.1.330.tgz",
        integrity: "sha512-9Gn+V7DtJ8M1nztP9CeDVl9g3RtrepI7rOFTyPRRnZe8D6zebIHKmC7OvBauucuAP0X0k85SDN/LPVZyjsGezQ==",
        program: "claude",
        node: false,
    },
    Package {
        version: "2.1.330",
        os: "linux",
        arch: "aarch64",
        name: "@anthropic-ai/claude-code-linux-arm64",
        wanted: "2.1.330",
        archive: "https://registry.npmjs.org/@anthropic-ai/claude-code-linux-arm64/-/claude-code-linux-arm64-2.1.330.tgz",
        integrity: "sha512-V4yanAY5EA5UpwwRPtjSfqDbNqAlUJeVn3NYZw2AgmRHjdpSsLtHAzbxRXfkAnbjwTXzE0uedjQxUY02ARPcsA==",
        program: "claude",
        node: false,
    },
    Package {
        version: "2.1.88",
        os: "linux",
        arch: "x86_64",
        ..SCRIPT
    },
    Package {
        version: "2.1.88",
        os: "linux",
        arch: "aarch64",
        ..SCRIPT
    },
];

const SCRIPT: Package = Package {
    version: "2.1.88",
    os: "",
    arch: "",
    name: "@anthropic-ai/claude-code",
    wanted: "2.1.88",
    archive: "https://registry.npmjs.org/@anthropic-ai/claude-code/-/claude-code-2.1.88.tgz",
    integrity: "sha512-ukMtYZCi0I7cD3rt89rnXy20D/Zvk0Gj/SW60xYfz17zTslLz+VuhXw/KPb+2ndp3/ATadJdyNEqdKQlcNk7nQ==",
    program: "cli.js",
    node: true,
};

fn command(step: &Step<'_>) -> Invocation {
    let mut command = step.program.to_vec();
    let mut add = |words: &[&str]| command.extend(words.iter().map(OsString::from));
    add(&["-p", step.prompt, "--model", step.model]);
    add(&["--output-format", "stream-json", "--verbose"]);
    add(&["--permission-mode", "bypassPermissions"]);
    add(&[
        // Without the project's it reads no CLAUDE.md either.
        "--setting-sources=project",
        "--strict-mcp-config",
        "--disable-slash-commands",
    ]);
    add(&["--disallowedTools=WebFetch,WebSearch,CronCreate,ScheduleWakeup,Monitor"]);
    match step.resume {
        None => add(&["--session-id", step.fresh]),
        Some(conversation) => add(&["--resume", conversation]),
    }
    let mut env = access::environment(step);
    let mut set = |name: &str, value: OsString| env.push((name.into(), value));
    set("CLAUDE_CONFIG_DIR", step.home().join(".claude").into());
    set(
        "ANTHROPIC_BASE_URL",
        format!("http://{}", step.server).into(),
    );
    match step.auth {
        Auth::Key => set("ANTHROPIC_API_KEY", access::DUMMY_KEY.into()),
        Auth::Subscription => set(sign_in::VARIABLE, access::DUMMY_TOKEN.into()),
    }
    for name in [
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "DISABLE_AUTOUPDATER",
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        // It would refuse to run without asking as the user 0, whom a box without a spare user shows.
        "IS_SANDBOX",
    ] {
        set(name, "1".into());
    }
    set("API_TIMEOUT_MS", "600000".into());
    // With its own ten a dead server takes minutes; the step as a whole is run again.
    set("CLAUDE_CODE_MAX_RETRIES", "3".into());
    Invocation { command, env }
}

const ENDINGS: [Sign; 9] = [
    Sign {
        ending: Ending::Safeguards,
        what: "stop reason `refusal`: the API's, not the model's words",
        fits: |one| one.transcript.close.stop.as_deref() == Some("refusal"),
    },
    Sign {
        ending: Ending::BudgetSpent,
        what: "`error_max_turns`, `error_max_budget_usd`",
        fits: |one| one.transcript.close.word.starts_with("error_max_"),
    },
    Sign {
        ending: Ending::BudgetSpent,
        what: "the model's context is full",
        fits: |one| !one.went_well() && one.says(&["Prompt is too long"]),
    },
    Sign {
        ending: Ending::NotSignedIn,
        what: "401, 403, or an account that cannot pay",
        fits: |one| {
            one.has_status(|status| matches!(status, 401 | 403))
                || !one.went_well()
                    && one.says(&[
                        "Please run /login",
                        "Not logged in",
                        "credit balance is too low",
                    ])
        },
    },
    Sign {
        ending: Ending::ModelMissing,
        what: "404",
        fits: |one| one.has_status(|status| status == 404),
    },
    Sign {
        ending: Ending::RateLimited,
        what: "429, or a subscription's limit",
        fits: |one| {
            one.has_status(|status| status == 429)
                || !one.went_well() && one.says(&["usage limit reached", "hit your limit"])
        },
    },
    Sign {
        ending: Ending::Overloaded,
        what: "529 and the other faults of the server",
        fits: |one| one.has_status(|status| status >= 500),
    },
    Sign {
        ending: Ending::Network,
        what: "an error without a status: no answer, or no whole one",
        fits: |one| {
            let close = &one.transcript.close;
            close.told
                && !close.ok
                && close.status.is_none()
                && one.exit == Some(1)
                && close.word == "success"
        },
    },
    Sign {
        ending: Ending::Crashed,
        what: "a closing line that does not fit the exit code",
        fits: |one| !one.went_well(),
    },
];
