//! The four tools: what they are called, what they take, and the command that each runs.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use report::remedy;
use serde_json::{Map, Value, json};

use crate::commands::nearest;

/// What is read from files ends soon, or not at all.
const SHORT: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Check,
    Decisions,
    Explain,
    Fix,
}

impl Tool {
    const ALL: [Self; 4] = [Self::Check, Self::Decisions, Self::Explain, Self::Fix];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Decisions => "decisions",
            Self::Explain => "explain",
            Self::Fix => "fix",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }
}

/// What the server allows.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// The server's working directory.
    pub(super) folder: PathBuf,
    /// Whether apps elsewhere may be named.
    pub(super) anywhere: bool,
    /// How long a check may take.
    pub(super) deadline: Duration,
    /// `--dir`, as the server was given it.
    pub(super) ledger: PathBuf,
    pub(super) require_box: bool,
}

/// A call that can be run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) tool: Tool,
    pub(super) arguments: Vec<OsString>,
    pub(super) deadline: Duration,
    /// The app as the client named it.
    pub(super) app: String,
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn ids(description: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": description})
}

const APP: &str = "The app's folder, below the server's working directory; that directory when left out. Or \
                   http://127.0.0.1:PORT of an app that runs on this machine: then its own data are changed.";
const FOLDER: &str =
    "The app's folder, below the server's working directory; that directory when left out.";
const SINCE: &str = "Count only what changed since this git revision, for instance `main`.";

/// What `tools/list` answers.
pub(super) fn listed() -> Value {
    let reads = |title: &str| json!({"title": title, "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false});
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    json!([
        {
            "name": "check",
            "title": "Check an app's protections",
            "description": "Boots a copy of the app in a box on this machine, uses it as honest and dishonest users would, and says which \
                            protections are missing: each finding with the control that is wanted, the place in the source, and how to see that \
                            it is done. A folder's own files and data are not touched. At an address the running app itself is used: accounts, \
                            notes, files and events are added to its data, and some are changed and deleted. Takes one to several minutes; \
                            the first time a folder's packages are downloaded. Use it after changing sign-in, uploads, search, admin routes or webhooks, and again with `only` after \
                            closing a finding.",
            "inputSchema": object(json!({
                "app": text(APP),
                "only": ids("Only these findings, for instance [\"login-throttling\"]; all when left out."),
                "since": text(SINCE),
            }), &[]),
            "outputSchema": super::told::check_schema(),
            "annotations": {"title": "Check an app's protections", "readOnlyHint": false, "destructiveHint": true,
                            "idempotentHint": false, "openWorldHint": true},
        },
        {
            "name": "decisions",
            "title": "Security decisions in the source",
            "description": "Reads the source and says what it decided for each security matter: the choice, by which library or by hand, where, \
                            whether anybody asked for it or reviewed it, and what is absent. Runs nothing; takes about a second.",
            "inputSchema": object(json!({
                "app": text(FOLDER),
                "only": ids("Only these decisions, for instance [\"password-hash\"]; all when left out."),
                "since": text(SINCE),
            }), &[]),
            "annotations": reads("Security decisions in the source"),
        },
        {
            "name": "explain",
            "title": "What a finding or a decision means",
            "description": "The control that a finding wants and how it is written in each framework, or what a decision is and how it is read.",
            "inputSchema": object(json!({"id": text("A finding's or a decision's id, for instance `upload-naming`.")}), &["id"]),
            "annotations": reads("What a finding or a decision means"),
        },
        {
            "name": "fix",
            "title": "How to close a finding",
            "description": "For a finding of the last `check`: the one change that is wanted, its place, how it is written in this framework, and \
                            how to see that it is done.",
            "inputSchema": object(json!({
                "finding": text("A finding's id, or its number in the last `check`."),
                "run": text("The run that `check` named; the newest when left out."),
            }), &["finding"]),
            "annotations": reads("How to close a finding"),
        },
    ])
}

/// What a call is to run, or what is wrong with its arguments and the way out.
pub(super) fn job(
    tool: Tool,
    arguments: &Map<String, Value>,
    limits: &Limits,
) -> Result<Job, String> {
    let known: &[&str] = match tool {
        Tool::Check | Tool::Decisions => &["app", "only", "since"],
        Tool::Explain => &["id"],
        Tool::Fix => &["finding", "run"],
    };
    if let Some(other) = arguments
        .keys()
        .find(|name| !known.contains(&name.as_str()))
    {
        return Err(format!(
            "`{}` has no argument `{}`; it has {}",
            tool.name(),
            report::clean(other),
            known.join(", ")
        ));
    }
    let optional = |name: &str| match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.as_str())),
        Some(_) => Err(format!("`{name}` is a text")),
    };
    let mut out: Vec<OsString> = vec!["--dir".into(), limits.ledger.clone().into()];
    if limits.require_box {
        out.push("--require-box".into());
    }
    out.extend(["--color".into(), "never".into(), tool.name().into()]);
    let mut app = String::new();
    let mut deadline = SHORT;
    match tool {
        Tool::Check | Tool::Decisions => {
            optional("app")?.unwrap_or(".").clone_into(&mut app);
            let target = if tool == Tool::Check && app.contains("://") {
                loopback(&app)?
            } else {
                folder(&app, limits)?
            };
            let only = only(tool, arguments.get("only"))?;
            if !only.is_empty() {
                out.push(format!("--only={}", only.join(",")).into());
            }
            if let Some(since) = optional("since")? {
                out.push(format!("--since={}", word("since", since)?).into());
            }
            out.extend(["--format".into(), "json".into(), "--".into(), target]);
            if tool == Tool::Check {
                deadline = limits.deadline;
            }
        }
        Tool::Explain => {
            let id = optional("id")?.ok_or("`id` is missing: the id of a finding or a decision")?;
            out.extend([
                "--for-agent".into(),
                "--".into(),
                known_id(tool, id)?.into(),
            ]);
        }
        Tool::Fix => {
            let finding = optional("finding")?
                .ok_or("`finding` is missing: its id, or its number in the last `check`")?;
            if let Some(run) = optional("run")? {
                out.push(format!("--run={}", word("run", run)?).into());
            }
            out.extend(["--".into(), word("finding", finding)?.into()]);
        }
    }
    Ok(Job {
        tool,
        arguments: out,
        deadline,
        app,
    })
}

