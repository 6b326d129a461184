// Tracks as rows of a virtual list, and what can be said of those selected. Used for a person, and for Unknown.

import { button, element } from "./dom.js";
import { askName, toast } from "./messages.js";
import { askPerson } from "./person_picker.js";
import { strip } from "./pictures.js";
import { season } from "./season.js";
import { Selection } from "./selection.js";
import { VirtualList } from "./virtual_list.js";
import { counted, percent, span } from "./words.js";

/** Show a track in its film, over the view that is open; the back button closes it. */
export function openTrack(row) {
  const [path, query = ""] = location.hash.split("?");
  const parameters = new URLSearchParams(query);
  parameters.set("track", row);
  location.hash = `${path}?${parameters}`;
}

/** Where a track is: title where there are several, shot, time code. */
export function placeOf(track) {
  const title = season.now.titles[track.title];
  const videos = title.videos.length > 1 ? [title.videos[track.video].name] : [];
  const titles = season.now.titles.length > 1 ? [title.id] : [];
  return [...titles, ...videos, `shot ${track.shot}`].join(" · ");
}

/** The rows, and the bar with what can be said of those selected. */
export class TrackList {
  /**
   * main: what scrolls; label: for screen readers; extra(track): more cells; likely(): people that are offered first;
   * person(): id of the person whose tracks these are, or null; onKey(event, track): more keys; controls: filters;
   * rowHeight(): pixels.
   */
  constructor({ main, label, extra, likely, person, onKey, controls, rowHeight = () => 84 }) {
    Object.assign(this, { likely, person });
    this.selection = new Selection();
    this.said = element("span.selected", { "aria-live": "polite" });
    this.buttons = [
      button("Move to…", {
        class: "primary",
        title: "They are somebody else: choose whom (m)",
        onclick: () => this.move(),
      }),
      button("Split off", { title: "They are one person of their own (s)", onclick: () => this.split() }),
      button("Not a face", { title: "They show no face (x)", onclick: () => this.say("not-a-face") }),
      button("Nobody in particular", { title: "Unknown for good (o)", onclick: () => this.say("nobody") }),
    ];
    if (person() === null) {
      this.buttons[0].textContent = "Assign to…";
      this.buttons[1].textContent = "New person";
      this.buttons[1].title = "They are one person, and nobody who is there (s)";
    } else {
      const here = { title: "They rightly are here: keep them (r)", onclick: () => this.move(this.person()) };
      this.buttons.splice(2, 0, button("Rightly here", here));
    }
    this.bar = element(
      "div.toolbar",
      { role: "toolbar", "aria-label": "What to do with the tracks selected" },
      element("div.group", {}, ...controls),
      element("div.group", {}, this.said, ...this.buttons),
    );
    this.list = new VirtualList({
      scroller: main,
      sticky: [this.bar],
      label,
      rowHeight,
      keyOf: (track) => track.row,
      nameOf: (track) => `track at ${track.timecode}`,
      cells: (track) => cells(track, extra(track)),
      selection: this.selection,
      onOpen: (track) => openTrack(track.row),
      onKey: (event, track) => this.#key(event, track) || onKey?.(event, track),
    });
    this.list.element.classList.add("tracks");
    this.selection.addEventListener("change", () => this.#showSelection());
    this.#showSelection();
  }

  close() {
    this.list.close();
  }

  /** Rows that something is said of: those selected, else the one that the keyboard is on. */
  chosen() {
    if (this.selection.size) return this.selection.keys;
    const focused = this.list.focused();
    return focused ? [focused.row] : [];
  }

  /** Say of the rows chosen that they are of a person; of whom is asked where it is not given. */
  async move(id = null) {
    const tracks = this.chosen();
    if (!tracks.length) return void toast("Select a track first.");
    const own = this.person();
    const title = `${own === null ? "Assign" : "Move"} ${counted(tracks.length, "track")} to`;
    const to = id ?? (await askPerson(title, { likely: this.likely(), without: own === null ? [] : [own] }));
    if (to !== null) await this.#tell("move", { tracks, other_people: [to] });
  }

  /** Say that the rows chosen are one person of their own; a single Unknown track becomes one by a name. */
  async split() {
    const tracks = this.chosen();
    if (!tracks.length) return void toast("Select a track first.");
    const own = this.person();
    if (own !== null) return this.#tell("split", { tracks, other_people: [own] });
    if (tracks.length > 1) return this.#tell("split", { tracks });
    const hint = (name) => (season.names.includes(name) ? "There is somebody of this name: it becomes theirs." : "");
    const name = await askName("Who is it?", "", season.names, hint);
    if (name !== null) await this.#tell("name", { tracks, name });
  }

  /** Say "not-a-face" or "nobody" of the rows chosen. */
  async say(kind) {
    const tracks = this.chosen();
    if (!tracks.length) return void toast("Select a track first.");
    await this.#tell(kind, { tracks });
  }

  async #tell(kind, sides) {
    if (await season.say(kind, sides)) this.selection.clear();
  }

