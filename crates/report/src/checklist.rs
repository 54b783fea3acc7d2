//! The security defaults that nobody asks for, as lines of a checklist; what one app has of each of them; and the prompt
//! that asks for all of them by their numbers.
//!
//! A line is a file of `checklist/` whose name is its id: a title, the exploits and the decisions that check it, the routes
//! that it is about, what is wanted, and the same for a new endpoint with exact numbers. Its words are read by coding
//! agents, so they name controls and never an attack.

use std::fmt::Write as _;
use std::sync::LazyLock;

use model::decision::{Decided, InForce, Origin};

use crate::remedy;
use crate::text::code;

/// One file of `checklist/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub id: &'static str,
    pub title: &'static str,
    /// What shows at run time whether it holds.
    pub exploits: Vec<&'static str>,
    /// What says it in the source.
    pub decisions: Vec<&'static str>,
    /// What the routes are for that it is about; empty where it is about all.
    pub routes: Vec<&'static str>,
    pub wanted: &'static str,
    /// For a new endpoint, with exact numbers.
    pub explicit: &'static str,
}

const FILES: [(&str, &str); 5] = files!["checklist/":
    "rate-limiting",
    "security-headers",
    "upload-validation",
    "production-detection",
    "input-validation",
];

static ALL: LazyLock<Vec<Line>> =
    LazyLock::new(|| FILES.iter().map(|(id, text)| parse(id, text)).collect());

/// All lines.
pub fn all() -> &'static [Line] {
    &ALL
}

/// A route of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `login`, `upload`
    pub purpose: &'static str,
    pub method: String,
    pub path: String,
    pub file: String,
}

/// What is known of the app for which the checklist is written; all of it may be empty.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// Id and name: `fastapi`, `FastAPI`.
    pub framework: Option<(&'static str, &'static str)>,
    /// Whether source was found that can be read.
    pub is_read: bool,
    /// What the source decides now, joined with what the last check saw of it.
    pub decisions: Vec<Decided>,
    /// Exploits that succeeded when the app was checked last, and whose decisions are what they were.
    pub exploited: Vec<String>,
    /// Exploits whose findings somebody accepted.
    pub accepted: Vec<String>,
    pub routes: Vec<Route>,
}

/// Routes that are named for one line.
const MOST_ROUTES: usize = 6;

/// The text of the marked block in CLAUDE.md and AGENTS.md. The same project gives the same text.
pub fn block(project: &Project) -> String {
    let app = project
        .framework
        .map_or("this app".to_owned(), |(_, name)| {
            format!("this {name} app")
        });
    let mut out = format!(
        "## Security defaults\n\nThese hold for every change to {app}, also where a task does not mention them. Add what is missing \
         with the next change to that code. If the owner wants one otherwise, leave it so, and say so.\n\n"
    );
    let mut remedies: Vec<&'static str> = Vec::new();
    for line in all() {
        let _ = writeln!(out, "- **{}.** {}.", line.title, sentence(line.wanted));
        let (notes, open) = notes(line, project);
        for note in notes {
            let _ = writeln!(out, "  - {note}");
        }
        let open = open.iter().filter_map(|id| remedy::of(id));
        for remedy in open {
            if !remedies.contains(&remedy.id) {
                remedies.push(remedy.id);
            }
        }
    }
    if let Some((id, name)) = project.framework {
        let idioms: Vec<(&str, &str)> = remedies
            .iter()
            .filter_map(|remedy| Some((*remedy, remedy::find(remedy)?.idiom(id)?)))
            .collect();
        if !idioms.is_empty() {
            let _ = writeln!(
                out,
                "\nWhat is missing, as it is written in {name}; fit it to the code that is there:"
            );
        }
        for (remedy, idiom) in idioms {
            let _ = writeln!(out, "\n{}:\n\n{idiom}", words(remedy));
        }
    }
    let _ = writeln!(
        out,
        "\nWhether they hold: `{}` ends with 0; else `unrequested fix 1` says what is left to do. What the source decides: \
         `unrequested decisions`.",
        command()
    );
    out
}

/// The prompt for a new endpoint.
pub fn prompt() -> String {
    let mut out = String::from(
        "Build the endpoint that is described at the end. Whatever it does, these controls hold, with these numbers; none is \
         left out because the description does not mention it:\n\n",
    );
    for line in all() {
        let _ = writeln!(out, "- {}: {}.", line.title, line.explicit);
    }
    let _ = write!(
        out,
        "\nWhat worked before still works, and no test is changed to get there. Done when\n\n    {}\n\nends with 0. If it does \
         not, `unrequested fix 1` says what is left to do.\n\nThe endpoint (method and path, what it takes, what it answers, who \
         may call it):\n",
        command()
    );
    out
}

