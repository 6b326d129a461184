// Review next: the questions whose answers change most, one at a time, answered by keys alone.
//
// While one is answered the next is on the screen already. Answers go to the server in their order; then it is asked
// what is worth asking now, and a question that an answer made idle gives way.

import { ApiError, get } from "./api.js";
import { button, element } from "./dom.js";
import { toast, toastError } from "./messages.js";
import { face, showPictures, strip } from "./pictures.js";
import { season } from "./season.js";
import { openTrack } from "./track_list.js";
import { counted, likelihood, percent, span } from "./words.js";

const AHEAD = 4;
const MOST_PICTURES = 6;
const KEEP_STILL_MS = 350;

/** Answers of this sitting; they stay counted when one looks at the cast in between. */
const given = [];

/** One question and its answers. */
export class ReviewView {
  #answering = 0;

  constructor(main) {
    this.main = main;
    this.waiting = [];
    this.shown = null;
    this.progress = element("p.muted", { "aria-live": "polite" });
    this.question = element("section.question", { "aria-live": "polite", "aria-label": "Question" });
    main.replaceChildren(element("div.page-head", {}, element("h1", {}, "Review next"), this.progress), this.question);
    this.#showProgress();
    void this.#fetch();
  }

  close() {
    this.closed = true;
  }

  /** The season is another one: ask what is worth asking now. */
  update() {
    if (!this.#answering) void this.#fetch();
  }

  key(event) {
    const act = {
      y: () => this.#answer("yes"),
      n: () => this.#answer("no"),
      s: () => this.#answer("skip"),
      u: () => this.#undo(),
      f: () => this.shown && openTrack(this.shown.tracks[0]),
    }[event.key.toLowerCase()];
    if (!act || event.repeat) return Boolean(act);
    void act();
    return true;
  }

  neighbour(row, step) {
    if (!this.shown) return null;
    const rows = [...this.shown.tracks, ...this.shown.others];
    return rows[rows.indexOf(row) + step] ?? null;
  }

  async #fetch() {
    let questions;
    try {
      questions = await get("/api/questions", { n: AHEAD });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toastError(error.message);
      return;
    }
    if (this.closed || this.#answering) return;
    // One that was taken up again by undo stays, whatever the server would ask first.
    const kept = this.shown && (this.shown.again || questions.find((one) => one.key === this.shown.key));
    const first = kept
      ? { ...this.shown, ...(questions.find((one) => one.key === this.shown.key) ?? {}) }
      : questions[0];
    this.waiting = questions.filter((one) => one.key !== first?.key);
    if (!kept && this.shown) this.stillUntil = performance.now() + KEEP_STILL_MS; // no key was meant for this one
    this.#show(first ?? null);
  }

  async #answer(answer) {
    const question = this.shown;
    if (!question || performance.now() < (this.stillUntil ?? 0)) return;
    this.#answering += 1;
    this.#show(this.waiting.shift() ?? null, true);
    if (await season.answer(question.key, answer)) given.push({ question, answer });
    this.#answering -= 1;
    this.#showProgress();
    if (!this.#answering) await this.#fetch();
  }

  async #undo() {
    await season.settled(); // an answer that is still under way is meant, too
    const last = given.at(-1);
    if (!last) return void toast("Nothing was answered yet.");
    if (last.answer !== "skip") {
      this.#answering += 1;
      const undone = await season.undo();
      this.#answering -= 1;
      if (!undone) return;
    }
    given.pop();
    this.#showProgress();
    this.#show({ ...last.question, again: true });
    await this.#fetch();
  }

  #showProgress() {
    const said = given.filter((one) => one.answer !== "skip").length;
    const skipped = given.length - said;
    this.progress.textContent = given.length
      ? `${counted(said, "question")} answered${skipped ? `, ${skipped} skipped` : ""} since this page was opened`
      : "The answers that change most are asked first: doubt times screen time.";
  }

  #show(question, waits = false) {
    const same = question && this.shown && this.shown.key === question.key && !question.again;
    this.shown = question;
    if (same) return;
    if (!question) {
      const text = waits
        ? "Looking for the next question …"
        : "There is nothing left to ask. The cast is as sure as it gets.";
      this.question.replaceChildren(
        element("p.empty", {}, text, waits ? "" : " ", waits ? "" : element("a", { href: "#/cast" }, "To the cast")),
        given.length
          ? element(
              "div.actions.answers",
              {},
              this.#key("Undo", "u", () => this.#undo()),
            )
          : "",
      );
      return;
    }
    this.question.replaceChildren(
      element("h2", {}, question.text),
      element(
        "p.chance",
        {},
        `Found: ${likelihood(question.probability)} the same person, `,
        element("b", {}, percent(question.probability)),
        ` · about ${span(question.weight)} of screen time hang on it`,
      ),
      element(
        "div.sides",
        {},
        this.#side(question.tracks, question.kind === "belongs" ? "This track" : season.label(question.person)),
        this.#side(question.others, season.label(question.kind === "belongs" ? question.person : question.other)),
      ),
      element(
        "div.actions.answers",
        {},
        this.#key("Yes", "y", () => this.#answer("yes"), "primary"),
        this.#key("No", "n", () => this.#answer("no"), "primary"),
        this.#key("Skip", "s", () => this.#answer("skip")),
        this.#key("Undo", "u", () => this.#undo()),
        this.#key("Film", "f", () => openTrack(question.tracks[0])),
      ),
      this.#ahead(),
    );
  }

  #key(text, key, act, classes = "") {
    return button(
      text,
      { class: classes, "aria-keyshortcuts": key, onclick: act },
      element("kbd", {}, key.toUpperCase()),
    );
  }

  // Each track by its best crop.
  #side(rows, label) {
    const shown = rows.slice(0, MOST_PICTURES);
    const pictures = shown.map((row) =>
      button(
        "",
        { class: "bare", "aria-label": "Show this track in its film", onclick: () => openTrack(row) },
        face(row, { size: shown.length > 1 ? 168 : 240 }),
      ),
    );
    const faces = element(shown.length > 1 ? "div.faces" : "div.faces.one", {}, ...pictures);
    faces.style.setProperty("--across", Math.min(3, shown.length));
    // Of one track there are several crops to look at.
    if (shown.length === 1) faces.append(strip(shown[0], MOST_PICTURES, { later: false }));
    return element("figure.side", {}, faces, element("figcaption", { title: label }, label));
  }

  // Pictures of the questions to come, so that they are there when they are asked.
  #ahead() {
    const rows = this.waiting.flatMap((one) => [
      ...one.tracks.slice(0, MOST_PICTURES),
      ...one.others.slice(0, MOST_PICTURES),
    ]);
    const place = element("div.ahead", { "aria-hidden": "true" }, ...rows.map((row) => face(row, { later: true })));
    setTimeout(() => showPictures(place), KEEP_STILL_MS);
    return place;
  }
}
