// The page's entry point: connects its parts.

import { Camera, list } from "/app/camera.js";
import { CLASSES } from "/app/classes.js";
import { People } from "/app/people.js";
import { enter } from "/app/session.js";
import { Stage } from "/app/stage.js";
import { Timeline } from "/app/timeline.js";
import { Visit } from "/app/visit.js";
import { Watch } from "/app/watch.js";

const by = (id) => document.getElementById(id);
const [stage, people, timeline] = [new Stage(by("picture")), new People(by("people")), new Timeline(by("timeline"))];

/** How long no face is found before the page says so, in milliseconds: a face may be hidden for a moment. */
const NO_FACE_AFTER = 1000;
/** The frame rate and the age are computed from at most this many scenes, which are discarded after `STALE` ms without a new one. */
const RECENT = 20;
const STALE = 3000;

let about = null;
let session = null;
/** Changes at each start and stop, so that code can check after an `await` whether its result is still wanted. */
let turn = 0;
/** The same for attempts to reach the server. */
let tries = 0;
/** Whether the browser was asked for the camera and hasn't answered. */
let isOpening = false;
let lastFace = 0;
let recent = [];
/** The wake lock that keeps a phone's screen on. */
let awake = null;

function say(words) {
  const state = by("state");
  // Screen readers read out every assignment.
  if (state.textContent !== words) state.textContent = words;
  state.classList.toggle("alone", stage.isEmpty);
}

function remember(key, value) {
  try {
    localStorage.setItem(`mien.${key}`, value);
  } catch {
    // The page also works in a browser that stores nothing.
  }
}

function remembered(key) {
  try {
    return localStorage.getItem(`mien.${key}`);
  } catch {
    return null;
  }
}

function isOwn() {
  return !about?.source || document.querySelector('input[name="source"]:checked')?.value === "own";
}

function showFigures() {
  const words = about ? [`${about.model} on ${about.device}`] : [];
  if (performance.now() - recent.at(-1)?.at > STALE) recent = [];
  if (recent.length > 1) {
    const seconds = (recent.at(-1).at - recent[0].at) / 1000;
    words.push(`${((recent.length - 1) / seconds).toFixed(0)} fps`);
    const ages = recent.map(({ age }) => age).sort((a, b) => a - b);
    // Scenes of the server's source have no age.
    if (ages[0] !== undefined) words.push(`age ${Math.round(ages[ages.length >> 1])} ms`);
  }
  by("figures").textContent = words.join(" · ");
}

const on = {
  ready(told) {
    // A restarted server may have other classes than this page's scripts.
    if (told.classes.map(({ label }) => label).join() !== CLASSES.map(({ key }) => key).join()) {
      location.reload();
      return;
    }
    const isNews = isOwn() && told.are_visitors_recorded && !about.are_visitors_recorded;
    about = told;
    if (isNews) {
      // When the user pressed Start, the page said that nothing is stored.
      stop();
      say("The server now records what your camera sends: press Start if you agree");
      return;
    }
    showRecorded();
    say(stage.isEmpty ? "Waiting for the first picture…" : "");
  },
  scene(scene, picture, age) {
    const now = performance.now();
    stage.show(picture, scene);
    people.show(scene.faces);
    timeline.add(scene.faces, now);
    recent.push({ at: now, age });
    recent = recent.slice(-RECENT);
    if (scene.faces.length) lastFace = now;
    say(now - lastFace > NO_FACE_AFTER ? "No face found" : "");
  },
  trouble(words) {
    stage.forgetFaces();
    people.show([]);
    recent = [];
    say(words);
  },
  end(words) {
    stop();
    say(words);
  },
  refused() {
    stop();
    connect();
  },
};

function isRunning() {
  return isOpening || session !== null;
}

function stop() {
  turn += 1;
  isOpening = false;
  session?.close();
  session = null;
  stage.show(null);
  people.clear();
  timeline.clear();
  recent = [];
  lastFace = performance.now();
  showRunning();
}

function showRunning() {
  const button = by("start");
  button.textContent = isRunning() ? "Stop" : "Start";
  button.dataset.next = isRunning() ? "stop" : "start";
  by("camera-choice").hidden = !isOwn();
  by("smoothing-choice").hidden = !isOwn();
  showRecorded();
  keepAwake();
}

/** Keeps the screen on while the visitor's camera runs: phones stop the camera when the screen turns off. */
async function keepAwake() {
  awake?.release();
  awake = null;
  if (!isRunning() || !isOwn() || document.hidden) return;
  const mine = turn;
  // None is granted if the battery is low or the browser doesn't support it.
  const given = await navigator.wakeLock?.request("screen").catch(() => null);
  if (mine === turn && isRunning() && !awake) awake = given;
  else given?.release();
}

function setMirror(isMirrored) {
  by("mirror").checked = isMirrored;
  stage.isMirrored = isMirrored;
}

