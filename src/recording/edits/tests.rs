use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::emotion::COUNT;
use crate::face::FaceRect;
use crate::probabilities::Probabilities;

fn face(id: u32, score: f32) -> Face {
    let rect = FaceRect { x: id as f32, y: 0.0, width: 50.0, height: 50.0 };
    Face {
        id: FaceId(id),
        rect,
        score,
        landmarks: None,
        quality: None,
        raw: Probabilities::uniform(COUNT),
        smoothed: Probabilities::uniform(COUNT),
    }
}

#[test]
fn somebody_has_a_name_until_it_is_taken_away() {
    let mut edits = Edits::default();
    assert_eq!(edits.title(FaceId(3)), "Face 3");
    edits.rename(FaceId(3), "  Anna \n Maria ");
    assert_eq!((edits.title(FaceId(3)).as_str(), edits.name(FaceId(4))), ("Anna Maria", None));
    edits.rename(FaceId(3), " ");
    assert!(edits.is_empty());
}

#[test]
fn who_came_back_is_the_same_person_with_all_earlier_numbers() {
    let mut edits = Edits::default();
    edits.rename(FaceId(7), "Anna");
    edits.merge(FaceId(9), FaceId(7));
    edits.merge(FaceId(7), FaceId(3));
    assert_eq!([3, 7, 9, 4].map(|id| edits.person(FaceId(id)).0), [3, 3, 3, 4]);
    assert_eq!(edits.title(FaceId(9)), "Anna", "a name that only one of them has is kept");
    assert_eq!(edits.merged_into(FaceId(3)), [FaceId(7), FaceId(9)]);
    // A merge within one person changes nothing.
    let before = edits.clone();
    edits.merge(FaceId(3), FaceId(9));
    assert_eq!(edits, before);
}

#[test]
fn hidden_people_are_not_shown_and_nobody_twice_on_a_frame() {
    let mut edits = Edits::default();
    let recorded = [face(1, 5.0), face(2, 3.0), face(7, 9.0)];
    assert_eq!(edits.shown(&recorded), recorded);
    edits.merge(FaceId(7), FaceId(1));
    let shown = edits.shown(&recorded);
    assert_eq!(shown.iter().map(|face| (face.id.0, face.score)).collect::<Vec<_>>(), [(1, 9.0), (2, 3.0)]);
    edits.set_hidden(FaceId(7), true);
    assert_eq!(edits.shown(&recorded).len(), 1);
    edits.set_hidden(FaceId(1), false);
    assert_eq!(edits.shown(&recorded).len(), 2);
}

#[test]
fn marks_are_those_recorded_until_one_is_changed() {
    let mark = |secs, text: &str| Mark { time: Duration::from_secs(secs), text: text.to_owned() };
    let recorded = [mark(1, "a"), mark(5, "b")];
    let mut edits = Edits::default();
    assert_eq!(edits.marks(&recorded), recorded);
    edits.set_marks(vec![mark(5, "b"), mark(3, "new"), mark(1, "a")], &recorded);
    assert_eq!(edits.marks(&recorded), [mark(1, "a"), mark(3, "new"), mark(5, "b")]);
    edits.set_marks(recorded.to_vec(), &recorded);
    assert!(edits.is_empty());
}

#[test]
fn edits_are_read_back_and_an_empty_file_is_none() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("edits.json");
    let (mut file, mut edits) = EditsFile::open(&path).unwrap();
    edits.rename(FaceId(1), "Jörg");
    edits.merge(FaceId(2), FaceId(1));
    edits.set_hidden(FaceId(5), true);
    edits.set_marks(vec![Mark { time: Duration::from_millis(1234), text: "x".into() }], &[]);
    assert_eq!(file.save(&edits).unwrap(), None);
    assert_eq!(EditsFile::open(&path).unwrap(), (file.clone(), edits));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no temporary file is left");
    file.save(&Edits::default()).unwrap();
    assert!(!path.exists(), "what was reset leaves no file");
}