  /** The track before or after another one in the list; of one that has just left it, those where it was. */
  neighbour(row, step) {
    const { source } = this.list;
    for (let index = 0; index < source.count; index += 1) {
      if (source.at(index)?.row !== row) continue;
      this.shown = { row, index };
      return source.at(index + step)?.row ?? null;
    }
    if (this.shown?.row !== row) return null;
    return source.at(this.shown.index + Math.min(0, step))?.row ?? null;
  }

  /** Keys of the view, wherever the focus is. */
  key(event) {
    if (event.key !== "Escape") return this.#key(event, null);
    this.selection.clear();
    return true;
  }

  #key(event, track) {
    const act = {
      m: () => this.move(),
      s: () => this.split(),
      x: () => this.say("not-a-face"),
      o: () => this.say("nobody"),
      r: () => this.person() !== null && this.move(this.person()),
      f: () => {
        const row = track?.row ?? this.chosen()[0];
        if (row !== undefined) openTrack(row);
      },
    }[event.key];
    if (!act) return false;
    void act();
    return true;
  }

  #showSelection() {
    const { size } = this.selection;
    this.said.textContent = size ? `${counted(size, "track")} selected` : "No track selected";
    for (const one of this.buttons) one.disabled = size === 0;
  }
}

function cells(track, extra) {
  const cell = (classes, ...children) => element(`div.cell${classes}`, { role: "gridcell" }, ...children);
  const notes = [];
  if (track.reason) notes.push(track.reason);
  if (track.said_by) notes.push(`said by ${track.said_by}`);
  const note = notes.join(" · ");
  return [
    cell(".pictures", strip(track.row, track.crops)),
    cell(
      ".place",
      element("b", {}, track.timecode),
      element("span.clip", { title: placeOf(track) }, placeOf(track)),
      element("small", {}, `${span(track.last_time_s - track.first_time_s)} · ${counted(track.faces, "face")}`),
      note ? element("small.clip.note", { title: note }, note) : null,
    ),
    ...extra,
    cell(
      ".film",
      button("Film", {
        tabindex: -1,
        "aria-label": `Show the track at ${track.timecode} in its film`,
        title: "Show it in its film (f)",
        onclick: () => openTrack(track.row),
      }),
    ),
  ];
}

/** A cell with how well a track fits its person, and how sure that is. */
export function fitCell(track) {
  const bar = element("span.meter", { "aria-hidden": "true" }, element("i"));
  bar.firstChild.style.setProperty("--share", track.fit ?? 0);
  return element(
    "div.cell.fit",
    { role: "gridcell" },
    element("span", {}, "fits ", element("b", {}, percent(track.fit))),
    bar,
    element("small", {}, `sure ${percent(track.confidence)}`),
  );
}
