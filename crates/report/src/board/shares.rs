//! The figures: shares over sessions with their intervals, by what the sessions have in common.

use model::Word;
use model::run::{Session, Tier};

use super::{agent, are_samples, columns, judged, tier_words, troubled};
use crate::compare::{self, Side};
use crate::statistics::{self, Interval};

/// Below this a difference is said to be one.
const LEVEL: f64 = 0.05;
/// The arm that says nothing of security.
const SILENT: &str = "silent";

/// What some sessions did in one tier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) sessions: usize,
    pub(crate) held: u32,
    pub(crate) of: u32,
    pub(crate) undecided: u32,
    pub(crate) interval: Interval,
}

impl Figures {
    pub(crate) fn of(sessions: &[&Session], tier: Tier) -> Self {
        let counts: Vec<statistics::Session> = sessions
            .iter()
            .map(|one| compare::counts(one, tier))
            .filter(|one| one.of > 0)
            .collect();
        let undecided =
            |one: &&Session| compare::in_tier(one, tier, |word| word == Word::Inconclusive);
        Self {
            sessions: counts.len(),
            held: counts.iter().map(|one| one.hits).sum(),
            of: counts.iter().map(|one| one.of).sum(),
            undecided: sessions.iter().map(undecided).sum(),
            interval: statistics::clustered(&counts),
        }
    }

    /// `84.0 % [71, 92]`; of one session there is no interval.
    pub(crate) fn words(&self) -> String {
        if self.of == 0 {
            return "-".to_owned();
        }
        let share = self.interval.value * 100.0;
        if self.sessions < 2 {
            return format!("{share:.1} %");
        }
        format!(
            "{share:.1} % [{:.0}, {:.0}]",
            self.interval.low * 100.0,
            self.interval.high * 100.0
        )
    }

    /// How far the share could rise if all that is undecided had held.
    pub(crate) fn most(&self) -> f64 {
        f64::from(self.held + self.undecided) / f64::from(self.of.max(1)) * 100.0
    }
}

/// Sessions that have something in common.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) name: String,
    pub(crate) sessions: Vec<&'a Session>,
}

pub(crate) fn groups<'a>(
    columns: &[&'a Session],
    by: impl Fn(&Session) -> String,
) -> Vec<Group<'a>> {
    let mut all: Vec<Group<'a>> = Vec::new();
    for session in columns {
        let name = by(session);
        match all.iter_mut().find(|one| one.name == name) {
            Some(group) => group.sessions.push(session),
            None => all.push(Group {
                name,
                sessions: vec![session],
            }),
        }
    }
    all
}

/// By framework, by agent, and by both where both differ.
pub(crate) fn factors<'a>(columns: &[&'a Session]) -> Vec<(&'static str, Vec<Group<'a>>)> {
    let frameworks = groups(columns, |one| one.framework.clone());
    let agents = groups(columns, |one| agent(one).to_owned());
    let both = frameworks.len() > 1 && agents.len() > 1;
    let mut all = vec![("Framework", frameworks), ("Agent", agents)];
    if both {
        let cells = groups(columns, |one| format!("{}, {}", one.framework, agent(one)));
        all.push(("Framework and agent", cells));
    }
    all
}

/// One arm against the arm that says nothing, in the tests that both, one or neither was asked for.
pub(crate) struct Uplift {
    pub(crate) arm: String,
    pub(crate) group: String,
    pub(crate) first: Interval,
    pub(crate) second: Interval,
    pub(crate) difference: Interval,
    /// Corrected by Holm over the table.
    pub(crate) p: f64,
    pub(crate) paired: bool,
}

/// The arms, the silent one first, and what each changed. Empty where there is one arm alone.
pub(crate) fn arms<'a>(columns: &[&'a Session]) -> (Vec<Group<'a>>, Vec<Uplift>) {
    let mut arms = groups(columns, |one| one.arm.clone());
    if arms.len() < 2 {
        return (Vec::new(), Vec::new());
    }
    arms.sort_by_key(|arm| arm.name != SILENT);
    let side = |group: &Group<'a>| Side {
        name: group.name.clone(),
        sessions: group.sessions.clone(),
    };
    let base = side(&arms[0]);
    let mut all = Vec::new();
    for arm in &arms[1..] {
        for row in compare::whole(&base, &side(arm)) {
            all.push(Uplift {
                arm: arm.name.clone(),
                difference: statistics::apart(row.first, row.second),
                group: row.name,
                first: row.first,
                second: row.second,
                p: row.p,
                paired: row.pairs,
            });
        }
    }
    let corrected = statistics::holm(&all.iter().map(|one| one.p).collect::<Vec<f64>>());
    for (one, p) in all.iter_mut().zip(corrected) {
        one.p = p;
    }
    (arms, all)
}

