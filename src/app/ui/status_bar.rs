//! The status bar: the mode of the source, frame rates, the age of labels.

use egui::{RichText, TextStyle, Ui};

use super::text_width;
use crate::app::player::{Phase, Player};
use crate::app::record::RecordingControl;
use crate::app::replay::Replay;
use crate::classes::Classes;
use crate::network::NetworkInUse;
use crate::pipeline::Statistics;
use crate::recording::Metadata;
use crate::source::{SourceInfo, SourceKind};

const SEPARATOR: &str = "  ·  ";

/// Shows as many parts as there is room for; the more important come first.
pub(super) fn show(ui: &mut Ui, player: &Player, results: Option<&Replay>, recording: &RecordingControl) {
    let words = match &player.phase {
        Phase::Running | Phase::EndOfVideo => None,
        Phase::NoCamera => Some("No camera"),
        Phase::Opening if player.paused => Some("Paused"),
        Phase::Opening => Some("Opening…"),
        Phase::CameraLost { busy: true, .. } => Some("Camera is busy"),
        Phase::CameraLost { .. } => Some("Camera lost"),
        Phase::Failed => Some("Not running"),
        Phase::Stopped => Some("Stopped"),
    };
    let mut shown = Vec::new();
    let lost = recording.progress.lost;
    if recording.is_on() && lost > 0 {
        let text = format!("disk too slow: {lost} frames not recorded");
        let hint = "They were analysed, but are missing from the recording";
        shown.push((Part { text, hint }, Some(ui.visuals().error_fg_color)));
    }
    let rest = match (words, &player.info) {
        (None, Some(info)) => match results {
            Some(replay) => recorded_parts(info, &player.statistics, &replay.recording.metadata),
            None => parts(info, &player.statistics, player.network.as_ref()),
        },
        (words, _) => vec![Part { text: words.unwrap_or("Opening…").to_owned(), hint: "What the source is doing" }],
    };
    shown.extend(rest.into_iter().map(|part| (part, None)));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        for (i, (part, color)) in shown.into_iter().enumerate() {
            let separator = if i > 0 { SEPARATOR } else { "" };
            if text_width(ui, &format!("{separator}{}", part.text), &TextStyle::Small) > ui.available_width() {
                break;
            }
            ui.label(RichText::new(separator).small().weak());
            let text = RichText::new(part.text).small();
            let text = if let Some(color) = color { text.color(color) } else { text };
            ui.label(text).on_hover_text(part.hint);
        }
    });
}

struct Part {
    text: String,
    hint: &'static str,
}

/// Status of a running source.
fn parts(info: &SourceInfo, statistics: &Statistics, network: Option<&NetworkInUse>) -> Vec<Part> {
    let is_camera = info.kind == SourceKind::Camera;
    let mut parts = vec![Part {
        text: mode(info),
        hint: if is_camera {
            "The camera's mode: size, pixel format, frame rate"
        } else {
            "Size, codec and frame rate of the video"
        },
    }];
    if is_camera && statistics.source_fps > 0.0 {
        parts.push(Part {
            text: format!("camera {:>4.1} fps", statistics.source_fps),
            hint: "Frames per second that the camera really sends",
        });
    }
    parts.push(Part {
        text: format!("analysed {:>4.1} fps", statistics.analysed_fps),
        hint: "Frames labelled per second",
    });
    if let (Some(p50), Some(p95)) = (statistics.age_p50, statistics.age_p95) {
        parts.push(Part {
            text: format!("age {} ms (p95 {})", p50.as_millis(), p95.as_millis()),
            hint: "Time from reading a frame to its labels: the median and the 95th percentile",
        });
    }
    if is_camera {
        parts.push(Part {
            text: format!("dropped {}", statistics.dropped),
            hint: "Frames left out because newer ones had arrived",
        });
    }
    if let Some(network) = network {
        parts.push(Part { text: network.device.clone(), hint: "Where the network runs" });
        parts.push(Part {
            text: network.model.clone(),
            hint: of(&network.classes, "The network that names the emotions", "The network that names the classes"),
        });
    }
    parts
}

/// Picks the text for the emotions or for custom classes.
fn of(classes: &Classes, emotions: &'static str, own: &'static str) -> &'static str {
    if classes.are_emotions() { emotions } else { own }
}

/// Status of a recording whose recorded results are shown.
fn recorded_parts(info: &SourceInfo, statistics: &Statistics, metadata: &Metadata) -> Vec<Part> {
    vec![
        Part { text: mode(info), hint: "Size, codec and mean frame rate of the recording" },
        Part {
            text: "recorded results".to_owned(),
            hint: of(
                &metadata.classes,
                "Nothing is computed: boxes and emotions are as recorded",
                "Nothing is computed: boxes and classes are as recorded",
            ),
        },
        Part {
            text: metadata.model.clone(),
            hint: of(
                &metadata.classes,
                "The network that named the emotions when this was recorded",
                "The network that named the classes when this was recorded",
            ),
        },
        Part {
            text: format!("smoothing {}", super::settings::seconds_or_off(metadata.smoothing_secs)),
            hint: "The smoothing when this was recorded",
        },
        Part { text: metadata.network_device.clone(), hint: "Where the network ran when this was recorded" },
        Part { text: format!("shown {:>4.1} fps", statistics.analysed_fps), hint: "Frames shown per second" },
    ]
}

/// Size, codec and frame rate.
fn mode(info: &SourceInfo) -> String {
    let mut mode = format!("{}×{}", info.width, info.height);
    if !info.fourcc.is_empty() {
        mode = format!("{mode} {}", info.fourcc);
    }
    if info.fps > 0.0 {
        mode = format!("{mode} {} fps", rate(info.fps));
    }
    mode
}

/// A frame rate without needless digits: `30`, `29.97`.
fn rate(fps: f64) -> String {
    let text = format!("{fps:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn statistics() -> Statistics {
        Statistics {
            source_fps: 29.96,
            analysed_fps: 29.94,
            age_p50: Some(Duration::from_millis(21)),
            age_p95: Some(Duration::from_millis(34)),
            dropped: 3,
            ..Statistics::default()
        }
    }

    fn texts(kind: SourceKind) -> Vec<String> {
        let info = SourceInfo { name: "x".into(), kind, width: 640, height: 480, fps: 30.0, fourcc: "MJPG".into() };
        let network =
            NetworkInUse { model: "mien".to_owned(), device: "CPU, 1 thread".to_owned(), ..Default::default() };
        parts(&info, &statistics(), Some(&network)).into_iter().map(|part| part.text).collect()
    }

    #[test]
    fn a_camera_is_described_by_what_it_granted_and_how_it_runs() {
        assert_eq!(
            texts(SourceKind::Camera),
            [
                "640×480 MJPG 30 fps",
                "camera 30.0 fps",
                "analysed 29.9 fps",
                "age 21 ms (p95 34)",
                "dropped 3",
                "CPU, 1 thread",
                "mien"
            ]
        );
    }

    #[test]
    fn a_video_drops_nothing_and_says_nothing_of_it() {
        let texts = texts(SourceKind::File { duration: None, frames: None });
        assert!(!texts.iter().any(|text| text.starts_with("dropped") || text.starts_with("camera")), "{texts:?}");
    }

    #[test]
    fn odd_frame_rates_keep_their_digits() {
        assert_eq!([rate(30.0), rate(29.97), rate(12.5)], ["30", "29.97", "12.5"]);
    }
}
