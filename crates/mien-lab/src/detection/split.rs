//! Splits pictures into training and validation, never with frames of one film or one person's webcam on both sides.

/// What a picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// For training.
    Training,
    /// For validation.
    Validation,
    /// For neither: it is too close to the border between the two.
    Neither,
}

/// How a set is divided.
#[derive(Clone, Copy, Debug)]
enum Division {
    /// Pictures are ordered by people and films. The last `1 / share` of them are for validation, and `margin` pictures before these
    /// are left out, since the border may run through a film.
    Tail { share: usize, margin: usize },
    /// Pictures show different occasions; only neighbouring ones may show the same. One in `every` blocks of `block` pictures is for
    /// validation.
    Blocks { block: usize, every: usize },
    /// The same few people and places throughout, so all are for validation.
    Validation,
}

/// How the sets with known names are divided. All others are divided by blocks.
fn division(set: &str) -> Division {
    match set {
        "portraits" => Division::Tail { share: 20, margin: 200 },
        "webcam" => Division::Tail { share: 8, margin: 10 },
        "office" => Division::Validation,
        _ => Division::Blocks { block: 8, every: 12 },
    }
}

/// The side of the picture at `index` among the `count` pictures of a set, in the order of their names.
pub fn side_of(set: &str, index: usize, count: usize) -> Side {
    match division(set) {
        Division::Validation => Side::Validation,
        Division::Blocks { block, every } if (index / block).is_multiple_of(every) => Side::Validation,
        Division::Blocks { .. } => Side::Training,
        Division::Tail { share, margin } => {
            let border = count - count / share;
            // A small set has no room for a margin of this size.
            let margin = margin.min(count / share);
            if index >= border {
                Side::Validation
            } else if index + margin >= border {
                Side::Neither
            } else {
                Side::Training
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(set: &str, count: usize) -> Vec<Side> {
        (0..count).map(|index| side_of(set, index, count)).collect()
    }

    #[test]
    fn films_and_webcams_are_cut_once_with_a_margin_around_the_cut() {
        for (set, count, validation) in [("portraits", 12946, 647), ("webcam", 477, 59)] {
            let sides = sides(set, count);
            let changes = sides.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert_eq!(changes, 2, "{set}: training, margin, validation");
            assert_eq!(sides.iter().filter(|side| **side == Side::Validation).count(), validation);
            assert!(sides.contains(&Side::Neither) && sides[0] == Side::Training);
        }
    }

    #[test]
    fn occasions_that_are_near_each_other_stay_together_and_one_place_is_never_on_both_sides() {
        let wider = sides("wider", 3048);
        assert!(wider.chunks(8).all(|block| block.iter().all(|side| side == &block[0])));
        let share = wider.iter().filter(|side| **side == Side::Validation).count() as f64 / 3048.0;
        assert!((share - 1.0 / 12.0).abs() < 0.01, "{share}");
        assert!(sides("office", 500).iter().all(|side| *side == Side::Validation));
    }
}
