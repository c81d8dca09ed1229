// The faces beside the picture, one card each; one of them is chosen for the timeline.

import { Bars } from "/app/bars.js";

/** Most cards shown: nobody reads more, and each costs the browser time. */
const MOST = 12;

export class People {
  #place;
  #bars = new Map();
  #chosen = null;

  constructor(place) {
    this.#place = place;
  }

  /** The number of the face whose timeline is shown. */
  get chosen() {
    return this.#chosen;
  }

  show(faces) {
    const shown = faces.slice(0, MOST);
    const numbers = new Set(shown.map((face) => face.face));
    for (const [number, bars] of this.#bars) {
      if (!numbers.has(number)) {
        bars.card.remove();
        this.#bars.delete(number);
      }
    }
    if (!numbers.has(this.#chosen)) this.#chosen = shown[0]?.face ?? this.#chosen;
    for (const face of shown) {
      let bars = this.#bars.get(face.face);
      if (!bars) {
        bars = new Bars(face.face, () => {
          this.#chosen = face.face;
        });
        this.#bars.set(face.face, bars);
        this.#place.append(bars.card);
      }
      bars.show(face, face.face === this.#chosen);
    }
  }

  clear() {
    this.show([]);
    this.#chosen = null;
  }
}
