//! A list of recipes: trained within their budgets, interrupted, killed, resumed, compared.

use std::fs;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use tempfile::TempDir;

use crate::fixtures::{json_of, mien, write_data, write_recipe, write_votes};

/// Writes a list of three small recipes: one that can be trained, one that needs votes, and one whose data isn't there.
fn write_list(folder: &Path) {
    let text = fs::read_to_string(write_recipe(folder, &[("average = 0.9\n", "")])).unwrap();
    let write = |name: &str, more: &str, target: &str| {
        let text = text.replace("name = \"small\"", &format!("name = \"{name}\"\n{more}"));
        let text = text.replace("target = \"label\"", &format!("target = \"{target}\""));
        fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    };
    let published = "published = { figure = \"56 %\", value = 0.56, test = 0.5, macro_f1 = 0.4, system = \"first | one\", \
                     source = \"A Page\" }";
    write("labels", &format!("data = \"FER2013\"\n{published}"), "label");
    write("votes", "data = \"FER2013 with FER+ votes\"", "plurality");
    write("absent", "data = \"KDEF\"", "label");
    let entries = "[[recipes]]\nrecipe = \"labels.toml\"\n[[recipes]]\nrecipe = \"votes.toml\"\n\
                   [[recipes]]\nrecipe = \"absent.toml\"\nnote = \"It is asked for.\"\n";
    fs::write(folder.join("list.toml"), entries).unwrap();
}

/// The command that trains the list, with one thread for each training.
fn train(folder: &Path, more: &[&str]) -> Command {
    let mut command = mien();
    command.current_dir(folder).args(["train", "--all", "list.toml", "--runs", "all", "--no-cache", "--threads", "1"]);
    command.args(["--data", "FER2013=fer2013.csv"]).args(more);
    command
}

fn compared(folder: &Path) -> serde_json::Value {
    json_of(mien().current_dir(folder).args(["compare", "--all", "list.toml", "--runs", "all", "--json"]))
}

#[test]
fn a_list_is_trained_within_its_budget_goes_on_with_a_larger_one_and_is_compared() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write_data(folder);
    write_votes(folder);
    write_list(folder);

    // A budget that the first epoch uses up, and no votes.
    let first = train(folder, &["--budget", "0.0001"]).assert().success();
    first
        .stderr(contains("votes: skipped: FER+ votes: not given").and(contains("absent: skipped: KDEF: not given")))
        .stderr(contains("labels: its time is spent; epoch 1 of 3"))
        .stdout(contains("1/3, time spent").and(contains("0/3, not run")));
    let runs = compared(folder);
    assert_eq!((&runs[0]["epochs"], &runs[0]["ending"]), (&1.into(), &"budget-spent".into()));
    assert_eq!(runs[0]["public"]["n"], 14, "what its time allowed is measured");
    assert!(runs[0]["private"].is_null(), "PrivateTest is read once, and the training may go on");

    // With more time, it resumes and the others start. PublicTest is measured again, for the new weights.
    let second = train(folder, &["--ferplus", "fer2013new.csv", "--jobs", "2"]).assert().success();
    second.stderr(contains("labels: all epochs are done").and(contains("votes: all epochs are done")));
    let runs = compared(folder);
    for run in [&runs[0], &runs[1]] {
        assert_eq!((&run["epochs"], &run["ending"]), (&3.into(), &"finished".into()), "{run}");
        let splits: Vec<_> =
            run["evaluations"].as_array().unwrap().iter().map(|it| it["split"].as_str().unwrap()).collect();
        assert_eq!(splits, ["PublicTest", "PublicTest", "PrivateTest", "PrivateTest"], "two priors each");
    }
    assert_eq!((&runs[1]["private"]["rule"], &runs[2]["epochs"]), (&"majority".into(), &0.into()));

    // Finished trainings are left as they are.
    let card = folder.join("all/labels/labels.toml");
    let before = fs::metadata(&card).unwrap().modified().unwrap();
    train(folder, &["--ferplus", "fer2013new.csv"])
        .assert()
        .success()
        .stderr(contains("0 of 3 recipes to train").and(contains("labels: ended before: all epochs are done")));
    assert_eq!(fs::metadata(&card).unwrap().modified().unwrap(), before);

    let document = mien()
        .current_dir(folder)
        .args(["compare", "--all", "list.toml", "--runs", "all", "--markdown", "--plots", "charts"])
        .assert()
        .success();
    document.stdout(
        contains("first \\| one")
            .and(contains("56.0 % validation, 50.0 % test, F1 0.40"))
            .and(contains("It is asked for.")),
    );
    assert!(folder.join("charts/a-page.png").is_file());
}

