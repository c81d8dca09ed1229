// The seven bars of a face, always in the same order.

import { EMOTIONS } from "/app/emotions.js";
import { verdict } from "/app/stage.js";

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

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
    for (const emotion of EMOTIONS) {
      const row = element("div", "bar");
      const [track, fill, share] = [element("div", "track"), element("div", "fill"), element("span", "share")];
      row.setAttribute("role", "meter");
      row.setAttribute("aria-label", `${emotion.name}, face ${face}`);
      row.setAttribute("aria-valuemin", "0");
      row.setAttribute("aria-valuemax", "100");
      fill.style.background = emotion.color;
      track.append(fill);
      const name = element("span", "name", emotion.name);
      const dot = element("span", "dot");
      dot.style.background = emotion.color;
      name.prepend(dot);
      row.append(name, track, share);
      this.card.append(row);
      this.#rows.push({ emotion, row, fill, share });
    }
  }

  show(face, isChosen) {
    this.card.classList.toggle("chosen", isChosen);
    this.#button.setAttribute("aria-pressed", String(isChosen));
    this.#words.textContent = verdict(face).words;
    for (const { emotion, row, fill, share } of this.#rows) {
      const probability = face[`smoothed_${emotion.key}`];
      const percent = Math.round(probability * 100);
      fill.style.transform = `scaleX(${probability})`;
      share.textContent = `${percent} %`;
      row.setAttribute("aria-valuenow", String(percent));
      row.setAttribute("aria-valuetext", `${percent} %`);
    }
  }
}