/// What frameworks give without being asked, what nobody added: exploits that all or none of some sessions met alike.
pub(crate) fn stands_out(columns: &[&Session], order: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let frameworks = groups(columns, |one| one.framework.clone());
    let held = |sessions: &[&Session], id: &str, tier| {
        let met: Vec<Word> = sessions
            .iter()
            .filter_map(|one| judged(one, id, tier))
            .map(|one| one.verdict)
            .collect();
        let count = |word| met.iter().filter(|one| **one == word).count();
        (count(Word::Resisted), count(Word::Exploited), met.len())
    };
    for tier in Tier::ALL {
        let (_, verb) = tier_words(tier);
        for group in &frameworks {
            let others: Vec<&Session> = columns
                .iter()
                .filter(|one| one.framework != group.name)
                .copied()
                .collect();
            let ids: Vec<&str> = order
                .iter()
                .filter(|id| {
                    let (here, _, of) = held(&group.sessions, id, tier);
                    let (_, exploited, _) = held(&others, id, tier);
                    of > 0 && here == of && exploited > 0
                })
                .copied()
                .collect();
            if !ids.is_empty() {
                lines.push(format!(
                    "{verb} in every {} session, and not everywhere else: {}",
                    group.name,
                    ids.join(", ")
                ));
            }
        }
        let rare: Vec<&str> = order
            .iter()
            .filter(|id| {
                let (there, exploited, _) = held(columns, id, tier);
                there <= columns.len() / 4 && exploited > columns.len() / 2
            })
            .copied()
            .collect();
        if !rare.is_empty() {
            let counted: Vec<String> = rare
                .iter()
                .map(|id| format!("{id} ({})", held(columns, id, tier).0))
                .collect();
            lines.push(format!(
                "{verb} in a quarter of the {} sessions or fewer (in how many): {}",
                columns.len(),
                counted.join(", ")
            ));
        }
    }
    lines
}

/// What a reader may not conclude from this run, in plain words.
pub(crate) fn limits(run: &model::run::Run) -> Vec<String> {
    let columns = columns(run);
    let mut all = Vec::new();
    if are_samples(&columns) {
        all.push(
            "Nothing about any agent. These sessions are hand-written samples: they show the instrument. An interval here \
             says how it would be printed, not how sure anything is."
                .to_owned(),
        );
    } else if columns.iter().any(|one| one.agent.starts_with("recorded:")) {
        all.push(
            "Nothing about agents from the sessions named recorded: they are hand-written samples, and are counted here."
                .to_owned(),
        );
    }
    if !run.complete {
        all.push("Nothing final: this run was not finished, or the tool itself could not decide something.".to_owned());
    }
    let cells = groups(&columns, |one| {
        format!("{} {} {}", one.framework, one.agent, one.arm)
    });
    let fewest = cells
        .iter()
        .map(|one| one.sessions.len())
        .min()
        .unwrap_or(0);
    if fewest == 1 {
        all.push(
            "Not how much sessions of one kind vary: of some framework, agent and arm there is one session. What a second \
             one would do is not known."
                .to_owned(),
        );
    }
    for (what, groups) in factors(&columns).into_iter().take(2) {
        let mut sizes: Vec<usize> = groups.iter().map(|one| one.sessions.len()).collect();
        sizes.sort_unstable();
        if let [small, .., large] = sizes.as_slice() {
            let p = statistics::smallest_p(*small, *large);
            if p > LEVEL {
                all.push(format!(
                    "Not that one {} is better than another: with {small} sessions against {large} no two-sided test can \
                     give less than p = {p:.2}, however large the difference.",
                    what.to_lowercase()
                ));
            }
        }
    }
    let missing = troubled(run).len();
    if missing > 0 {
        all.push(format!(
            "Nothing of {missing} sessions whose apps could not be attacked: they are in no figure."
        ));
    }
    all.push(
        "Not that an app is secure: resisted means that each planned look of one exploit was made and none saw its effect. \
         What no exploit looks for is not in these figures."
            .to_owned(),
    );
    all.push(
        "No single score: what the prompt asked for and what nobody asked for are never added up. Undecided counts as not \
         held; the columns say how far that could move a share."
            .to_owned(),
    );
    all
}
