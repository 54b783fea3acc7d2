//! The command line, in the three groups of the documentation: use, study, instrument.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::output::Output;

/// Measures the security decisions that coding agents make when nobody asks.
#[derive(Debug, Parser)]
#[command(
    name = "unrequested",
    version,
    max_term_width = 100,
    after_help = "Exit codes: docs/exit-codes.md"
)]
pub(crate) struct Cli {
    /// Where runs, the ledger and work trees are kept.
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "UNREQUESTED_DIR",
        default_value = ".unrequested"
    )]
    pub(crate) dir: PathBuf,
    /// Refuse to run apps outside a box.
    #[arg(long, global = true)]
    pub(crate) require_box: bool,
    /// No progress on stderr.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Colour: auto (a terminal and no NO_COLOR), always, never.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, at most 80 columns.
    Terminal,
    /// One object; its schema is docs/run.schema.json.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecisionFormat {
    /// For people, at most 80 columns.
    Terminal,
    /// One object; its schema is docs/decisions.schema.json.
    Json,
    /// A table for a pull request.
    Markdown,
}

/// Which decisions make the exit code 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOnDecision {
    Never,
    /// Decided otherwise since `--since`, or since it was reviewed.
    Changed,
    /// Something chosen that nobody has reviewed.
    Unreviewed,
    /// Something under a published floor.
    Below,
}

/// From which finding on the exit code is 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Something the prompt asked for was exploited.
    #[value(alias = "requirement")]
    Exploited,
    /// That, or a protection nobody asked for is absent.
    #[value(alias = "hardening", alias = "any")]
    Absent,
    #[value(alias = "none")]
    Never,
}

/// How this tool signs in to a model's vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignIn {
    Key,
    Subscription,
}

