// The token of the link becomes a cookie, which no script can read.

/** Takes the token out of the address, so that it stands in no history and on no screen, and opens the server with it. */
export async function open() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  await fetch("/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  history.replaceState(null, "", location.pathname + location.search);
}

/** What the server is and does. `{ about }`, or `{ trouble }` in words; `final` if trying again can't help. */
export async function ask() {
  let response;
  try {
    response = await fetch("/api/v1/about", { cache: "no-store" });
  } catch {
    return { trouble: "Connection lost" };
  }
  if (response.ok) return { about: await response.json() };
  if (response.status === 401) {
    return { trouble: "This page needs its link: open the one that “mien serve” printed", final: true };
  }
  return { trouble: (await response.json().catch(() => ({}))).error ?? `The server answers with ${response.status}` };
}

const FIRST_RETRY = 1000;
const LAST_RETRY = 10000;
/** Closed by the server because it is full (1013). */
const AGAIN = 1013;

/**
 * A WebSocket that is opened again when it is lost, with growing waits.
 * `on.message(data)`, `on.open(socket, about)`, `on.trouble(words)`.
 */
export class Line {
  #path;
  #on;
  #socket = null;
  #timer = 0;
  #wait = FIRST_RETRY;
  #isOver = false;

  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    this.#connect();
  }

  get socket() {
    return this.#socket?.readyState === WebSocket.OPEN ? this.#socket : null;
  }

  close() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  async #connect() {
    const { about, trouble, final } = await ask();
    if (this.#isOver) return;
    if (!about) return this.#retry(trouble, final);
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.#path}`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => this.#on.open(socket, about);
    socket.onmessage = ({ data }) => {
      this.#wait = FIRST_RETRY;
      this.#on.message(data);
    };
    socket.onclose = ({ code }) => {
      if (!this.#isOver) this.#retry(code === AGAIN ? "The server is full" : "Connection lost");
    };
  }

  #retry(trouble, final = false) {
    if (final) return this.#on.trouble(trouble);
    this.#on.trouble(`${trouble}, trying again in ${Math.round(this.#wait / 1000)} s`);
    this.#timer = setTimeout(() => this.#connect(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LAST_RETRY);
  }
}
