//! How results were made, for the head of a report.

use crate::network::NetworkInUse;
use crate::prior::never_named;
use crate::report::Fact;
use crate::source::Span;
use crate::stages::StageChoices;
use crate::version::Versions;

/// Digits of a checksum that tell one model's file from another's.
const CHECKSUM_DIGITS: usize = 12;

/// Model, options and versions in words.
pub fn facts(choices: &StageChoices, network: &NetworkInUse, span: Span) -> Vec<Fact> {
    let checksum = network.sha256.get(..CHECKSUM_DIGITS).unwrap_or(&network.sha256);
    let smoothing = choices
        .smoothing
        .map_or_else(|| "off".to_owned(), |constant| format!("time constant {} s", constant.as_secs_f64()));
    let detection = serde_json::to_value(choices.detection).unwrap_or_default();
    let detection = detection.as_object().into_iter().flatten();
    let detection: Vec<_> =
        detection.map(|(name, value)| format!("{} {}", name.replace('_', " "), short(value))).collect();
    let Versions { mien, commit, libtorch, opencv } = Versions::here();
    let never_named = never_named(&network.never_named).map_or_else(String::new, |words| format!("; {words}"));
    let prior =
        format!("{}: how often each {} is assumed to be shown{never_named}", network.prior, network.classes.noun());
    let mirrored = if network.flip { ", each face mirrored too" } else { "" };
    let fact = |name, value| Fact { name, value, videos_only: false };
    let of_videos = |name, value| Fact { name, value, videos_only: true };
    let own = (!network.classes.are_emotions()).then(|| fact("Classes", network.classes.to_string()));
    let model = fact("Model", format!("{}, SHA-256 {checksum}…, on {}{mirrored}", network.model, network.device));
    let others = [
        fact("Prior", prior),
        of_videos("Frames", span_in_words(span)),
        of_videos("Smoothing", smoothing),
        fact("Face detection", detection.join(", ")),
        fact(
            "Versions",
            format!(
                "Mien {mien} ({commit}), libtorch {libtorch}, OpenCV {}",
                opencv.unwrap_or_else(|| "unknown".to_owned())
            ),
        ),
    ];
    std::iter::once(model).chain(own).chain(others).collect()
}

/// Writes a value. Fractions have single precision, so in double precision they would get meaningless digits.
fn short(value: &serde_json::Value) -> String {
    if value.is_f64() { value.as_f64().map_or_else(String::new, |f| (f as f32).to_string()) } else { value.to_string() }
}

fn span_in_words(Span { from, to, skip }: Span) -> String {
    let which = match skip {
        0 => "all".to_owned(),
        skip => format!("one of every {}", skip.saturating_add(1)),
    };
    let begin = if from.is_zero() { String::new() } else { format!(", from {} s", from.as_secs_f64()) };
    let end = to.map_or_else(String::new, |to| format!(", before {} s", to.as_secs_f64()));
    format!("{which}{begin}{end}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_span_is_said_in_words() {
        assert_eq!(span_in_words(Span::default()), "all");
        let span = Span { from: Duration::from_millis(1500), to: Some(Duration::from_secs(3)), skip: 4 };
        assert_eq!(span_in_words(span), "one of every 5, from 1.5 s, before 3 s");
    }
}
