// A track in its film, over the view it was opened from: the frame with its box, a slider over the track's frames, the
// shot played, and what can be said of the track.

import { ApiError, get } from "./api.js";
import { button, element, isPlain, isTyping } from "./dom.js";
import { FilmPlayer } from "./film_player.js";
import { toastError } from "./messages.js";
import { askPerson } from "./person_picker.js";
import { face, strip } from "./pictures.js";
import { season } from "./season.js";
import { placeOf } from "./track_list.js";
import { clock, counted, percent, span } from "./words.js";

export class FilmDialog {
  /** `onClose()` once it is shut; `neighbour(row, step)`: the track before or after, or null; `go(row)` shows it. */
  constructor({ onClose, neighbour, go }) {
    Object.assign(this, { neighbour, go });
    this.player = new FilmPlayer({
      onFrame: (index) => this.#showIndex(index),
      onState: (playing) => this.#showPlaying(playing),
      onProblem: (sentence) => this.#showProblem(sentence),
    });
    this.title = element("h2", { id: "film-title" });
    this.slider = element("input", { type: "range", min: 0, step: 1, "aria-label": "Frame of the track" });
    this.slider.addEventListener("input", () => this.#seek(Number(this.slider.value)));
    this.time = element("span.time");
    this.playButton = button("Play shot", { class: "primary", onclick: () => this.#toggle() });
    this.previous = button("◂ Previous", { title: "Previous track of the list (k)", onclick: () => this.#step(-1) });
    this.next = button("Next ▸", { title: "Next track of the list (j)", onclick: () => this.#step(1) });
    this.room = element("div.stage-room", {}, this.player.root);
    this.problem = element("p.notice", { role: "status", hidden: true });
    this.facts = element("aside.facts-of-track", { "aria-label": "About this track" });
    const cross = button("✕", {
      class: "icon",
      "aria-label": "Close",
      title: "Close (Esc)",
      onclick: () => this.dialog.close(),
    });
    this.dialog = element(
      "dialog.film",
      { "aria-labelledby": "film-title" },
      element("header", {}, this.title, element("div.group", {}, this.previous, this.next, cross)),
      element(
        "div.film-body",
        {},
        element(
          "div.screen",
          {},
          this.room,
          element("div.controls", {}, this.playButton, this.slider, this.time),
          this.problem,
        ),
        this.facts,
      ),
    );
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    this.dialog.addEventListener("close", () => {
      this.player.close();
      this.dialog.remove();
      this.dialog = null;
      onClose();
    });
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  /** Shut it, if it is not shut yet. */
  close() {
    this.dialog?.close();
  }

  /** Show a track. */
  async show(row) {
    this.row = row;
    let track;
    try {
      track = await get(`/api/tracks/${row}`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toastError(error.message);
      return this.close();
    }
    if (row !== this.row || !this.dialog) return;
    const isOther = this.track?.row !== row;
    this.track = track;
    const label = track.person === null ? "Unknown" : season.label(track.person);
    const video = season.now.titles[track.title].videos[track.video];
    this.title.textContent = label;
    this.#showFacts();
    this.previous.disabled = this.neighbour(row, -1) === null;
    this.next.disabled = this.neighbour(row, 1) === null;
    if (!isOther) {
      this.player.label.textContent = label;
      return;
    }
    this.#showProblem(track.film_problem);
    this.player.show(track, { width: video.width_px, height: video.height_px, fps: video.fps, name: label });
    // Without its film a track has no frames, only the crops that were kept.
    const hasFrames = !track.film_problem && track.boxes.length > 0;
    this.slider.disabled = this.playButton.disabled = !hasFrames;
    this.room.replaceChildren(hasFrames ? this.player.root : face(track.crops ? row : null, { size: 224 }));
    this.slider.max = Math.max(0, track.boxes.length - 1);
    if (hasFrames) this.#seek(Math.floor(track.boxes.length / 2));
    else this.time.textContent = track.timecode;
    (hasFrames ? this.slider : this.dialog.querySelector(".icon")).focus();
  }

  /** The season is another one: the track may be somebody else's. */
  update() {
    if (this.row !== undefined) void this.show(this.row);
  }

  #seek(index) {
    this.player.seek(index);
    this.#showPlaying(false);
    this.#showIndex(index);
  }

  #seekBy(frames) {
    if (this.slider.disabled) return;
    this.#seek(Math.max(0, Math.min(this.track.boxes.length - 1, this.player.index + frames)));
  }

  #showIndex(index) {
    const [frame, time] = this.track.boxes[index];
    this.slider.value = index;
    this.time.textContent = `${clock(time)} · frame ${frame}`;
    this.slider.setAttribute("aria-valuetext", `${clock(time)}, frame ${frame}`);
  }

  #showPlaying(playing) {
    this.playButton.textContent = playing ? "Pause" : "Play shot";
  }

  #showProblem(sentence) {
    this.problem.hidden = !sentence;
    this.problem.textContent = sentence ?? "";
  }

  #toggle() {
    if (this.player.isPlaying) this.#seek(this.player.index);
    else void this.player.play();
  }

  #step(step) {
    const row = this.neighbour(this.row, step);
    if (row !== null) this.go(row);
  }

  #showFacts() {
    const { track } = this;
    const fact = (name, value) => (value ? element("div", {}, element("dt", {}, name), element("dd", {}, value)) : "");
    const say = (kind) => () => season.say(kind, { tracks: [track.row] });
    const person = season.person(track.person);
    const who = person
      ? element(
          "a.who-is-it",
          { href: `#/people/${person.id}` },
          face(person.best_row, { size: 52 }),
          element("b", {}, person.label),
        )
      : element("p.who-is-it", {}, element("b", {}, "Unknown"));
    const move = () => this.#move();
    this.facts.replaceChildren(
      who,
      strip(track.row, track.crops, { later: false }),
      element(
        "dl.track-facts",
        {},
        fact("Where", placeOf(track)),
        fact("Time code", track.timecode),
        fact("Length", `${span(track.last_time_s - track.first_time_s)}, ${counted(track.faces, "face")}`),
        fact("Fits", person ? percent(track.fit) : ""),
        fact("Sure", track.confidence === null ? "" : percent(track.confidence)),
        fact("Why", track.reason),
        fact("Said by", track.said_by),
      ),
      element(
        "div.says",
        {},
        button(person ? "Move to…" : "Assign to…", {
          class: "primary",
          title: "It is somebody else (m)",
          onclick: move,
        }),
        person
          ? button("Rightly here", {
              onclick: () => season.say("move", { tracks: [track.row], other_people: [person.id] }),
            })
          : "",
        person
          ? button("Split off", {
              onclick: () => season.say("split", { tracks: [track.row], other_people: [person.id] }),
            })
          : "",
        button("Not a face", { title: "(x)", onclick: say("not-a-face") }),
        button("Nobody in particular", { title: "(o)", onclick: say("nobody") }),
      ),
    );
  }

  async #move() {
    const { track } = this;
    const without = track.person === null ? [] : [track.person];
    const id = await askPerson(track.person === null ? "Assign the track to" : "Move the track to", {
      likely: track.nearest ?? [],
      without,
    });
    if (id !== null) await season.say("move", { tracks: [track.row], other_people: [id] });
  }

  #key(event) {
    if (isTyping(event) || !isPlain(event)) return;
    const act = {
      " ": () => !event.target.closest("button") && !this.playButton.disabled && this.#toggle(),
      j: () => this.#step(1),
      k: () => this.#step(-1),
      m: () => this.#move(),
      x: () => season.say("not-a-face", { tracks: [this.track.row] }),
      o: () => season.say("nobody", { tracks: [this.track.row] }),
      ArrowLeft: () => event.target !== this.slider && this.#seekBy(-1),
      ArrowRight: () => event.target !== this.slider && this.#seekBy(1),
    }[event.key];
    if (!act || !this.track) return;
    event.stopPropagation();
    if (act() !== false) event.preventDefault();
  }
}