fn only(tool: Tool, value: Option<&Value>) -> Result<Vec<&str>, String> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(Vec::new());
    };
    let wrong = || "`only` is a list of ids, for instance [\"login-throttling\"]".to_owned();
    let all = value.as_array().ok_or_else(wrong)?;
    all.iter()
        .map(|one| known_id(tool, one.as_str().ok_or_else(wrong)?))
        .collect()
}

/// An id that the command knows.
fn known_id(tool: Tool, id: &str) -> Result<&str, String> {
    let (findings, decisions) = match tool {
        Tool::Check => (true, false),
        Tool::Decisions => (false, true),
        Tool::Explain | Tool::Fix => (true, true),
    };
    let finding = id.strip_suffix("-hardening").unwrap_or(id);
    let is_finding = exploit::find(id).is_some() || remedy::find(finding).is_some();
    if findings && is_finding || decisions && decision::find(id).is_some() {
        return Ok(id);
    }
    let mut names: Vec<&str> = Vec::new();
    if findings {
        names.extend(remedy::all().iter().map(|one| one.id));
    }
    if decisions {
        names.extend(decision::all().iter().map(|one| one.id));
    }
    let what = match (findings, decisions) {
        (true, true) => "finding and no decision",
        (true, false) => "finding",
        (false, _) => "decision",
    };
    Err(format!(
        "there is no {what} `{}`; did you mean `{}`?",
        report::clean(id),
        nearest(id, names.into_iter())
    ))
}

/// A word that is no flag and no more than a word.
fn word<'a>(name: &str, value: &'a str) -> Result<&'a str, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./~^@{}:+".contains(c);
    if value.is_empty() || value.len() > 200 || value.starts_with('-') || !value.chars().all(fits) {
        return Err(format!(
            "`{name}` is one word of letters, digits and -_./~^@, not {:?}",
            report::clean(&value.chars().take(80).collect::<String>())
        ));
    }
    Ok(value)
}

fn folder(named: &str, limits: &Limits) -> Result<OsString, String> {
    let shown = report::clean(&named.chars().take(200).collect::<String>());
    let path = limits.folder.join(named);
    let path = path
        .canonicalize()
        .map_err(|error| format!("there is no folder `{shown}`: {error}"))?;
    if !path.is_dir() {
        return Err(format!("`{shown}` is no folder; name the app's folder"));
    }
    if limits.anywhere || path.starts_with(&limits.folder) {
        return Ok(path.into());
    }
    Err(format!(
        "`{shown}` is not below {}, where this server was started; start it in the app's folder, or with `unrequested mcp --anywhere`",
        Path::new(&limits.folder).display()
    ))
}

