// Boxes and labels alone, on a transparent background.

import { Line, SILENCE } from "/app/session.js";
import { drawFaces, fit } from "/app/stage.js";

/** How long after the last scene its boxes are removed, in milliseconds: by then they may be wrong. */
const FORGET_AFTER = 1000;

const canvas = document.getElementById("boxes");
const isMirrored = new URLSearchParams(location.search).has("mirror");

function say(words) {
  document.getElementById("state").textContent = words;
}

let forgetting = 0;

function clear() {
  clearTimeout(forgetting);
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

function draw(scene) {
  clearTimeout(forgetting);
  forgetting = setTimeout(clear, FORGET_AFTER);
  fit(canvas);
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  const { picture_width: across, picture_height: down } = scene;
  const scale = Math.min(width / across, height / down);
  const [left, top] = [(width - across * scale) / 2, (height - down * scale) / 2];
  const at = (x, y) => [left + (isMirrored ? across - x : x) * scale, top + y * scale];
  drawFaces(context, scene.faces, at, scale, isMirrored);
}

new Line("/api/v1/overlay", {
  open: () => say(""),
  message: (data) => {
    const message = JSON.parse(data);
    if (message.faces) draw(message);
    // No scene, but the state of the source, as when the camera is lost, or the end of the server.
    else if (message.state !== "playing") clear();
  },
  trouble: (words) => {
    clear();
    say(words);
  },
}, SILENCE);
