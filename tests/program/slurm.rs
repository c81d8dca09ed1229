//! The script for Slurm, with `echo` instead of Mien, which prints the shard that the script chooses.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// First and last task of an array, and how many there are.
type Tasks = (u32, u32, u32);

/// The shard that a task takes, or why it is refused.
fn shard(home: &Path, id: u32, (first, last, count): Tasks, shards: Option<&str>) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflow/mien.sbatch");
    let mut command = Command::new("bash");
    command.arg(script).args(["manifest.jsonl", "results", "--csv"]).current_dir(home).env("MIEN", "echo");
    for variable in ["MIEN_SHARDS", "SLURM_CPUS_PER_TASK"] {
        command.env_remove(variable);
    }
    let numbers = [("ID", id), ("MIN", first), ("MAX", last), ("COUNT", count)];
    command.envs(numbers.map(|(name, number)| (format!("SLURM_ARRAY_TASK_{name}"), number.to_string())));
    command.envs(shards.map(|shards| ("MIEN_SHARDS", shards)));
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let Some((_, shard)) = said.split_once("analyze --manifest manifest.jsonl --shard ") else {
        assert_eq!(output.status.code(), Some(2), "{said}");
        return Err(String::from_utf8(output.stderr).unwrap());
    };
    let (shard, rest) = shard.split_once(' ').unwrap();
    assert_eq!(rest, format!("--output results/{id} --threads 1 --csv\n"));
    Ok(shard.to_owned())
}

#[test]
fn tasks_that_are_started_again_take_the_shards_of_the_first_start() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let is = |word: &str| Ok(word.to_owned());
    let manifest = home.join("manifest.jsonl");
    fs::write(&manifest, "one").unwrap();
    assert_eq!(shard(home, 2, (1, 20, 20), None), is("2/20"));
    let names: Vec<_> = fs::read_dir(home.join("results")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["mien-shards"]);
    for (id, tasks) in [(3, (3, 7, 2)), (1, (1, 1, 1)), (2, (1, 3, 3)), (20, (1, 20, 20))] {
        assert_eq!(shard(home, id, tasks, None), is(&format!("{id}/20")));
    }
    let refused = shard(home, 5, (1, 30, 30), None).unwrap_err();
    assert!(refused.contains("1 to 20") && refused.contains("MIEN_SHARDS"), "{refused}");
    // Divided differently, on purpose.
    assert_eq!(shard(home, 5, (1, 30, 30), Some("30")), is("5/30"));
    assert_eq!(shard(home, 25, (25, 25, 1), None), is("25/30"));
    // The note applies to one manifest only.
    fs::write(&manifest, "another").unwrap();
    assert!(shard(home, 25, (25, 25, 1), None).unwrap_err().contains("--array=1-N"));
    assert_eq!(shard(home, 4, (1, 10, 10), None), is("4/10"));
    assert_eq!(shard(home, 7, (7, 7, 1), None), is("7/10"));
}

#[test]
fn an_array_that_is_not_whole_is_refused_where_no_number_of_shards_is_noted() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert!(shard(home, 1, (1, 2, 2), None).unwrap_err().contains("can't be read"));
    fs::write(home.join("manifest.jsonl"), "one").unwrap();
    for (id, tasks) in [(3, (3, 7, 2)), (1, (1, 7, 2)), (0, (0, 19, 20)), (7, (7, 7, 1))] {
        let refused = shard(home, id, tasks, None).unwrap_err();
        assert!(refused.contains("--array=1-N") && refused.contains("MIEN_SHARDS"), "{refused}");
    }
    assert!(shard(home, 1, (1, 2, 2), Some("two")).unwrap_err().contains("'two'"));
    assert!(!home.join("results").exists());
    assert_eq!(shard(home, 7, (7, 7, 1), Some("10")), Ok("7/10".to_owned()));
}
