//! The button icons, painted as shapes: sharp at any scale and in any theme, without an icon font.

use egui::{Atom, Color32, Painter, Pos2, Rect, Shape, Stroke, pos2, vec2};

/// Width and height of an icon in points.
pub const SIZE: f32 = 13.0;

/// An icon for a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// Play, or resume.
    Play,
    /// Pause.
    Pause,
    /// Stop.
    Stop,
    /// One frame back.
    StepBack,
    /// One frame forward.
    StepForward,
    /// Loop, or try again.
    Loop,
    /// Swap left and right.
    Mirror,
    /// More settings.
    Settings,
    /// Open a file or folder.
    Open,
    /// A camera.
    Camera,
    /// What is drawn over the picture.
    Layers,
    /// Close or remove.
    Close,
    /// Full screen.
    FullScreen,
    /// Opens a menu below.
    Menu,
    /// Record.
    Record,
    /// Save one picture.
    Snapshot,
    /// Mark a moment.
    Mark,
}

impl Icon {
    /// The icon as part of a button, in the colour of the button's text.
    pub fn atom(self) -> Atom<'static> {
        Atom::paint(vec2(SIZE, SIZE), move |ui, args| self.paint(ui.painter(), args.rect, args.fallback_text_color))
    }

    /// The icon as part of a button, in the given colour.
    pub fn atom_in(self, color: Color32) -> Atom<'static> {
        Atom::paint(vec2(SIZE, SIZE), move |ui, args| self.paint(ui.painter(), args.rect, color))
    }

    /// A small, faint icon, beside more important text.
    pub fn small_atom(self) -> Atom<'static> {
        let size = vec2(SIZE, SIZE) * 0.7;
        Atom::paint(size, move |ui, args| {
            self.paint(ui.painter(), args.rect, args.fallback_text_color.gamma_multiply(0.7));
        })
    }

    /// Paints the icon into a square.
    pub fn paint(self, painter: &Painter, rect: Rect, color: Color32) {
        let at = |x: f32, y: f32| pos2(rect.left() + x * rect.width(), rect.top() + y * rect.height());
        let stroke = Stroke::new(rect.width() * 0.11, color);
        let fill = |points: Vec<Pos2>| painter.add(Shape::convex_polygon(points, color, Stroke::NONE));
        let line = |points: Vec<Pos2>| painter.add(Shape::line(points, stroke));
        let bar = |x0: f32, y0: f32, x1: f32, y1: f32| {
            painter.rect_filled(Rect::from_min_max(at(x0, y0), at(x1, y1)), rect.width() * 0.06, color)
        };
        match self {
            Self::Play => {
                fill(vec![at(0.18, 0.05), at(0.95, 0.5), at(0.18, 0.95)]);
            }
            Self::Pause => {
                bar(0.14, 0.08, 0.40, 0.92);
                bar(0.60, 0.08, 0.86, 0.92);
            }
            Self::Stop => {
                bar(0.12, 0.12, 0.88, 0.88);
            }
            Self::StepBack => {
                bar(0.08, 0.12, 0.24, 0.88);
                fill(vec![at(0.92, 0.10), at(0.30, 0.5), at(0.92, 0.90)]);
            }
            Self::StepForward => {
                bar(0.76, 0.12, 0.92, 0.88);
                fill(vec![at(0.08, 0.10), at(0.70, 0.5), at(0.08, 0.90)]);
            }
            Self::Loop => {
                line(vec![at(0.02, 0.52), at(0.02, 0.26), at(0.72, 0.26)]);
                fill(vec![at(0.62, 0.04), at(0.96, 0.26), at(0.62, 0.48)]);
                line(vec![at(0.98, 0.48), at(0.98, 0.76), at(0.28, 0.76)]);
                fill(vec![at(0.38, 0.54), at(0.04, 0.76), at(0.38, 0.98)]);
            }
            Self::Mirror => {
                line(vec![at(0.5, 0.0), at(0.5, 0.28)]);
                line(vec![at(0.5, 0.38), at(0.5, 0.62)]);
                line(vec![at(0.5, 0.72), at(0.5, 1.0)]);
                fill(vec![at(0.36, 0.2), at(0.36, 0.8), at(0.0, 0.8)]);
                painter.add(Shape::closed_line(vec![at(0.66, 0.24), at(0.66, 0.76), at(0.96, 0.76)], stroke));
            }
            Self::Settings => {
                for (y, knob) in [(0.16, 0.70), (0.5, 0.30), (0.84, 0.62)] {
                    line(vec![at(0.0, y), at(1.0, y)]);
                    painter.circle_filled(at(knob, y), rect.width() * 0.14, color);
                }
            }
            Self::Open => {
                line(vec![
                    at(0.02, 0.88),
                    at(0.02, 0.14),
                    at(0.38, 0.14),
                    at(0.48, 0.28),
                    at(0.86, 0.28),
                    at(0.86, 0.42),
                ]);
                painter.add(Shape::closed_line(
                    vec![at(0.02, 0.88), at(0.20, 0.44), at(1.0, 0.44), at(0.84, 0.88)],
                    stroke,
                ));
            }
            Self::Camera => {
                painter
                    .add(Shape::closed_line(vec![at(0.02, 0.2), at(0.66, 0.2), at(0.66, 0.8), at(0.02, 0.8)], stroke));
                fill(vec![at(0.72, 0.46), at(1.0, 0.24), at(1.0, 0.76), at(0.72, 0.54)]);
            }
            Self::Layers => {
                painter.add(Shape::closed_line(
                    vec![at(0.02, 0.34), at(0.5, 0.06), at(0.98, 0.34), at(0.5, 0.62)],
                    stroke,
                ));
                line(vec![at(0.02, 0.62), at(0.5, 0.92), at(0.98, 0.62)]);
            }
            Self::Close => {
                line(vec![at(0.12, 0.12), at(0.88, 0.88)]);
                line(vec![at(0.88, 0.12), at(0.12, 0.88)]);
            }
            Self::Record => {
                painter.circle_filled(rect.center(), rect.width() * 0.42, color);
            }
            Self::Snapshot => {
                line(vec![at(0.3, 0.22), at(0.38, 0.06), at(0.62, 0.06), at(0.7, 0.22)]);
                painter.add(Shape::closed_line(
                    vec![at(0.02, 0.22), at(0.98, 0.22), at(0.98, 0.92), at(0.02, 0.92)],
                    stroke,
                ));
                painter.circle_stroke(at(0.5, 0.57), rect.width() * 0.2, stroke);
            }
            Self::Mark => {
                line(vec![at(0.2, 0.02), at(0.2, 1.0)]);
                fill(vec![at(0.2, 0.06), at(0.94, 0.32), at(0.2, 0.58)]);
            }
            Self::Menu => {
                line(vec![at(0.16, 0.36), at(0.5, 0.68), at(0.84, 0.36)]);
            }
            Self::FullScreen => {
                for (x, y) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
                    let inner = |v: f32| if v > 0.5 { 0.68 } else { 0.32 };
                    let edge = |v: f32| if v > 0.5 { 0.94 } else { 0.06 };
                    line(vec![at(inner(x), edge(y)), at(edge(x), edge(y)), at(edge(x), inner(y))]);
                }
            }
        }
    }
}
