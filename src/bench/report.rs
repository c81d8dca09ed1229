//! The benchmark report for people.

use std::fmt;

use console::{Style, measure_text_width};

use super::{BenchResult, Scope};

/// Width of the names on the left, so that all values begin in one column.
const NAME_WIDTH: usize = 10;

/// Displays a result on one screen, in colour if `console` enables it (on a terminal).
pub struct Report<'a>(pub &'a BenchResult);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.0;
        self.title(f)?;
        writeln!(f)?;
        self.speed(f)?;
        if result.scope != Scope::Classify {
            self.line(f, "Faces", &self.faces())?;
        }
        writeln!(f)?;
        self.stages(f)?;
        writeln!(f)?;
        self.line(f, "Model", &self.model())?;
        if let Some(bytes) = result.peak_memory_bytes {
            self.line(f, "Memory", &format!("{} MB at most", bytes / 1_000_000))?;
        }
        if let Some(ms) = result.time_to_first_label_ms {
            self.line(f, "Start", &format!("first face labelled {:.2} s after the start of the program", ms / 1e3))?;
        }
        let cpu = result.cpu.as_deref().unwrap_or("unknown processor");
        self.line(f, "Machine", &format!("{cpu}, {}", count(u64::from(result.cores), "core")))?;
        let versions = &result.versions;
        let opencv = versions.opencv.as_deref().unwrap_or("none");
        let text =
            format!("mien {} ({}), libtorch {}, OpenCV {opencv}", versions.mien, versions.commit, versions.libtorch);
        self.line(f, "Versions", &text)?;
        for warning in &result.warnings {
            write!(f, "\n  {} {warning}\n", Style::new().yellow().bold().apply_to("Warning:"))?;
        }
        Ok(())
    }
}

