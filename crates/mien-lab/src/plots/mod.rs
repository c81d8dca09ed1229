//! Pictures of what the lab measured, as PNG. The font is part of the program, so that they look alike everywhere.

mod bars;
mod confusion;
mod curves;
mod sheet;
mod terminal;

use std::path::Path;
use std::sync::OnceLock;

use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use plotters::backend::BitMapBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::style::{Color as _, FontStyle, RGBColor, TextStyle, WHITE, register_font};

pub use bars::{Bars, Quantity, Series};
pub use confusion::confusion;
pub use curves::{Line, Panel, curves, two_panels};
pub use sheet::contact_sheet;
pub use terminal::accuracy_chart;

use mien_core::contrast;
use mien_core::whole::{self, Existing};

/// The name of the font in plotters.
const FONT: &str = "plots";

/// Text and lines: dark enough on white for every reader.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Secondary text.
pub(super) const FAINT: RGBColor = RGBColor(0x60, 0x60, 0x60);
/// Grid lines.
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);

/// Colours of series, in order: from the Okabe–Ito set, which colour-blind readers can tell apart.
pub(super) const SERIES: [RGBColor; 4] =
    [RGBColor(0x00, 0x72, 0xB2), RGBColor(0xE6, 0x9F, 0x00), RGBColor(0x00, 0x9E, 0x73), RGBColor(0xCC, 0x79, 0xA7)];

/// Font sizes of titles, subtitles and the rest, in pixels.
const TITLE: u32 = 21;
const SUBTITLE: u32 = 14;
pub(super) const LABEL: u32 = 14;

/// Left margin of title and subtitle, and their height together, in pixels.
pub(super) const MARGIN: i32 = 20;
pub(super) const HEAD: u32 = 74;

/// A plot can't be drawn or written.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// plotters failed.
    #[error("can't draw the plot: {0}")]
    Draw(String),
    /// The file can't be written.
    #[error("can't write the plot {path}: {source}")]
    Write {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing to show.
    #[error("there is nothing to plot: {0}")]
    Empty(&'static str),
}

/// A finished picture.
pub struct Plot(RgbImage);

impl Plot {
    /// The picture, 8 bits a channel.
    pub fn image(&self) -> &RgbImage {
        &self.0
    }

    /// Writes it as PNG, atomically.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), PlotError> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        // Most neighbouring pixels are equal, so PNG's filters would make the file larger.
        let smallest = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::NoFilter);
        let written = self.0.write_with_encoder(smallest).map_err(std::io::Error::other);
        written
            .and_then(|()| whole::write(path, bytes.get_ref(), Existing::Replace))
            .map_err(|source| PlotError::Write { path: path.to_owned(), source })
    }
}

/// The area to draw on.
pub(super) type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Creates a white picture with title and subtitle; `draw` draws the rest.
pub(super) fn plot(
    (width, height): (u32, u32),
    title: &str,
    subtitle: &str,
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), PlotError>,
) -> Result<Plot, PlotError> {
    load_font()?;
    let mut pixels = vec![0; (3 * width * height) as usize];
    {
        let canvas = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        canvas.fill(&WHITE).map_err(drawing)?;
        canvas.draw_text(title, &text(TITLE, INK), (MARGIN, 14)).map_err(drawing)?;
        canvas.draw_text(subtitle, &text(SUBTITLE, FAINT), (MARGIN, 44)).map_err(drawing)?;
        let (_, body) = canvas.split_vertically(HEAD);
        draw(&body)?;
        canvas.present().map_err(drawing)?;
    }
    RgbImage::from_raw(width, height, pixels).map(Plot).ok_or_else(|| PlotError::Draw("wrong size".to_owned()))
}

/// Registers the font with plotters, once.
fn load_font() -> Result<(), PlotError> {
    static LOADED: OnceLock<bool> = OnceLock::new();
    let is_loaded =
        *LOADED.get_or_init(|| register_font(FONT, FontStyle::Normal, epaint_default_fonts::HACK_REGULAR).is_ok());
    if is_loaded { Ok(()) } else { Err(PlotError::Draw("the font is damaged".to_owned())) }
}

pub(super) fn text(size: u32, color: RGBColor) -> TextStyle<'static> {
    let mut style = TextStyle::from((FONT, size));
    style.color = color.to_backend_color();
    style
}

/// Converts an error of plotters, whose type depends on the backend.
pub(super) fn drawing(error: impl std::fmt::Display) -> PlotError {
    PlotError::Draw(error.to_string())
}

/// White or dark text, whichever is readable on `background`.
fn readable_on(RGBColor(r, g, b): RGBColor) -> RGBColor {
    if contrast::wants_dark_text([r, g, b]) { INK } else { WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_is_written_as_png_and_a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let plot = plot((200, 120), "Title", "subtitle", |_| Ok(())).unwrap();
        assert!(plot.image().pixels().any(|pixel| pixel.0 != [255; 3]), "the title is drawn");
        let path = folder.path().join("plot.png");
        plot.save(&path).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgb8(), *plot.image());
        let error = plot.save(&folder.path().join("no/plot.png")).unwrap_err().to_string();
        assert!(error.contains("no/plot.png"), "{error}");
    }
}
