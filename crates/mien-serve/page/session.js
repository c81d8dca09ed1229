// The token of the link is exchanged for a cookie that scripts can't read.

/** Longest wait for an answer, in milliseconds. */
const ASK_WITHIN = 10000;

/** Returns the error message of a failed response. */
async function refusal(response) {
  if (response.status === 429) return "The server is busy";
  return (await response.json().catch(() => ({}))).error ?? `The server answered with status ${response.status}`;
}

/**
 * Sends the token in the address to the server and removes it from the address, so that it isn't in the history or on the screen.
 * Until the server has checked it, it stays there and can be sent again. Returns `{}`, or `{ trouble, final }` as `ask` does.
 */
async function open() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return {};
  let response;
  try {
    response = await fetch("/api/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
      signal: AbortSignal.timeout(ASK_WITHIN),
    });
  } catch {
    return { trouble: "Connection lost" };
  }
  if (!response.ok && response.status !== 401) return { trouble: await refusal(response) };
  history.replaceState(null, "", location.pathname + location.search);
  if (response.ok) return {};
  return { trouble: "The server refused the link: open the one that “mien serve” printed", final: true };
}

/** Asks the server about itself. Returns `{ about }`, or `{ trouble, final }`: a message, and whether trying again is useless. */
async function ask() {
  let response;
  try {
    response = await fetch("/api/v1/about", { cache: "no-store", signal: AbortSignal.timeout(ASK_WITHIN) });
    if (response.ok) return { about: await response.json() };
  } catch {
    return { trouble: "Connection lost" };
  }
  if (response.status === 401) {
    return { trouble: "This page needs its link: open the one that “mien serve” printed", final: true };
  }
  return { trouble: await refusal(response) };
}

/** Sends the link's token, if there is one, and asks the server about itself. Returns what `ask` does. */
export async function enter() {
  const { trouble, final } = await open();
  const answer = await ask();
  // An earlier cookie may still be valid. If none is, the refusal of the link says why.
  return answer.final && trouble ? { trouble, final } : answer;
}

const FIRST_RETRY = 1000;
const LAST_RETRY = 10000;
/** WebSocket close code of a full server. */
const AGAIN = 1013;
/** A line is reopened after this many milliseconds without a message. `watch` and `overlay` send one at least every 15 s. */
export const SILENCE = 40000;

/** Waits until the page is visible. */
function seen() {
  return new Promise((done) => {
    if (document.hidden) document.addEventListener("visibilitychange", done, { once: true });
    else done();
  });
}

/**
 * A WebSocket that reconnects, with growing waits, when the connection is lost. It also does so, at once and without a message to the
 * user, if nothing came for `silence` milliseconds (0 is off), because scripts can't detect a pulled cable. A hidden page doesn't
 * connect until it is visible, so that it takes up none of the server's sessions.
 * Calls `on.message(data)`, `on.open(socket, about)`, `on.trouble(words)`, and `on.refused()` (or `trouble`) if the server wants its
 * link.
 */
export class Line {
  #path;
  #on;
  #silence;
  #socket = null;
  #timer = 0;
  #alarm = 0;
  #wait = FIRST_RETRY;
  #isOver = false;

  constructor(path, on, silence = 0) {
    this.#path = path;
    this.#on = on;
    this.#silence = silence;
    this.#connect();
  }

  get socket() {
    return this.#socket?.readyState === WebSocket.OPEN ? this.#socket : null;
  }

  close() {
    this.#isOver = true;
    this.#drop();
  }

  /** Replaces a connection that has gone silent. */
  reopen() {
    this.#drop();
    this.#connect();
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#alarm);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    // A dead connection takes long to close, and late messages of one that isn't wanted any more would be shown.
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #listen() {
    clearTimeout(this.#alarm);
    if (this.#silence) this.#alarm = setTimeout(() => this.reopen(), this.#silence);
  }

  #lose(words) {
    this.#drop();
    this.#retry(words);
  }

  async #connect() {
    await seen();
    if (this.#isOver) return;
    const { about, trouble, final } = await enter();
    if (this.#isOver) return;
    if (!about) return this.#retry(trouble, final);
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.#path}`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const wait = this.#wait;
    this.#alarm = setTimeout(() => this.#lose("Connection lost"), ASK_WITHIN);
    socket.onopen = () => {
      this.#listen();
      this.#on.open(socket, about);
    };
    socket.onmessage = ({ data }) => {
      this.#wait = FIRST_RETRY;
      this.#listen();
      this.#on.message(data);
    };
    socket.onclose = ({ code }) => {
      // The message that the server is full reset the wait; restore it.
      if (code === AGAIN) this.#wait = wait;
      this.#lose(code === AGAIN ? "The server is full" : "Connection lost");
    };
  }

  #retry(trouble, final = false) {
    if (final) return (this.#on.refused ?? this.#on.trouble)(trouble);
    this.#on.trouble(`${trouble}, trying again in ${Math.round(this.#wait / 1000)} s`);
    this.#timer = setTimeout(() => this.#connect(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LAST_RETRY);
  }
}