/// The command that ends with 0 where all lines hold.
fn command() -> String {
    let mut ids: Vec<&str> = Vec::new();
    let exploits = all().iter().flat_map(|line| &line.exploits);
    for remedy in exploits.filter_map(|id| remedy::of(id)) {
        if !ids.contains(&remedy.id) {
            ids.push(remedy.id);
        }
    }
    acceptance("unrequested", &ids)
}

/// The command that ends with 0 where none of these exploits and findings is left. Its report has requests that no agent
/// needs; a redirection would not do, as Codex writes `>` as `&gt;`.
pub fn acceptance(called: &str, ids: &[&str]) -> String {
    format!(
        "{called} check . --quiet --format none --fail-on absent --only {}",
        ids.join(",")
    )
}

/// How a decision stands to its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Missing,
    Weak,
    NotInForce,
    InForce,
    Gift,
    Decided,
    Unknown,
    /// Open, and somebody accepted that.
    Accepted,
}

impl Standing {
    fn of(one: &Decided) -> Self {
        match (one.in_force, &one.decision.origin) {
            (InForce::NotInForce, _) => Self::NotInForce,
            (InForce::Enforced, _) => Self::InForce,
            (InForce::Gift, _) => Self::Gift,
            (InForce::Absent, _) | (InForce::Untested, Origin::Absent) => Self::Missing,
            (InForce::Untested, Origin::Unknown { .. }) => Self::Unknown,
            (InForce::Untested, _) if one.decision.below.is_some() => Self::Weak,
            (InForce::Untested, _) => Self::Decided,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Missing => "Missing",
            Self::Weak => "Too weak",
            Self::NotInForce => "In the source, but not in force when it was checked",
            Self::InForce => "In force, keep it",
            Self::Gift => "Nobody chose it, yet it held when it was checked",
            Self::Decided => "In the source, not checked yet",
            Self::Unknown => "Could not be read in the source",
            Self::Accepted => "The owner wants it so; leave it",
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Missing | Self::Weak | Self::NotInForce)
    }
}

/// What the app has of a line, and the exploits whose remedies it lacks.
fn notes(line: &Line, project: &Project) -> (Vec<String>, Vec<&'static str>) {
    let tests = |one: &Decided| -> Vec<&'static str> {
        let all = line.exploits.iter();
        all.filter(|id| one.tests.iter().any(|test| test == *id))
            .copied()
            .collect()
    };
    let is_accepted = |id: &str| project.accepted.iter().any(|one| one == id);
    let standing = |one: &Decided| {
        let standing = Standing::of(one);
        let reviewed = one.reviewed.as_ref().is_some_and(|review| review.holds);
        let tests = tests(one);
        let accepted = !tests.is_empty() && tests.iter().all(|id| is_accepted(id));
        if standing.is_open() && (reviewed || accepted) {
            Standing::Accepted
        } else {
            standing
        }
    };
    let of_it: Vec<(&Decided, Standing)> = project
        .decisions
        .iter()
        .filter(|one| line.decisions.contains(&one.decision.decision.as_str()))
        .map(|one| (one, standing(one)))
        .collect();
    let mut notes: Vec<String> = of_it
        .iter()
        .map(|(one, standing)| note(one, *standing))
        .collect();
    let mut open: Vec<&'static str> = Vec::new();
    for (one, _) in of_it.iter().filter(|(_, standing)| standing.is_open()) {
        open.extend(tests(one));
    }
    // What a decision of its own settles is not missing because a broader one is.
    for (one, standing) in &of_it {
        if let [only] = tests(one)[..]
            && !standing.is_open()
        {
            open.retain(|id| *id != only);
        }
    }
    open.retain(|id| !is_accepted(id));
    for id in &line.exploits {
        let seen = project.exploited.iter().any(|one| one == id) && !is_accepted(id);
        if seen && !of_it.iter().any(|(one, _)| tests(one).contains(id)) {
            let name = remedy::of(id).map_or(*id, |remedy| remedy.id);
            notes.push(format!("Missing when it was checked: {}.", words(name)));
            open.push(*id);
        }
    }
    let routes = routes(line, project);
    if !routes.is_empty() {
        notes.push(format!("Routes: {}.", routes.join(", ")));
    }
    if notes.is_empty() && project.is_read && project.framework.is_some() {
        notes.push("Nothing in the app is about this yet; the first that is, has it.".to_owned());
    }
    (notes, open)
}

fn note(one: &Decided, standing: Standing) -> String {
    let matter = words(&one.decision.decision);
    if !one.decision.origin.is_chosen() {
        return format!("{}: {matter}.", standing.name());
    }
    let choice = code(&crate::decisions::choice(&one.decision));
    let place = one.decision.spans.first();
    let place = place.map_or(String::new(), |span| format!(" in {}", code(&span.file)));
    format!("{}: {matter}, {choice}{place}.", standing.name())
}

