// The last minute of the chosen face, one line per class.

import { CLASSES, HEADING } from "/app/classes.js";
import { fit } from "/app/stage.js";

const SPAN = 60_000;
/** The lines are broken where the face was away for longer than this, in milliseconds. */
const GAP = 1500;
/** Most faces whose last minute is kept. */
const MOST_FACES = 32;
/** Least time between two points, in milliseconds: more points can't be seen. */
const STEP = 100;
const EMPTY = `${HEADING} over the last minute`;
const MARGIN = { left: 52, right: 12, top: 10, bottom: 22 };

/** Relative luminance of `#rrggbb` as defined by WCAG 2. */
function luminance(color) {
  const part = (from) => {
    const value = parseInt(color.slice(from, from + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
}

/** Returns a darker `#rrggbb` to draw under a line whose colour is hard to see on white, else `null`. */
function casing(color) {
  if (1.05 / (luminance(color) + 0.05) >= 1.8) return null;
  const darker = (from) => Math.floor(parseInt(color.slice(from, from + 2), 16) * 0.55).toString(16).padStart(2, "0");
  return `#${darker(1)}${darker(3)}${darker(5)}`;
}

const CASINGS = CLASSES.map(({ color }) => casing(color));

export class Timeline {
  #canvas;
  /** The points of each face, as `{ t, values }`, the oldest first. */
  #past = new Map();
  #isLight = matchMedia("(prefers-color-scheme: light)");

  constructor(canvas) {
    this.#canvas = canvas;
    canvas.setAttribute("aria-label", EMPTY);
  }

  add(faces, now) {
    for (const face of faces) {
      const points = this.#past.get(face.face) ?? [];
      if (points.length && now - points.at(-1).t < STEP) continue;
      points.push({ t: now, values: CLASSES.map(({ column }) => face[`smoothed_${column}`]) });
      while (points[0].t < now - SPAN) points.shift();
      // Last in the map, so that the face that has been away longest comes first.
      this.#past.delete(face.face);
      this.#past.set(face.face, points);
    }
    for (const [number, points] of this.#past) {
      if (points.at(-1).t < now - SPAN) this.#past.delete(number);
    }
    while (this.#past.size > MOST_FACES) this.#past.delete(this.#past.keys().next().value);
  }

  clear() {
    this.#past.clear();
  }

  draw(chosen, now) {
    const canvas = this.#canvas;
    fit(canvas);
    const ratio = devicePixelRatio;
    const [width, height] = [canvas.width / ratio, canvas.height / ratio];
    if (width < 60 || height < 60) return;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const x = (t) => MARGIN.left + (1 - (now - t) / SPAN) * (width - MARGIN.left - MARGIN.right);
    const y = (share) => height - MARGIN.bottom - share * (height - MARGIN.top - MARGIN.bottom);
    this.#drawGrid(context, style, x, y, now);
    const points = this.#past.get(chosen) ?? [];
    context.lineJoin = "round";
    CLASSES.forEach((item, index) => {
      const trace = () => {
        context.beginPath();
        points.forEach((point, i) => {
          const begins = i === 0 || point.t - points[i - 1].t > GAP;
          context[begins ? "moveTo" : "lineTo"](x(point.t), y(point.values[index]));
        });
      };
      trace();
      if (this.#isLight.matches && CASINGS[index]) {
        context.strokeStyle = CASINGS[index];
        context.lineWidth = 3.6;
        context.stroke();
      }
      context.strokeStyle = item.color;
      context.lineWidth = 2;
      context.stroke();
    });
    if (points.length) {
      context.fillStyle = style.getPropertyValue("--weak");
      context.textAlign = "left";
      context.textBaseline = "top";
      context.fillText(`Face ${chosen}`, MARGIN.left + 4, MARGIN.top + 2);
    }
    const words = points.length ? `${HEADING} of face ${chosen} over the last minute` : EMPTY;
    if (canvas.getAttribute("aria-label") !== words) canvas.setAttribute("aria-label", words);
  }

  #drawGrid(context, style, x, y, now) {
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = style.getPropertyValue("--weak");
    context.strokeStyle = style.getPropertyValue("--line");
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const share of [0, 0.5, 1]) {
      const at = Math.round(y(share)) + 0.5;
      context.beginPath();
      context.moveTo(x(now - SPAN), at);
      context.lineTo(x(now), at);
      context.stroke();
      context.fillText(`${share * 100} %`, MARGIN.left - 6, at);
    }
    context.textBaseline = "alphabetic";
    const times = [[60, "left"], [45, "center"], [30, "center"], [15, "center"], [0, "right"]];
    for (const [seconds, align] of times) {
      context.textAlign = align;
      context.fillText(seconds ? `−${seconds} s` : "now", x(now - seconds * 1000), y(0) + 16);
    }
  }
}
