//! How well a score ranks the pictures of a class above the others.

/// Area under the receiver operating characteristic: the chance that a picture of the class has a higher score than another
/// one, equal scores counting half (Mann–Whitney). `None` unless both kinds occur.
///
/// `scored` holds each picture's score and whether it is of the class; no score is NaN.
pub fn roc_auc(mut scored: Vec<(f64, bool)>) -> Option<f64> {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = scored.iter().filter(|(_, shows)| *shows).count() as f64;
    let negatives = scored.len() as f64 - positives;
    let mut below = 0.0; // negatives with a lower score
    let mut wins = 0.0;
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let shown = tied.iter().filter(|(_, shows)| *shows).count() as f64;
        let others = tied.len() as f64 - shown;
        wins += shown * (below + 0.5 * others);
        below += others;
    }
    (positives > 0.0 && negatives > 0.0).then(|| wins / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_the_share_of_pairs_in_the_right_order() {
        // Pairs of a shown (0.9, 0.4, 0.4) and another (0.4, 0.1): 2 + (0.5 + 1) + (0.5 + 1) of 6.
        let scored = vec![(0.4, true), (0.9, true), (0.1, false), (0.4, false), (0.4, true)];
        assert_eq!(roc_auc(scored), Some(5.0 / 6.0));
    }

    #[test]
    fn it_agrees_with_counting_all_pairs() {
        // A linear congruential generator makes scores with many ties.
        let mut state = 12_345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let scored: Vec<(f64, bool)> = (0..200).map(|_| (f64::from(next() % 20), next() % 3 == 0)).collect();
        let pairs = scored.iter().flat_map(|a| scored.iter().map(move |b| (a, b))).filter(|(a, b)| a.1 && !b.1);
        let (wins, all) = pairs.fold((0.0, 0.0), |(wins, all), (a, b)| {
            let win = if a.0 > b.0 {
                1.0
            } else if a.0 == b.0 {
                0.5
            } else {
                0.0
            };
            (wins + win, all + 1.0)
        });
        assert!((roc_auc(scored.clone()).unwrap() - wins / all).abs() < 1e-12);
    }

    #[test]
    fn without_one_of_the_two_kinds_there_is_no_area() {
        assert_eq!(roc_auc(vec![(0.3, true)]), None);
        assert_eq!(roc_auc(vec![(0.3, false)]), None);
        assert_eq!(roc_auc(vec![]), None);
    }
}