/// An address of this machine, as it is.
fn loopback(address: &str) -> Result<OsString, String> {
    let rest = address
        .strip_prefix("http://")
        .or_else(|| address.strip_prefix("https://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = authority.filter(|all| !all.contains('@')).map(|all| {
        let port = all.rfind(':').filter(|at| !all[*at..].contains(']'));
        all[..port.unwrap_or(all.len())]
            .trim_start_matches('[')
            .trim_end_matches(']')
    });
    let local = |host: &str| {
        host == "localhost"
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    };
    if host.is_some_and(local) && address.is_ascii() && !address.contains(char::is_whitespace) {
        return Ok(address.into());
    }
    Err(format!(
        "only apps of this machine are checked, at http://127.0.0.1:PORT; not `{}`. A host of yours elsewhere: a person runs \
         `unrequested check --i-own HOST`",
        report::clean(&address.chars().take(200).collect::<String>())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(folder: &Path) -> Limits {
        Limits {
            folder: folder.canonicalize().unwrap(),
            anywhere: false,
            deadline: Duration::from_secs(900),
            ledger: "/l".into(),
            require_box: false,
        }
    }

    fn of(tool: Tool, arguments: &Value, limits: &Limits) -> Result<String, String> {
        let job = job(tool, arguments.as_object().unwrap(), limits)?;
        let words: Vec<String> = job
            .arguments
            .iter()
            .map(|one| one.to_string_lossy().into_owned())
            .collect();
        Ok(words.join(" "))
    }

    #[test]
    fn a_call_becomes_a_command_and_nothing_of_it_becomes_a_flag() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("-x y")).unwrap();
        let limits = limits(home.path());
        let root = limits.folder.display().to_string();
        let before = "--dir /l --color never";
        assert_eq!(
            of(Tool::Check, &json!({}), &limits).unwrap(),
            format!("{before} check --format json -- {root}")
        );
        let named = json!({"app": "-x y", "only": ["login-throttling", "password-hash"], "since": "main~1"});
        assert_eq!(
            of(Tool::Check, &named, &limits).unwrap(),
            format!(
                "{before} check --only=login-throttling,password-hash --since=main~1 --format json -- {root}/-x y"
            )
        );
        assert_eq!(
            of(Tool::Fix, &json!({"finding": "1", "run": "01a2"}), &limits).unwrap(),
            format!("{before} fix --run=01a2 -- 1")
        );
        for (tool, wrong, says) in [
            (Tool::Fix, json!({}), "`finding` is missing"),
            (Tool::Fix, json!({"finding": "--run"}), "one word"),
            (Tool::Fix, json!({"finding": "a b"}), "one word"),
            (Tool::Fix, json!({"finding": 1}), "is a text"),
            (
                Tool::Explain,
                json!({"id": "upload-namin"}),
                "`upload-naming`",
            ),
            (
                Tool::Explain,
                json!({"id": "--help"}),
                "there is no finding",
            ),
            (Tool::Check, json!({"only": "x"}), "list of ids"),
            (
                Tool::Check,
                json!({"only": ["nothing"]}),
                "there is no finding",
            ),
            (
                Tool::Check,
                json!({"only": ["sql-access"]}),
                "there is no finding",
            ),
            (
                Tool::Decisions,
                json!({"only": ["upload-size-x"]}),
                "`upload-size`",
            ),
            (Tool::Check, json!({"since": "-x"}), "one word"),
            (
                Tool::Check,
                json!({"i_own": "example.com"}),
                "no argument `i_own`",
            ),
            (
                Tool::Decisions,
                json!({"app": "http://127.0.0.1:1"}),
                "no folder",
            ),
        ] {
            let error = of(tool, &wrong, &limits).unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_folder_is_below_the_servers_own_whatever_leads_there() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), home.path().join("link")).unwrap();
        std::fs::write(home.path().join("file"), "").unwrap();
        let mut limits = limits(home.path());
        let away = elsewhere.path().display().to_string();
        for app in ["..", "link", "/", &away] {
            let error = of(Tool::Check, &json!({"app": app}), &limits).unwrap_err();
            assert!(error.contains("--anywhere"), "{app}: {error}");
        }
        for app in ["file", "absent", "a\0b"] {
            let error = of(Tool::Check, &json!({"app": app}), &limits).unwrap_err();
            assert!(error.contains("no folder"), "{app}: {error}");
        }
        limits.anywhere = true;
        assert!(of(Tool::Check, &json!({"app": away}), &limits).is_ok());
    }

    #[test]
    fn it_is_said_that_a_running_app_s_own_data_change() {
        let listed = listed();
        let check = &listed[0];
        assert_eq!(check["annotations"]["destructiveHint"], true);
        let description = check["description"].as_str().unwrap();
        assert!(
            description.contains("At an address the running app itself"),
            "{description}"
        );
        let app = &check["inputSchema"]["properties"]["app"]["description"];
        assert!(
            app.as_str().unwrap().contains("its own data are changed"),
            "{app}"
        );
        assert!(remedy::fits_agents(&listed.to_string()), "{listed}");
        for other in &listed.as_array().unwrap()[1..] {
            assert_eq!(other["annotations"]["destructiveHint"], false, "{other}");
        }
    }

    #[test]
    fn only_addresses_of_this_machine_are_checked() {
        let good = [
            "http://127.0.0.1:3000",
            "http://localhost:3000/",
            "https://[::1]:8443/x",
            "http://127.9.9.9",
        ];
        for address in good {
            assert_eq!(loopback(address), Ok(address.into()));
        }
        for address in [
            "http://example.com",
            "http://127.0.0.1@example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com:3000",
            "http://10.0.0.1:80",
            "http://[fe80::1]",
            "ftp://127.0.0.1",
            "file:///etc",
            "http://0.0.0.0",
            "http://127.0.0.1:3000 --i-own x",
            "http://",
        ] {
            assert!(loopback(address).is_err(), "{address}");
        }
    }
}
