// Boxes and labels alone, on nothing.

import { Line, open } from "/app/session.js";
import { drawFaces, fit } from "/app/stage.js";

const canvas = document.getElementById("boxes");
const isMirrored = new URLSearchParams(location.search).has("mirror");

function say(words) {
  document.getElementById("state").textContent = words;
}

function draw(scene) {
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

await open().catch(() => {});
new Line("/api/v1/live", {
  open: () => say(""),
  message: (data) => draw(JSON.parse(data)),
  trouble: (words) => {
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    say(words);
  },
});
