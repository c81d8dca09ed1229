//! The server's counters, in Prometheus' format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use mien_vision::pipeline::{Meter, Scene, Statistics};

/// Counters since the start, and ages over the last seconds.
#[derive(Default)]
pub struct Metrics {
    received: AtomicU64,
    /// Frames of the server's own source.
    source_received: AtomicU64,
    /// Those of them that newer ones replaced.
    source_dropped: AtomicU64,
    faces: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    batches: AtomicU64,
    denied: AtomicU64,
    meter: Mutex<Meter>,
}

impl Metrics {
    fn meter(&self) -> std::sync::MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a frame that arrived.
    pub fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame that was replaced by a newer one before its turn came.
    pub fn dropped(&self) {
        self.meter().dropped();
    }

    /// Updates the totals of the server's own source.
    pub fn source(&self, statistics: &Statistics) {
        self.source_received.store(statistics.captured, Ordering::Relaxed);
        self.source_dropped.store(statistics.missed(), Ordering::Relaxed);
    }

    /// Counts a frame that couldn't be read.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame on which the detector or the network failed.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a pass of the network for pictures of visitors and programs; the server's source has a network pass of its own for each frame.
    pub fn batch(&self) {
        self.batches.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refused request: token, host or origin, or too many of them.
    pub fn denied(&self) {
        self.denied.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a labelled frame, its faces and its age.
    pub fn labelled(&self, scene: &Scene) {
        self.faces.fetch_add(scene.faces.len() as u64, Ordering::Relaxed);
        let age = scene.labelled_at.saturating_duration_since(scene.frame.captured_at);
        self.meter().labelled(Instant::now(), age);
    }

    /// Returns all metrics in Prometheus' text format 0.0.4.
    pub fn text(&self, sessions: usize) -> String {
        let statistics = self.meter().read(Instant::now());
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let received = count(&self.received) + count(&self.source_received);
        let dropped = statistics.dropped + count(&self.source_dropped);
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, value: f64| {
            // Writing to a string can't fail.
            write!(text, "# HELP mien_{name} {help}\n# TYPE mien_{name} {kind}\nmien_{name} {value}\n").ok();
        };
        metric("sessions", "gauge", "Visitors with a live connection.", sessions as f64);
        metric("frames_received_total", "counter", "Pictures that came.", received as f64);
        metric("frames_total", "counter", "Pictures whose faces were named.", statistics.frames as f64);
        metric("faces_total", "counter", "Faces that were named.", count(&self.faces) as f64);
        metric(
            "batches_total",
            "counter",
            "Passes of the network for pictures of visitors and programs.",
            count(&self.batches) as f64,
        );
        metric("dropped_total", "counter", "Pictures replaced by newer ones.", dropped as f64);
        metric("refused_total", "counter", "Pictures that could not be read.", count(&self.refused) as f64);
        metric("failed_total", "counter", "Pictures on which the server failed.", count(&self.failed) as f64);
        metric("denied_total", "counter", "Requests that were refused.", count(&self.denied) as f64);
        metric(
            "frames_per_second",
            "gauge",
            "Pictures labelled per second, over the last two seconds.",
            statistics.analysed_fps,
        );
        let quantiles = [("0.5", statistics.age_p50), ("0.95", statistics.age_p95)];
        text += "# HELP mien_age_seconds From a picture's arrival to its labels, over five seconds.\n";
        text += "# TYPE mien_age_seconds summary\n";
        for (quantile, age) in quantiles {
            let age = age.map_or(f64::NAN, |age| age.as_secs_f64());
            let age = if age.is_nan() { "NaN".to_owned() } else { age.to_string() };
            text += &format!("mien_age_seconds{{quantile=\"{quantile}\"}} {age}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_source_counts_beside_the_visitors() {
        let metrics = Metrics::default();
        for _ in 0..3 {
            metrics.received();
        }
        metrics.dropped();
        // Totals, not increments.
        for captured in [9, 10] {
            metrics.source(&Statistics { captured, dropped: 2, overtaken: 1, ..Statistics::default() });
        }
        let text = metrics.text(0);
        let has = |line: &str| text.lines().any(|other| other == line);
        assert!(has("mien_frames_received_total 13") && has("mien_dropped_total 4"), "{text}");
    }
}
