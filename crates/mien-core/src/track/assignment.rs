//! Pairs rows with columns at the lowest cost.

/// Pairs each row of a cost matrix with at most one column and each column with at most one row, so that as many
/// allowed pairs as possible are made and, of all such choices, the sum of their costs is the smallest. `None` in the
/// matrix forbids a pair. Returns the column of each row.
///
/// The Hungarian method with potentials (Kuhn 1955, in the O(n³) form of Jonker and Volgenant 1987) on the matrix made
/// square; forbidden pairs cost more than any number of allowed ones and are taken out at the end.
pub(super) fn assign(costs: &[Vec<Option<f32>>]) -> Vec<Option<usize>> {
    let rows = costs.len();
    let columns = costs.iter().map(Vec::len).max().unwrap_or(0);
    let size = rows.max(columns);
    let cost_at = |row: usize, column: usize| costs.get(row)?.get(column).copied().flatten();
    let largest = costs.iter().flatten().flatten().fold(1.0_f32, |a, b| a.max(b.abs()));
    let forbidden = f64::from(largest) * (size as f64 + 1.0) * 2.0;
    let cost = |row, column| cost_at(row, column).map_or(forbidden, f64::from);

    // Rows and columns are counted from 1: 0 stands for "none yet".
    let mut row_potential = vec![0.0_f64; size + 1];
    let mut column_potential = vec![0.0_f64; size + 1];
    let mut row_of = vec![0_usize; size + 1];
    for row in 1..=size {
        // Grow a tree of alternating paths from this row until it reaches a free column.
        row_of[0] = row;
        let mut column = 0;
        let mut slack = vec![f64::INFINITY; size + 1];
        let mut parent = vec![0_usize; size + 1];
        let mut in_tree = vec![false; size + 1];
        while row_of[column] != 0 {
            in_tree[column] = true;
            let from = row_of[column];
            let mut smallest = f64::INFINITY;
            let mut next = 0;
            for candidate in (1..=size).filter(|c| !in_tree[*c]) {
                let reduced = cost(from - 1, candidate - 1) - row_potential[from] - column_potential[candidate];
                if reduced < slack[candidate] {
                    slack[candidate] = reduced;
                    parent[candidate] = column;
                }
                if slack[candidate] < smallest {
                    smallest = slack[candidate];
                    next = candidate;
                }
            }
            for other in 0..=size {
                if in_tree[other] {
                    row_potential[row_of[other]] += smallest;
                    column_potential[other] -= smallest;
                } else {
                    slack[other] -= smallest;
                }
            }
            column = next;
        }
        // Flip the path, so that one more row has a column.
        while column != 0 {
            let previous = parent[column];
            row_of[column] = row_of[previous];
            column = previous;
        }
    }

    let mut column_of = vec![None; rows];
    for (column, row) in row_of.iter().skip(1).map(|row| row - 1).enumerate() {
        if cost_at(row, column).is_some() {
            column_of[row] = Some(column);
        }
    }
    column_of
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    /// The number of pairs and their total cost.
    fn value(costs: &[Vec<Option<f32>>], pairs: &[Option<usize>]) -> (usize, f32) {
        let made: Vec<f32> = pairs.iter().enumerate().filter_map(|(r, c)| costs[r][(*c)?]).collect();
        (made.len(), made.iter().sum())
    }

    /// The best value by trying everything: most pairs first, then the smallest cost.
    fn best(costs: &[Vec<Option<f32>>], row: usize, taken: &mut Vec<usize>) -> (usize, f32) {
        let Some(options) = costs.get(row) else { return (0, 0.0) };
        let mut found = best(costs, row + 1, taken);
        for (column, cost) in options.iter().enumerate() {
            let Some(cost) = cost else { continue };
            if taken.contains(&column) {
                continue;
            }
            taken.push(column);
            let (pairs, sum) = best(costs, row + 1, taken);
            taken.pop();
            if (pairs + 1, -(sum + cost)) > (found.0, -found.1) {
                found = (pairs + 1, sum + cost);
            }
        }
        found
    }

    #[test]
    fn random_matrices_are_solved_as_well_as_by_trying_everything() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for _ in 0..500 {
            let (rows, columns) = (random.random_range(0..5), random.random_range(0..5));
            let costs: Vec<Vec<Option<f32>>> = (0..rows)
                .map(|_| (0..columns).map(|_| random.random_bool(0.7).then(|| random.random_range(0.0..3.0))).collect())
                .collect();
            let pairs = assign(&costs);
            let mut columns_used: Vec<_> = pairs.iter().flatten().collect();
            columns_used.sort_unstable();
            columns_used.dedup();
            assert_eq!(columns_used.len(), pairs.iter().flatten().count(), "a column was given twice: {pairs:?}");
            let (found, expected) = (value(&costs, &pairs), best(&costs, 0, &mut Vec::new()));
            assert_eq!(found.0, expected.0, "{costs:?} gave {pairs:?}");
            assert!((found.1 - expected.1).abs() < 1e-4, "{costs:?} gave {pairs:?}");
        }
    }

    #[test]
    fn the_cheapest_pair_is_given_up_for_the_cheapest_whole() {
        let costs = vec![vec![Some(0.8), None], vec![Some(0.2), Some(0.8)]];
        assert_eq!(assign(&costs), [Some(0), Some(1)]);
    }
}
