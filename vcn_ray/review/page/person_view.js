// One person: name, best pictures, who else it may be, and all its tracks, the least fitting first.

import { ApiError, get } from "./api.js";
import { button, element } from "./dom.js";
import { nameInput, toastError } from "./messages.js";
import { face } from "./pictures.js";
import { season } from "./season.js";
import { TrackList, fitCell, openTrack } from "./track_list.js";
import { counted, likelihood, percent, span } from "./words.js";

const BEST = 8;
const NEAREST = 5;
const WORTH_ASKING = 0.05;

const ORDERS = {
  fit: ["Least fitting first", null],
  time: ["By time", (a, b) => a.title - b.title || a.video - b.video || a.first_time_s - b.first_time_s],
  length: ["Longest first", (a, b) => b.faces - a.faces],
};

/** `parameters.id` is whom it shows. */
export class PersonView {
  constructor(main, parameters) {
    this.main = main;
    this.id = parameters.id;
    this.about = element("aside.about", { "aria-label": "About this person" });
    const option = (value, text) => element("option", { value }, text);
    this.order = element(
      "select",
      { "aria-label": "Order of tracks" },
      ...Object.entries(ORDERS).map(([key, [text]]) => option(key, text)),
    );
    this.title = element("select", { "aria-label": "Title", hidden: season.now.titles.length < 2 });
    this.tracks = new TrackList({
      main,
      label: "Tracks",
      extra: (track) => [fitCell(track)],
      likely: () => this.found?.nearest ?? [],
      person: () => this.id,
      controls: [this.order, this.title],
    });
    this.order.addEventListener("change", () => this.#showTracks());
    this.title.addEventListener("change", () => this.#showTracks());
    this.heading = element("h1.unseen");
    this.empty = element("p.empty", { hidden: true });
    main.replaceChildren(
      this.heading,
      element(
        "div.person",
        {},
        this.about,
        element("div.theirs", {}, this.tracks.bar, this.tracks.list.element, this.empty),
      ),
    );
    void this.#load();
  }

  close() {
    this.closed = true;
    this.tracks.close();
  }

  /** The season is another one: this person may be called another id now. */
  update(moved) {
    this.id = moved[this.id] ?? this.id;
    return this.#load();
  }

  key(event) {
    if (event.key === "n") this.about.querySelector("input")?.focus();
    else return this.tracks.key(event);
    return true;
  }

  neighbour(row, step) {
    return this.tracks.neighbour(row, step);
  }

  async #load() {
    const id = this.id;
    let found;
    try {
      found = await get(`/api/people/${encodeURIComponent(id)}`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.closed) return;
      if (error.status === 404 || !season.person(id)) this.#showGone();
      else toastError(error.message);
      return;
    }
    if (id !== this.id || this.closed) return;
    this.found = found;
    this.heading.textContent = found.person.label;
    document.title = `${found.person.label} – ${season.now.name}`;
    this.#showTitles();
    this.#showAbout();
    this.#showTracks();
    const rows = new Set(found.tracks.map((track) => track.row));
    this.tracks.selection.rename((row) => (rows.has(row) ? row : null));
  }

  #showGone() {
    this.main.replaceChildren(
      element("div.page-head", {}, element("h1", {}, "This person is no longer here")),
      element(
        "p.empty",
        {},
        "It was merged, taken apart or forgotten meanwhile. ",
        element("a", { href: "#/cast" }, "To the cast"),
      ),
    );
  }