#[test]
fn a_list_that_is_killed_leaves_no_training_behind_and_the_same_command_goes_on() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write_data(folder);
    write_list(folder);
    // Long enough to be killed midway.
    let recipe = folder.join("labels.toml");
    let text = fs::read_to_string(&recipe).unwrap();
    fs::write(&recipe, text.replace("epochs = 3", "epochs = 400").replace("patience = 5", "patience = 400")).unwrap();

    let mut list = Process::new(env!("CARGO_BIN_EXE_mien"))
        .current_dir(folder)
        .args([
            "train",
            "--all",
            "list.toml",
            "--runs",
            "all",
            "--no-cache",
            "--threads",
            "1",
            "--data",
            "FER2013=fer2013.csv",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let run = folder.join("all/labels");
    wait_for("the first epoch", || run.join("history.csv").is_file());
    list.kill().unwrap();
    list.wait().unwrap();
    wait_for("the training's end", || mien::lab::lock_folder(&run).is_ok());
    let epochs = || fs::read_to_string(run.join("history.csv")).unwrap().lines().count() - 1;
    let before = epochs();
    assert!(before < 400);

    let budget = ["--budget", "0.0001"];
    train(folder, &budget).assert().success().stderr(contains("labels: its time is spent"));
    assert_eq!(epochs(), before, "the time of before it was killed counts");
}

#[test]
fn what_a_list_can_not_use_is_told_and_a_recipe_that_fails_stops_no_other() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write_data(folder);
    write_list(folder);
    let refused = |more: &[&str], word: &str| train(folder, more).assert().code(1).stderr(contains(word));
    refused(&["--data", "JAFFE=fer2013.csv"], "the names are FER2013 and KDEF");
    refused(&["--data", "FER2013=fer2013.csv"], "“FER2013” is given twice");
    refused(&["--data", "KDEF=nowhere"], "there is no nowhere");
    let swapped = |arguments: &[&str], word: &str| {
        let mut command = mien();
        command.current_dir(folder).arg("train").args(arguments).args(["--data", "fer2013.csv"]);
        command.assert().code(1).stderr(contains(word.to_owned()));
    };
    swapped(&["list.toml"], "list.toml is a list of recipes: give it with --all");
    swapped(
        &["--all", "labels.toml"],
        "labels.toml has no `[[recipes]]`, so it is no list; if it is a recipe, leave out --all",
    );
    mien()
        .current_dir(folder)
        .args(["recipe", "check", "list.toml"])
        .assert()
        .success()
        .stdout(contains("a list of 3 recipes"));

    // What is given as KDEF isn't a data set. At first, not even the folder of its run can be made.
    fs::write(folder.join("broken.csv"), "nothing").unwrap();
    let place = folder.join("all/absent");
    fs::create_dir_all(folder.join("all")).unwrap();
    fs::write(&place, "").unwrap();
    let failed = train(folder, &["--data", "KDEF=broken.csv", "--jobs", "2"]).assert().code(3);
    failed.stderr(
        contains("absent: failed: can't make the folder")
            .and(contains("labels: all epochs are done"))
            .and(contains("1 of 3 recipes failed")),
    );
    fs::remove_file(place).unwrap();
    let failed = train(folder, &["--data", "KDEF=broken.csv"]).assert().code(3).stdout(contains("0/3, failed"));
    failed.stderr(contains("absent: failed: ").and(contains("labels: ended before: all epochs are done")));
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} doesn't come");
        std::thread::sleep(Duration::from_millis(50));
    }
}
