//! How well colours stand out from each other, by the Web Content Accessibility Guidelines 2.

/// Luminance above which dark text has more contrast than white: where (L + 0.05)² = 1.05 · 0.05.
const DARK_TEXT_FROM: f32 = 0.179;

/// Relative luminance of red, green and blue in sRGB, 0 to 1 (WCAG 2, “relative luminance”).
pub fn luminance(rgb: [u8; 3]) -> f32 {
    let linear = |channel: u8| {
        let c = f32::from(channel) / 255.0;
        if c <= 0.039_28 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    let [r, g, b] = rgb.map(linear);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// Contrast of two colours: 1 for the same, 21 for black on white (WCAG 2, “contrast ratio”).
pub fn contrast(a: [u8; 3], b: [u8; 3]) -> f32 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    if a > b { a / b } else { b / a }
}

/// Whether text on this background must be dark to be readable; else it is white.
pub fn wants_dark_text(background: [u8; 3]) -> bool {
    luminance(background) > DARK_TEXT_FROM
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: [u8; 3] = [255; 3];
    const BLACK: [u8; 3] = [0; 3];

    #[test]
    fn black_on_white_has_the_most_contrast_and_the_choice_of_text_is_the_better_one() {
        assert!((contrast(WHITE, BLACK) - 21.0).abs() < 1e-3);
        for level in 0..=255 {
            let background = [level; 3];
            let dark_is_better = contrast(BLACK, background) > contrast(WHITE, background);
            // Near the threshold, both are about equal.
            let close = (contrast(BLACK, background) - contrast(WHITE, background)).abs() < 0.05;
            assert!(close || dark_is_better == wants_dark_text(background), "{level}");
        }
    }
}
