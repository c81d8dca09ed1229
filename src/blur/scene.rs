//! Blurring the pictures of scenes.

use super::Blur;
use super::timeline::{Blurred, Blurrer};
use crate::face::Face;
use crate::pipeline::Scene;

/// Blurs the pictures of a video's scenes. They come out in order, about half a second later.
pub struct SceneBlurrer(Blurrer<Scene>);

impl SceneBlurrer {
    /// Creates a blurrer for the start of a video.
    pub fn new(blur: Blur) -> Self {
        Self(Blurrer::new(blur))
    }

    /// Takes the next scene, and returns the scenes that later ones can no longer affect.
    ///
    /// `everybody` contains all faces found in its picture. The scene itself may have fewer, without hidden people and low-quality faces,
    /// who have to be blurred too.
    ///
    /// # Errors
    /// When OpenCV fails.
    pub fn push(&mut self, mut scene: Scene, everybody: &[Face]) -> opencv::Result<Vec<Scene>> {
        let (picture, time) = (std::mem::take(&mut scene.frame.image), scene.frame.media_time);
        // The copy made for the window's texture isn't blurred.
        scene.picture = None;
        Ok(put_back(self.0.push(picture, everybody, time, scene)?))
    }

    /// Returns the scenes that are still held back.
    ///
    /// # Errors
    /// When OpenCV fails.
    pub fn finish(self) -> opencv::Result<Vec<Scene>> {
        Ok(put_back(self.0.finish()?))
    }
}

/// Puts the blurred pictures back into their scenes.
fn put_back(blurred: Vec<Blurred<Scene>>) -> Vec<Scene> {
    let with_picture = |(picture, mut scene): Blurred<Scene>| {
        scene.frame.image = picture;
        scene
    };
    blurred.into_iter().map(with_picture).collect()
}