  #showTitles() {
    const { by_title: seconds } = this.found.person;
    const was = this.title.value;
    const options = season.now.titles
      .map((title, index) => ({ title, index }))
      .filter(({ index }) => seconds[index] > 0);
    this.title.replaceChildren(
      element("option", { value: "" }, `All titles (${options.length})`),
      ...options.map(({ title, index }) =>
        element("option", { value: index }, `${title.id} (${span(seconds[index])})`),
      ),
    );
    this.title.value = options.some(({ index }) => String(index) === was) ? was : "";
  }

  #showTracks() {
    const title = this.title.value;
    let tracks = this.found.tracks.filter((track) => title === "" || track.title === Number(title));
    const order = ORDERS[this.order.value][1];
    if (order) tracks = [...tracks].sort(order);
    this.tracks.list.show({ count: tracks.length, at: (index) => tracks[index], load: async () => {} });
    this.empty.hidden = tracks.length > 0;
    this.empty.textContent = "No tracks in this title.";
  }

  #showAbout() {
    const { person, tracks, nearest } = this.found;
    const near = nearest.filter((other) => !other.together && other.probability >= WORTH_ASKING).slice(0, NEAREST);
    const far = nearest.filter((other) => !near.includes(other));
    const opened = this.about.querySelector("details")?.open ?? false;
    // Somebody may be typing a name while the season changes elsewhere.
    const typed = this.about.contains(document.activeElement) ? this.about.querySelector("input.name") : null;
    const facts = [
      `${span(person.screen_time_s)} on screen`,
      counted(person.tracks, "track"),
      `sure ${percent(person.mean_confidence)}`,
    ];
    if (person.name !== null && person.number !== null) facts.push(`Cast ${person.number}`);
    const likely =
      person.name_confidence === null ? null : `Named by reference pictures: ${percent(person.name_confidence)}`;
    const best = [...tracks].reverse().slice(0, BEST);
    this.about.replaceChildren(
      this.#nameForm(person, typed?.value ?? person.name ?? ""),
      element(
        "p.facts",
        {},
        ...facts.map((fact) => element("span", {}, fact)),
        person.name === null ? "" : this.#unname(),
      ),
      likely ? element("p.facts", {}, likely) : "",
      element(
        "div.best",
        {},
        ...best.map((track) =>
          button(
            "",
            {
              class: "bare",
              "aria-label": `Show the track at ${track.timecode} in its film`,
              onclick: () => openTrack(track.row),
            },
            face(track.row, { size: 76 }),
          ),
        ),
      ),
      element(
        "section.suggested",
        {},
        element("h2", {}, "Is this the same person?"),
        near.length
          ? element("ul.nearest", {}, ...near.map((other) => this.#suggestion(other)))
          : element("p.muted", {}, "Nobody else looks like this person."),
        far.length
          ? element(
              "details",
              { open: opened },
              element("summary", {}, `${far.length} less likely`),
              element("ul.nearest", {}, ...far.map((other) => this.#suggestion(other))),
            )
          : "",
      ),
    );
    if (typed) this.about.querySelector("input.name").focus();
  }

  #nameForm(person, value) {
    const input = nameInput(value, season.names);
    input.classList.add("name");
    input.placeholder = person.label;
    input.removeAttribute("autofocus");
    const hint = element("p.muted.hint", { "aria-live": "polite" });
    const same = () => season.now.people.find((other) => other.name === input.value.trim() && other.id !== this.id);
    input.addEventListener(
      "input",
      () => (hint.textContent = same() ? "There is somebody of this name: they become one." : ""),
    );
    return element(
      "form.naming",
      {
        onsubmit: (event) => {
          event.preventDefault();
          const name = input.value.trim();
          input.blur();
          if (name && name !== person.name) void season.say("name", { people: [this.id], name });
          else if (!name && person.name !== null) void season.say("unname", { people: [this.id] });
        },
      },
      element("label.field", {}, "Name", input),
      element("button.primary", { type: "submit" }, "Name"),
      hint,
    );
  }

  #unname() {
    return button("Un-name", { class: "link", onclick: () => season.say("unname", { people: [this.id] }) });
  }

  #suggestion(other) {
    const text = other.together
      ? "seen together: two people"
      : `${percent(other.probability)}, ${likelihood(other.probability)}`;
    const who = element(
      "a.who-else",
      { href: `#/people/${other.id}`, title: other.label },
      face(other.best_row, { size: 52 }),
      element("span.what", {}, element("span.name", {}, other.label), element("small", {}, text)),
    );
    const say = (kind) => season.say(kind, { people: [this.id], other_people: [other.id] });
    const answers = [
      button("Same", { "aria-label": `${other.label} is the same person`, onclick: () => say("merge") }),
      button("Not", { "aria-label": `${other.label} is not the same person`, onclick: () => say("different") }),
    ];
    return element("li", {}, who, other.together ? "" : element("div.answers", {}, ...answers));
  }
}