/** Mirrors the picture if the user chose so. Without a choice, it is mirrored if it shows the user. */
function showMirror(isOfUser) {
  setMirror(remembered("mirror") ? remembered("mirror") === "true" : isOfUser);
}

/** Shows whether the server records. For the visitor's camera this is shown before it is opened, so that nobody learns it too late. */
function showRecorded() {
  const isRecorded = isOwn() ? about?.are_visitors_recorded : session && about?.is_source_recorded;
  by("recorded").hidden = !isRecorded;
  by("recorded-what").textContent = isOwn() ? "What your camera sends is recorded on the server" : "The server's camera is being recorded";
}

async function start() {
  stop();
  const mine = turn;
  const isWanted = () => mine === turn;
  if (!isOwn()) {
    say("Waiting for the first picture…");
    session = new Watch(on);
    showRunning();
    return;
  }
  say("Opening camera…");
  isOpening = true;
  showRunning();
  try {
    const camera = await Camera.open(by("video"), by("camera").value, isWanted);
    if (!isWanted()) {
      camera.close();
      return;
    }
    const { deviceId, facingMode } = camera.track.getSettings();
    remember("camera", deviceId ?? "");
    remember("facing", facingMode ?? "");
    showMirror(facingMode !== "environment");
    session = new Visit(camera, Number(by("smoothing").value), on);
    await showCameras(deviceId);
  } catch (error) {
    if (isWanted()) say(error.message);
  }
  if (!isWanted()) return;
  isOpening = false;
  showRunning();
}

/** Lists the cameras and selects the one in use. Until the browser reveals their names, front and back are listed. */
async function showCameras(used) {
  const cameras = await list();
  const find = (wanted) => cameras.find(({ value }) => value === wanted);
  const chosen = find(used) ?? find(`facing:${remembered("facing")}`);
  by("camera").replaceChildren(...cameras.map((one) => new Option(one.label, one.value, false, one === chosen)));
}

function showSmoothing() {
  const seconds = Number(by("smoothing").value);
  by("smoothing-value").textContent = seconds ? `${seconds.toFixed(1)} s` : "off";
  session?.setSmoothing(seconds);
}

function draw() {
  timeline.draw(people.chosen, performance.now());
}

/** Connects to the server. No camera can be opened before the server has said whether it records. */
async function connect() {
  tries += 1;
  const mine = tries;
  about = null;
  by("start").disabled = true;
  by("sources").hidden = true;
  by("link-form").hidden = true;
  say("Connecting…");
  const answer = await enter();
  if (mine !== tries) return;
  if (!answer.about) {
    say(answer.final ? `${answer.trouble}, or paste it here` : `${answer.trouble}: press Start to try again`);
    by("start").disabled = Boolean(answer.final);
    by("link-form").hidden = !answer.final;
    showRunning();
    return;
  }
  about = answer.about;
  by("source-name").textContent = about.source ?? "";
  by("sources").hidden = !about.source;
  document.querySelector(`input[name="source"][value="${about.source ? "server" : "own"}"]`).checked = true;
  showMirror(!about.source);
  by("smoothing").value = remembered("smoothing") ?? about.smoothing_s;
  showSmoothing();
  showFigures();
  await showCameras(remembered("camera"));
  if (mine !== tries) return;
  by("start").disabled = false;
  if (about.source) await start();
  else {
    const kept = about.are_visitors_recorded ? "and are recorded there" : "and are not stored";
    say(`Press Start to open the camera. Pictures go only to this server ${kept}`);
    showRunning();
  }
}

by("start").addEventListener("click", async () => {
  if (!about) {
    await connect();
    // A button loses the keyboard focus while it is disabled.
    if (document.activeElement === document.body) by("start").focus();
  } else if (isRunning()) {
    stop();
    say("Stopped");
  } else {
    start();
  }
});
// An installed page has no address bar.
by("link-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const link = new URL(by("link").value);
  if (link.host !== location.host) say(`That link is for ${link.host}, and this page is from ${location.host}`);
  else if (!link.hash.startsWith("#token=")) say("That link is incomplete: copy all of it, to the end");
  else {
    by("link").value = "";
    location.hash = link.hash;
  }
});
by("camera").addEventListener("change", () => isRunning() && start());
by("mirror").addEventListener("change", ({ target }) => {
  setMirror(target.checked);
  remember("mirror", target.checked);
  stage.draw();
});
by("smoothing").addEventListener("input", ({ target }) => {
  remember("smoothing", target.value);
  showSmoothing();
});
for (const source of document.querySelectorAll('input[name="source"]')) {
  source.addEventListener("change", () => {
    showMirror(isOwn());
    start();
  });
}
document.addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.toLowerCase() === "m") by("mirror").click();
});
navigator.mediaDevices?.addEventListener?.("devicechange", () => showCameras(by("camera").value));
document.addEventListener("visibilitychange", keepAwake);
// Opening the link where the page is already open loads nothing.
addEventListener("hashchange", () => {
  stop();
  connect();
});
setInterval(draw, 100);
setInterval(showFigures, 500);
navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
connect();
