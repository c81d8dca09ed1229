//! What a run at a camera measured, as JSON and as text.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::outputs::WrittenTables;
use super::recording::SavedSession;
use super::summary::Seen;
use crate::network::NetworkInUse;
use crate::source_summary::SourceSummary;
use crate::version::Versions;

/// Number of samples that the first and the last memory value are averaged over: a minute.
const MEMORY_SAMPLES: usize = 60;

/// The figures of a run at a camera.
#[derive(Debug, Serialize)]
pub struct Outcome {
    #[serde(flatten)]
    pub seen: Seen,
    /// Time from the first labelled frame to the end, in seconds.
    pub seconds: f64,
    /// Labelled frames per second over that time.
    pub analysed_fps: f64,
    /// Frames that the camera delivered.
    pub captured: u64,
    /// Captured frames that a newer one replaced before they were labelled, or before their faces were written to tables. A recording still
    /// has their pictures.
    pub dropped: u64,
    /// How old labels were.
    pub age_ms: Option<Ages>,
    /// CPU use by this process since the first labelled frame, in cores.
    pub cpu_cores: Option<f64>,
    /// CPU use by other programs in the same time, in cores.
    pub other_load_cores: Option<f64>,
    pub memory: Option<MemoryCourse>,
    pub peak_memory_bytes: Option<u64>,
    /// Times the camera was lost.
    pub camera_losses: u64,
    #[serde(flatten)]
    pub network: NetworkInUse,
    pub source: Option<SourceSummary>,
    #[serde(flatten)]
    pub tables: WrittenTables,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<SavedSession>,
    pub versions: Versions,
}

/// Milliseconds from capture to label.
#[derive(Debug, Serialize)]
pub struct Ages {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// How memory developed.
#[derive(Debug, Serialize)]
pub struct MemoryCourse {
    /// Mean of the first minute after the first ten seconds.
    pub first_minute_bytes: u64,
    /// Mean of the last minute.
    pub last_minute_bytes: u64,
    /// At the end.
    pub current_bytes: u64,
}

impl Ages {
    /// Summarises ages in microseconds; `None` if there are none.
    pub fn of(microseconds: &Histogram<u64>) -> Option<Self> {
        let ms = |value: u64| value as f64 / 1e3;
        let at = |quantile| ms(microseconds.value_at_quantile(quantile));
        let max = ms(microseconds.max());
        (!microseconds.is_empty()).then(|| Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max })
    }
}

impl MemoryCourse {
    /// Summarises one sample per second; `None` for a run that ended before the first.
    pub fn of(samples: &[u64], current: u64) -> Option<Self> {
        let mean = |samples: &[u64]| samples.iter().sum::<u64>() / samples.len() as u64;
        let length = samples.len().min(MEMORY_SAMPLES);
        (length > 0).then(|| Self {
            first_minute_bytes: mean(&samples[..length]),
            last_minute_bytes: mean(&samples[samples.len() - length..]),
            current_bytes: current,
        })
    }
}

impl Outcome {
    /// The figures as text.
    pub fn text(&self) -> String {
        let mut text = format!("\n{}\n", self.seen.text());
        let mut line = |name: &str, value: String| text += &format!("  {name:9} {value}\n");
        let mode = self.source.as_ref().map_or_else(String::new, |source| format!(" of {}", source.shown_fps()));
        line("Speed", format!("{:.1}{mode} fps over {:.1} s", self.analysed_fps, self.seconds));
        line("Dropped", format!("{} of {} frames", self.dropped, self.captured));
        if let Some(Ages { p50, p95, p99, max }) = &self.age_ms {
            line("Age", format!("p50 {p50:.0}, p95 {p95:.0}, p99 {p99:.0}, at most {max:.0} ms from capture to label"));
        }
        if let Some(cores) = self.cpu_cores {
            line("Processor", format!("{:.0} % of a core", cores * 100.0));
        }
        let mb = |bytes: u64| bytes / 1_000_000;
        if let Some(peak) = self.peak_memory_bytes {
            let now = self.memory.as_ref().map_or_else(String::new, |memory| {
                let MemoryCourse { first_minute_bytes: first, last_minute_bytes: last, .. } = memory;
                format!(", {} in the first and {} in the last minute", mb(*first), mb(*last))
            });
            line("Memory", format!("{} MB at most{now}", mb(peak)));
        }
        line("Model", self.network.to_string());
        for table in self.tables.table.iter().chain(&self.tables.jsonl) {
            line("Table", table.display().to_string());
        }
        if self.tables.lines_left_out > 0 {
            line("Lines", format!("{} left out because their reader was too slow", self.tables.lines_left_out));
        }
        if let Some(SavedSession { folder, counts, .. }) = &self.recording {
            let lost = counts.lost().map_or_else(String::new, |lost| format!(", {lost} not recorded"));
            line("Recording", format!("{} frames{lost}: {}", counts.frames, folder.display()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_grows_shows_between_the_first_and_the_last_minute() {
        let samples: Vec<u64> = (0..300).map(|second| 1_000 + second).collect();
        let course = MemoryCourse::of(&samples, 1_299).unwrap();
        assert_eq!((course.first_minute_bytes, course.last_minute_bytes), (1_029, 1_269));
    }

    #[test]
    fn a_run_without_a_sample_says_nothing_about_memory() {
        assert!(MemoryCourse::of(&[], 5).is_none());
    }
}
