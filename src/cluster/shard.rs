//! Which shard of a manifest a machine processes.

use std::fmt;
use std::str::FromStr;

/// The variable with the number of shards, if the engine doesn't give it (Kubernetes) or gives that of the tasks it starts now (Slurm).
pub const SHARDS_VARIABLE: &str = "MIEN_SHARDS";

/// One of several shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    number: u32,
    of: u32,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Shard `number`, counted from 1, of `of`; `None` if there is no such shard.
    #[must_use]
    pub fn new(number: u32, of: u32) -> Option<Self> {
        (1..=of).contains(&number).then_some(Self { number, of })
    }

    /// Its index, counted from 0.
    pub fn index(self) -> usize {
        self.number as usize - 1
    }

    /// The number of shards.
    pub fn count(self) -> usize {
        self.of as usize
    }

    /// The shard that the engine's variables name: `SLURM_ARRAY_TASK_ID` with `SLURM_ARRAY_TASK_COUNT`, or `JOB_COMPLETION_INDEX` with
    /// `MIEN_SHARDS`, whose number of shards takes precedence in any case. `variable` reads a variable. `None` without an engine.
    ///
    /// # Errors
    /// When a variable isn't a number, the number of shards isn't known, the shard is out of range, or an array's tasks aren't numbered
    /// from 0 or 1 without a gap: then only some tasks were started again, and their count would divide the files differently.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let number = |name: &str| match variable(name) {
            None => Ok(None),
            Some(word) => word
                .trim()
                .parse::<u32>()
                .map(Some)
                .map_err(|_none| format!("{name} is “{word}”, which is not a number")),
        };
        // The number of a task, counted from 1.
        let number_of = |id: u32, first: u32| id.checked_sub(first).and_then(|before| before.checked_add(1));
        let shards = number(SHARDS_VARIABLE)?;
        let place = if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            let of = shards.ok_or_else(|| {
                format!(
                    "Kubernetes doesn't say how many shards there are; set {SHARDS_VARIABLE} to the job's completions"
                )
            })?;
            (index.checked_add(1), of)
        } else if let Some(id) = number("SLURM_ARRAY_TASK_ID")? {
            let count = number("SLURM_ARRAY_TASK_COUNT")?;
            let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
            let last = number("SLURM_ARRAY_TASK_MAX")?;
            let is_whole =
                first <= 1 && last.zip(count).is_none_or(|(last, count)| number_of(last, first) == Some(count));
            match (shards, count) {
                // Here tasks count from 1.
                (Some(shards), _) => (Some(id), shards),
                (None, Some(count)) if is_whole => (number_of(id, first), count),
                _ => {
                    return Err(format!(
                        "these tasks of the array are not all shards; say which one this is with --shard I/N, or set \
                         {SHARDS_VARIABLE} to the number of shards and count tasks from 1"
                    ));
                }
            }
        } else {
            return Ok(None);
        };
        let (number, of) = place;
        let shard = number.and_then(|number| Self::new(number, of));
        shard.map(Some).ok_or_else(|| format!("the scheduler asked for a shard outside 1 to {of}"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let parts = word.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        parts.and_then(|(number, of)| Self::new(number, of)).ok_or("must be I/N with I from 1 to N, such as 3/10")
    }
}

/// Divides work with these costs among `shards` about equally: the costliest first, each to the shard that has the least to do by then
/// (Graham 1969: never more than 4/3 of the best division). The same costs give the same division. Returns the shard of each piece of work.
pub fn balance(costs: &[f64], shards: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    // Stable: among equals the first comes first.
    order.sort_by(|a, b| costs[*b].total_cmp(&costs[*a]));
    let mut loads = vec![(0.0_f64, 0_usize); shards.max(1)];
    let mut shard_of = vec![0; costs.len()];
    for piece in order {
        // Pieces without cost are divided by number.
        let least =
            (0..loads.len()).min_by(|a, b| loads[*a].0.total_cmp(&loads[*b].0).then(loads[*a].1.cmp(&loads[*b].1)));
        let shard = least.unwrap_or_default();
        loads[shard].0 += costs[piece];
        loads[shard].1 += 1;
        shard_of[piece] = shard;
    }
    shard_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_several() {
        assert_eq!("3/10".parse(), Ok(Shard { number: 3, of: 10 }));
        assert_eq!("3/10".parse::<Shard>().map(|shard| shard.to_string()), Ok("3/10".to_owned()));
        for word in ["", "3", "0/10", "11/10", "a/b", "1/0", "-1/2"] {
            assert!(word.parse::<Shard>().is_err(), "{word}");
        }
    }

    fn environment(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let value = |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        Shard::from_environment(value).map(|shard| shard.map(|shard| shard.to_string()))
    }

    fn slurm<'a>(id: &'a str, count: &'a str, min: &'a str, max: &'a str) -> Vec<(&'static str, &'a str)> {
        vec![
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_COUNT", count),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
        ]
    }

    #[test]
    fn the_engine_says_which_shard_it_is() {
        let shard = |word: &str| Ok(Some(word.to_owned()));
        assert_eq!(environment(&[]), Ok(None));
        assert_eq!(environment(&slurm("0", "10", "0", "9")), shard("1/10"));
        assert_eq!(environment(&slurm("10", "10", "1", "10")), shard("10/10"));
        assert_eq!(environment(&[("JOB_COMPLETION_INDEX", "0"), ("MIEN_SHARDS", "4")]), shard("1/4"));
        // One task that failed is started again.
        let again = [slurm("7", "1", "7", "7"), vec![("MIEN_SHARDS", "10")]].concat();
        assert_eq!(environment(&again), shard("7/10"));
    }

    #[test]
    fn an_array_that_is_not_whole_would_divide_anew_and_is_refused() {
        for variables in [
            slurm("7", "1", "7", "7"),
            slurm("3", "2", "3", "7"),
            slurm("1", "2", "1", "7"),
            slurm("x", "2", "0", "1"),
            slurm("4294967295", "1", "0", "4294967295"),
            vec![("JOB_COMPLETION_INDEX", "0")],
            vec![("JOB_COMPLETION_INDEX", "4"), ("MIEN_SHARDS", "4")],
        ] {
            assert!(environment(&variables).is_err(), "{variables:?}");
        }
    }

    #[test]
    fn all_shards_have_about_the_same_to_do_and_each_piece_is_in_one() {
        let costs = [60.0, 10.0, 30.0, 30.0, 20.0, 0.0, 50.0, 0.0, 0.0];
        let shard_of = balance(&costs, 3);
        let load = |shard: usize| -> f64 {
            shard_of.iter().zip(costs).filter(|(of, _)| **of == shard).map(|(_, cost)| cost).sum()
        };
        let loads = [load(0), load(1), load(2)];
        assert_eq!(loads.iter().sum::<f64>(), 200.0);
        assert!(loads.iter().all(|load| *load <= 200.0 / 3.0 * 4.0 / 3.0), "{loads:?}");
        assert_eq!(balance(&costs, 3), shard_of);
        assert_eq!(balance(&costs, 1), [0; 9]);
        assert_eq!(balance(&[0.0; 4], 2), [0, 1, 0, 1]);
    }
}
