//! Several tests at once: Holm's step-down correction (Holm 1979), which holds whatever the tests have to do with each other.

/// The corrected p values, in the order given: of a family of tests that was stated before any of them was seen.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![0.0; p.len()];
    let mut highest: f64 = 0.0;
    for (place, index) in order.into_iter().enumerate() {
        let times = (p.len() - place) as f64;
        highest = highest.max(p[index] * times).min(1.0);
        corrected[index] = highest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_pays_most_and_none_becomes_smaller_than_one_before_it() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, wanted) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - wanted).abs() < 1e-12, "{corrected:?}");
        }
        assert!(holm(&[0.9, 0.8]).iter().all(|p| *p <= 1.0));
        assert!(holm(&[]).is_empty());
    }
}
