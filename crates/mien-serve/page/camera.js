// The visitor's camera.

/** Longer side of the pictures that are sent, in pixels. By default, the detector shrinks them further. */
const LONGEST_SIDE = 640;
const QUALITY = 0.85;

const TROUBLE = {
  NotAllowedError: "No permission for the camera: allow it beside the page's address, then press Start",
  NotFoundError: "No camera found: plug one in, then press Start",
  OverconstrainedError: "This camera is no longer available: choose another, then press Start",
  NotReadableError: "The camera is busy: close the other program that uses it, then press Start",
};

/** The choices until the browser reveals the cameras' names. */
const FACING = [
  { value: "facing:user", label: "Front camera" },
  { value: "facing:environment", label: "Back camera" },
];

/** Returns the cameras to choose from, as `{ value, label }`. Browsers reveal their names only after access was granted. */
export async function list() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const cameras = devices.filter((device) => device.kind === "videoinput");
  const named = cameras.filter((camera) => camera.label);
  return named.length ? named.map((camera) => ({ value: camera.deviceId, label: camera.label })) : FACING;
}

function constraints(choice) {
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  if (choice?.startsWith("facing:")) return { ...size, facingMode: choice.slice("facing:".length) };
  return choice ? { ...size, deviceId: { exact: choice } } : { ...size, facingMode: "user" };
}

/** A running camera. */
export class Camera {
  #video;
  #stream;
  #canvas = document.createElement("canvas");
  #isOver = false;

  constructor(video, stream) {
    this.#video = video;
    this.#stream = stream;
  }

  /**
   * Opens a camera. Throws an error with a message for the user. If `isWanted()` is false once the browser has opened the camera, the
   * video isn't touched, and the caller has to close the camera.
   */
  static async open(video, choice, isWanted) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("Browsers allow cameras only over HTTPS: start the server with --tls self-signed");
    }
    let camera = null;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: constraints(choice), audio: false });
      camera = new Camera(video, stream);
      if (isWanted()) {
        video.srcObject = stream;
        await video.play();
      }
      return camera;
    } catch (error) {
      camera?.close();
      throw new Error(TROUBLE[error.name] ?? `The camera can't be used: ${error.message}`);
    }
  }

  get track() {
    return this.#stream.getVideoTracks()[0];
  }

  /** Calls `onFrame` for each frame while the page is visible, `on.mute` when the frames stop, and `on.end` when the camera is gone. */
  watch(onFrame, on) {
    let last = -1;
    const next = () => {
      if (this.#isOver) return;
      if (this.#video.requestVideoFrameCallback) {
        this.#video.requestVideoFrameCallback(frame);
      } else {
        requestAnimationFrame(frame);
      }
    };
    const frame = () => {
      if (this.#isOver) return;
      if (this.#video.currentTime !== last) {
        last = this.#video.currentTime;
        onFrame();
      }
      next();
    };
    this.track.onmute = () => {
      if (!this.#isOver) on.mute();
    };
    this.track.onended = () => {
      if (!this.#isOver) on.end();
    };
    next();
  }

  /** Returns the current frame, shrunk for sending, as `{ picture, jpeg }`; `null` if the video has no size yet. */
  async grab() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height, 1));
    const canvas = this.#canvas;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    if (!canvas.width || !canvas.height) return null;
    canvas.getContext("2d", { alpha: false }).drawImage(this.#video, 0, 0, canvas.width, canvas.height);
    const [picture, jpeg] = await Promise.all([
      createImageBitmap(canvas),
      new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY)),
    ]);
    return { picture, jpeg };
  }

  close() {
    this.#isOver = true;
    this.#stream.getTracks().forEach((track) => track.stop());
    // The page has one video element, which may already show the next camera.
    if (this.#video.srcObject === this.#stream) this.#video.srcObject = null;
  }
}
