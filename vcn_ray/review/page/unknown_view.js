// Tracks that are nobody's: why, who is nearest, and one key or click to assign them. Fetched page by page.

import { ApiError, get } from "./api.js";
import { button, element } from "./dom.js";
import { toastError } from "./messages.js";
import { face } from "./pictures.js";
import { season } from "./season.js";
import { TrackList } from "./track_list.js";
import { count, percent } from "./words.js";

const PAGE = 200;

/** Unknown tracks as a source of a virtual list; pages come when they are looked at. */
class UnknownTracks {
  constructor(reason) {
    this.reason = reason;
    this.count = 0;
    this.reasons = [];
    this.pages = new Map();
    this.tracks = [];
  }

  at(index) {
    return this.tracks[index];
  }

  async load(first, last) {
    const pages = [];
    for (let page = Math.floor(Math.max(0, first) / PAGE); page <= Math.floor(last / PAGE); page += 1) {
      if (!this.pages.has(page)) this.pages.set(page, this.#fetch(page));
      pages.push(this.pages.get(page));
    }
    await Promise.all(pages);
  }

  async #fetch(page) {
    try {
      const found = await get("/api/unknown", { offset: page * PAGE, limit: PAGE, reason: this.reason });
      this.count = found.total;
      this.reasons = found.reasons;
      for (const [nth, track] of found.tracks.entries()) this.tracks[page * PAGE + nth] = track;
    } catch (error) {
      this.pages.delete(page);
      if (!(error instanceof ApiError)) throw error;
      toastError(error.message);
    }
  }
}

/** All Unknown, or those of one reason. */
export class UnknownView {
  constructor(main, parameters) {
    this.main = main;
    this.reason = parameters.reason ?? null;
    this.reasons = element("div.chips", { role: "group", "aria-label": "Why they are Unknown" });
    this.list = new TrackList({
      main,
      label: "Unknown tracks",
      extra: (track) => [this.#nearestCell(track)],
      likely: () => this.#likely(),
      person: () => null,
      onKey: (event, track) => this.#assignByKey(event, track),
      controls: [],
      rowHeight: () => (matchMedia("(max-width:1100px)").matches ? 134 : 84), // as views.css has it
    });
    this.list.list.element.classList.add("unknown");
    this.empty = element("p.empty", { hidden: true });
    main.replaceChildren(
      element("div.page-head", {}, element("h1", {}, "Unknown"), this.reasons),
      this.list.bar,
      this.list.list.element,
      this.empty,
    );
    void this.update();
  }

  close() {
    this.closed = true;
    this.list.close();
  }

  /** Fetch what is in sight anew. */
  async update() {
    const source = new UnknownTracks(this.reason);
    this.latest = source;
    const [first, last] = this.list.list.inSight();
    await source.load(0, 0);
    if (source.count)
      await source.load(Math.min(first, source.count - 1), Math.min(Math.max(first, last), source.count - 1));
    if (source !== this.latest || this.closed) return;
    // All of a reason are dealt with: show the others.
    if (this.reason !== null && source.count === 0 && source.reasons.length) {
      this.reason = null;
      return void this.update();
    }
    this.source = source;
    this.list.list.show(source);
    this.#showReasons();
    this.empty.hidden = source.count > 0;
    this.empty.textContent = "Every track is somebody's.";
    const rows = new Set(source.tracks.map((track) => track?.row));
    this.list.selection.rename((row) => (rows.has(row) ? row : null));
  }

  key(event) {
    return this.list.key(event) || this.#assignByKey(event, null);
  }

  neighbour(row, step) {
    return this.list.neighbour(row, step);
  }

  #showReasons() {
    const { reasons } = this.source;
    const all = reasons.reduce((sum, one) => sum + one.count, 0);
    const chip = (reason, text, number) =>
      button(
        "",
        {
          class: "chip",
          title: text,
          "aria-pressed": String(this.reason === reason),
          onclick: () => {
            this.reason = reason;
            this.list.selection.clear();
            this.main.scrollTop = 0;
            void this.update();
          },
        },
        element("span.clip", {}, text),
        element("span.count", {}, count(number)),
      );
    const chips = [chip(null, "All", all), ...reasons.map((one) => chip(one.reason, one.reason, one.count))];
    const focused = [...this.reasons.children].indexOf(document.activeElement);
    this.reasons.replaceChildren(...chips);
    if (focused >= 0) (chips[focused] ?? chips[0]).focus();
  }

  #nearestCell(track) {
    const one = (other, index) =>
      button(
        "",
        {
          class: "near",
          tabindex: -1,
          title: `It is ${other.label} (${index + 1})`,
          onclick: () => this.#assign([track.row], other.id),
        },
        face(other.best_row, { size: 40, later: true }),
        element("span.unseen", {}, "Assign to "),
        element(
          "span.what",
          {},
          element("span.name", {}, other.label),
          element("small", {}, percent(other.probability)),
        ),
      );
    const near = (track.nearest ?? []).slice(0, 3).map(one);
    return element(
      "div.cell.nearest",
      { role: "gridcell" },
      ...(near.length ? near : [element("small", {}, "nobody near")]),
    );
  }

  async #assign(tracks, id) {
    if (await season.say("move", { tracks, other_people: [id] })) this.list.selection.clear();
  }

  // 1, 2, 3: to the nearest of the row that the keyboard is on; with several selected, all of them to that one.
  #assignByKey(event, track) {
    const nth = ["1", "2", "3"].indexOf(event.key);
    if (nth < 0) return false;
    const row = track ?? this.#tracksChosen()[0];
    const other = row?.nearest?.[nth];
    if (other) void this.#assign(this.list.chosen().length ? this.list.chosen() : [row.row], other.id);
    return true;
  }

  #tracksChosen() {
    const rows = new Set(this.list.chosen());
    return this.source.tracks.filter((track) => rows.has(track?.row));
  }

  // Whom the tracks chosen are nearest to, at their best.
  #likely() {
    const best = new Map();
    for (const other of this.#tracksChosen().flatMap((track) => track.nearest ?? [])) {
      if (other.probability > (best.get(other.id)?.probability ?? -1)) best.set(other.id, other);
    }
    return [...best.values()];
  }
}