#[test]
fn what_somebody_else_saved_meanwhile_is_not_written_over_and_holds_from_then_on() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("edits.json");
    let named = |name| {
        let mut edits = Edits::default();
        edits.rename(FaceId(1), name);
        edits
    };
    let [(mut one, _), (mut other, _)] = [(), ()].map(|()| EditsFile::open(&path).unwrap());
    assert_eq!(one.save(&named("Anna")).unwrap(), None);
    // Neither another name nor a reset overwrites it.
    for edits in [named("Berta"), Edits::default()] {
        let (mut late, kept) = (other.clone(), fs::read(&path).unwrap());
        assert_eq!(late.save(&edits).unwrap(), Some(named("Anna")));
        assert_eq!(fs::read(&path).unwrap(), kept);
    }
    // Having read it, the other one can change it. The first one then gets that change, even if no edits are left.
    assert_eq!(other.save(&named("Berta")).unwrap(), Some(named("Anna")));
    assert_eq!(other.save(&named("Berta")).unwrap(), None);
    assert_eq!(one.save(&named("Anna")).unwrap(), Some(named("Berta")));
    assert_eq!(other.save(&Edits::default()).unwrap(), None);
    assert_eq!(one.save(&named("Anna")).unwrap(), Some(Edits::default()));
    assert_eq!(one.save(&named("Anna")).unwrap(), None);
    // Contents that can't be parsed are kept too.
    fs::write(&path, "{ precious").unwrap();
    for _ in 0..2 {
        let error = one.save(&named("Berta")).unwrap_err().to_string();
        assert!(error.contains("edits.json") && error.contains("move it away"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"{ precious");
}

#[test]
fn a_file_that_is_not_understood_is_said_and_never_written_over() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("edits.json");
    for (text, reason) in [
        ("{", "line 1"),
        ("{\"schema\": 2}", "format 2"),
        ("{\"schema\": 1, \"nmaes\": {}}", "nmaes"),
        ("{\"schema\": 1, \"merged\": {\"2\": 3, \"3\": 2}}", "merged itself"),
    ] {
        fs::write(&path, text).unwrap();
        let problem = EditsFile::open(&path).unwrap_err();
        assert!(
            problem.contains("edits.json") && problem.contains(reason) && problem.contains("move it away"),
            "{problem}"
        );
    }
}

#[test]
fn edits_that_nobody_makes_are_refused_before_they_are_drawn() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("edits.json");
    let merges: Vec<_> = (0..=MOST_PEOPLE).map(|i| format!("\"{}\": 1", i + 2)).collect();
    for (text, reason) in [
        (format!("{{\"schema\": 1, \"names\": {{\"1\": \"{}\"}}}}", "ü".repeat(LONGEST_NAME + 1)), "200 characters"),
        (format!("{{\"schema\": 1, \"merged\": {{{}}}}}", merges.join(",")), "more than 20000 faces"),
        (format!("{{\"schema\": 1, \"marks\": [{}]}}", " ".repeat(MOST_BYTES as usize)), "larger than the"),
    ] {
        fs::write(&path, text).unwrap();
        let problem = EditsFile::open(&path).unwrap_err();
        assert!(problem.contains("edits.json: ") && problem.contains(reason), "{problem}");
    }
    let mut edits = Edits::default();
    edits.rename(FaceId(1), &"ü".repeat(1000));
    assert_eq!(edits.unsound(), None);
    assert_eq!(edits.name(FaceId(1)).map(|name| name.chars().count()), Some(LONGEST_NAME));
}

proptest! {
    #[test]
    fn any_merges_in_any_order_lose_no_row_and_form_no_chain(
        merges in prop::collection::vec((1..9_u32, 1..9_u32), 0..30),
        rows in prop::collection::vec(1..9_u32, 0..40),
    ) {
        let mut edits = Edits::default();
        for (from, into) in &merges {
            let (a, b) = (edits.person(FaceId(*from)), edits.person(FaceId(*into)));
            edits.merge(FaceId(*from), FaceId(*into));
            prop_assert_eq!(edits.person(FaceId(*from)), b);
            prop_assert_eq!(edits.person(a), b);
        }
        prop_assert_eq!(edits.unsound(), None);
        let listed: Vec<Face> = rows.iter().map(|id| edits.apply(face(*id, 1.0))).collect();
        prop_assert_eq!(listed.len(), rows.len());
        for (face, id) in listed.iter().zip(&rows) {
            prop_assert_eq!(face.rect.x, *id as f32, "the row is another one");
            prop_assert_eq!(edits.person(face.id), face.id, "a number in the table is that of a person");
        }
    }
}
