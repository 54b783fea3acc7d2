//! Counts, never averages; each tier apart.

use model::Word;
use model::run::{Judged, Run, Score, Tier};

/// One session's counts in both tiers.
pub fn session_scores(session: &str, verdicts: &[Judged]) -> Vec<Score> {
    Tier::ALL
        .into_iter()
        .map(|tier| {
            let count = |word| {
                verdicts
                    .iter()
                    .filter(|one| one.tier == tier && one.verdict == word)
                    .count()
            };
            Score {
                session: session.to_owned(),
                tier,
                of: verdicts.iter().filter(|one| one.tier == tier).count(),
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
        for score in session_scores("s", &verdicts) {
            assert_eq!(score.of, 4);
            assert_eq!(
                score.exploited + score.resisted + score.not_applicable + score.inconclusive,
                score.of
            );
        }
    }
}