impl From<SignIn> for agent::proxy::Auth {
    fn from(auth: SignIn) -> Self {
        match auth {
            SignIn::Key => Self::Key,
            SignIn::Subscription => Self::Subscription,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Use: boot one app, find out how it is used, attack it, say what was found.
    Check(Box<Check>),
    /// Use: what an app's source decided for each security matter, from where, who asked, who reviewed; nothing is run.
    Decisions(Decisions),
    /// Use: what an exploit does, when it counts, what it does not cover.
    Explain {
        /// An exploit's or a decision's id; `unrequested list` names them.
        id: String,
        /// The control and how it is written, in words for a coding agent.
        #[arg(long)]
        for_agent: bool,
    },
    /// Use: run a finding's exploit again on a fresh copy, and print every request as a command.
    Replay(Replay),
    /// Use: a finding as a prompt for a coding agent: the control, the place, how to see that it is done.
    Fix(Fix),
    /// Use: write the checklist of security defaults where coding agents read it, with a hook and a skill; asks first.
    Guard(Guard),
    /// Use: for the settings of a coding agent: reads its event on stdin, and sends it back once for what it left out.
    Hook {
        #[arg(value_enum)]
        agent: HookedAgent,
    },
    /// Use: check, decisions, explain and fix as tools of a coding agent, over stdin and stdout (docs/mcp.md).
    Mcp(Mcp),
    /// Study: run sessions, attack what they left, print the scoreboard.
    Bench(Bench),
    /// Study: print a run of the ledger again.
    Report(Report),
    /// Study: sessions beside sessions, among themselves, or beside the figures of a published study, with intervals and tests.
    Compare {
        /// `RUN`, `RUN@WORD,..` or `@WORD,..` of the newest run: words are an agent, a sample, a framework or an arm. Two are
        /// compared; of one, or of the newest run, it says what made a difference within it, and how alike replicates are.
        #[arg(value_name = "SESSIONS")]
        sides: Vec<String>,
        /// A published study: 2026-04.
        #[arg(long, value_name = "STUDY")]
        published: Option<String>,
    },
    /// Study: what static scanners that are installed here find in the trees of a run, beside what the exploits showed.
    Scan(Scan),
    /// Instrument: run the exploits on apps whose holes are known, and say what they caught.
    Calibrate(Calibrate),
    /// Instrument: serve the secure reference app from the contract's environment variables.
    Reference(Reference),
    /// Instrument: what is known here: exploits, frameworks, samples, prompts.
    List {
        #[arg(long, value_enum, default_value_t = Format::Terminal)]
        format: Format,
    },
    /// Instrument: what this machine has, and what is missing.
    Doctor,
}

/// An agent that runs hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HookedAgent {
    ClaudeCode,
    Codex,
}

#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Check {
    /// The app's folder, or http://127.0.0.1:PORT of an app that runs already.
    #[arg(default_value = ".")]
    pub(crate) app: String,
    /// Check a shipped hand-written sample instead: literal, imports-first, runtime-first, hardened of FastAPI, or with
    /// the framework before it: nextjs/literal.
    #[arg(long, value_name = "NAME", conflicts_with = "app")]
    pub(crate) sample: Option<String>,
    /// Only these exploits or findings, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) only: Vec<String>,
    /// The depth suite as well, which lies beyond the 33 and in no score.
    #[arg(long, conflicts_with = "only")]
    pub(crate) depth: bool,
    /// terminal, json, markdown, sarif, junit or html, with =FILE into a file; or none. Repeatable.
    #[arg(long, value_name = "NAME[=FILE]")]
    pub(crate) format: Vec<Output>,
    #[arg(long, value_enum, default_value_t = FailOn::Exploited)]
    pub(crate) fail_on: FailOn,
    /// Absent protections in full, and in SARIF as results; else they are counted and named in a line each.
    #[arg(long)]
    pub(crate) hardening: bool,
    /// Findings accepted until a day; unrequested.baseline.toml of the app's folder when left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Count only findings whose decision changed since this revision of the folder's git repository.
    #[arg(long, value_name = "REV")]
    pub(crate) since: Option<String>,
    /// Accept these findings, or all, in the baseline.
    #[arg(long, value_name = "ID", num_args = 0.., value_delimiter = ',', requires = "reason", requires = "until")]
    pub(crate) accept: Option<Vec<String>>,
    /// With --accept: why it is right for this app.
    #[arg(long, value_name = "TEXT", requires = "accept")]
    pub(crate) reason: Option<String>,
    /// With --accept: the last day on which that holds, as 2027-01-31.
    #[arg(long, value_name = "DAY", requires = "accept")]
    pub(crate) until: Option<String>,
    /// With --accept: who accepts it; the user's name when left out.
    #[arg(long, value_name = "NAME", requires = "accept")]
    pub(crate) by: Option<String>,
    /// How long the app may take to answer its health route.
    #[arg(long, value_name = "SECONDS", default_value_t = 45)]
    pub(crate) ready_within: u64,
    /// How the app offers its capabilities, instead of the folder's unrequested.toml.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write down what was found out about how the app is used, to be read and corrected.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "unrequested.toml")]
    pub(crate) write_config: Option<PathBuf>,
    /// Find out how the app is used, though a file or the contract says it.
    #[arg(long, conflicts_with = "config")]
    pub(crate) infer: bool,
    /// For a running app: the folder of its source, for hints and decisions.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) source: Option<PathBuf>,
    /// Judge a running app as one in production, though it looks like a development server.
    #[arg(long)]
    pub(crate) production: bool,
    /// A running app's host that is not loopback, and is yours.
    #[arg(long, value_name = "HOST")]
    pub(crate) i_own: Option<String>,
    /// An account that is there already, as EMAIL:PASSWORD, for an app where nobody can register. Repeatable: most exploits
    /// need two or three.
    #[arg(long, value_name = "EMAIL:PASSWORD", value_parser = infer::account)]
    pub(crate) user: Vec<(String, String)>,
    /// An admin account, as EMAIL:PASSWORD, where it is not the one of ADMIN_EMAIL and ADMIN_PASSWORD.
    #[arg(
        long,
        env = "UNREQUESTED_ADMIN",
        value_name = "EMAIL:PASSWORD",
        value_parser = infer::account,
        hide_env_values = true
    )]
    pub(crate) admin: Option<(String, String)>,
    /// Its webhook secret, where it is not WEBHOOK_SECRET's.
    #[arg(
        long,
        env = "UNREQUESTED_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub(crate) webhook_secret: Option<String>,
    /// For a running app: the origins it allows, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    pub(crate) cors_origins: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Decisions {
    /// An app's folder, or a run of the ledger; two or more are shown side by side.
    #[arg(value_name = "PATH|RUN")]
    pub(crate) apps: Vec<String>,
    /// A shipped hand-written sample: imports-first of FastAPI, or nextjs/runtime-first. Repeatable.
    #[arg(long, value_name = "NAME")]
    pub(crate) sample: Vec<String>,
    /// Only what changed since this revision of the folder's git repository.
    #[arg(long, value_name = "REV", conflicts_with_all = ["sample", "accept"])]
    pub(crate) since: Option<String>,
    /// What each step of a session decided, and what there was to review after it.
    #[arg(long, conflicts_with_all = ["since", "accept"])]
    pub(crate) steps: bool,
    /// Only these decisions, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) only: Vec<String>,
    /// Record that these decisions, or all, were reviewed, in unrequested.decisions.toml.
    #[arg(long, value_name = "ID", num_args = 0.., value_delimiter = ',')]
    pub(crate) accept: Option<Vec<String>>,
    /// With --accept: why it is right for this app.
    #[arg(long, value_name = "TEXT", requires = "accept")]
    pub(crate) reason: Option<String>,
    /// With --accept: who reviewed it; git's user.name when left out.
    #[arg(long, value_name = "NAME", requires = "accept")]
    pub(crate) by: Option<String>,
    #[arg(long, value_enum, default_value_t = DecisionFormat::Terminal)]
    pub(crate) format: DecisionFormat,
    #[arg(long, value_enum, default_value_t = FailOnDecision::Never)]
    pub(crate) fail_on: FailOnDecision,
}

