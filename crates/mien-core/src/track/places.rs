//! Where faces were in a video, so that they get their ids back when that part is played again.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::detection::SAME_FACE_OVERLAP;
use crate::face::{FaceId, FaceRect};

/// Most places that are noted: those of one face at 30 frames a second for almost four hours, in about 20 MB. Later faces are
/// recognised by their looks alone.
const MOST: usize = 400_000;

/// Times this close belong to the same frame, whose stamp may be rounded differently after a jump. Confirming a face after a cut
/// takes longer than this, so nobody gets the id of a person from before the cut.
const ONE_FRAME: Duration = Duration::from_millis(4);

/// The place of each face on each frame, by the frame's time. A video shows the same at the same time, however often it is played.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<(Duration, FaceId), FaceRect>);

impl Places {
    /// Notes where a face is on the frame of this time.
    pub(super) fn note(&mut self, media_time: Duration, face: FaceId, rect: FaceRect) {
        let key = (media_time, face);
        if self.0.len() < MOST || self.0.contains_key(&key) {
            self.0.insert(key, rect);
        }
    }

    /// The face that was at this place on the frame of this time, among those for which `may_be` is true.
    pub(super) fn whose(
        &self,
        media_time: Duration,
        rect: FaceRect,
        may_be: impl Fn(FaceId) -> bool,
    ) -> Option<FaceId> {
        let (first, last) = (media_time.saturating_sub(ONE_FRAME), media_time.saturating_add(ONE_FRAME));
        self.0
            .range((first, FaceId(0))..=(last, FaceId(u32::MAX)))
            .filter(|((_, face), _)| may_be(*face))
            .map(|((_, face), place)| (*face, place.iou(&rect)))
            .filter(|(_, overlap)| *overlap >= SAME_FACE_OVERLAP)
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(face, _)| face)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: FaceRect = FaceRect { x: 10.0, y: 10.0, width: 20.0, height: 20.0 };
    const THERE: FaceRect = FaceRect { x: 60.0, ..HERE };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_face_is_known_by_its_frame_and_place_together() {
        let mut places = Places::default();
        places.note(ms(1000), FaceId(1), HERE);
        places.note(ms(1000), FaceId(2), THERE);
        places.note(ms(5000), FaceId(3), HERE);
        let whose = |time, rect| places.whose(time, rect, |_| true).map(|face| face.0);
        assert_eq!((whose(ms(1000), HERE), whose(ms(1000), THERE)), (Some(1), Some(2)));
        assert_eq!((whose(ms(5000), HERE), whose(ms(5000), THERE)), (Some(3), None));
        assert_eq!((whose(ms(999), HERE), whose(ms(1001), HERE)), (Some(1), Some(1)), "rounded otherwise");
        assert_eq!((whose(ms(1040), HERE), whose(Duration::MAX, HERE)), (None, None));
        assert_eq!(places.whose(ms(1000), HERE, |face| face != FaceId(1)), None);
    }

    #[test]
    fn memory_has_a_bound_and_further_rounds_of_a_film_take_none() {
        let mut places = Places::default();
        for _ in 0..2 {
            (0..MOST as u64 + 100).for_each(|frame| places.note(ms(40 * frame), FaceId(1), HERE));
            assert_eq!(places.0.len(), MOST);
        }
        places.note(ms(0), FaceId(1), THERE);
        assert_eq!(places.whose(ms(0), THERE, |_| true), Some(FaceId(1)), "what is noted still changes");
    }
}
