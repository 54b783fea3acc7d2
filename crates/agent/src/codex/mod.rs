//! Codex, OpenAI's command line: `codex exec` without a sandbox of its own, since it is in our box, and without what asks
//! elsewhere (updates, plugins, analytics, web search). Its settings are ours, in a fresh `CODEX_HOME`.
//!
//! Each prompt is a process of its own (`exec resume`). It counts tokens over the whole conversation, so a step's are the
//! difference. A server that never answers keeps it for ever: our own time limits end it. It hides what a model says in a
//! `refusal` part.
//!
//! With a subscription it is the same agent: no sign-in file is in its home, and the proxy makes of its requests what
//! a ChatGPT account sends. With a file of dummies it would have one tool more and ask for a list of models.

mod read;
mod sign_in;

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::{Cli, Invocation, Package, Record, Sign, Step};
use crate::proxy::{Auth, Vendor};
use crate::{Ending, access};

pub(crate) static CODEX: Cli = Cli {
    id: "codex",
    name: "Codex",
    vendor: Vendor::OpenAi,
    subscription: Some(sign_in::find),
    version: "0.169.0",
    model: "gpt-5.5",
    packages: &PACKAGES,
    settings,
    command,
    read: read::read,
    record: |conversation| Record {
        below: ".codex/sessions",
        name_ends: format!("{conversation}.jsonl"),
    },
    recorded: read::recorded,
    endings: &ENDINGS,
};

const NAME: &str = "@openai/codex-package";

const PACKAGES: [Package; 4] = [
    Package {
        version: "0.169.0",
        os: "linux",
        arch: "x86_64",
        name: NAME,
        wanted: "npm:@openai/codex@0.169.0-linux-x64",
        archive: "https://registry.npmjs.org/@openai/codex/-/codex-0.169.0-linux-x64.tgz",
        integrity: "sha512-o05NyAOCDygSPRo1yinzxvkRSdmsZyBD9E7mbpmjRanSfM8lypqWtQgEo4XfNkwhuCR2aFu8mlGOsQGFXVbVww==",
        program: "vendor/x86_64-unknown-linux-musl/bin/codex",
        node: false,
    },
    Package {
        version: "0.169.0",
        os: "linux",
        arch: "aarch64",
        name: NAME,
        wanted: "npm:@openai/codex@0.169.0-linux-arm64",
        archive: "https://registry.npmjs.org/@openai/codex/-/codex-0.169.0-linux-arm64.tgz",
        integrity: "sha512-NZ/DaQUpcQmxmqee7Z9uC1rzw3GhSbooawcaTe1LN5Yk+WlinUKGdTXJgClRT/9ogQEEM9TWxYzvxPfj5G/xFg==",
        program: "vendor/aarch64-unknown-linux-musl/bin/codex",
        node: false,
    },
    Package {
        version: "0.116.0",
        os: "linux",
        arch: "x86_64",
        name: NAME,
        wanted: "npm:@openai/codex@0.116.0-linux-x64",
        archive: "https://registry.npmjs.org/@openai/codex/-/codex-0.116.0-linux-x64.tgz",
        integrity: "sha512-S9InOgJT3tj6uQp55NqrCA1k5tklwFaH00JdC2ElbRmxchm7ard4WxHSJZX9TiY8enj4cQoLIC04NFTUCO+/PQ==",
        program: "vendor/x86_64-unknown-linux-musl/codex/codex",
        node: false,
    },
    Package {
        version: "0.116.0",
        os: "linux",
        arch: "aarch64",
        name: NAME,
        wanted: "npm:@openai/codex@0.116.0-linux-arm64",
        archive: "https://registry.npmjs.org/@openai/codex/-/codex-0.116.0-linux-arm64.tgz",
        integrity: "sha512-X7cL8rBSGDB+RSZc2FoKiqcMVeLPMmo06bkss/en4lLQsV1XG2DZI56WuXg92IOX3SjYl6Av/eOWgsb1t3UeLQ==",
        program: "vendor/aarch64-unknown-linux-musl/codex/codex",
        node: false,
    },
];

