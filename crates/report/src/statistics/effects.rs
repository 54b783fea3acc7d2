//! What a factor of a design explains beyond the others, and what two of them explain together: the F ratio of a linear
//! model of the sessions' shares with the term beside one without it. Its p value permutes whole sessions' residuals of the model
//! without (Freedman and Lane 1983; Anderson and Legendre 1999 found it nearest to its level of the ways there are).

use super::Dice;

const DRAWS: usize = 4_999;
/// What is smaller is rounding.
const SAME: f64 = 1e-9;

/// A term's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The F ratio; infinite where the model with the term leaves nothing over.
    pub f: f64,
    /// Degrees of freedom of the term, and of what the model with it leaves over.
    pub freedom: (usize, usize),
    pub p: f64,
}

/// Tests `term` beyond `others`. A term names each session's level, or for two factors together their cell. `None` where
/// nothing is left over to compare it with, as with one session in each cell, or where it says no more than the others.
pub fn effect(shares: &[f64], others: &[Vec<usize>], term: &[usize], seed: u64) -> Option<Effect> {
    drawn(shares, others, term, seed, DRAWS)
}

fn drawn(
    shares: &[f64],
    others: &[Vec<usize>],
    term: &[usize],
    seed: u64,
    draws: usize,
) -> Option<Effect> {
    let n = shares.len();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    extend(&mut basis, &vec![0; n]);
    for other in others {
        extend(&mut basis, other);
    }
    let without = basis.len();
    extend(&mut basis, term);
    let freedom = (basis.len() - without, n - basis.len());
    if freedom.0 == 0 || freedom.1 == 0 {
        return None;
    }
    let mut left = shares.to_vec();
    for one in &basis[..without] {
        take_out(&mut left, one);
    }
    let (explained, over) = parts(&left, &basis, without);
    // Of what the model without the term leaves, the part that the term explains: it grows with F, and is never infinite.
    let part = |explained: f64, over: f64| explained / (explained + over).max(SAME);
    let seen = part(explained, over) - SAME;
    let mut dice = Dice::new(seed);
    let mut as_large = 1_u64;
    for _ in 0..draws {
        for place in (1..n).rev() {
            left.swap(place, dice.below(place + 1));
        }
        let (explained, over) = parts(&left, &basis, without);
        as_large += u64::from(part(explained, over) >= seen);
    }
    let f = (explained / freedom.0 as f64) / (over / freedom.1 as f64);
    Some(Effect {
        f: if over > SAME {
            f
        } else if explained > SAME {
            f64::INFINITY
        } else {
            0.0
        },
        freedom,
        p: as_large as f64 / (draws + 1) as f64,
    })
}

/// What of each share the terms leave over when their effects only add up.
pub fn left_over(shares: &[f64], terms: &[Vec<usize>]) -> Vec<f64> {
    let mut basis = Vec::new();
    extend(&mut basis, &vec![0; shares.len()]);
    for term in terms {
        extend(&mut basis, term);
    }
    let mut left = shares.to_vec();
    for one in &basis {
        take_out(&mut left, one);
    }
    left
}

/// What the columns from `without` on explain of the values, and what all leave over.
fn parts(values: &[f64], basis: &[Vec<f64>], without: usize) -> (f64, f64) {
    let square = |one: &Vec<f64>| dot(values, one).powi(2);
    let known: f64 = basis[..without].iter().map(square).sum();
    let explained: f64 = basis[without..].iter().map(square).sum();
    let over = dot(values, values) - known - explained;
    (explained, over.max(0.0))
}

/// Adds what the levels can say that the columns cannot yet: an orthonormal column for each.
fn extend(basis: &mut Vec<Vec<f64>>, levels: &[usize]) {
    let mut known: Vec<usize> = levels.to_vec();
    known.sort_unstable();
    known.dedup();
    for level in known {
        let mut column: Vec<f64> = levels
            .iter()
            .map(|one| f64::from(u8::from(*one == level)))
            .collect();
        // Twice: once leaves rounding errors that look like columns.
        for _ in 0..2 {
            for one in basis.iter() {
                take_out(&mut column, one);
            }
        }
        let length = dot(&column, &column).sqrt();
        if length > SAME {
            for value in &mut column {
                *value /= length;
            }
            basis.push(column);
        }
    }
}

