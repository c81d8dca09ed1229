//! `mien doctor`: what works here, and what to do about what doesn't.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use console::{Style, StyledObject};
use opencv::videoio::{self, VideoCaptureAPIs};
use serde::Serialize;
use tch::{Cuda, Device};

use super::display;
use crate::classify::TorchClassifier;
use crate::console::{print, print_json};
use crate::demo;
use crate::detect::{self, DetectionOptions, DetectorKind};
use crate::device::{self, CUDA_NEEDS, DeviceChoice};
use crate::net::ModelSource;
use crate::process;
use crate::source::{CameraEntry, FrameSource as _, VideoSource, list_cameras};
use crate::torch;
use crate::version::Versions;

/// Width of the names on the left.
const NAME_WIDTH: usize = 12;

/// Show what works on this machine, and what to do about what doesn't
///
/// Exit code 0 means that Mien can do its main job here: a network and a face detector work. A camera may be missing, as on
/// a server.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Print one JSON object instead of the list
    #[arg(long)]
    pub json: bool,
}

/// The state of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    /// It works.
    Works,
    /// It isn't there, and Mien can do without.
    Missing,
    /// It should work and doesn't.
    Broken,
}

/// The result of checking one component.
#[derive(Clone, Debug, Serialize)]
struct Check {
    name: String,
    health: Health,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// The results of all checks.
#[derive(Debug, Serialize)]
struct Diagnosis {
    /// Whether Mien can do its main job.
    ready: bool,
    checks: Vec<Check>,
    versions: Versions,
}

impl DoctorArgs {
    /// Runs the checks and prints their results.
    ///
    /// # Errors
    /// When Mien can't do its main job here.
    pub fn run(&self) -> anyhow::Result<()> {
        let diagnosis = Diagnosis::make();
        if self.json {
            print_json(&diagnosis)?;
        } else {
            print(&diagnosis.text())?;
        }
        if !diagnosis.ready {
            bail!("Mien can't do its job here yet; follow the hints below the lines marked ✘");
        }
        Ok(())
    }
}

impl Diagnosis {
    fn make() -> Self {
        let cameras = list_cameras();
        let (network, haar) = (detector(DetectorKind::Faces), detector(DetectorKind::Haar));
        let models: Vec<_> = ModelSource::shipped().map(|source| model(&source)).collect();
        let ready = network.works() && models.iter().any(Check::works);

        let mut checks = vec![display()];
        checks.extend(camera_checks(&cameras));
        checks.extend([demo_clip(), opencv(), network, haar, libtorch(), cuda()]);
        checks.extend(models);
        checks.push(folders());
        Self { ready, checks, versions: Versions::here() }
    }

    fn text(&self) -> String {
        let versions = &self.versions;
        let mut text = format!("mien {} (commit {})\n\n", versions.mien, versions.commit);
        for check in &self.checks {
            text += &format!("  {} {:NAME_WIDTH$} {}\n", check.mark(), check.name, check.detail);
            if let Some(hint) = &check.hint {
                text += &format!("    {:NAME_WIDTH$} {}\n", "", Style::new().dim().apply_to(format!("→ {hint}")));
            }
        }
        let verdict = if self.ready {
            Style::new().green().apply_to("Mien can do its job here.")
        } else {
            Style::new().red().apply_to("Mien can't do its job here yet.")
        };
        text + &format!("\n{verdict}\n")
    }
}

impl Check {
    fn new(name: &str, health: Health, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), health, detail: detail.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn works(&self) -> bool {
        self.health == Health::Works
    }

    fn mark(&self) -> StyledObject<&'static str> {
        match self.health {
            Health::Works => Style::new().green().apply_to("✔"),
            Health::Missing => Style::new().yellow().apply_to("–"),
            Health::Broken => Style::new().red().bold().apply_to("✘"),
        }
    }
}

fn display() -> Check {
    match display::why_none() {
        None => Check::new("display", Health::Works, "there is one"),
        Some(why) => Check::new("display", Health::Missing, format!("none: {why}"))
            .hint("`mien replay FILE` works without one and writes a video and a table"),
    }
}

fn camera_checks(cameras: &[CameraEntry]) -> Vec<Check> {
    if cameras.is_empty() {
        let none = Check::new("camera", Health::Missing, "none found");
        return vec![none.hint("plug one in, or open a video: `mien replay FILE`")];
    }
    cameras
        .iter()
        .map(|camera| {
            let detail = format!("{} {} ({})", camera.index, camera.name, camera.path.display());
            match may_open(&camera.path) {
                Ok(()) => Check::new("camera", Health::Works, detail),
                Err(error) => {
                    let broken = Check::new("camera", Health::Broken, format!("{detail}: {error}"));
                    broken.hint(if error.kind() == ErrorKind::PermissionDenied {
                        "add yourself to the group “video” (sudo usermod -aG video $USER) and log in again"
                    } else {
                        "unplug it and plug it in again; in a container or virtual machine, pass it through"
                    })
                }
            }
        })
        .collect()
}

/// Whether a camera's device file can be opened. Opening it doesn't start the camera.
fn may_open(path: &Path) -> std::io::Result<()> {
    // On systems where cameras aren't files, there is nothing to try.
    if path.as_os_str().is_empty() || !path.exists() { Ok(()) } else { std::fs::File::open(path).map(drop) }
}

