//! Opens, clicks, types into and reads a window.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use egui::{Key, Shape};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::session::Source;
use mien::app::settings::Settings;
use mien::app::{App, Launch};
use mien::pipeline::Event;

use super::fake::{Fake, camera_info, video_info};

pub const CLIP: &str = "/somewhere/clip.mp4";
pub const CLIP_LENGTH: Duration = Duration::from_secs(20);

pub type Window = Harness<'static, App>;

pub fn window_with(fake: &Fake, settings: Settings, launch: Launch) -> Window {
    let outside = Arc::new(fake.clone());
    let mut window = Harness::builder()
        .with_size([1200.0, 800.0])
        .build_eframe(move |cc| App::new(&cc.egui_ctx, settings, &launch, outside));
    // Cameras and devices are found by background threads.
    until(&mut window, "the machine is known", |window| window.query_by_label("Model").is_some());
    window
}

pub fn window(fake: &Fake, launch: Launch) -> Window {
    window_with(fake, Settings::default(), launch)
}

/// A window that shows a camera.
pub fn on_camera(fake: &Fake) -> Window {
    let mut window = window(fake, Launch::default());
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    fake.event(Event::Opened(camera_info()));
    window.run_steps(2);
    window
}

/// A window that replays a clip.
pub fn on_video(fake: &Fake) -> Window {
    let source = Some(Source::Video(PathBuf::from(CLIP)));
    let mut window = window(fake, Launch { source, ..Launch::default() });
    fake.event(Event::Opened(video_info(Path::new(CLIP), CLIP_LENGTH)));
    window.run_steps(2);
    window
}

/// Steps the window until a condition holds that another thread brings about.
pub fn until(window: &mut Window, what: &str, so: impl Fn(&Window) -> bool) {
    for _ in 0..500 {
        window.step();
        if so(window) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("waited in vain until {what}; the window shows {:#?}", words(window));
}

/// Every label and value in the window, for the message of a test that fails.
pub fn words(window: &Window) -> Vec<String> {
    let nodes = window.root().children_recursive();
    nodes.filter_map(|node| node.accesskit_node().label().or_else(|| node.accesskit_node().value())).collect()
}

pub fn shows(window: &Window, text: &str) -> bool {
    words(window).iter().any(|word| word.contains(text))
}

#[track_caller]
pub fn assert_shows(window: &Window, text: &str) {
    assert!(shows(window, text), "“{text}” is not among {:#?}", words(window));
}

/// All text that was painted.
pub fn painted(window: &Window) -> Vec<String> {
    fn collect(shape: &Shape, texts: &mut Vec<String>) {
        match shape {
            Shape::Text(text) => texts.push(text.galley.text().to_owned()),
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, texts)),
            _ => {}
        }
    }
    let mut texts = Vec::new();
    window.output().shapes.iter().for_each(|clipped| collect(&clipped.shape, &mut texts));
    texts
}

/// Clicks on a label once it is there: some depend on what a background thread finds.
pub fn click(window: &mut Window, label: &str) {
    until(window, label, |window| window.query_by_label(label).is_some());
    window.get_by_label(label).click();
    // egui first lays out invisibly what a click opens.
    window.run_steps(4);
}

pub fn press(window: &mut Window, key: Key) {
    window.key_press(key);
    window.run_steps(2);
}

/// Drops a file on the window.
pub fn drop_file(window: &mut Window, path: &Path) {
    #[derive(Debug)]
    struct Dropped(PathBuf);
    impl egui::DroppedFile for Dropped {
        fn path(&self) -> &Path {
            &self.0
        }
        fn bytes(&self) -> Result<Vec<u8>, String> {
            Err("not read".to_owned())
        }
    }
    window.input_mut().dropped_files.push(Arc::new(Dropped(path.to_owned())));
    window.run_steps(2);
}

pub fn show(window: &mut Window, fake: &Fake, at_ms: u64, faces: Vec<mien::face::Face>) {
    fake.scene(Duration::from_millis(at_ms), faces);
    window.run_steps(2);
}
