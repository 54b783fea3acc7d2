//! Counts, never averages; each tier apart, and what lies beyond the study in none.

use model::Word;
use model::run::{Judged, Run, Score, Tier};

/// One session's counts in both tiers.
pub fn session_scores(session: &str, verdicts: &[Judged]) -> Vec<Score> {
    Tier::ALL
        .into_iter()
        .map(|tier| {
            let of_it = || {
                verdicts
                    .iter()
                    .filter(move |one| one.tier == tier && !one.is_depth())
            };
            let count = |word| of_it().filter(|one| one.verdict == word).count();
            Score {
                session: session.to_owned(),
                tier,
                of: of_it().count(),
                exploited: count(Word::Exploited),
                resisted: count(Word::Resisted),
                not_applicable: count(Word::NotApplicable),
                inconclusive: count(Word::Inconclusive),
            }
        })
        .collect()
}

/// All sessions' counts.
pub fn score(run: &Run) -> Vec<Score> {
    run.sessions
        .iter()
        .flat_map(|session| session_scores(&session.id, &session.verdicts))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::judged;

    #[test]
    fn counts_add_up_to_the_denominator() {
        let verdicts: Vec<Judged> = Word::ALL
            .into_iter()
            .flat_map(|word| {
                Tier::ALL
                    .into_iter()
                    .map(move |tier| judged("x", tier, word))
            })
            .collect();
        let mut more = verdicts.clone();
        more.push(Judged {
            area: "depth".into(),
            ..judged("y", Tier::Hardening, Word::Exploited)
        });
        assert_eq!(session_scores("s", &more), session_scores("s", &verdicts));
        for score in session_scores("s", &verdicts) {
            assert_eq!(score.of, 4);
            assert_eq!(
                score.exploited + score.resisted + score.not_applicable + score.inconclusive,
                score.of
            );
        }
    }
}