fn demo_clip() -> Check {
    let Some(path) = demo::clip() else {
        return Check::new("demo clip", Health::Missing, "not on this machine")
            .hint("`make setup` in a clone of the sources fetches it; any video of yours will do");
    };
    match VideoSource::open(&path) {
        Ok(video) => {
            let info = video.info();
            Check::new("demo clip", Health::Works, format!("{} ({}×{})", path.display(), info.width, info.height))
        }
        Err(error) => Check::new("demo clip", Health::Broken, error.to_string())
            .hint(format!("remove {}; `make setup` in a clone of the sources fetches it again", path.display())),
    }
}

fn opencv() -> Check {
    let version = Versions::here().opencv.unwrap_or_else(|| "of unknown version".into());
    match backends() {
        Ok((cameras, files)) if files.iter().any(|name| name == "FFMPEG") => {
            let detail = format!("{version}, cameras by {}, files by {}", first(&cameras), first(&files));
            Check::new("OpenCV", Health::Works, detail)
        }
        Ok((_, files)) => {
            Check::new("OpenCV", Health::Broken, format!("{version}, files by {} only", files.join(", ")))
                .hint("install an OpenCV built with FFmpeg: without it most videos can't be read")
        }
        Err(error) => Check::new("OpenCV", Health::Broken, format!("{version}: {error}"))
            .hint("install OpenCV again, or the package that Mien came in"),
    }
}

/// The names that OpenCV tries first; the rest would fill the line.
fn first(names: &[String]) -> String {
    names.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Names of OpenCV's backends for cameras and for files.
fn backends() -> opencv::Result<(Vec<String>, Vec<String>)> {
    let names = |apis: opencv::core::Vector<VideoCaptureAPIs>| -> opencv::Result<Vec<String>> {
        apis.iter().map(videoio::get_backend_name).collect()
    };
    Ok((names(videoio::get_camera_backends()?)?, names(videoio::get_stream_backends()?)?))
}

/// Checks that a detector can be loaded.
fn detector(kind: DetectorKind) -> Check {
    let (name, what, hint) = match kind {
        DetectorKind::Faces => {
            ("detector", "network for faces and landmarks, part of the program", "build Mien again from a clean clone")
        }
        DetectorKind::Haar => (
            "Haar detector",
            "cascade for frontal faces, part of the program",
            "build Mien again with another OpenCV, or report this",
        ),
    };
    match detect::make(&DetectionOptions { detector: kind, ..DetectionOptions::default() }, Device::Cpu) {
        Ok(_) => Check::new(name, Health::Works, what),
        Err(error) => Check::new(name, Health::Broken, error.to_string()).hint(hint),
    }
}

fn libtorch() -> Check {
    let version = Versions::here().libtorch;
    let part = if device::has_cuda_part() { "with CUDA" } else { "for the CPU only" };
    let place = loaded_from("libtorch_cpu.so").map(|place| format!(", from {}", place.display())).unwrap_or_default();
    Check::new("libtorch", Health::Works, format!("{version}, {part}{place}"))
}

/// The folder that a library was loaded from, if the system reports it.
fn loaded_from(library: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let paths = maps.lines().filter_map(|line| line.find('/').map(|begin| Path::new(&line[begin..])));
    paths.into_iter().find(|path| path.ends_with(library))?.parent().map(Path::to_owned)
}

fn cuda() -> Check {
    match device::try_cuda() {
        Some(Ok(())) => return Check::new("CUDA", Health::Works, format!("{} device(s)", Cuda::device_count())),
        Some(Err(error)) => {
            let broken = Check::new("CUDA", Health::Broken, format!("the card can't compute: {}", torch::said(&error)));
            return if device::is_taken(&error.to_string()) {
                broken.hint("other programs are using it, or all of its memory: nvidia-smi lists them")
            } else {
                broken.hint(format!("the network runs on the CPU instead; {CUDA_NEEDS}"))
            };
        }
        None => {}
    }
    let check = Check::new("CUDA", Health::Missing, "none; the network runs on the CPU");
    match (process::has_nvidia_driver(), device::has_cuda_part()) {
        (true, false) => check.hint("there is an NVIDIA driver: docs/install.md says how to get a libtorch with CUDA"),
        (true, true) => check.hint(format!("libtorch finds no card that it can use: {CUDA_NEEDS}")),
        (false, true) => check.hint("NVIDIA's driver isn't loaded: nvidia-smi has to work first"),
        (false, false) => check,
    }
}

/// Loads a shipped model and runs it once.
fn model(source: &ModelSource) -> Check {
    match TorchClassifier::load(source, DeviceChoice::Cpu, None) {
        Ok(classifier) => {
            let card = &classifier.model().card;
            let millions = card.parameters as f64 / 1e6;
            let prior = classifier.prior();
            let detail = format!("{source}: {}, {millions:.2} M parameters, {prior} prior", card.network.architecture);
            Check::new("model", Health::Works, detail)
        }
        Err(error) => Check::new("model", Health::Broken, format!("{source}: {error}"))
            .hint("build Mien again from a clean clone: the models are part of the program"),
    }
}

/// Where Mien keeps things, so that they can be found and removed.
fn folders() -> Check {
    match directories::BaseDirs::new() {
        Some(user) => Check::new("cache", Health::Works, user.cache_dir().join("mien").display().to_string()),
        None => Check::new("cache", Health::Missing, "this user has no home folder")
            .hint("settings are not saved; set HOME to change that"),
    }
}
