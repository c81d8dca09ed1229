// Draws a picture and the boxes of its faces.

import { CLASSES } from "/app/classes.js";

const BY_KEY = new Map(CLASSES.map((item) => [item.key, item]));
/** An unsure face gets a neutral colour. */
const UNSURE = { name: "unsure", color: "#464646", text: "#ffffff" };

/** Returns the class that a face is labelled with and the words of the label, as `{ item, words }`. */
export function verdict(face) {
  const item = BY_KEY.get(face.verdict);
  if (!item) return { item: UNSURE, words: UNSURE.name };
  return { item, words: `${item.name} ${Math.round(face[`smoothed_${item.column}`] * 100)} %` };
}

/** Draws boxes and labels. `at(x, y)` maps a point of the picture to the canvas; `scale` is canvas pixels per picture pixel. */
export function drawFaces(context, faces, at, scale, isMirrored) {
  const size = Math.max(13 * devicePixelRatio, Math.min(19 * devicePixelRatio, context.canvas.height / 22));
  const line = Math.max(2, Math.round(size / 7));
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  for (const face of faces) {
    const { item, words } = verdict(face);
    const [left, top] = at(isMirrored ? face.x + face.width : face.x, face.y);
    const [width, height] = [face.width * scale, face.height * scale];
    // A dark line under the coloured one keeps the box visible on a background of the same colour.
    for (const [style, thickness] of [["rgb(0 0 0 / 65%)", line + 2], [item.color, line]]) {
      context.strokeStyle = style;
      context.lineWidth = thickness;
      context.strokeRect(left, top, width, height);
    }
    const text = `${face.face}  ${words}`;
    const patch = { width: context.measureText(text).width + size, height: size * 1.6 };
    const x = Math.max(0, Math.min(left - line / 2, context.canvas.width - patch.width));
    const y = top >= patch.height ? top - patch.height : Math.max(top, 0);
    context.fillStyle = item.color;
    context.fillRect(x, y, patch.width, patch.height);
    context.fillStyle = item.text;
    context.fillText(text, x + size / 2, y + patch.height / 2);
  }
}

/** Gives a canvas the screen's resolution. */
export function fit(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const [w, h] = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
  if (canvas.width === w && canvas.height === h) return;
  canvas.width = w;
  canvas.height = h;
}

/** The picture, centred on its canvas and as large as fits. */
export class Stage {
  #canvas;
  #shown = null;
  isMirrored = false;

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Shows a picture with its faces; `null` shows none. */
  show(picture, scene) {
    this.#shown?.picture.close();
    this.#shown = picture ? { picture, scene } : null;
    // Where the page scrolls, the stage has the shape of the picture.
    if (picture) this.#canvas.parentElement.style.setProperty("--shape", `${picture.width} / ${picture.height}`);
    this.draw();
  }

  /** Removes the faces from the picture, because they may no longer be there. */
  forgetFaces() {
    if (!this.#shown) return;
    this.#shown.scene = { ...this.#shown.scene, faces: [] };
    this.draw();
  }

  get isEmpty() {
    return this.#shown === null;
  }

  draw() {
    fit(this.#canvas);
    const { width, height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    if (!this.#shown || !width || !height) return;
    const { picture, scene } = this.#shown;
    const scale = Math.min(width / picture.width, height / picture.height);
    const left = (width - picture.width * scale) / 2;
    const top = (height - picture.height * scale) / 2;
    const across = (x) => (this.isMirrored ? picture.width - x : x);
    context.save();
    if (this.isMirrored) {
      context.translate(width, 0);
      context.scale(-1, 1);
    }
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, left, top, picture.width * scale, picture.height * scale);
    context.restore();
    const at = (x, y) => [left + across(x) * scale, top + y * scale];
    drawFaces(context, scene.faces, at, scale, this.isMirrored);
  }
}