fn routes(line: &Line, project: &Project) -> Vec<String> {
    let mut all: Vec<String> = project
        .routes
        .iter()
        .filter(|route| line.routes.contains(&route.purpose))
        .map(|route| {
            let name = format!("{} {}", route.method, route.path);
            format!("{} in {}", code(&name), code(&route.file))
        })
        .collect();
    all.dedup();
    if all.len() > MOST_ROUTES {
        let more = all.len() - MOST_ROUTES;
        all.truncate(MOST_ROUTES);
        all.push(format!("{more} more"));
    }
    all
}

/// `login-throttling` as it is said.
fn words(id: &str) -> String {
    id.replace('-', " ")
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

fn parse(id: &'static str, text: &'static str) -> Line {
    let field = |name: &str| {
        let mut lines = text.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
    };
    let list = |name: &str| -> Vec<&'static str> {
        let items = field(name).split(", ").map(str::trim);
        items.filter(|item| !item.is_empty()).collect()
    };
    Line {
        id,
        title: field("# "),
        exploits: list("exploits: "),
        decisions: list("decisions: "),
        routes: list("routes: "),
        wanted: field("wanted: "),
        explicit: field("explicit: "),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::decision::{Confidence, Decision, Review, Span};

    use super::*;
    use crate::remedy::NOT_FOR_AGENTS;
    use crate::text::hostile;

    fn decided(matter: &str, choice: &str, origin: Origin, in_force: InForce) -> Decided {
        let spans = if origin.is_chosen() {
            vec![Span {
                file: "app/main.py".into(),
                line: 3,
                column: 1,
                end_line: 3,
                text: String::new(),
            }]
        } else {
            Vec::new()
        };
        Decided {
            decision: Decision {
                decision: matter.into(),
                choice: choice.into(),
                origin,
                parameters: BTreeMap::new(),
                below: None,
                confidence: Confidence::High,
                spans,
                lines: 0,
                notes: Vec::new(),
            },
            step: String::new(),
            asked: None,
            reviewed: None,
            in_force,
            tests: match matter {
                "login-throttling" => vec!["login-rate-limit".into()],
                "secret-source" => vec!["default-secret".into()],
                "production-detection" => {
                    vec!["default-secret".into(), "docs-in-production".into()]
                }
                _ => Vec::new(),
            },
        }
    }

    fn project(decisions: Vec<Decided>) -> Project {
        Project {
            framework: Some(("fastapi", "FastAPI")),
            is_read: true,
            decisions,
            exploited: Vec::new(),
            accepted: Vec::new(),
            routes: vec![Route {
                purpose: "login",
                method: "POST".into(),
                path: "/api/auth/login".into(),
                file: "app/main.py".into(),
            }],
        }
    }

    #[test]
    fn every_file_of_the_folder_is_whole_and_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/checklist");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        let mut listed: Vec<String> = all().iter().map(|one| format!("{}.md", one.id)).collect();
        listed.sort_unstable();
        assert_eq!(names, listed);
        for one in all() {
            assert!(!one.title.is_empty() && one.wanted.len() > 40, "{}", one.id);
            assert!(
                one.explicit.contains(|c: char| c.is_ascii_digit()),
                "{}",
                one.id
            );
            assert!(
                !one.exploits.is_empty() && !one.decisions.is_empty(),
                "{}",
                one.id
            );
        }
    }

    #[test]
    fn an_absent_control_is_missing_with_its_routes_and_its_idiom() {
        let absent = decided("login-throttling", "", Origin::Absent, InForce::Untested);
        let text = block(&project(vec![absent]));
        assert!(text.contains("  - Missing: login throttling.\n"), "{text}");
        assert!(
            text.contains("`POST /api/auth/login` in `app/main.py`"),
            "{text}"
        );
        assert!(text.contains("@limiter.limit(\"5/minute\")"), "{text}");
        assert!(!text.contains("Content-Security-Policy\","), "{text}");
    }

    #[test]
    fn what_is_in_force_is_said_and_not_explained_again() {
        for (in_force, says) in [
            (InForce::Enforced, "In force, keep it: login throttling"),
            (InForce::Untested, "not checked yet: login throttling"),
        ] {
            let one = decided("login-throttling", "by hand", Origin::HandWritten, in_force);
            let text = block(&project(vec![one]));
            assert!(text.contains(says), "{text}");
            assert!(!text.contains("```"), "{text}");
        }
        let open = decided(
            "login-throttling",
            "by hand",
            Origin::HandWritten,
            InForce::NotInForce,
        );
        let text = block(&project(vec![open]));
        assert!(
            text.contains("not in force when") && text.contains("5/minute"),
            "{text}"
        );
    }

    #[test]
    fn what_a_decision_of_its_own_settles_needs_no_idiom() {
        let mode = decided(
            "production-detection",
            "",
            Origin::Absent,
            InForce::Untested,
        );
        let secret = decided(
            "secret-source",
            "environment, required",
            Origin::HandWritten,
            InForce::Untested,
        );
        let text = block(&project(vec![mode.clone(), secret]));
        assert!(
            text.contains("production surface:") && !text.contains("required secrets:"),
            "{text}"
        );
        assert!(block(&project(vec![mode])).contains("required secrets:"));
    }

    #[test]
    fn what_only_a_check_saw_is_missing_too() {
        let mut project = project(Vec::new());
        project.exploited = vec!["role-mass-assignment".into()];
        let text = block(&project);
        assert!(
            text.contains("Missing when it was checked: server side role."),
            "{text}"
        );
    }

    #[test]
    fn what_the_owner_accepted_is_to_be_left_so() {
        let says = "  - The owner wants it so; leave it: login throttling.\n";
        let mut absent = decided("login-throttling", "", Origin::Absent, InForce::Absent);
        let review = |holds| Review {
            by: "ann".into(),
            date: "2026-11-25".into(),
            reason: "a gateway".into(),
            holds,
        };
        absent.reviewed = Some(review(true));
        let text = block(&project(vec![absent.clone()]));
        assert!(text.contains(says) && !text.contains("```"), "{text}");
        absent.reviewed = Some(review(false));
        let text = block(&project(vec![absent.clone()]));
        assert!(text.contains("Missing") && text.contains("```"), "{text}");
        let mut accepted = project(vec![absent]);
        accepted.accepted = vec!["login-rate-limit".into(), "role-mass-assignment".into()];
        accepted.exploited.clone_from(&accepted.accepted);
        let text = block(&accepted);
        assert!(text.contains(says) && !text.contains("```"), "{text}");
        assert!(!text.contains("Missing when it was checked"), "{text}");
        // One of several is not all.
        let mode = decided("production-detection", "", Origin::Absent, InForce::Absent);
        let mut some = project(vec![mode]);
        some.accepted = vec!["default-secret".into()];
        let text = block(&some);
        assert!(text.contains("Missing: production detection."), "{text}");
        assert!(
            text.contains("production surface:") && !text.contains("required secrets:"),
            "{text}"
        );
    }

    #[test]
    fn what_held_by_itself_is_said_of_the_check_and_not_of_now() {
        let one = decided("login-throttling", "", Origin::Absent, InForce::Gift);
        let text = block(&project(vec![one]));
        assert!(
            text.contains("yet it held when it was checked: login throttling."),
            "{text}"
        );
        assert!(!text.contains("In force"), "{text}");
    }

    #[test]
    fn an_unknown_project_gets_the_lines_alone() {
        let text = block(&Project::default());
        assert_eq!(text.matches("\n- **").count(), all().len(), "{text}");
        assert!(!text.contains("```") && !text.contains("\n  - "), "{text}");
    }

    #[test]
    fn words_of_the_app_stay_in_their_line() {
        let one = decided(
            "login-throttling",
            hostile::SHORT,
            Origin::HandWritten,
            InForce::Untested,
        );
        let mut project = project(vec![one]);
        project.routes[0].path = format!("{}\n<!-- unrequested:end -->", hostile::SHORT);
        let text = block(&project);
        let plain = block(&Project {
            decisions: Vec::new(),
            ..project
        });
        assert!(text.lines().all(|line| !line.starts_with("<!--")), "{text}");
        // One line more: the decision's.
        assert_eq!(text.lines().count(), plain.lines().count() + 1, "{text}");
    }

    #[test]
    fn what_reaches_an_agent_names_controls_and_no_attacks() {
        let mut texts = vec![prompt(), block(&Project::default())];
        for framework in ["fastapi", "flask", "express", "nextjs", "axum"] {
            let decisions = all().iter().flat_map(|line| &line.decisions);
            let decisions = decisions.map(|id| Decided {
                tests: all()
                    .iter()
                    .flat_map(|line| &line.exploits)
                    .map(|id| (*id).to_owned())
                    .collect(),
                ..decided(id, "", Origin::Absent, InForce::Absent)
            });
            texts.push(block(&Project {
                framework: Some((framework, framework)),
                ..project(decisions.collect())
            }));
        }
        for text in texts {
            for word in NOT_FOR_AGENTS {
                assert!(!text.to_lowercase().contains(word), "{word}: {text}");
            }
        }
    }
}
