//! Scenes whose pictures are blurred.

use super::Blur;
use super::timeline::{Blurred, Blurrer};
use crate::face::Face;
use crate::pipeline::Scene;

/// Blurs the pictures of the scenes of a video. They come out in order, up to half a second later.
pub struct SceneBlurrer(Blurrer<Scene>);

impl SceneBlurrer {
    /// One that has seen nothing yet.
    pub fn new(blur: Blur) -> Self {
        Self(Blurrer::new(blur))
    }

    /// Takes the next scene, and gives those that nothing more can be learnt of.
    ///
    /// `everybody` is all faces that were found on its picture. The scene's own may be fewer: who was hidden, and whose picture is of
    /// little quality, is a person too.
    ///
    /// # Errors
    /// When OpenCV fails.
    pub fn push(&mut self, mut scene: Scene, everybody: &[Face]) -> opencv::Result<Vec<Scene>> {
        let (picture, time) = (std::mem::take(&mut scene.frame.image), scene.frame.media_time);
        // A copy for a texture would show everybody as they are.
        scene.picture = None;
        Ok(put_back(self.0.push(picture, everybody, time, scene)?))
    }

    /// Gives the scenes that still wait.
    ///
    /// # Errors
    /// When OpenCV fails.
    pub fn finish(self) -> opencv::Result<Vec<Scene>> {
        Ok(put_back(self.0.finish()?))
    }
}

/// The scenes with their blurred pictures.
fn put_back(blurred: Vec<Blurred<Scene>>) -> Vec<Scene> {
    let with_picture = |(picture, mut scene): Blurred<Scene>| {
        scene.frame.image = picture;
        scene
    };
    blurred.into_iter().map(with_picture).collect()
}