fn settings(step: &Step<'_>) -> Vec<(PathBuf, String)> {
    let model = toml::Value::from(step.model);
    // In the version of April 2026 each entry of that table is a role, and `enabled` would be one.
    let alone = if step.version == "0.116.0" {
        ""
    } else {
        "[agents]\nenabled = false\n"
    };
    // As its own provider says to ChatGPT's server.
    let says = match step.auth {
        Auth::Key => String::new(),
        Auth::Subscription => {
            let version = toml::Value::from(step.version);
            format!("http_headers = {{ version = {version} }}\n")
        }
    };
    let text = format!(
        r#"model = {model}
model_provider = "study"
check_for_update_on_startup = false
web_search = "disabled"

[analytics]
enabled = false
[history]
persistence = "none"
[features]
plugins = false
apps = false
goals = false
skill_search = false
shell_snapshot = false
remote_plugin = false
plugin_sharing = false
unbounded_connection_retries = false
[shell_environment_policy]
inherit = "core"
[skills.bundled]
enabled = false
[model_providers.study]
name = "study"
base_url = "http://{server}/v1"
wire_api = "responses"
env_key = "{KEY}"
request_max_retries = 3
stream_max_retries = 3
stream_idle_timeout_ms = 300000
supports_websockets = false
{says}{alone}"#,
        server = step.server,
    );
    vec![(".codex/config.toml".into(), text)]
}

const KEY: &str = "STUDY_API_KEY";

fn command(step: &Step<'_>) -> Invocation {
    let mut command = step.program.to_vec();
    let mut add = |words: &[&str]| command.extend(words.iter().map(OsString::from));
    add(&["exec"]);
    if step.resume.is_some() {
        add(&["resume"]);
    }
    add(&[
        "--json",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
    ]);
    if let Some(conversation) = step.resume {
        add(&[conversation]);
    }
    add(&[step.prompt]);
    let mut env = access::environment(step);
    env.push(("CODEX_HOME".into(), step.home().join(".codex").into()));
    env.push((KEY.into(), access::DUMMY_KEY.into()));
    Invocation { command, env }
}

const ENDINGS: [Sign; 8] = [
    Sign {
        ending: Ending::Safeguards,
        what: "a response that is incomplete for `content_filter`, or flagged by a policy",
        fits: |one| {
            one.says(&["reason: content_filter", "cyber_policy", "flagged"]) && !one.went_well()
        },
    },
    Sign {
        ending: Ending::NotSignedIn,
        what: "401, 403, or an account that cannot pay",
        fits: |one| {
            one.has_status(|status| matches!(status, 401 | 403))
                || !one.went_well()
                    && one.says(&["invalid_api_key", "Quota exceeded", "insufficient_quota"])
        },
    },
    Sign {
        ending: Ending::ModelMissing,
        what: "404, or a model of that name is not there",
        fits: |one| {
            one.has_status(|status| status == 404)
                || !one.went_well()
                    && one.says(&[
                        "model_not_found",
                        "does not exist",
                        "model is not supported",
                    ])
        },
    },
    Sign {
        ending: Ending::RateLimited,
        what: "429, or a subscription's limit",
        fits: |one| {
            one.has_status(|status| status == 429)
                || !one.went_well() && one.says(&["usage limit", "Rate limit reached"])
        },
    },
    Sign {
        ending: Ending::Overloaded,
        what: "a status from 500 on, which it tells in words of its own",
        fits: |one| {
            one.has_status(|status| status >= 500)
                || !one.went_well() && one.says(&["high demand", "at capacity", "overloaded"])
        },
    },
    Sign {
        ending: Ending::BudgetSpent,
        what: "the model's context is full",
        fits: |one| !one.went_well() && one.says(&["ran out of room in the model's context"]),
    },
    Sign {
        ending: Ending::Network,
        what: "no answer, or no whole one",
        fits: |one| {
            !one.went_well()
                && one.says(&[
                    "stream disconnected",
                    "error sending request",
                    "timed out",
                    "Connection",
                    "connection",
                ])
        },
    },
    Sign {
        ending: Ending::Crashed,
        what: "no closing line, one that says no more, or one that does not fit the exit code",
        fits: |one| !one.went_well(),
    },
];
