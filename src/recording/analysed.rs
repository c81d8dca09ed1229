//! Which frames were analysed.

use std::path::Path;

use super::OpenError;
use super::lines::Lines;

/// The numbers of the frames that were labelled, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnalysedFrames(Vec<u32>);

impl AnalysedFrames {
    /// Reads [`super::ANALYSED`], and returns whether its last row was cut. `None` without such a file, as it is then unknown which frames
    /// were analysed.
    pub(super) fn read(path: &Path, may_be_cut: bool) -> Result<(Option<Self>, bool), OpenError> {
        if !path.exists() {
            return Ok((None, false));
        }
        let columns = ["frame".to_owned()];
        let mut lines = Lines::open(path, &columns, &[], may_be_cut)?;
        let mut frames = Vec::new();
        while let Some(frame) = lines.next(|fields| fields.number(0, &columns[0]))? {
            frames.push(frame);
        }
        frames.sort_unstable();
        Ok((Some(Self(frames)), lines.cut()))
    }

    /// Whether this frame was labelled.
    pub fn contains(&self, frame: u64) -> bool {
        u32::try_from(frame).is_ok_and(|frame| self.0.binary_search(&frame).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_are_listed_were_analysed_and_without_a_list_nobody_knows() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("analysed.csv");
        assert_eq!(AnalysedFrames::read(&path, false).unwrap(), (None, false));
        std::fs::write(&path, "frame\n3\n5\n4\n").unwrap();
        let (analysed, cut) = AnalysedFrames::read(&path, false).unwrap();
        let analysed = analysed.unwrap();
        assert_eq!([2, 3, 4, 5, 6].map(|frame| analysed.contains(frame)), [false, true, true, true, false]);
        assert!(!cut);
    }

    #[test]
    fn a_row_that_was_cut_is_left_out_and_told() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("analysed.csv");
        // What is left of frame 12.
        std::fs::write(&path, "frame\n3\n1").unwrap();
        assert_eq!(AnalysedFrames::read(&path, true).unwrap(), (Some(AnalysedFrames(vec![3])), true));
    }
}
