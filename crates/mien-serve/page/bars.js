// The bars of a face, one per class, always in the same order.

import { CLASSES } from "/app/classes.js";
import { verdict } from "/app/stage.js";

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

const LONGEST = Math.max(...CLASSES.map(({ name }) => name.length));
/** Width of the names in rem. The maximum leaves the bars at least a third of their usual width. */
const NAMES = Math.min(Math.max(0.5 * LONGEST + 1.4, 5.4), 10.5);

/** A card with a face's verdict and bars. `onChoose` is called when it is pressed. */
export class Bars {
  card = element("article", "face");
  #words = element("b");
  #button = element("button");
  #rows = [];

  constructor(face, onChoose) {
    const title = element("h2");
    this.#button.type = "button";
    this.#button.append(element("span", "", `Face ${face}`), this.#words);
    this.#button.addEventListener("click", onChoose);
    title.append(this.#button);
    this.card.append(title);
    for (const item of CLASSES) {
      const row = element("div", "bar");
      const [track, fill, share] = [element("div", "track"), element("div", "fill"), element("span", "share")];
      row.style.setProperty("--names", `${NAMES}rem`);
      row.setAttribute("role", "meter");
      row.setAttribute("aria-label", `${item.name}, face ${face}`);
      row.setAttribute("aria-valuemin", "0");
      row.setAttribute("aria-valuemax", "100");
      fill.style.background = item.color;
      track.append(fill);
      const name = element("span", "name");
      const dot = element("span", "dot");
      dot.style.background = item.color;
      name.title = item.name;
      name.append(dot, element("span", "", item.name));
      row.append(name, track, share);
      this.card.append(row);
      this.#rows.push({ item, row, fill, share });
    }
  }

  show(face, isChosen) {
    this.card.classList.toggle("chosen", isChosen);
    this.#button.setAttribute("aria-pressed", String(isChosen));
    this.#words.textContent = verdict(face).words;
    for (const { item, row, fill, share } of this.#rows) {
      const probability = face[`smoothed_${item.column}`];
      const percent = Math.round(probability * 100);
      fill.style.transform = `scaleX(${probability})`;
      share.textContent = `${percent} %`;
      row.setAttribute("aria-valuenow", String(percent));
      row.setAttribute("aria-valuetext", `${percent} %`);
    }
  }
}