#[derive(Debug, Args)]
pub(crate) struct Fix {
    /// A finding's number on the last `check` screen, or its id.
    pub(crate) finding: String,
    /// The run; the newest when left out.
    #[arg(long)]
    pub(crate) run: Option<String>,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Guard {
    /// The app's folder.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Write without asking.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Take out all that it wrote; what others wrote stays as it is.
    #[arg(long)]
    pub(crate) remove: bool,
    /// Only the text in CLAUDE.md and AGENTS.md: hooks and the skill stay as they are.
    #[arg(long)]
    pub(crate) no_hook: bool,
    /// Also what was changed by hand between the markers, or in the skill; it is lost.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Print the prompt for a new endpoint, and write nothing.
    #[arg(long, conflicts_with_all = ["yes", "remove", "no_hook", "overwrite"])]
    pub(crate) prompt: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Mcp {
    /// Allow apps outside the working directory.
    #[arg(long)]
    pub(crate) anywhere: bool,
    /// How long a check may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) deadline: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A finding's number on the last `check` screen, its id, or an exploit's.
    pub(crate) finding: String,
    /// The run; the newest when left out.
    #[arg(long)]
    pub(crate) run: Option<String>,
    /// The session of a `bench` run: `literal`, or the whole id.
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// Print the stored evidence and send nothing.
    #[arg(long)]
    pub(crate) stored: bool,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Bench {
    /// A study file; the shipped samples when left out.
    pub(crate) study: Option<PathBuf>,
    /// Only this framework.
    #[arg(long)]
    pub(crate) framework: Option<String>,
    /// Only these exploits, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) only: Vec<String>,
    /// Where agents find their model instead of at their vendor: a gateway (https), or a server on this machine.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) model_server: Option<String>,
    /// How real agents are paid for: `key`, by token (ANTHROPIC_API_KEY, OPENAI_API_KEY); or `subscription`, your own sign-in of
    /// Claude Pro or Max (CLAUDE_CODE_OAUTH_TOKEN, from `claude setup-token`) or ChatGPT (what `codex login` keeps). The
    /// agent sees neither.
    #[arg(long, value_enum, default_value_t = SignIn::Key, conflicts_with = "regrade")]
    pub(crate) auth: SignIn,
    /// Begin anew although an unfinished run of the same study could be resumed.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Attack the kept trees of this run with today's exploits instead, and say which verdicts changed and why; no agent
    /// is run.
    #[arg(long, value_name = "RUN", conflicts_with = "study")]
    pub(crate) regrade: Option<String>,
    /// Attack what each session was after every step, not only after the last, and say when each protection appeared or
    /// broke: about six times the attacks. The scores are of the last step. With --regrade: the kept trees of earlier steps
    /// as well.
    #[arg(long)]
    pub(crate) score_steps: bool,
    /// Print what would be run, for how much and how long, and run nothing.
    #[arg(long, conflicts_with = "regrade")]
    pub(crate) plan: bool,
    /// Run agents that cost money without asking.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Prices of models instead of study/prices.toml, in the same form.
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// terminal, json, html, markdown or csv; with =FILE into a file. Repeatable.
    #[arg(long, value_name = "NAME[=FILE]")]
    pub(crate) format: Vec<Output>,
    /// Exit with 10 from this finding on.
    #[arg(long, value_enum, default_value_t = FailOn::Never)]
    pub(crate) fail_on: FailOn,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Report {
    /// The run's id, or the start or end of it; the newest when left out.
    pub(crate) run: Option<String>,
    /// List all runs instead.
    #[arg(long)]
    pub(crate) list: bool,
    /// What the attacks cost: requests, wall time without the boot, and that over the app's own processor time.
    #[arg(long, conflicts_with = "list")]
    pub(crate) cost: bool,
    /// With `atif`: this session alone; all of the run, one object a line, when left out.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Prices of models instead of study/prices.toml, in the same form.
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// terminal, json, html or markdown; of a `check` also sarif and junit, of a `bench` csv; each with =FILE or not.
    /// Repeatable. Of agents' sessions atif.
    #[arg(long, value_name = "NAME[=FILE]")]
    pub(crate) format: Vec<Output>,
    /// Write the run as plain files with a manifest of hashes: into a new folder, or a new file that ends in .tar.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["list", "cost", "format"])]
    pub(crate) bundle: Option<PathBuf>,
    /// Say what of such a bundle was altered: files by their hashes, verdicts and scores by judging its facts again.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["run", "list", "cost", "format", "bundle"])]
    pub(crate) verify: Option<PathBuf>,
    /// Serve the pages of all runs to this machine's browser, until it is ended; a running one comes again by itself.
    #[arg(long, conflicts_with_all = ["run", "list", "cost", "format", "bundle", "verify"])]
    pub(crate) serve: bool,
    /// With --serve: where, on 127.0.0.1; 0 for any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 4033, requires = "serve")]
    pub(crate) port: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// An app's folder, or a run of the ledger; the newest run when left out.
    #[arg(value_name = "PATH|RUN")]
    pub(crate) what: Option<String>,
    /// Only these scanners, separated by commas: bandit, semgrep, pip-audit, npm-audit.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) only: Vec<String>,
    /// Run also what asks a server: pip-audit, npm audit, Semgrep with rules of its registry.
    #[arg(long)]
    pub(crate) network: bool,
    /// Semgrep's rules: a folder or file, or a name in its registry as p/python; without, it is not run.
    #[arg(long, value_name = "RULES", env = "UNREQUESTED_SEMGREP_CONFIG")]
    pub(crate) semgrep_config: Option<PathBuf>,
    /// List every finding of a run's trees; of a folder's they are listed anyway.
    #[arg(long)]
    pub(crate) findings: bool,
    /// How long one scanner may take for one tree.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) longest: u64,
    /// json: docs/scanners.md says what is in it.
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// Take this control away, to see an exploit succeed; `unrequested list` names them. Repeatable.
    #[arg(long, value_name = "NAME")]
    pub(crate) weak: Vec<String>,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Calibrate {
    /// Only the reference app in this process, over its weaknesses and shapes: seconds, nothing is installed.
    #[arg(long, conflicts_with_all = ["gate", "changed", "patch", "table"])]
    pub(crate) quick: bool,
    /// What CI runs: what the book does not know yet, one mutant per exploit, and a tenth that changes every day.
    #[arg(long, conflicts_with_all = ["changed", "everything", "patch", "table"])]
    pub(crate) gate: bool,
    /// Only what the book does not know yet.
    #[arg(long, conflicts_with_all = ["patch", "table"])]
    pub(crate) changed: bool,
    /// All exploits on every control, not only those that it is about: hours. With --quick: a weakness of every exploit
    /// in every shape as well.
    #[arg(long, conflicts_with_all = ["patch", "table"])]
    pub(crate) everything: bool,
    /// Only this framework.
    #[arg(long)]
    pub(crate) framework: Option<String>,
    /// Only these exploits, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub(crate) only: Vec<String>,
    /// Only controls whose id contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) control: Option<String>,
    /// Controls from this folder, `<framework>/<exploit>/<name>.toml`, instead of the shipped ones.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) controls: Option<PathBuf>,
    /// Measure so often, each time from another seed, and name every verdict that changed.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repeat: u32,
    /// Withhold the contract: how each app is used is found out first, as for an app that nobody described.
    #[arg(long, conflicts_with_all = ["quick", "gate", "changed", "write", "patch", "table"])]
    pub(crate) withhold: bool,
    /// Keep every core of this machine busy meanwhile.
    #[arg(long)]
    pub(crate) busy: bool,
    /// Controls that run side by side; one per core when left out.
    #[arg(long, value_name = "COUNT")]
    pub(crate) jobs: Option<usize>,
    /// The book of what was measured.
    #[arg(long, value_name = "FILE", default_value = "docs/calibration.json")]
    pub(crate) book: PathBuf,
    /// Write what was measured into the book, and the table beside it.
    #[arg(long, conflicts_with_all = ["quick", "patch"])]
    pub(crate) write: bool,
    /// Print the table of the book and measure nothing.
    #[arg(long)]
    pub(crate) table: bool,
    /// Apply this change to the hardened sample (a control, or a diff as git makes it) and run the exploits on it.
    #[arg(long, value_name = "FILE")]
    pub(crate) patch: Option<PathBuf>,
    /// With --patch: end the app at this request.
    #[arg(long, value_name = "N", requires = "patch", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) kill_app_at: Option<u32>,
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    pub(crate) format: Format,
}
