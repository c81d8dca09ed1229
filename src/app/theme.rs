//! The look of the window: text sizes, spacing and colours, light and dark.

use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, SurrenderFocusOn, TextStyle, Theme,
    Visuals, vec2,
};

use crate::classes::Classes;
use crate::contrast;

/// Background of the picture in both themes: a video looks wrong on white.
pub const BACKDROP: Color32 = Color32::from_rgb(0x12, 0x14, 0x17);

/// Text on [`BACKDROP`].
pub const BACKDROP_TEXT: Color32 = Color32::from_rgb(0xE8, 0xEA, 0xED);

/// Less important text on [`BACKDROP`].
pub const BACKDROP_WEAK_TEXT: Color32 = Color32::from_rgb(0xA9, 0xAF, 0xB8);

/// The red of a running recording, bright enough on light and dark. Text beside it says the same.
pub const RECORDING: Color32 = Color32::from_rgb(0xE0, 0x2F, 0x2F);

/// Dark text on a class's colour.
const DARK_TEXT: Color32 = Color32::from_rgb(0x14, 0x16, 0x1A);

/// Minimum contrast (WCAG 2) of a thin line in a class's colour. Below it, the line can't be followed on its background and
/// gets a darker casing. Yellow on white has 1.3.
const LINE_CONTRAST: f32 = 1.8;

/// The colour of a class.
pub fn color(classes: &Classes, class: usize) -> Color32 {
    let [r, g, b] = classes.rgb(class);
    Color32::from_rgb(r, g, b)
}

/// The colour of text on a patch of [`color`].
pub fn text_on(classes: &Classes, class: usize) -> Color32 {
    if classes.wants_dark_text(class) { DARK_TEXT } else { Color32::WHITE }
}

/// The darker edge that a line or bar of this colour needs on a background, if it needs one.
pub fn casing(color: Color32, background: Color32) -> Option<Color32> {
    (contrast(color, background) < LINE_CONTRAST).then(|| color.lerp_to_gamma(Color32::BLACK, 0.45))
}

fn contrast(a: Color32, b: Color32) -> f32 {
    contrast::contrast([a.r(), a.g(), a.b()], [b.r(), b.g(), b.b()])
}

/// Installs the styles of both themes.
pub fn install(ctx: &Context) {
    // A press elsewhere takes the focus from a text field, so that its text is kept before the click does anything.
    ctx.options_mut(|options| options.input_options.surrender_focus_on = SurrenderFocusOn::Presses);
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| dress(style, theme));
    }
}

fn dress(style: &mut Style, theme: Theme) {
    style.text_styles = [
        (TextStyle::Small, FontId::new(12.0, FontFamily::Proportional)),
        (TextStyle::Body, FontId::new(14.0, FontFamily::Proportional)),
        (TextStyle::Button, FontId::new(14.0, FontFamily::Proportional)),
        (TextStyle::Heading, FontId::new(19.0, FontFamily::Proportional)),
        (TextStyle::Monospace, FontId::new(13.0, FontFamily::Monospace)),
    ]
    .into();
    style.spacing.item_spacing = vec2(8.0, 6.0);
    style.spacing.button_padding = vec2(9.0, 5.0);
    style.spacing.interact_size.y = 28.0;
    style.spacing.menu_margin = Margin::same(8);
    style.spacing.window_margin = Margin::same(12);
    style.spacing.icon_width = 16.0;
    style.interaction.tooltip_delay = 0.4;

    let palette = match theme {
        Theme::Dark => Palette::DARK,
        Theme::Light => Palette::LIGHT,
    };
    let visuals = &mut style.visuals;
    *visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    visuals.panel_fill = palette.panel;
    visuals.window_fill = palette.raised;
    visuals.extreme_bg_color = palette.sunken;
    visuals.faint_bg_color = palette.raised;
    visuals.window_stroke = Stroke::new(1.0, palette.line);
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals.menu_corner_radius = CornerRadius::same(8);
    visuals.selection.bg_fill = palette.accent;
    visuals.selection.stroke = Stroke::new(1.0, palette.on_accent);
    visuals.hyperlink_color = palette.accent;
    visuals.slider_trailing_fill = true;
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, palette.line);
    visuals.widgets.noninteractive.fg_stroke = Stroke::new(1.0, palette.text);
    visuals.weak_text_color = Some(palette.weak_text);
    visuals.error_fg_color = palette.error;
    for (widget, fill) in [
        (&mut visuals.widgets.inactive, palette.button),
        (&mut visuals.widgets.hovered, palette.button_hovered),
        (&mut visuals.widgets.active, palette.button_pressed),
        (&mut visuals.widgets.open, palette.button_hovered),
    ] {
        widget.weak_bg_fill = fill;
        widget.bg_fill = fill;
        widget.fg_stroke = Stroke::new(1.5, palette.text);
        widget.corner_radius = CornerRadius::same(6);
    }
    visuals.widgets.inactive.bg_fill = palette.button_hovered;
    visuals.widgets.noninteractive.corner_radius = CornerRadius::same(6);
}

