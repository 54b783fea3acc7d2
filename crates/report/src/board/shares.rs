//! The figures: shares over sessions with their intervals, by what the sessions have in common.

use model::Word;
use model::run::{Session, Tier};

use super::{agent, are_samples, columns, judged, tier_words, troubled};
use crate::compare::{self, Side, of_one_arm, sides};
use crate::statistics::{self, Interval};

/// Below this a difference is said to be one.
const LEVEL: f64 = 0.05;

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

/// By framework, by agent, and by both where both differ.
pub(crate) fn factors<'a>(columns: &[&'a Session]) -> Vec<(&'static str, Vec<Side<'a>>)> {
    let frameworks = sides(columns, |one| one.framework.clone());
    let agents = sides(columns, |one| agent(one).to_owned());
    let both = frameworks.len() > 1 && agents.len() > 1;
    let mut all = vec![("Framework", frameworks), ("Agent", agents)];
    if both {
        let cells = sides(columns, |one| format!("{}, {}", one.framework, agent(one)));
        all.push(("Framework and agent", cells));
    }
    all
}

/// What frameworks give without being asked, what nobody added: exploits that all or none of some sessions met alike.
pub(crate) fn stands_out(columns: &[&Session], order: &[&str]) -> Vec<String> {
    let columns = &of_one_arm(columns);
    let mut lines = Vec::new();
    let frameworks = sides(columns, |one| one.framework.clone());
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
    let cells = sides(&columns, |one| {
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
    for (what, groups) in factors(&of_one_arm(&columns)).into_iter().take(2) {
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
