// A visitor's own camera: one frame on its way, the newest next, the answer on the very frame it belongs to.

import { Line } from "/app/session.js";

/** After this time an answer won't come any more: the connection is dead. */
const PATIENCE = 10000;

/** `on.scene(scene, picture, age)`, `on.trouble(words)`, `on.ready(about)`, `on.end(words)` when the camera has gone. */
export class Visit {
  #camera;
  #line;
  #on;
  #smoothing;
  #next = 0;
  /** The frame on its way: `{ id, picture, t }`. */
  #sent = null;
  #isGrabbing = false;

  constructor(camera, smoothing, on) {
    this.#camera = camera;
    this.#smoothing = smoothing;
    this.#on = on;
    this.#line = new Line("/api/v1/visit", {
      open: (_socket, about) => {
        this.#sent = null;
        this.setSmoothing(this.#smoothing);
        on.ready(about);
      },
      message: (data) => this.#answer(JSON.parse(data)),
      trouble: (words) => on.trouble(words),
    });
    camera.watch(() => this.#frame(), () => on.end("The camera went away: plug it in, then press Start"));
  }

  setSmoothing(seconds) {
    this.#smoothing = seconds;
    this.#line?.socket?.send(JSON.stringify({ smoothing: seconds }));
  }

  close() {
    this.#line.close();
    this.#camera.close();
  }

  async #frame() {
    const socket = this.#line.socket;
    if (!socket || this.#isGrabbing) return;
    if (this.#sent) {
      if (performance.now() - this.#sent.t > PATIENCE) this.#line.reopen();
      return;
    }
    this.#isGrabbing = true;
    try {
      const t = performance.now();
      const grabbed = await this.#camera.grab();
      if (!grabbed?.jpeg || socket.readyState !== WebSocket.OPEN) return;
      const id = this.#next++;
      const head = new DataView(new ArrayBuffer(12));
      head.setUint32(0, id, true);
      head.setFloat64(4, t, true);
      this.#sent = { id, t, picture: grabbed.picture };
      socket.send(new Blob([head.buffer, grabbed.jpeg]));
    } finally {
      this.#isGrabbing = false;
    }
  }

  #answer(message) {
    if (message.id === undefined || message.id !== this.#sent?.id) return;
    const { picture, t } = this.#sent;
    this.#sent = null;
    if (message.type === "scene") {
      this.#on.scene(message, picture, performance.now() - t);
    }
  }
}
