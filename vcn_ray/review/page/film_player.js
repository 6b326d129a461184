// The film's picture with a track's box over it: one frame, or the shot played, the box going along.
//
// The browser plays the film itself where it can, else the server's small copy of the shot. A frame that stands still
// is the server's picture of exactly that frame: browsers seek by time, and may be one off.

import { element, svg } from "./dom.js";
import { frameAddress } from "./pictures.js";

const LONGEST_GAP_S = 1;

export class FilmPlayer {
  /** `onFrame(index)` is told which of the track's faces is shown, `onState(playing)`, `onProblem(sentence)`. */
  constructor({ onFrame, onState, onProblem }) {
    Object.assign(this, { onFrame, onState, onProblem });
    this.image = element("img", { alt: "" });
    this.video = element("video", { playsinline: true, preload: "none", hidden: true, "aria-label": "The shot" });
    this.rect = svg("rect", { class: "box" });
    this.drawing = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, this.rect);
    this.label = element("span.box-label");
    this.root = element("div.stage", {}, this.image, this.video, this.drawing, this.label);
    this.video.addEventListener("error", () => this.#cannotPlay());
    this.video.addEventListener("loadedmetadata", () => {
      // A browser that knows only the sound's codec plays that, and shows nothing.
      if (!this.video.videoWidth) this.#cannotPlay();
    });
    this.video.addEventListener("pause", () => this.#stopped());
    this.image.addEventListener(
      "error",
      () => this.image.src && this.onProblem("This frame cannot be read from the film."),
    );
  }

  /** Show a track (as `/api/tracks/ROW` gives it) of a film of a size, under a name. */
  show(track, { width, height, fps, name }) {
    this.stop();
    Object.assign(this, { track, width, height, index: 0, problem: false, slack: 1.5 / (fps || 25) });
    this.source = null;
    this.video.removeAttribute("src");
    this.root.style.aspectRatio = `${width} / ${height}`;
    this.root.style.setProperty("--ratio", width / height);
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.label.textContent = name;
  }

  /** Stand still at one of the track's faces. */
  seek(index) {
    this.stop();
    this.index = index;
    const [frame, , ...box] = this.track.boxes[index];
    this.video.hidden = true;
    this.image.hidden = false;
    this.#draw(box);
    this.image.alt = `Frame ${frame}`;
    const screen = Math.min(1280, Math.ceil((this.root.clientWidth || 960) * Math.min(2, devicePixelRatio)));
    this.#load(frameAddress(this.track.row, frame, Math.max(320, Math.ceil(screen / 160) * 160)));
  }

  // Only the latest frame that is asked for is fetched: a slider passes many.
  #load(source) {
    this.wanted = source;
    if (this.loading) return;
    this.loading = true;
    this.image.src = source;
    const done = () => {
      this.loading = false;
      if (this.wanted !== source) this.#load(this.wanted);
    };
    this.image.decode().then(done, done);
  }

  get isPlaying() {
    return this.playing === true;
  }

  /** Play the shot from its start. */
  async play() {
    if (!this.source && !this.#choose()) return;
    const { source } = this;
    this.playing = true;
    this.onState(true);
    this.video.currentTime = this.track.shot_first_time_s - this.offset;
    try {
      await this.video.play();
    } catch (error) {
      if (source !== this.source) return; // the copy is tried by now
      if (error.name !== "AbortError" && !this.video.error) this.#stopped();
      return;
    }
    if (!this.playing || source !== this.source) return;
    this.video.hidden = false;
    this.image.hidden = true;
    this.#follow();
  }

  stop() {
    if (!this.video.paused) this.video.pause();
    this.playing = false;
  }

  close() {
    this.stop();
    this.video.removeAttribute("src");
    this.video.load(); // ends its request
  }

  #choose() {
    const useFilm = this.track.film && !this.problem;
    if (!useFilm && this.usesProxy) return false;
    this.usesProxy = !useFilm;
    this.source = useFilm ? this.track.film : this.track.proxy;
    // The copy of a shot begins with it.
    this.offset = useFilm ? 0 : this.track.shot_first_time_s;
    this.video.src = this.source;
    return true;
  }

  #cannotPlay() {
    if (!this.source) return;
    if (!this.usesProxy) {
      this.problem = true;
      this.source = null;
      void this.play();
      return;
    }
    this.#stopped();
    this.source = null;
    this.usesProxy = false;
    this.onProblem("This browser cannot play the shot. Its frames are there: use the slider.");
  }

  #stopped() {
    if (this.playing) this.onState(false);
    this.playing = false;
  }

  #follow() {
    const step = (mediaTime) => {
      if (!this.playing) return;
      const time = mediaTime + this.offset;
      this.#draw(this.#boxAt(time));
      if (time >= this.track.shot_last_time_s || this.video.ended) {
        this.stop();
        this.onState(false);
        // Browsers stop a frame or two late, which is the next shot already.
        this.video.currentTime = this.track.shot_last_time_s - this.offset;
        return;
      }
      wait();
    };
    const wait = () => {
      if (this.video.requestVideoFrameCallback)
        this.video.requestVideoFrameCallback((_, frame) => step(frame.mediaTime));
      else requestAnimationFrame(() => step(this.video.currentTime));
    };
    wait();
  }

  // The box at a time: that of the frame, or between two that are near; null before and after the track.
  #boxAt(time) {
    const { boxes } = this.track;
    let [low, high] = [0, boxes.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (boxes[middle][1] < time) low = middle + 1;
      else high = middle;
    }
    const after = boxes[low];
    const before = boxes[Math.max(0, low - 1)];
    const [nearest, index] = Math.abs(before[1] - time) < Math.abs(after[1] - time) ? [before, low - 1] : [after, low];
    this.index = Math.max(0, index);
    this.onFrame(this.index);
    if (before[1] <= time && time <= after[1] && after[1] - before[1] <= LONGEST_GAP_S) {
      const share = after[1] > before[1] ? (time - before[1]) / (after[1] - before[1]) : 0;
      return [2, 3, 4, 5].map((side) => before[side] + share * (after[side] - before[side]));
    }
    return Math.abs(nearest[1] - time) <= this.slack ? nearest.slice(2) : null;
  }

  #draw(box) {
    this.rect.classList.toggle("away", box === null);
    this.label.hidden = box === null;
    if (box === null) return;
    const [x, y, w, h] = box;
    for (const [key, value] of Object.entries({ x, y, width: w, height: h }))
      this.rect.setAttribute(key, value.toFixed(1));
    // Above the box where there is room, else below it.
    const above = y / this.height > 0.08;
    this.label.classList.toggle("below", !above);
    this.label.style.left = `${(100 * Math.min(Math.max(0, x), this.width * 0.8)) / this.width}%`;
    this.label.style.top = `${(100 * Math.min(above ? y : y + h, this.height)) / this.height}%`;
  }
}
