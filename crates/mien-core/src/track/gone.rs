//! Faces whose tracks have ended, and which may come back.

use std::time::Duration;

use super::{Appearance, Candidate, MAX_SIZE_RATIO, apart};
use crate::face::FaceId;
use crate::face::FaceRect;

/// Distance in box sizes within which a face is back at its place.
const PLACE: f32 = 1.0;

/// Similarity from which a face at the place of one that left counts as the same person.
///
/// Measured on 227 portraits of different faces: 99 % of the 25,651 pairs are less similar than 0.48, and the most similar pair has
/// 0.57. On the demo clip, whose face turns, cries and laughs, medians after 1, 3 and 5 s are 0.64, 0.55 and 0.52, lower quartiles
/// 0.59, 0.50 and 0.48.
const ALIKE: f32 = 0.5;

/// Similarity from which a face elsewhere, where the place says nothing, counts as the same person: few of those pairs, if any, are as
/// similar.
const ALIKE_ELSEWHERE: f32 = 0.55;

/// How long a face that can't be seen well yet, because it is just entering the picture, waits for an id while somebody is away.
const WAIT_TO_SEE: Duration = Duration::from_millis(500);

/// Most faces remembered across a seek. Dragging the slider seeks many times; the faces that left first are forgotten.
const MOST_TAKEN_ALONG: usize = 64;

/// A face that is away.
#[derive(Debug)]
struct Away {
    id: FaceId,
    rect: FaceRect,
    appearance: Appearance,
    last_hit: Duration,
    /// Whether it was there before a seek.
    is_before_jump: bool,
}

/// All faces that are away.
#[derive(Debug, Default)]
pub(super) struct Gone(Vec<Away>);

impl Gone {
    /// Remembers those candidates that have an id and a known appearance.
    pub(super) fn extend(&mut self, candidates: impl IntoIterator<Item = Candidate>) {
        self.0.extend(candidates.into_iter().filter_map(|candidate| {
            let (id, (appearance, _)) = candidate.id.zip(candidate.seen)?;
            let (rect, last_hit) = (candidate.motion.measured(), candidate.last_hit);
            Some(Away { id, rect, appearance, last_hit, is_before_jump: false })
        }));
    }

    /// Whether to wait with an id, because this may be somebody who was away and can't be recognised yet. Faces from before a seek don't
    /// delay new ones: the frame that the user chose must show its faces at once.
    pub(super) fn may_know(&self, face: &Candidate, now: Duration) -> bool {
        let may_come = self.0.iter().any(|away| !away.is_before_jump);
        may_come && face.seen.is_none() && now.saturating_sub(face.first_hit) <= WAIT_TO_SEE
    }

    /// Returns the id of the most similar face that is away, if it is similar enough, and forgets that face.
    pub(super) fn take(&mut self, face: &Candidate) -> Option<FaceId> {
        let (appearance, _) = face.seen.as_ref()?;
        let rect = face.motion.measured();
        let likeness = |(index, away): (usize, &Away)| {
            let (distance, ratio) = apart(&away.rect, &rect);
            let is_at_place = distance <= PLACE && (1.0 / MAX_SIZE_RATIO..=MAX_SIZE_RATIO).contains(&ratio);
            let similarity = away.appearance.similarity(appearance);
            let needed = if is_at_place { ALIKE } else { ALIKE_ELSEWHERE };
            (similarity >= needed).then_some((index, similarity))
        };
        let (index, _) = self.0.iter().enumerate().filter_map(likeness).max_by(|a, b| a.1.total_cmp(&b.1))?;
        // Keeps the order: `jump` forgets those that left first.
        Some(self.0.remove(index).id)
    }

    /// Forgets the faces that were last seen before this time.
    pub(super) fn forget_before(&mut self, media_time: Duration) {
        self.0.retain(|away| away.last_hit >= media_time);
    }

    /// Carries the remembered faces over a seek to this time, as if they had just left.
    pub(super) fn jump(&mut self, media_time: Duration) {
        let left_behind = self.0.len().saturating_sub(MOST_TAKEN_ALONG);
        self.0.drain(..left_behind);
        for away in &mut self.0 {
            away.last_hit = media_time;
            away.is_before_jump = true;
        }
    }

    /// Forgets a face that is back.
    pub(super) fn remove(&mut self, id: FaceId) {
        self.0.retain(|away| away.id != id);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
