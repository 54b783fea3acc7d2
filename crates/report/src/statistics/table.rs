//! Two counts against two: Fisher's exact test, two-sided by the probabilities of the tables (R, SciPy).
//! Only for counts whose units are independent, as one verdict of each session is.

/// The p value of `a` of `a + b` against `c` of `c + d`.
pub fn fisher(a: u32, b: u32, c: u32, d: u32) -> f64 {
    let (row, column, total) = (a + b, a + c, a + b + c + d);
    if total == 0 {
        return 1.0;
    }
    let chance =
        |x: u32| (choose(column, x) + choose(total - column, row - x) - choose(total, row)).exp();
    let low = (row + column).saturating_sub(total);
    let high = row.min(column);
    let seen = chance(a);
    // Tables of the same probability differ by rounding.
    let sum: f64 = (low..=high)
        .map(chance)
        .filter(|one| *one <= seen * (1.0 + 1e-7))
        .sum();
    sum.min(1.0)
}

/// The logarithm of how many ways there are to pick `k` of `n`.
fn choose(n: u32, k: u32) -> f64 {
    let log = |n: u32| (2..=n).map(|x| f64::from(x).ln()).sum::<f64>();
    log(n) - log(k) - log(n - k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tea_of_1935() {
        // Fisher's lady: 3 of 4 and 1 of 4.
        assert!((fisher(3, 1, 1, 3) - 34.0 / 70.0).abs() < 1e-12);
        // The study's bcrypt: 6 of 6 against 0 of 6.
        assert!((fisher(6, 0, 0, 6) - 2.0 / 924.0).abs() < 1e-12);
        assert!((fisher(0, 0, 0, 0) - 1.0).abs() < 1e-12);
        assert!((fisher(0, 6, 0, 6) - 1.0).abs() < 1e-12);
    }
}
