// A visitor's own camera: one frame is in transit at a time, the next one is the newest, and each answer is drawn on the frame that it
// belongs to.

import { Line } from "/app/session.js";

/** If an answer takes longer than this, in milliseconds, the connection counts as dead. */
const PATIENCE = 10000;
/** How long the slider must rest before the server is told, in milliseconds: it limits messages per second, including frames. */
const SETTLED = 100;
const NO_PICTURE = "The camera gives no picture: another program may be using it, or it is switched off";

/**
 * Calls `on.scene(scene, picture, age)`, `on.trouble(words)`, `on.ready(about)`, `on.end(words)` if the camera is gone, and
 * `on.refused()` if the server wants its link. The age is in milliseconds.
 */
export class Visit {
  #camera;
  #line;
  #on;
  #smoothing;
  #next = 0;
  /** The frame in transit: `{ id, picture, t }`. */
  #sent = null;
  #isGrabbing = false;
  #settling = 0;

  constructor(camera, smoothing, on) {
    this.#camera = camera;
    this.#smoothing = smoothing;
    this.#on = on;
    this.#line = new Line("/api/v1/visit", {
      open: (_socket, about) => {
        this.#take()?.picture.close();
        this.#tellSmoothing();
        on.ready(about);
        // `ready` has replaced the message, but the camera still gives no picture.
        if (this.#line.socket && camera.track.muted) on.trouble(NO_PICTURE);
      },
      message: (data) => this.#answer(JSON.parse(data)),
      trouble: (words) => on.trouble(words),
      refused: () => on.refused(),
    });
    camera.watch(() => this.#frame(), {
      mute: () => on.trouble(NO_PICTURE),
      end: () => on.end("The camera was disconnected: plug it in, then press Start"),
    });
  }

  setSmoothing(seconds) {
    this.#smoothing = seconds;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#tellSmoothing(), SETTLED);
  }

  #tellSmoothing() {
    this.#line.socket?.send(JSON.stringify({ smoothing: this.#smoothing }));
  }

  close() {
    clearTimeout(this.#settling);
    this.#take()?.picture.close();
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
      if (!grabbed?.jpeg || socket.readyState !== WebSocket.OPEN) {
        grabbed?.picture.close();
        return;
      }
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

  /** Removes and returns the frame in transit. */
  #take() {
    const sent = this.#sent;
    this.#sent = null;
    return sent;
  }

  #answer(message) {
    if (message.id === undefined || message.id !== this.#sent?.id) return;
    const { picture, t } = this.#take();
    if (message.type === "scene") {
      this.#on.scene(message, picture, performance.now() - t);
    } else {
      picture.close();
      this.#on.trouble(`A picture was not analysed: ${message.message}`);
    }
  }
}