struct Palette {
    panel: Color32,
    raised: Color32,
    sunken: Color32,
    line: Color32,
    text: Color32,
    weak_text: Color32,
    error: Color32,
    button: Color32,
    button_hovered: Color32,
    button_pressed: Color32,
    accent: Color32,
    on_accent: Color32,
}

impl Palette {
    const DARK: Self = Self {
        panel: Color32::from_rgb(0x1C, 0x1F, 0x24),
        raised: Color32::from_rgb(0x26, 0x2A, 0x31),
        sunken: Color32::from_rgb(0x15, 0x17, 0x1B),
        line: Color32::from_rgb(0x36, 0x3B, 0x44),
        text: Color32::from_rgb(0xE4, 0xE7, 0xEB),
        weak_text: Color32::from_rgb(0x9C, 0xA4, 0xB0),
        error: Color32::from_rgb(0xFF, 0x7B, 0x72),
        button: Color32::from_rgb(0x35, 0x3B, 0x45),
        button_hovered: Color32::from_rgb(0x43, 0x4B, 0x57),
        button_pressed: Color32::from_rgb(0x52, 0x5B, 0x68),
        accent: Color32::from_rgb(0x3F, 0x6F, 0xD8),
        on_accent: Color32::WHITE,
    };
    const LIGHT: Self = Self {
        panel: Color32::from_rgb(0xF3, 0xF4, 0xF6),
        raised: Color32::WHITE,
        sunken: Color32::from_rgb(0xE2, 0xE5, 0xE9),
        line: Color32::from_rgb(0xCF, 0xD4, 0xDB),
        text: Color32::from_rgb(0x1F, 0x24, 0x2B),
        weak_text: Color32::from_rgb(0x59, 0x62, 0x6E),
        error: Color32::from_rgb(0xB4, 0x23, 0x18),
        button: Color32::from_rgb(0xE4, 0xE7, 0xEC),
        button_hovered: Color32::from_rgb(0xD3, 0xD9, 0xE1),
        button_pressed: Color32::from_rgb(0xC2, 0xCA, 0xD5),
        accent: Color32::from_rgb(0x2F, 0x5F, 0xC8),
        on_accent: Color32::WHITE,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::MOST_CLASSES;
    use crate::emotion::Emotion;

    /// WCAG 2, level AA, large text, which includes the labels on the picture.
    const LARGE_TEXT: f32 = 3.0;

    /// WCAG 2, level AA, normal text.
    const NORMAL_TEXT: f32 = 4.5;

    #[test]
    fn every_label_is_readable_on_its_colour() {
        let own = Classes::new((0..MOST_CLASSES).map(|class| format!("class {class}")).collect()).unwrap();
        for classes in [Classes::emotions(), own] {
            for class in 0..classes.len() {
                let contrast = contrast(text_on(&classes, class), color(&classes, class));
                assert!(contrast >= LARGE_TEXT, "{}: {contrast}", classes.key(class));
            }
        }
    }

    #[test]
    fn text_is_readable_in_both_themes() {
        for palette in [Palette::DARK, Palette::LIGHT] {
            for background in [palette.panel, palette.raised] {
                assert!(contrast(palette.text, background) >= NORMAL_TEXT);
                assert!(contrast(palette.weak_text, background) >= NORMAL_TEXT);
                assert!(contrast(palette.error, background) >= NORMAL_TEXT);
            }
            assert!(contrast(palette.on_accent, palette.accent) >= NORMAL_TEXT);
        }
        assert!(contrast(BACKDROP_WEAK_TEXT, BACKDROP) >= NORMAL_TEXT);
    }

    #[test]
    fn yellow_gets_an_edge_on_white_and_none_on_black() {
        let happy = color(&Classes::emotions(), Emotion::Happy.index());
        assert!(casing(happy, Color32::WHITE).is_some());
        assert!(casing(happy, Color32::BLACK).is_none());
    }
}