impl Report<'_> {
    fn title(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = &self.0.source.about;
        let what = match self.0.scope {
            Scope::Pipeline => "whole pipeline",
            Scope::Detect => "detection alone",
            Scope::Classify => "network alone, one face at a time",
        };
        let codec = if source.codec.is_empty() { String::new() } else { format!(" {}", source.codec) };
        let rate = if source.fps > 0.0 { format!(" {:.4} fps", Trimmed(source.fps)) } else { String::new() };
        let name = Style::new().bold().apply_to(&source.name);
        writeln!(f, "Benchmark: {name} ({}×{}{codec}{rate}), {what}", source.width, source.height)
    }

    fn speed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.0;
        let spread = result.fps_spread.map_or_else(String::new, |share| format!(" ± {:.1}", share * result.fps));
        let fps = format!("{:.1}{spread} fps", result.fps);
        let how = format!(
            "{} in {:.2} s, after {} to warm up",
            count(result.frames, "frame"),
            result.seconds,
            result.warmup_frames
        );
        self.line(f, "Speed", &format!("{}   {}", Style::new().green().bold().apply_to(fps), dim(&how)))
    }

    fn faces(&self) -> String {
        let result = self.0;
        let mean = result.faces as f64 / result.frames.max(1) as f64;
        let share = result.frames_with_face as f64 / result.frames.max(1) as f64 * 100.0;
        let how = format!("{} of {} frames with a face, {share:.1} %", result.frames_with_face, result.frames);
        format!("{mean:.2} a frame   {}", dim(&how))
    }

    fn stages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header =
            format!("  {:NAME_WIDTH$}{:>9}{:>9}{:>9}{:>9}{:>9}", "Stage, ms", "mean", "p50", "p95", "p99", "max");
        writeln!(f, "{}", Style::new().bold().apply_to(header))?;
        for (name, stage) in &self.0.stages.0 {
            write!(f, "  {}", padded(&Style::new().cyan().apply_to(name).to_string()))?;
            for ms in [stage.mean_ms, stage.p50_ms, stage.p95_ms, stage.p99_ms, stage.max_ms] {
                write!(f, "{ms:9.2}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn model(&self) -> String {
        let result = self.0;
        let mut details: Vec<String> = result.model_details.architecture.iter().cloned().collect();
        details.extend(result.model_details.parameters.map(|n| format!("{:.2} M parameters", n as f64 / 1e6)));
        details.extend(result.model_details.prior.iter().map(|prior| format!("{prior} prior")));
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        let threads = count(u64::from(result.threads), "thread");
        format!("{}{details} on {}, {threads}", result.model, result.device)
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
        writeln!(f, "  {}{value}", padded(name))
    }
}

/// Pads a name with blanks; colour codes don't count towards its width.
fn padded(name: &str) -> String {
    let blanks = NAME_WIDTH.saturating_sub(measure_text_width(name));
    format!("{name}{}", " ".repeat(blanks))
}

fn dim(text: &str) -> String {
    Style::new().dim().apply_to(text).to_string()
}

fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Displays a number without trailing zeros and with at most the requested decimals.
struct Trimmed(f64);

impl fmt::Display for Trimmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.*}", f.precision().unwrap_or(2), self.0);
        f.write_str(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Breakdown, MeasuredVideo, ModelSummary, StageSummary, Warning};
    use crate::source_summary::SourceSummary;
    use crate::version::Versions;

    fn result() -> BenchResult {
        let stage = StageSummary { mean_ms: 1.5, p50_ms: 1.0, p95_ms: 3.25, p99_ms: 4.0, max_ms: 120.125 };
        BenchResult {
            scope: Scope::Pipeline,
            fps: 143.21,
            fps_spread: Some(0.02),
            frames: 600,
            warmup_frames: 60,
            seconds: 4.19,
            faces: 600,
            frames_with_face: 597,
            device: "CPU".to_owned(),
            model: "cnn4-ferplus".to_owned(),
            model_details: ModelSummary {
                architecture: Some("cnn4".to_owned()),
                parameters: Some(4_480_000),
                prior: Some("training".to_owned()),
            },
            threads: 1,
            source: MeasuredVideo {
                about: SourceSummary {
                    name: "demo.mp4".to_owned(),
                    width: 640,
                    height: 360,
                    fps: 23.976,
                    codec: "h264".to_owned(),
                },
                frames: Some(472),
            },
            stages: Breakdown(vec![("read", stage), ("classify", stage)]),
            time_to_first_label_ms: Some(840.0),
            peak_memory_bytes: Some(312_400_000),
            cpu: Some("A fast one".to_owned()),
            cores: 2,
            other_load_cores: None,
            versions: Versions {
                mien: "0.1.0".to_owned(),
                commit: "abc".to_owned(),
                libtorch: "2.11.0".to_owned(),
                opencv: Some("4.6.0".to_owned()),
            },
            warnings: vec![Warning::DebugBuild],
        }
    }

    #[test]
    fn the_report_holds_on_one_screen_and_says_what_was_measured() {
        let text = console::strip_ansi_codes(&Report(&result()).to_string()).into_owned();
        assert_eq!(
            text,
            "\
Benchmark: demo.mp4 (640×360 h264 23.976 fps), whole pipeline

  Speed     143.2 ± 2.9 fps   600 frames in 4.19 s, after 60 to warm up
  Faces     1.00 a frame   597 of 600 frames with a face, 99.5 %

  Stage, ms      mean      p50      p95      p99      max
  read           1.50     1.00     3.25     4.00   120.12
  classify       1.50     1.00     3.25     4.00   120.12

  Model     cnn4-ferplus (cnn4, 4.48 M parameters, training prior) on CPU, 1 thread
  Memory    312 MB at most
  Start     first face labelled 0.84 s after the start of the program
  Machine   A fast one, 2 cores
  Versions  mien 0.1.0 (abc), libtorch 2.11.0, OpenCV 4.6.0

  Warning: This is a debug build. Measure with `cargo run --release -- bench`.
"
        );
    }

    #[test]
    fn the_json_has_the_fields_that_programs_rely_on() {
        let json = serde_json::to_value(result()).unwrap();
        for field in ["fps", "frames", "faces", "frames_with_face", "device", "model", "peak_memory_bytes", "warnings"]
        {
            assert!(!json[field].is_null(), "{field}");
        }
        assert_eq!(json["source"]["width"], 640);
        assert_eq!(json["source"]["fps"], 23.976);
        for field in ["mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"] {
            assert!(json["stages"]["classify"][field].is_f64(), "{field}");
        }
        assert!(json["stages"].get("detect").is_none(), "a stage that was not run is left out");
        assert_eq!(json["warnings"][0]["kind"], "debug_build");
    }
}
