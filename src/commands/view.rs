//! The options that every command with a window has in common.

use clap::Args;

use super::labels::LabelArgs;
#[cfg(feature = "gui")]
use crate::app::{Launch, session::Source};
use crate::blur::Blur;
#[cfg(feature = "gui")]
use crate::net::ModelSource;

/// How faces are looked for, labelled and shown. What is given holds for this run alone.
#[derive(Clone, Debug, Default, Args)]
pub struct ViewArgs {
    #[command(flatten)]
    pub labels: LabelArgs,

    /// Make people unrecognisable in what is written (recordings, annotated videos, exports): blur their faces, or everything else. The
    /// window itself isn't blurred (docs/blur.md)
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Showing and writing")]
    pub blur: Option<Blur>,

    /// Swap left and right, as a mirror does
    #[arg(long, overrides_with = "no_mirror", help_heading = "Showing and writing")]
    pub mirror: bool,

    /// Show left on the left
    #[arg(long, overrides_with = "mirror", help_heading = "Showing and writing")]
    pub no_mirror: bool,
}

impl ViewArgs {
    /// How the window starts with these options.
    #[cfg(feature = "gui")]
    pub fn launch(&self, source: Option<Source>) -> Launch {
        let mirror = match (self.mirror, self.no_mirror) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        Launch {
            source,
            device: self.labels.device,
            model: self.labels.model.as_ref().map(ModelSource::to_string),
            prior: self.labels.prior.clone(),
            flip: self.labels.flip.then_some(true),
            smoothing_secs: self.labels.smoothing,
            mirror,
            blur: self.blur,
            detection: self.labels.detection.clone(),
            ..Launch::default()
        }
    }
}
