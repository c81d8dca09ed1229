//! Counts what was seen in a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use console::Style;
use serde::Serialize;

use crate::classes::{Classes, MOST_CLASSES};
use crate::face::FaceId;
use crate::pipeline::Scene;
use crate::process;
use crate::verdict::{UNSURE, Verdict};

/// Width in characters of the bar of a class that all faces show.
const BAR_WIDTH: f64 = 30.0;

/// Least width of the name column, in characters.
const NAME_WIDTH: usize = 9;

/// Frames and faces counted as they come.
#[derive(Debug, Default)]
pub struct Tally {
    /// The classes of the last scene; the seven emotions before the first.
    classes: Classes,
    frames: u64,
    frames_with_face: u64,
    faces: u64,
    people: BTreeSet<FaceId>,
    leading: [u64; MOST_CLASSES],
    unsure: u64,
    first_frame: Option<Duration>,
    first_label: Option<Duration>,
}

/// The counts as JSON and text show them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// Frames labelled.
    pub frames: u64,
    /// Frames with at least one face.
    pub frames_with_face: u64,
    /// Faces in all frames, added up.
    pub faces: u64,
    /// Distinct faces over time. Somebody who comes back after a while counts again.
    pub people: u64,
    /// Share of the faces on which each emotion leads, and on which none leads clearly (`unsure`), 0 to 1. `None` for custom classes.
    #[serde(rename = "emotions", skip_serializing_if = "Option::is_none")]
    pub of_emotions: Option<BTreeMap<String, f64>>,
    /// The same for custom classes.
    #[serde(rename = "class_shares", skip_serializing_if = "Option::is_none")]
    pub of_classes: Option<BTreeMap<String, f64>>,
    /// The model's classes.
    #[serde(skip)]
    pub classes: Classes,
    /// Milliseconds from the start of the process to the first frame that passed the whole pipeline.
    pub time_to_first_frame_ms: Option<f64>,
    /// Milliseconds from the start of the process to the first frame with a labelled face.
    pub time_to_first_label_ms: Option<f64>,
}

impl Tally {
    /// Counts a scene.
    pub fn add(&mut self, scene: &Scene) {
        if self.first_frame.is_none() {
            self.first_frame = process::age();
        }
        if self.first_label.is_none() && !scene.faces.is_empty() {
            self.first_label = process::age();
        }
        if self.classes != scene.classes {
            self.classes = scene.classes.clone();
        }
        self.frames += 1;
        self.frames_with_face += u64::from(!scene.faces.is_empty());
        self.faces += scene.faces.len() as u64;
        for face in &scene.faces {
            self.people.insert(face.id);
            match Verdict::of(face) {
                Verdict::Leads(class, _) => self.leading[class] += 1,
                Verdict::Unsure => self.unsure += 1,
            }
        }
    }

    /// Frames counted so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The counts so far.
    pub fn seen(&self) -> Seen {
        let ms = |age: Duration| age.as_secs_f64() * 1e3;
        let share = |count: u64| count as f64 / self.faces.max(1) as f64;
        let leading = self.classes.keys().zip(self.leading);
        let mut shares: BTreeMap<_, _> = leading.map(|(key, count)| (key.to_owned(), share(count))).collect();
        shares.insert(UNSURE.to_owned(), share(self.unsure));
        let (of_emotions, of_classes) =
            if self.classes.are_emotions() { (Some(shares), None) } else { (None, Some(shares)) };
        Seen {
            frames: self.frames,
            frames_with_face: self.frames_with_face,
            faces: self.faces,
            people: self.people.len() as u64,
            of_emotions,
            of_classes,
            classes: self.classes.clone(),
            time_to_first_frame_ms: self.first_frame.map(ms),
            time_to_first_label_ms: self.first_label.map(ms),
        }
    }
}

impl Seen {
    /// The counts as text: in how many frames there were faces, and a bar for each class.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let share = self.frames_with_face as f64 / self.frames.max(1) as f64 * 100.0;
        let (with_face, frames) = (self.frames_with_face, self.frames);
        // Writing to a string can't fail.
        writeln!(text, "  Faces     in {with_face} of {frames} frames ({share:.1} %), {} in all", self.people).ok();
        if self.faces == 0 {
            return text;
        }
        let classes = &self.classes;
        let words = (0..classes.len()).map(|class| (classes.name(class), classes.key(class), Some(classes.rgb(class))));
        let words = words.chain([(UNSURE.to_owned(), UNSURE, None)]);
        let width = classes.longest().max(NAME_WIDTH);
        let shares = self.of_emotions.as_ref().or(self.of_classes.as_ref());
        for (name, key, rgb) in words {
            let share = shares.and_then(|shares| shares.get(key)).copied().unwrap_or(0.0);
            let bar = "█".repeat((share * BAR_WIDTH).round() as usize);
            let style = rgb.map_or_else(Style::new, |[r, g, b]| Style::new().true_color(r, g, b));
            let line = format!("  {name:width$} {:5.1} % {}", share * 100.0, style.apply_to(bar));
            writeln!(text, "{}", line.trim_end()).ok();
        }
        text
    }
}