fn take_out(values: &mut [f64], column: &[f64]) {
    let by = dot(values, column);
    for (value, one) in values.iter_mut().zip(column) {
        *value -= by * one;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two factors of two levels, `each` sessions in a cell: their levels and their cells.
    fn design(each: usize) -> [Vec<usize>; 3] {
        let of = |which: fn(usize) -> usize| (0..4 * each).map(|n| which(n % 4)).collect();
        [of(|cell| cell / 2), of(|cell| cell % 2), of(|cell| cell)]
    }

    #[test]
    fn f_is_that_of_the_textbook() {
        // Two groups: F is the square of Student's t. Means 2 and 5, pooled variance 1, so t = 3 / sqrt(2 / 3).
        let found = effect(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[], &[0, 0, 0, 1, 1, 1], 1);
        let found = found.unwrap();
        assert!((found.f - 13.5).abs() < 1e-9, "{found:?}");
        assert_eq!(found.freedom, (1, 4));
        // Two of the twenty ways are as far apart.
        assert!((found.p - 0.1).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn what_cannot_be_tested_is_no_test() {
        let [a, b, cells] = design(1);
        let shares = [0.1, 0.5, 0.3, 0.9];
        // One session in each cell: the cells explain all.
        assert_eq!(effect(&shares, &[a.clone(), b], &cells, 1), None);
        // The same factor twice.
        assert_eq!(effect(&shares, std::slice::from_ref(&a), &a, 1), None);
        assert_eq!(effect(&[], &[], &[], 1), None);
    }

    #[test]
    fn sessions_that_all_agree_show_nothing_and_those_of_a_cell_everything() {
        let [a, b, cells] = design(3);
        let flat = effect(&[0.5; 12], std::slice::from_ref(&b), &a, 1).unwrap();
        assert!(
            flat.f.abs() < 1e-9 && (flat.p - 1.0).abs() < 1e-9,
            "{flat:?}"
        );
        // Crossed without any noise.
        let shares: Vec<f64> = cells
            .iter()
            .map(|cell| [0.2, 0.8, 0.8, 0.2][*cell])
            .collect();
        let found = effect(&shares, &[a.clone(), b.clone()], &cells, 1).unwrap();
        assert!(found.f.is_infinite() && found.p < 0.01, "{found:?}");
        let alone = effect(&shares, &[b], &a, 1).unwrap();
        assert!(alone.p > 0.9, "{alone:?}");
    }

    /// Where both factors matter and their effects only add up, their interaction is found in about one study of twenty; where
    /// they do not add up, nearly always.
    #[test]
    fn it_keeps_its_level_and_sees_what_is_there() {
        let mut dice = Dice::new(5);
        let [a, b, cells] = design(4);
        let mut found = |extra: f64| {
            let significant = (0..400).filter(|round| {
                let shares: Vec<f64> = cells
                    .iter()
                    .map(|cell| {
                        let both = f64::from(u8::from(*cell == 3)) * extra;
                        let middle =
                            0.4 + 0.2 * (*cell / 2) as f64 + 0.15 * (*cell % 2) as f64 + both;
                        let chance = middle + 0.2 * (dice.part() - 0.5);
                        (0..25).filter(|_| dice.part() < chance).count() as f64 / 25.0
                    })
                    .collect();
                let others = [a.clone(), b.clone()];
                drawn(&shares, &others, &cells, *round, 199).unwrap().p <= 0.05
            });
            significant.count()
        };
        let (none, much) = (found(0.0), found(-0.35));
        assert!((8..=32).contains(&none), "{none} of 400");
        assert!(much > 280, "{much} of 400");
    }
}
