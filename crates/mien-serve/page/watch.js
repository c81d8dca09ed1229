// The server's own source: scenes and the pictures that they belong to.

import { Line, SILENCE } from "/app/session.js";

/**
 * Calls `on.scene(scene, picture)`, `on.trouble(words)`, `on.ready(about)`, and `on.refused()` if the server wants its link. Scenes have no
 * age: the server knows only the time until the label, and the two machines' clocks differ too much to measure the transfer.
 */
export class Watch {
  #line;
  #isDecoding = false;
  #isOver = false;

  constructor(on) {
    this.#line = new Line("/api/v1/watch", {
      open: (_socket, about) => on.ready(about),
      message: (data) => {
        if (typeof data === "string") {
          const message = JSON.parse(data);
          if (message.type === "source" && message.message) on.trouble(message.message);
        } else {
          this.#show(data, on);
        }
      },
      trouble: (words) => on.trouble(words),
      refused: () => on.refused(),
    }, SILENCE);
  }

  setSmoothing() {}

  close() {
    this.#isOver = true;
    this.#line.close();
  }

  async #show(data, on) {
    // What arrives while a picture is being decoded is already late.
    if (this.#isDecoding) return;
    this.#isDecoding = true;
    try {
      const length = new DataView(data).getUint32(0, true);
      const scene = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
      const picture = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
      if (!this.#isOver) on.scene(scene, picture);
    } catch {
      // The picture is damaged; the next one follows soon.
    } finally {
      this.#isDecoding = false;
    }
  }
}
